/* AUTH: staff say who they are before they send. (RFC 4954) */
#ifndef SMTPD_LOGIN_H
#define SMTPD_LOGIN_H

#include "base/buf.h"

/* Handler of the command table. */
int login_run(void *session, struct slice argument);

#endif
