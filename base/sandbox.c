/* Rights given up. Each list below is the whole of what a kind of process may
 * still ask of the kernel. */
#include "base/sandbox.h"
#include "base/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SESSION_FILES  32
#define SESSION_MEMORY (512u << 20) /* octets of address space: a list of millions fits */

bool sandbox_is_sealed_build(void)
{
#ifdef UNSEALED
	return false;
#else
	return true;
#endif
}

/* What the server was started with. */
static struct rlimit granted[RLIMIT_NLIMITS];

/* Lowers a limit for good; it can only be lower already. */
static void limit(int resource, rlim_t most)
{
	struct rlimit now = granted[resource];
	if (now.rlim_cur > most)
		now.rlim_cur = most;
	if (now.rlim_max > most)
		now.rlim_max = most;
	setrlimit(resource, &now);
}

/* The leak detector looks for leaks at exit by tracing its own process: it may
 * in the tools and in roles that keep the store; elsewhere it is turned off. */
#ifdef SANITIZED
#define DUMPABLE 1
static int leaks_unseen;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return leaks_unseen;
}
#else
#define DUMPABLE 0
#endif

/* ---- the filters ---- */

#ifndef UNSEALED

#ifdef DEADLY_SEAL
#define REFUSED SCMP_ACT_KILL_PROCESS
#else
#define REFUSED SCMP_ACT_ERRNO(EPERM)
#endif

/* What a conversation takes, and what libc does behind our back. No fstat(3): it
 * is a call that takes paths, too, these days. */
static const int session_calls[] = {
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recv),
	SCMP_SYS(send),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(ppoll_time64),
	SCMP_SYS(shutdown),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(fstat64),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(futex_time64),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_nanosleep_time64),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(geteuid),
	SCMP_SYS(geteuid32),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigreturn),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_yield),
#ifdef SANITIZED
	SCMP_SYS(sigaltstack),
	SCMP_SYS(readlink),
	SCMP_SYS(prctl),
	SCMP_SYS(getuid),
#endif
};

/* What a role adds that listens. */
static const int role_calls[] = {
	SCMP_SYS(accept4),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
};

/* What a role that keeps the store must never do. */
static const int store_role_refused[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(kill),
	SCMP_SYS(tkill),
	SCMP_SYS(rt_sigqueueinfo),
	SCMP_SYS(rt_tgsigqueueinfo),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(chroot),
	SCMP_SYS(pivot_root),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(io_uring_setup), /* would do in our place what we may not */
	SCMP_SYS(setpriority),    /* these reach other processes of the account */
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(sched_setscheduler),
	SCMP_SYS(sched_setparam),
	SCMP_SYS(sched_setattr),
	SCMP_SYS(ioprio_set),
	SCMP_SYS(personality),
	SCMP_SYS(pkey_mprotect),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(ioctl), /* with TIOCSTI it would type at the terminal it was started from */
#ifndef SANITIZED        /* how the leak detector looks at its own process */
	SCMP_SYS(ptrace),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
#endif
};

/* Stands in a filter where a process's own pid belongs, which is known only when
 * it is sealed. Greater than any pid. */
#define OWN_PID 0x5EA1ED00

/* A call that one of its arguments decides about. */
struct use {
	int call;
	unsigned argument; /* from 0 */
	enum scmp_compare compare;
	scmp_datum_t value, masked; /* SCMP_CMP_MASKED_EQ: the mask, and what is left under it */
};

static const struct use session_uses[] = {
	/* Without this bit of protection: no code that was not there before. */
	{SCMP_SYS(mmap), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0},
	{SCMP_SYS(mmap2), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0},
	{SCMP_SYS(mprotect), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0},
	{SCMP_SYS(tgkill), 0, SCMP_CMP_EQ, OWN_PID, 0}, /* abort() */
	/* Its own flags, and the locks of SQLite. A descriptor that could be given an
	 * owner and a signal would kill that owner; and O_NONBLOCK and O_APPEND of the
	 * log are the flags of everybody's log. */
	{SCMP_SYS(fcntl), 1, SCMP_CMP_EQ, F_GETFD, 0},
	{SCMP_SYS(fcntl), 1, SCMP_CMP_EQ, F_SETFD, 0},
	{SCMP_SYS(fcntl), 1, SCMP_CMP_EQ, F_GETFL, 0},
	{SCMP_SYS(fcntl), 1, SCMP_CMP_EQ, F_GETLK, 0},
	{SCMP_SYS(fcntl), 1, SCMP_CMP_EQ, F_SETLK, 0},
	{SCMP_SYS(fcntl64), 1, SCMP_CMP_EQ, F_GETFD, 0},
	{SCMP_SYS(fcntl64), 1, SCMP_CMP_EQ, F_SETFD, 0},
	{SCMP_SYS(fcntl64), 1, SCMP_CMP_EQ, F_GETFL, 0},
	{SCMP_SYS(fcntl64), 1, SCMP_CMP_EQ, F_GETLK64, 0},
	{SCMP_SYS(fcntl64), 1, SCMP_CMP_EQ, F_SETLK64, 0},
};

/* An argument of 32 bits: the kernel does not look at the others, so neither does
 * the filter. */
#define IS(value) SCMP_CMP_MASKED_EQ, UINT32_MAX, (value)

static const struct use store_role_refused_uses[] = {
	{SCMP_SYS(socket), 0, SCMP_CMP_NE, AF_UNIX, 0},
	{SCMP_SYS(tgkill), 0, SCMP_CMP_NE, OWN_PID, 0},
	{SCMP_SYS(prlimit64), 0, SCMP_CMP_NE, 0, 0}, /* no time left is death, too */
	{SCMP_SYS(mmap), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC},
	{SCMP_SYS(mmap2), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC},
	{SCMP_SYS(mprotect), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC},
	{SCMP_SYS(fcntl), 1, IS(F_SETOWN)},
	{SCMP_SYS(fcntl), 1, IS(F_SETOWN_EX)},
	{SCMP_SYS(fcntl), 1, IS(F_SETSIG)},
	{SCMP_SYS(fcntl64), 1, IS(F_SETOWN)},
	{SCMP_SYS(fcntl64), 1, IS(F_SETOWN_EX)},
	{SCMP_SYS(fcntl64), 1, IS(F_SETSIG)},
};

#define FILTER_MOST 256 /* instructions */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A call this machine does not have, which has a number below 0, is no matter. */
static int add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (seccomp_rule_add(filter, action, calls[i], 0) < 0 && calls[i] >= 0)
			return -1;
	return 0;
}

static int add_uses(scmp_filter_ctx filter, uint32_t action, const struct use *uses, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct scmp_arg_cmp decides = {
			uses[i].argument, uses[i].compare, uses[i].value, uses[i].masked};
		if (seccomp_rule_add_array(filter, action, uses[i].call, 1, &decides) < 0 &&
			uses[i].call >= 0)
			return -1;
	}
	return 0;
}

static int fill_filter(scmp_filter_ctx filter, enum seal seal)
{
	if (seal == SEAL_STORE_ROLE)
		return add_calls(filter, REFUSED, store_role_refused, COUNT(store_role_refused)) ||
		       add_uses(filter, REFUSED, store_role_refused_uses,
			       COUNT(store_role_refused_uses));
	/* A binary tree: half the cost for each child. */
	return seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) ||
	       add_calls(filter, SCMP_ACT_ALLOW, session_calls, COUNT(session_calls)) ||
	       add_uses(filter, SCMP_ACT_ALLOW, session_uses, COUNT(session_uses)) ||
	       (seal == SEAL_CLOSED_ROLE &&
		       add_calls(filter, SCMP_ACT_ALLOW, role_calls, COUNT(role_calls)));
}

static struct sock_fprog programs[SEALS];

/* libseccomp writes a program to a descriptor only. */
static int export_filter(scmp_filter_ctx filter, struct sock_fprog *program)
{
	int fd = memfd_create("seal", MFD_CLOEXEC);
	if (fd < 0)
		return -1;
	int done = -1;
	off_t size;
	if (seccomp_export_bpf(filter, fd) == 0 && (size = lseek(fd, 0, SEEK_END)) > 0) {
		program->filter = must_alloc((size_t)size);
		program->len = (unsigned short)((size_t)size / sizeof(struct sock_filter));
		if (program->len <= FILTER_MOST &&
			pread(fd, program->filter, (size_t)size, 0) == size)
			done = 0;
	}
	close(fd);
	return done;
}

static int build_filter(enum seal seal)
{
	scmp_filter_ctx filter = seccomp_init(seal == SEAL_STORE_ROLE ? SCMP_ACT_ALLOW : REFUSED);
	if (!filter)
		return -1;
	int done = fill_filter(filter, seal) == 0 ? export_filter(filter, &programs[seal]) : -1;
	seccomp_release(filter);
	return done;
}

int sandbox_prepare(struct err *e)
{
	for (int seal = 0; seal < SEALS; seal++)
		if (build_filter((enum seal)seal) < 0)
			return err_set(e, ERR_IO, "cannot build the system call filters");
	for (int resource = 0; resource < RLIMIT_NLIMITS; resource++)
		getrlimit(resource, &granted[resource]);
	const uint32_t action = SECCOMP_RET_ERRNO;
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0)
		return err_set(e, ERR_IO,
			"this kernel has no system call filters (CONFIG_SECCOMP_FILTER): use "
			"one that has; officemail does not face strangers without");
	return 0;
}

/* own: this process's copy of the filter, on its stack, of which it has a copy anyway. */
static void name_own_pid(const struct sock_fprog *program, struct sock_filter *own)
{
	for (unsigned short i = 0; i < program->len; i++) {
		own[i] = program->filter[i];
		if (BPF_CLASS(own[i].code) == BPF_JMP && own[i].k == OWN_PID)
			own[i].k = (uint32_t)getpid();
	}
}

int sandbox_seal(enum seal seal, struct err *e)
{
	struct sock_filter own[FILTER_MOST];
	const struct sock_fprog program = {programs[seal].len, own};
	name_own_pid(&programs[seal], own);
	if (seal == SEAL_SESSION) {
		limit(RLIMIT_NOFILE, SESSION_FILES);
		limit(RLIMIT_NPROC, 0);
	}
#ifdef SANITIZED
	leaks_unseen = seal != SEAL_STORE_ROLE;
#else
	if (seal == SEAL_SESSION)
		limit(RLIMIT_AS, SESSION_MEMORY);
#endif
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return err_set_errno(e, "the kernel refuses the seal");
	return 0;
}

#else

int sandbox_prepare(struct err *e)
{
	(void)e;
	return 0;
}

int sandbox_seal(enum seal seal, struct err *e)
{
	(void)seal;
	(void)e;
	return 0;
}

#endif

/* ---- accounts and limits ---- */

int sandbox_hide_memory(struct err *e)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	if (prctl(PR_SET_DUMPABLE, DUMPABLE) < 0)
		return err_set_errno(e, "prctl");
	return 0;
}

int sandbox_take_account(const struct sandbox_account *account, pid_t parent, struct err *e)
{
	if (account->uid != 0 && (setgroups(0, NULL) < 0 ||
					 setresgid(account->gid, account->gid, account->gid) < 0 ||
					 setresuid(account->uid, account->uid, account->uid) < 0))
		return err_set_errno(e, "cannot take the office's account");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set_errno(e, "prctl");
	/* It died before it could be our death. */
	if (getppid() != parent)
		_exit(1);
	return sandbox_hide_memory(e); /* a change of account has shown it again */
}

int sandbox_keep_master_rights(struct err *e)
{
	if (sandbox_hide_memory(e) < 0)
		return -1;
	if (geteuid() != 0)
		return 0;
	const uint32_t kept =
		1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL | 1u << CAP_DAC_READ_SEARCH;
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (cap >= 32 || !(kept & 1u << cap))
			prctl(PR_CAPBSET_DROP, cap);
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct rights[2] = {{.effective = kept, .permitted = kept}};
	if (syscall(SYS_capset, &header, rights) < 0)
		return err_set_errno(e, "cannot give up root's rights");
	return 0;
}
