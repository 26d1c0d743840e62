/* Files and directories that the tools make. */
#ifndef TOOLS_FILE_H
#define TOOLS_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include <sys/types.h>

/* Writes a file that was not there; its octets are on disk before it gets its
 * name. ERR_EXISTS. */
int file_write_new(const char *path, mode_t mode, struct slice content, struct err *e);
/* Makes the directory and those above it. 1 made, 0 there already. */
int file_make_directory(const char *path, mode_t mode, struct err *e);

#endif
