/* What the office writes about mail on its way out: reports to senders of what
 * became of theirs (RFC 3461, 3464, 6522), notices to the postmaster. Pure, but
 * for Message-ID and boundaries, which are random.
 *
 * Each adds one whole message to *out, header and body, in stored form, in the
 * language of [office]; whoever files it gives it the null sender. Lines have 998
 * octets at most and are ASCII, but for the message that is attached, which is
 * passed on as it is, and its subject, which is in UTF-8. Words from the wire may
 * hold anything: they come out as printable ASCII on one line.
 * Of config these count: hostname, domains, language, per_hour. */
#ifndef STORE_BOUNCE_H
#define STORE_BOUNCE_H

#include "base/buf.h"
#include "base/config.h"

/* What became of one recipient, or is still to come. */
struct bounce_recipient {
	struct slice address;
	struct slice orcpt;  /* as it came, "rfc822;a+2Bb@x", or empty */
	struct slice status; /* enhanced, "5.1.1", or empty */
	struct slice host;   /* who said `reply`; empty: nobody was reached */
	struct slice reply;  /* a server's words, its code first; or ours, without code */
	int64_t attempted;   /* Unix seconds, the last attempt; 0: none was made */
};

/* Mail that all of this is about. Times are Unix seconds. */
struct bounce {
	int64_t now;
	struct slice sender; /* of the message: who gets a report */
	const char *queue_id;
	struct slice envid; /* xtext, as it came, or empty */
	int64_t arrived;
	int64_t until; /* how long it will be tried; for BOUNCE_DELAYED */
	const struct bounce_recipient *recipients;
	size_t count; /* at least one */
	/* In stored form. If not whole its header is attached alone, and what comes
	 * behind that is not looked at. */
	struct slice original;
	bool original_is_whole;
};

enum bounce_kind {
	BOUNCE_FAILED,    /* nothing more will be tried */
	BOUNCE_DELAYED,   /* it is being tried */
	BOUNCE_DELIVERED, /* into a mailbox of ours */
	BOUNCE_RELAYED,   /* to a server that promises no reports */
};

/* A report, to the sender. Of the original a report of failure holds what it is
 * given; the others never more than the header (RFC 3461, 4.3). */
void bounce_report(struct buf *out, const struct config *config, enum bounce_kind kind,
	const struct bounce *bounce);

/* To the postmaster: mail from `who` (an address, a device, a login) is held, since in
 * the last hour it had this many recipients. */
void bounce_held(struct buf *out, const struct config *config, int64_t now, struct slice who,
	uint64_t recipients);

/* To the postmaster: what was forwarded to these recipients could not be delivered;
 * `sender` is who sent it to us. */
void bounce_forward_failed(
	struct buf *out, const struct config *config, const struct bounce *bounce);
/* To the postmaster: what was forwarded to the one recipient has come back. The original
 * is what came: as a rule another server's report. */
void bounce_forward_came_back(
	struct buf *out, const struct config *config, const struct bounce *bounce);

#endif
