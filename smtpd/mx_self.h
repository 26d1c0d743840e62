/* Is this host our own SMTP server? See mx.h. */
#ifndef SMTPD_MX_SELF_H
#define SMTPD_MX_SELF_H

#include "base/config.h"
#include <sys/socket.h>

/* Our `hostname`, ASCII case-blind. */
bool mx_is_our_name(const struct config *config, const char *name);
/* An address and port at which [smtpd] listens. May ask the resolver, where office.ini
 * names a listener by a name. */
bool mx_is_our_place(const struct config *config, const struct sockaddr *address);

/* Address and port alike. */
bool mx_same_place(const struct sockaddr *a, const struct sockaddr *b);

#endif
