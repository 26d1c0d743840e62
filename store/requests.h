/* What is asked of the roles, and by whom: the frames on the channels.
 *
 * The first frame on a channel is the hello, sent before the session reads a
 * stranger's octet; it fixes the service and the peer, and with them the
 * rights. No role believes anything else a session says about itself. */
#ifndef STORE_REQUESTS_H
#define STORE_REQUESTS_H

#include "base/channel.h"
#include "base/digest.h"
#include "base/role.h"
#include "base/tls.h"
#include "store/deliver.h"
#include "store/devices.h"
#include "store/maildrop.h"

enum request {                          /* types of frames, beside those of base/role.h */
	REQUEST_HELLO = ROLE_FRAME_OWN, /* service, peer */

	ANSWER_OK,
	ANSWER_LIST, /* how much there is in all, and a part of a maildrop; the
		      * ANSWER_OK of the login follows */

	/* to the directory */
	REQUEST_RESOLVE,     /* who sends: would this recipient be taken? */
	REQUEST_LOGIN,       /* pop3, submission, trusted: user, password */
	REQUEST_MAY_SEND,    /* submission after a login, trusted, local: as this address? */
	REQUEST_STORE_FILES, /* pop3, once after a login; delivery, once: the three descriptors */
	REQUEST_TELL_DAMAGE, /* pop3, after a login: an entry, why; no answer */

	/* to the writer */
	REQUEST_PIECE,        /* who sends: BODY_PIECE octets of a message to come */
	REQUEST_PIECE_BEHIND, /* the same, of one whose header comes last */
	REQUEST_HEAD,         /* the same: its header, before the envelope */
	REQUEST_PIECE_BACK,   /* the same: a piece that was sent behind */
	REQUEST_DELIVER,      /* smtp, lmtp, trusted, local: the rest, and the envelope */
	REQUEST_SUBMIT,       /* submission, trusted: ticket, and as REQUEST_DELIVER */
	REQUEST_FORGET,       /* as REQUEST_PIECE: the pieces sent are for nothing; no answer */
	REQUEST_DELETE,       /* pop3: ticket, entries */
	REQUEST_DELETE_MORE,  /* pop3: the same, of the REQUEST_DELETE to come; no answer */
	REQUEST_EVENT,        /* pop3, EVENTS_MOST times: ticket, what the session did; no answer */
	REQUEST_TICKET_KEY,   /* directory: the key of the tickets */
	REQUEST_LOGGED_IN,    /* directory: a user logged in; no answer */
	REQUEST_NEW_HASH,     /* directory: a password's better hash; no answer */

	/* to the writer, of mail on its way out: store/jobs.h */
	REQUEST_DUE,         /* relay: what is to be delivered? */
	REQUEST_UNREACHABLE, /* relay, delivery: nobody takes mail for this destination (a
			      * delivery's: its own) */
	REQUEST_DESTINATION, /* delivery, first: where it goes; no answer */
	REQUEST_NEXT,        /* delivery: what became of a message, and the next one */
	ANSWER_DUE_ANEW,     /* to the relay, unasked: mail has come */

	/* to the keys role */
	REQUEST_SIGN,      /* sessions, one a channel: a handshake */
	REQUEST_SIGN_DKIM, /* delivery: selector, digest */

	/* between the master and a role */
	MASTER_KEY_FILE,      /* to keys: a chain's key id, the key's path and descriptor */
	MASTER_KEY_TAKEN,     /* from keys: that key id, and no text */
	MASTER_KEY_REFUSED,   /* from keys: that key id, and why */
	MASTER_DKIM_KEY,      /* to keys: a selector, the key's path and descriptor */
	MASTER_DKIM_TAKEN,    /* from keys: that selector, and no text */
	MASTER_DKIM_REFUSED,  /* from keys: that selector, and why */
	MASTER_KNOWN_ADDRESS, /* from the directory: somebody logged in from there */
	MASTER_PASSWORD_FILE, /* to the relay: [relay] password_file, opened; without a
			       * descriptor: there is none, or none to be used */
};

enum service_kind {
	SERVICE_SMTP,
	SERVICE_LMTP,
	SERVICE_SUBMISSION,
	SERVICE_POP3,
	SERVICE_DIRECTORY,
	SERVICE_TRUSTED,  /* from an address that office.ini names: submission, where a login
			   * is not needed and can be */
	SERVICE_LOCAL,    /* submission of a local account, by run/submit: its peer names it */
	SERVICE_RELAY,    /* the role */
	SERVICE_DELIVERY, /* one of its children, which speaks to one server */
	SERVICE_KINDS
};
/* "smtp": as visitor.service, the log and the table of services have it. */
const char *service_name(enum service_kind kind);
/* Does it send as somebody of ours, and not as the world? */
bool service_submits(enum service_kind kind);

/* A right login. Only the directory makes it, only the writer reads it; the
 * session carries it. */
struct ticket {
	int64_t service;            /* enum service_kind: for which it is good */
	int64_t user_id, folder_id; /* folder 0: for no mailbox */
	int64_t device_id;          /* 0: the user's own password */
	int64_t expires;            /* a ticket_now() */
	unsigned char mac[DIGEST_SIZE];
};
/* Seconds of the monotonic clock, one for all processes: the other one may jump. */
int64_t ticket_now(void);
#define TICKET_LIFETIME (24 * 3600) /* seconds; no session is older */
void ticket_sign(struct ticket *ticket, const unsigned char key[DIGEST_SIZE]);
/* ERR_DENIED: forged, another service's, or past its time. */
int ticket_check(const struct ticket *ticket, const unsigned char key[DIGEST_SIZE],
	enum service_kind service, int64_t now, struct err *e);

void pack_ticket(struct buf *body, const struct ticket *ticket);
void unpack_ticket(struct unpack *in, struct ticket *ticket);

struct hello {
	enum service_kind service;
	char peer[PEER_TEXT_MAX]; /* has a peer_account() for SERVICE_LOCAL, and for no other */
	struct peer source;       /* the same */
};
/* Sends it; nothing is answered. */
int request_hello(
	struct channel *channel, enum service_kind service, const char *peer, struct err *e);
/* For the roles: reads the first frame of a channel. ERR_INPUT: it is no hello. */
int request_hello_read(const struct frame *frame, struct hello *hello, struct err *e);

/* All of these send a request and wait for its answer. -1: *e is what the role
 * said, or ERR_GONE when it has died: the session then ends. */

/* Would mail for `address` be taken, `size` octets of it (0: not said)?
 * ERR_INPUT, ERR_DENIED (not ours; for who may send to the outside: no mail can leave for
 * it), ERR_MISSING, ERR_LOOP, ERR_QUOTA, ERR_SPACE. */
#define WRONG_ADDRESSES_MAX 20 /* a session may ask for; the next such one is its last */
int request_resolve(struct channel *directory, struct slice address, uint64_t size, struct err *e);

/* The same of many, whose questions travel together: kinds[i] is ERR_NONE or as above,
 * ERR_GONE where the directory has answered no more. */
#define RESOLVE_MOST 32
void request_resolve_many(struct channel *directory, const struct slice *addresses, size_t count,
	uint64_t size, enum err_kind *kinds);

#define WRONG_LOGINS_MAX 5 /* a session may try */
struct login {
	struct ticket ticket;
	char user[ADDRESS_MAX];
	char folder[FOLDER_NAME_MAX];
	char device[DEVICE_NAME_MAX]; /* empty: the user's own password */
	struct maildrop maildrop;     /* maildrop_free() it; empty for submission */
};
/* ERR_DENIED wrong user or password, disabled; ERR_LIMITED too many wrong ones
 * from there; ERR_IN_USE under `exclusive`; ERR_IO. Wipe the password yourself. */
int request_login(struct channel *directory, struct slice user, struct slice password,
	struct login *login, struct err *e);
/* May who has logged in send as `address`, or else the trusted one who asks?
 * ERR_DENIED. */
int request_may_send(struct channel *directory, struct slice address, struct err *e);
/* For the directory: the list in frames of about LIST_FRAME octets, then the
 * rest. */
#define LIST_FRAME (32 * 1024) /* what a session needs to read its list */
void request_login_answer(struct role_channel *to, const struct login *login);
/* After a login, or for a delivery: store.db, -wal and -shm, for store_open_handed().
 * ERR_GONE: no login. */
int request_store_files(struct channel *directory, int fds[3], struct err *e);

/* One way: this entry cannot be read, for this reason. */
void request_tell_damage(struct channel *directory, int64_t entry_id, const char *why);

/* BODY_PIECE octets of a message whose end has not come yet. ERR_SPACE,
 * ERR_IO: what was sent is freed; read on to the end and refuse. */
int request_piece(struct channel *writer, struct slice octets, struct err *e);
/* The same, of a message whose header is not known yet: before its end request_head() sends
 * that, up to BODY_PIECE octets. It may also come alone, in front of the rest. */
int request_piece_behind(struct channel *writer, struct slice octets, struct err *e);
int request_head(struct channel *writer, struct slice header, struct err *e);
/* The n-th piece (0 is the first) that was sent so, valid until the next request. ERR_GONE: it
 * is not there any more. */
int request_piece_back(struct channel *writer, uint64_t n, struct slice *octets, struct err *e);
#define MENDED_MOST     1024 /* octets by which a submitted message, and its header, may grow */
#define RECIPIENTS_MOST 900  /* an envelope fits in a frame, whatever is configured */
/* The rest of the message (under or at BODY_PIECE octets) and its envelope; 0:
 * it is on disk for every recipient with results[i] ERR_NONE. `ticket` of a login for
 * submission, else NULL. ERR_GONE: the writer does not believe it, or that who
 * submits may send as the sender or as the message's From. */
int request_deliver(struct channel *writer, const struct ticket *ticket,
	const struct delivery *delivery, struct slice rest, enum err_kind *results, struct err *e);
/* For the writer: reads the fields into *delivery, whose slices borrow from the
 * frame; *recipients is malloc'd and the caller's. *ticket is left alone but by
 * REQUEST_SUBMIT. ERR_INPUT for DSN parameters that are none. */
int request_deliver_read(const struct frame *frame, struct ticket *ticket,
	struct delivery *delivery, struct envelope_recipient **recipients, struct slice *rest,
	struct err *e);
/* The message under way will not be finished. */
void request_forget(struct channel *writer);

/* Deletes, all or nothing; 0: it is on disk. DELETE_MOST entries at most, each
 * greater than the one before, in frames of DELETE_IDS. ERR_GONE: the writer does
 * not believe the ticket, or that these are its user's. */
#define DELETE_IDS  65536
#define DELETE_MOST (8u << 20)
int request_delete(struct channel *writer, const struct ticket *ticket, const int64_t *ids,
	size_t count, struct err *e);
/* One way: what a session did, as an event about the ticket's user. */
#define EVENTS_MOST 128 /* of a session */
void request_event(struct channel *writer, const struct ticket *ticket, struct slice detail);

/* For the writer: the ticket of a delete or delete-more; the ids are added to
 * *ids. ERR_INPUT where they are not in order. */
int request_delete_read(
	const struct frame *frame, struct ticket *ticket, struct buf *ids, struct err *e);

/* last_login is kept to the hour: a poll a minute is no reason to write. */
#define LAST_LOGIN_STEP 3600 /* seconds */
/* For the writer: is this an event that its ticket's user can have? */
int request_event_read(const struct frame *frame, const unsigned char ticket_key[DIGEST_SIZE],
	int64_t now, struct ticket *ticket, struct slice *detail, struct err *e);
/* One way, from the directory: a login from `peer` (of a device, or 0; has it opened the
 * mailbox?), and a hash to keep in the place of an older one. */
void request_logged_in(
	struct channel *writer, int64_t user_id, int64_t device_id, bool views, const char *peer);
void request_new_hash(
	struct channel *writer, int64_t user_id, const char *old_hash, const char *hash);
/* For the writer: carries out an event, a login or a new hash in the
 * transaction that is open. */
int request_note(struct store *store, const struct frame *frame,
	const unsigned char ticket_key[DIGEST_SIZE], struct err *e);

/* The signature's length, 0 for none. A tls_sign_fn is made of it by the
 * master's code. */
size_t request_sign(struct channel *keys, const struct tls_signing *what,
	unsigned char signature[TLS_SIGNATURE_MAX]);

/* For a delivery: the signature (PKCS#1 v1.5, SHA-256) by the key of `selector`; its
 * length, -1 where there is none. ERR_MISSING: no such key is held. */
int request_sign_dkim(struct channel *keys, const char *selector,
	const unsigned char digest[DIGEST_SIZE], unsigned char signature[TLS_SIGNATURE_MAX],
	struct err *e);

#define DKIM_BITS_LEAST 1024 /* of such a key (RFC 8301, 3.2) */

/* For the keys role. */
int request_sign_read(const struct frame *frame, struct tls_signing *what, struct err *e);
int request_sign_dkim_read(const struct frame *frame, char selector[CONFIG_NAME_MAX],
	unsigned char digest[DIGEST_SIZE], struct err *e);

#endif
