/* A parameter is a row of one table; EHLO announces the same rows. */
#include "smtpd/params.h"
#include "base/syntax.h"
#include "base/text.h"

/* size-value of RFC 1870 has 20 digits at most. A number past 2^64 is still a
 * number, of a message that is too big. */
static bool take_size(struct slice value, struct params *params)
{
	return value.len <= 20 && text_to_any_number(value, &params->size);
}

/* Eight bits pass unchanged either way; BINARYMIME is not announced. */
static bool take_body(struct slice value, struct params *params)
{
	(void)params;
	return slice_equal_nocase(value, SLICE("8BITMIME")) ||
	       slice_equal_nocase(value, SLICE("7BIT"));
}

static bool take_ret(struct slice value, struct params *params)
{
	params->ret = slice_equal_nocase(value, SLICE("FULL")) ? RETURN_FULL : RETURN_HEADERS;
	return params->ret == RETURN_FULL || slice_equal_nocase(value, SLICE("HDRS"));
}

/* It will stand in the header of a report, decoded. */
static bool is_xtext(struct slice text)
{
	struct buf decoded = {0};
	bool good = text.len > 0 && text_from_xtext(text, &decoded) &&
		    text_is_printable(buf_slice(&decoded));
	buf_free(&decoded);
	return good;
}

static bool take_envid(struct slice value, struct params *params)
{
	params->envid = value;
	return value.len < ENVID_MAX && is_xtext(value);
}

static bool take_notify(struct slice value, struct params *params)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {
		{"SUCCESS", NOTIFY_SUCCESS}, {"FAILURE", NOTIFY_FAILURE}, {"DELAY", NOTIFY_DELAY}};
	if (slice_equal_nocase(value, SLICE("NEVER"))) { /* stands alone */
		params->notify = NOTIFY_NEVER;
		return true;
	}
	for (bool more = true; more;) {
		unsigned bit = 0;
		more = slice_find(value, ',') < value.len;
		struct slice word = slice_cut(&value, ',');
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (slice_equal_nocase(word, slice_of(words[i].word)))
				bit = words[i].bit;
		if (bit == 0)
			return false;
		params->notify |= bit;
	}
	return true;
}

/* The type of an address is an atom; no value holds a "=". */
static bool take_orcpt(struct slice value, struct params *params)
{
	struct slice address = value;
	struct slice type = slice_cut(&address, ';');
	params->orcpt = value;
	for (size_t i = 0; i < type.len; i++)
		if (!syntax_is_atext(type.at[i]) || type.at[i] == '=')
			return false;
	return value.len < ORCPT_MAX && type.len > 0 && is_xtext(address);
}

/* What staff alone may say asks for reports: a stranger gets none. */
static const struct {
	const char *keyword;
	enum params_command command;
	bool staff;
	bool (*take)(struct slice value, struct params *params);
	const char *announced; /* NULL: by another row */
} rows[] = {
	{"SIZE", PARAMS_MAIL, false, take_size, PARAMS_SIZE_WORD},
	{"BODY", PARAMS_MAIL, false, take_body, "8BITMIME"},
	{"RET", PARAMS_MAIL, true, take_ret, "DSN"},
	{"ENVID", PARAMS_MAIL, true, take_envid, NULL},
	{"NOTIFY", PARAMS_RCPT, true, take_notify, NULL},
	{"ORCPT", PARAMS_RCPT, true, take_orcpt, NULL},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

const char *params_announced(size_t n, bool staff)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].announced && (staff || !rows[i].staff) && n-- == 0)
			return rows[i].announced;
	return NULL;
}

static bool is_keyword(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		bool hyphen = text.at[i] == '-' && i > 0;
		if (!syntax_is_letter_or_digit(text.at[i]) && !hyphen)
			return false;
	}
	return text.len > 0;
}

static size_t find_row(struct slice keyword, enum params_command command, bool staff)
{
	size_t row = 0;
	while (row < ROWS && !(rows[row].command == command && (staff || !rows[row].staff) &&
				     slice_equal_nocase(keyword, slice_of(rows[row].keyword))))
		row++;
	return row;
}

enum params_fault params_read(
	struct slice text, enum params_command command, bool staff, struct params *params)
{
	*params = (struct params){0};
	unsigned seen = 0; /* bits of rows */
	if (text.len > 0 && text.at[0] != ' ' && text.at[0] != '\t')
		return PARAMS_MALFORMED;
	for (text = slice_trim(text); text.len > 0; text = slice_trim(text)) {
		struct slice value = slice_cut(&text, ' ');
		struct slice keyword = slice_cut(&value, '=');
		if (!is_keyword(keyword) || !text_is_printable(value))
			return PARAMS_MALFORMED;
		size_t row = find_row(keyword, command, staff);
		if (row == ROWS)
			return PARAMS_UNKNOWN;
		if ((seen & 1u << row) || !rows[row].take(value, params))
			return PARAMS_MALFORMED;
		seen |= 1u << row;
	}
	return PARAMS_GOOD;
}
