/* What the roles make of a session that is not ours any more: each question that its
 * service and its ticket do not cover ends its channel, is told to the log, and leaves
 * the role serving others. */
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
#include "tests/unit/tls_client.h"

/* ---- rights ---- */

static void what_a_service_may_not_ask_ends_its_channel(void **state)
{
	static const struct {
		unsigned role, service, type;
	} forbidden[] = {
		{WRITER, SERVICE_POP3, REQUEST_PIECE},
		{WRITER, SERVICE_POP3, REQUEST_DELIVER},
		{WRITER, SERVICE_POP3, REQUEST_FORGET},
		{WRITER, SERVICE_POP3, REQUEST_TICKET_KEY},
		{WRITER, SERVICE_POP3, REQUEST_LOGGED_IN},
		{WRITER, SERVICE_POP3, REQUEST_NEW_HASH},
		{WRITER, SERVICE_SMTP, REQUEST_DELETE},
		{WRITER, SERVICE_SMTP, REQUEST_DELETE_MORE},
		{WRITER, SERVICE_SMTP, REQUEST_EVENT},
		{WRITER, SERVICE_SMTP, REQUEST_TICKET_KEY},
		{WRITER, SERVICE_LMTP, REQUEST_DELETE},
		{WRITER, SERVICE_LMTP, REQUEST_NEW_HASH},
		{WRITER, SERVICE_DIRECTORY, REQUEST_DELIVER},
		{WRITER, SERVICE_DIRECTORY, REQUEST_DELETE},
		{WRITER, SERVICE_SMTP, REQUEST_LOGIN},
		{WRITER, SERVICE_SMTP, ANSWER_OK},
		{WRITER, SERVICE_SMTP, ROLE_CONFIG},
		{WRITER, SERVICE_SMTP, 65535},
		{DIRECTORY, SERVICE_SMTP, REQUEST_LOGIN},
		{DIRECTORY, SERVICE_SMTP, REQUEST_STORE_FILES},
		{DIRECTORY, SERVICE_LMTP, REQUEST_LOGIN},
		{DIRECTORY, SERVICE_POP3, REQUEST_RESOLVE},
		{DIRECTORY, SERVICE_POP3, REQUEST_DELETE},
		{DIRECTORY, SERVICE_DIRECTORY, REQUEST_LOGIN},
		{DIRECTORY, SERVICE_POP3, ROLE_CONFIG},
		{KEYS, SERVICE_POP3, REQUEST_LOGIN},
		{KEYS, SERVICE_SMTP, MASTER_KEY_FILE},
		{KEYS, SERVICE_SMTP, REQUEST_SIGN_DKIM},
		{KEYS, SERVICE_SUBMISSION, REQUEST_SIGN_DKIM},
		{KEYS, SERVICE_POP3, REQUEST_SIGN_DKIM},
		{KEYS, SERVICE_RELAY, REQUEST_SIGN_DKIM},
		{KEYS, SERVICE_DELIVERY, REQUEST_SIGN},
		{KEYS, SERVICE_DELIVERY, MASTER_DKIM_KEY},
	};
	struct house *house = *state;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		struct channel channel =
			join(house, forbidden[i].role, (enum service_kind)forbidden[i].service);
		ask(house, &channel, forbidden[i].type, SLICE(""));
		assert_sent_away(house, &channel);
	}
	file(house, ANI, LETTER);
	assert_int_equal(count_messages(house, ANI), 1);
}

static void a_pop3_channel_that_files_a_whole_message_files_none(void **state)
{
	struct house *house = *state;
	struct channel writer = join(house, WRITER, SERVICE_POP3);
	enum err_kind result;
	assert_int_equal(file_for(house, &writer, ANI, SLICE(LETTER), &result), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	assert_int_equal(count_messages(house, ANI), 0);
	channel_close(&writer);
}

static void who_does_not_begin_with_a_hello_is_sent_away(void **state)
{
	static const unsigned first[] = {
		REQUEST_TICKET_KEY, REQUEST_LOGIN, REQUEST_SIGN, ANSWER_OK, 0};
	struct house *house = *state;
	for (size_t role = 0; role < ROLES; role++) {
		for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
			struct channel channel;
			assert_int_equal(channel_connect(&channel, house->run_dir, roles[role].name,
						 &house->e),
				0);
			ask(house, &channel, first[i], SLICE(""));
			assert_sent_away(house, &channel);
		}
	}
}

static void who_says_hello_twice_is_sent_away(void **state)
{
	struct house *house = *state;
	for (size_t role = 0; role < ROLES; role++) {
		struct channel channel = join(house, role, SERVICE_SMTP);
		assert_int_equal(request_hello(&channel, SERVICE_DIRECTORY, PEER, &house->e), 0);
		assert_sent_away(house, &channel);
	}
}

/* Both in one write, so that the role finds both. */
static void who_asks_again_before_the_answer_is_sent_away(void **state)
{
	struct house *house = *state;
	struct channel writer = join(house, WRITER, SERVICE_SMTP);
	struct channel directory = join(house, DIRECTORY, SERVICE_POP3);
	struct buf piece = {0}, two = {0}, login = {0};
	fill(&piece, BODY_PIECE);
	pack_text(&login, ANI);
	pack_text(&login, ANIS);
	channel_add_frame(&two, REQUEST_LOGIN, buf_slice(&login));
	channel_add_frame(&two, REQUEST_LOGIN, buf_slice(&login));
	assert_int_equal(send(directory.fd, two.at, two.len, 0), two.len);
	assert_sent_away(house, &directory);

	buf_clear(&two);
	channel_add_frame(&two, REQUEST_FORGET, SLICE(""));
	for (int i = 0; i < 2; i++)
		channel_add_frame(&two, REQUEST_DELIVER, SLICE("no delivery"));
	assert_int_equal(send(writer.fd, two.at, two.len, 0), two.len);
	assert_sent_away(house, &writer);
	file(house, ANI, LETTER);
	assert_int_equal(count_messages(house, ANI), 1);
	buf_free(&piece);
	buf_free(&login);
	buf_free(&two);
}

static void frames_of_the_right_type_with_wrong_fields_are_refused(void **state)
{
	static const struct {
		unsigned role, service, type;
		struct slice body;
	} wrong[] = {
		{WRITER, SERVICE_SMTP, REQUEST_PIECE, {"", 0}},
		{WRITER, SERVICE_SMTP, REQUEST_PIECE, {"less than a piece", 17}},
		{WRITER, SERVICE_SMTP, REQUEST_PIECE_BEHIND, {"less than a piece", 17}},
		{WRITER, SERVICE_SMTP, REQUEST_HEAD, {"", 0}},
		{WRITER, SERVICE_SMTP, REQUEST_PIECE_BACK, {"\0\0\0\0\0\0\0\0", 8}},
		{WRITER, SERVICE_SMTP, REQUEST_DELIVER, {"", 0}},
		{WRITER, SERVICE_SMTP, REQUEST_DELIVER, {"\377\377\377\377\377\377\377\377", 8}},
		{WRITER, SERVICE_POP3, REQUEST_DELETE, {"", 0}},
		{WRITER, SERVICE_POP3, REQUEST_DELETE_MORE, {"odd", 3}},
		{DIRECTORY, SERVICE_POP3, REQUEST_LOGIN, {"", 0}},
		{DIRECTORY, SERVICE_POP3, REQUEST_LOGIN, {"\0\0\0\0\0\0\0\0", 8}},
		{DIRECTORY, SERVICE_SMTP, REQUEST_RESOLVE, {"", 0}},
		{DIRECTORY, SERVICE_SMTP, REQUEST_RESOLVE, {"\0\0\0\0\0\0\0\0", 8}},
		{KEYS, SERVICE_POP3, REQUEST_SIGN, {"", 0}},
		{KEYS, SERVICE_DELIVERY, REQUEST_SIGN_DKIM, {"", 0}},
		{KEYS, SERVICE_DELIVERY, REQUEST_SIGN_DKIM, {"\0\0\0\0\0\0\0\0", 8}},
	};
	struct house *house = *state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct channel channel =
			join(house, wrong[i].role, (enum service_kind)wrong[i].service);
		ask(house, &channel, wrong[i].type, wrong[i].body);
		assert_sent_away(house, &channel);
	}
}

/* A header comes once, before the rest, and pieces of the one kind behind no other. */
static void parts_of_a_message_in_a_wrong_order_are_refused(void **state)
{
	static const unsigned orders[][4] = {{REQUEST_PIECE, REQUEST_HEAD},
		{REQUEST_PIECE, REQUEST_PIECE_BEHIND}, {REQUEST_PIECE, REQUEST_PIECE_BACK},
		{REQUEST_PIECE_BEHIND, REQUEST_PIECE}, {REQUEST_HEAD, REQUEST_HEAD},
		{REQUEST_HEAD, REQUEST_PIECE}, {REQUEST_HEAD, REQUEST_PIECE_BEHIND},
		{REQUEST_PIECE_BEHIND, REQUEST_HEAD, REQUEST_HEAD}};
	struct house *house = *state;
	struct buf piece = {0};
	fill(&piece, BODY_PIECE);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct channel channel = join(house, WRITER, SERVICE_SMTP);
		struct frame frame;
		for (size_t n = 0; n < 3 && orders[i][n]; n++) {
			bool last = n == 2 || orders[i][n + 1] == 0;
			struct slice body = buf_slice(&piece);
			if (orders[i][n] == REQUEST_PIECE_BACK)
				body.len = 8;
			ask(house, &channel, orders[i][n], body);
			if (!last) {
				assert_int_equal(channel_receive(&channel, &frame, &house->e), 1);
				assert_int_equal(frame.type, ANSWER_OK);
			}
		}
		assert_sent_away(house, &channel);
	}
	buf_free(&piece);
	assert_int_equal(count_messages(house, ANI), 0);
}

static void a_message_without_its_header_is_not_filed(void **state)
{
	struct house *house = *state;
	struct channel channel = join(house, WRITER, SERVICE_SMTP);
	const struct envelope_recipient recipient = {.address = SLICE(ANI)};
	const struct delivery delivery = {.recipients = &recipient,
		.recipient_count = 1,
		.received = SLICE("Received: x\r\n"),
		.queue_id = "ABCDEFGHIJKL"};
	enum err_kind result;
	struct buf piece = {0};
	fill(&piece, BODY_PIECE);
	assert_int_equal(request_piece_behind(&channel, buf_slice(&piece), &house->e), 0);
	assert_int_equal(
		request_deliver(&channel, NULL, &delivery, SLICE("x"), &result, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	channel_close(&channel);
	buf_free(&piece);
	assert_int_equal(count_messages(house, ANI), 0);
}

/* ---- deleting ---- */

/* Tries to delete; the writer must end the channel. */
static void assert_does_not_delete(struct house *house, const struct ticket *ticket, int64_t id)
{
	struct channel writer = join(house, WRITER, SERVICE_POP3);
	assert_int_equal(request_delete(&writer, ticket, &id, 1, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	channel_close(&writer);
}

static void only_a_ticket_of_the_directory_s_deletes(void **state)
{
	struct house *house = *state;
	struct channel directory;
	file(house, ANI, LETTER);
	struct login login = log_in(house, &directory, ANI);
	int64_t id = login.maildrop.items[0].id;
	struct ticket forged = login.ticket;
	forged.user_id++;
	assert_does_not_delete(house, &forged, id);
	forged = login.ticket;
	forged.expires += 3600;
	assert_does_not_delete(house, &forged, id);
	forged = login.ticket;
	forged.mac[DIGEST_SIZE - 1] ^= 1;
	assert_does_not_delete(house, &forged, id);
	ticket_sign(&forged, known_key);
	assert_does_not_delete(house, &forged, id);
	assert_does_not_delete(house, &(struct ticket){0}, id);
	assert_int_equal(count_messages(house, ANI), 1);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
}

static void a_ticket_reaches_its_own_account_and_no_other(void **state)
{
	struct house *house = *state;
	struct channel ani, budi;
	file(house, ANI, LETTER);
	file(house, BUDI, LETTER);
	struct login hers = log_in(house, &ani, ANI), his = log_in(house, &budi, BUDI);
	assert_does_not_delete(house, &hers.ticket, his.maildrop.items[0].id);
	assert_does_not_delete(house, &hers.ticket, INT64_MAX);
	assert_does_not_delete(house, &hers.ticket, -1);
	assert_int_equal(count_messages(house, ANI), 1);
	assert_int_equal(count_messages(house, BUDI), 1);
	maildrop_free(&hers.maildrop);
	maildrop_free(&his.maildrop);
	channel_close(&ani);
	channel_close(&budi);
}

static void a_deletion_with_one_that_may_not_be_deletes_none(void **state)
{
	struct house *house = *state;
	struct channel ani, budi, writer = join(house, WRITER, SERVICE_POP3);
	file(house, ANI, LETTER);
	file(house, BUDI, LETTER);
	struct login hers = log_in(house, &ani, ANI), his = log_in(house, &budi, BUDI);
	const int64_t ids[] = {hers.maildrop.items[0].id, his.maildrop.items[0].id};
	assert_int_equal(request_delete(&writer, &hers.ticket, ids, 2, &house->e), -1);
	assert_int_equal(count_messages(house, ANI), 1);
	assert_int_equal(count_messages(house, BUDI), 1);
	maildrop_free(&hers.maildrop);
	maildrop_free(&his.maildrop);
	channel_close(&ani);
	channel_close(&budi);
	channel_close(&writer);
}

/* Entries that are gone: others have deleted them, and the purge took them. */
static void make_as_many_be_gone(struct test_office *office)
{
	struct query q = db_query(office->store,
		SQL("UPDATE meta SET value = value + 100000 WHERE name = 'highest_entry'"));
	WRITE(office, db_run(&q, &office->e));
}

static void a_deletion_longer_than_a_frame_is_one(void **state)
{
	enum { COUNT = DELETE_IDS + 10 };
	struct house *house = *state;
	struct channel directory, writer = join(house, WRITER, SERVICE_POP3);
	int64_t *ids = must_alloc(COUNT * sizeof(*ids));
	file(house, ANI, LETTER);
	with_store(house, make_as_many_be_gone);
	struct login login = log_in(house, &directory, ANI);
	for (size_t i = 0; i < COUNT; i++)
		ids[i] = login.maildrop.items[0].id + (int64_t)i;
	assert_int_equal(request_delete(&writer, &login.ticket, ids, COUNT, &house->e), 0);
	assert_int_equal(count_messages(house, ANI), 0);
	free(ids);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
	channel_close(&writer);
}

static void what_is_deleted_is_deleted_though_nobody_waits_for_the_answer(void **state)
{
	struct house *house = *state;
	struct channel directory, writer = join(house, WRITER, SERVICE_POP3);
	struct buf body = {0};
	file(house, ANI, LETTER);
	struct login login = log_in(house, &directory, ANI);
	pack_ticket(&body, &login.ticket);
	pack_slice(
		&body, (struct slice){(const char *)&login.maildrop.items[0].id, sizeof(int64_t)});
	ask(house, &writer, REQUEST_DELETE, buf_slice(&body));
	channel_close(&writer);
	while (count_messages(house, ANI) > 0)
		continue;
	buf_free(&body);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
}

/* A wrong ticket is seen when it comes, not at the next commit. */
static void what_a_session_did_it_tells_within_bounds_and_with_its_ticket(void **state)
{
	struct house *house = *state;
	struct channel directory, writer = join(house, WRITER, SERVICE_POP3);
	struct login login = log_in(house, &directory, ANI);
	struct ticket forged = login.ticket;
	forged.user_id++;
	request_event(&writer, &forged, SLICE("retrieved=1"));
	assert_sent_away(house, &writer);
	writer = join(house, WRITER, SERVICE_POP3);
	for (int i = 0; i <= EVENTS_MOST; i++)
		request_event(&writer, &login.ticket, SLICE("retrieved=2"));
	assert_sent_away(house, &writer);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
}

static void entries_without_a_ticket_are_not_even_kept(void **state)
{
	struct house *house = *state;
	struct channel writer = join(house, WRITER, SERVICE_POP3);
	struct ticket forged = signed_ticket();
	struct buf body = {0};
	const int64_t id = 1;
	pack_ticket(&body, &forged);
	pack_slice(&body, (struct slice){(const char *)&id, sizeof(id)});
	ask(house, &writer, REQUEST_DELETE_MORE, buf_slice(&body));
	assert_sent_away(house, &writer);
	buf_free(&body);
}

static void the_writer_s_death_makes_its_tickets_worthless(void **state)
{
	struct house *house = *state;
	struct channel directory;
	file(house, ANI, LETTER);
	struct login login = log_in(house, &directory, ANI);
	end_role(house, WRITER);
	start_role(house, WRITER);
	assert_does_not_delete(house, &login.ticket, login.maildrop.items[0].id);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
}

/* ---- signing ---- */

static size_t sign(struct house *house, struct channel *keys, const unsigned char *id)
{
	struct tls_signing what = {.hash_id = br_sha256_ID, .hash_len = br_sha256_SIZE};
	unsigned char signature[TLS_SIGNATURE_MAX];
	(void)house;
	memcpy(what.key_id, id, sizeof(what.key_id));
	return request_sign(keys, &what, signature);
}

static void the_keys_sign_once_a_channel_and_for_keys_they_hold(void **state)
{
	struct house *house = *state;
	struct buf body = {0};
	struct tls_key *own = tls_client_read_key("ec256.key", &house->e);
	int fd = tls_client_open_data("ec256.key");
	struct channel keys = join(house, KEYS, SERVICE_POP3);
	assert_non_null(own);
	assert_int_equal(sign(house, &keys, known_key), 0);
	channel_close(&keys);

	pack_fixed(&body, tls_key_id(own), TLS_KEY_ID_SIZE);
	pack_text(&body, "ec256.key");
	struct iovec part = {body.at, body.len};
	assert_int_equal(
		channel_send(&house->masters[KEYS], MASTER_KEY_FILE, &part, 1, &fd, 1, &house->e),
		0);
	assert_int_equal(channel_receive(&house->masters[KEYS], &house->frame, &house->e), 1);
	assert_int_equal(house->frame.type, MASTER_KEY_TAKEN);
	keys = join(house, KEYS, SERVICE_SMTP);
	assert_true(sign(house, &keys, tls_key_id(own)) > 60);
	assert_int_equal(sign(house, &keys, tls_key_id(own)), 0);
	channel_close(&keys);
	close(fd);
	tls_key_free(own);
	buf_free(&body);
}

#define WHY_MAX sizeof(((struct err *)0)->text)

/* The master's answer to a key that it hands on, its sentence in `why`. */
static unsigned hand_dkim_key(
	struct house *house, const char *selector, const char *name, char why[WHY_MAX])
{
	struct buf body = {0};
	char named[CONFIG_NAME_MAX];
	int fd = tls_client_open_data(name);
	pack_text(&body, selector);
	pack_text(&body, name);
	struct iovec part = {body.at, body.len};
	struct channel *keys = &house->masters[KEYS];
	assert_int_equal(channel_send(keys, MASTER_DKIM_KEY, &part, 1, &fd, 1, &house->e), 0);
	assert_int_equal(channel_receive(keys, &house->frame, &house->e), 1);
	struct unpack in = {.rest = house->frame.body};
	unpack_text(&in, named, sizeof(named));
	unpack_text(&in, why, WHY_MAX);
	assert_int_equal(unpack_end(&in, &house->e), 0);
	assert_string_equal(named, selector);
	close(fd);
	buf_free(&body);
	return house->frame.type;
}

static void deliveries_have_as_many_digests_signed_as_they_ask(void **state)
{
	struct house *house = *state;
	struct tls_key *own = tls_client_read_key("rsa.key", &house->e);
	unsigned char wanted[TLS_SIGNATURE_MAX], got[TLS_SIGNATURE_MAX];
	unsigned char digest[DIGEST_SIZE] = "what is to be signed";
	char why[WHY_MAX];
	struct channel keys = join(house, KEYS, SERVICE_DELIVERY);
	assert_int_equal(request_sign_dkim(&keys, "office", digest, got, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_MISSING);
	assert_int_equal(hand_dkim_key(house, "office", "rsa.key", why), MASTER_DKIM_TAKEN);
	for (int i = 0; i < 100; i++) {
		digest[0] = (unsigned char)i;
		size_t len = tls_key_sign_sha256(own, digest, wanted);
		assert_int_equal(len, 256);
		assert_int_equal(request_sign_dkim(&keys, "office", digest, got, &house->e), len);
		assert_memory_equal(got, wanted, len);
	}
	channel_close(&keys);
	tls_key_free(own);
}

static void a_delivery_under_way_has_the_key_it_began_with(void **state)
{
	struct house *house = *state;
	unsigned char digest[DIGEST_SIZE] = "", got[TLS_SIGNATURE_MAX];
	char why[WHY_MAX];
	struct channel keys = join(house, KEYS, SERVICE_DELIVERY);
	assert_int_equal(hand_dkim_key(house, "old", "rsa.key", why), MASTER_DKIM_TAKEN);
	assert_int_equal(hand_dkim_key(house, "new", "rsa4096.key", why), MASTER_DKIM_TAKEN);
	assert_int_equal(request_sign_dkim(&keys, "old", digest, got, &house->e), 256);
	assert_int_equal(request_sign_dkim(&keys, "new", digest, got, &house->e), 512);
	/* Another file under the same name replaces the key. */
	assert_int_equal(hand_dkim_key(house, "old", "rsa4096.key", why), MASTER_DKIM_TAKEN);
	assert_int_equal(request_sign_dkim(&keys, "old", digest, got, &house->e), 512);
	channel_close(&keys);
}

static void a_key_that_cannot_sign_mail_is_refused_in_words(void **state)
{
	struct house *house = *state;
	unsigned char digest[DIGEST_SIZE] = "", got[TLS_SIGNATURE_MAX];
	char why[WHY_MAX];
	struct channel keys = join(house, KEYS, SERVICE_DELIVERY);
	assert_int_equal(hand_dkim_key(house, "office", "ec256.key", why), MASTER_DKIM_REFUSED);
	assert_non_null(strstr(why, "ec256.key: mail is signed by RSA keys of 1024 bits"));
	assert_int_equal(hand_dkim_key(house, "office", "make", why), MASTER_DKIM_REFUSED);
	assert_non_null(strstr(why, "no private key"));
	assert_int_equal(request_sign_dkim(&keys, "office", digest, got, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_MISSING);
	channel_close(&keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOUSE_TEST(what_a_service_may_not_ask_ends_its_channel),
		HOUSE_TEST(a_pop3_channel_that_files_a_whole_message_files_none),
		HOUSE_TEST(who_does_not_begin_with_a_hello_is_sent_away),
		HOUSE_TEST(who_says_hello_twice_is_sent_away),
		HOUSE_TEST(who_asks_again_before_the_answer_is_sent_away),
		HOUSE_TEST(frames_of_the_right_type_with_wrong_fields_are_refused),
		HOUSE_TEST(parts_of_a_message_in_a_wrong_order_are_refused),
		HOUSE_TEST(a_message_without_its_header_is_not_filed),
		HOUSE_TEST(only_a_ticket_of_the_directory_s_deletes),
		HOUSE_TEST(a_ticket_reaches_its_own_account_and_no_other),
		HOUSE_TEST(a_deletion_with_one_that_may_not_be_deletes_none),
		HOUSE_TEST(a_deletion_longer_than_a_frame_is_one),
		HOUSE_TEST(what_is_deleted_is_deleted_though_nobody_waits_for_the_answer),
		HOUSE_TEST(what_a_session_did_it_tells_within_bounds_and_with_its_ticket),
		HOUSE_TEST(entries_without_a_ticket_are_not_even_kept),
		HOUSE_TEST(the_writer_s_death_makes_its_tickets_worthless),
		HOUSE_TEST(the_keys_sign_once_a_channel_and_for_keys_they_hold),
		HOUSE_TEST(deliveries_have_as_many_digests_signed_as_they_ask),
		HOUSE_TEST(a_delivery_under_way_has_the_key_it_began_with),
		HOUSE_TEST(a_key_that_cannot_sign_mail_is_refused_in_words),
	};
	return cmocka_run_group_tests_name("intrusion", tests, prepare, NULL);
}
