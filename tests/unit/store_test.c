/* store/store.h: transactions, a disk that fails, crashes, upkeep, and the plan of every
 * statement. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "store/dispatch.h"
#include "store/events.h"
#include "store/import.h"
#include "store/outbox.h"
#include "store/stuck.h"
#include "store/trace.h"
#include "tests/unit/letters.h"
#include "tests/unit/reopen.h"

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
		OFFICE_TEST(no_statement_scans_a_table_without_saying_so),
	};
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
