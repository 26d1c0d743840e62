/* The command line, read by the usage that people read: what the one allows
 * and the other says can never differ. */
#include "tools/command.h"
#include "base/account.h"
#include "tools/terminal.h"
#include "tools/usage.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- reading the command line ---- */

int command_misuse(struct command_line *line, struct err *e, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	e->kind = ERR_INPUT;
	line->misused = true;
	return -1;
}

static const char *given(const struct command_line *line, struct slice name)
{
	for (size_t i = 0; i < line->option_count; i++)
		if (slice_equal(line->options[i].name, name))
			return line->options[i].value;
	return NULL;
}

const char *command_option(const struct command_line *line, const char *name)
{
	return given(line, slice_of(name));
}

/* The number of the word among those of the usage; -1: it is none of them. */
static int find_word(struct slice words, const char *value)
{
	struct slice word;
	for (int n = 0; usage_word(words, (size_t)n, &word); n++)
		if (slice_equal(word, slice_of(value)))
			return n;
	return -1;
}

size_t command_choice(const struct command_line *line, const char *name)
{
	const char *value = command_option(line, name);
	struct usage_item item;
	if (!value || !usage_find_option(line->command->usage, slice_of(name), &item))
		return 0;
	return (size_t)find_word(item.value, value);
}

/* Was another of what stands in one bracket with it given? */
static int check_group(struct command_line *line, const struct usage_item *item, struct err *e)
{
	struct usage_item other;
	for (size_t i = 0; i < line->option_count; i++)
		if (item->group > 0 &&
			usage_find_option(line->command->usage, line->options[i].name, &other) &&
			other.group == item->group)
			return command_misuse(line, e, "%.*s and %.*s exclude each other",
				(int)other.name.len, other.name.at, (int)item->name.len,
				item->name.at);
	return 0;
}

/* One option; *next is the argument behind it, taken if it is the value. */
static int take_option(
	struct command_line *line, const char *text, const char *const **next, struct err *e)
{
	struct usage_item item;
	struct slice rest = slice_of(text), word;
	struct slice name = slice_cut(&rest, '=');
	bool attached = name.len < strlen(text);
	if (!usage_find_option(line->command->usage, name, &item))
		return command_misuse(line, e, "there is no option %s here", text);
	if (given(line, name))
		return command_misuse(line, e, "%.*s is given twice", (int)name.len, name.at);
	if (check_group(line, &item, e) < 0)
		return -1;
	if (item.has_value && !attached && !**next)
		return command_misuse(line, e, "%s lacks its value", text);
	if (!item.has_value && attached)
		return command_misuse(line, e, "%.*s takes no value", (int)name.len, name.at);

	const char *value = "";
	if (item.has_value)
		value = attached ? text + name.len + 1 : *(*next)++;
	if (item.has_value && !*value)
		return command_misuse(
			line, e, "the value of %.*s is empty", (int)name.len, name.at);
	if (usage_word(item.value, 0, &word) && find_word(item.value, value) < 0)
		return command_misuse(
			line, e, "%s is none of %.*s", value, (int)item.value.len, item.value.at);
	if (line->option_count == COMMAND_OPTIONS_MAX)
		return command_misuse(line, e, "too many options");
	line->options[line->option_count].name = item.name;
	line->options[line->option_count++].value = value;
	return 0;
}

/* Is everything there that the usage asks for, and nothing else? */
static int check_counts(struct command_line *line, struct err *e)
{
	struct usage usage = {.rest = slice_of(line->command->usage)};
	struct usage_item item;
	size_t most = 0, least = 0;
	bool unlimited = false;
	while (usage_next(&usage, &item)) {
		if (!item.option && line->count > most && check_group(line, &item, e) < 0)
			return -1;
		if (item.option && item.required && !given(line, item.name))
			return command_misuse(
				line, e, "%.*s is missing", (int)item.name.len, item.name.at);
		if (item.option)
			continue;
		most++;
		least += item.required;
		unlimited |= item.repeats;
		if (item.required && least > line->count)
			return command_misuse(
				line, e, "%.*s is missing", (int)item.name.len, item.name.at);
		if (item.required && !*line->arguments[least - 1])
			return command_misuse(
				line, e, "%.*s is empty", (int)item.name.len, item.name.at);
	}
	if (!unlimited && line->count > most)
		return command_misuse(
			line, e, "\"%s\" is one argument too many", line->arguments[most]);
	return 0;
}

int command_parse(
	struct command_line *line, const char *const *words, const char **arguments, struct err *e)
{
	bool options = true;
	bool foreign = line->command->usage[0] == '[' && line->command->usage[1] == '-' &&
		       line->command->usage[2] != '-';
	line->arguments = arguments;
	while (foreign && *words)
		arguments[line->count++] = *words++;
	while (*words) {
		const char *word = *words++;
		if (options && strcmp(word, "--") == 0)
			options = false;
		else if (!options || word[0] != '-' || word[1] == '\0')
			arguments[line->count++] = word;
		else if (take_option(line, word, &words, e) < 0)
			return -1;
	}
	arguments[line->count] = NULL;
	return foreign ? 0 : check_counts(line, e);
}

/* ---- the office ---- */

int office_read(const struct command_line *line, struct config *config, struct err *e)
{
	struct buf faults = {0};
	const char *path = config_find(line->config_path);
	if (!path)
		return err_set(e, ERR_MISSING,
			"there is no office.ini, neither here nor in /etc/officemail; "
			"`officemail init --domain DOMAIN` writes one");
	int result = config_read(config, path, &faults);
	if (result < 0) {
		/* They quote a file that may be anybody's. */
		for (struct slice rest = buf_slice(&faults); rest.len > 0;) {
			struct slice fault = slice_cut(&rest, '\n');
			terminal_tell("%.*s", (int)fault.len, fault.at);
		}
		err_set(e, ERR_INPUT, "%s", "");
	}
	buf_free(&faults);
	return result;
}

int office_open(
	struct office *office, const struct command_line *line, enum store_role role, struct err *e)
{
	if (office_read(line, &office->config, e) < 0 || account_assume(office->config.user, e) < 0)
		return -1;
	int result = store_open(&office->store, office->config.data, role,
		(enum config_sync)office->config.sync, e);
	if (result < 0)
		account_resume();
	return result;
}

void office_close(struct office *office)
{
	store_close(office->store);
	account_resume();
}

int office_begin(struct office *office, const struct command_line *line, struct err *e)
{
	if (office_open(office, line, STORE_TOOL, e) < 0)
		return -1;
	if (store_begin(office->store, e) == 0)
		return 0;
	office_close(office);
	return -1;
}

static int end_transaction(struct store *store, int result, struct err *e)
{
	if (result >= 0)
		return store_commit(store, e) < 0 ? -1 : result;
	store_rollback(store);
	return -1;
}

int office_end(struct office *office, int result, struct err *e)
{
	result = end_transaction(office->store, result, e);
	office_close(office);
	return result;
}

int office_in_steps(struct office *office,
	int (*step)(struct office *office, void *arg, struct err *e), void *arg, struct err *e)
{
	static const struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
	for (;;) {
		if (store_begin(office->store, e) < 0)
			return -1;
		int result = end_transaction(office->store, step(office, arg, e), e);
		if (result != 1)
			return result;
		nanosleep(&pause, NULL);
	}
}
