/* The hosts that take mail for a domain, and the connection to one of them.
 * (RFC 5321, 5; RFC 7505; RFC 8305 in spirit)
 *
 * For a process that is not sealed yet. Calls block, for as long as said below.
 *
 * DNS is asked by a child, which closes all that it inherits but the pipe to its
 * parent: what a stranger's name server answers is read by a process that holds
 * no channel, no key and no password; and where the resolver hangs (libc's waits
 * for ever on a TCP connection that stays silent) it is ended after 30 s. What
 * comes back is looked through before it is believed.
 *
 * Our own server as the next host would be a loop. A host is we ourselves where
 * its name is `hostname`, or where it is an address and a port at which office.ini
 * lets SMTP listen; a listener without an address stands for every address of this
 * box. Nothing else makes it so: a loopback address where another server listens is
 * another server, an address of this box where SMTP listens at another port is
 * not here. Behind a router that passes port 25 on to us, the name alone tells. */
#ifndef SMTPD_MX_H
#define SMTPD_MX_H

#include "base/config.h"
#include "base/err.h"
#include <sys/socket.h>

#define MX_HOSTS_MOST 16
#define MX_NAME_MAX   256
#define MX_STATUS_MAX 8

struct mx_host {
	char name[MX_NAME_MAX];          /* or its address, as it was written */
	struct sockaddr_storage address; /* with the port */
	socklen_t length;
};

struct mx_hosts {
	struct mx_host at[MX_HOSTS_MOST];
	size_t count;
	char status[MX_STATUS_MAX]; /* of an error, the code of RFC 3463: "5.1.2" */
};

/* The hosts that take mail for `domain` (a name, [192.0.2.1] or
 * [IPv6:2001:db8::1]), best first, those of equal preference in random order, a
 * name's IPv6 and IPv4 addresses by turns; port 25. Where there is no MX it is the
 * domain's own addresses. From where we stand in the list ourselves on, it is cut off.
 *
 * ERR_MISSING, for good: there is no such domain (5.1.2), it takes no mail (5.1.10),
 * or nothing leads to a host of it (5.4.4). ERR_LOOP, for good: the best host is we
 * ourselves (5.4.6). ERR_IO: no answer, or none that can be read: ask again later
 * (4.4.3; 4.3.0 where this box is at its limits). 30 s at most. */
int mx_find(const char *domain, const struct config *config, struct mx_hosts *hosts, struct err *e);
/* The addresses of [relay] smarthost. Whatever fails is ERR_IO, also that it is we
 * ourselves: it is the admin's to mend, and the mail waits for him. 30 s at most. */
int mx_find_smarthost(const struct config *config, struct mx_hosts *hosts, struct err *e);

/* Addresses that are not to be tried again. It may lie in memory that others write
 * to: whatever it holds, nothing worse comes of it than a host left out. All zero: none. */
struct mx_tried {
	unsigned count;
	struct sockaddr_storage at[MX_HOSTS_MOST];
};
void mx_tried_add(struct mx_tried *tried, const struct mx_host *host);
bool mx_tried_has(const struct mx_tried *tried, const struct mx_host *host); /* NULL: none */

/* In milliseconds. */
struct mx_patience {
	int64_t next; /* with one host, until the next is tried beside it */
	int64_t host; /* with one host */
	int64_t all;
};
extern const struct mx_patience mx_patience; /* 2 s, 30 s, 60 s */

/* Connects to the first host that answers. They are begun in their order: the next
 * when one has failed, or has not answered for a while. Those in `tried` (NULL: none)
 * are left out. *fd is the caller's, non-blocking and closed on exec.
 *
 * ERR_GONE (4.4.1): nobody answered; "mx1.example [192.0.2.1]: Connection refused; ...",
 * printable ASCII. ERR_MISSING: all of them are in `tried`. */
int mx_connect(const struct mx_hosts *hosts, const struct mx_tried *tried,
	const struct mx_patience *patience, struct mx_host *reached, int *fd, struct err *e);

#endif
