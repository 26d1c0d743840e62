/* A sending server: greets, goes over to TLS where told, and hands over its messages with
 * the envelope in one write, where it may. */
#include "tests/bench/work.h"
#include <string.h>

/* Reads an answer of however many lines; the last one is lent. */
static struct slice expect(struct wire *wire, char wanted, const char *to)
{
	struct slice line;
	do
		line = wire_line(wire);
	while (line.len > 3 && line.at[3] == '-');
	if (!line.len || line.at[0] != wanted)
		give_up("%s: %.*s", to, (int)line.len, line.at);
	return line;
}

/* Returns whether PIPELINING is offered. */
static bool greet(struct customer *customer)
{
	struct wire *wire = &customer->wire;
	struct slice line;
	bool pipelining = false;
	if (customer->plan->lmtp)
		wire_send(wire, SLICE("LHLO penguji.example\r\n"));
	else
		wire_send(wire, SLICE("EHLO penguji.example\r\n"));
	do {
		line = wire_line(wire);
		if (line.len < 4 || line.at[0] != '2')
			give_up("EHLO: %.*s", (int)line.len, line.at);
		if (slice_equal_nocase(slice_from(line, 4), SLICE("PIPELINING")))
			pipelining = true;
	} while (line.at[3] == '-');
	return pipelining;
}

static void begin_session(struct customer *customer, bool *pipelining)
{
	struct wire *wire = &customer->wire;
	wire_open(wire, &customer->plan->place, customer->number + 1);
	if (customer->plan->tls == TLS_FIRST)
		wire_start_tls(wire);
	expect(wire, '2', "greeting");
	*pipelining = greet(customer);
	if (customer->plan->tls == TLS_UPGRADE) {
		wire_send(wire, SLICE("STARTTLS\r\n"));
		expect(wire, '2', "STARTTLS");
		wire_start_tls(wire);
		*pipelining = greet(customer);
	}
}

static void send_envelope(struct customer *customer, uint64_t number, bool pipelining)
{
	const struct plan *plan = customer->plan;
	struct wire *wire = &customer->wire;
	struct buf out = {0};
	buf_add_text(&out, "MAIL FROM:<pak@luar.example>\r\n");
	for (unsigned i = 0; i < plan->recipients; i++) {
		if (!pipelining) {
			wire_send(wire, buf_slice(&out));
			buf_clear(&out);
			expect(wire, '2', i ? "RCPT" : "MAIL");
		}
		buf_printf(&out, "RCPT TO:<%s%u@kantor.example>\r\n", plan->name,
			(unsigned)((number * plan->recipients + i) % plan->boxes) + 1);
	}
	if (!pipelining) {
		wire_send(wire, buf_slice(&out));
		buf_clear(&out);
		expect(wire, '2', "RCPT");
	}
	buf_add_text(&out, "DATA\r\n");
	wire_send(wire, buf_slice(&out));
	buf_free(&out);
	for (unsigned i = 0; pipelining && i < plan->recipients + 1; i++)
		expect(wire, '2', i ? "RCPT" : "MAIL");
	expect(wire, '3', "DATA");
}

/* No line of a message begins with a dot. The end travels with the last octets. */
static void send_octets(struct wire *wire, uint64_t size)
{
	struct buf last = {0};
	for (; size > MESSAGE_ROOM; size -= MESSAGE_ROOM)
		wire_send(wire, (struct slice){message_octets(), MESSAGE_ROOM});
	buf_add(&last, message_octets(), size);
	buf_add_text(&last, ".\r\n");
	wire_send(wire, buf_slice(&last));
	buf_free(&last);
}

bool work_send(struct customer *customer)
{
	const struct plan *plan = customer->plan;
	struct wire *wire = &customer->wire;
	uint64_t number;
	bool pipelining;
	if (!take_message(&number))
		return false;
	uint64_t begun = now_us();
	begin_session(customer, &pipelining);
	for (unsigned sent = 1;; sent++) {
		uint64_t since = now_us();
		send_envelope(customer, number, pipelining);
		send_octets(wire, plan->size);
		for (unsigned i = 0; i < (plan->lmtp ? plan->recipients : 1); i++)
			expect(wire, '2', "the message");
		/* Alone on its connection a message has cost the whole of it. */
		count_message(customer, plan->messages == 1 ? begun : since, plan->size);
		if (sent == plan->messages || !take_message(&number))
			break;
	}
	wire_send(wire, SLICE("QUIT\r\n"));
	expect(wire, '2', "QUIT");
	wire_close(wire);
	return true;
}
