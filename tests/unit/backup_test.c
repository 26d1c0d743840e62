/* store/backup.h: the copy of one moment, and a store put in the place of another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

#include "store/backup.h"
#include "store/mail.h"
#include "tests/unit/letters.h"
#include "tests/unit/office.h"

#define ALL_ENTRIES SQL("SELECT count(*) FROM entries /* scans entries */")

/* What happens between two steps of a copy. */
struct meanwhile {
	struct test_office *office;
	struct backup *backup;
	unsigned steps;
	uint64_t done, all;
	void (*act)(struct meanwhile *meanwhile);
	bool stop;
};

static int step(uint64_t done, uint64_t all, void *arg, struct err *e)
{
	struct meanwhile *meanwhile = arg;
	meanwhile->steps++;
	assert_true(done >= meanwhile->done && done <= all);
	meanwhile->done = done;
	meanwhile->all = all;
	if (meanwhile->act)
		meanwhile->act(meanwhile);
	return meanwhile->stop ? err_set(e, ERR_INTERRUPTED, "stopped") : 0;
}

static void post_big(struct test_office *office, size_t octets)
{
	struct buf text = {0};
	buf_add_text(&text, "Subject: big\r\n\r\n");
	fill(&text, octets);
	assert_int_equal(post(office, "ani@kantor.example", buf_text(&text)), ERR_NONE);
	buf_free(&text);
}

/* A store of several steps, and a handle of another process's to read it by. */
static struct store *furnish(struct test_office *office)
{
	struct store *reader;
	add_user(office, "ani@kantor.example");
	for (int i = 0; i < 16; i++)
		post_big(office, 250000);
	assert_int_equal(store_open(&reader, office->data, STORE_READER, SYNC_FULL, &office->e), 0);
	return reader;
}

static const char *copy_path(const struct test_office *office)
{
	static char path[64];
	snprintf(path, sizeof(path), "%s/copy", office->data);
	return path;
}

static int new_file(struct test_office *office)
{
	int fd = open(copy_path(office), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void drop_file(struct test_office *office, int fd)
{
	close(fd);
	assert_int_equal(unlink(copy_path(office)), 0);
}

static int copy(struct test_office *office, int fd, struct meanwhile *meanwhile, uint64_t reserve)
{
	struct store *reader = furnish(office);
	struct backup backup = {
		.name = "copy", .reserve = reserve, .progress = step, .arg = meanwhile};
	meanwhile->office = office;
	meanwhile->backup = &backup;
	int result = backup_copy(reader, fd, &backup, &office->e);
	store_close(reader);
	return result;
}

static void commit_one(struct meanwhile *meanwhile)
{
	post_big(meanwhile->office, 250000);
}

static void a_copy_holds_one_moment_whatever_is_committed_meanwhile(void **state)
{
	struct test_office *office = *state;
	struct meanwhile meanwhile = {.act = commit_one};
	struct buf findings = {0};
	struct store *copied;
	int fd = new_file(office);
	assert_int_equal(copy(office, fd, &meanwhile, 0), 0);
	assert_true(meanwhile.steps > 3);
	assert_int_equal(meanwhile.done, meanwhile.all);
	assert_int_equal(number(office, ALL_ENTRIES), 16 + meanwhile.steps);
	assert_int_equal(store_open_copy(&copied, fd, "copy", &office->e), 0);
	assert_int_equal(mail_check(copied, keep_finding, &findings, &office->e), 0);
	int64_t count = 0;
	assert_int_equal(db_number(copied, ALL_ENTRIES, &count, &office->e), 0);
	assert_int_equal(count, 16);
	store_close(copied);
	drop_file(office, fd);
}

static void a_copy_is_a_file_without_a_log(void **state)
{
	struct test_office *office = *state;
	struct meanwhile meanwhile = {0};
	sqlite3 *plain;
	sqlite3_stmt *statement;
	int fd = new_file(office);
	assert_int_equal(copy(office, fd, &meanwhile, 0), 0);
	assert_int_equal(
		sqlite3_open_v2(copy_path(office), &plain, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(plain, "PRAGMA journal_mode", -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(statement, 0), "delete");
	sqlite3_finalize(statement);
	sqlite3_close(plain);
	drop_file(office, fd);
}

static void who_watches_may_stop_it(void **state)
{
	struct test_office *office = *state;
	struct meanwhile meanwhile = {.stop = true};
	int fd = new_file(office);
	assert_int_equal(copy(office, fd, &meanwhile, 0), -1);
	assert_int_equal(office->e.kind, ERR_INTERRUPTED);
	assert_int_equal(meanwhile.steps, 1);
	drop_file(office, fd);
	post_big(office, 100); /* nothing holds the store */
}

static void a_copy_leaves_the_stores_own_disk_its_reserve(void **state)
{
	struct test_office *office = *state;
	struct meanwhile meanwhile = {0};
	int fd = new_file(office);
	assert_int_equal(copy(office, fd, &meanwhile, UINT64_MAX / 2), -1);
	assert_int_equal(office->e.kind, ERR_SPACE);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	drop_file(office, fd);
}

static void fill_the_log(struct meanwhile *meanwhile)
{
	sqlite3_wal_autocheckpoint(meanwhile->office->store->db, 0);
	if (meanwhile->steps > 1)
		return;
	for (int i = 0; i < 100; i++)
		post_big(meanwhile->office, 250000);
	meanwhile->backup->reserve = UINT64_MAX / 2; /* as if that had filled the disk */
}

static void a_copy_is_given_up_where_the_log_would_fill_the_disk_meanwhile(void **state)
{
	struct test_office *office = *state;
	struct meanwhile meanwhile = {.act = fill_the_log};
	int fd = new_file(office);
	assert_int_equal(copy(office, fd, &meanwhile, 0), -1);
	assert_int_equal(office->e.kind, ERR_SPACE);
	assert_non_null(strstr(office->e.text, "mail goes before"));
	assert_int_equal(meanwhile.steps, 1);
	drop_file(office, fd);
}

static void the_time_of_the_last_one_is_kept(void **state)
{
	struct test_office *office = *state;
	int64_t when = -1;
	assert_int_equal(backup_get_time(office->store, &when, &office->e), 0);
	assert_int_equal(when, 0);
	for (int64_t now = 1800000000; now < 1800000002; now++) {
		assert_int_equal(WRITE(office, backup_set_time(office->store, now, &office->e)), 0);
		assert_int_equal(backup_get_time(office->store, &when, &office->e), 0);
		assert_int_equal(when, now);
	}
}

/* ---- the way back ---- */

static int prepare(struct test_office *office, int fd)
{
	struct meanwhile meanwhile = {.office = office};
	struct backup backup = {.name = "copy", .progress = step, .arg = &meanwhile};
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	int64_t held;
	return restore_prepare(office->data, fd, -1, &backup, NULL, &held, &office->e);
}

static void remove_aside(struct test_office *office)
{
	char pattern[64];
	glob_t found;
	snprintf(pattern, sizeof(pattern), "%s/store.db.replaced-*", office->data);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
}

static void a_copy_takes_the_place_of_a_store_that_nobody_has_open(void **state)
{
	struct test_office *office = *state;
	struct meanwhile meanwhile = {.act = commit_one};
	char aside[RESTORE_ASIDE_MAX];
	struct stat st;
	int fd = new_file(office);
	assert_int_equal(copy(office, fd, &meanwhile, 0), 0);
	assert_int_equal(prepare(office, fd), 0);
	store_close(office->store);
	assert_int_equal(restore_swap(office->data, aside, &office->e), 0);
	restore_clear(office->data);
	assert_int_equal(stat(aside, &st), 0);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(
		store_open(&office->store, office->data, STORE_TOOL, SYNC_NORMAL, &office->e), 0);
	assert_int_equal(number(office, ALL_ENTRIES), 16);
	assert_sound(office);
	remove_aside(office);
	drop_file(office, fd);
}

static void what_was_made_ready_and_not_used_goes(void **state)
{
	struct test_office *office = *state;
	struct meanwhile meanwhile = {0};
	char path[64];
	int fd = new_file(office);
	assert_int_equal(copy(office, fd, &meanwhile, 0), 0);
	snprintf(path, sizeof(path), "%s/restoring", office->data);
	for (int i = 0; i < 2; i++) /* what the first left does not hinder the second */
		assert_int_equal(prepare(office, fd), 0);
	assert_int_equal(access(path, F_OK), 0);
	restore_clear(office->data);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(number(office, ALL_ENTRIES), 16);
	drop_file(office, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(a_copy_holds_one_moment_whatever_is_committed_meanwhile),
		OFFICE_TEST(a_copy_is_a_file_without_a_log),
		OFFICE_TEST(who_watches_may_stop_it),
		OFFICE_TEST(a_copy_leaves_the_stores_own_disk_its_reserve),
		OFFICE_TEST(a_copy_is_given_up_where_the_log_would_fill_the_disk_meanwhile),
		OFFICE_TEST(the_time_of_the_last_one_is_kept),
		OFFICE_TEST(a_copy_takes_the_place_of_a_store_that_nobody_has_open),
		OFFICE_TEST(what_was_made_ready_and_not_used_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
