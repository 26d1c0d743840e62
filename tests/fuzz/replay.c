/* Runs a target on files that are there, with any compiler: the corpus as a
 * regression test, and a finding that is looked into. */
#include "tests/fuzz/fuzz.h"
#include <err.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>

#pragma weak LLVMFuzzerInitialize

static void run(const char *path)
{
	struct buf octets = {0};
	size_t got;
	FILE *file = fopen(path, "re");
	if (!file)
		err(1, "%s", path);
	do {
		got = fread(buf_reserve(&octets, 65536), 1, 65536, file);
		octets.len += got;
	} while (got > 0);
	fclose(file);
	char *input = fuzz_copy(buf_slice(&octets));
	LLVMFuzzerTestOneInput((const uint8_t *)input, octets.len);
	free(input);
	buf_free(&octets);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

int main(int argc, char **argv)
{
	size_t count = 0;
	if (argc < 2)
		errx(2, "usage: %s FILE|DIRECTORY...", argv[0]);
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	FTS *walk = fts_open(argv + 1, FTS_LOGICAL | FTS_NOCHDIR, by_name);
	for (FTSENT *entry; (entry = fts_read(walk));) {
		if (entry->fts_info == FTS_NS || entry->fts_info == FTS_ERR)
			errx(1, "%s: %s", entry->fts_path, strerror(entry->fts_errno));
		if (entry->fts_info != FTS_F)
			continue;
		/* The last line of a run that died names the input. */
		printf("%s\n", entry->fts_path);
		fflush(stdout);
		run(entry->fts_accpath);
		count++;
	}
	fts_close(walk);
	printf("%zu inputs\n", count);
	return count == 0;
}
