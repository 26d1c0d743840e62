/* store/logfile.c: the log and the file as the writer writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h needs the first three above. */
#include <cmocka.h>

#include "tests/unit/letters.h"
#include "tests/unit/office.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MANY (6 * 1024 * 1024) /* octets: more than the writer's cache holds */

static unsigned writes;
static unsigned writes_most = UINT_MAX; /* then the disk is full */
static bool watches_lock;               /* from the write that failed on */

static ssize_t count_write(int fd, const void *octets, size_t len, off_t from)
{
	writes++;
	watches_lock = writes > writes_most;
	errno = ENOSPC;
	return writes > writes_most ? -1 : pwrite(fd, octets, len, from);
}

/* Of the log's index, whoever adds to the log: sqlite.org/walformat.html. */
#define WRITE_LOCK 120
static bool adds; /* another process does so all the time */
static unsigned locked, unlocked;

static int watch_lock(int fd, int command, ...)
{
	va_list arguments;
	va_start(arguments, command);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);
	const struct flock *lock = argument;
	if (watches_lock && command == F_SETLK && lock->l_start == WRITE_LOCK) {
		locked += lock->l_type == F_WRLCK;
		unlocked += lock->l_type == F_UNLCK;
		errno = EAGAIN;
		if (adds)
			return -1;
	}
	return fcntl(fd, command, argument);
}

static bool logs_open = true;

static int open_or_not(const char *path, int flags, int mode)
{
	size_t len = strlen(path);
	errno = EMFILE;
	return logs_open || strcmp(path + (len > 4 ? len - 4 : 0), "-wal") != 0
		       ? open(path, flags, mode)
		       : -1;
}

static struct store *open_writer(struct test_office *office, enum config_sync sync)
{
	struct store *store;
	assert_int_equal(store_open(&store, office->data, STORE_WRITER, sync, &office->e), 0);
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
	vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)count_write);
	vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)count_write);
	return store;
}

static void add_events(struct store *store, int64_t from, size_t count, size_t octets)
{
	struct err e;
	struct buf detail = {0};
	for (size_t i = 0; i < octets; i++)
		buf_add_char(&detail, 'x');
	for (size_t i = 0; i < count; i++) {
		struct query q = db_query(
			store, SQL("INSERT INTO events (id, at, kind, user_id, entry_id, detail)"
				   " VALUES (?, 1, 'test', 0, 0, ?)"));
		db_bind_int(&q, from + (int64_t)i);
		db_bind_text(&q, buf_slice(&detail));
		assert_int_equal(db_run(&q, &e), 0);
	}
	buf_free(&detail);
}

static int64_t count_events(struct store *store)
{
	int64_t count = -1;
	struct err e;
	assert_int_equal(
		db_number(store, SQL("SELECT count(*) FROM events /* scans events */"), &count, &e),
		0);
	return count;
}

static void a_commit_is_one_write(void **state)
{
	struct test_office *office = *state;
	struct store *store = open_writer(office, SYNC_FULL);
	for (int i = 1; i <= 3; i++) {
		writes = 0;
		assert_int_equal(store_begin(store, &office->e), 0);
		add_events(store, i, 1, 10000);
		assert_int_equal(store_commit(store, &office->e), 0);
		assert_int_equal(writes, 1);
	}
	store_close(store);
}

static void what_is_committed_outlives_the_writer_and_nothing_else_does(void **state)
{
	struct test_office *office = *state;
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		struct store *store = open_writer(office, SYNC_FULL);
		if (store_begin(store, &office->e) == 0)
			add_events(store, 1, 60, 100000); /* goes out before the commit, too */
		if (store_commit(store, &office->e) == 0 && store_begin(store, &office->e) == 0)
			add_events(store, 100, 60, 100000);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(count_events(office->store), 60);
	assert_sound(office);
}

static void a_rollback_leaves_nothing_to_later_commits(void **state)
{
	struct test_office *office = *state;
	struct store *store = open_writer(office, SYNC_FULL);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(store_begin(store, &office->e), 0);
		add_events(store, 1, 60, MANY / 60);
		assert_int_equal(count_events(store), 60 + i);
		store_rollback(store);
		assert_int_equal(store_begin(store, &office->e), 0);
		add_events(store, 1000 + i, 1, 10);
		assert_int_equal(store_commit(store, &office->e), 0);
	}
	assert_int_equal(count_events(office->store), 3);
	store_close(store);
	assert_sound(office);
}

static void where_commits_are_not_synced_readers_see_them_nevertheless(void **state)
{
	struct test_office *office = *state;
	struct store *store = open_writer(office, SYNC_NORMAL);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(store_begin(store, &office->e), 0);
		add_events(store, i, 1, 10000);
		assert_int_equal(store_commit(store, &office->e), 0);
		assert_int_equal(count_events(office->store), i);
	}
	assert_int_equal(store_set_sync(store, SYNC_FULL, &office->e), 0);
	assert_int_equal(store_begin(store, &office->e), 0);
	add_events(store, 4, 1, 10000);
	assert_int_equal(store_commit(store, &office->e), 0);
	assert_int_equal(count_events(office->store), 4);
	store_close(store);
	assert_sound(office);
}

static void a_connection_that_is_opened_anew_goes_on(void **state)
{
	struct test_office *office = *state;
	struct store *store = open_writer(office, SYNC_FULL);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(store_begin(store, &office->e), 0);
		add_events(store, 100, 60, MANY / 60);
		store_rollback(store);
		assert_int_equal(db_reopen(store, &office->e), 0);
		assert_int_equal(store_begin(store, &office->e), 0);
		add_events(store, i, 1, 10000);
		assert_int_equal(store_commit(store, &office->e), 0);
		assert_int_equal(count_events(office->store), i);
	}
	store_close(store);
	assert_sound(office);
}

static void a_log_that_could_not_be_opened_is_none(void **state)
{
	struct test_office *office = *state;
	struct store *store = open_writer(office, SYNC_FULL);
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
	vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)open_or_not);
	logs_open = false;
	for (int i = 0; i < 3; i++)
		assert_int_equal(db_reopen(store, &office->e), -1);
	logs_open = true;
	assert_int_equal(db_reopen(store, &office->e), 0);
	assert_int_equal(store_begin(store, &office->e), 0);
	add_events(store, 1, 1, 10000);
	assert_int_equal(store_commit(store, &office->e), 0);
	vfs->xSetSystemCall(vfs, "open", NULL);
	store_close(store);
	assert_sound(office);
}

/* ---- checkpoints ---- */

static void commit_events(
	struct test_office *office, struct store *store, int64_t from, size_t count, size_t octets)
{
	assert_int_equal(store_begin(store, &office->e), 0);
	add_events(store, from, count, octets);
	assert_int_equal(store_commit(store, &office->e), 0);
}

/* What the file holds by itself, without the log. */
static bool file_has_grown(const struct test_office *office, off_t than)
{
	char path[STORE_PATH_MAX + 16];
	struct stat st;
	snprintf(path, sizeof(path), "%s/store.db", office->data);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size > than;
}

static void a_checkpoint_writes_many_pages_at_once(void **state)
{
	struct test_office *office = *state;
	struct store *store = open_writer(office, SYNC_FULL);
	commit_events(office, store, 1, 60, MANY / 60);
	writes = 0;
	assert_int_equal(store_checkpoint(store, false, &office->e), 0);
	assert_in_range(writes, 1, MANY / STORE_PAGE / 8);
	assert_true(file_has_grown(office, MANY));
	commit_events(office, store, 100, 1, 10); /* begins the log anew */
	assert_int_equal(count_events(office->store), 61);
	store_close(store);
	assert_sound(office);
}

static void what_somebody_reads_is_moved_later(void **state)
{
	struct test_office *office = *state;
	struct store *store = open_writer(office, SYNC_FULL);
	commit_events(office, store, 1, 10, 100000);
	assert_int_equal(store_begin_reading(office->store, &office->e), 0);
	assert_int_equal(count_events(office->store), 10);
	commit_events(office, store, 100, 60, MANY / 60);
	assert_int_equal(store_checkpoint(store, false, &office->e), 0);
	assert_false(file_has_grown(office, MANY));
	assert_int_equal(count_events(office->store), 10);
	store_rollback(office->store);
	assert_int_equal(count_events(office->store), 70);
	commit_events(office, store, 200, 60, MANY / 60);
	assert_int_equal(store_checkpoint(store, false, &office->e), 0);
	assert_true(file_has_grown(office, 2 * MANY));
	assert_int_equal(count_events(office->store), 130);
	store_close(store);
	assert_sound(office);
}

/* The disk takes ever more of it, until it is enough. */
static void checkpoint_on_full_disk(struct test_office *office, struct store *store, int64_t events)
{
	int done = -1;
	for (writes_most = 0; done < 0; writes_most++) {
		writes = 0;
		done = store_checkpoint(store, true, &office->e);
		assert_true(done == 0 || office->e.kind == ERR_SPACE);
		assert_int_equal(count_events(office->store), events);
	}
	assert_true(writes_most > 1);
	writes_most = UINT_MAX;
}

static void what_the_full_disk_did_not_take_stays_in_the_log(void **state)
{
	struct test_office *office = *state;
	struct store *store = open_writer(office, SYNC_FULL);
	commit_events(office, store, 1, 3, 10000);
	checkpoint_on_full_disk(office, store, 3);
	commit_events(office, store, 100, 1, 10);
	assert_int_equal(count_events(office->store), 4);
	store_close(store);
	assert_sound(office);
}

static void so_does_what_lies_before_what_somebody_reads(void **state)
{
	struct test_office *office = *state;
	struct store *store = open_writer(office, SYNC_FULL);
	commit_events(office, store, 1, 3, 10000);
	assert_int_equal(store_begin_reading(office->store, &office->e), 0);
	assert_int_equal(count_events(office->store), 3);
	commit_events(office, store, 100, 1, 10000);
	checkpoint_on_full_disk(office, store, 3);
	store_rollback(office->store);
	assert_int_equal(count_events(office->store), 4);
	assert_int_equal(store_checkpoint(store, true, &office->e), 0);
	assert_int_equal(count_events(office->store), 4);
	store_close(store);
	assert_sound(office);
}

static int move_pages(struct store *store)
{
	writes = locked = unlocked = 0;
	watches_lock = false;
	return sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* How a process ends that does so while another one adds to the log. */
static int end_beside_another(struct store *store)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		adds = true;
		_exit(move_pages(store) == SQLITE_OK ? 2 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Else SQLite would not ask behind the last page, and call it moved. */
static void nobody_adds_to_the_log_until_it_is_known_that_a_page_was_not_moved(void **state)
{
	struct test_office *office = *state;
	struct store *store = open_writer(office, SYNC_FULL);
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
	unsigned ended = 0;
	vfs->xSetSystemCall(vfs, "fcntl", (sqlite3_syscall_ptr)watch_lock);
	commit_events(office, store, 1, 3, 10000);
	int code = SQLITE_FULL;
	for (writes_most = 0; code == SQLITE_FULL; writes_most++) {
		bool ends = end_beside_another(store) == 1;
		ended += ends;
		code = move_pages(store);
		assert_int_equal(locked, ends);
		assert_int_equal(unlocked, ends);
	}
	assert_int_equal(code, SQLITE_OK);
	assert_int_equal(ended, 1); /* behind the last page */
	writes_most = UINT_MAX;
	vfs->xSetSystemCall(vfs, "fcntl", NULL);
	assert_int_equal(count_events(office->store), 3);
	store_close(store);
	assert_sound(office);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(a_commit_is_one_write),
		OFFICE_TEST(what_is_committed_outlives_the_writer_and_nothing_else_does),
		OFFICE_TEST(a_rollback_leaves_nothing_to_later_commits),
		OFFICE_TEST(where_commits_are_not_synced_readers_see_them_nevertheless),
		OFFICE_TEST(a_connection_that_is_opened_anew_goes_on),
		OFFICE_TEST(a_log_that_could_not_be_opened_is_none),
		OFFICE_TEST(a_checkpoint_writes_many_pages_at_once),
		OFFICE_TEST(what_somebody_reads_is_moved_later),
		OFFICE_TEST(what_the_full_disk_did_not_take_stays_in_the_log),
		OFFICE_TEST(so_does_what_lies_before_what_somebody_reads),
		OFFICE_TEST(nobody_adds_to_the_log_until_it_is_known_that_a_page_was_not_moved),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
