/* base/memory: what is given back is there again when it is needed. */
#include "base/digest.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Pages of ours that are in memory. */
static long resident(void)
{
	long all = 0, here = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld %ld", &all, &here), 2);
	fclose(file);
	return here;
}

static const char constant[64 * 1024] = {[5] = 'k', [40000] = 'o'};
static char variable[64 * 1024] = {[5] = 'v'};

static uint64_t octets_of(const char *octets, size_t len)
{
	return digest_checksum(octets, len);
}

static void constants_are_read_again_and_variables_stay(void **state)
{
	(void)state;
	uint64_t before = octets_of(constant, sizeof(constant));
	variable[9] = 'w';
	long pages = resident();
	memory_give_back();
#ifndef SANITIZED
	assert_true(resident() < pages);
#else
	(void)pages;
#endif
	assert_true(octets_of(constant, sizeof(constant)) == before);
	assert_int_equal(variable[5], 'v');
	assert_int_equal(variable[9], 'w');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constants_are_read_again_and_variables_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
