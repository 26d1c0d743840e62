/* POP3 (RFC 1939) for one visitor: what the master runs in a sealed process. */
#ifndef POP3D_POP3D_H
#define POP3D_POP3D_H

#include "base/service.h"

/* Speaks with the visitor until one of the two has had enough: a service_fn. */
void pop3d_serve(struct visitor *visitor);

#endif
