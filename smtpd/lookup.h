/* Records of any kind that DNS has, as text: for an admin to read, and for what is
 * compared with what should stand there. /etc/hosts is not asked. Blocks as
 * mx_lookup.h has it, after mx_lookup_begin(). */
#ifndef SMTPD_LOOKUP_H
#define SMTPD_LOOKUP_H

#include "smtpd/mx_lookup.h"

enum lookup_kind {
	LOOKUP_A,    /* 192.0.2.1 */
	LOOKUP_AAAA, /* 2001:db8::1 */
	LOOKUP_MX,   /* 10 mail.kantor.example; the name is empty for a null MX */
	LOOKUP_TXT,  /* the strings of a record in one */
	LOOKUP_PTR,  /* mail.kantor.example */
	LOOKUP_SRV,  /* 0 1 995 mail.kantor.example */
};

/* Adds each record's text to *texts, a NUL behind it, printable ASCII with all else as
 * \xNN and names in lower case; CNAMEs are followed. */
enum mx_said lookup(const char *name, enum lookup_kind kind, struct buf *texts);
/* The next of them; false past the last. */
bool lookup_next(struct slice *rest, const char **text);
/* The name under which PTR records of an address (4 or 16 octets, by the family) stand. */
#define LOOKUP_REVERSE_MAX 80
const char *lookup_reverse(char name[LOOKUP_REVERSE_MAX], int family, const unsigned char *address);

#endif
