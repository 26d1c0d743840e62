/* `officemail sendmail`, and the name `sendmail`: what programs of this box call to
 * send a message. Speaks to run/submit, where the server knows who calls.
 *
 * Exit status: sysexits.h, by what programs act on. What was taken for some and not
 * for others is told of the others; where one of them may be tried again, all are:
 * twice is better than never. */
#include "base/account.h"
#include "base/header.h"
#include "base/text.h"
#include "smtpd/client.h"
#include "store/users.h"
#include "tools/command.h"
#include "tools/spool.h"
#include "tools/submit.h"
#include "tools/terminal.h"
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define RECIPIENTS_AT_ONCE 100 /* the least a server takes (RFC 5321, 4.5.3.1.8) */

struct sending {
	/* what was asked for */
	bool from_header; /* -t */
	bool dot_ends;    /* no -i */
	const char *from; /* -f; NULL: whoever calls */
	const char *name; /* -F */
	unsigned notify;  /* -N */
	enum dsn_return ret;
	struct buf envid;

	struct spool spool;
	char account[64], hostname[256]; /* of who calls; of the server, by its greeting */
	struct buf sender;
	struct buf addresses; /* of recipients, an LF behind each */
	struct envelope_recipient *recipients;
	struct client_result *results;
	size_t count;
	struct conn conn;
	struct client_terms terms;
	struct client client;
};

/* ---- what failed ---- */

static int fail(struct command_line *line, int status)
{
	line->status = status;
	return -1;
}

static int status_of(const struct client_result *result)
{
	static const struct {
		const char *class;
		int status;
	} classes[] = {{"5.1.", EX_NOUSER}, {"5.3.", EX_DATAERR}, {"5.6.", EX_DATAERR},
		{"5.7.", EX_NOPERM}};
	if (result->outcome != CLIENT_FAILED)
		return result->outcome == CLIENT_DONE ? EX_OK : EX_TEMPFAIL;
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strncmp(result->status, classes[i].class, strlen(classes[i].class)) == 0)
			return classes[i].status;
	return EX_UNAVAILABLE;
}

/* ---- the command line ---- */

static bool take_notify(struct sending *sending, const char *words)
{
	static const struct {
		const char *word;
		unsigned bit;
	} known[] = {{"never", NOTIFY_NEVER}, {"success", NOTIFY_SUCCESS},
		{"failure", NOTIFY_FAILURE}, {"delay", NOTIFY_DELAY}};
	struct slice rest = slice_of(words);
	do {
		struct slice word = slice_cut(&rest, ',');
		size_t i = 0;
		while (i < 4 && !slice_equal_nocase(word, slice_of(known[i].word)))
			i++;
		if (i == 4)
			return false;
		sending->notify |= known[i].bit;
	} while (rest.len > 0);
	return !(sending->notify & NOTIFY_NEVER) || sending->notify == NOTIFY_NEVER;
}

static bool take_return(struct sending *sending, const char *word)
{
	bool full = strcasecmp(word, "full") == 0;
	sending->ret = full ? RETURN_FULL : RETURN_HEADERS;
	return full || strcasecmp(word, "hdrs") == 0;
}

/* False: it makes no sense here. What changes nothing for this server, or says how
 * another one works, is stepped over. */
static bool take_option(struct sending *sending, int option, const char *value)
{
	switch (option) {
	case 't':
		sending->from_header = true;
		return true;
	case 'i':
		sending->dot_ends = false;
		return true;
	case 'o':
		if (strcmp(value, "i") == 0)
			sending->dot_ends = false;
		return true;
	case 'f':
	case 'r':
		sending->from = value;
		return true;
	case 'F':
		sending->name = value;
		return true;
	case 'N':
		return take_notify(sending, value);
	case 'R':
		return take_return(sending, value);
	case 'V':
		text_add_xtext(&sending->envid, slice_of(value));
		return sending->envid.len > 0 && sending->envid.len < ENVID_MAX;
	case 'b':
		return strcmp(value, "m") == 0;
	default:
		return option != '?' && option != 'q';
	}
}

static int read_words(struct command_line *line, struct sending *sending, struct err *e)
{
	/* getopt() wants the program's name in front. */
	char **words = must_alloc((line->count + 2) * sizeof(*words));
	words[0] = (char *)(uintptr_t)line->command->name;
	for (size_t i = 0; i < line->count; i++)
		words[i + 1] = (char *)(uintptr_t)line->arguments[i];
	int option, done = 0;
	opterr = 0;
	while (done == 0 && (option = getopt((int)line->count + 1, words,
				     "+A:B:b:C:D:d:e:F:f:Gh:iL:mN:nO:o:p:q::R:r:tUV:vX:")) != -1)
		if (!take_option(sending, option, optarg))
			done = command_misuse(
				line, e, "that is not for this sendmail: %s", words[optind - 1]);
	for (int i = optind; done == 0 && words[i]; i++)
		if (!header_add_addresses(&sending->addresses, slice_of(words[i])))
			done = command_misuse(line, e, "%s is no address", words[i]);
	free(words);
	if (done == 0 && sending->addresses.len == 0 && !sending->from_header)
		done = command_misuse(line, e, "there is no recipient");
	return done < 0 ? fail(line, EX_USAGE) : 0;
}

/* ---- the message ---- */

/* A phrase, as it may stand in front of an address (RFC 5322, 3.2.5; RFC 2047). */
static void add_phrase(struct buf *out, struct slice name)
{
	bool plain = text_is_printable(name);
	const size_t most = 42; /* octets in an encoded word */
	buf_add_text(out, plain ? "\"" : "");
	for (size_t i = 0; plain && i < name.len; i++) {
		if (name.at[i] == '"' || name.at[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, name.at[i]);
	}
	buf_add_text(out, plain ? "\"" : "");
	while (!plain && name.len > 0) {
		size_t len = name.len < most ? name.len : most;
		while (len < name.len && len > most - 4 && (name.at[len] & 0xC0) == 0x80)
			len--; /* no letter is cut in two */
		buf_add_text(out, "=?UTF-8?B?");
		text_add_base64(out, name.at, len);
		name = slice_from(name, len);
		buf_add_text(out, name.len > 0 ? "?=\r\n " : "?=\r\n");
	}
}

static void add_from(struct buf *out, const struct sending *sending)
{
	buf_add_text(out, "From: ");
	if (sending->name && *sending->name) {
		add_phrase(out, slice_of(sending->name));
		buf_add_char(out, ' ');
	}
	if (sending->sender.len > 0) /* the server adds a domain that is wanting */
		buf_printf(out, "<%.*s>\r\n", (int)sending->sender.len, sending->sender.at);
	else
		buf_printf(out, "<%s@%s>\r\n", sending->account, sending->hostname);
}

/* The line that mbox files have in front of a message is no part of it. */
static void drop_mbox_line(struct buf *front)
{
	if (slice_has_prefix(buf_slice(front), SLICE("From ")) ||
		slice_has_prefix(buf_slice(front), SLICE(">From ")))
		buf_drop(front, slice_find(buf_slice(front), '\n') + 1);
}

/* Its From field, where it has none; and the blank line behind its fields. */
static void complete_header(struct sending *sending)
{
	struct buf whole = {0};
	struct slice front = buf_slice(&sending->spool.front);
	size_t length = header_length(front);
	struct slice header = {front.at, length}, behind = slice_from(front, length);
	struct header_field from;
	if (!header_find(header, "From", &from))
		add_from(&whole, sending);
	buf_add_slice(&whole, header);
	if (!slice_has_prefix(behind, SLICE("\r\n")))
		buf_add_text(&whole, "\r\n");
	buf_add_slice(&whole, behind);
	buf_free(&sending->spool.front);
	sending->spool.front = whole;
}

static bool names_recipients(struct slice name)
{
	return slice_equal_nocase(name, SLICE("To")) || slice_equal_nocase(name, SLICE("Cc")) ||
	       slice_equal_nocase(name, SLICE("Bcc"));
}

static int take_recipients(struct command_line *line, struct sending *sending, struct err *e)
{
	struct slice header = buf_slice(&sending->spool.front);
	struct header_field field;
	header.len = header_length(header);
	while (header_next(&header, &field)) {
		if (!names_recipients(field.name) ||
			header_add_addresses(&sending->addresses, field.body))
			continue;
		err_set(e, ERR_INPUT, "the field %.*s holds what are no addresses",
			(int)field.name.len, field.name.at);
		return fail(line, EX_DATAERR);
	}
	if (sending->addresses.len > 0)
		return 0;
	err_set(e, ERR_INPUT, "the header names no recipient: give it a To field");
	return fail(line, EX_DATAERR);
}

static int read_message(struct command_line *line, struct sending *sending, struct err *e)
{
	if (spool_read(&sending->spool, STDIN_FILENO, sending->dot_ends, e) < 0)
		return fail(line, EX_TEMPFAIL);
	drop_mbox_line(&sending->spool.front);
	return sending->from_header ? take_recipients(line, sending, e) : 0;
}

/* ---- the envelope ---- */

static void list_recipients(struct sending *sending)
{
	struct slice rest = buf_slice(&sending->addresses);
	size_t most = 0;
	for (size_t i = 0; i < rest.len; i++)
		most += rest.at[i] == '\n';
	sending->recipients = must_alloc(most * sizeof(*sending->recipients));
	sending->results = must_alloc(most * sizeof(*sending->results));
	while (rest.len > 0)
		sending->recipients[sending->count++] = (struct envelope_recipient){
			.address = slice_cut(&rest, '\n'), .notify = sending->notify};
}

/* -f: an address; "" or "<>": the null sender. */
static int choose_sender(struct command_line *line, struct sending *sending, struct err *e)
{
	struct buf *sender = &sending->sender;
	if (!sending->from)
		buf_printf(sender, "%s@%s", sending->account, sending->hostname);
	else if (*sending->from && strcmp(sending->from, "<>") != 0 &&
		 !header_add_addresses(sender, slice_of(sending->from))) {
		command_misuse(line, e, "%s is no address", sending->from);
		return fail(line, EX_USAGE);
	}
	sender->len = slice_find(buf_slice(sender), '\n');
	return 0;
}

/* ---- the conversation ---- */

/* "220 mail.kantor.example ESMTP": whose server this is. */
static void hear(void *arg, bool ours, struct slice line)
{
	struct sending *sending = arg;
	struct slice rest = line;
	slice_cut(&rest, ' ');
	struct slice name = slice_cut(&rest, ' ');
	if (!ours && sending->hostname[0] == '\0' && name.len < sizeof(sending->hostname))
		memcpy(sending->hostname, name.at, name.len);
}

static int begin(struct command_line *line, struct sending *sending, struct err *e)
{
	const char *office_ini =
		line->config_path ? line->config_path : getenv("OFFICEMAIL_CONFIG");
	int fd = submit_connect(office_ini && *office_ini ? office_ini : NULL, e);
	if (fd < 0)
		return fail(line, EX_TEMPFAIL);
	sending->terms = (struct client_terms){.hostname = "localhost",
		.server = "localhost",
		.heard = hear,
		.heard_arg = sending};
	conn_open(&sending->conn, fd);
	if (client_begin(&sending->client, &sending->conn, &sending->terms) == 0)
		return 0;
	err_set(e, ERR_GONE, "%s", sending->client.end.reply);
	return fail(line, EX_TEMPFAIL);
}

static bool is_bare(struct slice address)
{
	return slice_find(address, '@') == address.len;
}

static bool is_account(struct slice address)
{
	char name[64];
	uid_t uid;
	gid_t gid;
	struct err e;
	if (address.len >= sizeof(name))
		return false;
	memcpy(name, address.at, address.len);
	name[address.len] = '\0';
	return account_find(name, &uid, &gid, &e) == 0;
}

/* Mail for "root" of this box: where nobody of the office is called so, whoever
 * looks after the office gets it. */
static void look_after_accounts(struct sending *sending)
{
	for (size_t i = 0; i < sending->count; i++) {
		struct envelope_recipient *recipient = &sending->recipients[i];
		const struct client_message question = {.sender = buf_slice(&sending->sender),
			.recipients = recipient,
			.recipient_count = 1};
		struct client_result answer;
		if (!is_bare(recipient->address) || !is_account(recipient->address))
			continue;
		client_send(&sending->client, &question, &answer);
		if (status_of(&answer) == EX_NOUSER)
			recipient->address = SLICE("postmaster");
	}
}

static void send_to(struct sending *sending, size_t from, size_t count)
{
	const struct client_message message = {.sender = buf_slice(&sending->sender),
		.envid = buf_slice(&sending->envid),
		.ret = sending->ret,
		.recipients = sending->recipients + from,
		.recipient_count = count,
		.size = spool_size(&sending->spool),
		.next = spool_next,
		.source = &sending->spool};
	spool_rewind(&sending->spool);
	client_send(&sending->client, &message, sending->results + from);
}

/* As many as are taken at a time; those for whom it was too many are put in front of
 * the next. */
static void send_to_all(struct sending *sending)
{
	size_t done = 0;
	while (done < sending->count) {
		size_t left = sending->count - done, taken = 0;
		size_t count = left < RECIPIENTS_AT_ONCE ? left : RECIPIENTS_AT_ONCE;
		send_to(sending, done, count);
		while (taken < count && strcmp(sending->results[done + taken].status, "4.5.3") != 0)
			taken++;
		done += taken > 0 ? taken : count;
	}
}

/* Says who did not get it. */
static int sum_up(struct command_line *line, const struct sending *sending, struct err *e)
{
	int status = EX_OK;
	for (size_t i = 0; i < sending->count; i++) {
		const struct client_result *result = &sending->results[i];
		struct slice address = sending->recipients[i].address;
		int one = status_of(result);
		if (one == EX_OK)
			continue;
		terminal_tell("officemail: %.*s: %s", (int)address.len, address.at, result->reply);
		if (status == EX_OK || one == EX_TEMPFAIL)
			status = one;
	}
	err_set(e, ERR_IO, "%s", ""); /* it has been said */
	return status == EX_OK ? 0 : fail(line, status);
}

static int submit(struct command_line *line, struct sending *sending, struct err *e)
{
	if (read_words(line, sending, e) < 0 || read_message(line, sending, e) < 0 ||
		begin(line, sending, e) < 0 || choose_sender(line, sending, e) < 0)
		return -1;
	complete_header(sending);
	list_recipients(sending);
	look_after_accounts(sending);
	send_to_all(sending);
	client_end(&sending->client);
	return sum_up(line, sending, e);
}

int command_sendmail(struct command_line *line, struct err *e)
{
	struct sending sending = {.dot_ends = true, .conn = {.fd = -1}};
	account_name(geteuid(), sending.account, sizeof(sending.account));
	int result = submit(line, &sending, e);
	if (sending.conn.fd >= 0)
		conn_close(&sending.conn);
	spool_free(&sending.spool);
	buf_free(&sending.envid);
	buf_free(&sending.sender);
	buf_free(&sending.addresses);
	free(sending.recipients);
	free(sending.results);
	return result;
}
