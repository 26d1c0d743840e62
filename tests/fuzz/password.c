/* Hashes of the old server (crypt(3) strings, `user add --hash-stdin`): one that
 * is taken can be checked ever after, is whole, and a wrong password is wrong.
 *
 * Input: the string. */
#include "store/password.h"
#include "tests/fuzz/fuzz.h"
#include <crypt.h>
#include <stdlib.h>

static struct crypt_data work;

/* Strings that ask for much work say so in a few letters; a fuzzer that finds
 * them does nothing else. Cheap ones are enough. */
static bool is_cheap(const char *hash)
{
	static const char *const cheap[] = {"$y$j75$", "$gy$j75$", "$7$2", "$1$", "$3$", "$2a$04$",
		"$2b$04$", "$2x$04$", "$2y$04$", "$5$rounds=1000$", "$6$rounds=1000$", "$md5$",
		"$md5,rounds=0$", "$sha1$4$"};
	for (size_t i = 0; i < sizeof(cheap) / sizeof(cheap[0]); i++)
		if (strncmp(hash, cheap[i], strlen(cheap[i])) == 0)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = {0};
	if (size > 2 * HASH_MAX || memchr(data, '\0', size))
		return 0;
	buf_add(&text, data, size);
	const char *hash = buf_text(&text);
	if (is_cheap(hash) && password_hash_is_known(hash)) {
		assert(hash[0] == '$' && text.len < HASH_MAX);
		for (size_t i = 0; i < text.len; i++)
			assert(hash[i] > ' ' && hash[i] <= '~' && !strchr(":;*!\\", hash[i]));
		const char *whole = crypt_rn("satu", hash, &work, sizeof(work));
		assert(whole && strlen(whole) == text.len);
		/* No two passwords have one hash; which of the three it is of
		 * matters not. */
		assert(password_matches(SLICE("satu"), hash) +
				password_matches(SLICE("dua"), hash) +
				password_matches(SLICE("tiga"), hash) <=
			1);
		assert(!password_matches(SLICE("satu\0"), hash));
	}
	buf_free(&text);
	return 0;
}
