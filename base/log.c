/* The log. Its invariant: no process of ours ever waits for whoever reads it,
 * and nothing a stranger sent can end a line or begin one. */
#include "base/log.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_OCTETS  4096 /* no more than PIPE_BUF: a pipe takes it whole or not at all */
#define VALUE_MAX_OCTETS 1000 /* what a stranger says must not hide what comes behind it */

#define AGAIN_MS 60000

static bool with_priority, is_socket;
static bool never_blocks; /* a file, or ours and told not to */

/* Lines nobody took since the last one that was. Most are lost by sessions,
 * which are gone before the log takes lines again: all processes count in one
 * place. */
static atomic_long lost_here;
static atomic_long *lost = &lost_here;

void log_open(void)
{
	struct stat what;
	const char *journal = getenv("JOURNAL_STREAM");
	with_priority = journal && *journal;
	if (lost == &lost_here) {
		void *shared = mmap(NULL, sizeof(*lost), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (shared != MAP_FAILED)
			lost = shared;
	}
	if (fstat(STDERR_FILENO, &what) != 0)
		return;
	is_socket = S_ISSOCK(what.st_mode);
	never_blocks = S_ISREG(what.st_mode);
	if (!S_ISFIFO(what.st_mode) && !S_ISCHR(what.st_mode))
		return;
	/* O_NONBLOCK belongs to the open file, which the shell and others share:
	 * stderr becomes one of our own on the same pipe or terminal. */
	int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own >= 0) {
		never_blocks = dup2(own, STDERR_FILENO) == STDERR_FILENO;
		close(own);
	}
}

struct log_value log_text(const char *key, const char *text)
{
	return (struct log_value){.key = key, .type = LOG_TEXT, .text = text};
}

struct log_value log_slice(const char *key, struct slice text)
{
	return (struct log_value){.key = key, .type = LOG_SLICE, .slice = text};
}

struct log_value log_if(const char *key, const char *text)
{
	return log_text(*text ? key : NULL, text);
}

struct log_value log_number(const char *key, int64_t number)
{
	return (struct log_value){.key = key, .type = LOG_NUMBER, .number = number};
}

struct log_value log_sentence(const char *key, const char *sentence)
{
	return (struct log_value){.key = key, .type = LOG_SENTENCE, .text = sentence};
}

struct log_value log_reason(const char *sentence)
{
	return log_sentence("reason", sentence);
}

/* Escapes what text_add_escaped() escapes, the backslash, the quote, and
 * outside quotes the blank. What is too long is cut, and ends in three dots. */
static void add_value(struct buf *line, struct slice value, bool quoted)
{
	size_t start = line->len;
	for (size_t i = 0; i < value.len; i++) {
		char octet = value.at[i];
		if (line->len - start > VALUE_MAX_OCTETS) {
			buf_add_text(line, "...");
			break;
		}
		if (octet == '\\' || octet == '"' || (octet == ' ' && !quoted))
			buf_printf(line, "\\x%02x", (unsigned char)octet);
		else
			text_add_escaped(line, (struct slice){value.at + i, 1});
	}
}

/* True if the line was taken. flows: every one was up to now, and that there is room
 * does not have to be asked; it is, else, or what was lost would be told in all the
 * corners that are too small for a line. */
static bool put(const struct buf *line, bool flows)
{
	ssize_t put;
	if (is_socket) {
		struct iovec all = {line->at, line->len};
		struct msghdr message = {.msg_iov = &all, .msg_iovlen = 1};
		put = sendmsg(STDERR_FILENO, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
		if (!(never_blocks && flows) && (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT)))
			return false;
		put = write(STDERR_FILENO, line->at, line->len);
	}
	return put >= 0;
}

static void begin(struct buf *line, enum log_level level, const char *event)
{
	if (with_priority)
		buf_printf(line, "<%d>", (int)level);
	buf_add_text(line, event);
}

static void end(struct buf *line)
{
	buf_add_char(line, '\n');

	long untold = atomic_load(lost) > 0 ? atomic_exchange(lost, 0) : 0;
	bool taken = true;
	if (untold > 0) {
		struct buf notice = {0};
		begin(&notice, LOG_WARNING, "log-lost");
		buf_printf(&notice, " lines=%ld\n", untold);
		taken = put(&notice, false);
		buf_free(&notice);
	}
	if (!taken)
		atomic_fetch_add(lost, untold + 1);
	else if (!put(line, untold == 0))
		atomic_fetch_add(lost, 1);
	buf_free(line);
}

void log_values(
	enum log_level level, const char *event, const struct log_value *values, size_t count)
{
	int code = errno;
	struct buf line = {0};
	begin(&line, level, event);
	for (size_t i = 0; i < count; i++) {
		if (!values[i].key)
			continue;
		size_t before = line.len;
		buf_printf(&line, " %s=", values[i].key);
		switch (values[i].type) {
		case LOG_TEXT:
			add_value(&line, slice_of(values[i].text), false);
			break;
		case LOG_SLICE:
			add_value(&line, values[i].slice, false);
			break;
		case LOG_NUMBER:
			buf_printf(&line, "%lld", (long long)values[i].number);
			break;
		case LOG_SENTENCE:
			buf_add_char(&line, '"');
			add_value(&line, slice_of(values[i].text), true);
			buf_add_char(&line, '"');
			break;
		}
		if (line.len > LINE_MAX_OCTETS - 1) { /* whole, or not at all */
			line.len = before;
			break;
		}
	}
	end(&line);
	errno = code;
}

bool log_is_due(int64_t *told_ms)
{
	int64_t now = text_monotonic_ms();
	if (*told_ms != 0 && now - *told_ms < AGAIN_MS)
		return false;
	*told_ms = now;
	return true;
}

void log_failure(enum log_level level, const char *event, const struct err *e)
{
	log_event(level, event, log_reason(e->text));
}
