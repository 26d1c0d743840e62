/* The certificate an office shows: its own, or the self-signed one. */
#ifndef TOOLS_CERTIFICATE_H
#define TOOLS_CERTIFICATE_H

#include "base/config.h"
#include "base/err.h"

struct certificate_paths {
	char certificate[CONFIG_PATH_MAX + 16], key[CONFIG_PATH_MAX + 16];
};

/* What office.ini names, or DATA/tls/cert.pem and key.pem. */
void certificate_find(const struct config *config, struct certificate_paths *paths);
/* Makes the self-signed one (0600) where office.ini names none and there is
 * none, under the caller's effective account. 1 made, 0 nothing to do. */
int certificate_make(const struct config *config, struct err *e);

#endif
