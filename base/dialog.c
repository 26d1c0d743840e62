/* The command loop: a line, its verb, the columns of its row, its handler.
 *
 * It goes on as long as there is input, even where nobody reads the answers
 * any more: a QUIT that has arrived is carried out. */
#include "base/dialog.h"

/* The one place that reads the columns of a row. */
static bool is_refused(
	const struct dialog *dialog, const struct dialog_command *command, enum dialog_fault *fault)
{
	if ((command->states >> dialog->state & 1) == 0)
		*fault = DIALOG_WRONG_STATE;
	else if ((command->needs & ~dialog->has) != 0)
		*fault = DIALOG_LACKS;
	else if ((command->forbids & dialog->has) != 0)
		*fault = DIALOG_FORBIDDEN;
	else
		return false;
	return true;
}

bool dialog_allows(const struct dialog *dialog, const struct dialog_command *command)
{
	enum dialog_fault fault;
	return !is_refused(dialog, command, &fault);
}

static void refuse(
	struct dialog *dialog, enum dialog_fault fault, const struct dialog_command *command)
{
	dialog->faults++;
	dialog->refuse(dialog->session, fault, command);
}

static const struct dialog_command *find(const struct dialog *dialog, struct slice verb)
{
	const struct dialog_command *command = dialog->commands;
	while (command->verb && !slice_equal_nocase(verb, slice_of(command->verb)))
		command++;
	return command->verb ? command : NULL;
}

/* Somebody's browser, made to speak to a mail server by the page it shows: its
 * later lines may be commands (RFC 3207 and 8314 know no client that begins
 * so). */
static bool is_other_protocol(struct slice verb)
{
	static const char *const words[] = {
		"GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "PRI", "HOST:"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_equal_nocase(verb, slice_of(words[i])))
			return true;
	return false;
}

/* A ClientHello on a port that begins in the clear has no line end to wait
 * for. */
static bool is_tls_hello(struct slice start)
{
	return slice_has_prefix(start, start.len > 1 ? SLICE("\x16\x03") : SLICE("\x16"));
}

static void take_line(struct dialog *dialog, struct slice line)
{
	if (slice_find(line, '\0') < line.len || slice_find(line, '\r') < line.len) {
		refuse(dialog, DIALOG_BAD_OCTET, NULL);
		return;
	}

	size_t verb_len = 0;
	while (verb_len < line.len && line.at[verb_len] != ' ' && line.at[verb_len] != '\t')
		verb_len++;
	struct slice verb = {line.at, verb_len};
	struct slice argument = slice_from(line, verb_len + 1);
	bool has_argument = slice_trim(argument).len > 0;

	const struct dialog_command *command = find(dialog, verb);
	enum dialog_fault fault;
	if (!command && is_other_protocol(verb)) {
		refuse(dialog, DIALOG_OTHER_PROTOCOL, NULL);
		dialog->state = DIALOG_END;
	} else if (!command) {
		refuse(dialog, DIALOG_UNKNOWN_VERB, NULL);
	} else if (is_refused(dialog, command, &fault)) {
		refuse(dialog, fault, command);
	} else if (has_argument ? command->argument == ARGUMENT_NONE
				: command->argument == ARGUMENT_REQUIRED) {
		refuse(dialog, DIALOG_ARGUMENT, command);
	} else {
		int next = DIALOG_STAY;
		if (dialog->before_run)
			next = dialog->before_run(dialog->session, command);
		if (next == DIALOG_STAY)
			next = command->run(dialog->session, argument);
		if (next != DIALOG_STAY)
			dialog->state = next;
	}
}

static void take_command(struct dialog *dialog)
{
	struct slice line;
	struct conn *conn = dialog->conn;
	conn->idle = true; /* also behind half a line */
	if (is_tls_hello(conn_peek(conn))) {
		refuse(dialog, DIALOG_OTHER_PROTOCOL, NULL);
		dialog->state = DIALOG_END;
		return;
	}
	enum conn_line got = conn_read_line(conn, dialog->line_limit, &line);
	conn->idle = false;
	switch (got) {
	case CONN_LINE:
		take_line(dialog, line);
		break;
	case CONN_LINE_LONG:
		refuse(dialog, DIALOG_LINE_TOO_LONG, NULL);
		break;
	case CONN_LINE_NONE:
		if (conn->input == CONN_TIMEOUT)
			dialog->refuse(dialog->session, DIALOG_TIMEOUT, NULL);
		if (conn->input == CONN_STOPPED)
			dialog->refuse(dialog->session, DIALOG_STOPPED, NULL);
		dialog->state = DIALOG_END;
		break;
	}
	if (dialog->state != DIALOG_END && dialog->faults > dialog->faults_allowed) {
		dialog->refuse(dialog->session, DIALOG_TOO_MANY_FAULTS, NULL);
		dialog->state = DIALOG_END;
	}
}

/* The next line of an exchange. */
static enum sasl_step challenge(struct conn *conn, const char *prefix, struct sasl *sasl)
{
	struct slice line;
	conn_write_text(conn, prefix);
	conn_write_text(conn, sasl->challenge);
	conn_write(conn, SLICE("\r\n"));
	switch (conn_read_line(conn, SASL_LINE_MAX, &line)) {
	case CONN_LINE:
		return sasl_next(sasl, line);
	case CONN_LINE_LONG:
		return SASL_MALFORMED;
	case CONN_LINE_NONE:
		break;
	}
	return SASL_CANCELLED;
}

enum sasl_step dialog_authenticate(
	struct conn *conn, const char *prefix, struct slice argument, struct sasl *sasl)
{
	enum sasl_step step = sasl_start(sasl, argument);
	while (step == SASL_CHALLENGE)
		step = challenge(conn, prefix, sasl);
	return step;
}

void dialog_run(struct dialog *dialog)
{
	while (dialog->state != DIALOG_END) {
		if (dialog->before_command)
			dialog->before_command(dialog->session);
		take_command(dialog);
	}
	conn_flush(dialog->conn);
}
