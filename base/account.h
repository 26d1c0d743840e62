/* Whose rights a tool works with. Started as root it works under the office's
 * account as effective user, so that nothing in the store changes hands, and
 * takes root back only around the opening and naming of a file somebody named. */
#ifndef BASE_ACCOUNT_H
#define BASE_ACCOUNT_H

#include "base/err.h"
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Looks the account up in /etc/passwd. ERR_MISSING: there is none; the sentence says
 * how to create it. */
int account_find(const char *name, uid_t *uid, gid_t *gid, struct err *e);
/* Writes the login name of `uid`, as it can stand in an address; "uid-33" where it
 * has none, or one that cannot, or that is too long. */
void account_name(uid_t uid, char *name, size_t size);
/* As root: `name` becomes the effective user, with its groups. As anybody else:
 * nothing to do. */
int account_assume(const char *name, struct err *e);
/* Back to the user and group that account_assume() came from; the other groups
 * stay the account's. */
void account_resume(void);
/* open(2) with the rights the caller was started with; the descriptor does not
 * survive an exec, nor becomes a terminal that controls. */
int account_open(const char *path, int flags, mode_t mode);
/* The same of a path below an open directory, in which no part may be a symbolic link:
 * what lies in a user's directory is not to lead root elsewhere. Returns -1 with ELOOP
 * or ENOTDIR for one that does. */
int account_open_below(int directory, const char *path, int flags, mode_t mode);
/* fstatat(2) of a name in a directory, a link as such; mkdirat(2); renameat(2) within a
 * directory that never replaces what is there (EEXIST); unlinkat(2) of a file. */
int account_look_at(int directory, const char *name, struct stat *what);
int account_make_directory(int directory, const char *name, mode_t mode);
int account_rename_new(int from_directory, const char *from, int to_directory, const char *to);
int account_unlink_at(int directory, const char *name);
/* renameat(2) within a directory, of what account_open_below() made. */
int account_replace_at(int directory, const char *from, const char *to);
/* When an open file was changed last, in Unix seconds. */
int account_set_time(int fd, int64_t when);
/* rename(2) and unlink(2) with the same rights, of what account_open() made. */
int account_rename(const char *from, const char *to);
int account_unlink(const char *path);

/* As err_set_errno() behind one of these that has failed on a path that somebody named:
 * with the mend, where the path or the rights are at fault. */
int account_err(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
