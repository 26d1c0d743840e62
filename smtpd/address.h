/* The path of MAIL and RCPT: "FROM:<...>", "TO:<...>". Pure.
 * (RFC 5321, 4.1.2 and 4.1.3) */
#ifndef SMTPD_ADDRESS_H
#define SMTPD_ADDRESS_H

#include "base/buf.h"
#include "store/users.h"

enum address_role {
	ADDRESS_SENDER,    /* "FROM:"; <> is the null sender */
	ADDRESS_RECIPIENT, /* "TO:"; <postmaster> needs no domain (RFC 5321, 4.5.1) */
};

enum address_fault {
	ADDRESS_GOOD,
	ADDRESS_NO_PATH,   /* does not begin with the keyword and "<" */
	ADDRESS_MALFORMED, /* no mailbox, a source route, too long, a control */
	ADDRESS_NOT_ASCII, /* an octet over 126: that would be SMTPUTF8 */
};

/* Reads keyword and path off the front of *text, which goes on behind the ">";
 * on a fault it is left alone and *address is empty. Blanks after the colon are stepped over
 * (Outlook). The address comes out without brackets, ADDRESS_MAX - 1 octets of
 * printable ASCII at most with exactly one unquoted "@"; quotes that a local
 * part does not need are taken off, so that "ani"@x is ani@x. The null sender
 * is the empty string. Case is kept. Where `domain` is not empty, an address without
 * one gets it; but <postmaster>. */
enum address_fault address_take_path(
	struct slice *text, enum address_role role, struct slice domain, char address[ADDRESS_MAX]);

#endif
