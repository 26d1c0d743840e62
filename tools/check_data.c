/* The data directory: whose it is, what it lies on, and what lies in it that should not. */
#include "base/account.h"
#include "base/text.h"
#include "tools/check.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- the way to it ---- */

/* The first directory on the way that this account cannot pass. */
static bool find_barrier(const char *path, char barrier[CONFIG_PATH_MAX])
{
	struct stat what;
	for (size_t len = 1; path[len]; len++) {
		if (path[len] != '/')
			continue;
		snprintf(barrier, CONFIG_PATH_MAX, "%.*s", (int)len, path);
		if (eaccess(barrier, X_OK) < 0 && errno == EACCES && lstat(barrier, &what) == 0)
			return true;
	}
	return false;
}

static void tell_absent(const struct config *config, struct findings *findings)
{
	char barrier[CONFIG_PATH_MAX];
	int why = errno;
	if (why == EACCES && find_barrier(config->data, barrier))
		finding(findings,
			"%s cannot be reached: the account %s may not pass %s: `chmod o+x %s`, or "
			"choose another directory in [office] data",
			config->data, config->user, barrier, barrier);
	else
		finding_in(findings, config, "office", "data", "%s: %s; %s", config->data,
			strerror(why),
			why == ENOENT ? "`officemail init` makes it"
				      : "mend the rights of the directories above");
}

static bool check_directory(const struct config *config, struct findings *findings)
{
	struct stat what;
	if (lstat(config->data, &what) != 0) {
		tell_absent(config, findings);
		return false;
	}
	if (!S_ISDIR(what.st_mode)) {
		finding_in(findings, config, "office", "data",
			"%s is no directory (a link will not do): name the directory itself",
			config->data);
		return false;
	}
	if (what.st_uid != geteuid())
		finding(findings, "%s belongs to another account: `chown -R %s %s`", config->data,
			config->user, config->data);
	if (what.st_mode & (S_IRWXG | S_IRWXO))
		finding(findings, "%s is open to other accounts: `chmod 700 %s`", config->data,
			config->data);
	return true;
}

/* ---- the file system ---- */

#define CIFS   0xFF534D42
#define SMB2   0xFE534D42
#define FUSE   0x65735546
#define CEPH   0x00C36400
#define VBOXSF 0x786F4256
#define EXFAT  0x2011BAB0

static const struct {
	const char *name;
	uint32_t magic;
	bool remote;
} kinds[] = {{"NFS", NFS_SUPER_MAGIC, true}, {"CIFS", CIFS, true}, {"SMB", SMB_SUPER_MAGIC, true},
	{"SMB", SMB2, true}, {"AFS", AFS_SUPER_MAGIC, true}, {"Coda", CODA_SUPER_MAGIC, true},
	{"Ceph", CEPH, true}, {"9P", V9FS_MAGIC, true},
	{"a folder shared by VirtualBox", VBOXSF, true}, {"FAT", MSDOS_SUPER_MAGIC, false},
	{"exFAT", EXFAT, false}};

/* A kind on which locks, syncs or rights are not what the store needs. */
static void check_kind(const struct config *config, struct findings *findings)
{
	struct statfs fs;
	if (statfs(config->data, &fs) < 0)
		return;
	uint32_t kind = (uint32_t)fs.f_type;
	if (kind == TMPFS_MAGIC || kind == RAMFS_MAGIC)
		warning_in(findings, config, "office", "data",
			"%s lies in memory (tmpfs), and all mail is gone when the box stops: name "
			"a directory on a disk, unless this is a trial",
			config->data);
	if (kind == FUSE)
		warning_in(findings, config, "office", "data",
			"%s lies on FUSE, where another program decides what is on disk after a "
			"sync: name a directory on a disk of this box",
			config->data);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].magic == kind)
			finding_in(findings, config, "office", "data",
				"%s lies on %s, where %s: name a directory on a disk of this box",
				config->data, kinds[i].name,
				kinds[i].remote ? "locks and syncs cannot be relied on and mail "
						  "can be damaged or lost"
						: "files have no owner and no mode");
}

static void check_space(const struct config *config, struct findings *findings)
{
	struct statvfs fs;
	char text[2][TEXT_SIZE_MAX];
	if (statvfs(config->data, &fs) < 0)
		return;
	uint64_t all = (uint64_t)fs.f_blocks * fs.f_frsize;
	if (fs.f_flag & ST_RDONLY)
		finding(findings,
			"the file system of %s is read-only, and no mail can be taken: look for "
			"its error in `dmesg`, mend it with fsck, and `mount -o remount,rw`",
			config->data);
	else if (eaccess(config->data, W_OK) < 0)
		finding(findings, "the account %s cannot write in %s (%s): `chown -R %s %s`",
			config->user, config->data, strerror(errno), config->user, config->data);
	if (fs.f_files > 0 && fs.f_favail == 0)
		finding(findings,
			"the disk of %s has no room for one more file (inodes): delete files that "
			"are not mail from it",
			config->data);
	if (config->reserve > all)
		finding_in(findings, config, "store", "reserve",
			"%s are to stay free, and the disk of %s has %s in all, so that no mail is "
			"ever taken: lower it",
			text_of_size(text[0], config->reserve), config->data,
			text_of_size(text[1], all));
}

/* ---- what lies in it ---- */

static void check_run(const struct config *config, struct findings *findings)
{
	char path[CONFIG_PATH_MAX + 16];
	struct stat what;
	snprintf(path, sizeof(path), "%s/run", config->data);
	if (lstat(path, &what) == 0 && (!S_ISDIR(what.st_mode) || what.st_uid != geteuid() ||
					       what.st_mode & (S_IRWXG | S_IRWXO)))
		finding(findings,
			"%s is open to others or not a directory of ours, and the server does not "
			"start so: take it away, it is made anew",
			path);
}

static bool begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

static bool ends(const char *name, const char *with)
{
	size_t len = strlen(name), tail = strlen(with);
	return len >= tail && strcmp(name + len - tail, with) == 0;
}

/* What restores and upgrades leave; only the newest name says that it may be one under
 * way. */
static const char *why_there(const char *name)
{
	if (strcmp(name, "restoring") == 0 || strcmp(name, "store.db.next") == 0)
		return "a restore that did not end has left it";
	if (begins(name, "store.db.replaced-") && !ends(name, "-wal") && !ends(name, "-shm"))
		return "the store of before a restore";
	if (begins(name, "store.db.version-") && ends(name, ".part"))
		return "an upgrade that did not end has left it";
	if (begins(name, "store.db.version-"))
		return "the store of before an upgrade";
	if (strstr(name, ".new-"))
		return "a command that did not end has left it";
	return NULL;
}

static void check_leftovers(const struct config *config, struct findings *findings)
{
	char size[TEXT_SIZE_MAX];
	struct stat what;
	DIR *directory = opendir(config->data);
	if (!directory)
		return;
	for (struct dirent *entry; (entry = readdir(directory));) {
		const char *why = why_there(entry->d_name);
		if (!why ||
			fstatat(dirfd(directory), entry->d_name, &what, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		warning(findings, "%s/%s takes %s: %s; when it is needed no more, `rm -r %s/%s`",
			config->data, entry->d_name,
			text_of_size(size, (uint64_t)what.st_blocks * 512), why, config->data,
			entry->d_name);
	}
	closedir(directory);
}

bool check_data(const struct config *config, struct findings *findings)
{
	if (!check_directory(config, findings))
		return false;
	check_kind(config, findings);
	check_space(config, findings);
	check_run(config, findings);
	check_leftovers(config, findings);
	return true;
}
