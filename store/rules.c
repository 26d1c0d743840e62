/* Rules as rows, numbered 1, 2, ... without gaps in the user's order. */
#include "store/rules.h"
#include "base/header.h"
#include "base/text.h"
#include "store/db.h"
#include <stdlib.h>
#include <string.h>

/* A field's name (RFC 5322, 2.2). */
static bool is_field_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] <= ' ' || name.at[i] > '~' || name.at[i] == ':')
			return false;
	return name.len > 0 && name.len < RULE_TEXT_MAX;
}

static bool is_pattern(struct slice pattern)
{
	for (size_t i = 0; i < pattern.len; i++)
		if ((unsigned char)pattern.at[i] < ' ' || pattern.at[i] == 0x7F)
			return false;
	return pattern.len > 0 && pattern.len < RULE_TEXT_MAX;
}

static int count_rules(struct store *store, int64_t user_id, int64_t *count, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT coalesce(max(position), 0) FROM rules WHERE user_id = ?"));
	int found;
	db_bind_int(&q, user_id);
	found = db_next(&q, e);
	if (found == 1)
		*count = db_int(&q, 0);
	db_end(&q);
	return found < 0 ? -1 : 0;
}

int rules_add(struct store *store, int64_t user_id, struct slice header, struct slice pattern,
	int64_t folder_id, struct err *e)
{
	int64_t count = 0;
	if (header.len && header.at[header.len - 1] == ':')
		header.len--;
	if (!is_field_name(header))
		return err_set(e, ERR_INPUT, "a rule looks at a field like Subject or List-Id");
	if (!is_pattern(pattern))
		return err_set(e, ERR_INPUT,
			"a rule's pattern is 1 to %d octets without control characters",
			RULE_TEXT_MAX - 1);
	if (count_rules(store, user_id, &count, e) < 0)
		return -1;
	struct query q = db_query(
		store, SQL("INSERT INTO rules (user_id, position, header, pattern, folder_id)"
			   " VALUES (?, ?, ?, ?, ?)"));
	db_bind_int(&q, user_id);
	db_bind_int(&q, count + 1);
	db_bind_text(&q, header);
	db_bind_text(&q, pattern);
	db_bind_int(&q, folder_id);
	return db_run(&q, e);
}

int rules_remove(struct store *store, int64_t user_id, int64_t n, struct err *e)
{
	struct query remove =
		db_query(store, SQL("DELETE FROM rules WHERE user_id = ? AND position = ?"));
	db_bind_int(&remove, user_id);
	db_bind_int(&remove, n);
	if (db_run(&remove, e) < 0)
		return -1;
	if (db_changes(store) == 0)
		return err_set(e, ERR_MISSING,
			"there is no rule %lld: `officemail rule list` shows their numbers",
			(long long)n);
	struct query close = db_query(store,
		SQL("UPDATE rules SET position = position - 1 WHERE user_id = ? AND position > ?"));
	db_bind_int(&close, user_id);
	db_bind_int(&close, n);
	return db_run(&close, e);
}

/* The number of the first rule that files there, 0 for none. */
static int find_by_folder(struct store *store, int64_t folder_id, int64_t *n, struct err *e)
{
	struct query q =
		db_query(store, SQL("SELECT position FROM rules WHERE folder_id = ? LIMIT 1"));
	int found;
	db_bind_int(&q, folder_id);
	found = db_next(&q, e);
	*n = found == 1 ? db_int(&q, 0) : 0;
	db_end(&q);
	return found;
}

int rules_forget_folder(struct store *store, int64_t user_id, int64_t folder_id, struct err *e)
{
	int64_t n;
	int found;
	while ((found = find_by_folder(store, folder_id, &n, e)) == 1)
		if (rules_remove(store, user_id, n, e) < 0)
			return -1;
	return found;
}

/* The user's rules in order; free() them. */
static int load(
	struct store *store, int64_t user_id, struct rule **rules, size_t *count, struct err *e)
{
	struct query q = db_query(store,
		SQL("SELECT r.position, r.header, r.pattern, r.folder_id, f.name FROM rules r"
		    " JOIN folders f ON f.id = r.folder_id WHERE r.user_id = ? ORDER BY "
		    "r.position"));
	size_t cap = 0;
	int found;
	*rules = NULL;
	*count = 0;
	db_bind_int(&q, user_id);
	while ((found = db_next(&q, e)) == 1) {
		if (*count == cap) {
			cap = cap ? cap * 2 : 4;
			*rules = must_realloc(*rules, cap * sizeof(**rules));
		}
		struct rule *rule = &(*rules)[(*count)++];
		rule->n = db_int(&q, 0);
		db_copy_text(&q, 1, rule->header, sizeof(rule->header));
		db_copy_text(&q, 2, rule->pattern, sizeof(rule->pattern));
		rule->folder_id = db_int(&q, 3);
		db_copy_text(&q, 4, rule->folder, sizeof(rule->folder));
	}
	db_end(&q);
	return found;
}

int rules_each(struct store *store, int64_t user_id,
	int (*each)(const struct rule *rule, void *arg), void *arg, struct err *e)
{
	struct rule *rules;
	size_t count;
	int result = load(store, user_id, &rules, &count, e);
	for (size_t i = 0; result == 0 && i < count; i++)
		if (each(&rules[i], arg) != 0)
			break;
	free(rules);
	return result;
}

/* Of the first `count` rules the first that this field fits; `count` if none.
 * The field is decoded once, and only if a rule looks at it. */
static size_t match_field(
	const struct rule *rules, size_t count, struct header_field *field, struct buf *decoded)
{
	bool ready = false;
	for (size_t i = 0; i < count; i++) {
		if (!slice_equal_nocase(field->name, slice_of(rules[i].header)))
			continue;
		if (!ready) {
			buf_clear(decoded);
			header_add_decoded(decoded, field->body);
			text_fold(decoded->at, decoded->len);
			ready = true;
		}
		if (decoded->len && memmem(decoded->at, decoded->len, rules[i].pattern,
					    strlen(rules[i].pattern)))
			return i;
	}
	return count;
}

int rules_match(struct store *store, int64_t user_id, struct slice header, int64_t *folder_id,
	struct err *e)
{
	struct header_field field;
	struct buf decoded = {0};
	struct rule *rules;
	size_t count, first;
	int result = load(store, user_id, &rules, &count, e);
	for (size_t i = 0; i < count; i++)
		text_fold(rules[i].pattern, strlen(rules[i].pattern));
	/* Fields come in any order: the first rule that fits any of them wins. */
	first = count;
	while (result == 0 && first > 0 && header_next(&header, &field))
		first = match_field(rules, first, &field, &decoded);
	if (result == 0 && first < count) {
		*folder_id = rules[first].folder_id;
		result = 1;
	}
	buf_free(&decoded);
	free(rules);
	return result;
}
