/* store/outbox.h: what is put in, what is due and when, who is held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/letters_out.h"
#include "tests/unit/office.h"

#define NOW INT64_C(1800000000)
/* Recipients of the next job, "a@b c@d "; "" where there is none. */
static const char *take(struct test_office *office, const char *destination)
{
	static struct buf taken;
	struct job job;
	buf_clear(&taken);
	int found = WRITE(office, outbox_take(office->store, destination, &job, &office->e));
	assert_true(found >= 0);
	assert_int_equal(found, job.count > 0);
	for (size_t i = 0; i < job.count; i++)
		buf_printf(&taken, "%s ", job.recipients[i].address);
	job_free(&job);
	return buf_text(&taken);
}

/* Destinations that are due, "a b ". */
static const char *due(struct test_office *office)
{
	static struct buf names;
	struct job_due due;
	buf_clear(&names);
	assert_int_equal(outbox_due(office->store, &office->config, &due, &office->e), 0);
	for (size_t i = 0; i < due.count; i++)
		buf_printf(&names, "%s ", due.destinations[i]);
	return buf_text(&names);
}

/* ---- what goes in ---- */

static void one_message_has_a_row_for_each_recipient_outside(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	assert_int_equal(send_out(office, FAR, "budi@kantor.example", OTHER), 0);
	assert_int_equal(get_user(office, "budi@kantor.example").messages, 1);
	assert_int_equal(number(office, ALL_OUTGOING), 1);
	assert_int_equal(number(office, ALL_RECIPIENTS), 2);
	assert_int_equal(number(office, SQL("SELECT refs FROM bodies /* scans bodies */")), 2);
	assert_sound(office);
}

static void without_a_way_out_nobody_outside_is_taken(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_out(FAR, NULL, NULL);
	letter.delivery.way_out = OUT_NONE;
	assert_int_equal(post_letter(office, &letter, SLICE(LETTER)), 0);
	assert_int_equal(letter.results[0], ERR_DENIED);
	assert_int_equal(number(office, ALL_OUTGOING), 0);
	assert_int_equal(number(office, ALL_BODIES), 0);
}

static void a_domain_without_a_dot_is_none(void **state)
{
	struct test_office *office = *state;
	static const char *const wrong[] = {
		"a@localhost", "a@", "a", "a@far.example.", "a@[192.0.2.1]"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct letter letter = letter_out(wrong[i], NULL, NULL);
		assert_int_equal(post_letter(office, &letter, SLICE(LETTER)), 0);
		assert_int_equal(letter.results[0], i == 0 ? ERR_DENIED : ERR_INPUT);
	}
	assert_int_equal(number(office, ALL_OUTGOING), 0);
}

static void an_address_outside_is_written_once_and_as_it_came(void **state)
{
	struct test_office *office = *state;
	assert_int_equal(
		send_out(office, "Tamu@Far.Example", "Tamu@far.example", "tamu@far.example"), 0);
	assert_string_equal(take(office, "far.example"), "Tamu@Far.Example tamu@far.example ");
}

static void what_a_sender_asked_for_comes_with_the_job(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_out(FAR, NULL, NULL);
	struct job job;
	letter.recipients[0].notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
	letter.recipients[0].orcpt = SLICE("rfc822;tamu@far.example");
	letter.delivery.envid = SLICE("QQ314159");
	letter.delivery.ret = RETURN_FULL;
	assert_int_equal(post_letter(office, &letter, SLICE(LETTER)), 0);
	assert_int_equal(WRITE(office, outbox_take(office->store, "", &job, &office->e)), 1);
	assert_int_equal(job.recipients[0].notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	assert_string_equal(job.recipients[0].orcpt, "rfc822;tamu@far.example");
	assert_string_equal(job.envid, "QQ314159");
	assert_int_equal(job.ret, RETURN_FULL);
	assert_string_equal(job.sender, "ani@kantor.example");
	assert_string_equal(job.queue_id, "ABCDEFGHIJKL");
	assert_int_equal(job.size, strlen(RECEIVED LETTER));
	assert_true(job.sign);
	job_free(&job);
}

/* ---- reading it ---- */

static void read_out(struct test_office *office, int64_t id, struct buf *out, int expected)
{
	struct body_reader reader = {0};
	struct slice octets;
	assert_int_equal(body_open_outgoing(&reader, office->store, id, &office->e), 0);
	int failed;
	do {
		failed = body_next(&reader, &octets, &office->e);
		buf_add_slice(out, octets);
	} while (!failed && octets.len);
	assert_int_equal(failed, expected);
	body_close(&reader);
}

static void what_leaves_is_the_received_field_and_the_octets(void **state)
{
	struct test_office *office = *state;
	struct buf in = {0}, out = {0};
	struct letter letter = letter_out(FAR, NULL, NULL);
	fill(&in, 2 * BODY_PIECE + 7);
	assert_int_equal(post_letter(office, &letter, buf_slice(&in)), 0);
	read_out(office, 1, &out, 0);
	assert_int_equal(out.len, strlen(RECEIVED) + in.len);
	assert_memory_equal(out.at, RECEIVED, strlen(RECEIVED));
	assert_memory_equal(out.at + strlen(RECEIVED), in.at, in.len);
	buf_free(&in);
	buf_free(&out);
	assert_sound(office);
}

static void damage_is_told_when_it_is_read_and_by_the_check(void **state)
{
	struct test_office *office = *state;
	struct buf out = {0}, findings = {0};
	struct body_reader reader = {0};
	send_out(office, FAR, NULL, NULL);
	send_out(office, OTHER, NULL, NULL);
	assert_int_equal(
		db_script(office->store,
			"UPDATE pieces SET octets = zeroblob(length(octets)) WHERE id >> 20 = 1;"
			"UPDATE outgoing SET checksum = 0 WHERE id = 2",
			&office->e),
		0);
	read_out(office, 1, &out, -1);
	assert_int_equal(office->e.kind, ERR_DAMAGED);
	assert_int_equal(body_open_outgoing(&reader, office->store, 2, &office->e), -1);
	assert_int_equal(office->e.kind, ERR_DAMAGED);
	assert_int_equal(body_open_outgoing(&reader, office->store, 3, &office->e), -1);
	assert_int_equal(office->e.kind, ERR_MISSING);
	assert_int_equal(mail_check(office->store, keep_finding, &findings, &office->e), 2);
	assert_non_null(strstr(buf_text(&findings), "outgoing message ABCDEFGHIJKL of "
						    "<ani@kantor.example>: its octets are not"));
	assert_non_null(strstr(buf_text(&findings), "the field in front of it is not"));
	buf_free(&findings);
	buf_free(&out);
}

static void a_body_that_waits_to_leave_outlives_purge_and_full_disk(void **state)
{
	struct test_office *office = *state;
	struct buf out = {0};
	add_user(office, "budi@kantor.example");
	send_out(office, FAR, "budi@kantor.example", NULL);
	const int64_t entry = 1;
	WRITE(office,
		maildrop_delete(office->store, get_user(office, "budi@kantor.example").id,
			folder_id(office, "budi@kantor.example", "Inbox"), &entry, 1, &office->e));
	while (WRITE(office, mail_purge_step(office->store, 0, true, 1 << 20, &office->e)) > 0)
		;
	read_out(office, 1, &out, 0);
	assert_int_equal(
		WRITE(office, outbox_remove(office->store, SLICE("ABCDEFGHIJKL"), &office->e)), 1);
	while (WRITE(office, mail_purge_step(office->store, 0, false, 1 << 20, &office->e)) > 0)
		;
	assert_int_equal(number(office, ALL_BODIES), 0);
	assert_int_equal(number(office, ALL_OUTGOING), 0);
	assert_sound(office);
	buf_free(&out);
}

/* ---- what is due ---- */

static void destinations_are_due_by_domain_and_the_longest_due_first(void **state)
{
	struct test_office *office = *state;
	assert_string_equal(due(office), "");
	send_out(office, OTHER, NULL, NULL);
	pass(office, 1);
	send_out(office, FAR, "x@FAR.example", NULL);
	assert_string_equal(due(office), "other.example far.example ");
	assert_string_equal(take(office, "far.example"), "tamu@far.example x@FAR.example ");
	assert_string_equal(take(office, "far.example"), "");
	assert_string_equal(due(office), "other.example ");
}

static void with_a_smarthost_all_destinations_are_one(void **state)
{
	struct test_office *office = *state;
	strcpy(office->config.smarthost, "mail.provider.example:587");
	assert_string_equal(due(office), "");
	send_out(office, FAR, OTHER, NULL);
	assert_string_equal(due(office), " ");
	assert_string_equal(take(office, ""), "tamu@far.example tamu@other.example ");
	assert_string_equal(due(office), "");
}

static void what_is_tried_is_due_again_when_the_writer_begins_anew(void **state)
{
	struct test_office *office = *state;
	send_out(office, FAR, NULL, NULL);
	assert_string_equal(take(office, ""), FAR " ");
	assert_string_equal(due(office), "");
	pass(office, 5);
	assert_int_equal(WRITE(office, outbox_begin(office->store, &office->e)), 0);
	assert_string_equal(due(office), "far.example ");
	assert_int_equal(
		number(office, SQL("SELECT attempts FROM recipients /* scans recipients */")), 1);
}

static void set_next_try(struct test_office *office, int64_t when)
{
	struct buf sql = {0};
	buf_printf(&sql, "UPDATE recipients SET next_try = %lld", (long long)when);
	assert_int_equal(db_script(office->store, buf_text(&sql), &office->e), 0);
	buf_free(&sql);
}

static void what_waits_is_due_at_its_time(void **state)
{
	struct test_office *office = *state;
	struct job_due found;
	assert_int_equal(outbox_due(office->store, &office->config, &found, &office->e), 0);
	assert_true(found.wait_ms == UINT64_MAX);
	send_out(office, FAR, NULL, NULL);
	set_next_try(office, NOW + 3);
	assert_string_equal(due(office), "");
	assert_string_equal(take(office, ""), "");
	assert_int_equal(outbox_due(office->store, &office->config, &found, &office->e), 0);
	assert_int_equal(found.wait_ms, 3000);
	pass(office, 3);
	assert_string_equal(due(office), "far.example ");
}

/* A clock that ran ahead when the attempt failed, and has been set right since. */
static void what_would_wait_for_years_is_due_now(void **state)
{
	struct test_office *office = *state;
	send_out(office, FAR, NULL, NULL);
	set_next_try(office, NOW + 8 * HOUR);
	assert_string_equal(due(office), "");
	set_next_try(office, NOW + 8 * HOUR + 1);
	assert_string_equal(due(office), "far.example ");
	assert_string_equal(take(office, "far.example"), FAR " ");
}

static void a_message_for_many_comes_as_several_jobs(void **state)
{
	struct test_office *office = *state;
	struct envelope_recipient many[JOB_RECIPIENTS_MOST + 1];
	char addresses[JOB_RECIPIENTS_MOST + 1][32];
	enum err_kind results[JOB_RECIPIENTS_MOST + 1];
	struct letter letter = letter_out(NULL, NULL, NULL);
	struct job job;
	for (size_t i = 0; i <= JOB_RECIPIENTS_MOST; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "n%zu@far.example", i);
		many[i] = (struct envelope_recipient){.address = slice_of(addresses[i])};
	}
	letter.delivery.recipients = many;
	letter.delivery.recipient_count = JOB_RECIPIENTS_MOST + 1;
	WRITE(office, append_all(office, &letter.body, SLICE(LETTER)) ||
			      deliver(office->store, &office->config, &letter.delivery,
				      &letter.body, results, &office->e));
	assert_int_equal(WRITE(office, outbox_take(office->store, "", &job, &office->e)), 1);
	assert_int_equal(job.count, JOB_RECIPIENTS_MOST);
	job_free(&job);
	assert_string_equal(take(office, ""), "n100@far.example ");
}

/* ---- how many in an hour ---- */

static void past_the_limit_recipients_are_held_and_that_is_told_once(void **state)
{
	struct test_office *office = *state;
	office->config.per_hour = 2;
	assert_int_equal(send_out(office, FAR, NULL, NULL), 0);
	assert_int_equal(send_out(office, FAR, OTHER, NULL), 1);
	assert_int_equal(send_out(office, FAR, NULL, NULL), 0);
	struct outbox_totals totals;
	assert_int_equal(outbox_count(office->store, &totals, &office->e), 0);
	assert_int_equal(totals.messages, 3);
	assert_int_equal(totals.recipients, 4);
	assert_int_equal(totals.held, 2);
	assert_int_equal(totals.oldest, NOW);
	assert_string_equal(take(office, "other.example"), "");
	assert_string_equal(take(office, ""), FAR " ");
	assert_string_equal(take(office, ""), FAR " ");
	assert_string_equal(take(office, ""), "");
}

static void the_limit_is_each_sender_s_own_and_of_an_hour(void **state)
{
	struct test_office *office = *state;
	struct letter other = letter_out(FAR, NULL, NULL);
	office->config.per_hour = 2;
	send_out(office, FAR, OTHER, NULL);
	strcpy(other.delivery.who, "user 6");
	assert_int_equal(post_letter(office, &other, SLICE(LETTER)), 0);
	assert_int_equal(send_out(office, FAR, NULL, NULL), 1);
	pass(office, HOUR + 5 * MINUTE);
	assert_int_equal(send_out(office, FAR, OTHER, NULL), 0);
	assert_int_equal(number(office, SQL("SELECT count(*) FROM hours /* scans hours */")), 1);
}

static void what_was_sent_by_a_clock_that_ran_ahead_is_not_counted(void **state)
{
	struct test_office *office = *state;
	uint64_t count;
	office->config.per_hour = 1;
	pass(office, 400 * HOUR);
	send_out(office, FAR, NULL, NULL);
	pass(office, -400 * HOUR);
	assert_int_equal(outbox_count_hour(office->store, "user 5", &count, &office->e), 0);
	assert_int_equal(count, 0);
	assert_int_equal(send_out(office, FAR, NULL, NULL), 0);
	assert_int_equal(outbox_count_hour(office->store, "user 5", &count, &office->e), 0);
	assert_int_equal(count, 1);
}

/* ---- for people ---- */

static int keep_item(const struct outbox_item *item, void *arg)
{
	buf_printf(arg, "%.*s %.*s %lld %s;", (int)item->queue_id.len, item->queue_id.at,
		(int)item->recipient.len, item->recipient.at, (long long)item->attempts,
		item->held       ? "held"
		: item->next_try ? "waiting"
				 : "trying");
	return 0;
}

static void expect_items(struct test_office *office, const char *queue_id, const char *expected)
{
	struct buf items = {0};
	assert_int_equal(
		outbox_each(office->store, slice_of(queue_id), keep_item, &items, &office->e), 0);
	assert_string_equal(buf_text(&items), expected);
	buf_free(&items);
}

static void a_command_sees_releases_and_removes(void **state)
{
	struct test_office *office = *state;
	struct letter second = letter_out(OTHER, NULL, NULL);
	office->config.per_hour = 1;
	send_out(office, FAR, OTHER, NULL);
	strcpy(second.delivery.queue_id, "SECOND");
	post_letter(office, &second, SLICE(LETTER));
	assert_string_equal(take(office, ""), FAR " ");
	expect_items(office, "",
		"ABCDEFGHIJKL tamu@far.example 1 trying;"
		"ABCDEFGHIJKL tamu@other.example 0 held;"
		"SECOND tamu@other.example 0 held;");
	assert_int_equal(
		WRITE(office, outbox_retry(office->store, SLICE("SECOND"), &office->e)), 1);
	expect_items(office, "SECOND", "SECOND tamu@other.example 0 waiting;");
	assert_int_equal(WRITE(office, outbox_retry(office->store, SLICE(""), &office->e)), 2);
	assert_int_equal(
		WRITE(office, outbox_remove(office->store, SLICE("ABCDEFGHIJKL"), &office->e)), 2);
	assert_int_equal(
		WRITE(office, outbox_remove(office->store, SLICE("ABCDEFGHIJKL"), &office->e)), 0);
	expect_items(office, "", "SECOND tamu@other.example 0 waiting;");
	assert_sound(office);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(one_message_has_a_row_for_each_recipient_outside),
		OFFICE_TEST(without_a_way_out_nobody_outside_is_taken),
		OFFICE_TEST(a_domain_without_a_dot_is_none),
		OFFICE_TEST(an_address_outside_is_written_once_and_as_it_came),
		OFFICE_TEST(what_a_sender_asked_for_comes_with_the_job),
		OFFICE_TEST(what_leaves_is_the_received_field_and_the_octets),
		OFFICE_TEST(damage_is_told_when_it_is_read_and_by_the_check),
		OFFICE_TEST(a_body_that_waits_to_leave_outlives_purge_and_full_disk),
		OFFICE_TEST(destinations_are_due_by_domain_and_the_longest_due_first),
		OFFICE_TEST(with_a_smarthost_all_destinations_are_one),
		OFFICE_TEST(what_is_tried_is_due_again_when_the_writer_begins_anew),
		OFFICE_TEST(what_waits_is_due_at_its_time),
		OFFICE_TEST(what_would_wait_for_years_is_due_now),
		OFFICE_TEST(a_message_for_many_comes_as_several_jobs),
		OFFICE_TEST(past_the_limit_recipients_are_held_and_that_is_told_once),
		OFFICE_TEST(the_limit_is_each_sender_s_own_and_of_an_hour),
		OFFICE_TEST(what_was_sent_by_a_clock_that_ran_ahead_is_not_counted),
		OFFICE_TEST(a_command_sees_releases_and_removes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
