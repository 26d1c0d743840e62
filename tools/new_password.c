/* Nothing is printed before it is on disk. */
#include "tools/new_password.h"
#include "tools/terminal.h"
#include <stdio.h>
#include <string.h>

/* Dovecot and others write in front which scheme it is of, and crypt(3) sees for itself. */
static const char *behind_scheme(const char *line)
{
	static const char *const schemes[] = {
		"{CRYPT}", "{SHA512-CRYPT}", "{SHA256-CRYPT}", "{BLF-CRYPT}", "{MD5-CRYPT}"};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncasecmp(line, schemes[i], strlen(schemes[i])) == 0)
			return line + strlen(schemes[i]);
	return line;
}

static int read_hash(char hash[HASH_MAX], struct err *e)
{
	struct buf line = {0};
	int result = terminal_read_secret(&line, e);
	const char *given = result == 0 ? behind_scheme(buf_text(&line)) : "";
	if (result == 0 && !password_hash_is_known(given))
		result = err_set(e, ERR_INPUT,
			"this is no crypt(3) string that can be checked here, within 3 s and 256 "
			"MB: it looks like $y$..., $6$... or $2b$..., perhaps behind {CRYPT} or "
			"the like, alone on its line");
	if (result == 0)
		memcpy(hash, given, strlen(given) + 1);
	buf_wipe(&line);
	return result;
}

int new_password_take(const struct command_line *line, const char *like, const char *other,
	struct new_password *password, struct err *e)
{
	struct buf text = {0};
	int result = 0;
	*password = (struct new_password){0};
	if (command_option(line, "--hash-stdin"))
		return read_hash(password->hash, e);
	if (command_option(line, "--generate")) {
		password_generate(password->generated);
		buf_add_text(&text, password->generated);
	} else if (command_option(line, "--password-stdin")) {
		result = terminal_read_secret(&text, e);
	} else {
		result = terminal_ask_password(&text, e);
	}
	if (result == 0)
		result = password_hash_like(buf_slice(&text), like, password->hash, e);
	if (result == 0 && other && password_matches(buf_slice(&text), other))
		result = err_set(e, ERR_EXISTS,
			"this password is in use for the mailbox already: give another one");
	buf_wipe(&text);
	return result;
}

int new_password_end(struct new_password *password, int result)
{
	if (result == 0 && *password->generated)
		puts(password->generated);
	wipe(password, sizeof(*password));
	return result;
}
