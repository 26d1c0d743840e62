/* The checksum for processors that have AVX2: libxxhash as it is packaged for x86-64
 * knows SSE2 alone, and takes three times as long. Empty where the compiler is told
 * of no AVX2; see Makefile. */
#include "base/digest.h"

#ifdef __AVX2__
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t digest_checksum_avx2(const void *octets, size_t len)
{
	return XXH3_64bits(octets, len);
}
#endif
