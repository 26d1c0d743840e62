/* What a command's usage (tools/command.h) is made of. Help, parser and completion
 * go by it alike. */
#ifndef TOOLS_USAGE_H
#define TOOLS_USAGE_H

#include "base/buf.h"
#include <stdbool.h>

struct usage {
	struct slice rest; /* begin with the whole of it */
	bool bracket;      /* private: inside [ ] */
	unsigned group;    /* private: which [ ] */
};

struct usage_item {
	struct slice name;  /* "ADDRESS" or "--quota" */
	struct slice value; /* of an option that has one: "SIZE" */
	bool option, has_value, required, repeats;
	unsigned group; /* options of one group exclude each other; 0: of none */
};

/* The next of it; false at its end. */
bool usage_next(struct usage *usage, struct usage_item *item);
/* The option of that name ("--quota") in the usage `text`. */
bool usage_find_option(const char *text, struct slice name, struct usage_item *item);

#endif
