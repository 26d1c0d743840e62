/* A mailbox that several logins read and delete from: the own password, which is 0, and
 * devices. The caller has included cmocka.h. */
#ifndef TESTS_UNIT_DEVICES_H
#define TESTS_UNIT_DEVICES_H

#include "store/devices.h"
#include "tests/unit/letters.h"

#define ANI   "ani@kantor.example"
#define BUDI  "budi@kantor.example"
#define START 1800000000
#define HOUR  3600
#define DAY   (24 * HOUR)

#define OWN        "$y$j75$kantorexample.an$own"
#define HASH       "$y$j75$kantorexample.an$" /* of a device, with its name behind */
#define ALL_HIDDEN SQL("SELECT count(*) FROM hidden /* scans hidden */")

static inline int add_as(
	struct test_office *office, const char *address, const char *name, const char *hash)
{
	const struct user user = get_user(office, address);
	return WRITE(office, devices_add(office->store, &user, slice_of(name), hash, &office->e));
}

static inline int64_t device_id(struct test_office *office, const char *address, const char *name)
{
	struct device device;
	assert_int_equal(devices_find(office->store, get_user(office, address).id, slice_of(name),
				 &device, &office->e),
		1);
	return device.id;
}

static inline int64_t add(struct test_office *office, const char *name)
{
	char hash[HASH_MAX];
	snprintf(hash, sizeof(hash), HASH "%s", name);
	if (add_as(office, ANI, name, hash) < 0)
		fail_msg("%s", office->e.text);
	return device_id(office, ANI, name);
}

static inline void log_in(struct test_office *office, int64_t device, bool views)
{
	const struct user user = get_user(office, ANI);
	assert_int_equal(
		WRITE(office, devices_logged_in(office->store, &user, device, views, &office->e)),
		0);
}

static inline size_t count_seen(struct test_office *office, int64_t device)
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
static inline int erase_in(
	struct test_office *office, int64_t device, const int64_t *ids, size_t count)
{
	int views = maildrop_delete_view(office->store, get_user(office, ANI).id,
		folder_id(office, ANI, "Inbox"), device, ids, count, &office->e);
	return views > 0 ? maildrop_settle(office->store, ids, count, &office->e) : views;
}

static inline int erase(struct test_office *office, int64_t device, int64_t id)
{
	return WRITE(office, erase_in(office, device, &id, 1));
}

static inline bool is_there(struct test_office *office, int64_t id)
{
	struct mail mail;
	assert_int_equal(
		mail_find(office->store, get_user(office, ANI).id, id, &mail, &office->e), 1);
	return mail.deleted == 0;
}

static inline void remove_device(struct test_office *office, int64_t device)
{
	int64_t at = 0;
	int more;
	do
		more = WRITE(office, devices_remove(office->store, device, &at, &office->e));
	while (more == 1);
	assert_int_equal(more, 0);
}

static inline void add_person(struct test_office *office, const char *address)
{
	add_user(office, address);
	int64_t id = get_user(office, address).id;
	assert_int_equal(WRITE(office, users_set_hash(office->store, id, OWN, &office->e)), 0);
}

/* ani with some letters, 1 and up. */
static inline void furnish(struct test_office *office, int letters)
{
	add_person(office, ANI);
	for (int i = 0; i < letters; i++)
		post(office, ANI, LETTER);
}

/* Two that have looked into the mailbox. */
static inline void add_two(struct test_office *office, int64_t *hp, int64_t *pc)
{
	*hp = add(office, "hp");
	*pc = add(office, "pc");
	log_in(office, *hp, true);
	log_in(office, *pc, true);
}

#endif
