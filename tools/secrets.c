/* The chain that sessions show is changed only when the keys role has its key: until
 * then the new pair is an offer. */
#include "tools/secrets.h"
#include "base/log.h"
#include "base/text.h"
#include "store/requests.h"
#include "tools/certificate.h"
#include "tools/terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the certificate ---- */

static struct {
	const struct tls_chain *chain; /* what sessions are born with; NULL: none yet */
	int key_fd;                    /* its key, for a keys role that is started anew */
	struct tls_chain *offered;     /* until the keys role has its key */
	int offered_key_fd;
	struct stat seen[2]; /* the files as they were when last read */
	size_t role;         /* keys */
} shown = {.key_fd = -1, .offered_key_fd = -1};

static void drop_offer(void)
{
	tls_chain_free(shown.offered);
	shown.offered = NULL;
	if (shown.offered_key_fd >= 0)
		close(shown.offered_key_fd);
	shown.offered_key_fd = -1;
}

/* `mend`: what to do where it is not there. */
static int open_secret(const char *path, const char *mend, struct err *e)
{
	/* Whatever it is, the master does not wait for it. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		err_set_errno(e, "%s (%s)", path,
			errno == EACCES ? "start as root, or let the account that starts read it"
					: mend);
	return fd;
}

static int open_pem(const char *path, struct err *e)
{
	return open_secret(path, "put back the pair that belongs together", e);
}

/* Reads the chain, and opens the key, which no eye but the keys role's sees. */
static int read_pair(const struct certificate_paths *paths, struct err *e)
{
	int fd = open_pem(paths->certificate, e);
	if (fd < 0)
		return -1;
	fstat(fd, &shown.seen[0]);
	int done = tls_chain_read(&shown.offered, fd, paths->certificate, e);
	close(fd);
	if (done < 0)
		return -1;
	shown.offered_key_fd = open_pem(paths->key, e);
	if (shown.offered_key_fd < 0)
		return -1;
	fstat(shown.offered_key_fd, &shown.seen[1]);
	if (shown.seen[1].st_mode & S_IRWXO)
		return err_set(e, ERR_DENIED, "key %s can be read by everybody: chmod 0600 %s",
			paths->key, paths->key);
	return 0;
}

static void send_key(const struct tls_chain *chain, int key_fd, const char *path)
{
	struct buf body = {0};
	pack_fixed(&body, tls_chain_key_id(chain), TLS_KEY_ID_SIZE);
	pack_text(&body, path);
	procs_tell(shown.role, MASTER_KEY_FILE, buf_slice(&body), key_fd);
	buf_free(&body);
}

/* Without a certificate there is nothing to serve; with one, the old stays. */
static void refuse_pair(const struct err *e)
{
	drop_offer();
	if (shown.chain) {
		log_failure(LOG_ERROR, "certificate-refused", e);
		return;
	}
	terminal_tell("officemail: %s", e->text);
	procs_stop(1);
}

/* Offers the files' pair to the keys role; its answer comes to secrets_answer(). One
 * that is down is told when it is up again. */
static void offer_pair(const struct certificate_paths *paths)
{
	struct err e;
	drop_offer();
	if (read_pair(paths, &e) < 0)
		refuse_pair(&e);
	else
		send_key(shown.offered, shown.offered_key_fd, paths->key);
}

static void show_offered(void)
{
	bool is_first = !shown.chain;
	char expires[TEXT_DATE_MAX];
	tls_chain_free((struct tls_chain *)(uintptr_t)shown.chain);
	if (shown.key_fd >= 0)
		close(shown.key_fd);
	shown.chain = shown.offered;
	shown.key_fd = shown.offered_key_fd;
	shown.offered = NULL;
	shown.offered_key_fd = -1;
	if (!is_first)
		log_event(LOG_INFO, "certificate",
			log_text("expires", text_of_time(expires, tls_chain_expires(shown.chain))));
}

void secrets_answer(const struct frame *frame)
{
	struct unpack in = {.rest = frame->body};
	unsigned char key_id[TLS_KEY_ID_SIZE];
	struct err e = {.kind = ERR_INPUT};
	unpack_fixed(&in, key_id, sizeof(key_id));
	unpack_text(&in, e.text, sizeof(e.text));
	/* An answer about the key of a chain that is shown already is no news. */
	if (!shown.offered || memcmp(key_id, tls_chain_key_id(shown.offered), sizeof(key_id)) != 0)
		return;
	if (frame->type == MASTER_KEY_TAKEN)
		show_offered();
	else
		refuse_pair(&e);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

const struct tls_chain **secrets_chain(void)
{
	return &shown.chain;
}

void secrets_begin_keys(struct procs *procs, size_t role)
{
	struct certificate_paths paths;
	shown.role = role;
	certificate_find(procs->config, &paths);
	if (shown.chain)
		send_key(shown.chain, shown.key_fd, paths.key);
	if (!shown.chain || shown.offered)
		offer_pair(&paths);
}

static void watch_certificate(const struct config *config)
{
	struct certificate_paths paths;
	struct stat now[2];
	certificate_find(config, &paths);
	/* One that is away for a moment is being replaced. */
	if (stat(paths.certificate, &now[0]) < 0 || stat(paths.key, &now[1]) < 0)
		return;
	if (is_same_file(&now[0], &shown.seen[0]) && is_same_file(&now[1], &shown.seen[1]))
		return;
	offer_pair(&paths);
}

/* ---- the password for the smarthost ---- */

static struct stat password_seen;
static size_t relay_role;

static int open_password(const char *path, struct err *e)
{
	int fd = open_secret(path, "write the smarthost's password to its first line", e);
	if (fd >= 0 && fstat(fd, &password_seen) == 0 && (password_seen.st_mode & 077) == 0)
		return fd;
	if (fd >= 0) {
		err_set(e, ERR_DENIED, "%s can be read by others: chmod 0600 %s", path, path);
		close(fd);
	}
	return -1;
}

/* Opened here, so that it can be root's; the relay's deliveries read it. */
static void send_password(const struct config *config)
{
	struct err e;
	const char *path = config->relay_password_file;
	int fd = path[0] ? open_password(path, &e) : -1;
	if (path[0] && fd < 0)
		log_failure(LOG_ERROR, "password-refused", &e);
	procs_tell(relay_role, MASTER_PASSWORD_FILE, SLICE(""), fd);
	if (fd >= 0)
		close(fd);
}

static void watch_password(const struct config *config)
{
	struct stat now;
	const char *path = config->relay_password_file;
	if (path[0] && stat(path, &now) == 0 && !is_same_file(&now, &password_seen))
		send_password(config);
}

void secrets_begin_relay(struct procs *procs, size_t role)
{
	relay_role = role;
	send_password(procs->config);
}

void secrets_reload(const struct config *config)
{
	watch_certificate(config);
	send_password(config);
}

void secrets_watch(struct procs *procs)
{
	watch_certificate(procs->config);
	watch_password(procs->config);
}
