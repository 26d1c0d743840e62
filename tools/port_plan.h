/* What there is to import at a path: mailboxes, each for a folder, and the files in them.
 *
 * A Maildir (a directory that holds cur or new) is Inbox, its subfolders (".Name" of
 * Maildir++, directories in directories as Dovecot's layout `fs` has them) are folders. In
 * any other directory messages are *.eml, each other file that begins as an mbox (or is
 * empty, and called *.mbox) is a folder of its own, and so is a directory. Symbolic links are not followed below the path
 * itself; those of a Maildir are among its files, and cannot be opened. */
#ifndef TOOLS_PORT_PLAN_H
#define TOOLS_PORT_PLAN_H

#include "base/err.h"
#include "store/folders.h"
#include <sys/stat.h>

enum port_kind { PORT_MAILDIR, PORT_EML, PORT_MBOX };

struct port_file {
	size_t name; /* below the box's path, a C string in box->names: "cur/1234" */
	uint64_t size;
	int64_t time;   /* of its last change */
	uint64_t order; /* for the caller */
};

struct port_box {
	enum port_kind kind;
	char *path; /* below the plan's: a directory, or the file of an mbox; "" the path itself */
	char folder[FOLDER_NAME_MAX];
	bool renamed; /* its name could not be what it is elsewhere: path says it */
	struct port_file *files;
	size_t count, cap;
	struct buf names;
};

struct port_plan {
	const char *path;
	int root;     /* open: the directory, or the file */
	bool is_file; /* one box of one file */
	struct port_box *boxes;
	size_t count, cap;
	uint64_t octets; /* of all files */
	size_t others;   /* files that are none of these and not empty, left alone */
};

/* Looks at the path, which must outlive the plan; port_plan_free() in any case. ERR_INPUT:
 * there is nothing to import. */
int port_plan_make(struct port_plan *plan, const char *path, struct err *e);
void port_plan_free(struct port_plan *plan);

const char *port_plan_name(const struct port_box *box, const struct port_file *file);
/* Adds the path of a file as people are told it, and from the root on. */
void port_plan_place(struct buf *out, const struct port_plan *plan, const char *below);
/* Opens a plain file of the box to read, *what it is now: -1. */
int port_plan_open(const struct port_plan *plan, const struct port_box *box, const char *name,
	struct stat *what, struct err *e);
/* All of a list that lies beside the messages: 1; 0 there is none. */
int port_plan_read(
	const struct port_plan *plan, const char *below, struct buf *content, struct err *e);

#endif
