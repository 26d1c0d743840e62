/* The files of a test's store, and opening it again. The caller has included cmocka.h. */
#ifndef TESTS_UNIT_REOPEN_H
#define TESTS_UNIT_REOPEN_H

#include "tests/unit/office.h"

#include <sys/stat.h>

static inline const char *path_of(const struct test_office *office, const char *name)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%s", office->data, name);
	return path;
}

static inline off_t size_of(const struct test_office *office, const char *name)
{
	struct stat st;
	return stat(path_of(office, name), &st) ? -1 : st.st_size;
}

static inline void close_office(struct test_office *office)
{
	store_close(office->store);
	office->store = NULL;
}

static inline int reopen(struct test_office *office, enum store_role role)
{
	if (office->store)
		close_office(office);
	return store_open(&office->store, office->data, role, SYNC_NORMAL, &office->e);
}

#endif
