/* What stands behind the path of MAIL and RCPT: what is taken is what a second
 * reader, word by word, takes, and holds no octet but printable ASCII (and tabs
 * at its ends).
 *
 * Input: the text behind ">". */
#include "smtpd/params.h"
#include "tests/fuzz/fuzz.h"
#include <ctype.h>
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

/* A whole line of known words, each once, as RFC 1870 and 6152 write them. */
static bool is_good(struct slice text, enum params_command command, uint64_t *size)
{
	bool has_size = false, has_body = false;
	*size = 0;
	if (text.len > 0 && text.at[0] != ' ' && text.at[0] != '\t')
		return false;
	text = slice_trim(text);
	while (text.len > 0) {
		struct slice word = slice_cut(&text, ' ');
		text = slice_trim(text);
		struct slice value = slice_from(word, 5);
		if (command != PARAMS_MAIL || word.len < 5)
			return false;
		if (strncasecmp(word.at, "SIZE=", 5) == 0 && !has_size && value.len <= 20 &&
			is_digits(value)) {
			has_size = true;
			*size = number_of(value);
		} else if (strncasecmp(word.at, "BODY=", 5) == 0 && !has_body &&
			   (slice_equal_nocase(value, SLICE("7BIT")) ||
				   slice_equal_nocase(value, SLICE("8BITMIME")))) {
			has_body = true;
		} else {
			return false;
		}
	}
	return true;
}

static void read_params(struct slice text, enum params_command command)
{
	struct params params;
	uint64_t size;
	bool good = params_read(text, command, &params) == PARAMS_GOOD;
	assert(good == is_good(text, command, &size));
	for (size_t i = 0; good && i < text.len; i++)
		assert((text.at[i] >= ' ' && text.at[i] <= '~') || text.at[i] == '\t');
	if (good)
		assert(params.size == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_input(data, size);
	read_params(text, PARAMS_MAIL);
	read_params(text, PARAMS_RCPT);
	return 0;
}
