/* The programs of the roles, for the master's table (DESIGN of processes:
 * README.md). Each runs in a process of its own until the master has gone. */
#ifndef STORE_ROLES_H
#define STORE_ROLES_H

#include "base/role.h"

/* Holds the private keys and signs: handshakes, one a channel, and for deliveries the
 * mail that leaves. Sealed from its first breath: the keys' files come as descriptors
 * (MASTER_KEY_FILE, MASTER_DKIM_KEY). */
int keys_run(struct role_birth *birth, struct err *e);

/* The only server process that writes the store: files, deletes, purges;
 * everything that arrived together in one commit. Holds DATA/lock. */
int writer_run(struct role_birth *birth, struct err *e);

/* Reads: where does this address lead, is this password right, what is in that
 * mailbox. Hashes passwords in two helpers that never see the store. */
int directory_run(struct role_birth *birth, struct err *e);

#endif
