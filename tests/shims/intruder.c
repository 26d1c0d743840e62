/* A process of the server that is owned by what it has read. Laid before libc's calls
 * (LD_PRELOAD), it looks into all that a process receives: behind "intrude-ROLE-" stands
 * the name of what that process then tries, straight from the kernel; "all": one after
 * the other. What came of each is told on stderr. ROLE is "smtp", "pop3" and so on for a
 * session, else the role's name, or "helper".
 *
 * $INTRUDER_KEY: a file that it must not read. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char role[16];
static pid_t parent;
static char parent_memory[64];
static const char *key = "";

/* ---- what it tries ---- */

static char octets[64];
static const struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/there/is/no/such"};
static const struct rlimit none = {0, 0};
static const struct iovec here = {octets, sizeof(octets)};
static uint32_t one_page[1024] __attribute__((aligned(4096)));

#define AT_ROOT (long)"/"

static const struct attempt {
	const char *name;
	long call, arguments[6];
	long *late; /* one that is known only later: the first argument */
} attempts[] = {
	{"open", SYS_openat, {AT_FDCWD, (long)"/etc/passwd", O_RDONLY}, NULL},
	{"open_key", SYS_openat, {AT_FDCWD, 0, O_RDONLY}, (long *)&key},
	{"open_parent", SYS_openat, {AT_FDCWD, (long)parent_memory, O_RDWR}, NULL},
	{"create", SYS_openat, {AT_FDCWD, (long)"intruder", O_CREAT | O_WRONLY, 0600}, NULL},
	{"openat2", SYS_openat2, {AT_FDCWD, (long)"/etc/passwd", (long)octets, 24}, NULL},
	{"by_handle", SYS_open_by_handle_at, {AT_FDCWD, (long)octets, O_RDONLY}, NULL},
	{"stat", SYS_newfstatat, {AT_FDCWD, (long)"/etc/passwd", (long)one_page}, NULL},
	{"unlink", SYS_unlinkat, {AT_FDCWD, (long)"/there/is/no/such"}, NULL},
	{"rename", SYS_renameat2, {AT_FDCWD, (long)"/no", AT_FDCWD, (long)"/nor"}, NULL},
	{"link", SYS_linkat, {AT_FDCWD, (long)"/no", AT_FDCWD, (long)"/nor"}, NULL},
	{"symlink", SYS_symlinkat, {(long)"/no", AT_FDCWD, (long)"/there/is/no/such"}, NULL},
	{"mkdir", SYS_mkdirat, {AT_FDCWD, (long)"/there/is/no/such"}, NULL},
	{"chmod", SYS_fchmodat, {AT_FDCWD, (long)"/there/is/no/such"}, NULL},
	{"truncate", SYS_truncate, {(long)"/there/is/no/such"}, NULL},
	{"ftruncate", SYS_ftruncate, {STDERR_FILENO}, NULL},
	{"chroot", SYS_chroot, {AT_ROOT}, NULL},
	{"chdir", SYS_chdir, {AT_ROOT}, NULL},
	{"mount", SYS_mount, {(long)"none", AT_ROOT, (long)"tmpfs"}, NULL},
	{"umount", SYS_umount2, {(long)"/there/is/no/such"}, NULL},
	{"socket", SYS_socket, {AF_INET, SOCK_STREAM}, NULL},
	{"socket_unix", SYS_socket, {AF_UNIX, SOCK_STREAM}, NULL},
	{"socket_netlink", SYS_socket, {AF_NETLINK, SOCK_RAW}, NULL},
	{"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, (long)octets}, NULL},
	{"connect", SYS_connect, {-1, (long)&nowhere, sizeof(nowhere)}, NULL},
	{"bind", SYS_bind, {-1, (long)&nowhere, sizeof(nowhere)}, NULL},
	{"listen", SYS_listen, {-1}, NULL},
	{"accept", SYS_accept4, {-1}, NULL},
	{"pipe", SYS_pipe2, {(long)octets}, NULL},
	{"memfd", SYS_memfd_create, {(long)"x"}, NULL},
	{"eventfd", SYS_eventfd2, {0}, NULL},
	{"inotify", SYS_inotify_init1, {0}, NULL},
	{"dup", SYS_dup, {STDERR_FILENO}, NULL},
	{"set_flags", SYS_fcntl, {STDERR_FILENO, F_SETFL, 0}, NULL},
	{"set_owner", SYS_fcntl, {STDERR_FILENO, F_SETOWN, 1}, NULL},
	{"seek", SYS_lseek, {STDERR_FILENO, 0, SEEK_CUR}, NULL},
	{"type", SYS_ioctl, {STDERR_FILENO, TIOCSTI, (long)"x"}, NULL},
	{"fork", SYS_clone, {SIGCHLD}, NULL},
	{"clone3", SYS_clone3, {(long)octets, 0}, NULL},
	{"exec", SYS_execve, {(long)"/there/is/no/such"}, NULL},
	{"exec_fd", SYS_execveat, {-1, (long)""}, NULL},
	{"trace", SYS_ptrace, {PTRACE_ATTACH, 0}, NULL},
	{"kill", SYS_kill, {INT32_MAX, SIGKILL}, NULL},
	{"tgkill", SYS_tgkill, {INT32_MAX, INT32_MAX, SIGKILL}, NULL},
	{"sigqueue", SYS_rt_sigqueueinfo, {INT32_MAX}, NULL},
	{"read_other", SYS_process_vm_readv, {INT32_MAX, (long)&here, 1, (long)&here, 1}, NULL},
	{"write_other", SYS_process_vm_writev, {INT32_MAX, (long)&here, 1, (long)&here, 1}, NULL},
	{"pidfd", SYS_pidfd_open, {INT32_MAX}, NULL},
	{"pidfd_getfd", SYS_pidfd_getfd, {-1}, NULL},
	{"limit_other", SYS_prlimit64, {INT32_MAX, RLIMIT_CPU, (long)&none}, NULL},
	{"setuid", SYS_setresuid, {-1, -1, -1}, NULL},
	{"setgid", SYS_setresgid, {-1, -1, -1}, NULL},
	{"be_dumpable", SYS_prctl, {PR_SET_DUMPABLE, 1}, NULL},
	{"outlive", SYS_prctl, {PR_SET_PDEATHSIG, 0}, NULL},
	{"seccomp", SYS_seccomp, {0}, NULL},
	{"io_uring", SYS_io_uring_setup, {1, (long)one_page}, NULL},
	{"bpf", SYS_bpf, {0, (long)octets, sizeof(octets)}, NULL},
	{"perf", SYS_perf_event_open, {(long)octets}, NULL},
	{"userfaultfd", SYS_userfaultfd, {0}, NULL},
	{"keyctl", SYS_keyctl, {0}, NULL},
	{"unshare", SYS_unshare, {CLONE_NEWUSER}, NULL},
	{"setns", SYS_setns, {-1}, NULL},
	{"personality", SYS_personality, {0xffffffff}, NULL},
	{"map_code", SYS_mmap, {0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}, NULL},
	{"make_code", SYS_mprotect, {(long)one_page, 4096, PROT_READ | PROT_EXEC}, NULL},
	{"shared_memory", SYS_shmget, {0, 4096, 0600}, NULL},
	{"message_queue", SYS_msgget, {0, 0600}, NULL},
};

static void try(const struct attempt *attempt)
{
	char line[128];
	const long *a = attempt->arguments;
	long second = attempt->late ? *attempt->late : a[1];
	long result = syscall(attempt->call, a[0], second, a[2], a[3], a[4], a[5]);
	int code = result < 0 ? errno : 0;
	if (attempt->call == SYS_clone && result == 0)
		_exit(0);
	int len = snprintf(line, sizeof(line), "intruder in=%s try=%s result=%s\n", role,
		attempt->name, code ? strerrorname_np(code) : "done");
	(void)!write(STDERR_FILENO, line, (size_t)len);
}

/* "NAME" or "all", up to a dot. */
static void intrude(const char *name, size_t len)
{
	char line[64];
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if ((len == 3 && memcmp(name, "all", 3) == 0) ||
			(len == strlen(attempts[i].name) &&
				memcmp(name, attempts[i].name, len) == 0))
			try(&attempts[i]);
	int said = snprintf(
		line, sizeof(line), "intruder in=%s has tried %.*s\n", role, (int)len, name);
	(void)!write(STDERR_FILENO, line, (size_t)said);
}

static void look(const char *at, size_t len)
{
	char wanted[32];
	size_t head = (size_t)snprintf(wanted, sizeof(wanted), "intrude-%s-", role);
	const char *found = *role && at && len > head ? memmem(at, len, wanted, head) : NULL;
	const char *end = found ? memchr(found, '.', len - (size_t)(found - at)) : NULL;
	if (end)
		intrude(found + head, (size_t)(end - found) - head);
}

/* ---- what it lies before ---- */

static ssize_t (*real_recv)(int, void *, size_t, int);
static ssize_t (*real_recvmsg)(int, struct msghdr *, int);
static int (*real_prctl)(int, unsigned long, unsigned long, unsigned long, unsigned long);
static pid_t (*real_fork)(void);

__attribute__((constructor)) static void find_real(void)
{
	real_recv = (ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
	real_recvmsg = (ssize_t(*)(int, struct msghdr *, int))dlsym(RTLD_NEXT, "recvmsg");
	real_prctl = (int (*)(int, unsigned long, unsigned long, unsigned long,
		unsigned long))dlsym(RTLD_NEXT, "prctl");
	real_fork = (pid_t(*)(void))dlsym(RTLD_NEXT, "fork");
	if (getenv("INTRUDER_KEY"))
		key = getenv("INTRUDER_KEY");
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
	ssize_t len = real_recv(fd, buffer, size, flags);
	if (len > 0)
		look(buffer, (size_t)len);
	return len;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t len = real_recvmsg(fd, message, flags);
	if (len > 0)
		look(message->msg_iov->iov_base, (size_t)len);
	return len;
}

/* The master's children are called by what they are. */
int prctl(int option, ...)
{
	va_list rest;
	unsigned long a[4];
	va_start(rest, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(rest, unsigned long);
	va_end(rest);
	if (option == PR_SET_NAME) {
		snprintf(role, sizeof(role), "%s", (const char *)a[0]);
		parent = getppid();
		snprintf(parent_memory, sizeof(parent_memory), "/proc/%d/mem", (int)parent);
	}
	return real_prctl(option, a[0], a[1], a[2], a[3]);
}

pid_t fork(void)
{
	pid_t pid = real_fork();
	if (pid == 0 && strcmp(role, "directory") == 0)
		strcpy(role, "helper");
	return pid;
}
