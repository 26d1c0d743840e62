/* base/config: office.ini, read and written. */
#include "base/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

#define LEAST                                                                                      \
	"[office]\nhostname = mail.kantor.example\ndomains = kantor.example\n"                     \
	"postmaster = ani@kantor.example\n"

static char path[] = "/tmp/officemail-config-XXXXXX";

static int make_file(void **state)
{
	(void)state;
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static int read_text(struct slice text, struct config *config, struct buf *faults)
{
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fwrite(text.at, 1, text.len, out);
	assert_int_equal(fclose(out), 0);
	return config_read(config, path, faults);
}

static void assert_good(const char *text, struct config *config)
{
	struct buf faults = {0};
	int result = read_text(slice_of(text), config, &faults);
	assert_string_equal(buf_text(&faults), "");
	assert_int_equal(result, 0);
	buf_free(&faults);
}

/* `wanted`: the faults as they are told, each without "PATH:". */
static void assert_faults(struct slice text, const char *wanted)
{
	struct config config;
	struct buf faults = {0}, told = {0};
	assert_int_equal(read_text(text, &config, &faults), -1);
	struct slice rest = buf_slice(&faults);
	while (rest.len > 0) {
		struct slice line = slice_cut(&rest, '\n');
		assert_true(slice_has_prefix(line, slice_of(path)));
		assert_int_equal(line.at[strlen(path)], ':');
		buf_add_slice(&told, slice_from(line, strlen(path) + 1));
		buf_add_char(&told, '\n');
	}
	assert_string_equal(buf_text(&told), wanted);
	buf_free(&faults);
	buf_free(&told);
}

/* ---- good ones ---- */

static void what_is_not_said_has_its_default(void **state)
{
	(void)state;
	struct config config;
	assert_good(LEAST, &config);
	assert_string_equal(config.file, path);
	assert_string_equal(config.hostname, "mail.kantor.example");
	assert_string_equal(config.data, "/var/lib/officemail");
	assert_string_equal(config.user, "officemail");
	assert_int_equal(config.language, LANGUAGE_EN);
	assert_string_equal(config.tls_certificate, "");
	assert_string_equal(config.smtpd_listen, "25");
	assert_string_equal(config.smtpd_lmtp, "");
	assert_int_equal(config.max_message, 104857600);
	assert_int_equal(config.max_recipients, 100);
	assert_string_equal(config.submission_listen, "587");
	assert_string_equal(config.submission_listen_tls, "465");
	assert_true(config.submission_require_tls);
	assert_int_equal(config.per_hour, 500);
	assert_string_equal(config.pop3d_listen, "110");
	assert_string_equal(config.pop3d_listen_tls, "995");
	assert_true(config.pop3d_require_tls);
	assert_int_equal(config.idle_timeout, 600);
	assert_false(config.exclusive);
	assert_int_equal(config.sync, SYNC_FULL);
	assert_int_equal(config.keep_deleted, 14 * 86400);
	assert_int_equal(config.quota, 0);
	assert_int_equal(config.reserve, 67108864);
	assert_int_equal(config.relay_tls, RELAY_TLS_AUTO);
	assert_int_equal(config.max_age, 5 * 86400);
	assert_string_equal(config.dkim_selector, "office");
	assert_int_equal(config.on_failure, FILTER_TEMPFAIL);
	assert_string_equal(config.junk_header, "X-Spam: Yes");
	assert_int_equal(config.connections, 500);
	assert_int_equal(config.connections_per_ip, 100);
	assert_int_equal(config.auth_failures, 10);
}

static void what_is_said_is_kept(void **state)
{
	(void)state;
	struct config config;
	assert_good(LEAST
		"data=/srv/mail\nuser = mail\nlanguage = id\n"
		"[tls]\ncertificate = /dev/null\nkey = /dev/zero\n"
		"[smtpd]\nlisten = [::1]:2525 127.0.0.1:25 mail.x:26 27\nlmtp = /run/lmtp\n"
		"max_message = 0\ntrusted = 192.168.1.20 fd00::/8\n"
		"[submission]\nlisten =\nrequire_tls = no\n"
		"[pop3d]\nidle_timeout = 1h\nexclusive = yes\n"
		"[store]\nsync = normal\nkeep_deleted = 0\nquota = 2G\n"
		"[relay]\nsmarthost = smtp.provider.example:465\ntls = implicit\n"
		"[filter]\nmilter = inet:127.0.0.1:11332 unix:/run/clamav/milter.sock "
		"inet6:[::1]:1 "
		"inet:localhost:2\n"
		"on_failure = accept\njunk_header =\n"
		"[limits]\nconnections = 0\n",
		&config);
	assert_string_equal(config.data, "/srv/mail");
	assert_int_equal(config.language, LANGUAGE_ID);
	assert_string_equal(config.tls_key, "/dev/zero");
	assert_string_equal(config.smtpd_listen, "[::1]:2525 127.0.0.1:25 mail.x:26 27");
	assert_string_equal(config.smtpd_lmtp, "/run/lmtp");
	assert_int_equal(config.max_message, 0);
	assert_string_equal(config.submission_listen, "");
	assert_false(config.submission_require_tls);
	assert_int_equal(config.idle_timeout, 3600);
	assert_true(config.exclusive);
	assert_int_equal(config.sync, SYNC_NORMAL);
	assert_int_equal(config.keep_deleted, 3600);
	assert_int_equal(config.quota, 2147483648);
	assert_int_equal(config.relay_tls, RELAY_TLS_IMPLICIT);
	assert_int_equal(config.on_failure, FILTER_ACCEPT);
	assert_string_equal(config.junk_header, "");
	assert_int_equal(config.connections, 0);
}

static void comments_blank_lines_crlf_and_a_bom_do_no_harm(void **state)
{
	(void)state;
	struct config config;
	assert_good("\xEF\xBB\xBF; first\r\n\r\n[office] ; the office\r\n# hash\r\n"
		    "hostname = Mail.Kantor.Example ; a name; with more\r\n"
		    "\tdomains = Kantor.Example\tcabang.example\t; two\r\n  ; indented\r\n"
		    "postmaster = Ani@kantor.example",
		&config);
	assert_string_equal(config.hostname, "mail.kantor.example");
	assert_string_equal(config.domains, "kantor.example\tcabang.example");
	assert_string_equal(config.postmaster, "ani@kantor.example");
}

static void an_indented_line_is_a_line_of_its_own(void **state)
{
	(void)state;
	struct config config;
	assert_good(LEAST "[pop3d]\nlisten = 110\n  listen_tls = 995\n", &config);
	assert_string_equal(config.pop3d_listen, "110");
	assert_string_equal(config.pop3d_listen_tls, "995");
}

static void a_list_of_a_thousand_octets_is_read_whole(void **state)
{
	(void)state;
	struct config config;
	struct buf text = {0};
	struct slice word;
	size_t count = 0;
	buf_add_text(&text, LEAST "[smtpd]\ntrusted =");
	while (text.len < 1500)
		buf_printf(&text, " 10.0.0.%zu", count++ % 250);
	assert_good(buf_text(&text), &config);
	assert_true(strlen(config.trusted) > 1000);
	assert_true(config_word(config.trusted, count - 1, &word));
	assert_false(config_word(config.trusted, count, &word));
	buf_free(&text);
}

/* ---- faults ---- */

static void every_fault_is_told_with_its_line(void **state)
{
	(void)state;
	assert_faults(SLICE("listen = 1\n"
			    "[office]\n"
			    "hostname = mail.kantor.example\n"
			    "colour = blue\n"
			    "postmaster = ani@kantor.example\n"
			    "hostname = other.example\n"
			    "just words\n"
			    "[pop3d]\n"
			    "listen = 99999\n"
			    "exclusive = perhaps\n"),
		"1: stands before the first [section]: put it under the one it belongs to\n"
		"4: [office] has no key \"colour\"; see office.ini(5)\n"
		"6: [office] hostname stands on line 3 already; remove one\n"
		"7: a line is `key = value`, and this is none: just words\n"
		"9: [pop3d] listen: \"99999\" is not a listener: host:port, [v6]:port or port (1 "
		"to "
		"65535)\n"
		"10: [pop3d] exclusive: \"perhaps\" is not yes or no\n"
		" [office] domains is missing: add it (mail to these is ours; several separated by "
		"blanks)\n");
}

static void behind_a_bad_header_keys_are_not_looked_at(void **state)
{
	(void)state;
	assert_faults(SLICE(LEAST "[pop3\nlisten = x\n[nowhere]\nlisten = y\n[pop3d] words\n"
				  "listen = z\n[]\n[pop3d]\nlisten = w\n"),
		"5: a section header is [name], nothing else: [pop3\n"
		"7: unknown section (its keys are not looked at; see office.ini(5)): [nowhere]\n"
		"9: a section header is [name], nothing else: [pop3d] words\n"
		"11: unknown section (its keys are not looked at; see office.ini(5)): []\n"
		"13: [pop3d] listen: \"w\" is not a listener: host:port, [v6]:port or port (1 to "
		"65535)\n");
}

static void a_key_that_is_nearly_one_is_named(void **state)
{
	(void)state;
	assert_faults(SLICE(LEAST "[smtpd]\nlisen = 25\nper_hour = 3\nmax_mesages = 3\n"
				  "pop3 = 110\n[pop3d]\nlisten_tsl = 995\n"),
		"6: [smtpd] has no key \"lisen\": [smtpd] listen may be meant; see office.ini(5)\n"
		"7: [smtpd] has no key \"per_hour\": [submission] per_hour may be meant; see "
		"office.ini(5)\n"
		"8: [smtpd] has no key \"max_mesages\": [smtpd] max_message may be meant; see "
		"office.ini(5)\n"
		"9: [smtpd] has no key \"pop3\"; see office.ini(5)\n"
		"11: [pop3d] has no key \"listen_tsl\": [pop3d] listen_tls may be meant; see "
		"office.ini(5)\n");
}

static void the_line_of_a_key_is_known_afterwards(void **state)
{
	(void)state;
	struct config config;
	assert_good(LEAST "\n[smtpd]\n; here\nlisten = 26\n", &config);
	assert_int_equal(config_line("office", "hostname"), 2);
	assert_int_equal(config_line("smtpd", "listen"), 8);
	assert_int_equal(config_line("pop3d", "listen"), 0);
	assert_int_equal(config_line("pop3d", "nothing"), 0);
	assert_good(LEAST, &config);
	assert_int_equal(config_line("smtpd", "listen"), 0);
}

static void a_line_too_long_is_a_fault_and_the_next_one_is_read(void **state)
{
	(void)state;
	struct buf text = {0};
	buf_add_text(&text, LEAST "[smtpd]\ntrusted =");
	while (text.len < 5000)
		buf_add_text(&text, " 10.0.0.1");
	buf_add_text(&text, "\nlisten = x\n");
	assert_faults(buf_slice(&text),
		"6: longer than 2048 octets: make it shorter\n"
		"7: [smtpd] listen: \"x\" is not a listener: host:port, [v6]:port or port (1 to "
		"65535)\n");
	buf_free(&text);
}

static void control_characters_and_nuls_are_faults(void **state)
{
	(void)state;
	assert_faults(SLICE(LEAST "user = a\0b\n[pop3d]\nlisten = 1\x1b[2J\n"),
		"5: a control character in the line, to be taken out: user = a\\x00b\n"
		"7: a control character in the line, to be taken out: listen = 1\\x1b[2J\n");
}

static void a_missing_file_says_what_writes_one(void **state)
{
	(void)state;
	struct config config;
	struct buf faults = {0};
	assert_int_equal(config_read(&config, "/nonexistent/office.ini", &faults), -1);
	assert_string_equal(buf_text(&faults),
		"/nonexistent/office.ini: No such file or directory; "
		"`officemail init` writes one\n");
	buf_clear(&faults);
	assert_int_equal(config_read(&config, "/tmp", &faults), -1);
	assert_string_equal(buf_text(&faults), "/tmp: Is a directory; name the office.ini in it\n");
	buf_clear(&faults);
	assert_int_equal(config_read(&config, "/dev/null/office.ini", &faults), -1);
	assert_string_equal(buf_text(&faults),
		"/dev/null/office.ini: Not a directory; a part of the path is a file: mend it\n");
	buf_free(&faults);
}

static void the_postmaster_is_one_of_us(void **state)
{
	(void)state;
	assert_faults(SLICE("[office]\nhostname = h.example\npostmaster = ani@elsewhere.example\n"
			    "domains = kantor.example\n"),
		"3: [office] postmaster: ani@elsewhere.example is in none of the domains "
		"(kantor.example): name an address in one\n");
}

static void certificate_and_key_go_together(void **state)
{
	(void)state;
	assert_faults(SLICE(LEAST "[tls]\ncertificate = /dev/null\n"),
		"6: [tls] certificate without its key: give both or neither\n");
	assert_faults(SLICE(LEAST "[tls]\nkey = /dev/null\n"),
		"6: [tls] key without its certificate: give both or neither\n");
}

static void a_file_that_is_named_is_there(void **state)
{
	(void)state;
	assert_faults(SLICE(LEAST "[tls]\ncertificate = /dev/null/x\nkey = /nowhere/key.pem\n"
				  "[relay]\npassword_file = /nowhere/password\n"),
		"6: /dev/null/x is not there: put the file there, or mend the path\n"
		"7: /nowhere/key.pem is not there: put the file there, or mend the path\n"
		"9: /nowhere/password is not there: put the file there, or mend the path\n");
}

static void values_that_are_none_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *section, *key, *value;
	} bad[] = {
		{"office", "hostname", ""},
		{"office", "hostname", "mail_1.example"},
		{"office", "hostname", "-mail.example"},
		{"office", "hostname", "mail..example"},
		{"office", "hostname", "mail.example."},
		{"office", "hostname", "192.0.2.1"},
		{"office", "domains", ""},
		{"office", "domains", "kantor.example ,other.example"},
		{"office", "domains", "kantor.example @x"},
		{"office", "data", ""},
		{"office", "data", "data"},
		{"office", "user", ""},
		{"office", "user", "-x"},
		{"office", "user", "a b"},
		{"office", "postmaster", "ani"},
		{"office", "postmaster", "a@b@kantor.example"},
		{"office", "postmaster", ".a@kantor.example"},
		{"office", "language", "EN"},
		{"office", "language", "de"},
		{"tls", "certificate", "cert.pem"},
		{"smtpd", "listen", "0"},
		{"smtpd", "listen", "25,26"},
		{"smtpd", "listen", ":25"},
		{"smtpd", "listen", "::1:25"},
		{"smtpd", "listen", "[::1]"},
		{"smtpd", "listen", "[127.0.0.1]:25"},
		{"smtpd", "listen", "300.1.1.1:25"},
		{"smtpd", "listen", "localhost:"},
		{"smtpd", "listen", "25 65536"},
		{"smtpd", "lmtp", "run/lmtp"},
		{"smtpd", "lmtp", "2400"},
		{"smtpd", "max_message", ""},
		{"smtpd", "max_message", "100MB"},
		{"smtpd", "max_message", "-1"},
		{"smtpd", "max_recipients", "0"},
		{"smtpd", "max_recipients", "1K"},
		{"smtpd", "trusted", "printer"},
		{"smtpd", "trusted", "10.0.0.1/33"},
		{"smtpd", "trusted", "10.0.0.1/"},
		{"smtpd", "trusted", "0.0.0.0/0"},
		{"smtpd", "trusted", "192.168.1.20 ::/7"},
		{"pop3d", "require_tls", ""},
		{"pop3d", "require_tls", "true"},
		{"pop3d", "idle_timeout", "9m"},
		{"pop3d", "idle_timeout", "600"},
		{"store", "sync", "off"},
		{"store", "keep_deleted", "two weeks"},
		{"store", "keep_deleted", "36501d"},
		{"relay", "max_age", "999999999999d"},
		{"relay", "smarthost", "smtp.provider.example"},
		{"relay", "tls", "yes"},
		{"dkim", "selector", ""},
		{"dkim", "selector", "../tls/key"},
		{"dkim", "selector", "a.b"},
		{"dkim", "selector", "-a"},
		{"dkim", "selector", "a_b"},
		{"dkim", "selector",
			"a123456789012345678901234567890123456789012345678901234567890123"},
		{"filter", "milter", "127.0.0.1:11332"},
		{"filter", "milter", "unix:run/x"},
		{"filter", "milter", "inet:11332"},
		{"filter", "milter", "inet:filter.kantor.example:11332"},
		{"filter", "milter", "inet:127.0.0.0/8:11332"},
		{"filter", "milter", "inet:127.0.0.1:0"},
		{"filter", "milter", "unix:/a unix:/b unix:/c unix:/d unix:/e"},
		{"filter", "junk_header", "X Spam: Yes"},
		{"limits", "connections", "many"},
		{"limits", "auth_failures", "1000000000"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config config;
		struct buf text = {0}, faults = {0}, wanted = {0};
		buf_printf(&text, "[%s]\n%s = %s\n", bad[i].section, bad[i].key, bad[i].value);
		assert_int_equal(read_text(buf_slice(&text), &config, &faults), -1);
		buf_printf(&wanted, "%s:2: [%s] %s: ", path, bad[i].section, bad[i].key);
		if (!slice_has_prefix(buf_slice(&faults), buf_slice(&wanted)))
			fail_msg("[%s] %s = %s: %s", bad[i].section, bad[i].key, bad[i].value,
				buf_text(&faults));
		buf_free(&text);
		buf_free(&faults);
		buf_free(&wanted);
	}
}

/* ---- the rest ---- */

static void words_are_separated_by_blanks_and_tabs(void **state)
{
	(void)state;
	struct slice word;
	assert_true(config_word("  a \t bc", 0, &word));
	assert_true(slice_equal(word, SLICE("a")));
	assert_true(config_word("  a \t bc", 1, &word));
	assert_true(slice_equal(word, SLICE("bc")));
	assert_false(config_word("  a \t bc ", 2, &word));
	assert_false(config_word("", 0, &word));
}

static void a_domain_is_compared_as_a_whole(void **state)
{
	(void)state;
	struct config config;
	assert_good("[office]\nhostname = h.example\ndomains = kantor.example cabang.example\n"
		    "postmaster = ani@cabang.example\n",
		&config);
	assert_true(config_has_domain(&config, SLICE("kantor.example")));
	assert_true(config_has_domain(&config, SLICE("CABANG.example")));
	assert_false(config_has_domain(&config, SLICE("xkantor.example")));
	assert_false(config_has_domain(&config, SLICE("kantor.example.evil")));
	assert_false(config_has_domain(&config, SLICE("example")));
	assert_false(config_has_domain(&config, SLICE("")));
}

static void the_file_given_is_read_then_the_one_of_the_environment(void **state)
{
	(void)state;
	setenv("OFFICEMAIL_CONFIG", path, 1);
	assert_string_equal(config_find("/given"), "/given");
	assert_string_equal(config_find(NULL), path);
	setenv("OFFICEMAIL_CONFIG", "/nonexistent", 1);
	assert_string_not_equal(config_find(NULL) ? config_find(NULL) : "", "/nonexistent");
	unsetenv("OFFICEMAIL_CONFIG");
}

static const char *example(const char *section, const char *key, void *arg)
{
	(void)arg;
	if (strcmp(section, "office") != 0)
		return NULL;
	return strcmp(key, "hostname") == 0     ? "mail.kantor.example"
	       : strcmp(key, "domains") == 0    ? "kantor.example"
	       : strcmp(key, "postmaster") == 0 ? "ani@kantor.example"
						: NULL;
}

static char *write_example(size_t *len)
{
	char *text;
	FILE *out = open_memstream(&text, len);
	assert_non_null(out);
	config_write(out, example, NULL);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void what_is_written_reads_as_the_defaults(void **state)
{
	(void)state;
	struct config written, defaults;
	size_t len;
	char *text = write_example(&len);
	assert_good(text, &written);
	assert_good(LEAST, &defaults);
	assert_memory_equal(&written, &defaults, sizeof(written));
	free(text);
}

static void the_office_ini_beside_the_readme_is_what_is_written(void **state)
{
	(void)state;
	size_t len;
	char *text = write_example(&len);
	char *there = calloc(1, len + 2);
	FILE *in = fopen("office.ini", "r");
	assert_non_null(in);
	assert_int_equal(fread(there, 1, len + 1, in), len);
	fclose(in);
	assert_string_equal(there, text);
	free(there);
	free(text);
}

static void every_key_is_written_with_its_help(void **state)
{
	(void)state;
	size_t len, n = 0;
	char *text = write_example(&len);
	for (const struct config_key *key; (key = config_key_at(n)); n++) {
		struct buf header = {0};
		buf_printf(&header, "\n[%s]", key->section);
		const char *section = strstr(text, buf_text(&header));
		assert_non_null(section);
		buf_clear(&header);
		buf_printf(&header, "\n%s ", key->name);
		assert_non_null(strstr(section, buf_text(&header)));
		assert_non_null(strstr(section, key->help));
		buf_free(&header);
	}
	assert_true(n > 30);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_has_its_default),
		cmocka_unit_test(what_is_said_is_kept),
		cmocka_unit_test(comments_blank_lines_crlf_and_a_bom_do_no_harm),
		cmocka_unit_test(an_indented_line_is_a_line_of_its_own),
		cmocka_unit_test(a_list_of_a_thousand_octets_is_read_whole),
		cmocka_unit_test(every_fault_is_told_with_its_line),
		cmocka_unit_test(behind_a_bad_header_keys_are_not_looked_at),
		cmocka_unit_test(a_key_that_is_nearly_one_is_named),
		cmocka_unit_test(the_line_of_a_key_is_known_afterwards),
		cmocka_unit_test(a_line_too_long_is_a_fault_and_the_next_one_is_read),
		cmocka_unit_test(control_characters_and_nuls_are_faults),
		cmocka_unit_test(a_missing_file_says_what_writes_one),
		cmocka_unit_test(the_postmaster_is_one_of_us),
		cmocka_unit_test(certificate_and_key_go_together),
		cmocka_unit_test(a_file_that_is_named_is_there),
		cmocka_unit_test(values_that_are_none_are_refused),
		cmocka_unit_test(words_are_separated_by_blanks_and_tabs),
		cmocka_unit_test(a_domain_is_compared_as_a_whole),
		cmocka_unit_test(the_file_given_is_read_then_the_one_of_the_environment),
		cmocka_unit_test(what_is_written_reads_as_the_defaults),
		cmocka_unit_test(the_office_ini_beside_the_readme_is_what_is_written),
		cmocka_unit_test(every_key_is_written_with_its_help),
	};
	return cmocka_run_group_tests(tests, make_file, remove_file);
}
