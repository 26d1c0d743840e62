/* The seal: what a process gives up before it reads a stranger's octet.
 *
 * The filters are built once, in the master, and inherited by every child as a
 * plain BPF program. A call the filter refuses is EPERM; in the DEADLY build it
 * is death, for the tests. Built with UNSEALED=1 there is no filter, and
 * --version and the first log line say so. */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include "base/err.h"
#include <stdbool.h>
#include <sys/types.h>

enum seal {
	SEAL_SESSION,     /* no file, no socket, no process: what it holds is all it has */
	SEAL_CLOSED_ROLE, /* the same, and takes connections at its socket */
	SEAL_STORE_ROLE,  /* files, but no program, no other process, no network */
	SEALS,
};

/* Once, in the master. ERR_IO where the kernel has no seccomp filters. */
int sandbox_prepare(struct err *e);
bool sandbox_is_sealed_build(void);

/* The account that children take. uid 0: the master is no root, nothing to
 * change. */
struct sandbox_account {
	uid_t uid;
	gid_t gid;
};
/* No core dumps, and no memory for others to look at. */
int sandbox_hide_memory(struct err *e);

/* In a fresh child: takes the account, asks for SIGKILL at the parent's death
 * (`parent` is its pid: if it died already, the child ends), no core dumps, no
 * dumpable memory, no new privileges. */
int sandbox_take_account(const struct sandbox_account *account, pid_t parent, struct err *e);
/* The point of no return. */
int sandbox_seal(enum seal seal, struct err *e);

/* In the master, when all is bound: no core dumps, no debugger; and where it was
 * started as root it keeps the capabilities to give children their account, to
 * open key files and to end children. */
int sandbox_keep_master_rights(struct err *e);

#endif
