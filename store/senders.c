/* Rights to an address are not kept anywhere: they are where its mail goes. */
#include "store/senders.h"
#include "base/header.h"

/* A refusal of the address is one of the right to it. */
static bool leads_nowhere(enum err_kind kind)
{
	return kind == ERR_INPUT || kind == ERR_DENIED || kind == ERR_MISSING || kind == ERR_LOOP;
}

int senders_may(struct store *store, const struct config *config, int64_t user_id,
	struct slice address, struct err *e)
{
	struct destinations to = {0};
	bool belongs = false;
	int done = addresses_resolve(store, config, address, &to, e);
	for (size_t i = 0; done == 0 && i < to.count; i++)
		belongs |= to.at[i].user.id == user_id && to.at[i].user.enabled;
	destinations_free(&to);
	if (done < 0 && !leads_nowhere(e->kind))
		return -1;
	if (!belongs)
		return err_set(e, ERR_DENIED, "mail for %.*s does not go to who sends as it",
			(int)address.len, address.at);
	return 0;
}

/* Cuts the first line off, where it ends as the store ends lines: a lone CR or LF
 * others may read as an end, and what is behind it as a field. */
static bool cut_line(struct slice *text, size_t *len)
{
	size_t end = slice_find(*text, '\n');
	if (end == text->len || end == 0 || slice_find(*text, '\r') != end - 1)
		return false;
	*len = end - 1;
	*text = slice_from(*text, end + 1);
	return true;
}

/* Is its blank line there? What lies behind the end others may read, too. */
static bool is_whole(struct slice header)
{
	size_t len;
	while (cut_line(&header, &len))
		if (len == 0)
			return true;
	return false;
}

bool senders_is_trace(struct slice text)
{
	struct slice rest = text, lines = text;
	struct header_field field;
	size_t len;
	while (lines.len > 0)
		if (!cut_line(&lines, &len))
			return false;
	return header_next(&rest, &field) && rest.len == 0 && field.name.at == text.at &&
	       slice_equal_nocase(field.name, SLICE("Received"));
}

int senders_check(struct store *store, const struct config *config, int64_t user_id,
	struct slice sender, struct slice header, struct err *e)
{
	struct buf authors = {0};
	int done = 0;
	if (sender.len > 0)
		done = senders_may(store, config, user_id, sender, e);
	if (done == 0 && (!is_whole(header) || !header_authors(header, &authors)))
		done = err_set(e, ERR_DENIED, "a message without one From field that can be read");
	for (struct slice rest = buf_slice(&authors); done == 0 && rest.len > 0;)
		done = senders_may(store, config, user_id, slice_cut(&rest, '\n'), e);
	buf_free(&authors);
	return done;
}
