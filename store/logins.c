/* Two rings: the oldest entry gives way. */
#include "store/logins.h"
#include <string.h>

#define RIGHT_MOST 1024
#define WRONG_MOST 8192

static struct {
	struct login_pair pair;
	int64_t fresh_ms, found_ms;
} right[RIGHT_MOST];
static size_t right_count, right_next;

static struct {
	unsigned char digest[8]; /* of the pair: enough to tell one wrong guess from another */
	struct peer source;
	int64_t ms;
} wrong[WRONG_MOST];
static size_t wrong_count, wrong_next;

void login_pair_of(
	struct login_pair *pair, struct slice name, const char *hash, struct slice password)
{
	static unsigned char key[DIGEST_SIZE];
	static bool has_key;
	struct buf octets = {0};
	if (!has_key)
		digest_random(key, sizeof(key));
	has_key = true;
	if (hash)
		buf_add_text(&octets, hash);
	else
		buf_add_slice(&octets, name);
	buf_add_char(&octets, '\0');
	buf_add_slice(&octets, password);
	digest_mac(pair->digest, key, sizeof(key), octets.at, octets.len);
	buf_wipe(&octets);
}

/* ---- right ones ---- */

static size_t find_right(const struct login_pair *pair)
{
	size_t i = 0;
	while (i < right_count && memcmp(right[i].pair.digest, pair->digest, DIGEST_SIZE) != 0)
		i++;
	return i;
}

bool logins_is_fresh(const struct login_pair *pair, int64_t now_ms)
{
	size_t i = find_right(pair);
	return i < right_count && now_ms - right[i].fresh_ms < LOGIN_FRESH_MS;
}

bool logins_is_remembered(const struct login_pair *pair, int64_t now_ms)
{
	size_t i = find_right(pair);
	return i < right_count && now_ms - right[i].found_ms < LOGIN_REMEMBER_MS;
}

void logins_found_right(const struct login_pair *pair, int64_t now_ms)
{
	size_t i = find_right(pair);
	if (i == right_count) {
		i = right_next;
		right_next = (right_next + 1) % RIGHT_MOST;
		if (right_count < RIGHT_MOST)
			right_count++;
		right[i].pair = *pair;
	}
	right[i].fresh_ms = right[i].found_ms = now_ms;
}

/* ---- wrong ones ---- */

static bool is_recent(size_t i, const struct peer *source, int64_t now_ms)
{
	return now_ms - wrong[i].ms < LOGIN_WRONG_MS && peer_equal(&wrong[i].source, source);
}

static bool is_wrong(const struct login_pair *pair, const struct peer *source, int64_t now_ms)
{
	for (size_t i = 0; i < wrong_count; i++)
		if (is_recent(i, source, now_ms) &&
			memcmp(wrong[i].digest, pair->digest, sizeof(wrong[i].digest)) == 0)
			return true;
	return false;
}

void logins_found_wrong(const struct login_pair *pair, const struct peer *source, int64_t now_ms)
{
	if (is_wrong(pair, source, now_ms))
		return;
	wrong[wrong_next].source = *source;
	wrong[wrong_next].ms = now_ms;
	memcpy(wrong[wrong_next].digest, pair->digest, sizeof(wrong[0].digest));
	wrong_next = (wrong_next + 1) % WRONG_MOST;
	if (wrong_count < WRONG_MOST)
		wrong_count++;
}

uint64_t logins_count_wrong(const struct peer *source, int64_t now_ms)
{
	uint64_t count = 0;
	for (size_t i = 0; i < wrong_count; i++)
		count += is_recent(i, source, now_ms);
	return count;
}
