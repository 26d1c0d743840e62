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
	struct slice value; /* of an option that has one: "SIZE", or its words: "mbox|eml" */
	bool option, has_value, required, repeats;
	unsigned group; /* options of one group exclude each other; 0: of none */
};

/* The next of it; false at its end. */
bool usage_next(struct usage *usage, struct usage_item *item);
/* The option of that name ("--quota") in the usage `text`. */
bool usage_find_option(const char *text, struct slice name, struct usage_item *item);

/* The n-th of the words that a value can be; false past the last, and at a value of
 * other kinds. */
bool usage_word(struct slice value, size_t n, struct slice *word);

#endif
