/* store/devices: what devices are, and until when they count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "store/keyring.h"
#include "store/password.h"
#include "tests/unit/devices.h"

/* ---- rows ---- */

static void a_device_has_a_name_that_is_a_word_and_a_password_of_its_own(void **state)
{
	struct test_office *office = *state;
	static const char *const wrong[] = {"", "a b", "a\tb", "a=b", "\"", "-x", "telepon/1", "é",
		"12345678901234567890123456789012345678901234567890123456789012345"};
	furnish(office, 0);
	add_person(office, BUDI);
	add(office, "hp");
	add(office, "PC-kantor_2.1");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(add_as(office, ANI, wrong[i], HASH "w"), -1);
		assert_int_equal(office->e.kind, ERR_INPUT);
	}
	assert_int_equal(add_as(office, ANI, "HP", HASH "x"), -1);
	assert_int_equal(office->e.kind, ERR_EXISTS);
	assert_int_equal(add_as(office, ANI, "other", HASH "hp"), -1);
	assert_int_equal(office->e.kind, ERR_EXISTS);
	assert_int_equal(add_as(office, ANI, "other", OWN), -1);
	assert_int_equal(office->e.kind, ERR_EXISTS);
	/* Of another setting: the password was changed while somebody typed. */
	assert_int_equal(add_as(office, ANI, "other", "$y$j75$elsewhere$x"), -1);
	assert_int_equal(office->e.kind, ERR_EXISTS);
	assert_int_equal(add_as(office, BUDI, "hp", HASH "hp"), 0); /* another's */
	assert_int_equal(get_user(office, ANI).devices, 2);
	assert_int_equal(get_user(office, BUDI).devices, 1);
}

static void a_user_has_so_many_devices_and_no_more(void **state)
{
	struct test_office *office = *state;
	struct device *devices;
	size_t count;
	char name[16];
	furnish(office, 0);
	for (int i = 0; i < DEVICES_MAX; i++) {
		snprintf(name, sizeof(name), "d%02d", i);
		add(office, name);
	}
	assert_int_equal(add_as(office, ANI, "more", HASH "more"), -1);
	assert_int_equal(office->e.kind, ERR_LIMITED);
	assert_int_equal(
		devices_load(office->store, get_user(office, ANI).id, &devices, &count, &office->e),
		0);
	assert_int_equal(count, DEVICES_MAX);
	for (size_t i = 1; i < count; i++)
		assert_true(strcmp(devices[i - 1].name, devices[i].name) < 0);
	devices_free(devices, count);
}

static void the_setting_is_that_of_the_devices_or_the_password_s_where_it_is_ours(void **state)
{
	struct test_office *office = *state;
	char like[HASH_MAX];
	furnish(office, 0);
	struct user user = get_user(office, ANI);
	assert_int_equal(devices_setting(office->store, &user, like, &office->e), 0);
	assert_string_equal(like, OWN);
	WRITE(office, users_set_hash(office->store, user.id, "$6$salt$x", &office->e));
	user = get_user(office, ANI);
	assert_int_equal(devices_setting(office->store, &user, like, &office->e), 0);
	assert_string_equal(like, "");
	add(office, "hp");
	assert_int_equal(devices_setting(office->store, &user, like, &office->e), 0);
	assert_string_equal(like, HASH "hp");
	assert_int_equal(
		WRITE(office, devices_check_password(office->store, &user, HASH "hp", &office->e)),
		-1);
	assert_int_equal(office->e.kind, ERR_EXISTS);
}

static void a_ring_has_the_own_password_first(void **state)
{
	struct test_office *office = *state;
	struct keyring ring = {0};
	const char *hashes[KEYRING_MAX];
	furnish(office, 0);
	struct user user = get_user(office, ANI), nobody = {0};
	assert_int_equal(keyring_load(&ring, office->store, &user, &office->e), 0);
	assert_int_equal(keyring_hashes(&ring, hashes), 1);
	add(office, "b");
	int64_t gone = add(office, "a");
	add(office, "c");
	WRITE(office, ({
		int64_t at = 0;
		devices_remove(office->store, gone, &at, &office->e);
	})); /* begun, and broken off: it has no password any more */
	user = get_user(office, ANI);
	assert_int_equal(keyring_load(&ring, office->store, &user, &office->e), 0);
	assert_int_equal(keyring_hashes(&ring, hashes), 3);
	assert_string_equal(hashes[0], OWN);
	assert_string_equal(hashes[1], HASH "b");
	assert_string_equal(hashes[2], HASH "c");
	assert_null(keyring_device(&ring, 0));
	assert_string_equal(keyring_device(&ring, 2)->name, "c");

	keyring_try(&ring, SLICE("ani"), SLICE("x"));
	assert_int_equal(keyring_find_fresh(&ring, 1000), -1);
	logins_found_right(&ring.pairs[2], 1000);
	assert_int_equal(keyring_find_fresh(&ring, 1000), 2);
	assert_int_equal(keyring_find_fresh(&ring, 1000 + LOGIN_FRESH_MS), -1);
	assert_true(keyring_is_remembered(&ring, 1000 + LOGIN_FRESH_MS));
	keyring_try(&ring, SLICE("ani"), SLICE("y"));
	assert_int_equal(keyring_find_fresh(&ring, 1000), -1);

	assert_int_equal(keyring_load(&ring, office->store, &nobody, &office->e), 0);
	assert_int_equal(keyring_hashes(&ring, hashes), 0);
	keyring_try(&ring, SLICE("siti"), SLICE("x"));
	assert_int_equal(keyring_find_fresh(&ring, 1000), -1);
	keyring_free(&ring);
}

/* ---- how long one counts ---- */

static int settle_all(struct test_office *office)
{
	int64_t at = 0, left = 0;
	int more;
	do
		more = WRITE(office, devices_settle_step(office->store, &at, &left, &office->e));
	while (more == 1);
	assert_int_equal(more, 0);
	return (int)left;
}

static void a_removal_goes_in_steps_and_can_be_begun_again(void **state)
{
	struct test_office *office = *state;
	int64_t at = 0;
	furnish(office, 0);
	int64_t inbox = folder_id(office, ANI, "Inbox");
	for (int i = 0; i < DEVICES_STEP + 10; i++)
		file_entry(office, inbox, 10);
	int64_t hp, pc;
	add_two(office, &hp, &pc);
	for (int64_t id = 1; id <= DEVICES_STEP + 10; id++)
		erase(office, pc, id);
	assert_int_equal(get_user(office, ANI).messages, DEVICES_STEP + 10);
	/* The first step ends its logins. */
	assert_int_equal(WRITE(office, devices_remove(office->store, hp, &at, &office->e)), 1);
	REFUSED(office, ERR_MISSING, devices_check(office->store, hp, &office->e));
	REFUSED(office, ERR_MISSING, erase_in(office, hp, &(int64_t){1}, 1));
	assert_int_equal(WRITE(office, devices_remove(office->store, hp, &at, &office->e)), 1);
	assert_int_equal(get_user(office, ANI).messages, 10);
	assert_int_equal(get_user(office, ANI).devices, 2);
	/* Broken off here: the name is not free, and the command goes on with it. */
	assert_int_equal(add_as(office, ANI, "hp", HASH "new"), -1);
	assert_non_null(strstr(office->e.text, "being removed"));
	remove_device(office, hp);
	assert_int_equal(get_user(office, ANI).messages, 0);
	assert_int_equal(get_user(office, ANI).devices, 1);
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	REFUSED(office, ERR_MISSING, devices_remove(office->store, hp, &at, &office->e));
}

static void unused_for_60_days_it_holds_nothing_any_more(void **state)
{
	struct test_office *office = *state;
	furnish(office, 3);
	int64_t hp, pc;
	add_two(office, &hp, &pc);
	erase(office, pc, 1);
	int64_t now = START + DEVICE_COUNTS - 1;
	store_set_clock(office->store, now);
	log_in(office, pc, true);
	assert_int_equal(settle_all(office), 0);
	assert_true(is_there(office, 1));
	erase(office, pc, 2);
	assert_true(is_there(office, 2));
	assert_int_equal(devices_counts_until(office->store, START), START + DEVICE_COUNTS);
	store_set_clock(office->store, now + 1);
	assert_int_equal(devices_counts_until(office->store, START), 0);
	assert_true(is_there(office, 1)); /* until it is looked at */
	assert_int_equal(settle_all(office), 2);
	assert_false(is_there(office, 1));
	erase(office, pc, 3);
	assert_false(is_there(office, 3));
	/* Used again it counts again, and what has left stays away. */
	post(office, ANI, LETTER);
	log_in(office, hp, true);
	assert_int_equal(count_seen(office, hp), 1);
	erase(office, pc, 4);
	assert_true(is_there(office, 4));
	assert_sound(office);
}

static void a_clock_that_jumps_ends_no_view(void **state)
{
	struct test_office *office = *state;
	furnish(office, 3);
	int64_t hp = add(office, "hp"), pc = add(office, "pc");
	WRITE(office, mail_purge_step(office->store, 86400, false, 1 << 20, &office->e));
	log_in(office, hp, true);
	log_in(office, pc, true);
	erase(office, pc, 1);
	store_set_clock(office->store, START + 3650LL * DAY);
	assert_int_equal(settle_all(office), 0);
	erase(office, pc, 2);
	assert_true(is_there(office, 2));
	store_set_clock(office->store, 1000);
	assert_int_equal(settle_all(office), 0);
	log_in(office, pc, true); /* dated back it would count no more */
	store_set_clock(office->store, START);
	erase(office, hp, 3);
	assert_true(is_there(office, 3));
	assert_int_equal(count_seen(office, pc), 1);
}

static void logins_are_kept_to_the_hour(void **state)
{
	struct test_office *office = *state;
	struct device device;
	furnish(office, 0);
	int64_t hp = add(office, "hp");
	log_in(office, hp, true);
	store_set_clock(office->store, START + HOUR - 1);
	log_in(office, hp, true);
	log_in(office, 0, true);
	devices_find_id(office->store, hp, &device, &office->e);
	assert_int_equal(device.last_login, START);
	assert_int_equal(device.viewed, START);
	assert_int_equal(get_user(office, ANI).last_login, START); /* by any */
	assert_int_equal(get_user(office, ANI).viewed, START + HOUR - 1);
	store_set_clock(office->store, START + HOUR);
	log_in(office, hp, false);
	devices_find_id(office->store, hp, &device, &office->e);
	assert_int_equal(device.last_login, START + HOUR);
	assert_int_equal(device.viewed, START);
}

struct stopped {
	char text[400];
};

static void keep_stopping(const struct device_stopping *stopping, void *arg)
{
	struct stopped *stopped = arg;
	size_t len = strlen(stopped->text);
	snprintf(stopped->text + len, sizeof(stopped->text) - len, "%s/%s+%lld ", stopping->address,
		stopping->name, (long long)(stopping->until - START));
}

static void who_stops_counting_in_a_week_is_told(void **state)
{
	struct test_office *office = *state;
	struct stopped stopped = {""};
	furnish(office, 0);
	int64_t hp = add(office, "hp"), pc = add(office, "pc");
	add(office, "unused");
	log_in(office, hp, true);
	log_in(office, 0, true);
	store_set_clock(office->store, START + 53 * DAY - 1);
	log_in(office, pc, true);
	devices_each_stopping(office->store, 7 * DAY, keep_stopping, &stopped, &office->e);
	assert_string_equal(stopped.text, "");
	store_set_clock(office->store, START + 53 * DAY);
	devices_each_stopping(office->store, 7 * DAY, keep_stopping, &stopped, &office->e);
	assert_string_equal(stopped.text, ANI "/+5184000 " ANI "/hp+5184000 ");
	store_set_clock(office->store, START + 60 * DAY);
	stopped.text[0] = '\0';
	devices_each_stopping(office->store, 7 * DAY, keep_stopping, &stopped, &office->e);
	assert_string_equal(stopped.text, "");
}

static void a_user_who_goes_takes_the_devices_along(void **state)
{
	struct test_office *office = *state;
	furnish(office, 3);
	int64_t hp, pc;
	add_two(office, &hp, &pc);
	erase(office, pc, 1);
	erase(office, hp, 2);
	int64_t id = get_user(office, ANI).id;
	assert_int_equal(WRITE(office, users_remove(office->store, id, &office->e)), 0);
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	assert_int_equal(
		number(office, SQL("SELECT count(*) FROM devices /* scans devices */")), 0);
	/* Come back there are none, and all is deleted. */
	add_user(office, ANI);
	assert_int_equal(get_user(office, ANI).id, id);
	assert_int_equal(get_user(office, ANI).devices, 0);
	assert_int_equal(get_user(office, ANI).messages, 0);
	assert_sound(office);
	store_set_clock(office->store, START + 30 * DAY);
	assert_int_equal(WRITE(office, users_remove(office->store, id, &office->e)), 0);
	assert_sound(office);
}

/* ---- what check finds, and what is swept ---- */

static void what_is_wrong_is_found(void **state)
{
	struct test_office *office = *state;
	static const struct {
		const char *sql, *words;
	} wrong[] = {
		{"UPDATE users SET devices = 5 WHERE id = 1", "counts 5 devices, has 2"},
		{"UPDATE devices SET hash = '$y$j75$other$x' WHERE id = 2", "device pc: its hash"},
		{"UPDATE users SET hash = '$y$j75$other$x' WHERE id = 1",
			"officemail user passwd " ANI},
		{"UPDATE devices SET hash = '' WHERE id = 2", "device remove " ANI " pc"},
		{"INSERT INTO hidden VALUES (99, 1, 0)", "message 99, which is not there"},
		{"INSERT INTO hidden VALUES (1, 99, 0)", "message 1: it is hidden"},
	};
	furnish(office, 1);
	add(office, "hp");
	add(office, "pc");
	assert_sound(office);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct buf findings = {0};
		assert_int_equal(store_begin(office->store, &office->e), 0);
		assert_int_equal(db_script(office->store, wrong[i].sql, &office->e), 0);
		assert_int_equal(store_commit(office->store, &office->e), 0);
		int count = mail_check(office->store, keep_finding, &findings, &office->e);
		if (count < 1 || !strstr(buf_text(&findings), wrong[i].words))
			fail_msg("%s: %s", wrong[i].sql, buf_text(&findings));
		buf_free(&findings);
		/* as it was */
		assert_int_equal(
			db_script(office->store,
				"UPDATE users SET devices = 2, hash = '" OWN "' WHERE id = 1;"
				"UPDATE devices SET hash = '" HASH "pc' WHERE id = 2;"
				"DELETE FROM hidden",
				&office->e),
			0);
		assert_sound(office);
	}
}

/* What belongs to nobody is harmless, and goes by itself. */
static void what_is_left_over_is_swept(void **state)
{
	struct test_office *office = *state;
	furnish(office, 1);
	int64_t hp = add(office, "hp");
	log_in(office, hp, true);
	log_in(office, 0, true);
	assert_int_equal(
		db_script(office->store,
			"INSERT INTO hidden VALUES (99, 1, 0), (99, 0, 0), (1, 77, 0)", &office->e),
		0);
	assert_int_equal(settle_all(office), 0);
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	assert_true(is_there(office, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(a_device_has_a_name_that_is_a_word_and_a_password_of_its_own),
		OFFICE_TEST(a_user_has_so_many_devices_and_no_more),
		OFFICE_TEST(the_setting_is_that_of_the_devices_or_the_password_s_where_it_is_ours),
		OFFICE_TEST(a_ring_has_the_own_password_first),
		OFFICE_TEST(a_removal_goes_in_steps_and_can_be_begun_again),
		OFFICE_TEST(unused_for_60_days_it_holds_nothing_any_more),
		OFFICE_TEST(a_clock_that_jumps_ends_no_view),
		OFFICE_TEST(logins_are_kept_to_the_hour),
		OFFICE_TEST(who_stops_counting_in_a_week_is_told),
		OFFICE_TEST(a_user_who_goes_takes_the_devices_along),
		OFFICE_TEST(what_is_wrong_is_found),
		OFFICE_TEST(what_is_left_over_is_swept),
	};
	return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
