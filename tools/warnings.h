/* What an admin should hear of before it hurts: `status` lists it, and `check` tells it
 * among the rest. One function a thing, in a table; whoever has another adds a row. */
#ifndef TOOLS_WARNINGS_H
#define TOOLS_WARNINGS_H

#include "store/store.h"
#include "tools/finding.h"

/* Certificate, disk, queue, quotas, backup, clients that are stuck, devices. -1: the store
 * could not be asked. */
int warnings_find(
	struct store *store, const struct config *config, struct findings *findings, struct err *e);

#endif
