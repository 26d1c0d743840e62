/* base/trust, base/verify: which servers a client believes, and what a bundle is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "tests/unit/tls_server.h"

/* ---- whom it believes ---- */

static void a_server_is_known_by_its_chain_and_its_name(void **state)
{
	static const char *const names[] = {"mail.kantor.example", "MAIL.Kantor.Example",
		"kantor.example", "jakarta.branch.example", "192.0.2.1", "2001:DB8::1"};
	believe(*state, "root.pem");
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_met(*state, meet(*state, "ec256_signed", "ec256", names[i]));
		assert_met(*state, meet(*state, "rsa_signed", "rsa", names[i]));
	}
}

static void a_certificate_for_another_name_is_refused_and_its_names_are_told(void **state)
{
	static const char *const names[] = {"", "mail.example", "mail.kantor.example.net",
		"branch.example", "a.b.branch.example", "other.example", "192.0.2.2", "2001:db8::2",
		"[192.0.2.1]"};
	believe(*state, "root.pem");
	for (size_t i = 0; i < COUNT(names); i++)
		assert_refused(*state, meet(*state, "ec256_signed", "ec256", names[i]), ERR_DENIED,
			"the certificate is for another name: mail.kantor.example, "
			"*.branch.example, 192.0.2.1 and 2 more");
}

static void a_chain_with_a_fault_is_refused_and_the_fault_is_told(void **state)
{
	static const struct {
		const char *chain, *key, *words;
	} faults[] = {
		{"expired", "ec256", "has expired: it was valid until 2021-01-01T00:00:00Z"},
		{"early", "ec256", "is not valid before 2110-01-01T00:00:00Z (is the clock"},
		{"late", "ec256", "a certificate of its chain has expired"},
		{"sha1", "ec256", "made in a way that is unknown here"},
		{"weak", "weak", "a weak key (RSA below 2048 bits)"},
		{"disorder", "ec256", "its chain is in disorder"},
		{"chain", "ec256",
			"nobody known has signed the certificate (its signer is "
			"\"Issuer\"; those in bundle.pem are known)"},
		{"rsa", "rsa", "is self-signed, and not among those in bundle.pem"},
	};
	believe(*state, "root.pem");
	for (size_t i = 0; i < COUNT(faults); i++) {
		const char *name =
			strcmp(faults[i].chain, "chain") == 0 ? "a.kantor.example" : NAME;
		assert_refused(*state, meet(*state, faults[i].chain, faults[i].key, name),
			ERR_DENIED, faults[i].words);
	}
}

static void a_self_signed_certificate_is_believed_where_the_bundle_has_it(void **state)
{
	believe(*state, "rsa.pem");
	assert_met(*state, meet(*state, "rsa", "rsa", NAME));
	assert_refused(*state, meet(*state, "ec256", "ec256", NAME), ERR_DENIED, "self-signed");
	assert_refused(
		*state, meet(*state, "rsa", "rsa", "mail.example"), ERR_DENIED, "another name");
}

static void without_trust_it_takes_whoever_it_is(void **state)
{
	static const struct {
		const char *chain, *key;
	} servers[] = {
		{"ec256_signed", "ec256"},
		{"rsa_signed", "rsa"},
		{"rsa", "rsa"},
		{"rsa4096", "rsa4096"},
		{"ec256", "ec256"},
		{"ec384", "ec384"},
		{"ec521", "ec521"},
		{"expired", "ec256"},
		{"early", "ec256"},
		{"late", "ec256"},
		{"sha1", "ec256"},
		{"weak", "weak"},
		{"disorder", "ec256"},
		{"cn", "ec256"},
	};
	for (size_t i = 0; i < COUNT(servers); i++)
		assert_met(*state, meet(*state, servers[i].chain, servers[i].key, "mx.example"));
	assert_met(*state, meet(*state, "rsa", "rsa", "192.0.2.1"));
}

/* ---- the bundle ---- */

static void assert_bundle_believes(struct line *line, struct slice bundle)
{
	if (read_trust(line, bundle) != 0)
		fail_msg("%s", line->e.text);
	assert_met(line, meet(line, "ec256_signed", "ec256", NAME));
}

static void faulty_certificates_leave_the_others_of_a_bundle_alone(void **state)
{
	static const char *const faults[] = {
		"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nMIIB\n",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
		"-----BEGIN CERTIFICATE\n",
		"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
		"# a word\n",
	};
	struct buf bundle = {0};
	for (size_t i = 0; i < COUNT(faults); i++) {
		buf_clear(&bundle);
		add_data(&bundle, "ec384.pem");
		buf_add_text(&bundle, faults[i]);
		add_data(&bundle, "root.pem");
		assert_bundle_believes(*state, buf_slice(&bundle));

		buf_clear(&bundle);
		add_data(&bundle, "root.pem");
		buf_add_text(&bundle, faults[i]);
		assert_bundle_believes(*state, buf_slice(&bundle));
	}
	buf_free(&bundle);
}

static void a_bundle_may_be_long_come_from_windows_and_lack_its_last_line_end(void **state)
{
	struct buf one = {0}, bundle = {0};
	add_data(&one, "rsa.pem");
	for (int i = 0; i < 300; i++)
		buf_add_slice(&bundle, buf_slice(&one));
	buf_clear(&one);
	add_data(&one, "root.pem");
	for (size_t i = 0; i + 1 < one.len; i++) {
		if (one.at[i] == '\n')
			buf_add_char(&bundle, '\r');
		buf_add_char(&bundle, one.at[i]);
	}
	assert_bundle_believes(*state, buf_slice(&bundle));
	buf_free(&one);
	buf_free(&bundle);
}

static void a_bundle_of_which_nothing_can_be_used_is_refused(void **state)
{
	static const struct slice texts[] = {
		{"", 0},
		{"\0\0\0\0", 4},
		{"-----BEGIN ", 11},
		{"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", 59},
	};
	static const char *const files[] = {"rsa.key", "expired.pem", "ed25519.pem"};
	struct line *line = *state;
	struct buf bundle = {0};
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(read_trust(line, texts[i]), -1);
		assert_int_equal(line->e.kind, ERR_INPUT);
		assert_non_null(strstr(line->e.text, "bundle.pem: no certificate in it"));
	}
	for (size_t i = 0; i < COUNT(files); i++) {
		buf_clear(&bundle);
		add_data(&bundle, files[i]);
		/* The leaf alone: the authority behind it has not expired. */
		char *end = memmem(bundle.at, bundle.len, "-----END CERTIFICATE-----\n", 26);
		bundle.len = end ? (size_t)(end + 26 - bundle.at) : bundle.len;
		assert_int_equal(read_trust(line, buf_slice(&bundle)), -1);
	}
	buf_free(&bundle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINE_TEST(a_server_is_known_by_its_chain_and_its_name),
		LINE_TEST(a_certificate_for_another_name_is_refused_and_its_names_are_told),
		LINE_TEST(a_chain_with_a_fault_is_refused_and_the_fault_is_told),
		LINE_TEST(a_self_signed_certificate_is_believed_where_the_bundle_has_it),
		LINE_TEST(without_trust_it_takes_whoever_it_is),
		LINE_TEST(faulty_certificates_leave_the_others_of_a_bundle_alone),
		LINE_TEST(a_bundle_may_be_long_come_from_windows_and_lack_its_last_line_end),
		LINE_TEST(a_bundle_of_which_nothing_can_be_used_is_refused),
	};
	return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
