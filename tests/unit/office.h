/* An office for a unit test: settings and a store in a directory that goes with
 * it. The caller has included cmocka.h. */
#ifndef TESTS_UNIT_OFFICE_H
#define TESTS_UNIT_OFFICE_H

#include "store/addresses.h"
#include "store/db.h"
#include "store/rules.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct test_office {
	char data[32];
	struct config config;
	struct store *store;
	struct err e;
};

static inline int office_setup(void **state)
{
	struct test_office *office = must_alloc(sizeof(*office));
	strcpy(office->data, "/tmp/officemail.XXXXXX");
	assert_non_null(mkdtemp(office->data));
	strcpy(office->config.file, "office.ini");
	strcpy(office->config.hostname, "mail.kantor.example");
	strcpy(office->config.domains, "kantor.example toko.example gudang.example");
	office->config.keep_deleted = 14 * 86400;
	if (store_open(&office->store, office->data, STORE_TOOL, SYNC_NORMAL, &office->e) < 0)
		fail_msg("%s", office->e.text);
	store_set_clock(office->store, 1800000000);
	*state = office;
	return 0;
}

static inline int office_teardown(void **state)
{
	static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm"};
	struct test_office *office = *state;
	char path[64];
	store_close(office->store);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", office->data, names[i]);
		unlink(path);
	}
	rmdir(office->data);
	free(office);
	return 0;
}

/* A promise, on an office of its own. */
#define OFFICE_TEST(promise) cmocka_unit_test_setup_teardown(promise, office_setup, office_teardown)

/* Runs a writing call in a transaction of its own, as a command does. */
#define WRITE(office, call)                                                                        \
	({                                                                                         \
		int result_;                                                                       \
		assert_int_equal(store_begin((office)->store, &(office)->e), 0);                   \
		result_ = (call);                                                                  \
		if (result_ < 0)                                                                   \
			store_rollback((office)->store);                                           \
		else                                                                               \
			assert_int_equal(store_commit((office)->store, &(office)->e), 0);          \
		result_;                                                                           \
	})

/* The call fails with that kind and says something. */
#define REFUSED(office, error, call)                                                               \
	do {                                                                                       \
		(office)->e = (struct err){0};                                                     \
		assert_int_equal(WRITE(office, call), -1);                                         \
		assert_int_equal((office)->e.kind, error);                                         \
		assert_true(*(office)->e.text != '\0');                                            \
	} while (0)

static inline void add_user(struct test_office *office, const char *address)
{
	if (WRITE(office, users_add(office->store, &office->config, slice_of(address), "$y$x",
				  QUOTA_DEFAULT, &office->e)) < 0)
		fail_msg("%s", office->e.text);
}

static inline struct user get_user(struct test_office *office, const char *address)
{
	struct user user;
	assert_int_equal(users_find(office->store, slice_of(address), &user, &office->e), 1);
	return user;
}

/* Files a message of `size` octets, as far as the rows go. Returns its id. */
static inline int64_t file_entry(struct test_office *office, int64_t folder_id, int64_t size)
{
	struct query body = db_query(
		office->store, SQL("INSERT INTO bodies (size, refs, arrived) VALUES (?, 0, 0)"));
	int64_t id;
	assert_int_equal(store_begin(office->store, &office->e), 0);
	db_bind_int(&body, size);
	assert_int_equal(db_run(&body, &office->e), 0);
	id = db_last_id(office->store);
	struct query entry =
		db_query(office->store, SQL("INSERT INTO entries (folder_id, body_id, size, uidl, "
					    "received, checksum, prefix)"
					    " VALUES (?, ?, ?, 'u' || ?2, 0, 0, x'')"));
	db_bind_int(&entry, folder_id);
	db_bind_int(&entry, id);
	db_bind_int(&entry, size);
	assert_int_equal(db_run(&entry, &office->e), 0);
	id = db_last_id(office->store);
	assert_int_equal(store_commit(office->store, &office->e), 0);
	return id;
}

static inline int64_t folder_id(struct test_office *office, const char *address, const char *name)
{
	struct user user = get_user(office, address);
	struct folder folder;
	assert_int_equal(
		folders_find(office->store, user.id, slice_of(name), &folder, &office->e), 1);
	return folder.id;
}

#endif
