/* RETR and TOP: a message from the store to the wire.
 *
 * Octets that do not fit their checksum never go out. What RETR sends is compared
 * before the answer, of TOP the first piece; where what comes behind that fails,
 * only the end of the connection can say so. A TOP of as many lines as the message has
 * octets asks for all of it, and is a RETR. */
#include "base/dot.h"
#include "base/text.h"
#include "pop3d/commands.h"
#include "pop3d/deeds.h"
#include "pop3d/messages.h"
#include "pop3d/reply.h"
#include "store/body.h"
#include <string.h>

/* Octets; a client waits for an answer no longer than they take to be read. */
#define LOOK_AHEAD (64u * 1024 * 1024)

/* How much of a message is sent: for RETR all; for TOP the header, the blank
 * line and so many lines of the body. */
struct extent {
	bool all;
	uint64_t lines, lines_left; /* asked for, and of them to come */
	uint64_t taken;             /* octets so far */
	bool in_body;
	size_t line_length; /* octets so far of the line under way */
};

static bool extent_is_full(const struct extent *extent)
{
	return !extent->all && extent->in_body && extent->lines_left == 0;
}

/* All that there is has been sent, and not just as the header of something. */
static bool extent_is_whole(const struct extent *extent, uint64_t size)
{
	return extent->all || (extent->lines > 0 && extent->taken == size);
}

/* How many of the message's next octets are within it. */
static size_t extent_take(struct extent *extent, struct slice octets)
{
	size_t taken = 0;
	if (extent->all)
		return octets.len;
	while (taken < octets.len && !extent_is_full(extent)) {
		struct slice rest = slice_from(octets, taken);
		size_t line = slice_find(rest, '\n');
		if (line == rest.len) {
			extent->line_length += line;
			return octets.len;
		}
		extent->line_length += line + 1;
		if (extent->in_body)
			extent->lines_left--;
		else
			extent->in_body = extent->line_length == strlen("\r\n");
		extent->line_length = 0;
		taken += line + 1;
	}
	return taken;
}

static int open_store(struct session *session, struct err *e)
{
	int fds[3];
	if (session->store)
		return 0;
	if (request_store_files(&session->visitor->directory, fds, e) < 0)
		return -1;
	return store_open_handed(&session->store, fds, e);
}

/* Opens the message and reads what can be judged before the answer. */
static int read_start(
	struct session *session, size_t index, const struct extent *extent, struct err *e)
{
	const struct maildrop_item *item = &session->login.maildrop.items[index];
	struct body_reader *reader = &session->reader;
	if (messages_are_marked(session->damaged, index))
		return err_set(e, ERR_DAMAGED, "message was found damaged before");
	if (body_open(reader, session->store, session->login.ticket.user_id, item->id, e) < 0)
		return -1;
	if (reader->size != item->size)
		return err_set(e, ERR_DAMAGED,
			"the index of the mailbox tells another size of message %lld than it has: "
			"restore a backup",
			(long long)item->id);
	return body_look_ahead(reader, extent->all ? LOOK_AHEAD : BODY_PIECE, e);
}

/* Reads and sends, as long as somebody takes it. */
static int send_octets(struct session *session, struct extent *extent, struct err *e)
{
	struct conn *conn = &session->visitor->conn;
	struct dot_writer dots = {0};
	struct slice octets;
	do {
		if (body_next(&session->reader, &octets, e) < 0)
			return -1;
		octets.len = extent_take(extent, octets);
		extent->taken += octets.len;
		conn_write_dotted(conn, &dots, octets);
	} while (octets.len > 0 && !extent_is_full(extent) && conn->output == CONN_OPEN);
	if (dots.inside_line)
		conn_write(conn, SLICE("\r\n"));
	return 0;
}

/* What a login is refused for is no answer here: the client would ask its user
 * for the password. */
static void refuse(struct session *session, enum err_kind kind)
{
	bool of_message = kind == ERR_MISSING || kind == ERR_DAMAGED || kind == ERR_GONE;
	reply_failure(session, of_message ? kind : ERR_IO);
}

/* Damage is told to the directory, which logs it once: clients come back and ask
 * for the same message again and again. */
static void tell_failure(struct session *session, size_t index, const struct err *e)
{
	if (e->kind == ERR_DAMAGED)
		request_tell_damage(&session->visitor->directory,
			session->login.maildrop.items[index].id, e->text);
	else if (e->kind != ERR_MISSING)
		session_log_failure(session, "retrieve-failed", e);
}

static void refuse_message(struct session *session, size_t index, const struct err *e)
{
	bool known = messages_are_marked(session->damaged, index);
	if (e->kind == ERR_DAMAGED && !known)
		messages_mark(session, &session->damaged, index);
	if (!known)
		tell_failure(session, index, e);
	refuse(session, e->kind);
}

/* Nobody asks for the next message at once. */
static void keep_nothing(void *arg)
{
	struct session *session = arg;
	body_close(&session->reader);
	if (session->store)
		store_rest(session->store);
}

static int send_message(struct session *session, size_t index, struct extent *extent)
{
	uint64_t size = session->login.maildrop.items[index].size;
	struct err e;
	session->visitor->conn.on_quiet = keep_nothing;
	session->visitor->conn.quiet_arg = session;
	if (open_store(session, &e) < 0) {
		session_log_failure(session, "store-not-opened", &e);
		refuse(session, e.kind);
		return DIALOG_END;
	}
	if (read_start(session, index, extent, &e) < 0) {
		refuse_message(session, index, &e);
		return DIALOG_STAY;
	}
	if (extent->all)
		reply_ok(session, "%llu octets", (unsigned long long)size);
	else
		reply_ok(session, "top of message follows");
	deeds_begin_sending(session, index, extent->all);
	if (send_octets(session, extent, &e) < 0) {
		tell_failure(session, index, &e);
		return DIALOG_END;
	}
	reply_end(session);
	if (extent_is_whole(extent, size))
		deeds_end_retrieval(session, index);
	return DIALOG_STAY;
}

int pop3_retr(void *arg, struct slice argument)
{
	struct session *session = arg;
	struct extent extent = {.all = true};
	size_t index;
	if (!messages_find(session, slice_trim(argument), &index))
		return DIALOG_STAY;
	return send_message(session, index, &extent);
}

int pop3_top(void *arg, struct slice argument)
{
	struct session *session = arg;
	struct extent extent = {0};
	struct slice count = slice_trim(argument);
	struct slice number = slice_cut(&count, ' ');
	size_t index;
	/* Any count past the last line is all lines. */
	if (!text_to_any_number(slice_trim(count), &extent.lines)) {
		reply_refuse(session, REFUSE_ARGUMENT);
		return DIALOG_STAY;
	}
	if (!messages_find(session, number, &index))
		return DIALOG_STAY;
	extent.lines_left = extent.lines;
	extent.all = extent.lines >= session->login.maildrop.items[index].size;
	return send_message(session, index, &extent);
}
