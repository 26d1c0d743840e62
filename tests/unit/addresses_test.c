/* store/address.h, store/addresses.h and store/aliases.h, promise by promise. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h needs the three above. */
#include <cmocka.h>

#include "store/forwards.h"
#include "tests/unit/office.h"

/* ---- syntax ---- */

static void an_address_is_compared_in_one_form(void **state)
{
	static const char *const same[][2] = {
		{"ani@kantor.example", "ani@kantor.example"},
		{"ANI@Kantor.EXAMPLE", "ani@kantor.example"},
		{"\"ani\"@kantor.example", "ani@kantor.example"},
		{"\"a\\n\\i\"@kantor.example", "ani@kantor.example"},
		{"\"Ani.B\"@kantor.example", "ani.b@kantor.example"},
		{"\"ani b\"@kantor.example", "\"ani b\"@kantor.example"},
		{"\"v@out\"@kantor.example", "\"v@out\"@kantor.example"},
		{"\"a\\\"@x\"@kantor.example", "\"a\\\"@x\"@kantor.example"},
		{"\"\"@kantor.example", "\"\"@kantor.example"},
		{"v%out@kantor.example", "v%out@kantor.example"},
		{"out!v@kantor.example", "out!v@kantor.example"},
		{"|cmd@kantor.example", "|cmd@kantor.example"},
		{"/etc/passwd@kantor.example", "/etc/passwd@kantor.example"},
		{"a@a_b.x-1.example", "a@a_b.x-1.example"},
		{"a@localhost", "a@localhost"},
		{"a+../b..c.@kantor.example", "a+../b..c.@kantor.example"},
	};
	struct address address;
	struct err e;
	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_int_equal(address_read(&address, slice_of(same[i][0]), &e), 0);
		assert_string_equal(address.text, same[i][1]);
		assert_int_equal(address.quoted, same[i][1][0] == '"');
	}
}

static int check(struct slice text, struct err *e)
{
	struct address address;
	return address_read(&address, text, e);
}

static void what_is_no_address_is_refused_with_words(void **state)
{
	static const char *const refused[] = {"", "@", "ani", "ani@", "@kantor.example",
		"a@b@kantor.example", "@us:v@out", "@us,@b:v@out", "a b@kantor.example",
		"a@kantor..example", "a@.example", "a@example.", "a@[127.0.0.1]", "a@[IPv6:::1]",
		"\"a\"", "\"a@kantor.example", "\"a\"b@kantor.example", "\"a\"@b@kantor.example",
		"\"a\\\"@kantor.example", "\"a\\", "\"", "a\"b@kantor.example",
		"a,b@kantor.example", "a@kantor.example,b@kantor.example", "<a@kantor.example>",
		"a@kantor.example\r\nX: y", "a\x01@kantor.example", "a\x7F@kantor.example",
		"an\xC3\xAD@kantor.example", "a@k\xC3\xA1ntor.example",
		"a@kantor\xE3\x80\x82"
		"example",
		"a\xEF\xBC\xA0kantor.example",
		"a@\xE2\x84\xAA"
		"antor.example",
		"a@\xC0\xAEx", "a@kantor.example ", " a@kantor.example", "a@kan tor.example",
		"a@x:25", "a@x/y"};
	struct err e;
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		e = (struct err){0};
		if (check(slice_of(refused[i]), &e) != -1)
			fail_msg("taken: %s", refused[i]);
		assert_int_equal(e.kind, ERR_INPUT);
		assert_true(*e.text);
	}
	assert_int_equal(check(SLICE("a\0@kantor.example"), &e), -1);
	assert_int_equal(check((struct slice){NULL, 0}, &e), -1);
}

static void parts_have_their_lengths(void **state)
{
	char text[400];
	struct err e;
	(void)state;
	memset(text, 'x', sizeof(text));
	strcpy(text + 64, "@a");
	assert_int_equal(check(slice_of(text), &e), 0);
	text[64] = 'x';
	strcpy(text + 65, "@a");
	assert_int_equal(check(slice_of(text), &e), -1);
	memset(text, 'x', sizeof(text));
	text[64] = '@';
	for (size_t i = 65 + 63; i < 65 + 255; i += 64)
		text[i] = '.';
	text[65 + 255] = '\0';
	assert_int_equal(check(slice_of(text), &e), 0);
	text[65 + 255] = 'x';
	text[65 + 256] = '\0';
	assert_int_equal(check(slice_of(text), &e), -1);
	memset(text, 'x', sizeof(text));
	text[1] = '@';
	text[2 + 64] = '\0';
	assert_int_equal(check(slice_of(text), &e), -1);
	memset(text, '\\', sizeof(text));
	text[0] = '"';
	assert_int_equal(check((struct slice){text, sizeof(text)}, &e), -1);
}

/* ---- where an address leads ---- */

static int add_alias(struct test_office *office, const char *alias, const char *targets)
{
	struct slice list[8], word;
	size_t count = 0;
	while (config_word(targets, count, &word))
		list[count++] = word;
	return aliases_add(
		office->store, &office->config, slice_of(alias), list, count, &office->e);
}

static void alias(struct test_office *office, const char *name, const char *targets)
{
	if (WRITE(office, add_alias(office, name, targets)) < 0)
		fail_msg("%s: %s", name, office->e.text);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct destination *)a)->user.address,
		((const struct destination *)b)->user.address);
}

/* Who gets mail for `address`: addresses in order, "*" behind one whose folder
 * was named; ">" before one outside; "<" before whom it has come back from. */
static void expect(struct test_office *office, const char *address, const char *expected)
{
	struct destinations found = {0};
	struct buf text = {0};
	if (addresses_resolve(
		    office->store, &office->config, slice_of(address), &found, &office->e) < 0)
		fail_msg("%s: %s", address, office->e.text);
	if (found.count > 0)
		qsort(found.at, found.count, sizeof(*found.at), by_name);
	for (size_t i = 0; i < found.count; i++)
		buf_printf(&text, "%s%s%s", i ? " " : "", found.at[i].user.address,
			found.at[i].folder_id ? "*" : "");
	for (size_t i = 0; i < found.forward_count; i++)
		buf_printf(&text, "%s>%s", text.len ? " " : "", found.forwards[i].target);
	if (found.returned[0])
		buf_printf(&text, "%s<%s", text.len ? " " : "", found.returned);
	assert_string_equal(buf_text(&text), expected);
	buf_free(&text);
	destinations_free(&found);
}

static void expect_error(struct test_office *office, const char *address, enum err_kind kind)
{
	struct destinations found = {0};
	assert_int_equal(addresses_resolve(office->store, &office->config, slice_of(address),
				 &found, &office->e),
		-1);
	assert_int_equal(office->e.kind, kind);
	assert_null(found.at);
}

static int accept_size(struct test_office *office, const char *address, uint64_t size)
{
	return addresses_accept(
		office->store, &office->config, slice_of(address), size, &office->e);
}

/* ani, budi and siti at kantor.example; ani has a public folder Toko and one of
 * her own, Arsip. */
static int setup(void **state)
{
	struct test_office *office;
	office_setup(state);
	office = *state;
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	add_user(office, "siti@kantor.example");
	int64_t id = get_user(office, "ani@kantor.example").id;
	WRITE(office, folders_add(office->store, id, SLICE("Toko"), true, &office->e));
	WRITE(office, folders_add(office->store, id, SLICE("Arsip"), false, &office->e));
	return 0;
}

#define PEOPLE_TEST(promise) cmocka_unit_test_setup_teardown(promise, setup, office_teardown)

static void a_user_gets_mail_in_any_spelling_and_when_disabled(void **state)
{
	struct test_office *office = *state;
	int64_t id = get_user(office, "ani@kantor.example").id;
	expect(office, "ANI@Kantor.Example", "ani@kantor.example");
	expect(office, "\"ani\"@kantor.example", "ani@kantor.example");
	WRITE(office, users_set_enabled(office->store, id, false, &office->e));
	expect(office, "ani@kantor.example", "ani@kantor.example");
}

static void nobody_and_other_domains_are_told_apart(void **state)
{
	struct test_office *office = *state;
	expect_error(office, "nobody@kantor.example", ERR_MISSING);
	expect_error(office, "ani@toko.example", ERR_MISSING);
	expect_error(office, "ani@luar.example", ERR_DENIED);
	expect_error(office, "ani@xkantor.example", ERR_DENIED);
	expect_error(office, "ani@kantor.example.luar", ERR_DENIED);
	expect_error(office, "\"v@luar.example\"@kantor.example", ERR_MISSING);
	expect_error(office, "v%luar.example@kantor.example", ERR_MISSING);
	expect_error(office, "luar.example!v@kantor.example", ERR_MISSING);
	expect_error(office, "\"ani \"@kantor.example", ERR_MISSING);
	expect_error(office, "ani", ERR_INPUT);
	expect_error(office, "ani@[127.0.0.1]", ERR_INPUT);
	expect_error(office, "ani@kantor.example@luar.example", ERR_INPUT);
}

static void a_tag_names_a_public_folder_else_the_rules_decide(void **state)
{
	struct test_office *office = *state;
	expect(office, "ani+toko@kantor.example", "ani@kantor.example*");
	expect(office, "ani+arsip@kantor.example", "ani@kantor.example");
	expect(office, "ani+inbox@kantor.example", "ani@kantor.example");
	expect(office, "ani+nosuch@kantor.example", "ani@kantor.example");
	expect(office, "ani+@kantor.example", "ani@kantor.example");
	expect(office, "ani+../budi@kantor.example", "ani@kantor.example");
	expect(office, "ani+budi+x@kantor.example", "ani@kantor.example");
	expect_error(office, "+toko@kantor.example", ERR_MISSING);
	expect_error(office, "nobody+toko@kantor.example", ERR_MISSING);
}

static void a_user_comes_before_an_alias_before_a_tag_before_the_catch_all(void **state)
{
	struct test_office *office = *state;
	alias(office, "@kantor.example", "siti@kantor.example");
	expect(office, "x@kantor.example", "siti@kantor.example");
	expect(office, "ani+x@kantor.example", "ani@kantor.example");
	expect(office, "\"odd one\"@kantor.example", "siti@kantor.example");
	alias(office, "ani+x@kantor.example", "budi@kantor.example");
	expect(office, "ani+x@kantor.example", "budi@kantor.example");
	expect(office, "ani@kantor.example", "ani@kantor.example");
	expect_error(office, "x@toko.example", ERR_MISSING);
}

static void a_list_reaches_each_member_once(void **state)
{
	struct test_office *office = *state;
	alias(office, "penjualan@kantor.example", "ani@kantor.example budi@kantor.example");
	alias(office, "semua@toko.example",
		"penjualan@kantor.example budi@kantor.example siti@kantor.example");
	expect(office, "semua@toko.example",
		"ani@kantor.example budi@kantor.example siti@kantor.example");
}

static void a_tag_goes_along_through_an_alias(void **state)
{
	struct test_office *office = *state;
	alias(office, "info@kantor.example", "ani@kantor.example budi@kantor.example");
	expect(office, "info+toko@kantor.example", "ani@kantor.example* budi@kantor.example");
	alias(office, "toko@kantor.example", "ani+toko@kantor.example");
	expect(office, "toko+arsip@kantor.example", "ani@kantor.example*");
}

static void a_named_folder_beats_none_whichever_comes_first(void **state)
{
	struct test_office *office = *state;
	alias(office, "a@kantor.example", "ani+toko@kantor.example ani@kantor.example");
	expect(office, "a@kantor.example", "ani@kantor.example*");
}

static void an_alias_at_a_users_address_gives_others_a_copy(void **state)
{
	struct test_office *office = *state;
	REFUSED(office, ERR_EXISTS, add_alias(office, "ani@kantor.example", "budi@kantor.example"));
	alias(office, "ani@kantor.example", "ani@kantor.example budi@kantor.example");
	expect(office, "ani@kantor.example", "ani@kantor.example budi@kantor.example");
	expect(office, "ani+toko@kantor.example", "ani@kantor.example* budi@kantor.example");
	alias(office, "ani@kantor.example", "siti@kantor.example");
	expect(office, "ani@kantor.example",
		"ani@kantor.example budi@kantor.example siti@kantor.example");
}

static void a_domain_alias_keeps_local_part_and_tag(void **state)
{
	struct test_office *office = *state;
	alias(office, "@toko.example", "@kantor.example");
	alias(office, "@gudang.example", "@toko.example");
	expect(office, "ani@toko.example", "ani@kantor.example");
	expect(office, "ani+toko@gudang.example", "ani@kantor.example*");
	expect_error(office, "nobody@gudang.example", ERR_MISSING);
	add_user(office, "ani@toko.example");
	expect(office, "ani@gudang.example", "ani@toko.example");
	alias(office, "postmaster@kantor.example", "budi@kantor.example");
	expect(office, "postmaster@gudang.example", "budi@kantor.example");
}

static void postmaster_and_abuse_of_every_domain_lead_to_the_postmaster(void **state)
{
	struct test_office *office = *state;
	strcpy(office->config.postmaster, "budi@kantor.example");
	alias(office, "@kantor.example", "siti@kantor.example");
	expect(office, "Postmaster@kantor.example", "budi@kantor.example");
	expect(office, "abuse@toko.example", "budi@kantor.example");
	expect(office, "PostMaster", "budi@kantor.example");
	expect_error(office, "abuse", ERR_INPUT);
	expect_error(office, "postmaster@luar.example", ERR_DENIED);
	alias(office, "postmaster@kantor.example", "ani@kantor.example");
	expect(office, "postmaster", "ani@kantor.example");
	add_user(office, "abuse@toko.example");
	expect(office, "abuse@toko.example", "abuse@toko.example");
}

static void without_a_postmaster_the_first_user_is(void **state)
{
	static const char *const none[] = {"", "nobody@kantor.example", "x@luar.example",
		"postmaster@kantor.example", "not an address"};
	struct test_office *office = *state;
	add_user(office, "aa@kantor.example"); /* first by name, not by age */
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		strcpy(office->config.postmaster, none[i]);
		expect(office, "postmaster@toko.example", "ani@kantor.example");
	}
}

static void several_recipients_add_up_to_each_mailbox_once(void **state)
{
	struct test_office *office = *state;
	struct destinations all = {0};
	alias(office, "semua@kantor.example", "ani@kantor.example budi@kantor.example");
	assert_int_equal(addresses_resolve(office->store, &office->config,
				 SLICE("budi@kantor.example"), &all, &office->e),
		0);
	assert_int_equal(addresses_resolve(office->store, &office->config,
				 SLICE("semua@kantor.example"), &all, &office->e),
		0);
	assert_int_equal(addresses_resolve(office->store, &office->config,
				 SLICE("nobody@kantor.example"), &all, &office->e),
		-1);
	assert_int_equal(all.count, 2);
	destinations_free(&all);
}

/* ---- what an alias may be ---- */

static void circles_are_refused_when_they_are_made(void **state)
{
	struct test_office *office = *state;
	alias(office, "a@kantor.example", "ani@kantor.example");
	alias(office, "b@kantor.example", "a@kantor.example");
	alias(office, "c@toko.example", "b@kantor.example budi@kantor.example");
	REFUSED(office, ERR_LOOP, add_alias(office, "a@kantor.example", "c@toko.example"));
	REFUSED(office, ERR_LOOP, add_alias(office, "a@kantor.example", "b+x@kantor.example"));
	REFUSED(office, ERR_LOOP, add_alias(office, "x@kantor.example", "x@kantor.example"));
	REFUSED(office, ERR_LOOP, add_alias(office, "@toko.example", "@toko.example"));
	alias(office, "@toko.example", "@kantor.example");
	alias(office, "@gudang.example", "@toko.example");
	REFUSED(office, ERR_LOOP, add_alias(office, "@kantor.example", "@gudang.example"));
	expect(office, "a@kantor.example", "ani@kantor.example");
}

static void force_alias(struct test_office *office, const char *name, const char *target)
{
	struct query q =
		db_query(office->store, SQL("INSERT INTO aliases (alias, target) VALUES (?, ?)"));
	assert_int_equal(store_begin(office->store, &office->e), 0);
	db_bind_text(&q, slice_of(name));
	db_bind_text(&q, slice_of(target));
	assert_int_equal(db_run(&q, &office->e), 0);
	assert_int_equal(store_commit(office->store, &office->e), 0);
}

static void a_circle_that_is_there_all_the_same_ends(void **state)
{
	struct test_office *office = *state;
	force_alias(office, "loop1@kantor.example", "loop2@kantor.example");
	force_alias(office, "loop2@kantor.example", "loop1@kantor.example");
	expect_error(office, "loop1@kantor.example", ERR_LOOP);
	expect_error(office, "loop1+tag@kantor.example", ERR_LOOP);
	force_alias(office, "loop2@kantor.example", "ani@kantor.example");
	expect(office, "loop1@kantor.example", "ani@kantor.example");
	force_alias(office, "@toko.example", "@gudang.example");
	force_alias(office, "@gudang.example", "@toko.example");
	expect_error(office, "x@toko.example", ERR_LOOP);
	REFUSED(office, ERR_LOOP, add_alias(office, "@toko.example", "@gudang.example"));
}

static void a_target_may_lie_outside(void **state)
{
	struct test_office *office = *state;
	alias(office, "info@kantor.example", "Pak@Luar.Example");
	expect(office, "info@kantor.example", ">pak@luar.example");
	expect(office, "INFO+shop@kantor.example", ">pak@luar.example"); /* no tag of ours */
	alias(office, "budi@kantor.example", "budi@kantor.example budi+kantor@luar.example");
	expect(office, "budi@kantor.example", "budi@kantor.example >budi+kantor@luar.example");
	alias(office, "semua@kantor.example",
		"ani@kantor.example budi@kantor.example "
		"info@kantor.example pak@luar.example");
	expect(office, "semua@kantor.example",
		"ani@kantor.example budi@kantor.example >pak@luar.example "
		">budi+kantor@luar.example");
	alias(office, "@gudang.example", "gudang@luar.example");
	expect(office, "siapa.saja@gudang.example", ">gudang@luar.example");
	struct destinations found = {0};
	assert_int_equal(addresses_resolve(office->store, &office->config,
				 SLICE("siapa.saja@gudang.example"), &found, &office->e),
		0);
	assert_string_equal(found.forwards[0].alias, "siapa.saja@gudang.example");
	destinations_free(&found);
}

static void the_mail_of_a_postmaster_who_sits_outside_is_read_here_too(void **state)
{
	struct test_office *office = *state;
	strcpy(office->config.postmaster, "post@kantor.example");
	alias(office, "post@kantor.example", "post@luar.example");
	expect(office, "postmaster@toko.example", "ani@kantor.example >post@luar.example");
	expect(office, "post@kantor.example", ">post@luar.example");
}

static void a_token_is_known_in_whatever_case_and_before_a_catch_all(void **state)
{
	struct test_office *office = *state;
	char token[FORWARD_TOKEN_MAX], again[FORWARD_TOKEN_MAX], other[FORWARD_TOKEN_MAX];
	char address[64], shout[64];
	WRITE(office, forwards_token(office->store, SLICE("pak@luar.example"), token, &office->e));
	WRITE(office, forwards_token(office->store, SLICE("pak@luar.example"), again, &office->e));
	WRITE(office, forwards_token(office->store, SLICE("bu@luar.example"), other, &office->e));
	assert_string_equal(token, again);
	assert_string_not_equal(token, other);
	snprintf(address, sizeof(address), "%s@toko.example", token);
	expect(office, address, "<pak@luar.example");
	alias(office, "@toko.example", "siti@kantor.example");
	expect(office, address, "<pak@luar.example");
	for (size_t i = 0; i < sizeof(shout); i++)
		shout[i] = (char)toupper((unsigned char)address[i]);
	expect(office, shout, "<pak@luar.example");
	address[4] = address[4] == '0' ? '1' : '0';
	expect(office, address, "siti@kantor.example");
	assert_int_equal(accept_size(office, shout, UINT64_MAX), 0);
}

static void targets_that_lead_nowhere_are_refused(void **state)
{
	struct test_office *office = *state;
	REFUSED(office, ERR_INPUT, add_alias(office, "a@kantor.example", "x@kantor.example"));
	REFUSED(office, ERR_DENIED, add_alias(office, "a@kantor.example", "x@localhost"));
	REFUSED(office, ERR_INPUT,
		add_alias(office, "a@kantor.example", "x@luar.example x@kantor.example"));
	REFUSED(office, ERR_EXISTS, add_alias(office, "ani@kantor.example", "x@luar.example"));
	REFUSED(office, ERR_INPUT, add_alias(office, "a@luar.example", "ani@kantor.example"));
	REFUSED(office, ERR_INPUT, add_alias(office, "@luar.example", "ani@kantor.example"));
	REFUSED(office, ERR_INPUT, add_alias(office, "@toko.example", "@luar.example"));
	REFUSED(office, ERR_INPUT, add_alias(office, "a@kantor.example", "@toko.example"));
	REFUSED(office, ERR_INPUT,
		add_alias(office, "\"a b\"@kantor.example", "ani@kantor.example"));
	REFUSED(office, ERR_INPUT, add_alias(office, "a", "ani@kantor.example"));
	expect_error(office, "a@kantor.example", ERR_MISSING);
	force_alias(office, "@toko.example", "@luar.example");
	expect_error(office, "x@toko.example", ERR_MISSING);
}

static void a_domain_is_an_alias_of_one_domain_or_has_a_catch_all(void **state)
{
	struct test_office *office = *state;
	alias(office, "@toko.example", "@kantor.example");
	REFUSED(office, ERR_EXISTS, add_alias(office, "@toko.example", "@gudang.example"));
	REFUSED(office, ERR_EXISTS, add_alias(office, "@toko.example", "ani@kantor.example"));
	alias(office, "@toko.example", "@kantor.example");
}

static int remove_alias(struct test_office *office, const char *name, const char *target)
{
	struct slice targets[1] = {slice_of(target)};
	return aliases_remove(office->store, slice_of(name), targets, target ? 1 : 0, &office->e);
}

static void an_alias_goes_whole_or_by_target(void **state)
{
	struct test_office *office = *state;
	alias(office, "a@kantor.example", "ani@kantor.example budi@kantor.example");
	assert_int_equal(
		WRITE(office, remove_alias(office, "A@kantor.example", "ani@kantor.example")), 0);
	expect(office, "a@kantor.example", "budi@kantor.example");
	REFUSED(office, ERR_MISSING,
		remove_alias(office, "a@kantor.example", "ani@kantor.example"));
	assert_int_equal(WRITE(office, remove_alias(office, "a@kantor.example", NULL)), 0);
	expect_error(office, "a@kantor.example", ERR_MISSING);
	REFUSED(office, ERR_MISSING, remove_alias(office, "a@kantor.example", NULL));
	REFUSED(office, ERR_INPUT, remove_alias(office, "a", NULL));
}

static void a_user_stays_among_the_targets_of_the_own_alias(void **state)
{
	struct test_office *office = *state;
	alias(office, "ani@kantor.example", "ani@kantor.example budi@kantor.example");
	REFUSED(office, ERR_EXISTS,
		remove_alias(office, "ani@kantor.example", "ani@kantor.example"));
	assert_int_equal(
		WRITE(office, remove_alias(office, "ani@kantor.example", "budi@kantor.example")),
		0);
	REFUSED(office, ERR_MISSING, remove_alias(office, "ani@kantor.example", NULL));
	expect(office, "ani@kantor.example", "ani@kantor.example");
}

/* ---- as a RCPT is judged ---- */

static void set_quota(struct test_office *office, const char *address, int64_t quota)
{
	int64_t id = get_user(office, address).id;
	WRITE(office, users_set_quota(office->store, id, quota, &office->e));
}

static void a_full_mailbox_is_refused_and_one_with_room_is_not(void **state)
{
	struct test_office *office = *state;
	set_quota(office, "ani@kantor.example", 1000);
	file_entry(office, folder_id(office, "ani@kantor.example", "Inbox"), 400);
	assert_int_equal(accept_size(office, "ani@kantor.example", 0), 0);
	assert_int_equal(accept_size(office, "ani@kantor.example", 600), 0);
	assert_int_equal(accept_size(office, "ani@kantor.example", 601), -1);
	assert_int_equal(office->e.kind, ERR_QUOTA);
	file_entry(office, folder_id(office, "ani@kantor.example", "Inbox"), 600);
	assert_int_equal(accept_size(office, "ani@kantor.example", 0), -1);
	assert_int_equal(office->e.kind, ERR_QUOTA);
	assert_int_equal(accept_size(office, "budi@kantor.example", UINT64_MAX), 0);
	assert_int_equal(accept_size(office, "nobody@kantor.example", 0), -1);
	assert_int_equal(office->e.kind, ERR_MISSING);
}

static void a_list_is_refused_only_when_every_member_is_full(void **state)
{
	struct test_office *office = *state;
	alias(office, "semua@kantor.example", "ani@kantor.example budi@kantor.example");
	set_quota(office, "ani@kantor.example", 10);
	set_quota(office, "budi@kantor.example", 100);
	assert_int_equal(accept_size(office, "semua@kantor.example", 50), 0);
	assert_int_equal(accept_size(office, "semua@kantor.example", 101), -1);
	assert_int_equal(office->e.kind, ERR_QUOTA);
	alias(office, "semua@kantor.example", "pak@luar.example");
	assert_int_equal(accept_size(office, "semua@kantor.example", 101), -1);
	alias(office, "luar@kantor.example", "pak@luar.example");
	assert_int_equal(accept_size(office, "luar@kantor.example", UINT64_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_compared_in_one_form),
		cmocka_unit_test(what_is_no_address_is_refused_with_words),
		cmocka_unit_test(parts_have_their_lengths),
		PEOPLE_TEST(a_user_gets_mail_in_any_spelling_and_when_disabled),
		PEOPLE_TEST(nobody_and_other_domains_are_told_apart),
		PEOPLE_TEST(a_tag_names_a_public_folder_else_the_rules_decide),
		PEOPLE_TEST(a_user_comes_before_an_alias_before_a_tag_before_the_catch_all),
		PEOPLE_TEST(a_list_reaches_each_member_once),
		PEOPLE_TEST(a_tag_goes_along_through_an_alias),
		PEOPLE_TEST(a_named_folder_beats_none_whichever_comes_first),
		PEOPLE_TEST(an_alias_at_a_users_address_gives_others_a_copy),
		PEOPLE_TEST(a_domain_alias_keeps_local_part_and_tag),
		PEOPLE_TEST(postmaster_and_abuse_of_every_domain_lead_to_the_postmaster),
		PEOPLE_TEST(without_a_postmaster_the_first_user_is),
		PEOPLE_TEST(several_recipients_add_up_to_each_mailbox_once),
		PEOPLE_TEST(circles_are_refused_when_they_are_made),
		PEOPLE_TEST(a_circle_that_is_there_all_the_same_ends),
		PEOPLE_TEST(a_target_may_lie_outside),
		PEOPLE_TEST(the_mail_of_a_postmaster_who_sits_outside_is_read_here_too),
		PEOPLE_TEST(a_token_is_known_in_whatever_case_and_before_a_catch_all),
		PEOPLE_TEST(targets_that_lead_nowhere_are_refused),
		PEOPLE_TEST(a_domain_is_an_alias_of_one_domain_or_has_a_catch_all),
		PEOPLE_TEST(an_alias_goes_whole_or_by_target),
		PEOPLE_TEST(a_user_stays_among_the_targets_of_the_own_alias),
		PEOPLE_TEST(a_full_mailbox_is_refused_and_one_with_room_is_not),
		PEOPLE_TEST(a_list_is_refused_only_when_every_member_is_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
