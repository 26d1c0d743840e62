/* SMTP (RFC 5321) and LMTP (RFC 2033) for one visitor: what the master runs in a sealed process. */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include "base/service.h"

/* Speaks with the visitor until one of the two has had enough: a service_fn. */
void smtpd_serve(struct visitor *visitor);

#endif
