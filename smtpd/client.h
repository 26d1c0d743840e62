/* Speaking SMTP to another server: one connection, and on it one message after
 * another. Works on an open conn, in a process that may be sealed.
 * (RFC 5321; STARTTLS: 3207, AUTH: 4954, PIPELINING: 2920, SIZE: 1870, 8BITMIME:
 * 6152, DSN: 3461)
 *
 * What the server says is hostile until read by answer.h, and waited for as RFC 5321,
 * 4.5.3.2 has it; a server that stays within those times octet by octet is given
 * up all the same. A refused message leaves the connection good for the next one;
 * 421, a lost connection or nonsense ends it. */
#ifndef SMTPD_CLIENT_H
#define SMTPD_CLIENT_H

#include "base/conn.h"
#include "smtpd/answer.h"
#include "store/envelope.h"

enum client_tls {
	CLIENT_TLS_NEVER,    /* all in the clear, a password too */
	CLIENT_TLS_OFFERED,  /* STARTTLS where the server offers it */
	CLIENT_TLS_REQUIRED, /* STARTTLS, or nothing is sent */
	CLIENT_TLS_IMPLICIT, /* from the first octet on */
};

/* What [relay] tls (enum config_relay_tls) means for a smarthost at `port`. `auto` is
 * TLS at once at 465, elsewhere STARTTLS where it is offered; where it is not, mail
 * goes in the clear, but no password does. All but `none` want a `trust`. */
enum client_tls client_tls_to_smarthost(int relay_tls, uint16_t port);

struct client_terms {
	const char *hostname; /* ours, for EHLO */
	const char *server;   /* its name: for SNI, and the one its certificate must have */
	enum client_tls tls;
	/* Whose certificates are believed; NULL: the server may be whoever it is. */
	const struct tls_trust *trust;
	/* The login; user NULL or empty: none. The password never goes in the clear but
	 * under CLIENT_TLS_NEVER. Only client_begin() looks at it; the caller wipes. */
	const char *user;
	struct slice password;
	/* No answer is waited for longer than this, in milliseconds; 0: RFC 5321's
	 * times. For somebody who looks on. */
	int64_t patience_ms;
	/* Is told each line as it is said and heard, printable, without messages and
	 * with stars for passwords; NULL: nobody listens. */
	void (*heard)(void *arg, bool ours, struct slice line);
	void *heard_arg;
};

enum client_outcome {
	CLIENT_DONE,   /* it is theirs now */
	CLIENT_LATER,  /* to be tried again */
	CLIENT_FAILED, /* never */
};

struct client_result {
	enum client_outcome outcome;
	/* The server was told of NOTIFY=, and answers for what comes of it. */
	bool dsn_passed_on;
	char status[ANSWER_STATUS_MAX]; /* "4.4.2", always of the outcome's class */
	char reply[ANSWER_TEXT_MAX];    /* the server's words, code first, or ours */
};

/* What EHLO has told; bits of `offers`. */
enum {
	CLIENT_PIPELINING = 1,
	CLIENT_SIZE = 2,
	CLIENT_8BITMIME = 4,
	CLIENT_STARTTLS = 8,
	CLIENT_DSN = 16,
	CLIENT_STATUSCODES = 32, /* ENHANCEDSTATUSCODES */
	CLIENT_AUTH_PLAIN = 64,
	CLIENT_AUTH_LOGIN = 128,
};

struct client {
	struct conn *conn;
	unsigned offers;
	uint64_t size_most;       /* octets of a message; 0: no limit is known */
	bool over;                /* nothing can be sent any more: see `end` */
	bool tls_broken;          /* the handshake is what ended it */
	struct client_result end; /* why it is over: CLIENT_LATER */
	/* From here on private. */
	const struct client_terms *terms;
	struct answer answer; /* the last one */
	int64_t deadline;     /* of the step under way, monotonic */
	bool unclean;         /* a transaction was left open: RSET comes first */
};

/* From the greeting to the login: afterwards messages can be sent. `conn` and `terms`
 * must outlive the client. -1: it is over, and client->end says why: another host of
 * the destination can be tried. With tls_broken and without trust the same host may
 * be tried in the clear, on a new connection. A refused login is CLIENT_LATER:
 * a wrong password in office.ini must not bounce the office's mail. */
int client_begin(struct client *client, struct conn *conn, const struct client_terms *terms);

/* Hands out the next octets of a message in stored form, valid until the next call;
 * empty at its end. -1: it cannot be read, *e says why. */
typedef int (*client_source_fn)(void *source, struct slice *octets, struct err *e);

struct client_message {
	struct slice sender; /* empty: the null sender */
	struct slice envid;  /* xtext; empty: none */
	enum dsn_return ret;
	const struct envelope_recipient *recipients;
	size_t recipient_count; /* at least one */
	uint64_t size;          /* octets of `front` and of all that `next` gives; 0: not known */
	struct slice front;     /* whole fields that come before the source's octets, or empty */
	client_source_fn next;  /* NULL: asks for the recipients, and sends nothing */
	void *source;
};

/* Sends it; results[i] says what became of recipient i. Where the connection ends
 * before an answer came it is CLIENT_LATER, also behind the final dot, where nobody
 * knows: such a message may come twice. A source that fails ends the connection
 * in front of the dot: no server keeps half a message. */
void client_send(
	struct client *client, const struct client_message *message, struct client_result *results);

/* Says QUIT where somebody may hear it. `conn` stays open. */
void client_end(struct client *client);

/* ---- between client.c and client_message.c ---- */

/* Sends a line. */
void client_say(struct client *client, struct slice line);
/* Tells who listens. */
void client_tell(const struct client *client, bool ours, struct slice line);
/* Waits for the next answer, at most `timeout_ms`: its code, client->answer is the
 * rest. 0: none came, or it was a 421: it is over. `what` says what the server did not
 * do then, as in "answered MAIL". */
unsigned client_hear(struct client *client, int64_t timeout_ms, const char *what);
bool client_said_yes(unsigned code);
/* What client->answer means for a recipient that it answers. */
struct client_result client_judge(const struct client *client);
/* It is over, for this reason; the first one stays. The status becomes one of 4. */
void client_break_off(struct client *client, const char *status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same, and the last answer is the reason. */
void client_break_off_answered(struct client *client);

#endif
