/* The usage of a command, as a grammar. */
#include "tools/usage.h"

static struct slice next_word(struct slice *rest)
{
	struct slice word;
	do
		word = slice_cut(rest, ' ');
	while (rest->len > 0 && (word.len == 0 || slice_equal(word, SLICE("|"))));
	return word;
}

static bool cut_end(struct slice *word, struct slice end)
{
	if (word->len < end.len || !slice_equal(slice_from(*word, word->len - end.len), end))
		return false;
	word->len -= end.len;
	return true;
}

/* "SIZE]", or "mbox|eml] ..."; but not "| --other". */
static bool begins_with_value(struct slice rest)
{
	struct slice word = slice_cut(&rest, ' ');
	size_t bar = slice_find(word, '|');
	return word.len > 0 &&
	       ((word.at[0] >= 'A' && word.at[0] <= 'Z') || (bar > 0 && bar < word.len));
}

bool usage_next(struct usage *usage, struct usage_item *item)
{
	struct slice word = next_word(&usage->rest);
	if (word.len == 0)
		return false;
	if (slice_has_prefix(word, SLICE("["))) {
		word = slice_from(word, 1);
		usage->bracket = true;
		usage->group++;
	}
	bool closes = cut_end(&word, SLICE("]"));
	bool repeats = cut_end(&word, SLICE("..."));
	*item = (struct usage_item){
		.required = !usage->bracket,
		.group = usage->bracket ? usage->group : 0,
		.repeats = repeats,
		.option = slice_has_prefix(word, SLICE("--")),
		.name = word,
	};
	if (item->option && !closes && begins_with_value(usage->rest)) {
		struct slice value = next_word(&usage->rest);
		closes = cut_end(&value, SLICE("]"));
		item->value = value;
		item->has_value = true;
	}
	if (closes)
		usage->bracket = false;
	return true;
}

bool usage_find_option(const char *text, struct slice name, struct usage_item *item)
{
	struct usage usage = {.rest = slice_of(text)};
	while (usage_next(&usage, item))
		if (item->option && slice_equal(item->name, name))
			return true;
	return false;
}

bool usage_word(struct slice value, size_t n, struct slice *word)
{
	if (slice_find(value, '|') == value.len)
		return false;
	do
		*word = slice_cut(&value, '|');
	while (n-- > 0 && word->len > 0);
	return word->len > 0;
}
