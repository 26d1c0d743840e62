/* Rules of a user: mail whose header contains a pattern is filed in a folder.
 * The first that matches wins. */
#ifndef STORE_RULES_H
#define STORE_RULES_H

#include "store/folders.h"

#define RULE_TEXT_MAX 256

struct rule {
	int64_t n;                   /* 1, 2, ... in the user's order */
	char header[RULE_TEXT_MAX];  /* a field's name */
	char pattern[RULE_TEXT_MAX]; /* contained in it, ASCII case-blind */
	char folder[FOLDER_NAME_MAX];
	int64_t folder_id;
};

/* In a transaction. The rule comes behind the user's others. ERR_INPUT: `header` is
 * no field's name (a colon behind it is taken off), or `pattern` is empty, holds
 * controls, or is too long. */
int rules_add(struct store *store, int64_t user_id, struct slice header, struct slice pattern,
	int64_t folder_id, struct err *e);
/* In a transaction. Those behind it move up. ERR_MISSING: there is no n-th. */
int rules_remove(struct store *store, int64_t user_id, int64_t n, struct err *e);
/* Calls `each` in the user's order until it returns non-zero. */
int rules_each(struct store *store, int64_t user_id,
	int (*each)(const struct rule *rule, void *arg), void *arg, struct err *e);
/* Removes those that file in a folder that goes. */
int rules_forget_folder(struct store *store, int64_t user_id, int64_t folder_id, struct err *e);
/* The folder for a message with this header (a message's first octets will
 * do). 1 found. */
int rules_match(struct store *store, int64_t user_id, struct slice header, int64_t *folder_id,
	struct err *e);

#endif
