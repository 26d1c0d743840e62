/* The key that signs what the office sends: its file, and how the master hands it to the
 * keys role. It signs under the selector that stands in the settings, and never under one
 * whose key the role has not got. */
#ifndef TOOLS_SIGNING_H
#define TOOLS_SIGNING_H

#include "base/procs.h"

#define SIGNING_PATH_MAX (CONFIG_PATH_MAX + CONFIG_NAME_MAX + 16)
/* DATA/dkim/SELECTOR.pem; returns path. */
const char *signing_path(char path[SIGNING_PATH_MAX], const char *data, const char *selector);
/* Makes it (RSA, 2048 bits, 0600) where there is none, under the caller's effective
 * account. 1 made, 0 it was there. */
int signing_make(const struct config *config, struct err *e);

/* ---- for the master ---- */

/* Offers the key of `selector` to the keys role, which is row `role` of the table. Once
 * it is taken, the selector stands in the settings, and the roles know. One that is
 * refused leaves the old in its place; the first ends the server. */
void signing_offer(struct procs *procs, size_t role, const char *selector);
/* The role has been started. */
void signing_begin(struct procs *procs, size_t role);
/* A MASTER_DKIM_TAKEN or MASTER_DKIM_REFUSED. */
void signing_answer(struct procs *procs, const struct frame *frame);
/* Has it got a key? */
bool signing_is_ready(void);

#endif
