/* store/store.h: a process that has nothing but the descriptors of the store's files. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#ifndef UNSEALED
#include <seccomp.h>
#endif

#include "base/channel.h"
#include "tests/unit/letters.h"
#include "tests/unit/reopen.h"

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
		SCMP_SYS(preadv),
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(removed_files_are_not_taken),
		OFFICE_TEST(a_sealed_process_reads_while_the_writer_goes_on),
		OFFICE_TEST(a_log_that_waits_for_the_writer_is_no_want_of_rights),
		OFFICE_TEST(an_index_that_is_being_written_is_waited_for),
	};
	return cmocka_run_group_tests_name("store_sealed", tests, NULL, NULL);
}
