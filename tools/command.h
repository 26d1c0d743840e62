/* What a command of `officemail` is: a row of the table in officemail.c and a
 * function. */
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

#include "base/config.h"
#include "base/err.h"
#include "store/store.h"

struct command_line;

/* Does what the command says. 0 done; -1 *e says why not and how to mend it
 * (exit status 1). An empty sentence: everything has been said already. */
typedef int (*command_fn)(struct command_line *line, struct err *e);

struct command {
	const char *name; /* "serve", "user add" */
	/* What may follow, for people and for the parser alike: ARGUMENT,
	 * [ARGUMENT], ARGUMENT..., [ARGUMENT...], --option, --option VALUE, --option
	 * word|other, whose value is one of the words, and [--option | --option VALUE] and
	 * [ARGUMENT... | --option VALUE], of which one can be given. One that begins with [-t] has another program's options: the
	 * command reads its words itself. */
	const char *usage;
	const char *help; /* one line */
	command_fn run;
};

/* The n-th row of the table, NULL past the last; those of one noun stand together. */
const struct command *command_at(size_t n);

#define COMMAND_OPTIONS_MAX 12

struct command_line {
	const struct command *command;
	const char *config_path; /* of -c, or NULL */
	/* Ends with NULL; as many as the usage asks for. */
	const char *const *arguments;
	size_t count;
	struct { /* private */
		struct slice name;
		const char *value;
	} options[COMMAND_OPTIONS_MAX];
	size_t option_count;
	bool misused;
	int status; /* to exit with after a failure; 0: 1, or 2 where it is misused */
};

/* The value of "--name", "" for one without; NULL if it was not given. */
const char *command_option(const struct command_line *line, const char *name);
/* Which word it is of those that the usage offers, from 0 on; 0 if it was not given. */
size_t command_choice(const struct command_line *line, const char *name);
/* For what the usage cannot say (a size that is none): exit status 2, the
 * sentence and the usage on stderr. Returns -1. */
int command_misuse(struct command_line *line, struct err *e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* For main: reads the words behind the command's name. `arguments` has room for
 * all of them and a NULL. */
int command_parse(
	struct command_line *line, const char *const *words, const char **arguments, struct err *e);

/* ---- what most commands begin and end with ---- */

struct office {
	struct config config;
	struct store *store;
};

/* Finds and reads office.ini; says every fault on stderr. */
int office_read(const struct command_line *line, struct config *config, struct err *e);
/* Reads office.ini, takes the office's account where root calls, and opens the
 * store. After a failure nothing is open. */
int office_open(struct office *office, const struct command_line *line, enum store_role role,
	struct err *e);
void office_close(struct office *office);
/* For commands that write: opens it with a transaction begun. */
int office_begin(struct office *office, const struct command_line *line, struct err *e);
/* Their end: commits if `result` is 0, else rolls back; closes. Returns
 * `result`, or -1 if it cannot be committed. */
int office_end(struct office *office, int result, struct err *e);
/* For long ones: calls `step` as long as it returns 1 for "there is more", each
 * time in a transaction of its own, between which the server's writer gets its
 * turn. */
int office_in_steps(struct office *office,
	int (*step)(struct office *office, void *arg, struct err *e), void *arg, struct err *e);

/* ---- the commands ---- */

int command_serve(struct command_line *line, struct err *e);
int command_init(struct command_line *line, struct err *e);
int command_check(struct command_line *line, struct err *e);
int command_backup(struct command_line *line, struct err *e);
int command_restore(struct command_line *line, struct err *e);
int command_status(struct command_line *line, struct err *e);
int command_user_add(struct command_line *line, struct err *e);
int command_user_passwd(struct command_line *line, struct err *e);
int command_user_remove(struct command_line *line, struct err *e);
int command_user_list(struct command_line *line, struct err *e);
int command_user_show(struct command_line *line, struct err *e);
int command_user_enable(struct command_line *line, struct err *e);
int command_user_disable(struct command_line *line, struct err *e);
int command_user_quota(struct command_line *line, struct err *e);
int command_user_rename(struct command_line *line, struct err *e);
int command_user_allow_from(struct command_line *line, struct err *e);
int command_device_add(struct command_line *line, struct err *e);
int command_device_list(struct command_line *line, struct err *e);
int command_device_remove(struct command_line *line, struct err *e);
int command_alias_add(struct command_line *line, struct err *e);
int command_alias_remove(struct command_line *line, struct err *e);
int command_alias_list(struct command_line *line, struct err *e);
int command_folder_list(struct command_line *line, struct err *e);
int command_folder_add(struct command_line *line, struct err *e);
int command_folder_remove(struct command_line *line, struct err *e);
int command_rule_add(struct command_line *line, struct err *e);
int command_rule_list(struct command_line *line, struct err *e);
int command_rule_remove(struct command_line *line, struct err *e);
int command_mail_list(struct command_line *line, struct err *e);
int command_mail_show(struct command_line *line, struct err *e);
int command_mail_remove(struct command_line *line, struct err *e);
int command_mail_move(struct command_line *line, struct err *e);
int command_mail_restore(struct command_line *line, struct err *e);
int command_mail_again(struct command_line *line, struct err *e);
int command_mail_import(struct command_line *line, struct err *e);
int command_mail_export(struct command_line *line, struct err *e);
int command_queue_list(struct command_line *line, struct err *e);
int command_queue_show(struct command_line *line, struct err *e);
int command_queue_retry(struct command_line *line, struct err *e);
int command_queue_remove(struct command_line *line, struct err *e);
int command_trace(struct command_line *line, struct err *e);
int command_dns(struct command_line *line, struct err *e);
int command_relay_test(struct command_line *line, struct err *e);
int command_client(struct command_line *line, struct err *e);
int command_sendmail(struct command_line *line, struct err *e);
int command_completion(struct command_line *line, struct err *e);
int command_help(struct command_line *line, struct err *e);

#endif
