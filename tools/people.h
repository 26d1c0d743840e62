/* What the commands about people share: the user that is named first, a folder,
 * the list of what a user has. */
#ifndef TOOLS_PEOPLE_H
#define TOOLS_PEOPLE_H

#include "store/folders.h"
#include "store/users.h"
#include "tools/command.h"
#include "tools/rows.h"

/* Opens the office and finds the user called line->arguments[0]; ERR_MISSING.
 * After a failure nothing is open. */
int people_open(struct office *office, struct user *user, const struct command_line *line,
	enum store_role role, struct err *e);
/* The same for a command that writes, with a transaction begun: office_end(). */
int people_begin(
	struct office *office, struct user *user, const struct command_line *line, struct err *e);
/* Reads the user anew, in the transaction that has begun since. */
int people_find_again(
	struct office *office, struct user *user, const struct command_line *line, struct err *e);
/* The user's folder of that name; ERR_MISSING. */
int people_find_folder(struct office *office, const struct user *user, const char *name,
	struct folder *folder, struct err *e);

/* Adds a row for each of a user's folders, rules, ... */
typedef int (*people_rows_fn)(struct rows *rows, struct office *office, const struct user *user,
	const struct command_line *line, struct err *e);
/* A command that prints them, by the columns of rows_begin(). */
int people_list(const struct command_line *line, const char *const *columns,
	people_rows_fn add_rows, struct err *e);

#endif
