/* tools/port_target.h: the directory of an export, whose owner does with it what he likes. */
#include "base/account.h"
#include "tools/port_target.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h and stdarg.h. */
#include <cmocka.h>

static char place[] = "/tmp/officemail-target-XXXXXX";

/* The path of something below the place; valid until the next call but one. */
static const char *at(const char *name)
{
	static char paths[2][256];
	static int n;
	n = !n;
	snprintf(paths[n], sizeof(paths[n]), "%s/%s", place, name);
	return paths[n];
}

static bool is_there(const char *name)
{
	struct stat what;
	return lstat(at(name), &what) == 0;
}

static int begin(void **state)
{
	(void)state;
	strcpy(place + sizeof(place) - 7, "XXXXXX");
	return mkdtemp(place) && mkdir(at("other"), 0700) == 0 ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	char command[64];
	snprintf(command, sizeof(command), "rm -r %s", place);
	return system(command);
}

static void write_one(struct port_target *target, const char *name)
{
	struct err e;
	int fd = port_target_begin(target, name, &e);
	assert_true(fd >= 0);
	assert_int_equal(port_target_write(target, name, fd, SLICE("Subject: x\n"), &e), 0);
	assert_int_equal(port_target_keep(target, name, fd, 1, &e), 0);
}

static void a_link_in_the_place_of_cur_leads_nothing_elsewhere(void **state)
{
	(void)state;
	struct port_target target;
	struct err e;
	char out[64];
	snprintf(out, sizeof(out), "%s", at("out"));
	assert_int_equal(port_target_open(&target, out, &e), 0);
	assert_int_equal(port_target_enter(&target, "", true, &e), 0);
	write_one(&target, "cur/1");
	assert_int_equal(port_target_flush(&target, &e), 0);
	write_one(&target, "cur/2");
	assert_int_equal(rename(at("out/cur"), at("out/was")), 0);
	assert_int_equal(symlink(at("other"), at("out/cur")), 0);
	assert_int_equal(port_target_flush(&target, &e), 0);
	assert_true(is_there("out/was/1") && is_there("out/was/2"));
	assert_false(is_there("other/2"));

	/* What lies there is no concern of his either. */
	close(open(at("other/3"), O_WRONLY | O_CREAT, 0600));
	assert_int_equal(port_target_has(&target, "cur/2", &e), 1);
	assert_int_equal(port_target_has(&target, "cur/3", &e), 0);
	assert_int_equal(port_target_read(&target, "cur/3", &e), -1);
	int fd = port_target_read(&target, "cur/2", &e);
	assert_true(fd >= 0);
	close(fd);

	/* And the next time it is refused. */
	assert_int_equal(port_target_enter(&target, "", true, &e), -1);
	assert_non_null(strstr(e.text, "/out/cur cannot be written: "));
	port_target_close(&target);
}

static void the_same_of_what_is_unfinished(void **state)
{
	(void)state;
	struct port_target target;
	struct err e;
	char out[64];
	snprintf(out, sizeof(out), "%s", at("out"));
	assert_int_equal(port_target_open(&target, out, &e), 0);
	assert_int_equal(port_target_enter(&target, ".Kerja", true, &e), 0);
	assert_int_equal(rename(at("out/.Kerja"), at("out/was")), 0);
	assert_int_equal(symlink(at("other"), at("out/.Kerja")), 0);
	write_one(&target, "cur/1");
	assert_int_equal(port_target_finish(&target, &e), 0);
	assert_true(is_there("out/was/cur/1") && !is_there("other/1"));
	port_target_close(&target);
}

static void what_is_there_keeps_its_octets(void **state)
{
	(void)state;
	struct port_target target;
	struct err e;
	char out[64];
	snprintf(out, sizeof(out), "%s", at("out"));
	assert_int_equal(port_target_open(&target, out, &e), 0);
	assert_int_equal(port_target_enter(&target, "", true, &e), 0);
	write_one(&target, "cur/1");
	close(open(at("out/cur/1"), O_WRONLY | O_CREAT, 0600));
	assert_int_equal(port_target_flush(&target, &e), -1);
	assert_non_null(strstr(e.text, "/out/cur/1 cannot be written: File exists"));
	struct stat what;
	assert_int_equal(stat(at("out/cur/1"), &what), 0);
	assert_int_equal(what.st_size, 0);
	assert_false(is_there("out/tmp/1.part"));
	port_target_close(&target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_link_in_the_place_of_cur_leads_nothing_elsewhere, begin, end),
		cmocka_unit_test_setup_teardown(the_same_of_what_is_unfinished, begin, end),
		cmocka_unit_test_setup_teardown(what_is_there_keeps_its_octets, begin, end),
	};
	return cmocka_run_group_tests_name("port_target", tests, NULL, NULL);
}
