/* PEM files (RFC 7468): what admins and authorities keep certificates and keys
 * in. */
#ifndef BASE_PEM_H
#define BASE_PEM_H

#include "base/buf.h"
#include "base/err.h"

#define PEM_NAME_MAX 128

/* Reads all of `fd` from its start, which is left open, into *text, which is
 * empty (there may be a key in it: wipe it); `path` is for the error's words.
 * ERR_INPUT for more than `most` octets. */
int pem_read_file(struct buf *text, int fd, const char *path, size_t most, struct err *e);

/* Cuts the next object off *text: its name ("CERTIFICATE") and its octets,
 * instead of what was in *octets. 1 found, 0 none left, -1 a faulty one, behind
 * which *text goes on. */
int pem_next(struct slice *text, char name[PEM_NAME_MAX], struct buf *octets);

#endif
