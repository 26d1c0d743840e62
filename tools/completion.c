/* `officemail completion`: what a shell offers at TAB. The script of bash is the
 * same for every command; what can follow is worked out here, by the usages that
 * parser and help go by. Nothing is written, and nothing is said of what fails. */
#include "store/aliases.h"
#include "store/devices.h"
#include "store/folders.h"
#include "store/outbox.h"
#include "store/users.h"
#include "tools/command.h"
#include "tools/usage.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The words are those that were typed, blanks apart: bash splits at "@" and "=", too,
 * and replaces only what stands behind the last of them. What is offered is quoted, and
 * never evaluated. */
static const char script[] =
	"# officemail: completion in bash; from `officemail completion`\n"
	"_officemail()\n"
	"{\n"
	"	local line=${COMP_LINE:0:COMP_POINT} word typed\n"
	"	local -a words\n"
	"	read -a words <<<\"$line\"\n"
	"	[[ $line == *[[:space:]] ]] && words+=(\"\")\n"
	"	typed=${words[-1]%\"$2\"}\n"
	"	COMPREPLY=()\n"
	"	while IFS= read -r word; do\n"
	"		case $word in\n"
	"		:files) compopt -o default ;;\n"
	"		:directories) compopt -o dirnames ;;\n"
	"		*) printf -v word %q \"${word#\"$typed\"}\" && COMPREPLY+=(\"$word\") ;;\n"
	"		esac\n"
	"	done < <(\"${1/#~/$HOME}\" completion -- \"${words[@]:1}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _officemail officemail\n";

#define OFFERS_MAX 1000

struct wish {
	const char *config_path; /* of -c, or NULL */
	const struct command *command;
	struct slice typed, attached; /* the word at the cursor; "--folder=" before it */
	const char *first;            /* the first argument: whose folders, devices? */
	size_t offers;
};

static void offer(struct wish *wish, struct slice word)
{
	if (!slice_has_prefix(word, wish->typed) || wish->offers++ >= OFFERS_MAX)
		return;
	printf("%.*s%.*s\n", (int)wish->attached.len, wish->attached.at, (int)word.len, word.at);
}

/* ---- what the store knows ---- */

static int offer_user(const struct user *user, void *wish)
{
	offer(wish, slice_of(user->address));
	return 0;
}

static int offer_alias(const struct alias *alias, void *wish)
{
	offer(wish, slice_of(alias->alias));
	return 0;
}

static int offer_folder(const struct folder *folder, void *wish)
{
	offer(wish, slice_of(folder->name));
	return 0;
}

static int offer_queued(const struct outbox_item *item, void *wish)
{
	offer(wish, item->queue_id);
	return 0;
}

static void offer_users(struct wish *wish, struct store *store, struct err *e)
{
	users_each(store, offer_user, wish, e);
}

static void offer_aliases(struct wish *wish, struct store *store, struct err *e)
{
	aliases_each(store, offer_alias, wish, e);
}

static void offer_folders(struct wish *wish, struct store *store, struct err *e)
{
	struct user user;
	if (wish->first && users_find(store, slice_of(wish->first), &user, e) == 1)
		folders_each(store, user.id, offer_folder, wish, e);
}

static void offer_devices(struct wish *wish, struct store *store, struct err *e)
{
	struct user user;
	struct device *devices;
	size_t count;
	if (!wish->first || users_find(store, slice_of(wish->first), &user, e) != 1 ||
		devices_load(store, user.id, &devices, &count, e) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		offer(wish, slice_of(devices[i].name));
	devices_free(devices, count);
}

static void offer_queue(struct wish *wish, struct store *store, struct err *e)
{
	outbox_each(store, SLICE(""), offer_queued, wish, e);
}

/* Who presses a key in somebody else's directory has not asked for what lies there. */
static bool is_ours(const char *path)
{
	struct stat there;
	return path && stat(path, &there) == 0 && (there.st_uid == 0 || there.st_uid == geteuid());
}

static void ask_store(struct wish *wish, void (*ask)(struct wish *, struct store *, struct err *))
{
	struct command_line line = {.config_path = config_find(wish->config_path)};
	struct office office;
	struct err e;
	if (!is_ours(line.config_path) || office_open(&office, &line, STORE_READER, &e) < 0)
		return;
	ask(wish, office.store, &e);
	office_close(&office);
}

/* ---- what can stand at a place of a usage ---- */

/* The first row that fits. */
static const struct {
	const char *command; /* its name, or the first word of it; NULL: any */
	const char *name;    /* in the usage */
	const char *offer;   /* as it is */
	void (*ask)(struct wish *, struct store *, struct err *);
} places[] = {
	{"user add", "ADDRESS", NULL, NULL}, /* one that is not there yet */
	{"relay", "ADDRESS", NULL, NULL},
	{"init", "ADDRESS", NULL, NULL},
	{NULL, "ADDRESS", NULL, offer_users},
	{NULL, "OLD", NULL, offer_users},
	{NULL, "OTHER", NULL, offer_users},
	{NULL, "TARGET", NULL, offer_users},
	{NULL, "ALIAS", NULL, offer_aliases},
	{NULL, "FOLDER", NULL, offer_folders},
	{"folder remove", "NAME", NULL, offer_folders},
	{"device remove", "NAME", NULL, offer_devices},
	{"queue", "ID", NULL, offer_queue},
	{NULL, "FILE", ":files", NULL},
	{NULL, "PATH", ":files", NULL},
	{NULL, "DIR", ":directories", NULL},
};

static bool is_command(const struct wish *wish, const char *name)
{
	size_t len = strlen(name);
	return strncmp(wish->command->name, name, len) == 0 &&
	       (wish->command->name[len] == '\0' || wish->command->name[len] == ' ');
}

static void offer_place(struct wish *wish, struct slice name)
{
	struct slice word;
	for (size_t n = 0; usage_word(name, n, &word); n++)
		offer(wish, word);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!slice_equal(name, slice_of(places[i].name)) ||
			(places[i].command && !is_command(wish, places[i].command)))
			continue;
		if (places[i].offer)
			puts(places[i].offer);
		if (places[i].ask)
			ask_store(wish, places[i].ask);
		return;
	}
}

static bool has_word(const char *const *words, struct slice option)
{
	for (; *words; words++) {
		struct slice rest = slice_of(*words);
		if (slice_equal(slice_cut(&rest, '='), option))
			return true;
	}
	return false;
}

/* Those that are not there yet; of one bracket, one is enough. */
static void offer_options(struct wish *wish, const char *const *before)
{
	struct usage usage = {.rest = slice_of(wish->command->usage)}, other;
	struct usage_item item, one;
	while (usage_next(&usage, &item)) {
		bool taken = !item.option;
		other = (struct usage){.rest = slice_of(wish->command->usage)};
		while (!taken && usage_next(&other, &one))
			taken = one.option && has_word(before, one.name) &&
				(slice_equal(one.name, item.name) ||
					(item.group > 0 && one.group == item.group));
		if (!taken)
			offer(wish, item.name);
	}
}

/* The n-th argument; behind one that repeats, what follows it in the usage as well. */
static void offer_argument(struct wish *wish, size_t n)
{
	struct usage usage = {.rest = slice_of(wish->command->usage)};
	struct usage_item item;
	size_t at = 0;
	while (usage_next(&usage, &item)) {
		if (item.option)
			continue;
		if (at == n || (item.repeats && at <= n))
			offer_place(wish, item.name);
		if (at == n && !item.repeats)
			return;
		at = item.repeats && at < n ? n : at + 1;
	}
}

/* Behind the command's name: `words` end with the one at the cursor. */
static void offer_for_command(struct wish *wish, const char *const *words)
{
	const char *const *before = words;
	struct usage_item item;
	bool options = true;
	size_t arguments = 0;
	for (; words[1]; words++) {
		struct slice word = slice_of(*words);
		if (options && slice_equal(word, SLICE("--"))) {
			options = false;
		} else if (options && word.len > 1 && word.at[0] == '-') {
			if (!usage_find_option(wish->command->usage, word, &item) ||
				!item.has_value)
				continue;
			if (!words[2]) {
				offer_place(wish, item.value);
				return;
			}
			words++;
		} else if (arguments++ == 0) {
			wish->first = *words;
		}
	}
	const char *equals = strchr(*words, '=');
	if (options && **words == '-' && equals) {
		struct slice name = {*words, (size_t)(equals - *words)};
		wish->attached = (struct slice){*words, name.len + 1};
		wish->typed = slice_from(wish->typed, wish->attached.len);
		if (usage_find_option(wish->command->usage, name, &item) && item.has_value)
			offer_place(wish, item.value);
		return;
	}
	if (!options || **words != '-')
		offer_argument(wish, arguments);
	if (options && (**words == '-' || (wish->offers == 0 && **words == '\0')))
		offer_options(wish, before);
}

/* ---- the command ---- */

/* The first word of every command, or what follows that one. */
static void offer_commands(struct wish *wish, const char *first)
{
	struct slice last = SLICE("");
	for (size_t i = 0; command_at(i); i++) {
		struct slice rest = slice_of(command_at(i)->name);
		struct slice word = slice_cut(&rest, ' ');
		if (first && slice_equal(word, slice_of(first)) && rest.len > 0)
			offer(wish, rest);
		if (!first && !slice_equal(word, last))
			offer(wish, word);
		last = word;
	}
}

/* How many of the words are the command's name; 0: there is none of it. */
static size_t find_command(struct wish *wish, const char *const *words)
{
	for (size_t i = 0; command_at(i); i++) {
		struct slice rest = slice_of(command_at(i)->name);
		if (!words[1] || !slice_equal(slice_cut(&rest, ' '), slice_of(words[0])))
			continue;
		wish->command = command_at(i);
		if (rest.len == 0)
			return 1;
		if (words[2] && slice_equal(rest, slice_of(words[1])))
			return 2;
	}
	wish->command = NULL;
	return 0;
}

static void offer_next(struct wish *wish, const char *const *words)
{
	if (words[1] && strcmp(words[0], "-c") == 0) {
		if (!words[2]) {
			puts(":files");
			return;
		}
		wish->config_path = words[1];
		words += 2;
	}
	size_t taken = find_command(wish, words);
	bool help = taken == 1 && strcmp(wish->command->name, "help") == 0;
	if (help)
		words++;
	if (taken > 0 && !help)
		offer_for_command(wish, words + taken);
	else if (!words[1])
		offer_commands(wish, NULL);
	else if (!words[2])
		offer_commands(wish, words[0]);
	if (!words[1] && !help)
		for (size_t i = 0; **words == '-' && i < 3; i++)
			offer(wish,
				slice_of((const char *const[]){"-c", "--help", "--version"}[i]));
}

int command_completion(struct command_line *line, struct err *e)
{
	struct wish wish = {.config_path = line->config_path};
	(void)e;
	if (line->count == 0) {
		fputs(script, stdout);
		return 0;
	}
	wish.typed = slice_of(line->arguments[line->count - 1]);
	offer_next(&wish, line->arguments);
	return 0;
}
