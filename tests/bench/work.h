/* What the load generator's customers do, one session at a time. */
#ifndef TESTS_BENCH_WORK_H
#define TESTS_BENCH_WORK_H

#include "tests/bench/wire.h"

enum tls_use { TLS_NONE, TLS_UPGRADE, TLS_FIRST };

/* What all customers have in common; see load.c for the options that set it. */
struct plan {
	struct sockaddr_in place;
	unsigned sessions;   /* at a time */
	unsigned messages;   /* a session, at most */
	unsigned recipients; /* a message */
	const char *name;    /* of the mailboxes: "u" is u1, u2, ... */
	unsigned boxes;      /* how many */
	uint64_t size;       /* octets of a message: a multiple of MESSAGE_LINE */
	enum tls_use tls;
	bool lmtp;
	bool acks_at_once; /* see wire.h */
	bool compare;      /* fetched messages with what was sent */
};

/* Durations in microseconds. */
struct times {
	uint32_t *at;
	size_t count, room;
};

struct customer {
	const struct plan *plan;
	unsigned number; /* from 0 */
	uint64_t turn;   /* sessions begun */
	struct wire wire;
	struct times of_messages, of_sessions;
	uint64_t octets; /* of messages */
};

uint64_t now_us(void);
/* Counts one message, begun at `since`. */
void count_message(struct customer *customer, uint64_t since, uint64_t octets);

/* Takes the next message of all that are to be sent; false: there is none left, or
 * the time is up. */
bool take_message(uint64_t *number);

/* The octets of a message are lines of this length, CRLF counted, and again and again
 * the same MESSAGE_ROOM of them, so that any size is sent in little memory. */
#define MESSAGE_LINE 64
#define MESSAGE_ROOM (1024 * 1024)
const char *message_octets(void);

/* Each is one session, from connect to the answer to QUIT. False: there was nothing to do. */
typedef bool work_fn(struct customer *customer);
bool work_send(struct customer *customer);  /* SMTP or LMTP */
bool work_poll(struct customer *customer);  /* login, STAT, UIDL */
bool work_fetch(struct customer *customer); /* login, STAT, UIDL, RETR of all */
bool work_drain(struct customer *customer); /* login, STAT, RETR and DELE */
/* Logs in and stays. */
void pop3_login(struct customer *customer, struct slice name);

#endif
