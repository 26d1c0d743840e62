/* `officemail serve`: the one place where the parts meet. Fills the tables of
 * services and roles, binds, and hands over to the master's loop. */
#include "base/account.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/peers.h"
#include "base/procs.h"
#include "pop3d/pop3d.h"
#include "smtpd/filter.h"
#include "smtpd/relay.h"
#include "smtpd/smtpd.h"
#include "store/requests.h"
#include "store/roles.h"
#include "tools/certificate.h"
#include "tools/command.h"
#include "tools/secrets.h"
#include "tools/signing.h"
#include "tools/submit.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMTP_BUSY    "421 4.3.2 the server is busy; try again later\r\n"
#define POP3_BUSY    "-ERR [SYS/TEMP] the server is busy; try again later\r\n"
#define POP3_BUSY_ID "-ERR [SYS/TEMP] server sedang sibuk; coba lagi nanti\r\n"

enum { SMTP, LMTP, SUBMISSION, SUBMISSIONS, LOCAL, POP3, POP3S, SERVICES };
static struct procs_service services[SERVICES] = {
	[SMTP] = {.name = "smtp", .run = smtpd_serve, .busy = SMTP_BUSY},
	[LMTP] = {.name = "lmtp", .run = smtpd_serve, .busy = SMTP_BUSY},
	[SUBMISSION] = {.name = "submission", .run = smtpd_serve, .busy = SMTP_BUSY},
	[SUBMISSIONS] = {.name = "submission", .run = smtpd_serve, .tls_first = true},
	[LOCAL] = {.name = "local", .run = smtpd_serve, .busy = SMTP_BUSY, .by_account = true},
	[POP3] = {.name = "pop3", .run = pop3d_serve}, /* .busy: choose_words() */
	[POP3S] = {.name = "pop3", .run = pop3d_serve, .tls_first = true},
};

enum { WRITER, DIRECTORY, KEYS, RELAY, ROLES };
static const struct procs_role roles[ROLES] = {
	[WRITER] = {.name = "writer", .run = writer_run, .has_bell = true},
	[DIRECTORY] = {.name = "directory", .run = directory_run, .has_bell = true},
	[KEYS] = {.name = "keys", .run = keys_run, .has_bell = true},
	[RELAY] = {.name = "relay", .run = relay_run, .ends_first = true},
};

static int64_t *filter_told_ms; /* see base/service.h */

/* ---- the master's hooks ---- */

static void role_started(struct procs *procs, size_t role)
{
	if (role == RELAY)
		secrets_begin_relay(procs, role);
	if (role != KEYS)
		return;
	secrets_begin_keys(procs, role);
	signing_begin(procs, role);
}

static void role_says(struct procs *procs, size_t role, const struct frame *frame)
{
	if (role == KEYS &&
		(frame->type == MASTER_DKIM_TAKEN || frame->type == MASTER_DKIM_REFUSED)) {
		signing_answer(procs, frame);
	} else if (role == KEYS) {
		secrets_answer(frame);
	} else if (role == DIRECTORY && frame->type == MASTER_KNOWN_ADDRESS) {
		struct unpack in = {.rest = frame->body};
		char address[PEER_TEXT_MAX];
		struct peer peer;
		unpack_text(&in, address, sizeof(address));
		int64_t when_ms = (int64_t)unpack_number(&in);
		if (!in.failed && peer_parse(&peer, address))
			peers_learn(&peer, when_ms);
	}
}

static bool is_ready(void)
{
	return *secrets_chain() && signing_is_ready();
}

static size_t sign_by_keys(
	void *arg, const struct tls_signing *what, unsigned char signature[TLS_SIGNATURE_MAX])
{
	struct visitor *visitor = arg;
	return request_sign(&visitor->keys, what, signature);
}

/* Told by the listener and by where the visitor comes from, of whom nothing has been
 * read. */
static enum service_kind kind_of(const struct visitor *visitor)
{
	static const enum service_kind kinds[] = {
		SERVICE_LMTP, SERVICE_LOCAL, SERVICE_POP3, SERVICE_SUBMISSION};
	enum service_kind kind = SERVICE_SMTP;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(visitor->service, service_name(kinds[i])) == 0)
			kind = kinds[i];
	if ((kind == SERVICE_SMTP || kind == SERVICE_SUBMISSION) &&
		peer_is_in(visitor->peer, visitor->config->trusted))
		kind = SERVICE_TRUSTED;
	return kind;
}

static int prepare(struct visitor *visitor, int run_dir, struct err *e)
{
	const struct {
		struct channel *channel;
		const char *name;
		int bell;
	} wanted[] = {{&visitor->directory, "directory" BELL_WAITING, procs_bell(DIRECTORY)},
		{&visitor->writer, "writer" BELL_WAITING, procs_bell(WRITER)},
		{&visitor->keys, "keys" BELL_WAITING, procs_bell(KEYS)}};
	enum service_kind kind = kind_of(visitor);
	visitor->trusted = kind == SERVICE_TRUSTED || kind == SERVICE_LOCAL;
	visitor->sign = sign_by_keys;
	if (kind == SERVICE_LOCAL) {
		visitor->chain = NULL; /* nobody listens in */
		peer_name_account(visitor->peer, visitor->uid);
	}
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (channel_connect(wanted[i].channel, run_dir, wanted[i].name, e) < 0 ||
			request_hello(wanted[i].channel, kind, visitor->peer, e) < 0)
			return -1;
		wanted[i].channel->bell = wanted[i].bell;
	}
	if (kind != SERVICE_POP3 && *visitor->config->milter) {
		filter_connect(visitor);
		visitor->filter_told_ms = filter_told_ms;
	}
	return 0;
}

/* A page that all sessions write to: a filter that is down is not told by each of them. */
static int share_page(struct err *e)
{
	void *page = mmap(NULL, sizeof(*filter_told_ms), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return err_set_errno(e, "mmap");
	filter_told_ms = page;
	return 0;
}

/* What cannot change while the server runs. */
#define FIXED(field)                                                                               \
	{                                                                                          \
		offsetof(struct config, field), sizeof(((struct config *)0)->field)                \
	}
static const struct {
	size_t offset, size;
} fixed[] = {FIXED(data), FIXED(user), FIXED(smtpd_listen), FIXED(smtpd_lmtp),
	FIXED(submission_listen), FIXED(submission_listen_tls), FIXED(pop3d_listen),
	FIXED(pop3d_listen_tls)};

/* Returns whether the file wanted another. */
static bool keep_fixed(struct config *to, const struct config *from)
{
	bool differs = false;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		char *value = (char *)to + fixed[i].offset;
		const char *kept = (const char *)from + fixed[i].offset;
		differs |= strcmp(value, kept) != 0;
		memcpy(value, kept, fixed[i].size);
	}
	return differs;
}

static void choose_words(const struct config *config)
{
	services[POP3].busy = config->language == LANGUAGE_ID ? POP3_BUSY_ID : POP3_BUSY;
}

static void reload(struct procs *procs)
{
	static struct config fresh;
	struct buf faults = {0};
	notify_manager("RELOADING=1");
	if (config_read(&fresh, procs->config->file, &faults) < 0) {
		buf_add_char(&faults, '\0');
		for (char *line = faults.at, *end; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			log_event(LOG_ERROR, "reload-refused", log_reason(line));
		}
	} else {
		if (keep_fixed(&fresh, procs->config))
			log_event(LOG_WARNING, "reload-in-part",
				log_reason("other listeners, user or data are taken at the "
					   "next start"));
		char selector[CONFIG_NAME_MAX];
		memcpy(selector, fresh.dkim_selector, sizeof(selector));
		memcpy(fresh.dkim_selector, procs->config->dkim_selector, sizeof(selector));
		*procs->config = fresh;
		choose_words(procs->config);
		procs_send_config();
		signing_offer(procs, KEYS, selector);
		log_event(LOG_INFO, "reloaded", log_text("file", fresh.file));
		secrets_reload(procs->config);
	}
	buf_free(&faults);
	notify_manager("READY=1");
}

/* ---- beginning ---- */

/* Under the office's account: the lock, certificate and key where there are none, DATA/run. */
static int prepare_data(struct procs *procs, struct err *e)
{
	const struct config *config = procs->config;
	int *run_dir = &procs->run_dir;
	char path[CONFIG_PATH_MAX + 16];
	struct stat there;
	/* First of all: a second server must not touch what the first has bound. */
	if (store_check_files(config->data, e) < 0 ||
		store_lock(&procs->lock, config->data, getpid(), e) < 0 ||
		certificate_make(config, e) < 0 || signing_make(config, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/store.db", config->data);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return err_set(e, ERR_MISSING,
			"%s does not exist, and a server without it would refuse all mail for "
			"good: "
			"`officemail restore FILE` brings a backup back, `officemail init` makes a "
			"new "
			"store",
			path);
	snprintf(path, sizeof(path), "%s/run", config->data);
	if (mkdir(path, 0700) < 0 && access(path, F_OK) < 0)
		return err_set_errno(e, "%s", path);
	*run_dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*run_dir < 0 || fstat(*run_dir, &there) < 0)
		return err_set_errno(e, "%s", path);
	if (there.st_uid != geteuid() || there.st_mode & 077)
		return err_set(e, ERR_DENIED,
			"%s is open to others or not ours: take it away, it is made anew", path);
	return 0;
}

static int bind_services(
	const struct config *config, const struct sandbox_account *account, struct err *e)
{
	const char *const lists[SERVICES] = {[SMTP] = config->smtpd_listen,
		[LMTP] = config->smtpd_lmtp,
		[SUBMISSION] = config->submission_listen,
		[SUBMISSIONS] = config->submission_listen_tls,
		[POP3] = config->pop3d_listen,
		[POP3S] = config->pop3d_listen_tls};
	for (size_t i = 0; i < SERVICES; i++)
		if (lists[i] && listen_open(lists[i], account->uid, account->gid, services[i].fds,
					&services[i].fd_count, e) < 0)
			return -1;
	return 0;
}

/* An office whose directory cannot hold it still has its mail to serve. */
static void bind_local(const struct config *config)
{
	struct err e;
	int fd = submit_listen(config->file, &e);
	if (fd >= 0)
		services[LOCAL].fds[services[LOCAL].fd_count++] = fd;
	else
		log_failure(LOG_WARNING, "no-sendmail", &e);
}

static int find_account(const struct config *config, struct sandbox_account *account, struct err *e)
{
	*account = (struct sandbox_account){0};
	if (geteuid() != 0)
		return 0;
	if (account_find(config->user, &account->uid, &account->gid, e) < 0)
		return -1;
	if (account->uid == 0)
		return err_set(e, ERR_INPUT,
			"[office] user is %s, which has root's rights: name an account without",
			config->user);
	return 0;
}

int command_serve(struct command_line *line, struct err *e)
{
	static struct config config;
	struct procs procs = {.config = &config,
		.services = services,
		.service_count = SERVICES,
		.roles = roles,
		.role_count = ROLES,
		.chain = secrets_chain(),
		.role_started = role_started,
		.role_says = role_says,
		.is_ready = is_ready,
		.prepare = prepare,
		.each_minute = secrets_watch,
		.reload = reload};
	log_open();
	if (office_read(line, &config, e) < 0 || find_account(&config, &procs.account, e) < 0 ||
		account_assume(config.user, e) < 0)
		return -1;
	choose_words(&config);
	int done = prepare_data(&procs, e);
	account_resume();
	if (done < 0 || sandbox_prepare(e) < 0 || share_page(e) < 0 ||
		bind_services(&config, &procs.account, e) < 0)
		return -1;
	bind_local(&config);
	log_event(LOG_INFO, "starting", log_text("version", OFFICEMAIL_VERSION),
		log_text("sealed", sandbox_is_sealed_build() ? "yes" : "no"),
		log_number("pid", getpid()));
	return procs_run(&procs, e);
}
