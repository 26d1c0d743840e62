/* A delivery: one connection to another server, in a process of its own.
 *
 * It resolves and connects, is sealed, and only then hears the server and sees a
 * message: what a hostile server makes of this process can open nothing, and reads
 * what a session of POP3 could. Jobs come from the writer, one after the other, and
 * what became of each goes back with the question for the next. */
#ifndef SMTPD_COURIER_H
#define SMTPD_COURIER_H

#include "base/config.h"
#include "smtpd/answer.h"
#include "smtpd/mx.h"

/* What a delivery leaves for the next one to the same destination. Whoever spoke with
 * a hostile server wrote it: nothing in it is believed that could do more harm than a
 * message that waits. */
struct courier_page {
	bool talking;  /* a host would take a message */
	bool carries;  /* it has a message now: one that may be on its way */
	bool carried;  /* it has had one */
	bool last_one; /* set by the relay: after this message no other is to be taken */
	struct mx_tried tried;
	struct mx_tried in_clear; /* without TLS: with it, the handshake failed (RFC 3207) */
	/* What the last one was given up for; empty: none was. */
	char host[MX_NAME_MAX], status[ANSWER_STATUS_MAX], words[ANSWER_TEXT_MAX];
};

struct courier_errand {
	const struct config *config;
	int run_dir;
	int password_fd;         /* of [relay] password_file; -1: none */
	const char *destination; /* a domain; "": the smarthost */
	bool joins;              /* others are on their way there, or talk */
	struct courier_page *page;
};

/* The exit status of the process. */
enum courier_end {
	COURIER_DONE,    /* nothing is left for now, or the writer knows why not */
	COURIER_ANOTHER, /* this host, or TLS with it, would not do, as the page tells:
			  * another connection is wanted */
	COURIER_BROKEN,  /* something is wrong here */
};

/* In a newborn process, under the office's account. */
enum courier_end courier_run(const struct courier_errand *errand);

#endif
