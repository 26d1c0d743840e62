/* The header of a message, its encoded words, and the rules that look at it:
 * fields lie in the header, one behind the other; a body without encoded words
 * unfolds as a model unfolds it; authors without a domain get one, and are else as
 * they were; and the rule that files a message is the first of the user's that any
 * field fits.
 *
 * Input: a header. */
#include "base/header.h"
#include "base/syntax.h"
#include "base/text.h"
#include "store/rules.h"
#include "tests/fuzz/office.h"

static struct fuzz_office office;
static int64_t ani;

static const struct {
	const char *header, *pattern, *folder;
} rules[] = {
	{"Subject", "[news]", "News"},
	{"List-Id", "kantor", "Lists"},
	{"subject", "caf\xc3\xa9", "Cafe"},
	{"X-Spam", "yes", "Junk"},
	{"To", " ", "Inbox"},
};
#define RULES (sizeof(rules) / sizeof(rules[0]))
static int64_t folders[RULES];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_office_open(&office);
	ani = fuzz_user(&office, ANI);
	for (size_t i = 0; i < RULES; i++) {
		struct slice name = slice_of(rules[i].folder);
		if (i < 3)
			WRITTEN(&office, folders_add(office.store, ani, name, false, &office.e));
		folders[i] = fuzz_folder(&office, ANI, rules[i].folder);
		WRITTEN(&office, rules_add(office.store, ani, slice_of(rules[i].header),
					 slice_of(rules[i].pattern), folders[i], &office.e));
	}
	return 0;
}

/* Line ends taken out, what folds made a blank, outer blanks off. */
static void add_unfolded(struct buf *out, struct slice body)
{
	struct buf plain = {0};
	for (size_t i = 0; i < body.len; i++) {
		if (body.at[i] == '\r' || body.at[i] == '\n')
			continue;
		buf_add_char(&plain, i > 0 && body.at[i - 1] == '\n' ? ' ' : body.at[i]);
	}
	buf_add_slice(out, slice_trim(buf_slice(&plain)));
	buf_free(&plain);
}

static void look_at_body(struct slice body, const struct buf *decoded)
{
	struct buf plain = {0};
	/* Of an octet of ISO-8859-1 come two at most. */
	assert(decoded->len <= 2 * body.len);
	add_unfolded(&plain, body);
	if (plain.len == 0 || !memmem(plain.at, plain.len, "=?", 2))
		assert(slice_equal(buf_slice(&plain), buf_slice(decoded)));
	buf_free(&plain);
}

/* Lowers *first to the first rule that this field fits. */
static void try_rules(const struct header_field *field, struct buf *decoded, size_t *first)
{
	text_fold(decoded->at, decoded->len);
	for (size_t i = 0; i < *first; i++)
		if (slice_equal_nocase(field->name, slice_of(rules[i].header)) &&
			strstr(buf_text(decoded), rules[i].pattern))
			*first = i;
}

static size_t walk(struct slice header, bool *has_nul)
{
	struct slice rest = header;
	struct header_field field, found;
	size_t first = RULES;
	for (const char *at = header.at; header_next(&rest, &field); at = rest.at) {
		struct buf decoded = {0};
		assert(field.name.at >= at && field.name.len > 0);
		assert(field.body.at > field.name.at + field.name.len - 1);
		assert(field.body.at + field.body.len <= rest.at);
		assert(rest.at > at && rest.at + rest.len == header.at + header.len);
		for (size_t i = 0; i < field.name.len; i++)
			assert(field.name.at[i] > ' ' && field.name.at[i] <= '~' &&
				field.name.at[i] != ':');
		header_add_decoded(&decoded, field.body);
		look_at_body(field.body, &decoded);
		*has_nul = *has_nul || (decoded.len > 0 && memchr(decoded.at, 0, decoded.len));
		try_rules(&field, &decoded, &first);
		buf_free(&decoded);
		char *name = must_alloc(field.name.len + 1);
		memcpy(name, field.name.at, field.name.len);
		assert(header_find(header, name, &found) && found.name.at <= field.name.at);
		free(name);
	}
	return first;
}

static bool is_bare(struct slice author)
{
	for (size_t i = 0; i < author.len; i++)
		if (!syntax_is_atext(author.at[i]) && author.at[i] != '.')
			return false;
	return true;
}

static void look_at_authors(struct slice header)
{
	struct buf before = {0}, whole = {0}, after = {0}, wanted = {0};
	bool bare = false;
	bool readable = header_authors(header, &before);
	bool done = header_qualify_authors(&whole, header, SLICE("x.example"));
	for (struct slice rest = buf_slice(&before); readable && rest.len > 0;) {
		struct slice author = slice_cut(&rest, '\n');
		bare |= is_bare(author);
		buf_add_slice(&wanted, author);
		buf_add_text(&wanted, is_bare(author) ? "@x.example\n" : "\n");
	}
	assert(!readable || done == bare);
	if (readable && done)
		assert(header_authors(buf_slice(&whole), &after) &&
			slice_equal(buf_slice(&after), buf_slice(&wanted)));
	buf_free(&before);
	buf_free(&whole);
	buf_free(&after);
	buf_free(&wanted);
}

/* What it begins with are fields, and as a list of addresses it is read or not. */
static void look_at_beginning(struct slice text)
{
	struct buf addresses = {0};
	struct header_field field;
	size_t length = header_length(text);
	assert(length <= text.len);
	struct slice fields = {text.at, length}, first = text;
	assert(header_next(&fields, &field) == (length > 0));
	if (length > 0)
		assert(field.name.at < text.at + length && header_next(&first, &field) &&
			field.name.at < text.at + length);
	header_add_addresses(&addresses, text);
	assert(addresses.len <= 2 * text.len + 1);
	buf_free(&addresses);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice header = fuzz_input(data, size);
	bool has_nul = false;
	int64_t folder = 0;
	size_t first = walk(header, &has_nul);
	look_at_authors(header);
	look_at_beginning(header);
	int found = rules_match(office.store, ani, header, &folder, &office.e);
	assert(found >= 0);
	if (!has_nul) /* the model looks no further than one */
		assert(found == (first < RULES) && (!found || folder == folders[first]));
	return 0;
}
