/* A password that is given to a user or a device, from where the options say. */
#ifndef TOOLS_NEW_PASSWORD_H
#define TOOLS_NEW_PASSWORD_H

#include "store/password.h"
#include "tools/command.h"

struct new_password {
	char hash[HASH_MAX];
	char generated[PASSWORD_GENERATED_MAX]; /* "", or it, to be printed when it is on disk */
};

/* --hash-stdin, --password-stdin, --generate, or the terminal. The hash takes the setting
 * of `like`, which is "" where it is to have one of its own. ERR_EXISTS: it is the
 * password of `other` already, a hash, where that is not NULL. */
int new_password_take(const struct command_line *line, const char *like, const char *other,
	struct new_password *password, struct err *e);
/* The command ends with `result`: prints what was generated where that is 0, and wipes. */
int new_password_end(struct new_password *password, int result);

#endif
