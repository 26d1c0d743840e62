/* The macros are those that sendmail and Postfix send, which rspamd, opendkim, clamav-milter
 * and spamass-milter look for; all of them with each step that they belong to, whatever was
 * asked for. */
#include "smtpd/filter_talk.h"
#include "base/text.h"
#include "smtpd/session.h"
#include <assert.h>
#include <string.h>

#define LINE_MOST 400 /* octets of a milter's words on one line */

static void add(struct buf *out, const char *name, struct slice value)
{
	buf_add_text(out, name);
	buf_add_char(out, '\0');
	buf_add_slice(out, value);
	buf_add_char(out, '\0');
}

static void add_text(struct buf *out, const char *name, const char *value)
{
	add(out, name, slice_of(value));
}

static struct slice domain_of(struct slice address)
{
	slice_cut(&address, '@');
	return address;
}

/* Programs of this box, and what comes by a unix socket, are the box's own address. */
static const char *address_of(const struct session *session)
{
	const char *peer = session->visitor->peer;
	return strncmp(peer, "unix", 4) == 0 ? "127.0.0.1" : peer;
}

static const char *name_of(const struct session *session)
{
	return strcmp(address_of(session), "127.0.0.1") == 0 ? "localhost" : "unknown";
}

void filter_put_connection(const struct session *session, struct buf *macros, struct buf *body)
{
	struct buf who = {0};
	const char *address = address_of(session);
	static const char no_port[2] = {0};
	buf_printf(&who, "%s [%s]", name_of(session), address);
	add_text(macros, "j", session->visitor->config->hostname);
	add_text(macros, "{daemon_name}", session->visitor->service);
	add_text(macros, "v", "officemail");
	add(macros, "_", buf_slice(&who));
	add_text(macros, "{client_addr}", address);
	add_text(macros, "{client_name}", name_of(session));
	buf_add_text(body, name_of(session));
	buf_add_char(body, '\0');
	buf_add_char(body, strchr(address, ':') ? '6' : '4');
	buf_add(body, no_port, sizeof(no_port));
	buf_add_text(body, address);
	buf_add_char(body, '\0');
	buf_free(&who);
}

void filter_put_hello(const struct session *session, struct buf *macros, struct buf *body)
{
	if (session->visitor->conn.tls) {
		add_text(macros, "{tls_version}", "TLSv1.2"); /* no other is taken here */
		add_text(macros, "{cipher}", tls_suite(session->visitor->conn.tls));
	}
	text_add_escaped(body, buf_slice(&session->client));
	buf_add_char(body, '\0');
}

void filter_put_id(const struct session *session, struct buf *macros)
{
	add_text(macros, "i", session->queue_id);
}

void filter_put_sender(const struct session *session, struct buf *macros, struct buf *body)
{
	filter_put_id(session, macros);
	add_text(macros, "{mail_mailer}", "smtp");
	add_text(macros, "{mail_addr}", session->sender);
	add(macros, "{mail_host}", domain_of(slice_of(session->sender)));
	if (session_is_logged_in(session)) {
		add_text(macros, "{auth_type}", "PLAIN");
		add_text(macros, "{auth_authen}", session->login.user);
	}
	buf_printf(body, "<%s>", session->sender);
	buf_add_char(body, '\0');
	if (session->declared_size > 0) {
		buf_printf(body, "SIZE=%llu", (unsigned long long)session->declared_size);
		buf_add_char(body, '\0');
	}
}

void filter_put_recipient(
	const struct session *session, struct slice address, struct buf *macros, struct buf *body)
{
	struct slice domain = domain_of(address);
	filter_put_id(session, macros);
	add_text(macros, "{rcpt_mailer}",
		config_has_domain(session->visitor->config, domain) ? "local" : "smtp");
	add(macros, "{rcpt_addr}", address);
	add(macros, "{rcpt_host}", domain);
	buf_add_char(body, '<');
	buf_add_slice(body, address);
	buf_add_text(body, ">");
	buf_add_char(body, '\0');
}

/* ---- words ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Cuts "550 " or "550-" off. */
static bool take_code(struct slice *line, char code[4])
{
	if (line->len < 3 || (line->at[0] != '4' && line->at[0] != '5') || line->at[1] > '5' ||
		!is_digit(line->at[1]) || !is_digit(line->at[2]))
		return false;
	if (line->len > 3 && line->at[3] != ' ' && line->at[3] != '-')
		return false;
	memcpy(code, line->at, 3);
	code[3] = '\0';
	*line = slice_from(*line, 4);
	if (strcmp(code, "421") == 0)
		memcpy(code, "451", 3);
	return true;
}

/* "5.7.1 ", of the class that the code is of. */
static bool has_status(struct slice line, char class)
{
	size_t dots = 0, i = 0;
	for (; i < line.len && (is_digit(line.at[i]) || line.at[i] == '.'); i++)
		dots += line.at[i] == '.';
	return i >= 5 && i <= 9 && dots == 2 && line.at[0] == class && line.at[1] == '.' &&
	       line.at[2] != '.' && line.at[i - 1] != '.' && i < line.len && line.at[i] == ' ';
}

/* libmilter has its clients write "%%" for "%". */
static void add_words(struct buf *out, struct slice words)
{
	size_t start = out->len;
	for (size_t i = 0; i < words.len && out->len - start < LINE_MOST; i++) {
		text_add_escaped(out, (struct slice){words.at + i, 1});
		if (words.at[i] == '%' && i + 1 < words.len && words.at[i + 1] == '%')
			i++;
	}
}

void filter_read_words(struct buf *out, struct slice words)
{
	char code[4], first[4] = "";
	size_t start = out->len, last = start;
	for (size_t n = 0; words.len > 0; n++) {
		struct slice line = slice_cut(&words, '\n');
		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		if (n == FILTER_WORDS_LINES || !take_code(&line, code) ||
			(n > 0 && strcmp(code, first) != 0)) {
			out->len = start;
			return;
		}
		memcpy(first, code, sizeof(first));
		last = out->len;
		buf_printf(out, "%s-", code);
		if (!has_status(line, code[0]))
			buf_printf(out, "%c.7.1 ", code[0]);
		add_words(out, line);
		buf_add_text(out, "\r\n");
	}
	if (out->len > start)
		out->at[last + 3] = ' ';
}

void filter_understand(struct filter_said *said, struct slice lines)
{
	*said = (struct filter_said){0};
	while (lines.len > 0) {
		struct slice line = slice_cut(&lines, '\r');
		lines = slice_from(lines, 1);
		struct slice words = slice_from(line, 4), status = slice_cut(&words, ' ');
		assert(line.len > 4 && status.len < sizeof(said->status));
		if (said->code == 0) {
			said->code = (unsigned)((line.at[0] - '0') * 100 + (line.at[1] - '0') * 10 +
						(line.at[2] - '0'));
			memcpy(said->status, status.at, status.len);
		}
		if (said->sentence.len > 0)
			buf_add_char(&said->sentence, ' ');
		buf_add_slice(&said->sentence, words);
	}
}
