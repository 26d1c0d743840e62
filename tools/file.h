/* Files and directories that the tools make. */
#ifndef TOOLS_FILE_H
#define TOOLS_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include <sys/types.h>

/* What these make gets its name when it is whole and on disk, and the name is on
 * disk when they return: a crash leaves all of it or none. (And perhaps an
 * unfinished NAME.new-PID beside it.) */

/* Writes a file that was not there. ERR_EXISTS. */
int file_write_new(const char *path, mode_t mode, struct slice content, struct err *e);
/* Makes the directory, and those above it as the caller's own with mode 0755.
 * Its owner: FILE_OWN twice for the caller's. 1 made, 0 there already. */
#define FILE_OWN ((uid_t)-1)
int file_make_directory(const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *e);
/* Two files in a directory of mode 0700, all three new. ERR_EXISTS: there is
 * something else in it. */
struct file_new {
	const char *name;
	mode_t mode;
	struct slice content;
};
int file_write_pair(const char *directory, const struct file_new files[2], struct err *e);

#endif
