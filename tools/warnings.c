#include "tools/warnings.h"
#include "base/account.h"
#include "base/text.h"
#include "base/tls.h"
#include "store/backup.h"
#include "store/devices.h"
#include "store/mail.h"
#include "store/outbox.h"
#include "store/room.h"
#include "store/stuck.h"
#include "store/users.h"
#include "tools/certificate.h"
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define HOUR 3600
#define DAY  (24 * HOUR)

#define EXPIRES_SOON  (14 * DAY) /* certbot renews 30 days before the end */
#define BACKUP_OLD    (7 * DAY)
#define WAITS_LONG    (4 * HOUR)   /* the sender hears of it, too */
#define NEARLY_FULL   90           /* percent of a quota */
#define DISK_SHORT    5            /* percent that are free */
#define DISK_PLENTY   (5ULL << 30) /* octets, whatever that is in percent */
#define CLOCK_DIFFERS HOUR
#define DEVICE_SOON   (7 * DAY)

typedef int (*look_fn)(
	struct store *store, const struct config *config, struct findings *findings, struct err *e);

/* ---- the certificate ---- */

static int look_at_certificate(
	struct store *store, const struct config *config, struct findings *findings, struct err *e)
{
	struct certificate_paths paths;
	struct tls_chain *chain = NULL;
	struct err why;
	char when[TEXT_DATE_MAX];
	(void)e;
	certificate_find(config, &paths);
	int fd = account_open(paths.certificate, O_RDONLY, 0);
	if (fd < 0)
		return 0; /* check says why */
	if (tls_chain_read(&chain, fd, paths.certificate, &why) == 0) {
		int64_t expires = tls_chain_expires(chain), now = store_now(store);
		const char *mend =
			*config->tls_certificate
				? "renew it (`certbot renew` says what keeps it from that)"
				: "take it and key.pem away, and the next start or `officemail "
				  "init` makes another";
		text_of_time(when, expires);
		if (expires < now)
			finding(findings, "%s expired at %s: %s", paths.certificate, when, mend);
		else if (expires < now + EXPIRES_SOON)
			warning(findings, "%s expires in %" PRId64 " days, at %s: %s",
				paths.certificate, (expires - now) / DAY, when, mend);
		tls_chain_free(chain);
	}
	close(fd);
	return 0;
}

/* ---- the disk ---- */

/* Is mail taken, and does nothing give way to it that was to be kept? */
static int look_at_room(
	struct store *store, const struct config *config, struct findings *findings, struct err *e)
{
	struct err why;
	struct statvfs fs;
	char size[TEXT_SIZE_MAX];
	int room = room_for_mail(store, config, 0, e);
	if (room < 0)
		return -1;
	if (room == 0) {
		room = room_can_be_made(store, config, 0, e);
		if (room > 0)
			finding(findings,
				"%s: less than [store] reserve is free on its disk: messages kept "
				"for restore give way to mail; delete what is not mail, or make it "
				"bigger",
				config->data);
		else if (room == 0 && room_refuse(config, &why) < 0)
			finding(findings, "%s", why.text);
		return room < 0 ? -1 : 0;
	}
	if (statvfs(config->data, &fs) < 0)
		return 0;
	uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (left < DISK_PLENTY && fs.f_bavail < fs.f_blocks / 100 * DISK_SHORT)
		warning(findings,
			"%s are left on the disk of %s: below [store] reserve mail is deferred; "
			"delete what is not mail, or make it bigger",
			text_of_size(size, left), config->data);
	return 0;
}

/* ---- the clock ---- */

static int look_at_clock(
	struct store *store, const struct config *config, struct findings *findings, struct err *e)
{
	char now[TEXT_DATE_MAX], then[TEXT_DATE_MAX];
	int64_t latest;
	(void)config;
	if (mail_latest_time(store, &latest, e) < 0)
		return -1;
	if (latest > store_now(store) + CLOCK_DIFFERS)
		warning(findings,
			"the clock says %s, and the store has seen %s: one of the two is wrong; if "
			"it is this one, `timedatectl set-ntp true`",
			text_of_time(now, store_now(store)), text_of_time(then, latest));
	return 0;
}

/* ---- mail that waits ---- */

static int look_at_queue(
	struct store *store, const struct config *config, struct findings *findings, struct err *e)
{
	struct outbox_totals queue = {0};
	char when[TEXT_DATE_MAX];
	(void)config;
	if (outbox_count(store, &queue, e) < 0)
		return -1;
	if (queue.held > 0)
		warning(findings,
			"mail for %" PRId64
			" recipient%s is held until somebody looks at it: `officemail queue list`, "
			"then `queue retry ID` or `queue remove ID`",
			queue.held, queue.held == 1 ? "" : "s");
	if (queue.recipients > queue.held && queue.oldest < store_now(store) - WAITS_LONG)
		warning(findings,
			"mail for %" PRId64 " recipient%s waits to leave, the oldest since %s: "
			"`officemail queue list` says what keeps it",
			queue.recipients - queue.held,
			queue.recipients - queue.held == 1 ? "" : "s",
			text_of_time(when, queue.oldest));
	return 0;
}

/* ---- quotas ---- */

struct quotas {
	const struct config *config;
	struct findings *findings;
};

static int look_at_user(const struct user *user, void *arg)
{
	const struct quotas *quotas = arg;
	uint64_t quota = users_quota(user, quotas->config);
	uint64_t used = (uint64_t)user->used;
	char text[2][TEXT_SIZE_MAX];
	text_of_size(text[0], used);
	text_of_size(text[1], quota);
	if (quota > 0 && used >= quota)
		finding(quotas->findings,
			"the mailbox of %s is full (%s of %s), and mail for it is refused: "
			"`officemail user quota %s SIZE`, or delete something",
			user->address, text[0], text[1], user->address);
	else if (quota > 0 && used / NEARLY_FULL >= quota / 100)
		warning(quotas->findings,
			"the mailbox of %s is nearly full (%s of %s): `officemail user quota %s "
			"SIZE`, or delete something",
			user->address, text[0], text[1], user->address);
	return 0;
}

static int look_at_quotas(
	struct store *store, const struct config *config, struct findings *findings, struct err *e)
{
	struct quotas quotas = {config, findings};
	return users_each(store, look_at_user, &quotas, e) < 0 ? -1 : 0;
}

/* ---- the backup ---- */

static bool is_replicated(const struct config *config)
{
	char path[CONFIG_PATH_MAX + 32];
	struct stat what;
	snprintf(path, sizeof(path), "%s/.store.db-litestream", config->data);
	return stat(path, &what) == 0;
}

static int look_at_backup(
	struct store *store, const struct config *config, struct findings *findings, struct err *e)
{
	int64_t last, first, now = store_now(store);
	if (backup_get_time(store, &last, e) < 0 || backup_get_first(store, &first, e) < 0)
		return -1;
	if (is_replicated(config))
		return 0;
	if (last == 0 && first > 0 && first < now - BACKUP_OLD)
		warning(findings, "there has never been a backup: let cron call `officemail backup "
				  "FILE` each night, FILE on another disk");
	else if (last > 0 && last < now - BACKUP_OLD)
		warning(findings,
			"the last backup is %" PRId64
			" days old: see why `officemail backup FILE` is not called each night",
			(now - last) / DAY);
	return 0;
}

/* ---- clients ---- */

static int warn_of_stuck(const struct stuck *stuck, void *findings)
{
	char size[TEXT_SIZE_MAX];
	warning(findings,
		"the mail program of %s%s%s is stuck at message %" PRId64
		" (%s), %s: look at it with "
		"`officemail mail show %s %" PRId64
		"`, or take it out of the way with `mail move`; an "
		"antivirus on the PC or a bad line is the usual cause",
		stuck->user, *stuck->device ? " on the device " : "", stuck->device,
		stuck->entry_id, text_of_size(size, stuck->size),
		stuck->breaks_off ? "whose sessions end within it"
				  : "which it fetches each time, without QUIT",
		stuck->user, stuck->entry_id);
	return 0;
}

static int look_at_clients(
	struct store *store, const struct config *config, struct findings *findings, struct err *e)
{
	(void)config;
	return stuck_each(store, warn_of_stuck, findings, e);
}

/* ---- devices ---- */

static void tell_stopping(const struct device_stopping *login, void *findings)
{
	char last[TEXT_DATE_MAX], until[TEXT_DATE_MAX];
	text_of_time(last, login->until - DEVICE_COUNTS);
	text_of_time(until, login->until);
	if (*login->name)
		warning(findings,
			"%s has not fetched for %s since %s, and holds mail until %s: then what "
			"the other devices have deleted leaves; fetch with it, or `officemail "
			"device remove %s %s`",
			login->name, login->address, last, until, login->address, login->name);
	else
		warning(findings,
			"%s has not fetched with its own password since %s, which holds mail until "
			"%s: then what the devices have deleted leaves; fetch with it, or let it "
			"be",
			login->address, last, until);
}

static int look_at_devices(
	struct store *store, const struct config *config, struct findings *findings, struct err *e)
{
	(void)config;
	return devices_each_stopping(store, DEVICE_SOON, tell_stopping, findings, e);
}

/* ---- all of them ---- */

static const look_fn looks[] = {look_at_certificate, look_at_room, look_at_clock, look_at_queue,
	look_at_quotas, look_at_backup, look_at_clients, look_at_devices};

int warnings_find(
	struct store *store, const struct config *config, struct findings *findings, struct err *e)
{
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
		if (looks[i](store, config, findings, e) < 0)
			return -1;
	return 0;
}
