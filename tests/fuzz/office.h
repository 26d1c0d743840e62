/* A small office for a target whose code asks a store: ani and budi, in a
 * directory of its own under $TMPDIR, which should be in memory. */
#ifndef TESTS_FUZZ_OFFICE_H
#define TESTS_FUZZ_OFFICE_H

#include "store/db.h"
#include "store/folders.h"
#include "store/users.h"
#include "tests/fuzz/fuzz.h"
#include <stdio.h>
#include <stdlib.h>

/* yescrypt at its cheapest. */
#define ANI        "ani@kantor.example"
#define ANIS       "rahasia-ani"
#define ANIS_HASH  "$y$j75$kantorexample.an$dhr6WWbNOZTxEToGPFbYOQzEZtl3JKg04Fwhl03VYS6"
#define BUDI       "budi@kantor.example"
#define BUDIS      "rahasia-budi"
#define BUDIS_HASH "$y$j75$kantorexample.bu$aDPzuIp8Ucb7Cr.YkzfCqx0UO9IOD9hnxcuMpdSs3IB"

struct fuzz_office {
	struct config config;
	struct store *store; /* the target's own, as a tool opens it */
	struct err e;
};

/* A call that must be done. */
#define DONE(office, call)                                                                         \
	do {                                                                                       \
		if ((call) < 0) {                                                                  \
			fprintf(stderr, "%s: %s\n", #call, (office)->e.text);                      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The same, in a transaction. */
#define WRITTEN(office, call)                                                                      \
	do {                                                                                       \
		DONE(office, store_begin((office)->store, &(office)->e));                          \
		DONE(office, call);                                                                \
		DONE(office, store_commit((office)->store, &(office)->e));                         \
	} while (0)

static inline void fuzz_office_open(struct fuzz_office *office)
{
	const char *place = getenv("TMPDIR");
	struct config *config = &office->config;
	snprintf(config->data, sizeof(config->data), "%s/officemail-fuzz.XXXXXX",
		place ? place : "/tmp");
	assert(mkdtemp(config->data));
	strcpy(config->file, "office.ini");
	strcpy(config->hostname, "mail.kantor.example");
	strcpy(config->domains, "kantor.example cabang.example");
	strcpy(config->postmaster, ANI);
	config->keep_deleted = 14 * 86400;
	config->idle_timeout = 600;
	config->auth_failures = 10;
	config->max_recipients = 100;
	config->sync = SYNC_NORMAL;
	DONE(office, store_open(&office->store, config->data, STORE_TOOL, SYNC_NORMAL, &office->e));
	WRITTEN(office,
		users_add(office->store, config, SLICE(ANI), ANIS_HASH, QUOTA_DEFAULT, &office->e));
	WRITTEN(office, users_add(office->store, config, SLICE(BUDI), BUDIS_HASH, QUOTA_DEFAULT,
				&office->e));
}

static inline int64_t fuzz_user(struct fuzz_office *office, const char *address)
{
	struct user user;
	assert(users_find(office->store, slice_of(address), &user, &office->e) == 1);
	return user.id;
}

static inline int64_t fuzz_folder(struct fuzz_office *office, const char *address, const char *name)
{
	struct folder folder;
	assert(folders_find(office->store, fuzz_user(office, address), slice_of(name), &folder,
		       &office->e) == 1);
	return folder.id;
}

#endif
