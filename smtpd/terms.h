/* On what terms another server is spoken with, as [relay] has it: when TLS begins,
 * whose certificates are believed, the login. */
#ifndef SMTPD_TERMS_H
#define SMTPD_TERMS_H

#include "base/config.h"
#include "smtpd/client.h"

#define TERMS_PASSWORD_MAX 1024

struct terms {
	struct client_terms client; /* borrows from the rest, and from the config */
	struct tls_trust *trust;
	char password[TERMS_PASSWORD_MAX];
};

/* The smarthost's. The password is the first line of the file open as `password_fd`
 * (-1: none), which nobody else may read. For a process that may open files yet. ERR_INPUT,
 * ERR_DENIED and what open(2) says, with the mend. */
int terms_of_smarthost(
	struct terms *terms, const struct config *config, int password_fd, struct err *e);
/* Those of a host that a domain's MX names: TLS where there is any, with whoever it
 * is (RFC 3207). */
void terms_of_mx(struct terms *terms, const struct config *config);
/* Those whom this box believes: Debian's ca-certificates. */
int terms_read_authorities(struct tls_trust **trust, struct err *e);
/* Wipes the password: nobody needs it behind the login. */
void terms_forget(struct terms *terms);
void terms_free(struct terms *terms); /* and the rest */

#endif
