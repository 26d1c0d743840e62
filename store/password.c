/* Password hashes through crypt(3) of libxcrypt.
 *
 * Every check costs one hash, whether the user exists or not: nobody learns
 * from the time it takes which addresses there are. crypt's work area (32 kB)
 * is static, since it is too large for a stack, and wiped after each use,
 * since the password is in it. */
#include "store/password.h"
#include "base/digest.h"
#include <assert.h>
#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a check may cost: more memory than this is refused to a process that
 * hashes, and nobody waits so long for his mail. */
#define CHECK_MEMORY  (256u << 20)
#define CHECK_SECONDS 3

static_assert(HASH_MAX >= CRYPT_OUTPUT_SIZE, "a hash fits in a struct user");

static const char OURS[] = "$y$";

static struct crypt_data work;

/* The hash of `password` under `setting` (a whole hash will do) in
 * out[HASH_MAX]; false where crypt(3) does not take the setting, or has not the
 * memory for it: what it says of the two is the same (EINVAL of yescrypt). */
static bool compute(const char *password, const char *setting, char *out)
{
	const char *hash = crypt_rn(password, setting, &work, sizeof(work));
	if (hash)
		memcpy(out, hash, strlen(hash) + 1);
	wipe(&work, sizeof(work));
	return hash;
}

static bool make_setting(char setting[CRYPT_GENSALT_OUTPUT_SIZE])
{
	return crypt_gensalt_rn(OURS, 0, NULL, 0, setting, CRYPT_GENSALT_OUTPUT_SIZE);
}

static bool has_control(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7F)
			return true;
	return false;
}

int password_hash_like(struct slice password, const char *like, char hash[HASH_MAX], struct err *e)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	char text[PASSWORD_MAX + 1];
	bool done;
	if (password.len == 0)
		return err_set(e, ERR_INPUT, "the password is empty: give one");
	if (password.len > PASSWORD_MAX)
		return err_set(e, ERR_INPUT, "the password is too long: give at most %d octets",
			PASSWORD_MAX);
	if (has_control(password))
		return err_set(e, ERR_INPUT,
			"the password holds a control character: use letters, digits and signs");
	memcpy(text, password.at, password.len);
	text[password.len] = '\0';
	done = *like ? compute(text, like, hash)
		     : make_setting(setting) && compute(text, setting, hash);
	wipe(text, sizeof(text));
	if (!done)
		return err_set_errno(e, "cannot hash a password");
	return 0;
}

int password_hash(struct slice password, char hash[HASH_MAX], struct err *e)
{
	return password_hash_like(password, "", hash, e);
}

/* ---- checking ---- */

/* Of yescrypt the setting is all before the last "$". */
bool password_is_alike(const char *hash, const char *other)
{
	const char *end = strrchr(hash, '$');
	return !password_hash_is_old(hash) && !password_hash_is_old(other) &&
	       strrchr(other, '$') - other == end - hash &&
	       memcmp(hash, other, (size_t)(end - hash)) == 0;
}

static bool is_computed(const char *const *hashes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (password_is_alike(hashes[i], hashes[n]))
			return true;
	return false;
}

/* Memory that cannot be had must not look like a wrong password: where not even a
 * dummy can be hashed, the process ends; where it can, what was lacking may be there
 * again. `hash` NULL: the dummy is all that is wanted. */
static bool compute_surely(const char *text, const char *hash, char *computed)
{
	static char dummy[CRYPT_GENSALT_OUTPUT_SIZE];
	if (!*dummy && !make_setting(dummy))
		abort();
	if (hash && compute(text, hash, computed))
		return true;
	if (!compute(text, dummy, computed))
		abort();
	return hash && compute(text, hash, computed);
}

static bool is_equal(const char *computed, const char *hash)
{
	size_t len = strlen(hash);
	return strlen(computed) == len && equal_constant_time(computed, hash, len);
}

int password_find(struct slice password, const char *const *hashes, size_t count)
{
	char text[PASSWORD_MAX + 1];
	char computed[HASH_MAX];
	int found = -1;
	/* What crypt(3) cannot take is nobody's password, at the same price. */
	if (password.len > PASSWORD_MAX ||
		memchr(password.at ? password.at : "", 0, password.len)) {
		password = SLICE("");
		count = 0;
	}
	memcpy(text, password.at ? password.at : "", password.len);
	text[password.len] = '\0';
	if (count == 0)
		compute_surely(text, NULL, computed);
	for (size_t i = 0; i < count; i++) {
		if (is_computed(hashes, i) || !compute_surely(text, hashes[i], computed))
			continue;
		for (size_t j = i; j < count; j++)
			if (is_equal(computed, hashes[j]))
				found = (int)j;
	}
	wipe(text, sizeof(text));
	wipe(computed, sizeof(computed));
	return found;
}

bool password_matches(struct slice password, const char *hash)
{
	return password_find(password, &hash, hash != NULL) == 0;
}

/* A setting without its hash is told by hashing: what comes out is longer. */
static bool is_whole(const char *hash)
{
	char computed[HASH_MAX];
	return compute("", hash, computed) && strlen(computed) == strlen(hash);
}

/* A string can ask for hours and for gigabytes: in a process that gets neither. */
static bool is_whole_at_a_price(const char *hash)
{
	const struct rlimit seconds = {CHECK_SECONDS, CHECK_SECONDS};
	int status;
	pid_t pid = fork();
	if (pid == 0) {
#ifndef SANITIZED
		const struct rlimit memory = {CHECK_MEMORY, CHECK_MEMORY};
		setrlimit(RLIMIT_AS, &memory);
#endif
		setrlimit(RLIMIT_CPU, &seconds);
		_exit(!is_whole(hash));
	}
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Traditional DES strings, which begin with no "$", are refused: they look
 * like any word of 13 letters, and cut passwords at the eighth. */
bool password_hash_is_known(const char *hash)
{
	if (hash[0] != '$' || strlen(hash) >= HASH_MAX)
		return false;
	int judged = crypt_checksalt(hash);
	return (judged == CRYPT_SALT_OK || judged == CRYPT_SALT_METHOD_LEGACY ||
		       judged == CRYPT_SALT_TOO_CHEAP) &&
	       is_whole_at_a_price(hash);
}

bool password_hash_is_old(const char *hash)
{
	return strncmp(hash, OURS, strlen(OURS)) != 0;
}

void password_generate(char text[PASSWORD_GENERATED_MAX])
{
	static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789";
	const unsigned count = sizeof(letters) - 1;
	size_t len = 0;
	while (len < PASSWORD_GENERATED_MAX - 1) {
		unsigned char random;
		if (len % 5 == 4) {
			text[len++] = '-';
			continue;
		}
		digest_random(&random, 1);
		if (random < 256 / count * count) /* each letter as likely as any other */
			text[len++] = letters[random % count];
	}
	text[len] = '\0';
}
