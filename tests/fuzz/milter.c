/* A conversation with a milter, all of whose octets are the fuzzer's: whatever it says, each
 * question is answered or the conversation over; the header that it makes is one of whole
 * fields, read back as those that were written, with every line end a CRLF; its words become
 * a reply of well-formed lines, or nothing.
 *
 * Input: an octet of flags (1: values have their blanks, 2: the message's end comes at
 * once), and the octets of the milter. */
#include "smtpd/milter.h"
#include "base/text.h"
#include "smtpd/fields.h"
#include "smtpd/filter_talk.h"
#include "tests/fuzz/fuzz.h"
#include <fcntl.h>
#include <sys/socket.h>

#define INPUT_MOST 60000 /* what a socket holds for sure */

static const char header[] = "From: a@b.example\r\nSubject: x\r\n y\r\nX-Spam: Yes\r\n\r\n";
static struct fields fields;
static bool blanks;

static void check_header(void)
{
	struct buf text = {0};
	struct fields again = {0};
	fields_add_text(&fields, &text);
	assert(fields_length(&fields) == text.len);
	assert(fields_read(&again, buf_slice(&text)) == text.len);
	assert(again.count == fields.count);
	for (size_t i = 0; i < again.count; i++)
		assert(again.at[i].len == fields.at[i].len &&
			again.at[i].name == fields.at[i].name);
	for (size_t i = 0; i < text.len; i++)
		assert((text.at[i] == '\r') == (i + 1 < text.len && text.at[i + 1] == '\n'));
	fields_free(&again);
	buf_free(&text);
}

static int change(void *arg, const struct milter_says *says, struct err *e)
{
	bool done = true;
	assert(arg == &fields);
	assert(slice_find(says->name, '\0') == says->name.len);
	if (says->change == MILTER_ADD_HEADER)
		done = fields_insert(&fields, INT32_MAX, says->name, says->value, blanks);
	else if (says->change == MILTER_INSERT_HEADER)
		done = fields_insert(&fields, says->index, says->name, says->value, blanks);
	else if (says->change == MILTER_CHANGE_HEADER)
		done = fields_change(&fields, says->index, says->name, says->value, blanks);
	return done ? 0 : err_set(e, ERR_GONE, "no name");
}

static void check_words(struct slice words)
{
	struct buf reply = {0};
	filter_read_words(&reply, words);
	struct slice rest = buf_slice(&reply);
	while (rest.len > 0) {
		struct slice line = slice_cut(&rest, '\n');
		assert(line.len > 10 && line.at[line.len - 1] == '\r');
		line.len--;
		assert(line.len < 512 && text_is_printable(line));
		assert((line.at[0] == '4' || line.at[0] == '5') && line.at[4] == line.at[0]);
		assert(line.at[3] == (rest.len > 0 ? '-' : ' ') && line.at[5] == '.');
	}
	buf_free(&reply);
}

static int ask(struct milter *milter, enum milter_command command, struct slice body)
{
	enum milter_verdict verdict = MILTER_SKIP + 1;
	struct buf words = {0};
	struct err e = {.kind = ERR_NONE};
	bool wanted = milter_wants(milter, command);
	int done = milter_ask(milter, command, body, text_monotonic_ms() + 10000, &verdict, &words,
		change, &fields, &e);
	assert(verdict <= MILTER_SKIP);
	assert((milter->fd < 0) == (done < 0) || !wanted);
	assert(done == 0 || (e.kind == ERR_GONE && text_is_printable(slice_of(e.text))));
	assert(wanted || verdict == MILTER_CONTINUE);
	assert(words.len == 0 || verdict == MILTER_REJECT || verdict == MILTER_TEMPFAIL ||
		done < 0);
	check_words(buf_slice(&words));
	check_header();
	buf_free(&words);
	return done;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum milter_command commands[] = {MILTER_CONNECT, MILTER_HELO, MILTER_MAIL,
		MILTER_RCPT, MILTER_RCPT, MILTER_DATA, MILTER_HEADER, MILTER_END_OF_HEADER,
		MILTER_BODY, MILTER_END, MILTER_MAIL, MILTER_RCPT, MILTER_END};
	struct slice in = fuzz_input(data, size < INPUT_MOST ? size : INPUT_MOST);
	unsigned flags = fuzz_octet(&in);
	struct milter milter;
	struct err e;
	int fds[2];
	blanks = flags & 1;
	fields_read(&fields, SLICE(header));
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	assert(send(fds[1], in.at, in.len, 0) == (ssize_t)in.len);
	shutdown(fds[1], SHUT_WR);
	int done = milter_open(&milter, fds[0], text_monotonic_ms() + 10000, &e);
	assert((milter.fd < 0) == (done < 0));
	for (size_t i = flags & 2 ? 9 : 0; done == 0 && i < sizeof(commands) / sizeof(commands[0]);
		i++) {
		milter_tell(&milter, commands[i], SLICE("j\0mail.kantor.example\0"));
		done = ask(&milter, commands[i], SLICE("octets\0"));
	}
	milter_say(&milter, MILTER_ABORT);
	milter_close(&milter);
	close(fds[1]);
	check_words(in);
	fields_free(&fields);
	return 0;
}
