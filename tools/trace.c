/* `officemail trace`: what became of a message, in sentences or as JSON. */
#include "store/trace.h"
#include "base/text.h"
#include "store/addresses.h"
#include "store/folders.h"
#include "store/import.h"
#include "tools/command.h"
#include "tools/rows.h"
#include "tools/terminal.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LAST_USUAL 20
#define LAST_MOST  1000

static const char *const kinds[TRACE_KINDS] = {[TRACE_ARRIVED] = "arrived",
	[TRACE_FILED] = "filed",
	[TRACE_MOVED] = "moved",
	[TRACE_FETCHED] = "fetched",
	[TRACE_CUT] = "broken_off",
	[TRACE_DELETED] = "deleted",
	[TRACE_RESTORED] = "restored",
	[TRACE_AGAIN] = "offered_again",
	[TRACE_PURGED] = "purged",
	[TRACE_STUCK] = "stuck",
	[TRACE_UNFETCHED] = "unfetched",
	[TRACE_RELAYED] = "relayed",
	[TRACE_DEFERRED] = "deferred",
	[TRACE_UNDELIVERABLE] = "undeliverable",
	[TRACE_DROPPED] = "dropped",
	[TRACE_WAITING] = "waiting",
	[TRACE_TRYING] = "trying",
	[TRACE_HELD] = "held"};

static bool is_session(const struct trace_event *event)
{
	return event->kind == TRACE_FETCHED || event->kind == TRACE_CUT ||
	       (event->kind == TRACE_DELETED && event->by == TRACE_BY_SESSION);
}

static bool is_queued(const struct trace_event *event)
{
	return event->kind == TRACE_WAITING || event->kind == TRACE_TRYING ||
	       event->kind == TRACE_HELD;
}

/* ---- as JSON ---- */

static void begin_key(struct buf *out, const char *key)
{
	char before = out->len > 0 ? out->at[out->len - 1] : '{';
	buf_printf(out, "%s\"%s\": ", before == '{' ? "" : ", ", key);
}

static void put_text(struct buf *out, const char *key, const char *text)
{
	begin_key(out, key);
	if (text)
		rows_add_json(out, slice_of(text));
	else
		buf_add_text(out, "null");
}

/* Left out where it does not apply. */
static void put_if(struct buf *out, const char *key, const char *text)
{
	if (text)
		put_text(out, key, text);
}

static void put_number(struct buf *out, const char *key, int64_t number)
{
	begin_key(out, key);
	buf_printf(out, "%" PRId64, number);
}

static void put_time(struct buf *out, const char *key, int64_t unix_seconds)
{
	char text[TEXT_DATE_MAX];
	bool known = unix_seconds && unix_seconds != INT64_MAX;
	put_text(out, key, known ? text_of_time(text, unix_seconds) : NULL);
}

static void put_filing(struct buf *out, const struct trace_event *event)
{
	static const char *const whys[] = {[TRACE_BY_INBOX] = "inbox",
		[TRACE_BY_TAG] = "tag",
		[TRACE_BY_RULE] = "rule",
		[TRACE_BY_FILTER] = "filter",
		[TRACE_UNKNOWN] = NULL};
	put_text(out, "folder", event->folder);
	put_text(out, "why", whys[event->why]);
	put_if(out, "rule", event->rule);
}

static void put_fetch(struct buf *out, const struct trace_event *event)
{
	put_number(out, "octets", (int64_t)event->octets);
	put_number(out, "size", (int64_t)event->size);
	begin_key(out, "complete");
	buf_add_text(out, event->kind == TRACE_FETCHED ? "true" : "false");
	put_number(out, "times", event->count);
	put_time(out, "until", event->until);
}

static void put_deletion(struct buf *out, const struct trace_event *event)
{
	static const char *const doers[] = {[TRACE_BY_SESSION] = "session",
		[TRACE_BY_TOOL] = "administrator",
		[TRACE_BY_REMOVAL] = "removal of the user",
		[TRACE_BY_NOBODY] = NULL};
	put_text(out, "by", doers[event->by]);
	begin_key(out, "for_all");
	buf_add_text(out, event->for_one ? "false" : "true");
	put_time(out, "restorable_until", event->gone);
}

static void put_event(struct buf *out, const struct trace_event *event)
{
	buf_add_char(out, '{');
	put_time(out, "at", event->at);
	put_text(out, "event", kinds[event->kind]);
	put_if(out, "user", event->user);
	if (event->message)
		put_number(out, "message", event->message);
	if (event->kind == TRACE_FILED)
		put_filing(out, event);
	if (event->kind == TRACE_UNFETCHED)
		put_text(out, "folder", event->folder);
	if (event->kind == TRACE_MOVED) {
		put_text(out, "folder", event->folder);
		put_text(out, "to", event->to);
	}
	if (is_session(event) || event->kind == TRACE_STUCK)
		put_text(out, "device", event->device);
	if (is_session(event))
		put_text(out, "from", event->from);
	if (event->kind == TRACE_FETCHED || event->kind == TRACE_CUT)
		put_fetch(out, event);
	if (event->kind == TRACE_DELETED)
		put_deletion(out, event);
	if (event->kind == TRACE_STUCK)
		put_number(out, "sessions", event->count);
	if (event->was)
		put_number(out, "was", event->was);
	if (event->kind >= TRACE_RELAYED) {
		put_text(out, "recipient", event->to);
		put_text(out, "host", event->host);
		put_text(out, "reply", event->reply);
	}
	if (is_queued(event)) {
		put_number(out, "attempts", event->count);
		put_time(out, "next_try", event->next_try);
	}
	buf_add_char(out, '}');
}

static void put_life(struct buf *out, const struct trace_life *life)
{
	buf_add_char(out, '{');
	put_text(out, "id", *life->key.queue_id ? life->key.queue_id : NULL);
	put_text(out, "message_id", life->message_id);
	put_text(out, "sender", life->sender);
	put_text(out, "from", life->header_from);
	put_time(out, "arrived", life->arrived);
	put_number(out, "size", (int64_t)life->size);
	put_text(out, "peer", life->peer);
	put_text(out, "client", life->client);
	put_text(out, "protocol", life->protocol);
	put_text(out, "tls", life->suite);
	put_text(out, "recipient", life->recipient);
	begin_key(out, "events");
	buf_add_char(out, '[');
	for (size_t i = 0; i < life->count; i++) {
		buf_add_text(out, i > 0 ? ",\n   " : "\n   ");
		put_event(out, &life->events[i]);
	}
	buf_add_text(out, "]}");
}

static void put_lives(struct buf *out, const struct trace_life *lives, size_t count)
{
	buf_add_char(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add_text(out, ",\n ");
		put_life(out, &lives[i]);
	}
	buf_add_text(out, "]\n");
}

/* ---- in sentences ---- */

/* What strangers wrote, made harmless; nothing where it is not known. */
static void add(struct buf *out, const char *before, const char *text, const char *behind)
{
	if (!text || !*text)
		return;
	buf_add_text(out, before);
	rows_add_plain(out, slice_of(text));
	buf_add_text(out, behind);
}

static void say_login(struct buf *out, const struct trace_event *event)
{
	add(out, " from ", event->from, "");
	if (event->device)
		add(out, " with the device ", event->device, "");
	else
		buf_add_text(out, " with the account's own password");
}

static bool is_imported(const struct trace_life *life)
{
	return life->peer && strcmp(life->peer, IMPORT_PEER) == 0;
}

static void say_arrival(struct buf *out, const struct trace_life *life)
{
	const char *peer = life->peer ? life->peer : "";
	bool own = life->protocol && strlen(life->protocol) > 5 &&
		   life->protocol[strlen(life->protocol) - 1] == 'A';
	if (life->peer && !*peer) {
		buf_add_text(out, "written by this server");
	} else if (is_imported(life)) {
		buf_add_text(out, "brought in by `mail import`");
	} else if (strncmp(peer, "unix:", 5) == 0) {
		add(out, "handed in by the account ", peer + 5, " of this box");
	} else if (strcmp(peer, "unix") == 0) {
		buf_add_text(out, "handed over by a program of this box");
	} else {
		buf_add_text(out, own ? "sent by a user who had logged in" : "arrived");
		add(out, " from ", peer, "");
		add(out, ", which called itself ", life->client, "");
	}
	add(out, ", over ", life->protocol, "");
	add(out, " with ", life->suite, "");
	buf_printf(out, ", %" PRIu64 " octets", life->size);
	add(out, ", for ", life->recipient, "");
}

static void say_filing(struct buf *out, const struct trace_event *event)
{
	add(out, "filed in ", event->folder, "");
	add(out, " of ", event->user, "");
	buf_printf(out, " as message %" PRId64, event->message);
	if (event->why == TRACE_BY_TAG)
		buf_add_text(out, ", which the address named");
	else if (event->why == TRACE_BY_RULE)
		add(out, ", by the rule ", event->rule ? event->rule : "for that folder", "");
	else if (event->why == TRACE_BY_FILTER)
		buf_add_text(out, ", since the filter called it junk");
}

static void say_unfetched(struct buf *out, const struct trace_event *event)
{
	struct slice domain = slice_of(event->user), local = slice_cut(&domain, '@');
	buf_printf(out, "message %" PRId64, event->message);
	add(out, " lies in ", event->folder, "");
	add(out, " of ", event->user, ", and no session that has ended fetched it");
	if (strcmp(event->folder, FOLDER_INBOX) == 0)
		return;
	add(out, "; who logs in as ", event->user, " does not see it, but as ");
	rows_add_plain(out, local);
	add(out, "+", event->folder, "@");
	rows_add_plain(out, domain);
}

static void say_times(struct buf *out, const struct trace_event *event)
{
	char until[TEXT_DATE_MAX];
	if (event->count > 1)
		buf_printf(out, ", %" PRId64 " times until %s", event->count,
			text_of_time(until, event->until));
}

static void say_fetch(struct buf *out, const struct trace_event *event)
{
	bool all = event->octets >= event->size;
	if (event->kind == TRACE_FETCHED) {
		add(out, "fetched by ", event->user, "");
		say_login(out, event);
		buf_printf(out, ": all %" PRIu64 " octets", event->octets);
	} else {
		add(out, all ? "sent to " : "broken off on its way to ", event->user, "");
		say_login(out, event);
		if (all)
			buf_printf(out,
				": all %" PRIu64
				" octets were on their way when the connection ended, and whether "
				"they arrived nobody said",
				event->octets);
		else
			buf_printf(out,
				": the connection ended after %" PRIu64 " of %" PRIu64 " octets",
				event->octets, event->size);
	}
	say_times(out, event);
}

static void say_deletion(struct buf *out, const struct trace_event *event)
{
	char until[TEXT_DATE_MAX];
	if (event->by == TRACE_BY_SESSION) {
		add(out, "deleted by ", event->user, "");
		say_login(out, event);
	} else {
		buf_printf(out, "message %" PRId64, event->message);
		add(out, " of ", event->user, "");
		buf_add_text(out, event->by == TRACE_BY_TOOL ? " was deleted by an administrator"
				  : event->by == TRACE_BY_REMOVAL
					  ? " was deleted when the user was removed"
					  : " was deleted by a mail program whose session is not "
					    "noted yet, or since no device held it any more");
	}
	if (event->for_one)
		buf_add_text(out, "; other devices still have it");
	if (event->gone) {
		add(out, "; `officemail mail restore ", event->user, "");
		buf_printf(out, " %" PRId64 "` brings it back until %s", event->message,
			text_of_time(until, event->gone));
	}
}

static void say_reply(struct buf *out, const struct trace_event *event)
{
	add(out, ": ", event->host, event->reply ? " said " : "");
	if (!event->host || !*event->host)
		buf_add_text(out, event->reply ? ": " : "");
	add(out, "\"", event->reply, "\"");
}

static void say_queued(struct buf *out, const struct trace_event *event)
{
	char next[TEXT_DATE_MAX];
	if (event->kind == TRACE_HELD)
		add(out, "held back on its way to ", event->to,
			": `officemail queue retry` lets it go");
	else if (event->kind == TRACE_TRYING)
		add(out, "being delivered to ", event->to, "");
	else
		add(out, "waiting to leave for ", event->to, "");
	if (event->count > 0)
		buf_printf(out, ", tried %" PRId64 " time%s", event->count,
			event->count == 1 ? "" : "s");
	if (event->next_try)
		buf_printf(out, ", next at %s", text_of_time(next, event->next_try));
	say_reply(out, event);
}

static void say(struct buf *out, const struct trace_life *life, const struct trace_event *event)
{
	switch (event->kind) {
	case TRACE_ARRIVED:
		say_arrival(out, life);
		break;
	case TRACE_FILED:
		say_filing(out, event);
		break;
	case TRACE_MOVED:
		buf_printf(out, "message %" PRId64, event->message);
		add(out, " of ", event->user, "");
		add(out, " was moved by an administrator from ", event->folder, "");
		add(out, " to ", event->to, "");
		break;
	case TRACE_FETCHED:
	case TRACE_CUT:
		say_fetch(out, event);
		break;
	case TRACE_DELETED:
		say_deletion(out, event);
		break;
	case TRACE_RESTORED:
	case TRACE_AGAIN:
		buf_printf(out, "message %" PRId64, event->was);
		add(out, " of ", event->user, "");
		buf_printf(out, " was %s by an administrator, as message %" PRId64,
			event->kind == TRACE_RESTORED ? "restored" : "offered once more",
			event->message);
		break;
	case TRACE_PURGED:
		buf_printf(out, "message %" PRId64, event->message);
		add(out, " of ", event->user, "");
		buf_add_text(out, " went for good before its time, since the disk was full");
		break;
	case TRACE_STUCK:
		add(out, "the mail program of ", event->user, "");
		add(out, " on the device ", event->device, "");
		buf_printf(out, " is stuck at it, after %" PRId64 " sessions", event->count);
		break;
	case TRACE_UNFETCHED:
		say_unfetched(out, event);
		break;
	case TRACE_RELAYED:
		add(out, "delivered to ", event->to, "");
		say_reply(out, event);
		break;
	case TRACE_DEFERRED:
		add(out, "not taken yet for ", event->to, "");
		say_reply(out, event);
		break;
	case TRACE_UNDELIVERABLE:
		add(out, "could not be delivered to ", event->to, "");
		say_reply(out, event);
		break;
	case TRACE_DROPPED:
		add(out, "taken out of the queue by an administrator, for ", event->to, "");
		break;
	default:
		say_queued(out, event);
	}
}

static void say_life(struct buf *out, const struct trace_life *life)
{
	char time[TEXT_DATE_MAX], size[TEXT_SIZE_MAX];
	if (life->message_id && *life->message_id)
		add(out, "Message ", life->message_id, "");
	else
		buf_add_text(out, life->known ? "Message without a Message-ID"
					      : "Message of which nothing is left");
	add(out, ", id ", life->key.queue_id, "");
	if (life->known)
		buf_printf(out, ", %s", text_of_size(size, life->size));
	buf_add_char(out, '\n');
	add(out, "From ", life->header_from, "\n");
	if (life->sender && *life->sender)
		add(out, "Sender ", life->sender, "\n");
	else if (life->sender && !is_imported(life))
		buf_add_text(out, "Sender <>, which reports and notices have\n");
	for (size_t i = 0; i < life->count; i++) {
		int64_t at = life->events[i].at;
		buf_printf(out, "  %-20s  ", at == INT64_MAX ? "now" : text_of_time(time, at));
		say(out, life, &life->events[i]);
		buf_add_char(out, '\n');
	}
}

static void say_lives(struct buf *out, const struct trace_life *lives, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add_char(out, '\n');
		say_life(out, &lives[i]);
	}
}

/* ---- the command ---- */

/* "ani@kantor.example, budi@kantor.example" */
static void add_places(struct buf *out, const struct destinations *places)
{
	const char *comma = "";
	for (size_t i = 0; i < places->count; i++, comma = ", ")
		buf_printf(out, "%s%s", comma, places->at[i].user.address);
	for (size_t i = 0; i < places->forward_count; i++, comma = ", ")
		buf_printf(out, "%s%s", comma, places->forwards[i].target);
}

/* What becomes of mail for an address of ours now, where that is not what one thinks. */
static int add_prospect(struct office *office, const char *what, struct buf *out, struct err *e)
{
	struct address address;
	struct user user;
	struct destinations places = {0};
	struct slice text = slice_of(what);
	int found = 0;
	if (addresses_read_ours(&address, &office->config, text, e) < 0)
		return 0;
	if (addresses_resolve(office->store, &office->config, text, &places, e) < 0) {
		if (e->kind != ERR_MISSING && e->kind != ERR_LOOP)
			return -1;
		buf_printf(out,
			e->kind == ERR_LOOP ? "%s leads in circles: mail for it is refused (550)"
					    : "nobody here has the address %s: mail for it is "
					      "refused (550)",
			what);
	} else if (addresses_accept(office->store, &office->config, text, 0, e) < 0) {
		if (e->kind != ERR_QUOTA)
			return -1;
		buf_printf(out,
			"%s is full: mail for it is refused until there is room (452), see "
			"`officemail user quota`",
			what);
	} else {
		found = users_find(office->store, text, &user, e);
		if (found == 1 && !user.enabled)
			buf_printf(out,
				"the account %s is disabled: its mail is kept, and nobody can "
				"fetch it, see `officemail user enable`",
				what);
		if (found == 0) {
			buf_printf(out,
				"%s leads to others, and what came for several of them at once is "
				"found under these: ",
				what);
			add_places(out, &places);
		}
	}
	destinations_free(&places);
	return found < 0 ? -1 : 0;
}

static int find_nothing(
	struct office *office, const char *what, const struct buf *prospect, struct err *e)
{
	char when[TEXT_DATE_MAX], days[64] = "";
	int64_t early;
	if (!strchr(what, '@'))
		return err_set(e, ERR_MISSING,
			"no message has the number or the id %s: an address is written with its "
			"@domain, see `officemail user list`",
			what);
	if (trace_last_early_purge(office->store, &early, e) < 0)
		return -1;
	if (early)
		snprintf(days, sizeof(days), ", or was until the disk was full at %s",
			text_of_time(when, early));
	return err_set(e, ERR_MISSING,
		"%.*s%snothing is known of %s: what was refused stands in the log alone, by sender "
		"and recipient (`journalctl -u officemail -g refused`), and what was deleted is "
		"known for keep_deleted%s",
		(int)prospect->len, prospect->at, prospect->len > 0 ? "; " : "", what, days);
}

static int print_lives(struct office *office, const struct buf *found, bool json, struct err *e)
{
	const struct trace_key *keys = (const void *)found->at;
	size_t count = found->len / sizeof(*keys);
	struct trace_life *lives = must_alloc((count + 1) * sizeof(*lives));
	struct buf out = {0};
	int done = trace_read(office->store, &office->config, keys, count, lives, e);
	if (done == 0) {
		if (json)
			put_lives(&out, lives, count);
		else
			say_lives(&out, lives, count);
		fwrite(out.at, 1, out.len, stdout);
	}
	trace_free(lives, count);
	free(lives);
	buf_free(&out);
	return done;
}

int command_trace(struct command_line *line, struct err *e)
{
	const char *what = line->arguments[0], *last = command_option(line, "--last");
	bool json = command_option(line, "--json") != NULL;
	uint64_t most = LAST_USUAL;
	struct office office;
	struct buf found = {0}, prospect = {0};
	if (last && (!text_to_number(slice_of(last), 4, &most) || most < 1 || most > LAST_MOST))
		return command_misuse(line, e, "%s is no number from 1 to %d", last, LAST_MOST);
	if (office_open(&office, line, STORE_READER, e) < 0)
		return -1;
	int more =
		trace_find(office.store, &office.config, slice_of(what), (size_t)most, &found, e);
	int result = more < 0 || add_prospect(&office, what, &prospect, e) < 0 ? -1 : 0;
	if (result == 0 && found.len == 0 && !json)
		result = find_nothing(&office, what, &prospect, e);
	else if (result == 0)
		result = print_lives(&office, &found, json, e);
	if (result == 0 && more > 0)
		fprintf(stderr,
			"officemail: these are the newest %" PRIu64
			" messages: --last N shows more of them\n",
			most);
	if (result == 0 && found.len > 0 && prospect.len > 0)
		terminal_tell("officemail: %.*s", (int)prospect.len, prospect.at);
	buf_free(&prospect);
	buf_free(&found);
	office_close(&office);
	return result;
}
