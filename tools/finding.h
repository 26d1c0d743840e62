/* What is wrong with an office, or soon will be: a sentence each, which says how to mend
 * it. `check` prints them as they are found, `status` keeps them for its list. */
#ifndef TOOLS_FINDING_H
#define TOOLS_FINDING_H

#include "base/buf.h"
#include "base/config.h"

struct findings {
	bool keep;              /* instead of printing */
	unsigned wrong, warned; /* how many of each */
	struct buf sentences;   /* those that are kept, a NUL behind each */
};

/* Mail is refused or lost, or somebody can do what he should not. */
void finding(struct findings *findings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Nothing is wrong yet, or not for every office. */
void warning(struct findings *findings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same about a key of office.ini: "FILE:LINE: [SECTION] KEY: " stands in front. */
void finding_in(struct findings *findings, const struct config *config, const char *section,
	const char *key, const char *format, ...) __attribute__((format(printf, 5, 6)));
void warning_in(struct findings *findings, const struct config *config, const char *section,
	const char *key, const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
