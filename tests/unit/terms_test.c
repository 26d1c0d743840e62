/* smtpd/terms: on what terms a smarthost is spoken with. */
#include "smtpd/terms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct config config;
static struct terms terms;
static struct err e;

static int password_file(const char *content)
{
	FILE *file = tmpfile();
	assert_non_null(file);
	fputs(content, file);
	fflush(file);
	int fd = dup(fileno(file));
	fclose(file);
	return fd;
}

static void begin(const char *smarthost, enum config_relay_tls tls, const char *user)
{
	config = (struct config){.relay_tls = (int)tls};
	snprintf(config.file, sizeof(config.file), "office.ini");
	snprintf(config.hostname, sizeof(config.hostname), "mail.kantor.example");
	snprintf(config.smarthost, sizeof(config.smarthost), "%s", smarthost);
	snprintf(config.relay_user, sizeof(config.relay_user), "%s", user);
	snprintf(config.relay_password_file, sizeof(config.relay_password_file), "/etc/p");
}

static void the_password_is_the_first_line(void **state)
{
	(void)state;
	static const char *const files[] = {"rahasia", "rahasia\n", "rahasia\r\nmore\n"};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = password_file(files[i]);
		begin("relay.example:587", RELAY_TLS_NONE, "kantor");
		assert_int_equal(terms_of_smarthost(&terms, &config, fd, &e), 0);
		assert_string_equal(terms.client.user, "kantor");
		assert_true(slice_equal(terms.client.password, SLICE("rahasia")));
		terms_free(&terms);
		close(fd);
	}
}

static void a_login_without_its_password_is_refused_with_the_mend(void **state)
{
	(void)state;
	int fd = password_file("\nrahasia\n");
	begin("relay.example:587", RELAY_TLS_NONE, "kantor");
	assert_int_equal(terms_of_smarthost(&terms, &config, fd, &e), -1);
	assert_non_null(strstr(e.text, "/etc/p"));
	assert_int_equal(terms_of_smarthost(&terms, &config, -1, &e), -1);
	config.relay_password_file[0] = '\0';
	assert_int_equal(terms_of_smarthost(&terms, &config, -1, &e), -1);
	assert_non_null(strstr(e.text, "password_file"));
	close(fd);
}

static void a_password_that_others_can_read_is_refused_with_the_mend(void **state)
{
	(void)state;
	static const mode_t modes[] = {0640, 0604, 0620};
	int fd = password_file("rahasia\n");
	begin("relay.example:587", RELAY_TLS_NONE, "kantor");
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(fchmod(fd, modes[i]), 0);
		assert_int_equal(terms_of_smarthost(&terms, &config, fd, &e), -1);
		assert_int_equal(e.kind, ERR_DENIED);
		assert_non_null(strstr(e.text, "chmod 600 /etc/p"));
	}
	close(fd);
}

static void what_is_forgotten_is_wiped(void **state)
{
	(void)state;
	int fd = password_file("rahasia\n");
	begin("relay.example:587", RELAY_TLS_NONE, "kantor");
	assert_int_equal(terms_of_smarthost(&terms, &config, fd, &e), 0);
	terms_forget(&terms);
	for (size_t i = 0; i < sizeof(terms.password); i++)
		assert_int_equal(terms.password[i], 0);
	assert_int_equal(terms.client.password.len, 0);
	close(fd);
}

static void tls_is_what_the_setting_and_the_port_say(void **state)
{
	(void)state;
	static const struct {
		const char *smarthost;
		enum config_relay_tls setting;
		const char *user;
		enum client_tls wanted;
	} rows[] = {
		{"relay.example:465", RELAY_TLS_AUTO, "", CLIENT_TLS_IMPLICIT},
		{"relay.example:465", RELAY_TLS_AUTO, "kantor", CLIENT_TLS_IMPLICIT},
		{"relay.example:587", RELAY_TLS_AUTO, "kantor", CLIENT_TLS_OFFERED},
		{"relay.example:25", RELAY_TLS_AUTO, "", CLIENT_TLS_OFFERED},
		{"relay.example:465", RELAY_TLS_STARTTLS, "", CLIENT_TLS_REQUIRED},
		{"relay.example:587", RELAY_TLS_IMPLICIT, "", CLIENT_TLS_IMPLICIT},
		{"relay.example:465", RELAY_TLS_NONE, "kantor", CLIENT_TLS_NEVER},
	};
	int fd = password_file("rahasia\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(rows[i].smarthost, rows[i].setting, rows[i].user);
		assert_int_equal(terms_of_smarthost(&terms, &config, fd, &e), 0);
		assert_int_equal(terms.client.tls, rows[i].wanted);
		assert_int_equal(terms.trust != NULL, rows[i].wanted != CLIENT_TLS_NEVER);
		assert_ptr_equal(terms.client.trust, terms.trust);
		terms_free(&terms);
	}
	close(fd);
}

static void the_host_of_a_domain_may_be_anybody(void **state)
{
	(void)state;
	begin("", RELAY_TLS_AUTO, "kantor");
	terms_of_mx(&terms, &config);
	assert_int_equal(terms.client.tls, CLIENT_TLS_OFFERED);
	assert_null(terms.client.trust);
	assert_null(terms.client.user);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_password_is_the_first_line),
		cmocka_unit_test(a_login_without_its_password_is_refused_with_the_mend),
		cmocka_unit_test(a_password_that_others_can_read_is_refused_with_the_mend),
		cmocka_unit_test(what_is_forgotten_is_wiped),
		cmocka_unit_test(tls_is_what_the_setting_and_the_port_say),
		cmocka_unit_test(the_host_of_a_domain_may_be_anybody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
