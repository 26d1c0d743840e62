/* The directory that an export is written into. A file gets its name when all of it is
 * written and on disk, and never the name of one that is there. What was cut off leaves
 * "*.part", which the next export to the same place takes away. */
#ifndef TOOLS_PORT_TARGET_H
#define TOOLS_PORT_TARGET_H

#include "tools/port_uidls.h"

#define TARGET_BATCH 64 /* files that wait for one sync */

struct port_target {
	const char *path;
	int root, directory; /* open: the whole, and where files are written; -1 */
	/* From here on private. */
	int parts, cur;   /* of a Maildir, where unfinished files lie and finished ones; or -1 */
	struct buf below; /* the directory's path below the root */
	struct buf names; /* of files that wait: C strings, each name and where its row ends */
	size_t waiting;
	struct buf place;
	struct uidl_table old; /* what an earlier export wrote */
	bool *replaced;        /* rows of it that are written anew */
	struct buf rows;       /* of uidl.json */
	uint64_t since;        /* rows since it was written last */
};

/* Makes the directory, or takes one that is empty or an earlier export. ERR_INPUT: it is
 * neither; ERR_IN_USE: another export writes there. port_target_close() in any case. */
int port_target_open(struct port_target *target, const char *path, struct err *e);
void port_target_close(struct port_target *target);

/* The path of a file in the directory entered, for people; valid until the next call. */
const char *port_target_place(struct port_target *target, const char *name);

/* Goes on in a directory below the root ("": the root itself), made where it is missing,
 * as a Maildir or not: in one, the names of messages begin with "cur/". Clears what was left
 * unfinished. Its owner may do with it what he likes meanwhile: nothing is written outside. */
int port_target_enter(struct port_target *target, const char *below, bool maildir, struct err *e);

/* Is there something of that name? 1, 0. */
int port_target_has(struct port_target *target, const char *name, struct err *e);
/* Opens it to be read: a descriptor, -1. */
int port_target_read(struct port_target *target, const char *name, struct err *e);
/* A new file to write, without its name until port_target_keep(): a descriptor, -1. */
int port_target_begin(struct port_target *target, const char *name, struct err *e);
int port_target_write(
	struct port_target *target, const char *name, int fd, struct slice octets, struct err *e);
/* It is whole: closes it, gives it the time, and its name soon. */
int port_target_keep(
	struct port_target *target, const char *name, int fd, int64_t time, struct err *e);
void port_target_drop(struct port_target *target, const char *name, int fd);
/* Gives all that wait their names. */
int port_target_flush(struct port_target *target, struct err *e);
/* Writes a small file in the directory entered, in the place of what is there. */
int port_target_replace(
	struct port_target *target, const char *name, struct slice content, struct err *e);

/* The row of an earlier export: NULL. */
const struct uidl_row *port_target_row(
	struct port_target *target, const char *name, uint64_t place);
/* Adds a row (line->file is the name in the directory entered). uidl.json is written every
 * now and then, and by port_target_write_rows(). */
int port_target_add_row(struct port_target *target, const struct uidl_line *line, struct err *e);
int port_target_write_rows(struct port_target *target, struct err *e);
/* All that has been kept is on disk, under its name. */
int port_target_finish(struct port_target *target, struct err *e);

#endif
