/* The list of the session and its marks: STAT, LIST, UIDL, DELE, RSET, QUIT.
 *
 * Nothing leaves the mailbox before QUIT, and then all that is marked or
 * nothing. Numbers never change: a marked message keeps its own. */
#include "pop3d/messages.h"
#include "base/text.h"
#include "pop3d/commands.h"
#include "pop3d/reply.h"
#include <stdlib.h>

#define NUMBER_DIGITS 10

bool messages_are_marked(const unsigned char *marks, size_t index)
{
	return marks && marks[index / 8] & 1u << index % 8;
}

void messages_mark(const struct session *session, unsigned char **marks, size_t index)
{
	if (!*marks)
		*marks = must_alloc(session->login.maildrop.count / 8 + 1);
	(*marks)[index / 8] |= (unsigned char)(1u << index % 8);
}

bool messages_find(struct session *session, struct slice number, size_t *index)
{
	uint64_t n;
	if (!text_to_number(number, NUMBER_DIGITS, &n)) {
		reply_refuse(session, REFUSE_ARGUMENT);
		return false;
	}
	if (n < 1 || n > session->login.maildrop.count) {
		reply_refuse(session, REFUSE_NO_SUCH_MESSAGE);
		return false;
	}
	*index = (size_t)n - 1;
	if (messages_are_marked(session->deleted, *index)) {
		reply_refuse(session, REFUSE_DELETED);
		return false;
	}
	return true;
}

static size_t count_left(const struct session *session)
{
	return session->login.maildrop.count - session->deleted_count;
}

static unsigned long long size_left(const struct session *session)
{
	return session->login.maildrop.size - session->deleted_size;
}

int pop3_stat(void *arg, struct slice argument)
{
	const struct session *session = arg;
	(void)argument;
	reply_ok(arg, "%zu %llu", count_left(session), size_left(session));
	return DIALOG_STAY;
}

static void say_total(struct session *session)
{
	reply_ok(session, "%zu messages (%llu octets)", count_left(session), size_left(session));
}

/* reply_ok() for the one that was asked for, reply_line() for one of many. */
typedef void say_fn(struct session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say_size(struct session *session, say_fn *say, size_t index)
{
	say(session, "%zu %llu", index + 1,
		(unsigned long long)session->login.maildrop.items[index].size);
}

static void say_uidl(struct session *session, say_fn *say, size_t index)
{
	say(session, "%zu %s", index + 1, maildrop_uidl(&session->login.maildrop, index));
}

/* LIST and UIDL: of the message that the argument names, or of each that is not
 * marked. */
static int list(struct session *session, struct slice argument,
	void (*describe)(struct session *session, say_fn *say, size_t index))
{
	size_t i;
	argument = slice_trim(argument);
	if (argument.len > 0) {
		if (messages_find(session, argument, &i))
			describe(session, reply_ok, i);
		return DIALOG_STAY;
	}
	say_total(session);
	for (i = 0; i < session->login.maildrop.count; i++)
		if (!messages_are_marked(session->deleted, i))
			describe(session, reply_line, i);
	reply_end(session);
	return DIALOG_STAY;
}

int pop3_list(void *session, struct slice argument)
{
	return list(session, argument, say_size);
}

int pop3_uidl(void *session, struct slice argument)
{
	return list(session, argument, say_uidl);
}

int pop3_dele(void *arg, struct slice argument)
{
	struct session *session = arg;
	size_t i;
	if (!messages_find(session, slice_trim(argument), &i))
		return DIALOG_STAY;
	messages_mark(session, &session->deleted, i);
	session->deleted_count++;
	session->deleted_size += session->login.maildrop.items[i].size;
	reply_ok(session, "message %zu will be deleted at QUIT", i + 1);
	return DIALOG_STAY;
}

int pop3_rset(void *arg, struct slice argument)
{
	struct session *session = arg;
	(void)argument;
	free(session->deleted);
	session->deleted = NULL;
	session->deleted_count = 0;
	session->deleted_size = 0;
	say_total(session);
	return DIALOG_STAY;
}

/* UPDATE (RFC 1939, 6). */
static int remove_deleted(struct session *session, struct err *e)
{
	const struct maildrop *maildrop = &session->login.maildrop;
	int64_t *ids = must_alloc(session->deleted_count * sizeof(*ids));
	size_t count = 0;
	for (size_t i = 0; i < maildrop->count; i++) {
		if (messages_are_marked(session->deleted, i))
			ids[count++] = maildrop->items[i].id;
	}
	int done = request_delete(&session->visitor->writer, &session->login.ticket, ids, count, e);
	free(ids);
	return done;
}

int pop3_quit(void *arg, struct slice argument)
{
	struct session *session = arg;
	struct err e;
	(void)argument;
	session->deeds.quit = true;
	if (session->deleted_count == 0) {
		reply_ok(session, "bye");
	} else if (remove_deleted(session, &e) < 0) {
		session_log_failure(session, "delete-failed", &e);
		reply_refuse(session, REFUSE_NOT_REMOVED);
	} else {
		session->deeds.removed = session->deleted_count;
		reply_ok(session, "bye; %zu deleted", session->deeds.removed);
	}
	/* Before the answer goes out: who logs in again at once finds the mailbox
	 * free under `exclusive`. */
	channel_close(&session->visitor->directory);
	return DIALOG_END;
}
