/* The relay role: sends for what waits to leave the office.
 *
 * It asks the writer which destinations are due, and forks a delivery for each
 * (courier.h). It never touches the store, and never reads an octet from outside:
 * DNS answers and other servers' replies are the deliveries' to read. */
#ifndef SMTPD_RELAY_H
#define SMTPD_RELAY_H

#include "base/role.h"

int relay_run(struct role_birth *birth, struct err *e);

#endif
