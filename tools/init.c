/* `officemail init`: a new office. Each step makes what is absent and touches
 * nothing that is there, so a second run, or one after a crash, goes on where
 * the first one ended. */
#include "base/account.h"
#include "base/digest.h"
#include "base/syntax.h"
#include "base/text.h"
#include "store/deliver.h"
#include "store/password.h"
#include "store/users.h"
#include "tools/certificate.h"
#include "tools/command.h"
#include "tools/file.h"
#include "tools/signing.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct setup {
	char file[CONFIG_PATH_MAX + 16], data[CONFIG_PATH_MAX + 16];
	char domain[CONFIG_NAME_MAX], hostname[CONFIG_NAME_MAX], user[CONFIG_NAME_MAX];
	char account[CONFIG_NAME_MAX];
	bool unprivileged; /* no root: loopback and high ports */
	bool borrowed;     /* the account is not one of our own */
	bool installed;    /* root's, where the unit of systemd looks for it */
	unsigned made;     /* steps that found something to do */
};

/* ---- what is wanted ---- */

static int choose_names(struct command_line *line, struct setup *setup, struct err *e)
{
	const char *domain = command_option(line, "--domain");
	const char *hostname = command_option(line, "--hostname");
	const char *user = command_option(line, "--user");
	if (!syntax_is_hostname(slice_of(domain)))
		return command_misuse(line, e, "--domain is a domain, like kantor.example");
	if (hostname && !syntax_is_hostname(slice_of(hostname)))
		return command_misuse(line, e, "--hostname is a host, like mail.kantor.example");
	snprintf(setup->domain, sizeof(setup->domain), "%s", domain);
	snprintf(setup->hostname, sizeof(setup->hostname), "%s%s", hostname ? "" : "mail.",
		hostname ? hostname : domain);
	snprintf(setup->user, sizeof(setup->user), "%s%s", user ? user : "postmaster@",
		user ? "" : domain);
	text_fold(setup->domain, strlen(setup->domain));
	text_fold(setup->hostname, strlen(setup->hostname));
	text_fold(setup->user, strlen(setup->user));

	struct slice of_user = slice_of(setup->user);
	bool address = syntax_is_address(of_user);
	slice_cut(&of_user, '@');
	if (!address || !slice_equal(of_user, slice_of(setup->domain)))
		return command_misuse(
			line, e, "--user is an address of the domain, like ani@%s", setup->domain);
	return 0;
}

static int choose_places(struct command_line *line, struct setup *setup, struct err *e)
{
	const char *dir = command_option(line, "--dir");
	if (!dir && !setup->unprivileged) {
		snprintf(setup->file, sizeof(setup->file), "/etc/officemail/office.ini");
		snprintf(setup->data, sizeof(setup->data), "/var/lib/officemail");
		setup->installed = !line->config_path;
	} else {
		dir = dir ? dir : ".";
		if (file_make_directory(dir, 0755, FILE_OWN, FILE_OWN, e) < 0)
			return -1;
		char *whole = realpath(dir, NULL);
		if (!whole || strlen(whole) > CONFIG_PATH_MAX - 16 || strchr(whole, ';') ||
			strpbrk(whole, "\r\n")) {
			free(whole);
			return err_set(e, ERR_INPUT,
				"the path of %s is too long or holds a \";\"; choose another", dir);
		}
		snprintf(setup->file, sizeof(setup->file), "%s/office.ini", whole);
		snprintf(setup->data, sizeof(setup->data), "%s/data", whole);
		free(whole);
	}
	if (line->config_path)
		snprintf(setup->file, sizeof(setup->file), "%s", line->config_path);
	return 0;
}

/* The account to serve under: our own where root installs; whoever calls where
 * it is not root; for a trial by root in a directory of its own, nobody. */
static int choose_account(struct command_line *line, struct setup *setup, struct err *e)
{
	uid_t uid;
	gid_t gid;
	account_name(geteuid(), setup->account, sizeof(setup->account));
	if (!setup->unprivileged || account_find(setup->account, &uid, &gid, e) < 0)
		snprintf(setup->account, sizeof(setup->account), "officemail");
	if (setup->unprivileged || account_find(setup->account, &uid, &gid, e) == 0)
		return 0;
	if (!command_option(line, "--dir"))
		return -1;
	snprintf(setup->account, sizeof(setup->account), "nobody");
	setup->borrowed = true;
	return account_find(setup->account, &uid, &gid, e);
}

static const char *answer(const char *section, const char *key, void *arg)
{
	const struct setup *setup = arg;
	const struct {
		const char *section, *key, *value;
	} answers[] = {
		{"office", "hostname", setup->hostname},
		{"office", "domains", setup->domain},
		{"office", "data", setup->data},
		{"office", "user", setup->account},
		{"office", "postmaster", setup->user},
		{"smtpd", "listen", setup->unprivileged ? "127.0.0.1:2525" : NULL},
		{"submission", "listen", setup->unprivileged ? "127.0.0.1:2587" : NULL},
		{"submission", "listen_tls", setup->unprivileged ? "127.0.0.1:2465" : NULL},
		{"pop3d", "listen", setup->unprivileged ? "127.0.0.1:2110" : NULL},
		{"pop3d", "listen_tls", setup->unprivileged ? "127.0.0.1:2995" : NULL},
	};
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strcmp(section, answers[i].section) == 0 && strcmp(key, answers[i].key) == 0)
			return answers[i].value;
	return NULL;
}

/* ---- the steps ---- */

static int write_office_ini(struct command_line *line, struct setup *setup, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	if (access(setup->file, F_OK) == 0)
		return 0;
	if (choose_account(line, setup, e) < 0)
		return -1;
	char directory[sizeof(setup->file)];
	snprintf(directory, sizeof(directory), "%s", setup->file);
	char *slash = strrchr(directory, '/');
	if (slash && slash > directory) {
		*slash = '\0';
		if (file_make_directory(directory, 0755, FILE_OWN, FILE_OWN, e) < 0)
			return -1;
	}
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return err_set_errno(e, "cannot compose office.ini");
	config_write(out, answer, setup);
	fclose(out);
	/* Holds no secret, and the office's account must be able to read it. */
	int result = file_write_new(setup->file, 0644, (struct slice){text, len}, e);
	free(text);
	setup->made++;
	return result;
}

static int make_data_directory(const struct config *config, struct setup *setup, struct err *e)
{
	uid_t uid = FILE_OWN;
	gid_t gid = FILE_OWN;
	if (!setup->unprivileged && account_find(config->user, &uid, &gid, e) < 0)
		return -1;
	int made = file_make_directory(config->data, 0700, uid, gid, e);
	setup->made += made > 0;
	return made < 0 ? -1 : 0;
}

static int note_user(const struct user *user, void *arg)
{
	(void)user;
	*(bool *)arg = true;
	return 1;
}

static void write_welcome(struct buf *out, const struct config *config, const char *user)
{
	char date[TEXT_DATE_MAX], id[17];
	digest_random_text(id, 16);
	buf_printf(out, "From: officemail <%s>\r\nTo: <%s>\r\n", config->postmaster, user);
	buf_printf(out, "Subject: Welcome to officemail\r\nDate: %s\r\n",
		text_of_mail_date(date, time(NULL)));
	buf_printf(out, "Message-ID: <%s@%s>\r\n", id, config->hostname);
	buf_add_text(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
			  "This message was waiting in the store when you fetched it: your mail\r\n"
			  "program, the certificate and the password work together.\r\n\r\n");
	buf_printf(out,
		"Mail to %s arrives here. The administrator adds people\r\n"
		"with `officemail user add ADDRESS`, and `officemail help` shows the rest.\r\n",
		user);
}

static int deliver_welcome(
	struct store *store, const struct config *config, const char *user, struct err *e)
{
	char date[TEXT_DATE_MAX];
	struct buf message = {0}, received = {0};
	struct body_writer body = {0};
	struct envelope_recipient recipient = {.address = slice_of(user)};
	enum err_kind result = ERR_NONE;
	struct delivery delivery = {.recipients = &recipient, .recipient_count = 1, .peer = "init"};

	deliver_make_queue_id(delivery.queue_id);
	buf_printf(&received, "Received: by %s (officemail init) id %s;\r\n\t%s\r\n",
		config->hostname, delivery.queue_id, text_of_mail_date(date, time(NULL)));
	delivery.received = buf_slice(&received);
	write_welcome(&message, config, user);
	int done = body_append(store, &body, buf_slice(&message), e);
	if (done == 0)
		done = deliver(store, config, &delivery, &body, &result, e);
	if (done == 0 && result != ERR_NONE)
		done = err_set(e, result, "the welcome message finds no mailbox at %s", user);
	body_writer_free(&body);
	buf_free(&message);
	buf_free(&received);
	return done;
}

/* The first user and the message that waits for it; *password stays empty where
 * there are users already. */
static int add_first_user(struct office *office, const char *user,
	char password[PASSWORD_GENERATED_MAX], struct err *e)
{
	char hash[HASH_MAX];
	bool any = false;
	struct store *store = office->store;
	if (users_each(store, note_user, &any, e) < 0)
		return -1;
	if (any)
		return 0;
	password_generate(password);
	int done = password_hash(slice_of(password), hash, e);
	if (done == 0)
		done = store_begin(store, e);
	if (done == 0)
		done = users_add(store, &office->config, slice_of(user), hash, QUOTA_DEFAULT, e);
	if (done == 0)
		done = deliver_welcome(store, &office->config, user, e);
	if (done == 0)
		done = store_commit(store, e);
	if (done < 0)
		store_rollback(store);
	wipe(hash, sizeof(hash));
	return done;
}

/* An office for the world needs more than a program. */
static void say_next(const struct setup *setup, const struct config *config)
{
	bool systemd = access("/run/systemd/system", F_OK) == 0;
	printf("\nWhat is left to do:\n"
	       "1. start it:     %s\n"
	       "2. DNS:          `officemail dns` prints the records to publish; whoever gives "
	       "this\n"
	       "                 box its address lets that lead back to %s (PTR)\n"
	       "3. firewall:     let in 25 (mail from the world), 465 and 587 (people send), 995 "
	       "and\n"
	       "                 110 (people fetch), and 80 while a certificate is asked for\n"
	       "4. certificate:  the one made here is self-signed; one that programs trust by "
	       "itself:\n"
	       "                 certbot certonly --standalone -d %s%s\n"
	       "                 then in [tls] of %s:\n"
	       "                 certificate = /etc/letsencrypt/live/%s/fullchain.pem\n"
	       "                 key         = /etc/letsencrypt/live/%s/privkey.pem\n"
	       "5. and then:     `officemail check` says what is still wrong, `officemail client "
	       "%s`\n"
	       "                 what to type into a mail program\n",
		systemd ? "systemctl enable --now officemail" : "officemail serve",
		config->hostname, config->hostname,
		systemd ? " \\\n                     --deploy-hook \"systemctl reload officemail\""
			: "",
		setup->file, config->hostname, config->hostname, setup->user);
}

static void say(const struct setup *setup, const struct config *config, const char *password)
{
	if (setup->made == 0) {
		printf("%s is set up already; nothing was changed\n", setup->file);
		return;
	}
	printf("settings: %s\ndata:     %s\n", setup->file, config->data);
	if (*password)
		printf("user:     %s\npassword: %s\n          (shown this once; `officemail user "
		       "passwd %s` gives another)\n",
			setup->user, password, setup->user);
	if (setup->borrowed)
		printf("account:  nobody, because there is no account \"officemail\": good for a "
		       "trial;\n          for more, `adduser --system --group --no-create-home "
		       "officemail` first\n");
	if (setup->installed)
		say_next(setup, config);
	else
		printf("now:      officemail -c %s serve\n"
		       "then:     officemail -c %s dns    (the records to publish)\n",
			setup->file, setup->file);
}

static int make_office(struct command_line *line, struct setup *setup, struct office *office,
	char password[PASSWORD_GENERATED_MAX], struct err *e)
{
	struct command_line ours = *line;
	ours.config_path = setup->file;
	if (write_office_ini(line, setup, e) < 0 || office_read(&ours, &office->config, e) < 0 ||
		make_data_directory(&office->config, setup, e) < 0 ||
		account_assume(office->config.user, e) < 0)
		return -1;
	if (eaccess(office->config.data, R_OK | W_OK | X_OK) != 0)
		return err_set(e, ERR_DENIED,
			"the account %s cannot reach %s; choose a --dir that every account may "
			"pass through, or mend the rights of the directories above",
			setup->unprivileged ? "that calls" : office->config.user,
			office->config.data);
	int made = certificate_make(&office->config, e);
	if (made < 0)
		return err_prefix(e, "certificate: ");
	int key = signing_make(&office->config, e);
	if (key < 0)
		return -1;
	if (store_open(&office->store, office->config.data, STORE_TOOL,
		    (enum config_sync)office->config.sync, e) < 0 ||
		add_first_user(office, setup->user, password, e) < 0)
		return -1;
	setup->made += (unsigned)(made + key) + (*password != '\0');
	return 0;
}

int command_init(struct command_line *line, struct err *e)
{
	struct setup setup = {.unprivileged = geteuid() != 0};
	struct office office = {.store = NULL};
	char password[PASSWORD_GENERATED_MAX] = "";
	if (choose_names(line, &setup, e) < 0 || choose_places(line, &setup, e) < 0)
		return -1;
	int result = make_office(line, &setup, &office, password, e);
	if (result == 0)
		say(&setup, &office.config, password);
	wipe(password, sizeof(password));
	office_close(&office);
	return result;
}
