/* main, and the table of commands: help, usage and the parser all go by it. */
#include "base/buf.h"
#include "base/sandbox.h"
#include "tools/command.h"
#include "tools/terminal.h"
#include <fcntl.h>
#include <nss.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct command commands[] = {
	{"serve", "", "runs the server in the foreground until SIGTERM or SIGINT", command_serve},
	{"init", "--domain DOMAIN [--hostname HOST] [--user ADDRESS] [--dir DIR]",
		"sets up a new office: office.ini, store, certificate, first user", command_init},
	{"check", "[--dns]", "says each thing that is wrong, and how to mend it", command_check},
	{"user add", "ADDRESS [--quota SIZE] [--password-stdin | --generate | --hash-stdin]",
		"adds a user; without an option asks for the password", command_user_add},
	{"user passwd", "ADDRESS [--password-stdin | --generate]", "sets a new password",
		command_user_passwd},
	{"user remove", "ADDRESS [--yes]", "removes a user; the mail is kept for a while",
		command_user_remove},
	{"user list", "[--json]", "who has a mailbox, and how full it is", command_user_list},
	{"user show", "ADDRESS [--json]", "one of them", command_user_show},
	{"user enable", "ADDRESS", "lets a user log in again", command_user_enable},
	{"user disable", "ADDRESS", "lets nobody log in; mail is taken and kept",
		command_user_disable},
	{"user quota", "ADDRESS SIZE", "500M, 2G, 0 for no limit, default for that of office.ini",
		command_user_quota},
	{"user rename", "OLD NEW", "a new address; the old one stays as an alias",
		command_user_rename},
	{"user allow-from", "ADDRESS OTHER... [--remove]", "as whom else a user may send",
		command_user_allow_from},
	{"device add", "ADDRESS NAME [--password-stdin | --generate]",
		"one more password for a mailbox, which deletes for itself alone",
		command_device_add},
	{"device list", "ADDRESS [--json]", "a user's devices, and how long each counts",
		command_device_list},
	{"device remove", "ADDRESS NAME", "lets go what only this device still holds",
		command_device_remove},
	{"alias add", "ALIAS TARGET...", "an address, @domain or list that leads to others",
		command_alias_add},
	{"alias remove", "ALIAS [TARGET...]", "takes targets off an alias, or all of it away",
		command_alias_remove},
	{"alias list", "[--json]", "which aliases there are", command_alias_list},
	{"folder list", "ADDRESS [--json]", "a user's folders", command_folder_list},
	{"folder add", "ADDRESS NAME [--public]",
		"a new folder; public: user+NAME@domain is filed there", command_folder_add},
	{"folder remove", "ADDRESS NAME", "removes a folder; its mail goes to Inbox",
		command_folder_remove},
	{"rule add", "ADDRESS HEADER PATTERN FOLDER",
		"files mail whose HEADER contains PATTERN in FOLDER", command_rule_add},
	{"rule list", "ADDRESS [--json]", "a user's rules; the first that matches wins",
		command_rule_list},
	{"rule remove", "ADDRESS N", "removes the rule of that number", command_rule_remove},
	{"mail list", "ADDRESS [--folder FOLDER] [--deleted] [--json]", "a user's messages",
		command_mail_list},
	{"mail show", "ADDRESS ID", "one message as it is stored", command_mail_show},
	{"mail remove", "ADDRESS ID...", "deletes messages as a mail program would",
		command_mail_remove},
	{"mail move", "ADDRESS ID... FOLDER", "files messages in another folder",
		command_mail_move},
	{"mail restore", "ADDRESS [ID... | --since DURATION]",
		"brings back what was deleted, as long as it is kept", command_mail_restore},
	{"mail again", "ADDRESS [ID... | --since DURATION]",
		"offers messages once more, as if they were new", command_mail_again},
	{"mail import", "ADDRESS PATH [--folder FOLDER] [--uidl-format FORMAT] [--reuse-xuidl]",
		"takes mail from an mbox, a Maildir or .eml files, with its UIDLs",
		command_mail_import},
	{"mail export", "ADDRESS PATH [--format mbox|maildir|eml] [--folder FOLDER] [--crlf]",
		"writes mail as mbox, maildir or eml into a directory", command_mail_export},
	{"trace", "WHAT [--last N] [--json]",
		"the life of messages, by an address, a Message-ID, an id or a number",
		command_trace},
	{"queue list", "[--json]", "mail on its way out, and what keeps it", command_queue_list},
	{"queue show", "ID [--json]", "one message of it, with all who wait for it",
		command_queue_show},
	{"queue retry", "[ID...]", "tries again now, all of it or some; lets go what is held",
		command_queue_retry},
	{"queue remove", "ID", "takes a message out of the queue; nobody is told",
		command_queue_remove},
	{"dns", "", "the records to publish, as lines of a zone file", command_dns},
	{"client", "ADDRESS [--format text|autoconfig|mobileconfig]",
		"what a mail program has to be told", command_client},
	{"sendmail", "[-t] [-i] [-f FROM] [-F NAME] [RECIPIENT...]",
		"submits a message on standard input, as sendmail(8) does", command_sendmail},
	{"relay test", "ADDRESS",
		"asks the server that mail to ADDRESS would go to, and shows what is said",
		command_relay_test},
	{"backup", "FILE", "a verified copy of the store, also while the server runs",
		command_backup},
	{"restore", "FILE", "puts a backup in the place of the store, which is kept aside",
		command_restore},
	{"status", "[--json]", "users, messages, deliveries, certificate, disk", command_status},
	{"completion", "[WORD...]", "what bash needs to complete commands at TAB",
		command_completion},
	{"help", "[COMMAND...]", "what there is, or one command in full", command_help},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct command *command_at(size_t n)
{
	return n < COMMANDS ? &commands[n] : NULL;
}

#ifdef UNSEALED
#define BUILD_NOTE " (unsealed build: for tests alone)"
#elif defined(DEADLY_SEAL)
#define BUILD_NOTE " (deadly seal: for tests alone)"
#else
#define BUILD_NOTE ""
#endif

static void print_usage(FILE *out, const struct command *command)
{
	fprintf(out, "usage: officemail [-c FILE] %s%s%s\n", command->name,
		*command->usage ? " " : "", command->usage);
}

static void print_commands(FILE *out)
{
	fputs("usage: officemail [-c FILE] COMMAND [ARGUMENT...]\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-16s %s\n", commands[i].name, commands[i].help);
	fputs("\n`officemail help COMMAND` says what a command takes. Without -c, office.ini is\n"
	      "$OFFICEMAIL_CONFIG, ./office.ini or /etc/officemail/office.ini.\n",
		out);
}

/* Does the command's name begin with these words? `exactly`: is it them? */
static bool has_name(const struct command *command, const char *const *words, bool exactly)
{
	struct slice name = slice_of(command->name);
	for (; *words && name.len > 0; words++)
		if (!slice_equal(slice_cut(&name, ' '), slice_of(*words)))
			return false;
	return name.len == 0 ? exactly || !*words : !exactly;
}

/* The command that the words begin with; *words goes on behind its name. */
static const struct command *find(const char *const **words)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (has_name(&commands[i], *words, true)) {
			*words += 1 + (strchr(commands[i].name, ' ') != NULL);
			return &commands[i];
		}
	}
	return NULL;
}

static size_t print_matching(FILE *out, const char *const *words, bool with_help)
{
	size_t count = 0;
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!has_name(&commands[i], words, false))
			continue;
		count++;
		print_usage(out, &commands[i]);
		if (with_help)
			fprintf(out, "       %s\n", commands[i].help);
	}
	return count;
}

/* No command has that name: what comes nearest, on stderr. */
static void print_nearest(const char *const *words)
{
	const char *const first[] = {words[0], NULL};
	if (words[0])
		terminal_tell("officemail: there is no command %s%s%s", words[0],
			words[1] ? " " : "", words[1] ? words[1] : "");
	if (!words[0] || print_matching(stderr, first, false) == 0)
		print_commands(stderr);
}

int command_help(struct command_line *line, struct err *e)
{
	(void)e;
	if (line->count == 0) {
		print_commands(stdout);
	} else if (print_matching(stdout, line->arguments, true) == 0) {
		print_nearest(line->arguments);
		line->misused = true;
		return -1;
	}
	return 0;
}

static int run(struct command_line *line, const char *const *words, const char **arguments)
{
	struct err e = {0};
	int result;
	if (sandbox_hide_memory(&e) < 0) { /* passwords and keys go through tools, too */
		fprintf(stderr, "officemail: %s\n", e.text);
		return 1;
	}
	if (words[0] && strcmp(words[0], "--help") == 0 && !words[1]) {
		print_usage(stdout, line->command);
		printf("       %s\n", line->command->help);
		result = 0;
	} else {
		result = command_parse(line, words, arguments, &e);
		if (result == 0)
			result = line->command->run(line, &e);
	}
	if (result == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		result = err_set_errno(&e, "cannot write what was asked for");
	if (result == 0)
		return 0;
	fflush(stdout); /* what was found comes before what it comes to */
	if (*e.text)
		terminal_tell("officemail: %s", e.text);
	if (line->misused)
		print_usage(stderr, line->command);
	return line->status ? line->status : line->misused ? 2 : 1;
}

/* A file or connection that came to be descriptor 2 would get the log. */
static void hold_standard_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Programs know how to call one of that name, whatever it is. */
static bool is_called_sendmail(const char *name)
{
	const char *slash = name ? strrchr(name, '/') : NULL;
	return name && strcmp(slash ? slash + 1 : name, "sendmail") == 0;
}

/* The command, and what stands in front of it; words goes on behind. Where there is
 * none to run, the status to exit with. */
static int read_command(struct command_line *line, const char *const **words)
{
	if (**words && strncmp(**words, "-c", 2) == 0) {
		line->config_path = (**words)[2] ? **words + 2 : (*words)[1];
		if (!line->config_path || !*line->config_path) {
			fputs("officemail: -c lacks its FILE\n"
			      "usage: officemail [-c FILE] COMMAND [ARGUMENT...]\n",
				stderr);
			return 2;
		}
		*words += (**words)[2] ? 1 : 2;
	}
	if (**words && strcmp(**words, "--version") == 0) {
		puts("officemail " OFFICEMAIL_VERSION BUILD_NOTE);
		return 0;
	}
	if (**words && (strcmp(**words, "--help") == 0 || strcmp(**words, "-h") == 0)) {
		print_commands(stdout);
		return 0;
	}
	line->command = find(words);
	if (line->command)
		return 0;
	/* "user --help" asks for what begins so. */
	const char *const first[] = {**words, NULL};
	if (**words && (*words)[1] && strcmp((*words)[1], "--help") == 0 && !(*words)[2] &&
		print_matching(stdout, first, true) > 0)
		return 0;
	print_nearest(*words);
	return 2;
}

int main(int argc, char **argv)
{
	static const char *const sendmail[] = {"sendmail", NULL};
	const char *const *name = sendmail;
	struct command_line line = {0};
	const char *const *words = (const char *const *)argv + (argc > 0);
	int status = 2;
	umask(077);
	hold_standard_descriptors();
	signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit fails, and is told as others are */
	/* Names of hosts are those of /etc/hosts and DNS: what else nsswitch.conf(5) names
	 * are libraries, which would be loaded into the process. */
	__nss_configure_lookup("hosts", "files dns");
	if (is_called_sendmail(argv[0]))
		line.command = find(&name);
	else
		status = read_command(&line, &words);
	if (!line.command)
		return status;
	const char **arguments = must_alloc(((size_t)argc + 1) * sizeof(*arguments));
	status = run(&line, words, arguments);
	free(arguments);
	return status;
}
