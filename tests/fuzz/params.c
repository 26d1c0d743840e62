/* What stands behind the path of MAIL and RCPT: what is taken is what a second
 * reader, word by word, takes, and holds no octet but printable ASCII (and tabs
 * at its ends). Strangers can say nothing that staff could not.
 *
 * Input: the text behind ">". */
#include "smtpd/params.h"
#include "tests/fuzz/fuzz.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Digits as a number that stays at its most. */
static uint64_t number_of(struct slice digits)
{
	unsigned __int128 number = 0;
	for (size_t i = 0; i < digits.len; i++)
		number = number * 10 + (unsigned)(digits.at[i] - '0');
	return number > UINT64_MAX ? UINT64_MAX : (uint64_t)number;
}

static bool is_digits(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isdigit((unsigned char)text.at[i]))
			return false;
	return text.len > 0;
}

/* Of xtext (RFC 3461, 4); nothing but printable ASCII comes of it. */
static bool is_xtext(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned code = (unsigned char)text.at[i];
		if (code <= 32 || code > 126 || code == '=')
			return false;
		if (code != '+')
			continue;
		char hex[3] = {0};
		memcpy(hex, text.at + i + 1, text.len - i > 2 ? 2 : 0);
		if (strspn(hex, "0123456789ABCDEF") != 2)
			return false;
		code = (unsigned)strtoul(hex, NULL, 16);
		if (code < 32 || code > 126)
			return false;
		i += 2;
	}
	return text.len > 0;
}

static bool is_notify(struct slice value, unsigned *notify)
{
	*notify = NOTIFY_NEVER;
	if (slice_equal_nocase(value, SLICE("NEVER")))
		return true;
	*notify = 0;
	while (value.len > 0) {
		struct slice word = {value.at, slice_find(value, ',')};
		*notify |= slice_equal_nocase(word, SLICE("SUCCESS"))   ? NOTIFY_SUCCESS
			   : slice_equal_nocase(word, SLICE("FAILURE")) ? NOTIFY_FAILURE
			   : slice_equal_nocase(word, SLICE("DELAY"))   ? NOTIFY_DELAY
									: 128;
		if (word.len + 1 == value.len)
			return false;
		value = slice_from(value, word.len + 1);
	}
	return *notify > 0 && *notify < 128;
}

static bool is_orcpt(struct slice value)
{
	size_t end = slice_find(value, ';');
	for (size_t i = 0; i < end; i++)
		if (!isalnum((unsigned char)value.at[i]) &&
			(!value.at[i] || !strchr("!#$%&'*+-/?^_`{|}~", value.at[i])))
			return false;
	return end > 0 && value.len <= 500 && is_xtext(slice_from(value, end + 1));
}

/* The word's value, where it says `keyword`. */
static bool says(struct slice word, const char *keyword, struct slice *value)
{
	size_t len = strlen(keyword);
	*value = slice_from(word, len);
	return word.len >= len && strncasecmp(word.at, keyword, len) == 0;
}

/* A whole line of known words, each once, as RFC 1870, 6152 and 3461 write them. */
static bool is_good(
	struct slice text, enum params_command command, bool staff, struct params *expected)
{
	bool of_mail = command == PARAMS_MAIL;
	bool has_size = false, has_body = false;
	*expected = (struct params){0};
	if (text.len > 0 && text.at[0] != ' ' && text.at[0] != '\t')
		return false;
	text = slice_trim(text);
	while (text.len > 0) {
		struct slice word = slice_cut(&text, ' ');
		text = slice_trim(text);
		struct slice value;
		if (of_mail && says(word, "SIZE=", &value) && !has_size && value.len <= 20 &&
			is_digits(value)) {
			has_size = true;
			expected->size = number_of(value);
		} else if (of_mail && says(word, "BODY=", &value) && !has_body &&
			   (slice_equal_nocase(value, SLICE("7BIT")) ||
				   slice_equal_nocase(value, SLICE("8BITMIME")))) {
			has_body = true;
		} else if (!staff) {
			return false;
		} else if (of_mail && says(word, "RET=", &value) && !expected->ret) {
			expected->ret = slice_equal_nocase(value, SLICE("FULL"))   ? RETURN_FULL
					: slice_equal_nocase(value, SLICE("HDRS")) ? RETURN_HEADERS
										   : RETURN_DEFAULT;
			if (!expected->ret)
				return false;
		} else if (of_mail && says(word, "ENVID=", &value) && !expected->envid.at &&
			   value.len <= 100 && is_xtext(value)) {
			expected->envid = value;
		} else if (!of_mail && says(word, "NOTIFY=", &value) && !expected->notify) {
			if (!is_notify(value, &expected->notify))
				return false;
		} else if (!of_mail && says(word, "ORCPT=", &value) && !expected->orcpt.at &&
			   is_orcpt(value)) {
			expected->orcpt = value;
		} else {
			return false;
		}
	}
	return true;
}

static bool read_params(struct slice text, enum params_command command, bool staff)
{
	struct params params, expected;
	bool good = params_read(text, command, staff, &params) == PARAMS_GOOD;
	assert(good == is_good(text, command, staff, &expected));
	for (size_t i = 0; good && i < text.len; i++)
		assert((text.at[i] >= ' ' && text.at[i] <= '~') || text.at[i] == '\t');
	if (!good)
		return false;
	assert(params.size == expected.size && params.ret == expected.ret &&
		params.notify == expected.notify);
	assert(slice_equal(params.envid, expected.envid));
	assert(slice_equal(params.orcpt, expected.orcpt));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_input(data, size);
	for (enum params_command command = PARAMS_MAIL; command <= PARAMS_RCPT; command++) {
		bool strangers = read_params(text, command, false);
		bool staffs = read_params(text, command, true);
		assert(staffs || !strangers);
	}
	return 0;
}
