/* Whose rights a tool works with. The real user stays what it was, so that a
 * tool started as root can take root back for a moment.
 *
 * Accounts are those of /etc/passwd and /etc/group, read here: what else
 * nsswitch.conf(5) names are libraries, which would be loaded into the process. */
#include "base/account.h"
#include "base/syntax.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MOST 256

/* By its name, or where that is NULL by its number. NULL with errno 0: there is none.
 * Valid until the next call. */
static const struct passwd *look_up(const char *name, uid_t uid)
{
	FILE *file = fopen("/etc/passwd", "re");
	if (!file)
		return NULL;
	const struct passwd *entry;
	do
		errno = 0;
	while ((entry = fgetpwent(file)) &&
		(strchr("+-", *entry->pw_name) || /* of NIS, or empty */
			(name ? strcmp(entry->pw_name, name) != 0 : entry->pw_uid != uid)));
	int why = entry || (!ferror(file) && errno != ENOMEM) ? 0 : errno;
	fclose(file);
	errno = why;
	return entry;
}

int account_find(const char *name, uid_t *uid, gid_t *gid, struct err *e)
{
	const struct passwd *account = look_up(name, 0);
	if (!account && errno != 0)
		return err_set_errno(e, "cannot look up the account \"%s\" in /etc/passwd", name);
	if (!account)
		return err_set(e, ERR_MISSING,
			"there is no account \"%s\" in /etc/passwd to work under; create it with "
			"`adduser --system --group --no-create-home %s`, "
			"or name another as `user` in office.ini",
			name, name);
	*uid = account->pw_uid;
	*gid = account->pw_gid;
	return 0;
}

/* A Dot-string (RFC 5321, 4.1.2), as most names are. */
static bool can_be_local_part(const char *name)
{
	struct slice rest = slice_of(name);
	do {
		struct slice word = slice_cut(&rest, '.');
		size_t len = 0;
		while (len < word.len && syntax_is_atext(word.at[len]))
			len++;
		if (len == 0 || len < word.len)
			return false;
	} while (rest.len > 0);
	return name[strlen(name) - 1] != '.';
}

void account_name(uid_t uid, char *name, size_t size)
{
	const struct passwd *account = look_up(NULL, uid);
	if (account && strlen(account->pw_name) < size && can_be_local_part(account->pw_name))
		snprintf(name, size, "%s", account->pw_name);
	else
		snprintf(name, size, "uid-%u", (unsigned)uid);
}

static bool is_member(const struct group *group, const char *name)
{
	for (char **member = group->gr_mem; *member; member++)
		if (strcmp(*member, name) == 0)
			return true;
	return false;
}

/* Its own group, and those of /etc/group that name it. */
static int take_groups(const char *name, gid_t own)
{
	gid_t all[GROUPS_MOST] = {own};
	size_t count = 1;
	FILE *file = fopen("/etc/group", "re");
	if (!file)
		return -1;
	for (const struct group *group; count < GROUPS_MOST && (group = fgetgrent(file));)
		if (group->gr_gid != own && is_member(group, name))
			all[count++] = group->gr_gid;
	fclose(file);
	return setgroups(count, all);
}

int account_assume(const char *name, struct err *e)
{
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;
	if (geteuid() != 0)
		return 0;
	if (account_find(name, &uid, &gid, e) < 0)
		return -1;
	if (take_groups(name, gid) != 0 || setegid(gid) != 0 || seteuid(uid) != 0)
		return err_set_errno(e, "cannot work under the account \"%s\"", name);
	return 0;
}

void account_resume(void)
{
	int failed = geteuid() != getuid() && (seteuid(getuid()) != 0 || setegid(getgid()) != 0);
	assert(!failed);
}

/* To the rights the tool was started with; returns the account to go back to. */
static uid_t raise_rights(void)
{
	uid_t uid = geteuid();
	if (uid != getuid())
		(void)!seteuid(getuid()); /* what was asked for is refused then, and says so */
	return uid;
}

static void lower_rights(uid_t uid)
{
	int code = errno;
	/* Going on with rights nobody meant it to have is no choice. */
	int failed = geteuid() != uid && seteuid(uid) != 0;
	assert(!failed);
	errno = code;
}

/* What the call returns, made with those rights. */
#define RAISED(call)                                                                               \
	({                                                                                         \
		uid_t uid_ = raise_rights();                                                       \
		int result_ = (call);                                                              \
		lower_rights(uid_);                                                                \
		result_;                                                                           \
	})

int account_open(const char *path, int flags, mode_t mode)
{
	return RAISED(open(path, flags | O_CLOEXEC | O_NOCTTY, mode));
}

/* Descends part by part; the last one is opened as the caller wants it. */
static int open_below(int directory, const char *path, int flags, mode_t mode)
{
	char part[NAME_MAX + 1];
	int at = directory;
	for (;;) {
		size_t len = strcspn(path, "/");
		bool last = path[len + strspn(path + len, "/")] == '\0';
		int fd = -1;
		errno = ENAMETOOLONG;
		if (len < sizeof(part)) {
			snprintf(part, sizeof(part), "%.*s", (int)len, path);
			fd = openat(at, last && len == 0 ? "." : part,
				(last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC |
					O_NOCTTY,
				mode);
		}
		int code = errno;
		if (at != directory)
			close(at);
		errno = code;
		if (fd < 0 || last)
			return fd;
		at = fd;
		path += len + strspn(path + len, "/");
	}
}

int account_open_below(int directory, const char *path, int flags, mode_t mode)
{
	return RAISED(open_below(directory, path, flags, mode));
}

int account_look_at(int directory, const char *name, struct stat *what)
{
	return RAISED(fstatat(directory, name, what, AT_SYMLINK_NOFOLLOW));
}

int account_make_directory(int directory, const char *name, mode_t mode)
{
	return RAISED(mkdirat(directory, name, mode));
}

/* File systems of others may not know how to replace nothing. */
static int rename_new(int from_directory, const char *from, int to_directory, const char *to)
{
	struct stat what;
	int result = renameat2(from_directory, from, to_directory, to, RENAME_NOREPLACE);
	if (result == 0 || (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP))
		return result;
	if (fstatat(to_directory, to, &what, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from_directory, from, to_directory, to);
}

int account_rename_new(int from_directory, const char *from, int to_directory, const char *to)
{
	return RAISED(rename_new(from_directory, from, to_directory, to));
}

int account_unlink_at(int directory, const char *name)
{
	return RAISED(unlinkat(directory, name, 0));
}

int account_replace_at(int directory, const char *from, const char *to)
{
	return RAISED(renameat(directory, from, directory, to));
}

int account_set_time(int fd, int64_t when)
{
	const struct timespec times[2] = {{.tv_sec = (time_t)when}, {.tv_sec = (time_t)when}};
	return RAISED(futimens(fd, times));
}

int account_rename(const char *from, const char *to)
{
	return RAISED(rename(from, to));
}

int account_unlink(const char *path)
{
	return RAISED(unlink(path));
}

static const struct {
	int code;
	const char *mend;
} mends[] = {
	{ENOENT, "mend the path"},
	{ENOTDIR, "a directory is wanted where a file or a link is: mend the path"},
	{EISDIR, "name a file in it"},
	{ELOOP, "a symbolic link is not followed there: name what it leads to"},
	{ENAMETOOLONG, "name a shorter one"},
};

int account_err(struct err *e, const char *format, ...)
{
	char what[sizeof(e->text)];
	int code = errno;
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	errno = code;
	err_set_errno(e, "%s", what);

	/* Root itself is refused by other boxes' disks (root_squash of NFS). */
	const char *mend = code != EACCES  ? NULL
			   : getuid() == 0 ? "not even root may: name another place"
					   : "run this as root, or name another place";
	for (size_t i = 0; i < sizeof(mends) / sizeof(mends[0]); i++)
		if (mends[i].code == code)
			mend = mends[i].mend;
	size_t len = strlen(e->text);
	if (mend)
		snprintf(e->text + len, sizeof(e->text) - len, ": %s", mend);
	return -1;
}
