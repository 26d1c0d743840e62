/* Why a message lies where it was filed: delivery does not note it, but for the address it
 * was sent to; the rest is asked of the rules as they are now. */
#include "store/body.h"
#include "store/rules.h"
#include "store/trace_parts.h"
#include <stdlib.h>
#include <string.h>

#define HEADER_MOST (64 * 1024)

static int read_header(
	struct reading *reading, const struct copy *copy, struct buf *header, struct err *e)
{
	struct body_reader reader = {0};
	struct slice octets = {"", 1};
	int done = body_open(&reader, reading->store, 0, copy->id, e);
	while (done == 0 && octets.len > 0 && header->len < HEADER_MOST) {
		done = body_next(&reader, &octets, e);
		if (done == 0)
			buf_add_slice(header, octets);
	}
	body_close(&reader);
	buf_drop(header, copy->prefix.len < header->len ? copy->prefix.len : header->len);
	return done;
}

struct rule_search {
	int64_t folder_id;
	size_t count;
	struct buf words;
};

static int find_rule(const struct rule *rule, void *arg)
{
	struct rule_search *search = arg;
	if (rule->folder_id != search->folder_id)
		return 0;
	search->count++;
	buf_clear(&search->words);
	buf_printf(&search->words, "%s: %s", rule->header, rule->pattern);
	return 0;
}

/* The rules are those of now. 1: they file it there; where only one does, *words is it. */
static int is_by_rule(struct reading *reading, const struct copy *copy, char **words, struct err *e)
{
	struct folder folder;
	struct rule_search search = {0};
	struct buf header = {0};
	struct err damaged;
	int found = folders_find(
		reading->store, copy->user_id, slice_of(copy->first_folder), &folder, e);
	search.folder_id = found == 1 ? folder.id : 0;
	if (found == 1)
		found = rules_each(reading->store, copy->user_id, find_rule, &search, e);
	if (found == 0 && search.count > 0 && read_header(reading, copy, &header, &damaged) == 0) {
		int64_t folder_id = 0;
		found = rules_match(
			reading->store, copy->user_id, buf_slice(&header), &folder_id, e);
		if (found == 1)
			found = folder_id == search.folder_id;
	}
	if (found == 1 && search.count == 1)
		*words = trace_keep(buf_slice(&search.words));
	buf_free(&header);
	buf_free(&search.words);
	return found;
}

/* Was it sent to user+FOLDER? */
static bool is_by_tag(const struct reading *reading, const struct copy *copy)
{
	struct address address, base;
	struct slice tag;
	struct err e;
	const char *recipient = reading->lives[copy->life].recipient;
	return recipient && address_read(&address, slice_of(recipient), &e) == 0 &&
	       address_cut_tag(&address, &base, &tag) &&
	       slice_equal_nocase(tag, slice_of(copy->first_folder));
}

int trace_add_filing(struct reading *reading, const struct copy *copy, struct err *e)
{
	char *rule = NULL;
	enum trace_why why = TRACE_BY_INBOX;
	struct slice folder = slice_of(copy->first_folder);
	if (!slice_equal_nocase(folder, SLICE(FOLDER_INBOX))) {
		int ruled = is_by_tag(reading, copy) ? 0 : is_by_rule(reading, copy, &rule, e);
		if (ruled < 0)
			return -1;
		why = is_by_tag(reading, copy)                         ? TRACE_BY_TAG
		      : ruled                                          ? TRACE_BY_RULE
		      : slice_equal_nocase(folder, SLICE(FOLDER_JUNK)) ? TRACE_BY_FILTER
								       : TRACE_UNKNOWN;
	}
	/* What was brought in keeps the time of the old server. */
	int64_t arrived = reading->lives[copy->life].arrived;
	struct trace_event *event = trace_add_event(
		reading, copy, TRACE_FILED, copy->received > arrived ? copy->received : arrived);
	event->folder = trace_keep(folder);
	event->why = why;
	event->rule = rule;
	return 0;
}
