/* An answer is believed only as far as it is one: a server that breaks the form
 * once cannot be followed any more, for the next "250" may belong to anything. */
#include "smtpd/answer.h"
#include "base/text.h"
#include <string.h>

void answer_start(struct answer *answer)
{
	*answer = (struct answer){0};
}

/* Without half an escape at its end. */
static void add_text(char *text, size_t size, struct slice octets)
{
	size_t len = strlen(text);
	struct buf escaped = {0};
	for (; octets.len > 0; octets = slice_from(octets, 1)) {
		buf_clear(&escaped);
		text_add_escaped(&escaped, (struct slice){octets.at, 1});
		if (len + escaped.len >= size)
			break;
		memcpy(text + len, escaped.at, escaped.len);
		len += escaped.len;
	}
	text[len] = '\0';
	buf_free(&escaped);
}

void answer_set_text(char *text, size_t size, struct slice octets)
{
	text[0] = '\0';
	add_text(text, size, octets);
}

/* 0: that is none. */
static unsigned read_code(struct slice digits)
{
	uint64_t code;
	bool is_code =
		digits.len == 3 && text_to_number(digits, 3, &code) && code >= 200 && code < 600;
	return is_code ? (unsigned)code : 0;
}

static bool is_part_of_status(struct slice digits)
{
	uint64_t number;
	return text_to_number(digits, 3, &number);
}

/* The enhanced code that `words` begin with, of the class of `code`, or nothing. */
static struct slice find_status(struct slice words, unsigned code)
{
	struct slice rest = words, status = slice_cut(&rest, ' ');
	struct slice detail = status;
	struct slice class = slice_cut(&detail, '.'), subject = slice_cut(&detail, '.');
	bool fits = class.len == 1 && (unsigned)(class.at[0] - '0') == code / 100 &&
		    is_part_of_status(subject) && is_part_of_status(detail);
	return fits ? status : SLICE("");
}

static void take_words(struct answer *answer, struct slice words)
{
	struct slice status = find_status(words, answer->code);
	if (status.len > 0 && answer->status[0] == '\0') {
		memcpy(answer->status, status.at, status.len);
		answer->status[status.len] = '\0';
	} else if (slice_equal(status, slice_of(answer->status))) {
		words = slice_from(words, status.len);
	}
	words = slice_trim(words);
	if (words.len > 0) {
		add_text(answer->text, sizeof(answer->text), SLICE(" "));
		add_text(answer->text, sizeof(answer->text), words);
	}
}

enum answer_taken answer_take(struct answer *answer, struct slice line)
{
	struct slice digits = {line.at, line.len < 3 ? line.len : 3};
	struct slice rest = slice_from(line, 3);
	unsigned code = read_code(digits);
	bool goes_on = rest.len > 0 && rest.at[0] == '-';
	if (code == 0 || line.len > ANSWER_LINE_MOST || ++answer->lines > ANSWER_LINES_MOST)
		return ANSWER_SENSELESS;
	if (rest.len > 0 && rest.at[0] != ' ' && !goes_on)
		return ANSWER_SENSELESS;
	if (answer->lines > 1 && code != answer->code)
		return ANSWER_SENSELESS;
	if (answer->lines == 1) {
		answer->code = code;
		answer_set_text(answer->text, sizeof(answer->text), digits);
	}
	take_words(answer, slice_from(rest, 1));
	return goes_on ? ANSWER_GOES_ON : ANSWER_WHOLE;
}
