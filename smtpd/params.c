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

static const struct {
	const char *keyword;
	enum params_command command;
	bool (*take)(struct slice value, struct params *params);
	const char *announced;
} rows[] = {
	{"SIZE", PARAMS_MAIL, take_size, PARAMS_SIZE_WORD},
	{"BODY", PARAMS_MAIL, take_body, "8BITMIME"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

const char *params_announced(size_t n)
{
	return n < ROWS ? rows[n].announced : NULL;
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

enum params_fault params_read(struct slice text, enum params_command command, struct params *params)
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
		size_t row = 0;
		while (row < ROWS &&
			!(rows[row].command == command &&
				slice_equal_nocase(keyword, slice_of(rows[row].keyword))))
			row++;
		if (row == ROWS)
			return PARAMS_UNKNOWN;
		if ((seen & 1u << row) || !rows[row].take(value, params))
			return PARAMS_MALFORMED;
		seen |= 1u << row;
	}
	return PARAMS_GOOD;
}
