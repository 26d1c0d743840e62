/* The table of commands, and what is answered to lines that are none. */
#ifndef SMTPD_COMMANDS_H
#define SMTPD_COMMANDS_H

#include "base/dialog.h"

extern const struct dialog_command smtpd_commands[]; /* ends with verb NULL */
/* dialog.refuse */
void smtpd_refuse(void *session, enum dialog_fault fault, const struct dialog_command *command);

#endif
