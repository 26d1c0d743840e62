/* What the commands about people share: finding the user that was named, and
 * ending a transaction. */
#ifndef TOOLS_PEOPLE_H
#define TOOLS_PEOPLE_H

#include "store/folders.h"
#include "store/users.h"
#include "tools/command.h"

/* Opens the office and finds the user called line->arguments[0]. ERR_MISSING. */
int people_open(struct office *office, const struct command_line *line, enum store_role role,
	struct user *user, struct err *e);
/* The user's folder of that name; ERR_MISSING. */
int people_find_folder(struct office *office, const struct user *user, const char *name,
	struct folder *folder, struct err *e);
/* Ends what store_begin() began: commits if `result` is not -1, else rolls back.
 * Returns `result`, or -1. */
int people_end(struct store *store, int result, struct err *e);
/* people_end() for a step of a long task, and a pause that lets the server's
 * writer in before the next. */
int people_end_step(struct store *store, int result, struct err *e);

#endif
