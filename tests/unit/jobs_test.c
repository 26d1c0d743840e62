/* store/jobs.h: relay and deliveries, and the real writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/outbox.h"
#include "tests/unit/house.h"

#define FAR "tamu@far.example"

static const struct job_result done = {
	.outcome = JOB_DONE, .host = "mx.far.example", .reply = "250 Ok", .status = "2.0.0"};
static const struct job_result refused = {
	.outcome = JOB_FAILED, .host = "mx.far.example", .reply = "550 No", .status = "5.1.1"};

static struct channel join_delivery(struct house *house)
{
	struct channel writer = join(house, WRITER, SERVICE_DELIVERY);
	assert_int_equal(job_begin(&writer, "far.example", &house->e), 0);
	return writer;
}

/* A login, and its channel to the writer. */
static struct login log_in_to_send(struct house *house, struct channel *writer)
{
	struct login login;
	struct channel directory = join(house, DIRECTORY, SERVICE_SUBMISSION);
	assert_int_equal(request_login(&directory, SLICE(ANI), SLICE(ANIS), &login, &house->e), 0);
	channel_close(&directory);
	*writer = join(house, WRITER, SERVICE_SUBMISSION);
	return login;
}

static void submit_to(
	struct house *house, const struct envelope_recipient *recipients, size_t count)
{
	struct channel writer;
	struct login login = log_in_to_send(house, &writer);
	enum err_kind results[2];
	const struct delivery delivery = {.sender = SLICE(ANI),
		.recipients = recipients,
		.recipient_count = count,
		.received = SLICE(RECEIVED),
		.queue_id = "ABCDEFGHIJKL"};
	if (request_deliver(&writer, &login.ticket, &delivery,
		    SLICE("From: " ANI "\r\nSubject: out\r\n\r\nGood day.\r\n"), results,
		    &house->e) < 0)
		fail_msg("%s", house->e.text);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(results[i], ERR_NONE);
	channel_close(&writer);
}

static void submit(struct house *house, const char *recipient)
{
	const struct envelope_recipient one = {.address = slice_of(recipient)};
	submit_to(house, &one, 1);
}

static int next(struct house *house, struct channel *writer, const struct job *before,
	const struct job_result *results, struct job *job)
{
	int found = job_next(writer, before, results, job, &house->e);
	if (found < 0)
		fail_msg("%s", house->e.text);
	return found;
}

static struct job take(struct house *house, struct channel *writer)
{
	struct job job;
	assert_int_equal(next(house, writer, NULL, NULL, &job), 1);
	return job;
}

static struct job_result result_of(const struct job_result *like, const struct job *job)
{
	struct job_result result = *like;
	result.recipient_id = job->recipients[0].id;
	return result;
}

static size_t count_due(struct house *house)
{
	struct job_due due;
	struct channel relay = join(house, WRITER, SERVICE_RELAY);
	assert_int_equal(job_due(&relay, &due, &house->e), 0);
	channel_close(&relay);
	return due.count;
}

static void make_all_due(struct test_office *office)
{
	assert_int_equal(
		db_script(office->store, "UPDATE recipients SET next_try = 0", &office->e), 0);
}

static void assert_nothing_waits(struct test_office *office)
{
	assert_int_equal(
		number(office, SQL("SELECT count(*) FROM recipients /* scans recipients */")), 0);
}

static void assert_waits_after_one_attempt(struct test_office *office)
{
	assert_int_equal(
		number(office,
			SQL("SELECT state = 'waiting' AND attempts = 1 AND last_status = '4.4.2'"
			    " FROM recipients /* scans recipients */")),
		1);
}

/* ---- ---- */

static void a_message_is_due_taken_read_and_gone(void **state)
{
	struct house *house = *state;
	struct channel relay = join(house, WRITER, SERVICE_RELAY), writer = join_delivery(house);
	struct job_due due;
	struct job job, none;
	assert_int_equal(job_due(&relay, &due, &house->e), 0);
	assert_int_equal(due.count, 0);
	submit(house, FAR);
	assert_int_equal(job_due(&relay, &due, &house->e), 0);
	assert_int_equal(due.count, 1);
	assert_string_equal(due.destinations[0], "far.example");
	job = take(house, &writer);
	assert_string_equal(job.sender, ANI);
	assert_string_equal(job.queue_id, "ABCDEFGHIJKL");
	assert_string_equal(job.recipients[0].address, FAR);
	assert_true(job.sign);
	struct job_result result = result_of(&done, &job);
	assert_int_equal(next(house, &writer, &job, &result, &none), 0);
	with_store(house, assert_nothing_waits);
	assert_int_equal(count_messages(house, ANI), 0);
	job_free(&job);
	channel_close(&relay);
	channel_close(&writer);
}

static void what_was_refused_is_in_the_sender_s_inbox_with_the_next_answer(void **state)
{
	struct house *house = *state;
	struct channel writer = join_delivery(house);
	submit(house, FAR);
	struct job job = take(house, &writer);
	struct job_result result = result_of(&refused, &job);
	assert_int_equal(job_next(&writer, &job, &result, NULL, &house->e), 0);
	assert_int_equal(count_messages(house, ANI), 1);
	job_free(&job);
	channel_close(&writer);
}

static void the_relay_hears_that_mail_has_come(void **state)
{
	struct house *house = *state;
	struct channel relay = join(house, WRITER, SERVICE_RELAY);
	struct job_due due;
	int heard;
	assert_int_equal(job_due(&relay, &due, &house->e), 0);
	submit(house, FAR);
	while ((heard = job_hear_due_anew(&relay, &house->e)) == 0)
		;
	assert_int_equal(heard, 1);
	/* Once, until it asks. */
	submit(house, FAR);
	file(house, ANI, LETTER);
	assert_int_equal(job_hear_due_anew(&relay, &house->e), 0);
	assert_int_equal(job_due(&relay, &due, &house->e), 0);
	file(house, ANI, LETTER); /* nobody's business */
	assert_int_equal(job_hear_due_anew(&relay, &house->e), 0);
	submit(house, FAR);
	assert_int_equal(
		job_due(&relay, &due, &house->e), 0); /* over a frame that was on its way */
	assert_int_equal(due.count, 1);
	channel_close(&relay);
}

static void wait_until_it_waits(struct house *house)
{
	for (bool waits = false; !waits;) {
		file(house, ANI, LETTER);
		struct test_office *office = house->office;
		assert_int_equal(store_open(&office->store, office->data, STORE_TOOL, SYNC_NORMAL,
					 &house->e),
			0);
		waits = number(office,
			SQL("SELECT state = 'waiting' FROM recipients /* scans recipients */"));
		store_close(office->store);
		office->store = NULL;
	}
}

static void what_a_delivery_held_when_it_went_waits_again(void **state)
{
	struct house *house = *state;
	struct channel writer = join_delivery(house);
	submit(house, FAR);
	struct job job = take(house, &writer);
	channel_close(&writer);
	/* Its end is seen before who comes later is served, and is committed soon. */
	wait_until_it_waits(house);
	with_store(house, assert_waits_after_one_attempt);
	job_free(&job);
}

static void refuse_to_let_wait(struct test_office *office)
{
	assert_int_equal(db_script(office->store,
				 "CREATE TRIGGER refusal BEFORE UPDATE OF next_try ON recipients"
				 " BEGIN SELECT raise(ABORT, 'not now'); END",
				 &office->e),
		0);
}

static void let_wait_again(struct test_office *office)
{
	assert_int_equal(db_script(office->store, "DROP TRIGGER refusal", &office->e), 0);
}

static void what_could_not_be_given_up_at_once_is_so_later(void **state)
{
	struct house *house = *state;
	struct channel writer = join_delivery(house);
	submit(house, FAR);
	struct job job = take(house, &writer);
	with_store(house, refuse_to_let_wait);
	channel_close(&writer);
	for (int i = 0; i < 10; i++) /* commits, with which it is tried */
		file(house, ANI, LETTER);
	with_store(house, let_wait_again);
	wait_until_it_waits(house);
	with_store(house, assert_waits_after_one_attempt);
	job_free(&job);
}

static void who_ends_in_order_gives_nothing_up(void **state)
{
	struct house *house = *state;
	struct channel writer = join_delivery(house);
	submit(house, FAR);
	submit(house, FAR);
	struct job job = take(house, &writer);
	struct job_result result = result_of(&done, &job);
	assert_int_equal(job_next(&writer, &job, &result, NULL, &house->e), 0);
	channel_close(&writer);
	assert_int_equal(count_due(house), 1);
	job_free(&job);
}

static void results_of_what_it_does_not_hold_end_a_delivery(void **state)
{
	struct house *house = *state;
	struct channel mine = join_delivery(house);
	submit(house, FAR);
	submit(house, FAR);
	struct job job = take(house, &mine), none;
	struct job_result result = result_of(&done, &job);
	struct channel his = join_delivery(house);
	assert_int_equal(job_next(&his, &job, &result, &none, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	channel_close(&his);
	struct job_result wrong = result;
	wrong.recipient_id++;
	struct channel second = join_delivery(house);
	struct job other = take(house, &second);
	assert_int_equal(job_next(&second, &other, &result, &none, &house->e), -1);
	channel_close(&second);
	/* Mine is as it was. */
	assert_int_equal(job_next(&mine, &job, &result, NULL, &house->e), 0);
	assert_int_equal(job_next(&mine, &job, &result, NULL, &house->e), -1);
	channel_close(&mine);
	job_free(&job);
	job_free(&other);
}

static void a_delivery_gets_and_tells_of_mail_for_its_own_destination_alone(void **state)
{
	struct house *house = *state;
	struct channel mute = join(house, WRITER, SERVICE_DELIVERY), his = join_delivery(house);
	struct job none;
	submit(house, "x@other.example");
	assert_int_equal(next(house, &his, NULL, NULL, &none), 0);
	assert_int_equal(
		job_unreachable(&his, "other.example", true, "5.1.2", "", "no", &house->e), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	assert_int_equal(job_next(&mute, NULL, NULL, &none, &house->e), -1);
	channel_close(&mute);
	mute = join(house, WRITER, SERVICE_DELIVERY);
	assert_int_equal(
		job_unreachable(&mute, "other.example", true, "5.1.2", "", "no", &house->e), -1);
	channel_close(&mute);
	channel_close(&his);
	/* Nor does it go elsewhere later. */
	his = join_delivery(house);
	assert_int_equal(job_begin(&his, "other.example", &house->e), 0);
	assert_int_equal(job_next(&his, NULL, NULL, &none, &house->e), -1);
	channel_close(&his);
	assert_int_equal(count_due(house), 1);
	assert_int_equal(count_messages(house, ANI), 0);
}

static void one_result_twice_and_none_of_another_end_a_delivery(void **state)
{
	struct house *house = *state;
	const struct envelope_recipient both[] = {
		{.address = SLICE(FAR)}, {.address = SLICE("x@far.example")}};
	struct channel writer = join_delivery(house);
	submit_to(house, both, 2);
	struct job job = take(house, &writer);
	assert_int_equal(job.count, 2);
	struct job_result result = result_of(&done, &job), twice[] = {result, result};
	assert_int_equal(job_next(&writer, &job, twice, NULL, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	channel_close(&writer);
	job_free(&job);
}

static void a_message_that_was_removed_meanwhile_takes_its_results_to_nobody(void **state)
{
	struct house *house = *state;
	struct channel writer = join_delivery(house);
	submit(house, FAR);
	struct job job = take(house, &writer), none;
	struct test_office *office = house->office;
	assert_int_equal(
		store_open(&office->store, office->data, STORE_TOOL, SYNC_NORMAL, &house->e), 0);
	assert_int_equal(
		WRITE(office, outbox_remove(office->store, SLICE("ABCDEFGHIJKL"), &office->e)), 1);
	store_close(office->store);
	office->store = NULL;
	struct job_result result = result_of(&refused, &job);
	assert_int_equal(next(house, &writer, &job, &result, &none), 0);
	assert_int_equal(count_messages(house, ANI), 0);
	job_free(&job);
	channel_close(&writer);
}

static void a_dead_destination_is_told_of_in_one_breath(void **state)
{
	struct house *house = *state;
	struct channel relay = join(house, WRITER, SERVICE_RELAY);
	submit(house, FAR);
	submit(house, "x@far.example");
	submit(house, "x@other.example");
	assert_int_equal(
		job_unreachable(&relay, "far.example", false, "4.4.1", "", "no answer", &house->e),
		0);
	assert_int_equal(count_due(house), 1);
	with_store(house, make_all_due);
	assert_int_equal(job_unreachable(&relay, "far.example", true, "5.1.2", "", "no such domain",
				 &house->e),
		0);
	assert_int_equal(count_due(house), 1);
	assert_int_equal(count_messages(house, ANI), 2);
	channel_close(&relay);
}

static void a_colleague_s_copy_is_reported_where_that_was_asked_for(void **state)
{
	struct house *house = *state;
	const struct envelope_recipient both[] = {
		{.address = SLICE(BUDI), .notify = NOTIFY_SUCCESS}, {.address = SLICE(FAR)}};
	submit_to(house, both, 2);
	assert_int_equal(count_messages(house, BUDI), 1);
	assert_int_equal(count_messages(house, ANI), 1);
	assert_int_equal(count_due(house), 1);
}

static void past_per_hour_the_postmaster_hears_once(void **state)
{
	struct house *house = *state;
	house->office->config.per_hour = 1;
	strcpy(house->office->config.postmaster, BUDI);
	channel_send(&house->masters[WRITER], ROLE_CONFIG,
		&(struct iovec){&house->office->config, sizeof(house->office->config)}, 1, NULL, 0,
		&house->e);
	file(house, ANI, LETTER); /* the settings are there */
	for (int i = 0; i < 4; i++)
		submit(house, FAR);
	assert_int_equal(count_messages(house, BUDI), 1);
}

static void only_relay_and_deliveries_may_ask(void **state)
{
	struct house *house = *state;
	static const unsigned types[] = {REQUEST_DUE, REQUEST_UNREACHABLE, REQUEST_NEXT};
	for (unsigned service = 0; service < SERVICE_KINDS; service++)
		for (size_t i = 0; i < 3; i++) {
			if (service == SERVICE_LOCAL || service == SERVICE_RELAY ||
				service == SERVICE_DELIVERY)
				continue;
			struct channel channel = join(house, WRITER, service);
			ask(house, &channel, types[i], SLICE(""));
			assert_sent_away(house, &channel);
		}
	struct channel relay = join(house, WRITER, SERVICE_RELAY);
	ask(house, &relay, REQUEST_NEXT, SLICE(""));
	assert_sent_away(house, &relay);
	struct channel delivery = join_delivery(house);
	ask(house, &delivery, REQUEST_DUE, SLICE(""));
	assert_sent_away(house, &delivery);
}

static void a_delivery_gets_the_store_s_files_without_a_login(void **state)
{
	struct house *house = *state;
	struct channel directory = join(house, DIRECTORY, SERVICE_DELIVERY);
	int fds[3];
	assert_int_equal(request_store_files(&directory, fds, &house->e), 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	assert_int_equal(request_store_files(&directory, fds, &house->e), -1);
	channel_close(&directory);
	struct channel relay = join(house, DIRECTORY, SERVICE_RELAY);
	assert_int_equal(request_store_files(&relay, fds, &house->e), -1);
	channel_close(&relay);
}

static void after_the_login_mail_may_leave_and_before_it_not(void **state)
{
	struct house *house = *state;
	struct login login;
	struct channel directory = join(house, DIRECTORY, SERVICE_SUBMISSION);
	assert_int_equal(request_resolve(&directory, SLICE(FAR), 0, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_DENIED);
	assert_int_equal(request_login(&directory, SLICE(ANI), SLICE(ANIS), &login, &house->e), 0);
	assert_int_equal(request_resolve(&directory, SLICE(FAR), 0, &house->e), 0);
	assert_int_equal(request_resolve(&directory, SLICE("a@localhost"), 0, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_DENIED);
	channel_close(&directory);
	struct channel world = join(house, DIRECTORY, SERVICE_SMTP);
	assert_int_equal(request_resolve(&world, SLICE(FAR), 0, &house->e), -1);
	channel_close(&world);
	struct channel printer = join(house, DIRECTORY, SERVICE_TRUSTED);
	assert_int_equal(request_resolve(&printer, SLICE(FAR), 0, &house->e), 0);
	channel_close(&printer);
}

static void what_the_writer_s_death_interrupts_is_due_at_once(void **state)
{
	struct house *house = *state;
	struct channel writer = join_delivery(house);
	int status;
	submit(house, FAR);
	struct job job = take(house, &writer);
	assert_int_equal(count_due(house), 0);
	kill(house->pids[WRITER], SIGKILL);
	waitpid(house->pids[WRITER], &status, 0);
	channel_close(&house->masters[WRITER]);
	start_role(house, WRITER);
	assert_int_equal(channel_receive(&house->masters[WRITER], &house->frame, &house->e), 1);
	assert_int_equal(count_due(house), 1);
	struct job_result result = result_of(&done, &job);
	struct job none;
	assert_int_equal(job_next(&writer, &job, &result, &none, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	channel_close(&writer);
	job_free(&job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOUSE_TEST(a_message_is_due_taken_read_and_gone),
		HOUSE_TEST(what_was_refused_is_in_the_sender_s_inbox_with_the_next_answer),
		HOUSE_TEST(the_relay_hears_that_mail_has_come),
		HOUSE_TEST(what_a_delivery_held_when_it_went_waits_again),
		HOUSE_TEST(what_could_not_be_given_up_at_once_is_so_later),
		HOUSE_TEST(who_ends_in_order_gives_nothing_up),
		HOUSE_TEST(results_of_what_it_does_not_hold_end_a_delivery),
		HOUSE_TEST(a_delivery_gets_and_tells_of_mail_for_its_own_destination_alone),
		HOUSE_TEST(one_result_twice_and_none_of_another_end_a_delivery),
		HOUSE_TEST(a_message_that_was_removed_meanwhile_takes_its_results_to_nobody),
		HOUSE_TEST(a_dead_destination_is_told_of_in_one_breath),
		HOUSE_TEST(a_colleague_s_copy_is_reported_where_that_was_asked_for),
		HOUSE_TEST(past_per_hour_the_postmaster_hears_once),
		HOUSE_TEST(only_relay_and_deliveries_may_ask),
		HOUSE_TEST(a_delivery_gets_the_store_s_files_without_a_login),
		HOUSE_TEST(after_the_login_mail_may_leave_and_before_it_not),
		HOUSE_TEST(what_the_writer_s_death_interrupts_is_due_at_once),
	};
	return cmocka_run_group_tests(tests, prepare, NULL);
}
