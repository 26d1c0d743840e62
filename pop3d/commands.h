/* The commands of POP3: handlers for the table in commands.c. Each answers its
 * command and returns the next state, DIALOG_STAY or DIALOG_END. */
#ifndef POP3D_COMMANDS_H
#define POP3D_COMMANDS_H

#include "base/dialog.h"

extern const struct dialog_command pop3_commands[];

/* login.c */
int pop3_stls(void *session, struct slice argument); /* RFC 2595, 4 */
int pop3_user(void *session, struct slice argument); /* RFC 1939, 7 */
int pop3_pass(void *session, struct slice argument);
int pop3_auth(void *session, struct slice argument); /* RFC 5034 */

/* messages.c: RFC 1939, 5 to 7 */
int pop3_stat(void *session, struct slice argument);
int pop3_list(void *session, struct slice argument);
int pop3_uidl(void *session, struct slice argument);
int pop3_dele(void *session, struct slice argument);
int pop3_rset(void *session, struct slice argument);
int pop3_quit(void *session, struct slice argument);

/* retrieve.c */
int pop3_retr(void *session, struct slice argument);
int pop3_top(void *session, struct slice argument);

#endif
