/* store/store.h: what is opened, refused, locked, and brought forward. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "tests/unit/letters.h"
#include "tests/unit/reopen.h"

static mode_t mode_of(const struct test_office *office, const char *name)
{
	struct stat st;
	assert_int_equal(stat(path_of(office, name), &st), 0);
	return st.st_mode & 0777;
}

/* ---- opening ---- */

static void a_new_store_is_ours_alone(void **state)
{
	struct test_office *office = *state;
	assert_int_equal(reopen(office, STORE_WRITER), 0);
	add_user(office, "ani@kantor.example");
	assert_int_equal(mode_of(office, "store.db"), 0600);
	assert_int_equal(mode_of(office, "store.db-wal"), 0600);
	assert_int_equal(mode_of(office, "store.db-shm"), 0600);
	assert_int_equal(number(office, SQL("PRAGMA user_version")), STORE_SCHEMA_VERSION);
}

static void a_store_is_opened_as_it_was_meant(void **state)
{
	struct test_office *office = *state;
	assert_int_equal(number(office, SQL("PRAGMA foreign_keys")), 1);
	assert_int_equal(number(office, SQL("PRAGMA secure_delete")), 0);
	assert_int_equal(number(office, SQL("PRAGMA cell_size_check")), 1);
	assert_int_equal(number(office, SQL("PRAGMA trusted_schema")), 0);
	assert_int_equal(number(office, SQL("PRAGMA auto_vacuum")), 2);
	assert_int_equal(number(office, SQL("PRAGMA page_size")), STORE_PAGE);
	assert_int_equal(number(office, SQL("PRAGMA synchronous")), 1);
	close_office(office);
	assert_int_equal(
		store_open(&office->store, office->data, STORE_WRITER, SYNC_FULL, &office->e), 0);
	assert_int_equal(number(office, SQL("PRAGMA synchronous")), 2);
	assert_int_equal(number(office, SQL("PRAGMA wal_autocheckpoint")), 0);
}

static void files_that_others_can_reach_are_refused(void **state)
{
	struct test_office *office = *state;
	close_office(office);
	chmod(path_of(office, "store.db"), 0640);
	assert_int_equal(reopen(office, STORE_TOOL), -1);
	assert_int_equal(office->e.kind, ERR_DENIED);
	assert_non_null(strstr(office->e.text, "chmod 0600"));
	chmod(path_of(office, "store.db"), 0600);
	chmod(office->data, 0755);
	assert_int_equal(reopen(office, STORE_TOOL), -1);
	assert_int_equal(office->e.kind, ERR_DENIED);
	assert_non_null(strstr(office->e.text, "chmod 0700"));
	chmod(office->data, 0700);
	assert_int_equal(reopen(office, STORE_TOOL), 0);
}

static void a_symbolic_link_is_refused(void **state)
{
	struct test_office *office = *state;
	char elsewhere[140];
	close_office(office);
	snprintf(elsewhere, sizeof(elsewhere), "%s", path_of(office, "elsewhere.db"));
	assert_int_equal(rename(path_of(office, "store.db"), elsewhere), 0);
	assert_int_equal(symlink(elsewhere, path_of(office, "store.db")), 0);
	assert_int_equal(reopen(office, STORE_TOOL), -1);
	assert_int_equal(office->e.kind, ERR_DENIED);
	unlink(path_of(office, "store.db"));
	unlink(elsewhere);
}

static void a_link_above_the_directory_is_the_admins_business(void **state)
{
	struct test_office *office = *state;
	char link[80], path[100];
	struct store *store;
	snprintf(link, sizeof(link), "%s/up", office->data);
	assert_int_equal(symlink("..", link), 0);
	snprintf(path, sizeof(path), "%s%s", link, strrchr(office->data, '/'));
	assert_int_equal(store_open(&store, path, STORE_READER, SYNC_NORMAL, &office->e), 0);
	store_close(store);
	unlink(link);
}

static void what_is_missing_is_said_with_its_mend(void **state)
{
	struct test_office *office = *state;
	close_office(office);
	unlink(path_of(office, "store.db"));
	assert_int_equal(reopen(office, STORE_READER), -1);
	assert_int_equal(office->e.kind, ERR_MISSING);
	assert_non_null(strstr(office->e.text, "officemail init"));
	assert_int_equal(
		store_open(&office->store, "/nonexistent/x", STORE_TOOL, SYNC_FULL, &office->e),
		-1);
	assert_int_equal(office->e.kind, ERR_MISSING);
}

static void a_newer_store_is_refused(void **state)
{
	struct test_office *office = *state;
	assert_int_equal(db_script(office->store, "PRAGMA user_version = 99", &office->e), 0);
	assert_int_equal(reopen(office, STORE_TOOL), -1);
	assert_int_equal(office->e.kind, ERR_NEWER);
}

static void what_is_no_store_is_refused(void **state)
{
	struct test_office *office = *state;
	char noise[8192];
	assert_int_equal(db_script(office->store, "PRAGMA user_version = 0", &office->e), 0);
	assert_int_equal(reopen(office, STORE_TOOL), -1);
	assert_int_equal(office->e.kind, ERR_DAMAGED);
	memset(noise, 'x', sizeof(noise));
	int fd = open(path_of(office, "store.db"), O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, noise, sizeof(noise)), sizeof(noise));
	close(fd);
	assert_int_equal(reopen(office, STORE_TOOL), -1);
	assert_int_equal(office->e.kind, ERR_DAMAGED);
	assert_non_null(strstr(office->e.text, "restore"));
}

static void a_reader_cannot_write(void **state)
{
	struct test_office *office = *state;
	struct store *reader;
	add_user(office, "ani@kantor.example");
	assert_int_equal(
		store_open(&reader, office->data, STORE_READER, SYNC_NORMAL, &office->e), 0);
	assert_int_equal(db_script(reader, "DELETE FROM users", &office->e), -1);
	assert_int_equal(office->e.kind, ERR_IO);
	store_close(reader);
}

static void one_server_holds_a_store_and_is_named(void **state)
{
	struct test_office *office = *state;
	int ready[2], done[2], fd;
	int64_t server;
	char octet, named[64];
	assert_int_equal(pipe(ready) + pipe(done), 0);
	pid_t child = fork();
	if (child == 0) {
		int failed = store_lock(&fd, office->data, getpid(), &office->e);
		close(done[1]);
		if (write(ready[1], "", 1) != 1 || failed)
			_exit(1);
		_exit(read(done[0], &octet, 1) != 0);
	}
	assert_int_equal(read(ready[0], &octet, 1), 1);
	assert_int_equal(store_lock(&fd, office->data, getpid(), &office->e), -1);
	assert_int_equal(office->e.kind, ERR_IN_USE);
	snprintf(named, sizeof(named), "served by process %d:", child);
	assert_non_null(strstr(office->e.text, named));
	assert_int_equal(store_server(office->data, &server, &office->e), 0);
	assert_int_equal(server, child);
	close(done[1]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(store_server(office->data, &server, &office->e), 0);
	assert_int_equal(server, 0);
	assert_int_equal(store_lock(&fd, office->data, getpid(), &office->e), 0);
	assert_int_equal(store_server(office->data, &server, &office->e), 0);
	assert_int_equal(server, 0);
	close(fd);
	unlink(path_of(office, "lock"));
	close(ready[0]), close(ready[1]), close(done[0]);
}

static void a_dead_server_s_children_are_waited_for(void **state)
{
	struct test_office *office = *state;
	int fd, held[2];
	char octet;
	assert_int_equal(pipe(held), 0);
	pid_t child = fork();
	if (child == 0) {
		if (store_lock(&fd, office->data, getpid(), &office->e) < 0)
			_exit(1);
		if (fork() == 0) {
			poll(NULL, 0, 50);
			_exit(0);
		}
		_exit(0);
	}
	close(held[1]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(store_lock(&fd, office->data, getpid(), &office->e), 0);
	/* The grandchild held both, and let go of both when it ended. */
	struct pollfd end = {.fd = held[0], .events = POLLIN};
	assert_int_equal(poll(&end, 1, 5000), 1);
	assert_int_equal(read(held[0], &octet, 1), 0);
	close(fd), close(held[0]);
	unlink(path_of(office, "lock"));
}

/* ---- coming forward ---- */

/* Behind those that there are; what stands in front is never taken. */
#define AHEAD (STORE_SCHEMA_VERSION + 1)

static const char *copy_of_before(const struct test_office *office)
{
	char name[40];
	snprintf(name, sizeof(name), "store.db.version-%d", STORE_SCHEMA_VERSION);
	return path_of(office, name);
}

static void remove_copy(const struct test_office *office)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < 3; i++) {
		char path[160];
		snprintf(path, sizeof(path), "%s%s", copy_of_before(office), ends[i]);
		unlink(path);
	}
}

static void an_old_store_is_copied_and_brought_forward(void **state)
{
	struct test_office *office = *state;
	const char *const steps[AHEAD + 1] = {
		[AHEAD - 1] = "CREATE TABLE rooms (id INTEGER) STRICT",
		[AHEAD] = "DROP TABLE events"};
	struct store *copy = must_alloc(sizeof(*copy));
	add_user(office, "ani@kantor.example");
	assert_int_equal(db_migrate(office->store, steps, AHEAD + 1, &office->e), 0);
	assert_int_equal(number(office, SQL("PRAGMA user_version")), AHEAD + 1);
	assert_int_equal(db_script(office->store, "SELECT id FROM rooms", &office->e), 0);
	struct stat st;
	assert_int_equal(stat(copy_of_before(office), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	sqlite3 *old;
	assert_int_equal(sqlite3_open(copy_of_before(office), &old), SQLITE_OK);
	copy->db = old;
	int64_t users = 0;
	assert_int_equal(db_number(copy, SQL("SELECT count(*) FROM users /* scans users */"),
				 &users, &office->e),
		0);
	assert_int_equal(users, 1);
	store_close(copy);
	remove_copy(office);
}

static void a_step_that_fails_leaves_the_store_as_it_was(void **state)
{
	struct test_office *office = *state;
	const char *const steps[AHEAD + 1] = {
		[AHEAD - 1] = "DROP TABLE events", [AHEAD] = "no SQL at all"};
	char version[24];
	snprintf(version, sizeof(version), "version %d", AHEAD + 1);
	assert_int_equal(db_migrate(office->store, steps, AHEAD + 1, &office->e), -1);
	assert_non_null(strstr(office->e.text, version));
	assert_int_equal(number(office, SQL("PRAGMA user_version")), STORE_SCHEMA_VERSION);
	assert_int_equal(number(office, SQL("SELECT count(*) FROM events /* scans events */")), 0);
	assert_false(store_in_transaction(office->store));
	remove_copy(office);
}

static void a_reader_brings_nothing_forward(void **state)
{
	struct test_office *office = *state;
	const char *const steps[AHEAD] = {[AHEAD - 1] = "DROP TABLE events"};
	assert_int_equal(reopen(office, STORE_READER), 0);
	assert_int_equal(db_migrate(office->store, steps, AHEAD, &office->e), -1);
	assert_non_null(strstr(office->e.text, "start the server once"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(a_new_store_is_ours_alone),
		OFFICE_TEST(a_store_is_opened_as_it_was_meant),
		OFFICE_TEST(files_that_others_can_reach_are_refused),
		OFFICE_TEST(a_symbolic_link_is_refused),
		OFFICE_TEST(a_link_above_the_directory_is_the_admins_business),
		OFFICE_TEST(what_is_missing_is_said_with_its_mend),
		OFFICE_TEST(a_newer_store_is_refused),
		OFFICE_TEST(what_is_no_store_is_refused),
		OFFICE_TEST(a_reader_cannot_write),
		OFFICE_TEST(one_server_holds_a_store_and_is_named),
		OFFICE_TEST(a_dead_server_s_children_are_waited_for),
		OFFICE_TEST(an_old_store_is_copied_and_brought_forward),
		OFFICE_TEST(a_step_that_fails_leaves_the_store_as_it_was),
		OFFICE_TEST(a_reader_brings_nothing_forward),
	};
	return cmocka_run_group_tests_name("store_open", tests, NULL, NULL);
}
