/* store/devices: who deletes for whom, and when a message leaves. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/devices.h"
#include "store/keyring.h"
#include "store/password.h"
#include "tests/unit/letters.h"
#include "tests/unit/office.h"

#define ANI   "ani@kantor.example"
#define BUDI  "budi@kantor.example"
#define START 1800000000
#define HOUR  3600
#define DAY   (24 * HOUR)

#define OWN        "$y$j75$kantorexample.an$own"
#define HASH       "$y$j75$kantorexample.an$" /* of a device, with its name behind */
#define ALL_HIDDEN SQL("SELECT count(*) FROM hidden /* scans hidden */")

static int add_as(
	struct test_office *office, const char *address, const char *name, const char *hash)
{
	const struct user user = get_user(office, address);
	return WRITE(office, devices_add(office->store, &user, slice_of(name), hash, &office->e));
}

static int64_t device_id(struct test_office *office, const char *address, const char *name)
{
	struct device device;
	assert_int_equal(devices_find(office->store, get_user(office, address).id, slice_of(name),
				 &device, &office->e),
		1);
	return device.id;
}

static int64_t add(struct test_office *office, const char *name)
{
	char hash[HASH_MAX];
	snprintf(hash, sizeof(hash), HASH "%s", name);
	if (add_as(office, ANI, name, hash) < 0)
		fail_msg("%s", office->e.text);
	return device_id(office, ANI, name);
}

static void log_in(struct test_office *office, int64_t device, bool views)
{
	const struct user user = get_user(office, ANI);
	assert_int_equal(
		WRITE(office, devices_logged_in(office->store, &user, device, views, &office->e)),
		0);
}

static size_t count_seen(struct test_office *office, int64_t device)
{
	struct maildrop maildrop = {0};
	assert_int_equal(maildrop_list_view(office->store, folder_id(office, ANI, "Inbox"), device,
				 &maildrop, &office->e),
		0);
	size_t count = maildrop.count;
	maildrop_free(&maildrop);
	return count;
}

/* As the writer does it, in one transaction. */
static int erase_in(struct test_office *office, int64_t device, const int64_t *ids, size_t count)
{
	int views = maildrop_delete_view(office->store, get_user(office, ANI).id,
		folder_id(office, ANI, "Inbox"), device, ids, count, &office->e);
	return views > 0 ? maildrop_settle(office->store, ids, count, &office->e) : views;
}

static int erase(struct test_office *office, int64_t device, int64_t id)
{
	return WRITE(office, erase_in(office, device, &id, 1));
}

static bool is_there(struct test_office *office, int64_t id)
{
	struct mail mail;
	assert_int_equal(
		mail_find(office->store, get_user(office, ANI).id, id, &mail, &office->e), 1);
	return mail.deleted == 0;
}

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

static void remove_device(struct test_office *office, int64_t device)
{
	int64_t at = 0;
	int more;
	do
		more = WRITE(office, devices_remove(office->store, device, &at, &office->e));
	while (more == 1);
	assert_int_equal(more, 0);
}

static void add_person(struct test_office *office, const char *address)
{
	add_user(office, address);
	int64_t id = get_user(office, address).id;
	assert_int_equal(WRITE(office, users_set_hash(office->store, id, OWN, &office->e)), 0);
}

/* ani with some letters, 1 and up. */
static void furnish(struct test_office *office, int letters)
{
	add_person(office, ANI);
	for (int i = 0; i < letters; i++)
		post(office, ANI, LETTER);
}

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

/* ---- views ---- */

static void who_has_no_devices_deletes_as_ever(void **state)
{
	struct test_office *office = *state;
	furnish(office, 2);
	assert_int_equal(erase(office, 0, 1), 0);
	assert_false(is_there(office, 1));
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	assert_int_equal(get_user(office, ANI).messages, 1);
	assert_sound(office);
}

#define PAGES_OF_DEVICES                                                                           \
	SQL("SELECT rootpage FROM sqlite_schema WHERE tbl_name IN ('devices', 'hidden')"           \
	    " AND rootpage > 0 /* scans sqlite_schema */")

/* Whoever reads one of the pages that devices take hears that it is damaged. */
static void damage_pages_of_devices(struct test_office *office)
{
	unsigned char garbage[STORE_PAGE];
	int64_t pages[8];
	size_t count = 0;
	char path[64];
	struct query q = db_query(office->store, PAGES_OF_DEVICES);
	while (db_next(&q, &office->e) == 1 && count < 8)
		pages[count++] = db_int(&q, 0);
	db_end(&q);
	assert_int_equal(count, 3); /* the index of the names is one, too */
	store_close(office->store);
	memset(garbage, 0xA5, sizeof(garbage));
	snprintf(path, sizeof(path), "%s/store.db", office->data);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(
			pwrite(fd, garbage, STORE_PAGE, (pages[i] - 1) * STORE_PAGE), STORE_PAGE);
	close(fd);
	assert_int_equal(
		store_open(&office->store, office->data, STORE_TOOL, SYNC_NORMAL, &office->e), 0);
	store_set_clock(office->store, START);
}

/* Not one is read, so none is written, by what happens to mail all day. */
static void who_has_no_devices_pays_with_no_page(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	struct keyring ring = {0};
	furnish(office, 2);
	damage_pages_of_devices(office);
	const struct user user = get_user(office, ANI);
	int64_t inbox = folder_id(office, ANI, "Inbox");
	post(office, ANI, LETTER);
	assert_int_equal(keyring_load(&ring, office->store, &user, &office->e), 0);
	keyring_free(&ring);
	assert_int_equal(maildrop_list(office->store, inbox, &maildrop, &office->e), 0);
	assert_int_equal(maildrop.count, 3);
	log_in(office, 0, true);
	assert_int_equal(erase(office, 0, maildrop.items[0].id), 0);
	assert_int_equal(get_user(office, ANI).messages, 2);
	maildrop_free(&maildrop);
	/* And it would have been heard. */
	assert_int_equal(add_as(office, ANI, "pc", HASH "pc"), -1);
	assert_int_equal(office->e.kind, ERR_DAMAGED);
	assert_int_equal(maildrop_list_view(office->store, inbox, 0, &maildrop, &office->e), -1);
	assert_int_equal(office->e.kind, ERR_DAMAGED);
	maildrop_free(&maildrop);
}

static void a_message_leaves_when_every_login_that_counts_has_deleted_it(void **state)
{
	struct test_office *office = *state;
	/* Two devices and the own password, in every order. */
	static const int orders[][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	furnish(office, 6);
	int64_t logins[3] = {0, add(office, "hp"), add(office, "pc")};
	uint64_t used = (uint64_t)get_user(office, ANI).used;
	for (size_t i = 0; i < 3; i++)
		log_in(office, logins[i], true);
	for (int64_t n = 0; n < 6; n++) {
		for (size_t i = 0; i < 3; i++) {
			int64_t who = logins[orders[n][i]];
			size_t seen = count_seen(office, who);
			assert_true(is_there(office, n + 1));
			assert_int_equal(erase(office, who, n + 1), 0);
			assert_int_equal(count_seen(office, who), seen - 1);
			assert_int_equal(erase(office, who, n + 1), 0); /* again: fine */
		}
		assert_false(is_there(office, n + 1));
		/* It counts once, until it has left. */
		assert_int_equal(get_user(office, ANI).messages, 5 - n);
		assert_int_equal(get_user(office, ANI).used, used / 6 * (uint64_t)(5 - n));
		assert_int_equal(number(office, ALL_HIDDEN), 0);
	}
	assert_sound(office);
}

static void a_login_counts_from_when_it_first_opens_the_mailbox(void **state)
{
	struct test_office *office = *state;
	furnish(office, 3);
	int64_t hp = add(office, "hp"), pc = add(office, "pc");
	log_in(office, pc, true);
	log_in(office, hp, false); /* sends with it, and no more */
	assert_int_equal(erase(office, pc, 1), 0);
	assert_false(is_there(office, 1)); /* neither hp nor the own password has ever looked */
	log_in(office, hp, true);
	assert_int_equal(count_seen(office, hp), 2);
	assert_int_equal(erase(office, pc, 2), 0);
	assert_true(is_there(office, 2));
	log_in(office, 0, true);
	assert_int_equal(count_seen(office, 0), 2); /* what is there now */
	assert_int_equal(erase(office, hp, 2), 0);
	assert_true(is_there(office, 2));
	assert_int_equal(erase(office, 0, 2), 0);
	assert_false(is_there(office, 2));
	assert_sound(office);
}

static void who_used_the_password_before_there_were_devices_counts(void **state)
{
	struct test_office *office = *state;
	furnish(office, 1);
	log_in(office, 0, true);
	int64_t pc = add(office, "pc");
	assert_int_equal(get_user(office, ANI).viewed, START);
	assert_int_equal(erase(office, pc, 1), 0);
	assert_true(is_there(office, 1));
	assert_int_equal(count_seen(office, 0), 1);
	assert_int_equal(count_seen(office, pc), 0);
}

static void a_device_that_is_added_later_sees_what_is_there(void **state)
{
	struct test_office *office = *state;
	furnish(office, 3);
	int64_t pc = add(office, "pc");
	log_in(office, 0, true);
	log_in(office, pc, true);
	erase(office, pc, 1);
	int64_t hp = add(office, "hp");
	assert_int_equal(count_seen(office, hp), 3);
	log_in(office, hp, true);
	erase(office, 0, 1);
	assert_true(is_there(office, 1));
	erase(office, hp, 1);
	assert_false(is_there(office, 1));
}

static void what_a_removed_device_alone_held_leaves_at_once(void **state)
{
	struct test_office *office = *state;
	furnish(office, 4);
	int64_t hp = add(office, "hp"), pc = add(office, "pc");
	log_in(office, hp, true);
	log_in(office, pc, true);
	erase(office, pc, 1);
	erase(office, hp, 2);
	remove_device(office, hp);
	assert_false(is_there(office, 1));
	assert_true(is_there(office, 2)); /* pc still holds it */
	assert_int_equal(count_seen(office, pc), 3);
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	assert_int_equal(get_user(office, ANI).devices, 1);
	log_in(office, 0, true);
	erase(office, pc, 2);
	assert_true(is_there(office, 2));
	remove_device(office, pc);
	assert_true(is_there(office, 2)); /* the own password's */
	assert_int_equal(get_user(office, ANI).devices, 0);
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	erase(office, 0, 2);
	assert_false(is_there(office, 2));
	assert_sound(office);
}

static void what_the_own_password_deleted_stays_so_without_devices(void **state)
{
	struct test_office *office = *state;
	furnish(office, 2);
	int64_t hp = add(office, "hp");
	log_in(office, hp, true);
	log_in(office, 0, true);
	erase(office, 0, 1);
	assert_true(is_there(office, 1));
	remove_device(office, hp);
	assert_false(is_there(office, 1));
	assert_true(is_there(office, 2));
	assert_sound(office);
}

static void a_removal_goes_in_steps_and_can_be_begun_again(void **state)
{
	struct test_office *office = *state;
	int64_t at = 0;
	furnish(office, 0);
	int64_t inbox = folder_id(office, ANI, "Inbox");
	for (int i = 0; i < DEVICES_STEP + 10; i++)
		file_entry(office, inbox, 10);
	int64_t hp = add(office, "hp"), pc = add(office, "pc");
	log_in(office, hp, true);
	log_in(office, pc, true);
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
	int64_t hp = add(office, "hp"), pc = add(office, "pc");
	log_in(office, hp, true);
	log_in(office, pc, true);
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

/* ---- beside everything else ---- */

static void what_is_moved_stays_hidden_and_what_is_restored_does_not(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	furnish(office, 3);
	int64_t hp = add(office, "hp"), pc = add(office, "pc");
	log_in(office, hp, true);
	log_in(office, pc, true);
	int64_t junk = folder_id(office, ANI, "Junk"), user = get_user(office, ANI).id;
	erase(office, pc, 1);
	WRITE(office, mail_move(office->store, user, 1, junk, &office->e));
	assert_int_equal(maildrop_list_view(office->store, junk, pc, &maildrop, &office->e), 0);
	assert_int_equal(maildrop.count, 0);
	assert_int_equal(maildrop_list_view(office->store, junk, hp, &maildrop, &office->e), 0);
	assert_int_equal(maildrop.count, 1);
	maildrop_free(&maildrop);
	/* Deleting what has been moved meanwhile is success, and does nothing. */
	erase(office, hp, 1);
	assert_true(is_there(office, 1));

	erase(office, pc, 2);
	assert_int_equal(WRITE(office, mail_again(office->store, user, 2, false, &office->e)), 1);
	assert_int_equal(count_seen(office, pc), 2); /* 3, and 2 once more */
	erase(office, pc, 3);
	erase(office, hp, 3);
	assert_false(is_there(office, 3));
	assert_int_equal(WRITE(office, mail_again(office->store, user, 3, true, &office->e)), 1);
	assert_int_equal(count_seen(office, pc), 2);
	assert_int_equal(count_seen(office, hp), 2);
	assert_sound(office);
}

static void a_person_deletes_for_all(void **state)
{
	struct test_office *office = *state;
	furnish(office, 2);
	int64_t hp = add(office, "hp"), pc = add(office, "pc");
	log_in(office, hp, true);
	log_in(office, pc, true);
	erase(office, pc, 1);
	assert_int_equal(WRITE(office, maildrop_delete(office->store, get_user(office, ANI).id,
					       folder_id(office, ANI, "Inbox"), &(int64_t){1}, 1,
					       &office->e)),
		0);
	assert_false(is_there(office, 1));
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	assert_int_equal(count_seen(office, hp), 1);
	assert_sound(office);
}

static void a_user_who_goes_takes_the_devices_along(void **state)
{
	struct test_office *office = *state;
	furnish(office, 3);
	int64_t hp = add(office, "hp"), pc = add(office, "pc");
	log_in(office, hp, true);
	log_in(office, pc, true);
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

static void one_wrong_number_hides_nothing(void **state)
{
	struct test_office *office = *state;
	furnish(office, 2);
	add_user(office, BUDI);
	post(office, BUDI, LETTER);
	int64_t hp = add(office, "hp");
	log_in(office, hp, true);
	REFUSED(office, ERR_DENIED, erase_in(office, hp, (int64_t[]){1, 3}, 2));
	REFUSED(office, ERR_DENIED, erase_in(office, hp, (int64_t[]){1, 99}, 2));
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	assert_int_equal(count_seen(office, hp), 2);
	assert_int_equal(get_user(office, BUDI).messages, 1);
	REFUSED(office, ERR_MISSING, erase_in(office, 4711, (int64_t[]){1}, 1));
}

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
		OFFICE_TEST(who_has_no_devices_deletes_as_ever),
		OFFICE_TEST(who_has_no_devices_pays_with_no_page),
		OFFICE_TEST(a_message_leaves_when_every_login_that_counts_has_deleted_it),
		OFFICE_TEST(a_login_counts_from_when_it_first_opens_the_mailbox),
		OFFICE_TEST(who_used_the_password_before_there_were_devices_counts),
		OFFICE_TEST(a_device_that_is_added_later_sees_what_is_there),
		OFFICE_TEST(what_a_removed_device_alone_held_leaves_at_once),
		OFFICE_TEST(what_the_own_password_deleted_stays_so_without_devices),
		OFFICE_TEST(a_removal_goes_in_steps_and_can_be_begun_again),
		OFFICE_TEST(unused_for_60_days_it_holds_nothing_any_more),
		OFFICE_TEST(a_clock_that_jumps_ends_no_view),
		OFFICE_TEST(logins_are_kept_to_the_hour),
		OFFICE_TEST(who_stops_counting_in_a_week_is_told),
		OFFICE_TEST(what_is_moved_stays_hidden_and_what_is_restored_does_not),
		OFFICE_TEST(a_person_deletes_for_all),
		OFFICE_TEST(a_user_who_goes_takes_the_devices_along),
		OFFICE_TEST(one_wrong_number_hides_nothing),
		OFFICE_TEST(what_is_wrong_is_found),
		OFFICE_TEST(what_is_left_over_is_swept),
	};
	return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
