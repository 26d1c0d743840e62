/* Names of folders, here and as files and directories elsewhere. Pure. */
#ifndef TOOLS_PORT_NAMES_H
#define TOOLS_PORT_NAMES_H

#include "base/buf.h"
#include "store/folders.h"

/* Maildir++ and IMAP write names in a UTF-7 of their own (RFC 3501, 5.1.3). Adds the name
 * in UTF-8; what is none is taken as it stands. */
void names_from_utf7(struct buf *out, struct slice name);
void names_to_utf7(struct buf *out, struct slice name);

/* A name of elsewhere as one that a folder here can have: what it cannot hold becomes "-",
 * "/" becomes ".", what is too long is cut. Empty and "INBOX": Inbox. False: it has been
 * changed. */
bool names_to_folder(char folder[FOLDER_NAME_MAX], struct slice name);

/* A folder's name as that of a file: one that begins with a dot begins with "%2E" there,
 * and "%2" with "%252". The way back is names_from_file(). */
void names_to_file(struct buf *out, struct slice folder);
void names_from_file(struct buf *out, struct slice file);

#endif
