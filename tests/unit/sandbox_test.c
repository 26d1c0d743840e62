/* base/sandbox: what a sealed process can still do, and what it cannot. Each try
 * is a process of its own, since there is no way back; and each is also made
 * without the seal, so that it is the seal that refuses and nothing else. */
#include "base/buf.h"
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NO_SEAL      SEALS

static const struct sandbox_account nobody_else = {0};

/* In the child: becomes what the children of the master are. */
static void seal(enum seal seal, pid_t parent)
{
	struct err e = {0};
	if (sandbox_take_account(&nobody_else, parent, &e) < 0 ||
		(seal != NO_SEAL && sandbox_seal(seal, &e) < 0)) {
		dprintf(STDERR_FILENO, "%s\n", e.text);
		_exit(99);
	}
}

static int wait_for(pid_t child)
{
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* How a process ends that seals itself and runs `act`, whose result it exits with. */
static int end_of(enum seal with, int (*act)(void))
{
	pid_t parent = getpid();
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		seal(with, parent);
		_exit(act());
	}
	return wait_for(child);
}

/* ---- calls ---- */

struct attempt {
	const char *what;
	long call, arguments[5];
};

/* The errno of the call, 0 for none, -1 where it was death. */
static int try_call(enum seal with, const struct attempt *attempt)
{
	const long *a = attempt->arguments;
	pid_t parent = getpid();
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		seal(with, parent);
		_exit(syscall(attempt->call, a[0], a[1], a[2], a[3], a[4]) < 0 ? errno : 0);
	}
	int status = wait_for(child);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return -1;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#ifdef DEADLY_SEAL
#define REFUSED (-1)
#else
#define REFUSED EPERM
#endif

static void assert_refuses(enum seal with, const struct attempt *attempts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (try_call(NO_SEAL, &attempts[i]) == EPERM)
			fail_msg("%s: refused without a seal, too", attempts[i].what);
		if (try_call(with, &attempts[i]) != REFUSED)
			fail_msg("%s: not refused", attempts[i].what);
	}
}

static int sockets[2];

static int setup(void **state)
{
	struct err e;
	(void)state;
	if (sandbox_prepare(&e) < 0)
		fail_msg("%s", e.text);
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets);
}

static void only_in_a_sealed_build(void)
{
	if (!sandbox_is_sealed_build()) {
		print_message("this build has no seal (UNSEALED=1)\n");
		skip();
	}
}

static void only_as_root(void)
{
	if (geteuid() != 0) {
		print_message("only root can try this\n");
		skip();
	}
}

/* ---- sessions and closed roles ---- */

/* What neither a session nor the keys role may. */
static void assert_closed(enum seal with)
{
	char *const none[] = {NULL};
	struct stat st;
	struct rlimit files;
	const long self = getpid(), no_words = (long)none;
	const struct attempt refused[] = {
		{"open", SYS_openat, {AT_FDCWD, (long)"/etc/passwd", O_RDONLY}},
		{"create", SYS_openat, {AT_FDCWD, (long)"/there/is/no/such", O_WRONLY | O_CREAT}},
		{"look at a path", SYS_newfstatat, {AT_FDCWD, (long)"/etc/passwd", (long)&st}},
		{"look at a path that may be empty", SYS_newfstatat,
			{AT_FDCWD, (long)"/etc/passwd", (long)&st, AT_EMPTY_PATH}},
		{"remove", SYS_unlinkat, {AT_FDCWD, (long)"/there/is/no/such"}},
		{"rename", SYS_renameat2,
			{AT_FDCWD, (long)"/there/is/no/such", AT_FDCWD, (long)"/tmp"}},
		{"make a directory", SYS_mkdirat, {AT_FDCWD, (long)"/tmp"}},
		{"change a mode", SYS_fchmod, {-1}},
		{"make a file in memory", SYS_memfd_create, {(long)"x"}},
		{"make a socket", SYS_socket, {AF_INET, SOCK_STREAM}},
		{"make a unix socket", SYS_socket, {AF_UNIX, SOCK_STREAM}},
		{"connect", SYS_connect, {-1}},
		{"bind", SYS_bind, {-1}},
		{"listen", SYS_listen, {-1}},
		{"make a pipe", SYS_pipe2, {0}},
		{"duplicate a descriptor", SYS_fcntl, {sockets[0], F_DUPFD_CLOEXEC}},
		{"fork", SYS_clone, {CLONE_SIGHAND}},
		{"run a program", SYS_execve, {(long)"", no_words, no_words}},
		{"run a descriptor", SYS_execveat, {-1, (long)"", no_words, no_words}},
		{"be traced", SYS_ptrace, {PTRACE_TRACEME}},
		{"trace", SYS_ptrace, {PTRACE_ATTACH, INT32_MAX}},
		{"read another process", SYS_process_vm_readv, {self}},
		{"write another process", SYS_process_vm_writev, {self}},
		{"hold another process", SYS_pidfd_open, {self}},
		{"signal", SYS_kill, {self}},
		{"signal a thread", SYS_tkill, {self}},
		{"abort another process", SYS_tgkill, {self, self}},
		{"queue a signal", SYS_rt_sigqueueinfo, {self}},
		{"have somebody signalled", SYS_fcntl, {sockets[0], F_SETOWN, self}},
		{"have a thread signalled", SYS_fcntl, {sockets[0], F_SETOWN_EX}},
		{"choose the signal", SYS_fcntl, {sockets[0], F_SETSIG, SIGKILL}},
		{"change everybody's flags", SYS_fcntl, {sockets[0], F_SETFL, 0}},
		{"move everybody's place in a file", SYS_lseek, {STDERR_FILENO, 0, SEEK_CUR}},
		{"control a descriptor", SYS_ioctl, {sockets[0]}},
		{"map code", SYS_mmap, {0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
		{"make code of memory", SYS_mprotect, {0, 0, PROT_EXEC}},
		{"look at a limit", SYS_prlimit64, {0, RLIMIT_NOFILE, 0, (long)&files}},
		{"become somebody", SYS_setresuid, {-1, -1, -1}},
#ifndef SANITIZED /* its runtime does that */
		{"be called otherwise", SYS_prctl, {PR_SET_NAME, (long)"x"}},
#endif
	};
	only_in_a_sealed_build();
	assert_refuses(with, refused, COUNT(refused));
}

static void a_session_reaches_no_file_no_network_and_no_process(void **state)
{
	const struct attempt refused[] = {
		{"accept", SYS_accept4, {-1}},
		{"wait for many", SYS_epoll_create1, {0}},
	};
	(void)state;
	assert_closed(SEAL_SESSION);
	assert_refuses(SEAL_SESSION, refused, COUNT(refused));
}

static void a_closed_role_reaches_no_more_than_a_session(void **state)
{
	(void)state;
	assert_closed(SEAL_CLOSED_ROLE);
}

static int converse(void)
{
	char octets[6] = "";
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	struct pollfd ready = {.fd = sockets[1], .events = POLLIN};
	struct timespec now;
	struct stat st;
	char *memory = must_alloc(20 << 20); /* yescrypt's */
	memory = must_realloc(memory, 40 << 20);
	memset(memory, 1, 40 << 20);
	free(memory);
	return send(sockets[0], "hello", 5, MSG_NOSIGNAL) == 5 && poll(&ready, 1, -1) == 1 &&
	       recv(sockets[1], octets, 5, 0) == 5 && strcmp(octets, "hello") == 0 &&
	       write(sockets[0], "again", 5) == 5 && read(sockets[1], octets, 5) == 5 &&
	       fcntl(sockets[0], F_GETFL) >= 0 &&
	       (fcntl(sockets[0], F_SETLK, &lock) == 0 || errno == EBADF) &&
	       syscall(SYS_fstat, sockets[0], &st) == 0 &&
	       clock_gettime(CLOCK_MONOTONIC, &now) == 0 && getrandom(octets, 5, 0) == 5;
}

static void a_session_converses_and_has_memory(void **state)
{
	(void)state;
	assert_int_equal(end_of(SEAL_SESSION, converse), 1 << 8);
}

static int accept_one(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int accepted = accept4(sockets[0], NULL, NULL, SOCK_CLOEXEC); /* that is no listener */
	return accepted < 0 && errno == EINVAL &&
	       epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[0], &event) == 0 &&
	       epoll_wait(epoll, &event, 1, 0) == 0;
}

static void a_closed_role_accepts_and_waits_for_many(void **state)
{
	(void)state;
	assert_int_equal(end_of(SEAL_CLOSED_ROLE, accept_one), 1 << 8);
	assert_int_equal(end_of(SEAL_CLOSED_ROLE, converse), 1 << 8);
}

/* ---- roles that keep the store ---- */

static void a_store_role_runs_nothing_signals_nobody_and_has_no_network(void **state)
{
	char *const none[] = {NULL};
	struct rlimit files;
	const long self = getpid(), no_words = (long)none;
	const struct attempt refused[] = {
		{"make a socket", SYS_socket, {AF_INET, SOCK_STREAM}},
		{"make a socket", SYS_socket, {AF_INET6, SOCK_DGRAM}},
		{"make a socket to the kernel", SYS_socket, {AF_NETLINK, SOCK_RAW}},
		{"run a program", SYS_execve, {(long)"", no_words, no_words}},
		{"run a descriptor", SYS_execveat, {-1, (long)"", no_words, no_words}},
		{"read another process", SYS_process_vm_readv, {self}},
		{"write another process", SYS_process_vm_writev, {self}},
		{"signal", SYS_kill, {self}},
		{"signal a thread", SYS_tkill, {self}},
		{"abort another process", SYS_tgkill, {self, self}},
		{"queue a signal", SYS_rt_sigqueueinfo, {self}},
		{"queue a thread's signal", SYS_rt_tgsigqueueinfo, {self, self}},
		{"signal whom it holds", SYS_pidfd_send_signal, {-1}},
		{"take what another has open", SYS_pidfd_getfd, {-1}},
		{"have somebody signalled", SYS_fcntl, {sockets[0], F_SETOWN, self}},
		{"have a thread signalled", SYS_fcntl, {sockets[0], F_SETOWN_EX}},
		{"choose the signal", SYS_fcntl, {sockets[0], F_SETSIG, SIGKILL}},
		{"the same, as the kernel reads it", SYS_fcntl,
			{sockets[0], (1L << 32) | F_SETOWN, self}},
		{"have somebody signalled", SYS_ioctl, {sockets[0], FIOSETOWN}},
		{"have somebody signalled", SYS_ioctl, {sockets[0], SIOCSPGRP}},
		{"type at the terminal", SYS_ioctl, {sockets[0], TIOCSTI, (long)"x"}},
		{"limit another process", SYS_prlimit64, {self, RLIMIT_CPU, 0, (long)&files}},
		{"slow another process", SYS_setpriority, {PRIO_PROCESS, INT32_MAX, 19}},
		{"have all memory be code", SYS_personality, {0xffffffff}},
		{"map code", SYS_mmap, {0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
		{"make code of memory", SYS_mprotect, {0, 0, PROT_EXEC}},
#ifndef SANITIZED /* how the leak detector looks at its own process */
		{"fork", SYS_clone, {CLONE_SIGHAND}},
		{"be traced", SYS_ptrace, {PTRACE_TRACEME}},
		{"trace", SYS_ptrace, {PTRACE_ATTACH, INT32_MAX}},
#endif
	};
	const struct attempt ring = {"use a ring", SYS_io_uring_setup, {0}};
	(void)state;
	only_in_a_sealed_build();
	assert_refuses(SEAL_STORE_ROLE, refused, COUNT(refused));
	/* Some systems refuse it to everybody. */
	assert_int_equal(try_call(SEAL_STORE_ROLE, &ring), REFUSED);
}

#ifdef __x86_64__
/* Opens a file by the numbers that 32-bit programs use. Its name must lie low. */
static int open_as_32_bits(void)
{
	char *low = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long result = 5; /* open(2) */
	strcpy(low, "/dev/null");
	__asm__ volatile("int $0x80" : "+a"(result) : "b"(low), "c"(O_RDONLY), "d"(0) : "memory");
	return result >= 0;
}

static int open_as_x32(void)
{
	return syscall(0x40000000 | SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY) >= 0;
}
#endif

/* The numbers of another architecture lead past a filter that does not look. */
static void the_calls_of_another_architecture_are_refused_to_all(void **state)
{
	(void)state;
	only_in_a_sealed_build();
#ifdef __x86_64__
	for (int with = 0; with < SEALS; with++) {
		assert_int_not_equal(end_of((enum seal)with, open_as_32_bits), 1 << 8);
		assert_int_not_equal(end_of((enum seal)with, open_as_x32), 1 << 8);
	}
#endif
}

static int keep_store(void)
{
	char path[] = "/tmp/officemail.XXXXXX";
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/there/is/no/such"};
	int file = mkstemp(path);
	int unix_socket = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;
	return file >= 0 && write(file, "mail", 4) == 4 && fcntl(file, F_SETLK, &lock) == 0 &&
	       fsync(file) == 0 && stat(path, &st) == 0 && unlink(path) == 0 &&
	       connect(unix_socket, (const struct sockaddr *)&to, sizeof(to)) < 0 &&
	       errno == ENOENT;
}

static void a_store_role_has_files_and_reaches_other_roles(void **state)
{
	(void)state;
	assert_int_equal(end_of(SEAL_STORE_ROLE, keep_store), 1 << 8);
	assert_int_equal(end_of(SEAL_STORE_ROLE, converse), 1 << 8);
}

/* ---- every sealed process ---- */

static void a_broken_invariant_is_a_process_aborted(void **state)
{
	(void)state;
	for (int with = 0; with < SEALS; with++) {
		int status = end_of((enum seal)with, (int (*)(void))abort);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
}

static void read_proc(pid_t pid, const char *name, struct buf *text)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = read(fd, buf_reserve(text, 8192), 8192);
	assert_true(got > 0);
	text->len = (size_t)got;
	close(fd);
}

/* The words behind `name` in a file of /proc, blanks squeezed. */
static void assert_says(struct buf *text, const char *name, const char *words)
{
	const char *line = strstr(buf_text(text), name);
	struct buf said = {0};
	assert_non_null(line);
	struct slice rest = slice_of(line + strlen(name));
	rest = slice_cut(&rest, '\n');
	while ((rest = slice_trim(rest)).len > 0) {
		buf_add_slice(&said, slice_cut(&rest, ' '));
		buf_add_char(&said, ' ');
	}
	if (strncmp(buf_text(&said), words, strlen(words)) != 0)
		fail_msg("%s %s, not %s", name, said.at, words);
	buf_free(&said);
}

/* Runs `look` beside a process that is sealed and waits. */
static void look_at(enum seal with, void (*look)(pid_t pid))
{
	pid_t parent = getpid();
	int waits[2], says[2];
	char octet;
	assert_int_equal(pipe(waits), 0);
	assert_int_equal(pipe(says), 0);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		close(waits[1]);
		seal(with, parent);
		(void)!write(says[1], "x", 1);
		(void)!read(waits[0], &octet, 1);
		_exit(0);
	}
	assert_int_equal(read(says[0], &octet, 1), 1);
	look(child);
	for (int i = 0; i < 2; i++) {
		close(waits[i]);
		close(says[i]);
	}
	assert_int_equal(wait_for(child), 0);
}

static void assert_is_sealed(pid_t pid)
{
	struct buf status = {0}, limits = {0};
	read_proc(pid, "status", &status);
	assert_says(&status, "NoNewPrivs:\t", "1 ");
	assert_says(&status, "Seccomp:\t", "2 ");
	read_proc(pid, "limits", &limits);
	assert_says(&limits, "Max core file size", "0 0 ");
	buf_free(&status);
	buf_free(&limits);
}

static void assert_is_limited(pid_t pid)
{
	struct buf limits = {0};
	read_proc(pid, "limits", &limits);
	assert_says(&limits, "Max open files", "32 32 ");
	assert_says(&limits, "Max processes", "0 0 ");
#ifndef SANITIZED /* whose shadow takes up terabytes */
	assert_says(&limits, "Max address space", "536870912 536870912 ");
#endif
	buf_free(&limits);
}

static void a_sealed_process_says_so_and_a_session_is_limited(void **state)
{
	(void)state;
	only_in_a_sealed_build();
	for (int with = 0; with < SEALS; with++)
		look_at((enum seal)with, assert_is_sealed);
	look_at(SEAL_SESSION, assert_is_limited);
}

/* ---- accounts ---- */

static int is_dumpable(void)
{
	return prctl(PR_GET_DUMPABLE);
}

static void the_memory_of_a_child_is_nobody_s_to_look_at(void **state)
{
	(void)state;
#ifdef SANITIZED
	print_message("the leak detector looks at it in this build\n");
	skip();
#endif
	assert_int_equal(end_of(NO_SEAL, is_dumpable), 0);
}

static void a_child_whose_parent_is_dead_already_ends(void **state)
{
	(void)state;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		seal(NO_SEAL, INT32_MAX);
		_exit(0);
	}
	assert_int_equal(wait_for(child), 1 << 8);
}

static void a_child_does_not_outlive_its_parent(void **state)
{
	int says[2];
	char octet;
	(void)state;
	assert_int_equal(pipe(says), 0);
	fflush(NULL);
	pid_t parent = fork();
	if (parent == 0) {
		pid_t self = getpid();
		if (fork() == 0) {
			seal(NO_SEAL, self);
			(void)!write(says[1], "x", 1);
		} else {
			close(says[1]);
		}
		for (;;)
			pause();
	}
	close(says[1]);
	assert_int_equal(read(says[0], &octet, 1), 1);
	kill(parent, SIGKILL);
	wait_for(parent);
	assert_int_equal(read(says[0], &octet, 1), 0); /* nobody lives who could write */
	close(says[0]);
}

static int take_nobody_s_account(void)
{
	const struct sandbox_account nobody = {65534, 65533};
	gid_t groups[1];
	struct err e;
	uid_t ids[3];
	if (sandbox_take_account(&nobody, getppid(), &e) < 0)
		return 0;
	return getresuid(&ids[0], &ids[1], &ids[2]) == 0 && ids[0] == 65534 && ids[1] == 65534 &&
	       ids[2] == 65534 && getegid() == 65533 && getgroups(1, groups) == 0 && seteuid(0) < 0;
}

static void root_s_child_takes_the_account_for_good(void **state)
{
	(void)state;
	only_as_root();
	assert_int_equal(end_of(NO_SEAL, take_nobody_s_account), 1 << 8);
}

static char private_file[] = "/tmp/officemail.XXXXXX"; /* somebody else's */

static int keep_rights(void)
{
	const struct sandbox_account nobody = {65534, 65534};
	struct rlimit core;
	struct err e;
	bool kept = sandbox_keep_master_rights(&e) == 0;
	bool reads = open(private_file, O_RDONLY) >= 0;
	bool writes = open(private_file, O_WRONLY) >= 0;
	bool owns = chown(private_file, 0, 0) == 0;
	bool no_core = getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0;
	bool caps = prctl(PR_CAPBSET_READ, 6) == 1 && prctl(PR_CAPBSET_READ, 21) == 0;
	bool signals = kill(getppid(), 0) == 0;
	bool changes = sandbox_take_account(&nobody, getppid(), &e) == 0;
	return kept && reads && !writes && !owns && no_core && caps && signals && changes;
}

static void a_master_that_is_root_keeps_a_few_rights_of_root(void **state)
{
	(void)state;
	only_as_root();
	int file = mkstemp(private_file);
	assert_int_equal(fchown(file, 65534, 65534), 0);
	close(file);
	int status = end_of(NO_SEAL, keep_rights);
	unlink(private_file);
	assert_int_equal(status, 1 << 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_reaches_no_file_no_network_and_no_process),
		cmocka_unit_test(a_closed_role_reaches_no_more_than_a_session),
		cmocka_unit_test(a_session_converses_and_has_memory),
		cmocka_unit_test(a_closed_role_accepts_and_waits_for_many),
		cmocka_unit_test(a_store_role_runs_nothing_signals_nobody_and_has_no_network),
		cmocka_unit_test(the_calls_of_another_architecture_are_refused_to_all),
		cmocka_unit_test(a_store_role_has_files_and_reaches_other_roles),
		cmocka_unit_test(a_broken_invariant_is_a_process_aborted),
		cmocka_unit_test(a_sealed_process_says_so_and_a_session_is_limited),
		cmocka_unit_test(the_memory_of_a_child_is_nobody_s_to_look_at),
		cmocka_unit_test(a_child_whose_parent_is_dead_already_ends),
		cmocka_unit_test(a_child_does_not_outlive_its_parent),
		cmocka_unit_test(root_s_child_takes_the_account_for_good),
		cmocka_unit_test(a_master_that_is_root_keeps_a_few_rights_of_root),
	};
	return cmocka_run_group_tests_name("sandbox", tests, setup, NULL);
}
