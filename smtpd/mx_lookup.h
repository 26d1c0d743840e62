/* What DNS and /etc/hosts say. Blocks as long as resolv.conf lets it: for the child
 * that mx.c starts for it. */
#ifndef SMTPD_MX_LOOKUP_H
#define SMTPD_MX_LOOKUP_H

#include "smtpd/mx_answer.h"

enum mx_said {
	MX_FOUND,
	MX_NOTHING, /* the name is there, and has none of these */
	MX_NO_NAME, /* there is no such name */
	MX_LATER,   /* no answer, or none that can be read */
};

/* Once, before the others: names are asked for as they are written, never with a
 * search domain behind (mail would go wherever that leads), and dead servers are not
 * waited for as long as resolv.conf would. */
bool mx_lookup_begin(void);
/* The MX records of `domain`, those of equal preference in random order. MX_FOUND:
 * there are some, be it that answer->count is 0. */
enum mx_said mx_lookup_names(const char *domain, struct mx_answer *answer);
/* Adds up to `most` addresses of `host`, its families by turns, those of `hosts` and those
 * that no server can have left out. MX_FOUND: it has some. Works without mx_lookup_begin(),
 * too: search domains are then tried. */
enum mx_said mx_lookup_addresses(
	const char *host, uint16_t port, size_t most, struct mx_hosts *hosts);

/* Adds one; it is left out where `hosts` is full or has it. */
void mx_add_address(struct mx_hosts *hosts, const char *name, const struct sockaddr *address);

#endif
