/* The key that signs mail. */
#include "tools/signing.h"
#include "base/cert.h"
#include "base/log.h"
#include "store/requests.h"
#include "tools/file.h"
#include "tools/terminal.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *signing_path(char path[SIGNING_PATH_MAX], const char *data, const char *selector)
{
	snprintf(path, SIGNING_PATH_MAX, "%s/dkim/%s.pem", data, selector);
	return path;
}

int signing_make(const struct config *config, struct err *e)
{
	char path[SIGNING_PATH_MAX], directory[CONFIG_PATH_MAX + 16];
	struct buf key = {0};
	if (access(signing_path(path, config->data, config->dkim_selector), F_OK) == 0)
		return 0;
	snprintf(directory, sizeof(directory), "%s/dkim", config->data);
	if (file_make_directory(directory, 0700, FILE_OWN, FILE_OWN, e) < 0)
		return -1;
	cert_make_rsa_key(&key);
	int result = file_write_new(path, 0600, buf_slice(&key), e);
	buf_wipe(&key);
	if (result < 0 && access(path, F_OK) == 0)
		return 0; /* somebody else was faster */
	return result < 0 ? -1 : 1;
}

/* ---- for the master ---- */

static struct offer {
	char selector[CONFIG_NAME_MAX]; /* empty: none */
	char path[SIGNING_PATH_MAX];
	int fd;
} taken = {.fd = -1}, offered = {.fd = -1};

static void drop(struct offer *offer)
{
	if (offer->fd >= 0)
		close(offer->fd);
	*offer = (struct offer){.fd = -1};
}

static void hand_over(const struct offer *offer, size_t role)
{
	struct buf body = {0};
	pack_text(&body, offer->selector);
	pack_text(&body, offer->path);
	procs_tell(role, MASTER_DKIM_KEY, buf_slice(&body), offer->fd);
	buf_free(&body);
}

/* Without a key there is nothing to serve; with one, the old stays. */
static void complain(const struct err *e)
{
	if (signing_is_ready()) {
		log_failure(LOG_ERROR, "signing-key-refused", e);
		return;
	}
	terminal_tell("officemail: %s", e->text);
	procs_stop(1);
}

/* Opens the file, which no eye but the keys role's sees. */
static int open_key(struct offer *offer, struct err *e)
{
	struct stat what;
	/* Whatever it is, the master does not wait for it. */
	offer->fd = open(offer->path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (offer->fd < 0 || fstat(offer->fd, &what) < 0)
		return err_set_errno(
			e, "%s (where it is absent, `officemail dns` makes it)", offer->path);
	if (what.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(e, ERR_DENIED, "key %s is open to other accounts: chmod 0600 %s",
			offer->path, offer->path);
	return 0;
}

void signing_offer(struct procs *procs, size_t role, const char *selector)
{
	struct err e;
	drop(&offered);
	snprintf(offered.selector, sizeof(offered.selector), "%s", selector);
	signing_path(offered.path, procs->config->data, selector);
	if (open_key(&offered, &e) < 0) {
		drop(&offered);
		complain(&e);
	} else {
		hand_over(&offered, role);
	}
}

void signing_begin(struct procs *procs, size_t role)
{
	if (signing_is_ready())
		hand_over(&taken, role);
	/* What was offered last has died with the role before. */
	if (*offered.selector)
		hand_over(&offered, role);
	else if (!signing_is_ready())
		signing_offer(procs, role, procs->config->dkim_selector);
}

void signing_answer(struct procs *procs, const struct frame *frame)
{
	struct unpack in = {.rest = frame->body};
	char selector[CONFIG_NAME_MAX];
	struct err e = {.kind = ERR_INPUT};
	unpack_text(&in, selector, sizeof(selector));
	unpack_text(&in, e.text, sizeof(e.text));
	bool is_offered = *offered.selector && strcmp(selector, offered.selector) == 0;
	if (frame->type == MASTER_DKIM_REFUSED) {
		if (is_offered)
			drop(&offered);
		complain(&e);
		return;
	}
	/* That it has taken again what it had before its start is no news. */
	if (!is_offered)
		return;
	drop(&taken);
	taken = offered;
	offered = (struct offer){.fd = -1};
	if (strcmp(procs->config->dkim_selector, selector) == 0)
		return;
	strcpy(procs->config->dkim_selector, selector);
	procs_send_config();
	log_event(LOG_INFO, "signing-key", log_text("selector", selector));
}

bool signing_is_ready(void)
{
	return *taken.selector;
}
