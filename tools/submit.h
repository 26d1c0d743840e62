/* Where programs of this box submit: the unix socket "submit", open to every
 * account, in /run/officemail for the office of /etc/officemail/office.ini, else in
 * the directory "run" beside office.ini. */
#ifndef TOOLS_SUBMIT_H
#define TOOLS_SUBMIT_H

#include "base/config.h"

#define SUBMIT_SOCKET "submit"

/* The directory of the socket for the office of that office.ini (NULL: of the one in
 * /etc). Returns `path`. */
const char *submit_directory(const char *office_ini, char path[CONFIG_PATH_MAX]);
/* Binds it, in a directory that is made where it is not there. ERR_DENIED: one
 * where others may write. Returns the descriptor or -1. */
int submit_listen(const char *office_ini, struct err *e);
/* Connects to it. ERR_GONE: nobody listens there. Returns the descriptor or -1. */
int submit_connect(const char *office_ini, struct err *e);

#endif
