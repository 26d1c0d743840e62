/* Files that the master opens for others, since they may be root's: the certificate and
 * its key, of which the chain is shown by sessions and the key goes to the keys role; and
 * the smarthost's password, which goes to the relay. The master reads but the chain. A
 * file that changes is noticed, a faulty one is refused and the old kept. */
#ifndef TOOLS_SECRETS_H
#define TOOLS_SECRETS_H

#include "base/procs.h"

/* What sessions are born with; NULL in it until the keys role has its key. */
const struct tls_chain **secrets_chain(void);
/* These roles, rows of the table, have been started. */
void secrets_begin_keys(struct procs *procs, size_t role);
void secrets_begin_relay(struct procs *procs, size_t role);
/* A MASTER_KEY_TAKEN or MASTER_KEY_REFUSED. */
void secrets_answer(const struct frame *frame);
/* Looks whether a file is another one than it was. */
void secrets_watch(struct procs *procs);
/* The settings are others: perhaps the files, too. */
void secrets_reload(const struct config *config);

#endif
