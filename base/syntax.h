/* What a word may look like: letters, names of hosts, addresses, places to
 * listen. Pure; the words are those of office.ini and the command line, what
 * clients send has its own rules (store/address.h, smtpd/address.h). */
#ifndef BASE_SYNTAX_H
#define BASE_SYNTAX_H

#include "base/buf.h"
#include <stdint.h>

/* ASCII ones, whatever the locale. */
bool syntax_is_letter_or_digit(char octet);
/* Stands in an address without quotes: atext (RFC 5322, 3.2.3). */
bool syntax_is_atext(char octet);
/* What stands between the dots of a domain: 1 to 63 letters, digits and hyphens, no
 * hyphen at either end. */
bool syntax_is_label(struct slice text);
/* Letters, digits and hyphens in labels of 1 to 63, 253 octets in all, the
 * last label not of digits alone (RFC 1123, 2.1). */
bool syntax_is_hostname(struct slice text);
/* LOCAL@DOMAIN: a local part of 1 to 64 octets without quotes (RFC 5321,
 * Dot-string) and a domain that is a hostname. */
bool syntax_is_address(struct slice text);
/* An IPv4 or IPv6 address, with or without /BITS. */
bool syntax_is_network(struct slice text);
/* Takes "host:port", "[v6]:port" or "port" apart; host is empty for the last,
 * without its brackets for the second. Borrowed from `text`. */
bool syntax_split_listener(struct slice text, struct slice *host, uint16_t *port);
/* Does such a place hear this box alone? */
bool syntax_is_loopback(struct slice listener);

#endif
