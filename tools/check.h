/* The parts of `check`: each looks at one thing and tells what it finds. */
#ifndef TOOLS_CHECK_H
#define TOOLS_CHECK_H

#include "store/store.h"
#include "tools/finding.h"

/* What stands in office.ini, each value good by itself, and makes no sense all the same. */
void check_settings(const struct config *config, struct findings *findings);
/* Can be bound what is to be? Before the account is changed: root may bind what the account
 * may not. `server`: the process that serves, 0 if none; its ports are ours. */
void check_ports(const struct config *config, int64_t server, struct findings *findings);
/* The machine under the office: clock, kernel, limits, memory; the process that serves. */
void check_box(const struct config *config, int64_t server, struct findings *findings);
/* The certificate, its chain and its key; the key that signs mail. */
void check_certificate(const struct config *config, struct findings *findings);
void check_signing_key(const struct config *config, struct findings *findings);
/* The login at the smarthost. */
void check_smarthost(const struct config *config, struct findings *findings);
/* The milters of [filter], by the account that serves; `status` tells it, too. Waits up to
 * five seconds for each that is silent. */
void check_filters(const struct config *config, struct findings *findings);
/* The data directory and the file system it lies on. True if the store can be looked for
 * in it. */
bool check_data(const struct config *config, struct findings *findings);
/* Users, and where addresses lead. */
int check_people(
	struct store *store, const struct config *config, struct findings *findings, struct err *e);
/* What DNS says of the office, against what it should. */
void check_dns(const struct config *config, struct findings *findings);

#endif
