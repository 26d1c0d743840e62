/* A mail program: polls, fetches what is there, or takes it away. It waits for each
 * answer, as Outlook and Thunderbird do. */
#include "tests/bench/work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The line is lent. */
static const char *expect_ok(struct wire *wire, const char *to)
{
	static _Thread_local char text[512];
	struct slice line = wire_line(wire);
	if (!slice_has_prefix(line, SLICE("+OK")))
		give_up("%s: %.*s", to, (int)line.len, line.at);
	snprintf(text, sizeof(text), "%.*s", (int)line.len, line.at);
	return text;
}

static const char *command(struct wire *wire, const char *text)
{
	wire_send(wire, slice_of(text));
	return expect_ok(wire, text);
}

void pop3_login(struct customer *customer, struct slice name)
{
	struct wire *wire = &customer->wire;
	char user[64];
	wire_open(wire, &customer->plan->place, customer->number + 1);
	if (customer->plan->tls == TLS_FIRST)
		wire_start_tls(wire);
	expect_ok(wire, "greeting");
	if (customer->plan->tls == TLS_UPGRADE) {
		command(wire, "STLS\r\n");
		wire_start_tls(wire);
	}
	snprintf(user, sizeof(user), "USER %.*s\r\n", (int)name.len, name.at);
	command(wire, user);
	command(wire, "PASS rahasia\r\n");
}

/* No two sessions at a time are in one mailbox. */
static void begin_session(
	struct customer *customer, unsigned long *count, unsigned long long *octets)
{
	const struct plan *plan = customer->plan;
	char name[32];
	unsigned box =
		(unsigned)((customer->number + customer->turn * plan->sessions) % plan->boxes);
	snprintf(name, sizeof(name), "%s%u", plan->name, box + 1);
	pop3_login(customer, slice_of(name));
	if (sscanf(command(&customer->wire, "STAT\r\n"), "+OK %lu %llu", count, octets) != 2)
		give_up("STAT has no numbers");
}

static void uidl(struct wire *wire)
{
	command(wire, "UIDL\r\n");
	wire_block(wire, NULL, NULL);
}

static void end_session(struct customer *customer)
{
	command(&customer->wire, "QUIT\r\n");
	wire_close(&customer->wire);
}

bool work_poll(struct customer *customer)
{
	unsigned long count;
	unsigned long long octets;
	begin_session(customer, &count, &octets);
	uidl(&customer->wire);
	end_session(customer);
	return true;
}

/* Of a message that comes in, what was sent: it ends with it, and STAT said how long it is
 * with what the server put in front. */
struct comparison {
	uint64_t in_front, at;
};

static void compare(void *arg, struct slice octets)
{
	struct comparison *comparison = arg;
	size_t skip = comparison->in_front < octets.len ? comparison->in_front : octets.len;
	comparison->in_front -= skip;
	for (octets = slice_from(octets, skip); octets.len;) {
		size_t from = comparison->at % MESSAGE_ROOM, len = MESSAGE_ROOM - from;
		if (len > octets.len)
			len = octets.len;
		if (memcmp(message_octets() + from, octets.at, len) != 0)
			give_up("other octets come out than went in");
		comparison->at += len;
		octets = slice_from(octets, len);
	}
}

static uint64_t retrieve(struct customer *customer, unsigned long number, uint64_t size)
{
	struct comparison comparison = {.in_front = size - customer->plan->size};
	char text[32];
	uint64_t since = now_us();
	snprintf(text, sizeof(text), "RETR %lu\r\n", number);
	command(&customer->wire, text);
	uint64_t octets =
		wire_block(&customer->wire, customer->plan->compare ? compare : NULL, &comparison);
	if (customer->plan->compare && comparison.at != customer->plan->size)
		give_up("%llu octets come out", (unsigned long long)comparison.at);
	count_message(customer, since, octets);
	return octets;
}

bool work_fetch(struct customer *customer)
{
	unsigned long count;
	unsigned long long octets;
	begin_session(customer, &count, &octets);
	uidl(&customer->wire);
	for (unsigned long i = 1; i <= count && i <= customer->plan->messages; i++)
		retrieve(customer, i, octets / count);
	end_session(customer);
	return true;
}

bool work_drain(struct customer *customer)
{
	unsigned long count;
	unsigned long long octets;
	char text[32];
	begin_session(customer, &count, &octets);
	for (unsigned long i = 1; i <= count && i <= customer->plan->messages; i++) {
		retrieve(customer, i, octets / count);
		snprintf(text, sizeof(text), "DELE %lu\r\n", i);
		command(&customer->wire, text);
	}
	end_session(customer);
	return count > 0;
}
