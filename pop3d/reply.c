/* The words of the server. Codes are for programs and kept to what RFC 2449
 * and RFC 3206 define: AUTH only for a wrong login, SYS/TEMP where waiting
 * helps, SYS/PERM where somebody has to do something. */
#include "pop3d/reply.h"
#include <stdarg.h>
#include <string.h>

struct words {
	const char *code; /* with brackets and a blank behind, or "" */
	const char *en, *id;
};

/* Kinds that have no row do not come to POP3; they would be ERR_IO's. */
static const struct words failures[] = {
	[ERR_INPUT] = {"[AUTH] ", "wrong user name or password",
		"nama pengguna atau kata sandi salah"},
	[ERR_MISSING] = {"[SYS/TEMP] ", "this message has been removed", "pesan ini sudah dihapus"},
	[ERR_DENIED] = {"[AUTH] ", "wrong user name or password",
		"nama pengguna atau kata sandi salah"},
	[ERR_LIMITED] = {"[SYS/TEMP] ", "too many wrong logins from your address; try again later",
		"terlalu banyak login salah dari alamat Anda; coba lagi nanti"},
	[ERR_IN_USE] = {"[IN-USE] ", "another program has this mailbox open; try again later",
		"kotak surat ini sedang dibuka program lain; coba lagi nanti"},
	[ERR_DAMAGED] = {"[SYS/PERM] ",
		"this message is damaged on the server's disk; tell the postmaster",
		"pesan ini rusak di disk server; hubungi postmaster"},
	[ERR_IO] = {"[SYS/TEMP] ", "the mail store does not answer; try again later",
		"penyimpanan surat tidak menjawab; coba lagi nanti"},
	[ERR_GONE] = {"[SYS/TEMP] ", "the server is being restarted; log in again",
		"server sedang dimulai ulang; silakan login lagi"},
};

static const struct words refusals[] = {
	[REFUSE_UNKNOWN_VERB] = {"", "no such command", "perintah tidak dikenal"},
	[REFUSE_LINE_TOO_LONG] = {"", "line too long", "baris terlalu panjang"},
	[REFUSE_BAD_OCTET] = {"", "there is a NUL or a bare CR in the line",
		"ada NUL atau CR di dalam baris"},
	[REFUSE_NOT_LOGGED_IN] = {"", "log in first", "silakan login dahulu"},
	[REFUSE_LOGGED_IN] = {"", "you have logged in already", "Anda sudah login"},
	[REFUSE_NEEDS_TLS] = {"[SYS/PERM] ",
		"no login without encryption: use port 995, or STLS on 110",
		"login harus terenkripsi: pakai port 995, atau STLS di port 110"},
	[REFUSE_HAS_TLS] = {"", "TLS is on already", "TLS sudah aktif"},
	[REFUSE_PLAINTEXT_BEHIND] = {"", "wait for the answer to STLS before sending more",
		"tunggu jawaban STLS sebelum mengirim lagi"},
	[REFUSE_USER_FIRST] = {"", "USER comes first", "USER dahulu"},
	[REFUSE_ARGUMENT] = {"", "wrong argument", "argumen salah"},
	[REFUSE_OTHER_PROTOCOL] = {"", "this is a POP3 server", "ini server POP3"},
	[REFUSE_TOO_MANY_FAULTS] = {"", "too many mistakes", "terlalu banyak kesalahan"},
	[REFUSE_TOO_SLOW] = {"[SYS/TEMP] ", "no login came in time",
		"tidak ada login pada waktunya"},
	[REFUSE_STOPPED] = {"[SYS/TEMP] ", "the server is being restarted; log in again",
		"server sedang dimulai ulang; silakan login lagi"},
	[REFUSE_MECHANISM] = {"", "no such mechanism; use PLAIN",
		"mekanisme tidak dikenal; pakai PLAIN"},
	[REFUSE_CANCELLED] = {"", "login cancelled", "login dibatalkan"},
	[REFUSE_MALFORMED] = {"", "that is no answer to the challenge",
		"jawaban tidak dapat dibaca"},
	[REFUSE_NO_SUCH_MESSAGE] = {"", "no such message", "tidak ada pesan itu"},
	[REFUSE_DELETED] = {"", "this message is marked as deleted",
		"pesan ini sudah ditandai hapus"},
	[REFUSE_NOT_REMOVED] = {"[SYS/TEMP] ", "nothing was deleted; try again later",
		"tidak ada yang dihapus; coba lagi nanti"},
	[REFUSE_TOO_OLD] = {"[SYS/TEMP] ", "this session is too old; log in again",
		"sesi ini terlalu lama; silakan login lagi"},
};

static void __attribute__((format(printf, 3, 0)))
say(struct session *session, const char *mark, const char *format, va_list arguments)
{
	char line[REPLY_MAX - 2];
	struct conn *conn = &session->visitor->conn;
	conn_write_text(conn, mark);
	vsnprintf(line, sizeof(line) - strlen("+OK "), format, arguments);
	conn_write_text(conn, line);
	conn_write(conn, SLICE("\r\n"));
}

void reply_ok(struct session *session, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	say(session, "+OK ", format, arguments);
	va_end(arguments);
}

void reply_line(struct session *session, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	say(session, "", format, arguments);
	va_end(arguments);
}

void reply_end(struct session *session)
{
	conn_write(&session->visitor->conn, SLICE(".\r\n"));
}

static void say_no(struct session *session, const struct words *words)
{
	struct conn *conn = &session->visitor->conn;
	conn_write(conn, SLICE("-ERR "));
	conn_write_text(conn, words->code);
	conn_write_text(
		conn, session->visitor->config->language == LANGUAGE_ID ? words->id : words->en);
	conn_write(conn, SLICE("\r\n"));
}

void reply_refuse(struct session *session, enum refusal refusal)
{
	say_no(session, &refusals[refusal]);
}

void reply_failure(struct session *session, enum err_kind kind)
{
	if (kind >= sizeof(failures) / sizeof(failures[0]) || !failures[kind].en)
		kind = ERR_IO;
	say_no(session, &failures[kind]);
}

static enum refusal refusal_of(const struct session *session, enum dialog_fault fault,
	const struct dialog_command *command)
{
	switch (fault) {
	case DIALOG_UNKNOWN_VERB:
		return REFUSE_UNKNOWN_VERB;
	case DIALOG_LINE_TOO_LONG:
		return REFUSE_LINE_TOO_LONG;
	case DIALOG_BAD_OCTET:
		return REFUSE_BAD_OCTET;
	case DIALOG_WRONG_STATE:
		return session->dialog.state == AUTHORIZATION ? REFUSE_NOT_LOGGED_IN
							      : REFUSE_LOGGED_IN;
	case DIALOG_LACKS:
		return command->needs & ~session->dialog.has & POP3_MAY_LOGIN ? REFUSE_NEEDS_TLS
									      : REFUSE_USER_FIRST;
	case DIALOG_FORBIDDEN:
		return REFUSE_HAS_TLS;
	case DIALOG_ARGUMENT:
		return REFUSE_ARGUMENT;
	case DIALOG_OTHER_PROTOCOL:
		return REFUSE_OTHER_PROTOCOL;
	case DIALOG_TOO_MANY_FAULTS:
		return REFUSE_TOO_MANY_FAULTS;
	case DIALOG_STOPPED:
		return REFUSE_STOPPED;
	case DIALOG_TIMEOUT:
		break;
	}
	return REFUSE_TOO_SLOW;
}

void reply_fault(void *arg, enum dialog_fault fault, const struct dialog_command *command)
{
	struct session *session = arg;
	/* RFC 1939, 3: the autologout says nothing. */
	if (fault == DIALOG_TIMEOUT && session->dialog.state == TRANSACTION)
		return;
	reply_refuse(session, refusal_of(session, fault, command));
}
