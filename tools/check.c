/* `officemail check`: everything that can be wrong with an office, each as one
 * sentence that says how to mend it. Goes on after a finding as long as the
 * next question still makes sense. */
#include "base/account.h"
#include "base/listen.h"
#include "base/text.h"
#include "base/tls.h"
#include "smtpd/terms.h"
#include "store/addresses.h"
#include "store/mail.h"
#include "store/requests.h"
#include "store/room.h"
#include "tools/certificate.h"
#include "tools/command.h"
#include "tools/signing.h"
#include "tools/submit.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static unsigned findings;

__attribute__((format(printf, 1, 2))) static void finding(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	findings++;
}

/* ---- ports ---- */

/* Before the account is changed: root may bind what the account may not. */
static void check_listeners(const struct config *config, bool served)
{
	const char *const lists[] = {config->smtpd_listen, config->submission_listen,
		config->submission_listen_tls, config->pop3d_listen, config->pop3d_listen_tls,
		config->smtpd_lmtp[0] == '/' ? "" : config->smtpd_lmtp};
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct slice word;
		for (size_t n = 0; config_word(lists[i], n, &word); n++) {
			char one[CONFIG_LIST_MAX];
			int fds[LISTENERS_MAX];
			size_t count = 0;
			struct err e;
			snprintf(one, sizeof(one), "%.*s", (int)word.len, word.at);
			/* Denied, too, is what the server has long opened as root. */
			if (listen_open(one, 0, 0, fds, &count, &e) < 0 &&
				!(served && (e.kind == ERR_IN_USE || e.kind == ERR_DENIED)))
				finding("%s", e.text);
			while (count > 0)
				close(fds[--count]);
		}
	}
}

/* Why it is not there the server says when it starts, in its log alone. */
static void check_submit(const struct config *config)
{
	struct err e;
	int fd = submit_connect(config->file, &e);
	if (fd >= 0)
		close(fd);
	else
		finding("%s: programs of this box cannot send; why the server's log says "
			"(no-sendmail)",
			e.text);
}

/* ---- certificate ---- */

static int open_pem(const struct config *config, const char *path)
{
	int fd = account_open(path, O_RDONLY, 0);
	if (fd >= 0)
		return fd;
	if (errno == EACCES && getuid() != 0)
		finding("%s: %s; ask again as root", path, strerror(errno));
	else if (errno == ENOENT && !*config->tls_certificate)
		finding("%s: %s; where neither it nor the other of the pair is there, the "
			"server makes both when it starts",
			path, strerror(errno));
	else
		finding("%s: %s; mend [tls] in %s", path, strerror(errno), config->file);
	return -1;
}

static void check_chain(const struct config *config, const struct tls_chain *chain,
	const struct certificate_paths *paths)
{
	char when[TEXT_DATE_MAX];
	int64_t expires = tls_chain_expires(chain);
	if (expires < time(NULL))
		finding("%s expired at %s: renew it%s", paths->certificate,
			text_of_time(when, expires),
			*config->tls_certificate ? ""
						 : ", or take it and key.pem away and `officemail "
						   "init` makes another");
	if (!tls_chain_names(chain, config->hostname))
		finding("%s does not name %s: clients will refuse it; get one that does, or mend "
			"[office] hostname",
			paths->certificate, config->hostname);
}

static void check_key(int fd, const struct tls_chain *chain, const struct certificate_paths *paths)
{
	struct tls_key *key = NULL;
	struct stat what;
	struct err e;
	if (fstat(fd, &what) == 0 && what.st_mode & S_IRWXO)
		finding("%s can be read by every account of this box: `chmod o= %s`", paths->key,
			paths->key);
	if (tls_key_read(&key, fd, paths->key, &e) < 0) {
		finding("%s", e.text);
		return;
	}
	if (chain && memcmp(tls_chain_key_id(chain), tls_key_id(key), TLS_KEY_ID_SIZE) != 0)
		finding("%s is not the key of %s: put the two that belong together there",
			paths->key, paths->certificate);
	tls_key_free(key);
}

static void check_certificate(const struct config *config)
{
	struct certificate_paths paths;
	struct tls_chain *chain = NULL;
	struct err e;
	certificate_find(config, &paths);
	int fd = open_pem(config, paths.certificate);
	if (fd >= 0 && tls_chain_read(&chain, fd, paths.certificate, &e) < 0)
		finding("%s", e.text);
	if (chain)
		check_chain(config, chain, &paths);
	if (fd >= 0)
		close(fd);
	fd = open_pem(config, paths.key);
	if (fd >= 0) {
		check_key(fd, chain, &paths);
		close(fd);
	}
	if (chain)
		tls_chain_free(chain);
}

/* ---- the key that signs mail ---- */

static void check_signing_key(const struct config *config)
{
	char path[SIGNING_PATH_MAX];
	struct tls_key *key = NULL;
	struct stat what;
	struct err e;
	signing_path(path, config->data, config->dkim_selector);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		finding("%s: %s; where it is absent, `officemail dns` makes it", path,
			strerror(errno));
		return;
	}
	if (fstat(fd, &what) == 0 && what.st_mode & (S_IRWXG | S_IRWXO))
		finding("%s is open to other accounts: `chmod 600 %s`", path, path);
	if (tls_key_read(&key, fd, path, &e) < 0)
		finding("%s", e.text);
	else if (tls_key_rsa_bits(key) < DKIM_BITS_LEAST)
		finding("%s cannot sign mail, which takes RSA and %d bits at least: take it away, "
			"and `officemail dns` makes another to publish",
			path, DKIM_BITS_LEAST);
	tls_key_free(key);
	close(fd);
}

/* ---- the smarthost ---- */

static void check_smarthost(const struct config *config)
{
	const char *path = config->relay_password_file;
	struct terms terms = {0};
	struct err e;
	if (!config->smarthost[0])
		return;
	int fd = *path ? account_open(path, O_RDONLY | O_NONBLOCK, 0) : -1;
	if (terms_of_smarthost(&terms, config, fd, &e) < 0)
		finding("%s", e.text);
	terms_free(&terms);
	if (fd >= 0)
		close(fd);
}

/* ---- the data directory ---- */

/* True if the store can be looked for in it. */
static bool check_data(const struct config *config)
{
	struct stat what;
	if (lstat(config->data, &what) != 0) {
		finding("%s: %s; %s", config->data, strerror(errno),
			errno == ENOENT ? "`officemail init` makes it"
					: "mend the rights of the directories above");
		return false;
	}
	if (!S_ISDIR(what.st_mode)) {
		finding("%s is no directory (a link will not do): name the directory itself in "
			"[office] data",
			config->data);
		return false;
	}
	if (what.st_uid != geteuid())
		finding("%s belongs to another account: `chown -R %s %s`", config->data,
			config->user, config->data);
	if (what.st_mode & (S_IRWXG | S_IRWXO))
		finding("%s is open to other accounts: `chmod 700 %s`", config->data, config->data);
	return true;
}

/* ---- people and addresses ---- */

struct people {
	const struct config *config;
	size_t users;
	bool postmaster_is_alias;
	struct buf targets; /* "alias\0target\0" each, to be resolved when no list is open */
};

static bool is_ours(const struct config *config, struct slice address)
{
	slice_cut(&address, '@');
	return config_has_domain(config, address);
}

static int check_user(const struct user *user, void *arg)
{
	struct people *people = arg;
	people->users++;
	if (!is_ours(people->config, slice_of(user->address)))
		finding("user %s: the domain is not among [office] domains, so no mail arrives; "
			"add it there, or `officemail user rename`",
			user->address);
	return 0;
}

static int note_alias(const struct alias *alias, void *arg)
{
	struct people *people = arg;
	if (!is_ours(people->config, slice_of(alias->alias)))
		finding("alias %s: the domain is not among [office] domains; add it there, or "
			"`officemail alias remove %s`",
			alias->alias, alias->alias);
	if (slice_equal(slice_of(alias->alias), slice_of(people->config->postmaster)))
		people->postmaster_is_alias = true;
	for (size_t i = 0; i < alias->count; i++) {
		buf_add(&people->targets, alias->alias, strlen(alias->alias) + 1);
		buf_add(&people->targets, alias->targets[i], strlen(alias->targets[i]) + 1);
	}
	return 0;
}

/* Does mail for `address` reach a mailbox, or leave? */
static int leads_somewhere(
	struct store *store, const struct config *config, struct slice address, struct err *e)
{
	struct destinations destinations = {0};
	int result = addresses_resolve(store, config, address, &destinations, e);
	destinations_free(&destinations);
	return result;
}

static void check_targets(struct store *store, struct people *people)
{
	struct slice rest = buf_slice(&people->targets);
	while (rest.len > 0) {
		struct slice alias = slice_cut(&rest, '\0'), target = slice_cut(&rest, '\0');
		struct address outside;
		struct err e;
		bool domain = target.len > 0 && target.at[0] == '@';
		bool ours = is_ours(people->config, target);
		if (ours ? domain || leads_somewhere(store, people->config, target, &e) == 0
			 : !domain && addresses_check_outside(&outside, target, &e) == 0)
			continue;
		finding("alias %s leads to %s, where nobody is: add the user, or "
			"`officemail alias remove %s %s`",
			alias.at, target.at, alias.at, target.at);
	}
}

/* postmaster@ and abuse@ always lead somewhere, by falling back: they must be
 * there by themselves. */
static bool is_somebody(struct store *store, const struct people *people, struct slice address)
{
	struct user user;
	struct err e;
	struct slice domain = address;
	struct slice local = slice_cut(&domain, '@');
	if (users_find(store, address, &user, &e) == 1 || people->postmaster_is_alias)
		return true;
	return !slice_equal(local, SLICE("postmaster")) && !slice_equal(local, SLICE("abuse")) &&
	       leads_somewhere(store, people->config, address, &e) == 0;
}

static int check_people(struct store *store, const struct config *config, struct err *e)
{
	struct people people = {.config = config};
	int result = users_each(store, check_user, &people, e);
	if (result >= 0)
		result = aliases_each(store, note_alias, &people, e);
	if (result >= 0)
		check_targets(store, &people);
	buf_free(&people.targets);
	if (result < 0)
		return -1;
	if (people.users == 0) {
		finding("there are no users: `officemail user add ADDRESS`");
		return 0;
	}
	if (!is_somebody(store, &people, slice_of(config->postmaster)))
		finding("[office] postmaster %s is nobody here: add the user, or name another",
			config->postmaster);
	return 0;
}

/* ---- all of it ---- */

static void note_damage(const char *sentence, void *arg)
{
	(void)arg;
	finding("%s", sentence);
}

/* Is mail taken, and does nothing give way to it that was to be kept? */
static int check_room(struct store *store, const struct config *config, struct err *e)
{
	struct err why;
	int room = room_for_mail(store, config, 0, e);
	if (room != 0)
		return room < 0 ? -1 : 0;
	room = room_can_be_made(store, config, 0, e);
	if (room > 0)
		finding("%s: less than [store] reserve is free on its disk: messages kept for "
			"restore give way to mail; delete what is not mail, or make it bigger",
			config->data);
	else if (room == 0 && room_refuse(config, &why) < 0)
		finding("%s", why.text);
	return room < 0 ? -1 : 0;
}

static int check_store(const struct config *config, struct err *e)
{
	struct store *store = NULL;
	if (store_open(&store, config->data, STORE_READER, (enum config_sync)config->sync, e) < 0) {
		finding("%s", e->text);
		return 0;
	}
	int result = mail_check(store, note_damage, NULL, e) < 0 ? -1 : 0;
	if (result == 0)
		result = check_room(store, config, e);
	if (result == 0)
		result = check_people(store, config, e);
	store_close(store);
	return result;
}

int command_check(struct command_line *line, struct err *e)
{
	struct config config;
	int64_t server = 0;
	int result = 0;
	if (office_read(line, &config, e) < 0)
		return -1;
	if (store_server(config.data, &server, e) < 0) {
		/* Whoever may not look would find fault with all that is well. */
		if (e->kind == ERR_DENIED)
			return -1;
		finding("%s", e->text);
	}
	check_listeners(&config, server != 0);
	if (server != 0)
		check_submit(&config);
	if (account_assume(config.user, e) < 0) {
		finding("%s", e->text);
	} else {
		check_certificate(&config);
		check_smarthost(&config);
		if (check_data(&config)) {
			check_signing_key(&config);
			result = check_store(&config, e);
		}
		account_resume();
	}
	if (result == 0 && findings > 0)
		result = err_set(e, ERR_INPUT, "%s: %u thing%s to mend", config.file, findings,
			findings == 1 ? "" : "s");
	if (result == 0)
		printf("%s: nothing is wrong\n", config.file);
	return result;
}
