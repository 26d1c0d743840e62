/* store/requests: the tickets and the frames, and what the roles answer to those that
 * are asked of them as they may be. (As they may not: intrusion_test.c.) */
#include "store/requests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "tests/unit/house.h"

/* ---- tickets ---- */

static void assert_denied(const struct ticket *ticket, int64_t now)
{
	struct err e = {0};
	assert_int_equal(ticket_check(ticket, known_key, SERVICE_POP3, now, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
}

static void a_ticket_is_good_until_its_time(void **state)
{
	struct ticket ticket = signed_ticket();
	struct err e;
	(void)state;
	assert_int_equal(ticket_check(&ticket, known_key, SERVICE_POP3, 0, &e), 0);
	assert_int_equal(ticket_check(&ticket, known_key, SERVICE_POP3, 1000, &e), 0);
	assert_denied(&ticket, 1001);
}

static void a_ticket_changed_in_any_octet_is_forged(void **state)
{
	struct ticket good = signed_ticket();
	(void)state;
	for (size_t i = 0; i < sizeof(good); i++) {
		struct ticket ticket = good;
		((unsigned char *)&ticket)[i] ^= 1;
		assert_denied(&ticket, 0);
	}
	assert_denied(&(struct ticket){.user_id = 7, .folder_id = 8, .expires = 1000}, 0);
}

static void a_ticket_of_another_key_is_forged(void **state)
{
	const unsigned char other[DIGEST_SIZE] = "of the writer that died";
	struct ticket ticket = signed_ticket();
	(void)state;
	ticket_sign(&ticket, other);
	assert_denied(&ticket, 0);
}

static void a_ticket_travels_as_it_is(void **state)
{
	struct ticket ticket = signed_ticket(), got;
	struct buf body = {0};
	struct err e;
	(void)state;
	pack_ticket(&body, &ticket);
	struct unpack in = {.rest = buf_slice(&body)};
	unpack_ticket(&in, &got);
	assert_int_equal(unpack_end(&in, &e), 0);
	assert_memory_equal(&got, &ticket, sizeof(ticket));
	buf_free(&body);
}

/* ---- frames that are none of their kind ---- */

static int read_hello(uint64_t service, const char *peer, struct hello *hello)
{
	struct buf body = {0};
	struct err e;
	pack_number(&body, service);
	pack_text(&body, peer);
	struct frame frame = {.type = REQUEST_HELLO, .body = buf_slice(&body)};
	int done = request_hello_read(&frame, hello, &e);
	if (done < 0)
		assert_int_equal(e.kind, ERR_INPUT);
	buf_free(&body);
	return done;
}

static void a_hello_names_a_service_and_a_peer(void **state)
{
	struct hello hello;
	struct err e;
	(void)state;
	assert_int_equal(read_hello(SERVICE_LMTP, "unix", &hello), 0);
	assert_int_equal(hello.service, SERVICE_LMTP);
	assert_true(hello.source.is_local);
	assert_int_equal(read_hello(SERVICE_POP3, PEER, &hello), 0);
	assert_string_equal(hello.peer, PEER);
	assert_int_equal(read_hello(SERVICE_KINDS, PEER, &hello), -1);
	assert_int_equal(read_hello((UINT64_C(1) << 32) + SERVICE_POP3, PEER, &hello), -1);
	assert_int_equal(read_hello(SERVICE_POP3, "nowhere", &hello), -1);
	assert_int_equal(read_hello(SERVICE_POP3, "", &hello), -1);
	struct frame other = {.type = REQUEST_LOGIN};
	assert_int_equal(request_hello_read(&other, &hello, &e), -1);
}

static void a_hello_from_this_box_names_the_account(void **state)
{
	struct hello hello;
	(void)state;
	assert_int_equal(read_hello(SERVICE_LOCAL, "unix:www-data", &hello), 0);
	assert_string_equal(peer_account(hello.peer), "www-data");
	assert_int_equal(read_hello(SERVICE_LOCAL, "unix", &hello), -1);
	assert_int_equal(read_hello(SERVICE_LOCAL, "unix:", &hello), -1);
	assert_int_equal(read_hello(SERVICE_LOCAL, PEER, &hello), -1);
	assert_int_equal(read_hello(SERVICE_TRUSTED, "unix:www-data", &hello), -1);
	assert_int_equal(read_hello(SERVICE_LMTP, "unix:www-data", &hello), -1);
}

/* What comes of a frame for ani with these parameters. */
static int read_parameters(uint64_t notify, const char *orcpt, const char *envid, uint64_t ret,
	struct delivery *delivery)
{
	static struct buf body; /* what *delivery borrows from */
	struct envelope_recipient *recipients = NULL;
	struct slice rest;
	struct err e;
	buf_clear(&body);
	pack_text(&body, "");
	pack_number(&body, 1);
	pack_text(&body, ANI);
	pack_number(&body, notify);
	pack_text(&body, orcpt);
	pack_text(&body, envid);
	pack_number(&body, ret);
	pack_text(&body, RECEIVED);
	pack_text(&body, "ABCDEFGHIJKL");
	pack_text(&body, PEER);
	pack_number(&body, 0);
	pack_text(&body, "x");
	struct frame frame = {.type = REQUEST_DELIVER, .body = buf_slice(&body)};
	int done = request_deliver_read(&frame, NULL, delivery, &recipients, &rest, &e);
	if (done == 0) {
		assert_int_equal(recipients[0].notify, notify);
		assert_true(slice_equal(recipients[0].orcpt, slice_of(orcpt)));
		assert_true(slice_equal(delivery->envid, slice_of(envid)));
		assert_int_equal(delivery->ret, ret);
	}
	free(recipients);
	return done;
}

static void parameters_that_no_client_can_have_sent_make_a_delivery_none(void **state)
{
	struct delivery delivery;
	char long_orcpt[ORCPT_MAX + 1] = {0}, long_envid[ENVID_MAX + 1] = {0};
	(void)state;
	memset(long_orcpt, 'a', ORCPT_MAX);
	memset(long_envid, 'a', ENVID_MAX);
	assert_int_equal(read_parameters(0, "", "", 0, &delivery), 0);
	assert_int_equal(read_parameters(NOTIFY_SUCCESS | NOTIFY_DELAY, "rfc822;a+2Bb", "QQ",
				 RETURN_FULL, &delivery),
		0);
	assert_int_equal(read_parameters(16, "", "", 0, &delivery), -1);
	assert_int_equal(read_parameters(UINT64_C(1) << 32, "", "", 0, &delivery), -1);
	assert_int_equal(read_parameters(0, "", "", RETURN_FULL + 1, &delivery), -1);
	assert_int_equal(read_parameters(0, "rfc822;a b", "", 0, &delivery), -1);
	assert_int_equal(read_parameters(0, "", "a\r\nb", 0, &delivery), -1);
	assert_int_equal(read_parameters(0, long_orcpt, "", 0, &delivery), -1);
	assert_int_equal(read_parameters(0, "", long_envid, 0, &delivery), -1);
	assert_int_equal(read_parameters(0, long_orcpt + 1, long_envid + 1, 0, &delivery), 0);
}

static void a_delivery_with_more_recipients_than_octets_is_none(void **state)
{
	static const uint64_t counts[] = {3, UINT32_MAX, UINT64_MAX / 16, UINT64_MAX};
	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct buf body = {0};
		struct delivery delivery;
		struct envelope_recipient *recipients = NULL;
		struct slice rest;
		struct err e;
		pack_text(&body, "budi@far.example");
		pack_number(&body, counts[i]);
		pack_text(&body, ANI);
		struct frame frame = {.type = REQUEST_DELIVER, .body = buf_slice(&body)};
		assert_int_equal(
			request_deliver_read(&frame, NULL, &delivery, &recipients, &rest, &e), -1);
		assert_int_equal(e.kind, ERR_INPUT);
		assert_null(recipients);
		buf_free(&body);
	}
}

static void half_a_number_is_no_entry_to_delete(void **state)
{
	struct ticket ticket;
	struct buf ids = {0};
	struct err e;
	struct frame frame = {.type = REQUEST_DELETE_MORE};
	struct buf body = {0};
	(void)state;
	ticket = signed_ticket();
	pack_ticket(&body, &ticket);
	pack_slice(&body, SLICE("123456789012"));
	frame.body = buf_slice(&body);
	assert_int_equal(request_delete_read(&frame, &ticket, &ids, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
	assert_int_equal(ids.len, 0);
	buf_free(&body);
}

static void read_ids(struct buf *ids, const int64_t *numbers, size_t count, int expected)
{
	struct ticket ticket = signed_ticket();
	struct buf body = {0};
	struct err e;
	pack_ticket(&body, &ticket);
	pack_slice(&body, (struct slice){(const char *)numbers, count * sizeof(*numbers)});
	struct frame frame = {.type = REQUEST_DELETE_MORE, .body = buf_slice(&body)};
	assert_int_equal(request_delete_read(&frame, &ticket, ids, &e), expected);
	buf_free(&body);
}

static void entries_to_delete_come_in_order_and_none_twice(void **state)
{
	struct buf ids = {0};
	(void)state;
	read_ids(&ids, (int64_t[]){3, 5, 8}, 3, 0);
	read_ids(&ids, (int64_t[]){9}, 1, 0);
	assert_memory_equal(ids.at, ((int64_t[]){3, 5, 8, 9}), ids.len);
	read_ids(&ids, (int64_t[]){9}, 1, -1); /* across two frames */
	buf_clear(&ids);
	read_ids(&ids, (int64_t[]){3, 3}, 2, -1);
	buf_clear(&ids);
	read_ids(&ids, (int64_t[]){3, -3}, 2, -1);
	buf_free(&ids);
}

static void a_digest_longer_than_any_is_not_signed(void **state)
{
	struct tls_signing what;
	struct buf body = {0};
	struct err e;
	char hash[TLS_HASH_MAX + 1] = "";
	(void)state;
	pack_fixed(&body, known_key, TLS_KEY_ID_SIZE);
	pack_number(&body, 4);
	pack_slice(&body, (struct slice){hash, sizeof(hash)});
	struct frame frame = {.type = REQUEST_SIGN, .body = buf_slice(&body)};
	assert_int_equal(request_sign_read(&frame, &what, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
	buf_free(&body);
}

/* ---- the right way ---- */

static void mail_that_smtp_files_is_listed_by_pop3_and_deleted(void **state)
{
	struct house *house = *state;
	struct channel directory, asked = join(house, DIRECTORY, SERVICE_SMTP);
	struct channel writer = join(house, WRITER, SERVICE_POP3);
	assert_int_equal(request_resolve(&asked, SLICE("Ani@Kantor.Example"), 0, &house->e), 0);
	assert_int_equal(request_resolve(&asked, SLICE("x@kantor.example"), 0, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_MISSING);
	const struct slice both[] = {SLICE("x@kantor.example"), SLICE(ANI)};
	enum err_kind kinds[2];
	request_resolve_many(&asked, both, 2, 0, kinds);
	assert_int_equal(kinds[0], ERR_MISSING);
	assert_int_equal(kinds[1], ERR_NONE);
	file(house, ANI, LETTER);
	file(house, ANI, LETTER);
	struct login login = log_in(house, &directory, "ani");
	assert_string_equal(login.user, ANI);
	assert_string_equal(login.folder, "Inbox");
	assert_int_equal(login.maildrop.count, 2);
	assert_true(login.maildrop.items[0].size > strlen(LETTER));
	assert_int_equal(
		request_delete(&writer, &login.ticket, &login.maildrop.items[0].id, 1, &house->e),
		0);
	request_event(&writer, &login.ticket, SLICE("retrieved=0"));
	assert_int_equal(count_messages(house, ANI), 1);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
	channel_close(&writer);
	channel_close(&asked);
}

static void a_message_of_many_pieces_is_one(void **state)
{
	struct house *house = *state;
	struct channel directory, writer = join(house, WRITER, SERVICE_LMTP);
	struct buf big = {0};
	enum err_kind result;
	fill(&big, 2 * BODY_PIECE + 100);
	for (size_t at = 0; at + BODY_PIECE < big.len; at += BODY_PIECE)
		assert_int_equal(
			request_piece(&writer, (struct slice){big.at + at, BODY_PIECE}, &house->e),
			0);
	assert_int_equal(file_for(house, &writer, ANI, (struct slice){big.at + 2 * BODY_PIECE, 100},
				 &result),
		0);
	struct login login = log_in(house, &directory, ANI);
	assert_int_equal(login.maildrop.count, 1);
	assert_true(login.maildrop.items[0].size > big.len);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
	channel_close(&writer);
	buf_free(&big);
}

static void after_a_login_the_store_s_files_come_and_are_read_only(void **state)
{
	struct house *house = *state;
	struct channel directory;
	struct login login = log_in(house, &directory, ANI);
	int fds[3];
	assert_int_equal(request_store_files(&directory, fds, &house->e), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fcntl(fds[i], F_GETFL) & O_ACCMODE, O_RDONLY);
		close(fds[i]);
	}
	/* Once: descriptors that nobody takes are missing elsewhere. */
	assert_int_equal(request_store_files(&directory, fds, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
}

/* ---- filing ---- */

static void keep_peer(struct test_office *office)
{
	struct query q = db_query(office->store, SQL("SELECT peer FROM bodies /* scans bodies */"));
	assert_int_equal(db_next(&q, &office->e), 1);
	assert_true(slice_equal(db_text(&q, 0), SLICE(PEER)));
	db_end(&q);
}

static void who_handed_a_message_over_is_not_the_session_s_to_say(void **state)
{
	struct house *house = *state;
	struct channel writer = join(house, WRITER, SERVICE_SMTP);
	const struct envelope_recipient recipients[] = {{.address = SLICE(ANI)}};
	const struct delivery delivery = {.recipients = recipients,
		.recipient_count = 1,
		.queue_id = "ABCDEFGHIJKL",
		.peer = "192.0.2.99"};
	enum err_kind result;
	assert_int_equal(
		request_deliver(&writer, NULL, &delivery, SLICE(LETTER), &result, &house->e), 0);
	with_store(house, keep_peer);
	channel_close(&writer);
}

static void a_message_over_the_limit_is_refused_by_the_writer_too(void **state)
{
	struct house *house = *state;
	struct buf big = {0};
	enum err_kind result;
	house->office->config.max_message = 1000;
	channel_send(&house->masters[WRITER], ROLE_CONFIG,
		&(struct iovec){&house->office->config, sizeof(house->office->config)}, 1, NULL, 0,
		&house->e);
	fill(&big, 1001);
	/* The settings have a way of their own: until they are there it is filed. */
	int done;
	do {
		struct channel writer = join(house, WRITER, SERVICE_SMTP);
		done = file_for(house, &writer, ANI, buf_slice(&big), &result);
		channel_close(&writer);
	} while (done == 0);
	assert_int_equal(house->e.kind, ERR_TOO_BIG);
	file(house, ANI, LETTER);
	buf_free(&big);
}

static void nobody_s_word_but_the_store_s_says_who_gets_mail(void **state)
{
	struct house *house = *state;
	struct channel writer = join(house, WRITER, SERVICE_SMTP);
	static const struct {
		const char *recipient;
		enum err_kind result;
	} wrong[] = {{"budi@far.example", ERR_DENIED}, {"x@kantor.example", ERR_MISSING},
		{"' OR 1=1 --", ERR_INPUT}, {"", ERR_INPUT}};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		enum err_kind result = ERR_NONE;
		assert_int_equal(
			file_for(house, &writer, wrong[i].recipient, SLICE(LETTER), &result), 0);
		assert_int_equal(result, wrong[i].result);
	}
	assert_int_equal(count_messages(house, ANI), 0);
	channel_close(&writer);
}

static int64_t count_pieces(struct house *house)
{
	struct test_office *office = house->office;
	assert_int_equal(
		store_open(&office->store, office->data, STORE_READER, SYNC_NORMAL, &house->e), 0);
	int64_t count = number(office, SQL("SELECT count(*) FROM pieces /* scans pieces */"));
	store_close(office->store);
	office->store = NULL;
	return count;
}

static void what_was_sent_of_a_message_goes_with_its_session(void **state)
{
	struct house *house = *state;
	struct channel cut_off = join(house, WRITER, SERVICE_SMTP);
	struct channel given_up = join(house, WRITER, SERVICE_SMTP);
	struct buf piece = {0};
	enum err_kind result;
	fill(&piece, BODY_PIECE);
	assert_int_equal(request_piece(&cut_off, buf_slice(&piece), &house->e), 0);
	assert_int_equal(request_piece(&given_up, buf_slice(&piece), &house->e), 0);
	assert_int_equal(count_pieces(house), 2);
	channel_close(&cut_off);
	request_forget(&given_up);
	/* The channel goes on with the next message; with its commits goes what is
	 * left of the others. */
	do {
		assert_int_equal(
			file_for(house, &given_up, "x@kantor.example", SLICE(LETTER), &result), 0);
	} while (count_pieces(house) > 0);
	channel_close(&given_up);
	buf_free(&piece);
}

/* ---- logging in ---- */

static enum err_kind try_login(
	struct house *house, struct channel *directory, struct slice user, struct slice password)
{
	struct login login;
	if (request_login(directory, user, password, &login, &house->e) == 0) {
		maildrop_free(&login.maildrop);
		return ERR_NONE;
	}
	assert_int_equal(login.maildrop.count, 0);
	return house->e.kind;
}

static void a_wrong_login_may_be_followed_by_a_right_one_and_that_by_none(void **state)
{
	struct house *house = *state;
	struct channel directory = join(house, DIRECTORY, SERVICE_POP3);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE("no")), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE("x"), SLICE(ANIS)), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE(ANIS)), ERR_NONE);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE(ANIS)), ERR_GONE);
	channel_close(&directory);
}

static void a_session_guesses_at_no_more_than_its_client_may(void **state)
{
	struct house *house = *state;
	struct channel directory = join(house, DIRECTORY, SERVICE_POP3);
	for (int i = 0; i < WRONG_LOGINS_MAX; i++)
		assert_int_equal(
			try_login(house, &directory, SLICE(ANI), SLICE("the same")), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE(ANIS)), ERR_GONE);
	channel_close(&directory);

	directory = join(house, DIRECTORY, SERVICE_LMTP);
	for (int i = 0; i <= WRONG_ADDRESSES_MAX; i++) {
		assert_int_equal(
			request_resolve(&directory, SLICE("x@kantor.example"), 0, &house->e), -1);
		assert_int_equal(house->e.kind, ERR_MISSING);
	}
	assert_int_equal(request_resolve(&directory, SLICE(ANI), 0, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	channel_close(&directory);
}

static void a_name_or_password_as_long_as_a_frame_is_wrong_and_nothing_else(void **state)
{
	struct house *house = *state;
	struct channel directory = join(house, DIRECTORY, SERVICE_POP3);
	struct buf endless = {0};
	fill(&endless, CHANNEL_FRAME_MAX - 100);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), buf_slice(&endless)), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE("x"), buf_slice(&endless)), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, buf_slice(&endless), SLICE("x")), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE("a\0b")), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE("ani\0"), SLICE(ANIS)), ERR_DENIED);
	channel_close(&directory);
	directory = join(house, DIRECTORY, SERVICE_POP3);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE(ANIS)), ERR_NONE);
	channel_close(&directory);
	buf_free(&endless);
}

static void before_a_login_the_store_s_files_are_not_handed_out(void **state)
{
	struct house *house = *state;
	struct channel directory = join(house, DIRECTORY, SERVICE_POP3);
	int fds[3];
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE("no")), ERR_DENIED);
	assert_int_equal(request_store_files(&directory, fds, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	channel_close(&directory);
}

/* The user's row as a tool sees it. */
static struct user look_up(struct house *house, const char *address)
{
	struct test_office *office = house->office;
	assert_int_equal(
		store_open(&office->store, office->data, STORE_READER, SYNC_NORMAL, &house->e), 0);
	struct user user = get_user(office, address);
	store_close(office->store);
	office->store = NULL;
	return user;
}

static void what_nobody_waits_for_is_written_with_the_next_commit(void **state)
{
	struct house *house = *state;
	struct test_office *office = house->office;
	assert_int_equal(
		store_open(&office->store, office->data, STORE_TOOL, SYNC_NORMAL, &house->e), 0);
	int64_t id = get_user(office, ANI).id;
	WRITE(office, users_set_hash(office->store, id, ANIS_OLD_HASH, &office->e));
	store_close(office->store);
	office->store = NULL;
	assert_int_equal(look_up(house, ANI).last_login, 0);

	assert_int_equal(count_messages(house, ANI), 0);
	file(house, BUDI, LETTER);
	struct user user = look_up(house, ANI);
	assert_true(user.last_login > 0);
	assert_memory_equal(user.hash, "$y$", 3);
	assert_int_equal(count_messages(house, ANI), 0); /* with the new one */
}

static void past_the_limit_only_what_was_right_before_gets_in(void **state)
{
	struct house *house = *state;
	struct channel directory;
	assert_int_equal(count_messages(house, ANI), 0);
	for (char guess[] = "guess 0"; guess[6] <= '9'; guess[6]++) {
		directory = join(house, DIRECTORY, SERVICE_POP3);
		assert_int_equal(
			try_login(house, &directory, SLICE(BUDI), slice_of(guess)), ERR_DENIED);
		channel_close(&directory);
	}
	directory = join(house, DIRECTORY, SERVICE_POP3);
	assert_int_equal(try_login(house, &directory, SLICE(BUDI), SLICE(BUDIS)), ERR_LIMITED);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE(ANIS)), ERR_NONE);
	channel_close(&directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_is_good_until_its_time),
		cmocka_unit_test(a_ticket_changed_in_any_octet_is_forged),
		cmocka_unit_test(a_ticket_of_another_key_is_forged),
		cmocka_unit_test(a_ticket_travels_as_it_is),
		cmocka_unit_test(a_hello_names_a_service_and_a_peer),
		cmocka_unit_test(a_hello_from_this_box_names_the_account),
		cmocka_unit_test(parameters_that_no_client_can_have_sent_make_a_delivery_none),
		cmocka_unit_test(a_delivery_with_more_recipients_than_octets_is_none),
		cmocka_unit_test(half_a_number_is_no_entry_to_delete),
		cmocka_unit_test(entries_to_delete_come_in_order_and_none_twice),
		cmocka_unit_test(a_digest_longer_than_any_is_not_signed),
		HOUSE_TEST(mail_that_smtp_files_is_listed_by_pop3_and_deleted),
		HOUSE_TEST(a_message_of_many_pieces_is_one),
		HOUSE_TEST(after_a_login_the_store_s_files_come_and_are_read_only),
		HOUSE_TEST(who_handed_a_message_over_is_not_the_session_s_to_say),
		HOUSE_TEST(a_message_over_the_limit_is_refused_by_the_writer_too),
		HOUSE_TEST(nobody_s_word_but_the_store_s_says_who_gets_mail),
		HOUSE_TEST(what_was_sent_of_a_message_goes_with_its_session),
		HOUSE_TEST(a_wrong_login_may_be_followed_by_a_right_one_and_that_by_none),
		HOUSE_TEST(a_name_or_password_as_long_as_a_frame_is_wrong_and_nothing_else),
		HOUSE_TEST(a_session_guesses_at_no_more_than_its_client_may),
		HOUSE_TEST(before_a_login_the_store_s_files_are_not_handed_out),
		HOUSE_TEST(what_nobody_waits_for_is_written_with_the_next_commit),
		HOUSE_TEST(past_the_limit_only_what_was_right_before_gets_in),
	};
	return cmocka_run_group_tests_name("requests", tests, prepare, NULL);
}
