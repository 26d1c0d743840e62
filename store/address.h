/* An address in the one form that the store compares. Pure. (RFC 5321, 4.1.2) */
#ifndef STORE_ADDRESS_H
#define STORE_ADDRESS_H

#include "base/err.h"
#include "store/users.h"

/* "local@domain" in ASCII lower case. A quoted local part that needs no quotes
 * has lost them: "ani"@x and ani@x are one mailbox. One that needs them keeps
 * them, and no user, alias or folder has such an address. */
struct address {
	char text[ADDRESS_MAX];
	size_t at;   /* where the "@" stands */
	bool quoted; /* the local part has kept its quotes */
};

/* Reads what a client or an admin wrote; ERR_INPUT says what is wrong: there
 * is exactly one unquoted "@", a local part of 1 to 64 octets, a domain name
 * (no [literal]) of 1 to 255, nothing but printable ASCII, no route before it. */
int address_read(struct address *address, struct slice text, struct err *e);
/* Puts one together of a local part and a domain in that form already; false if
 * it would be too long. */
bool address_join(struct address *address, struct slice local, struct slice domain);

struct slice address_local(const struct address *address);
struct slice address_domain(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);
/* Without the first "+" of the local part and what follows it; *tag borrows
 * that from `address`. False where there is no "+", or nothing before it. */
bool address_cut_tag(const struct address *address, struct address *base, struct slice *tag);

/* A local part that needs no quotes. RFC 5321 wants single dots between words;
 * dots anywhere are harmless in a comparison, and such addresses exist. */
bool address_is_plain(struct slice local);
/* A domain name, 255 octets at most: labels of 1 to 63 letters, digits, "-" and
 * "_", since hosts are called so; dots between. */
bool address_is_domain(struct slice domain);

#endif
