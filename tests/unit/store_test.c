/* store/store.h: opening and refusing, transactions, crashes, a full disk, the
 * descriptors of a sealed process, and the plan of every statement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifndef UNSEALED
#include <seccomp.h>
#endif

#include "base/channel.h"
#include "store/dispatch.h"
#include "store/events.h"
#include "store/import.h"
#include "store/outbox.h"
#include "store/stuck.h"
#include "store/trace.h"
#include "tests/unit/letters.h"
#include "tests/unit/office.h"

static const char *path_of(const struct test_office *office, const char *name)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%s", office->data, name);
	return path;
}

static mode_t mode_of(const struct test_office *office, const char *name)
{
	struct stat st;
	assert_int_equal(stat(path_of(office, name), &st), 0);
	return st.st_mode & 0777;
}

static void close_office(struct test_office *office)
{
	store_close(office->store);
	office->store = NULL;
}

static int reopen(struct test_office *office, enum store_role role)
{
	if (office->store)
		close_office(office);
	return store_open(&office->store, office->data, role, SYNC_NORMAL, &office->e);
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

/* ---- transactions ---- */

static void a_step_undone_leaves_the_others(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to("ani@kantor.example");
	add_user(office, "ani@kantor.example");
	store_begin(office->store, &office->e);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(store_savepoint(office->store, &office->e), 0);
		assert_int_equal(file_letter(office, &letter, slice_of(LETTER)), 0);
		if (i == 1)
			store_undo(office->store);
		else
			assert_int_equal(store_release(office->store, &office->e), 0);
	}
	assert_true(store_in_transaction(office->store));
	assert_int_equal(store_commit(office->store, &office->e), 0);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 2);
	assert_sound(office);
}

static void rolling_back_without_a_transaction_is_harmless(void **state)
{
	struct test_office *office = *state;
	store_rollback(office->store);
	store_undo(office->store);
	assert_int_equal(store_begin(office->store, &office->e), 0);
	assert_int_equal(store_commit(office->store, &office->e), 0);
}

static void a_constraint_tells_its_kind(void **state)
{
	struct test_office *office = *state;
	assert_int_equal(
		db_script(office->store,
			"INSERT INTO aliases VALUES ('a@b', 'c@d'), ('a@b', 'c@d')", &office->e),
		-1);
	assert_int_equal(office->e.kind, ERR_EXISTS);
	assert_int_equal(db_script(office->store,
				 "INSERT INTO folders (user_id, name) VALUES (7, 'x')", &office->e),
		-1);
	assert_int_equal(office->e.kind, ERR_MISSING);
	assert_int_equal(
		db_script(office->store, "INSERT INTO aliases VALUES ('A@b', 'c@d')", &office->e),
		-1);
	assert_int_equal(office->e.kind, ERR_INPUT);
}

static void an_entry_cannot_be_changed_nor_a_body_in_use_freed(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	assert_int_equal(db_script(office->store, "DELETE FROM bodies", &office->e), -1);
	assert_int_equal(db_script(office->store, "UPDATE entries SET size = 9", &office->e), -1);
	assert_int_equal(db_script(office->store, "DELETE FROM folders", &office->e), -1);
	assert_sound(office);
}

/* ---- a disk that fails ---- */

static int disk_error; /* what the disk says to the next writes; 0: fine */

static ssize_t failing_pwrite(int fd, const void *octets, size_t len, off_t at)
{
	if (disk_error) {
		errno = disk_error;
		return -1;
	}
	return pwrite(fd, octets, len, at);
}

/* Runs `body` in a process whose disk can fail; its assertions count. */
static void with_failing_disk(struct test_office *office, void (*body)(struct test_office *))
{
	close_office(office);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
		vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)failing_pwrite);
		vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)failing_pwrite);
		assert_int_equal(reopen(office, STORE_WRITER), 0);
		add_user(office, "ani@kantor.example");
		body(office);
		close_office(office);
		fflush(NULL);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(reopen(office, STORE_TOOL), 0);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 2);
	assert_sound(office);
}

static void fail_once(struct test_office *office, int error, enum err_kind kind)
{
	struct letter letter = letter_to("ani@kantor.example");
	assert_int_equal(post(office, "ani@kantor.example", LETTER), ERR_NONE);
	assert_int_equal(store_begin(office->store, &office->e), 0);
	assert_int_equal(file_letter(office, &letter, slice_of(LETTER)), 0);
	disk_error = error;
	assert_int_equal(store_commit(office->store, &office->e), -1);
	disk_error = 0;
	assert_int_equal(office->e.kind, kind);
	assert_false(store_in_transaction(office->store));
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 1);
	assert_int_equal(post(office, "ani@kantor.example", LETTER), ERR_NONE);
}

static void disk_full(struct test_office *office)
{
	sqlite3 *before = office->store->db;
	fail_once(office, ENOSPC, ERR_SPACE);
	assert_ptr_equal(office->store->db, before);
}

static void disk_broken(struct test_office *office)
{
	sqlite3 *before = office->store->db;
	fail_once(office, EIO, ERR_IO);
	assert_ptr_not_equal(office->store->db, before);
}

static void a_full_disk_fails_a_commit_and_the_next_one_goes_on(void **state)
{
	with_failing_disk(*state, disk_full);
}

static void a_broken_disk_fails_a_commit_and_the_file_is_opened_anew(void **state)
{
	with_failing_disk(*state, disk_broken);
}

/* ---- crashes ---- */

struct progress { /* shared with the child that is killed */
	int acknowledged;
};

static void deliver_until_killed(struct test_office *office, struct progress *progress)
{
	struct letter letter = letter_to("ani@kantor.example");
	struct buf big = {0};
	fill(&big, BODY_PIECE + 100);
	for (int batch = 0;; batch++) {
		int here = 1 + batch % 7;
		store_begin(office->store, &office->e);
		for (int i = 0; i < here; i++) {
			struct slice octets = i == 3 ? buf_slice(&big) : slice_of(LETTER);
			if (file_letter(office, &letter, octets))
				_exit(1);
		}
		if (store_commit(office->store, &office->e))
			_exit(1);
		assert_int_equal(store_checkpoint(office->store, batch % 50 == 0, &office->e), 0);
		__atomic_add_fetch(&progress->acknowledged, here, __ATOMIC_SEQ_CST);
	}
}

static void nothing_acknowledged_is_lost_to_a_kill_in_the_middle_of_batches(void **state)
{
	struct test_office *office = *state;
	struct progress *progress = mmap(
		NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct maildrop maildrop = {0};
	add_user(office, "ani@kantor.example");
	for (int round = 1; round <= 5; round++) {
		close_office(office);
		pid_t child = fork();
		if (child == 0) {
			if (reopen(office, STORE_WRITER))
				_exit(1);
			deliver_until_killed(office, progress);
		}
		/* Somewhere in a batch: the child does nothing else. */
		while (__atomic_load_n(&progress->acknowledged, __ATOMIC_SEQ_CST) < round * 97)
			sched_yield();
		kill(child, SIGKILL);
		int status;
		waitpid(child, &status, 0);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(reopen(office, STORE_READER), 0);
		int messages = (int)list(office, "ani@kantor.example", "Inbox", &maildrop);
		/* Committed whole, perhaps not acknowledged any more: one batch. */
		assert_in_range(messages, progress->acknowledged, progress->acknowledged + 7);
		progress->acknowledged = messages;
		assert_sound(office);
		assert_int_equal(reopen(office, STORE_TOOL), 0);
	}
	for (size_t i = 0; i < maildrop.count; i += 13) {
		struct buf out = {0};
		assert_int_equal(
			read_entry(office->store, maildrop.items[i].id, &out, &office->e), 0);
		assert_int_equal(out.len, maildrop.items[i].size);
		buf_free(&out);
	}
	maildrop_free(&maildrop);
	munmap(progress, sizeof(*progress));
}

/* ---- upkeep ---- */

static off_t size_of(const struct test_office *office, const char *name)
{
	struct stat st;
	return stat(path_of(office, name), &st) ? -1 : st.st_size;
}

static void the_log_is_emptied_when_idle_and_gives_way_to_a_reader(void **state)
{
	struct test_office *office = *state;
	struct store *reader;
	assert_int_equal(reopen(office, STORE_WRITER), 0);
	add_user(office, "ani@kantor.example");
	assert_int_equal(
		store_open(&reader, office->data, STORE_READER, SYNC_NORMAL, &office->e), 0);
	assert_int_equal(db_script(reader, "BEGIN; SELECT count(*) FROM users", &office->e), 0);
	post(office, "ani@kantor.example", LETTER);
	assert_int_equal(store_checkpoint(office->store, true, &office->e), 0);
	assert_true(size_of(office, "store.db-wal") > 0);
	assert_int_equal(db_script(reader, "COMMIT", &office->e), 0);
	assert_int_equal(store_checkpoint(office->store, true, &office->e), 0);
	assert_int_equal(size_of(office, "store.db-wal"), 0);
	store_close(reader);
}

static void the_log_does_not_grow_for_ever(void **state)
{
	struct test_office *office = *state;
	struct buf big = {0};
	assert_int_equal(reopen(office, STORE_WRITER), 0);
	add_user(office, "ani@kantor.example");
	fill(&big, BODY_PIECE);
	for (int i = 0; i < 60; i++) {
		struct letter letter = letter_to("ani@kantor.example");
		assert_int_equal(post_letter(office, &letter, buf_slice(&big)), 0);
		assert_int_equal(store_checkpoint(office->store, false, &office->e), 0);
	}
	assert_true(size_of(office, "store.db-wal") < 6 * 1024 * 1024);
	buf_free(&big);
}

static void freed_pages_count_as_room_and_go_back_in_steps(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to("ani@kantor.example");
	struct buf big = {0};
	uint64_t before, after;
	int steps = 0, more;
	assert_int_equal(reopen(office, STORE_WRITER), 0);
	add_user(office, "ani@kantor.example");
	fill(&big, 16 * BODY_PIECE);
	assert_int_equal(post_letter(office, &letter, buf_slice(&big)), 0);
	buf_free(&big);
	assert_int_equal(store_checkpoint(office->store, true, &office->e), 0);
	off_t full = size_of(office, "store.db");
	assert_int_equal(store_shrink_step(office->store, &office->e), 0);
	assert_int_equal(db_script(office->store, "UPDATE entries SET deleted = 1", &office->e), 0);
	while (WRITE(office, mail_purge_step(office->store, 0, true, 1 << 20, &office->e)) == 1)
		;
	int64_t unused = number(office, SQL("PRAGMA freelist_count"));
	assert_true(unused * STORE_PAGE > 15 * BODY_PIECE);
	assert_int_equal(store_free_space(office->store, &before, &office->e), 0);
	assert_true(before > (uint64_t)unused * STORE_PAGE);
	while ((more = store_shrink_step(office->store, &office->e)) == 1)
		steps++;
	assert_int_equal(more, 0);
	assert_true(steps > 3);
	assert_int_equal(store_checkpoint(office->store, true, &office->e), 0);
	assert_true(size_of(office, "store.db") < full / 4);
	assert_int_equal(store_free_space(office->store, &after, &office->e), 0);
	assert_sound(office);
}

static void the_ballast_is_written_octets_and_can_be_given_up(void **state)
{
	struct test_office *office = *state;
	struct stat st;
	store_ballast_drop(office->store); /* none there: harmless */
	assert_int_equal(store_ballast_make(office->store, &office->e), 0);
	assert_int_equal(stat(path_of(office, "ballast"), &st), 0);
	assert_int_equal(st.st_size, STORE_BALLAST);
	assert_true(st.st_blocks * 512 >= STORE_BALLAST);
	assert_int_equal(st.st_mode & 0777, 0600);
	store_ballast_drop(office->store);
	assert_int_equal(size_of(office, "ballast"), 0);
	assert_int_equal(
		truncate(path_of(office, "ballast"), 100000), 0); /* a crash while filling */
	assert_int_equal(store_ballast_make(office->store, &office->e), 0);
	assert_int_equal(size_of(office, "ballast"), STORE_BALLAST);
	unlink(path_of(office, "ballast"));
}

/* ---- a sealed reader ---- */

static void removed_files_are_not_taken(void **state)
{
	struct test_office *office = *state;
	struct store *sealed;
	int fds[3];
	assert_int_equal(reopen(office, STORE_WRITER), 0);
	assert_int_equal(store_files_open(fds, office->data, &office->e), 0);
	close_office(office); /* the last to close removes -wal and -shm */
	assert_int_equal(store_open_handed(&sealed, fds, &office->e), -1);
	assert_int_equal(office->e.kind, ERR_GONE);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

/* What a reader of the store and its channel take, and not one call more. */
static bool seal(void)
{
#ifdef UNSEALED
	return true;
#else
	static const int calls[] = {
		SCMP_SYS(recvmsg),
		SCMP_SYS(sendmsg),
		SCMP_SYS(poll),
		SCMP_SYS(ppoll),
		SCMP_SYS(ppoll_time64),
		SCMP_SYS(pread64),
		SCMP_SYS(fstat),
		SCMP_SYS(fstat64),
		SCMP_SYS(fcntl),
		SCMP_SYS(fcntl64),
		SCMP_SYS(mmap),
		SCMP_SYS(mmap2),
		SCMP_SYS(munmap),
		SCMP_SYS(mremap),
		SCMP_SYS(madvise),
		SCMP_SYS(brk),
		SCMP_SYS(futex),
		SCMP_SYS(getrandom),
		SCMP_SYS(clock_gettime),
		SCMP_SYS(gettimeofday),
		SCMP_SYS(time),
		SCMP_SYS(getpid),
		SCMP_SYS(clock_nanosleep),
		SCMP_SYS(exit_group),
#ifdef SANITIZED
		SCMP_SYS(mprotect),
		SCMP_SYS(rt_sigaction),
		SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(sigaltstack),
		SCMP_SYS(gettid),
		SCMP_SYS(sched_yield),
		SCMP_SYS(newfstatat),
		SCMP_SYS(close),
		SCMP_SYS(readlink),
		SCMP_SYS(prctl),
#endif
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		(void)seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return seccomp_load(filter) == 0;
#endif
}

/* The sealed child: gets the descriptors, then numbers: it lists and reads that
 * many messages. */
static void serve_sealed(struct channel *channel)
{
	struct store *store;
	struct frame frame;
	struct err e;
	if (channel_receive(channel, &frame, &e) != 1 || !seal() ||
		store_open_handed(&store, frame.fds, &e))
		_exit(2);
	while (channel_receive(channel, &frame, &e) == 1) {
		struct maildrop maildrop = {0};
		if (maildrop_list(store, 1, &maildrop, &e) || maildrop.count != frame.type)
			_exit(3);
		for (size_t i = 0; i < maildrop.count; i++) {
			struct buf octets = {0};
			if (read_entry(store, maildrop.items[i].id, &octets, &e) ||
				octets.len != maildrop.items[i].size)
				_exit(4);
			buf_free(&octets);
		}
		maildrop_free(&maildrop);
		if (channel_send(channel, frame.type, NULL, 0, NULL, 0, &e))
			_exit(5);
	}
	store_close(store);
	_exit(0);
}

static void ask_sealed(struct channel *channel, unsigned messages)
{
	struct frame frame;
	struct err e;
	assert_int_equal(channel_send(channel, messages, NULL, 0, NULL, 0, &e), 0);
	assert_int_equal(channel_receive(channel, &frame, &e), 1);
	assert_int_equal(frame.type, messages);
}

static void a_sealed_process_reads_while_the_writer_goes_on(void **state)
{
	struct test_office *office = *state;
	int pair[2], fds[3], status;
	struct buf big = {0};
	close_office(office);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fflush(NULL);
	pid_t child = fork(); /* before the store is opened, as a session is */
	if (child == 0) {
		struct channel channel = {.fd = pair[1], .takes_fds = true};
		close(pair[0]);
		serve_sealed(&channel);
	}
	struct channel channel = {.fd = pair[0]};
	close(pair[1]);
	assert_int_equal(reopen(office, STORE_WRITER), 0);
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	assert_int_equal(store_files_open(fds, office->data, &office->e), 0);
	assert_int_equal(channel_send(&channel, 0, NULL, 0, fds, 3, &office->e), 0);
	ask_sealed(&channel, 1);
	post(office, "ani@kantor.example", LETTER); /* while it has the store open */
	ask_sealed(&channel, 2);
	assert_int_equal(store_checkpoint(office->store, true, &office->e),
		0); /* TRUNCATE: the log is empty */
	assert_int_equal(size_of(office, "store.db-wal"), 0);
	ask_sealed(&channel, 2);
	fill(&big, 3 * BODY_PIECE);
	for (unsigned messages = 3; messages < 30; messages++) { /* resets of the log */
		struct letter letter = letter_to("ani@kantor.example");
		assert_int_equal(post_letter(office, &letter, buf_slice(&big)), 0);
		assert_int_equal(
			store_checkpoint(office->store, messages % 10 == 0, &office->e), 0);
		ask_sealed(&channel, messages);
	}
	channel_close(&channel);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	buf_free(&big);
	assert_sound(office);
	close_office(office); /* before the descriptors: closing one drops its locks */
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

/* A process with the three descriptors alone opens the store while the header of
 * the log's index is as a writer leaves it that is killed amid writing it; whole
 * again after `whole_after_ms`, -1: not. Its exit status is what it got. */
static void open_by_a_torn_index(struct test_office *office, int whole_after_ms, enum err_kind got)
{
	char whole[48], torn[48];
	int pair[2], fds[3], status;
	close_office(office);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		struct channel channel = {.fd = pair[1], .takes_fds = true};
		struct frame frame;
		struct store *store;
		struct err e = {0};
		if (channel_receive(&channel, &frame, &e) == 1)
			store_open_handed(&store, frame.fds, &e);
		_exit(e.kind);
	}
	struct channel channel = {.fd = pair[0]};
	close(pair[1]);
	assert_int_equal(reopen(office, STORE_WRITER), 0);
	add_user(office, "ani@kantor.example");
	assert_int_equal(store_files_open(fds, office->data, &office->e), 0);
	int index = open(path_of(office, "store.db-shm"), O_RDWR);
	assert_int_equal(pread(index, whole, sizeof(whole), 0), sizeof(whole));
	memset(torn, 0xAA, sizeof(torn));
	assert_int_equal(pwrite(index, torn, sizeof(torn), 0), sizeof(torn));
	assert_int_equal(channel_send(&channel, 0, NULL, 0, fds, 3, &office->e), 0);
	if (whole_after_ms >= 0) {
		usleep((useconds_t)whole_after_ms * 1000);
		assert_int_equal(pwrite(index, whole, sizeof(whole), 0), sizeof(whole));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), got);
	channel_close(&channel);
	close(index);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void a_log_that_waits_for_the_writer_is_no_want_of_rights(void **state)
{
	struct test_office *office = *state;
	open_by_a_torn_index(office, -1, ERR_IO);
	post(office, "ani@kantor.example", LETTER); /* mends it */
	assert_sound(office);
}

static void an_index_that_is_being_written_is_waited_for(void **state)
{
	struct test_office *office = *state;
	open_by_a_torn_index(office, 20, ERR_NONE);
	assert_sound(office);
}

/* ---- plans ---- */

/* So that the statements of every module are linked and looked at. */
static const void *const modules[] = {users_add, folders_add, rules_add, aliases_add,
	addresses_resolve, body_append, deliver, maildrop_delete, mail_each, mail_purge_step,
	mail_check, events_add, store_shrink_step, outbox_add, outbox_each, outbox_settle,
	dispatch_deliver, trace_find, trace_read, stuck_each, import_file};

/* Does the SQL admit, in its comment, a scan of this table? */
static bool admits(const char *sql, const char *table)
{
	const char *words = strstr(sql, "/* scans ");
	size_t len = strcspn(table, " ");
	if (!words)
		return false;
	words += strlen("/* scans ");
	return strncmp(words, "everything", 10) == 0 ||
	       (strncmp(words, table, len) == 0 && strchr(" :*", words[len]));
}

static void no_statement_scans_a_table_without_saying_so(void **state)
{
	struct test_office *office = *state;
	size_t count = 0;
	assert_non_null(modules[0]);
	for (const char *sql; (sql = db_statement_at(count)); count++) {
		struct buf explain = {0};
		sqlite3_stmt *plan;
		buf_printf(&explain, "EXPLAIN QUERY PLAN %s", sql);
		if (sqlite3_prepare_v2(office->store->db, buf_text(&explain), -1, &plan, NULL))
			fail_msg("%s: %s", sql, sqlite3_errmsg(office->store->db));
		while (sqlite3_step(plan) == SQLITE_ROW) {
			const char *step = (const char *)sqlite3_column_text(plan, 3);
			if (strncmp(step, "SCAN ", 5) == 0 && strcmp(step, "SCAN CONSTANT ROW") &&
				!admits(sql, step + 5))
				fail_msg("%s\nplan: %s", sql, step);
		}
		sqlite3_finalize(plan);
		buf_free(&explain);
	}
	assert_true(count > 60);
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
		OFFICE_TEST(a_step_undone_leaves_the_others),
		OFFICE_TEST(rolling_back_without_a_transaction_is_harmless),
		OFFICE_TEST(a_constraint_tells_its_kind),
		OFFICE_TEST(an_entry_cannot_be_changed_nor_a_body_in_use_freed),
		OFFICE_TEST(a_full_disk_fails_a_commit_and_the_next_one_goes_on),
		OFFICE_TEST(a_broken_disk_fails_a_commit_and_the_file_is_opened_anew),
		OFFICE_TEST(nothing_acknowledged_is_lost_to_a_kill_in_the_middle_of_batches),
		OFFICE_TEST(the_log_is_emptied_when_idle_and_gives_way_to_a_reader),
		OFFICE_TEST(the_log_does_not_grow_for_ever),
		OFFICE_TEST(freed_pages_count_as_room_and_go_back_in_steps),
		OFFICE_TEST(the_ballast_is_written_octets_and_can_be_given_up),
		OFFICE_TEST(removed_files_are_not_taken),
		OFFICE_TEST(a_sealed_process_reads_while_the_writer_goes_on),
		OFFICE_TEST(a_log_that_waits_for_the_writer_is_no_want_of_rights),
		OFFICE_TEST(an_index_that_is_being_written_is_waited_for),
		OFFICE_TEST(no_statement_scans_a_table_without_saying_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
