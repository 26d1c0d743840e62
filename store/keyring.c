/* Who has no devices has a ring of one, and pays for no more. */
#include "store/keyring.h"
#include <stdlib.h>

int keyring_load(
	struct keyring *keyring, struct store *store, const struct user *user, struct err *e)
{
	keyring_free(keyring);
	keyring->user = user;
	if (user->devices == 0)
		return 0;
	return devices_load(store, user->id, &keyring->devices, &keyring->device_count, e);
}

void keyring_free(struct keyring *keyring)
{
	devices_free(keyring->devices, keyring->device_count);
	keyring->devices = NULL;
	keyring->device_count = 0;
	free(keyring->pairs);
	keyring->pairs = NULL;
}

size_t keyring_hashes(const struct keyring *keyring, const char *hashes[KEYRING_MAX])
{
	size_t count = 0;
	if (keyring->user->id)
		hashes[count++] = keyring->user->hash;
	for (size_t i = 0; i < keyring->device_count && count < KEYRING_MAX; i++)
		hashes[count++] = keyring->devices[i].hash;
	return count;
}

/* How many pairs there are: one for nobody, too, who is known by the name. */
static size_t count_pairs(const struct keyring *keyring)
{
	const char *hashes[KEYRING_MAX];
	size_t count = keyring_hashes(keyring, hashes);
	return count > 0 ? count : 1;
}

void keyring_try(struct keyring *keyring, struct slice name, struct slice password)
{
	const char *hashes[KEYRING_MAX] = {NULL};
	keyring_hashes(keyring, hashes);
	free(keyring->pairs);
	keyring->pairs = must_alloc(count_pairs(keyring) * sizeof(*keyring->pairs));
	for (size_t i = 0; i < count_pairs(keyring); i++)
		login_pair_of(&keyring->pairs[i], name, hashes[i], password);
}

int keyring_find_fresh(const struct keyring *keyring, int64_t now_ms)
{
	for (size_t i = 0; i < count_pairs(keyring); i++)
		if (logins_is_fresh(&keyring->pairs[i], now_ms))
			return (int)i;
	return -1;
}

bool keyring_is_remembered(const struct keyring *keyring, int64_t now_ms)
{
	for (size_t i = 0; i < count_pairs(keyring); i++)
		if (logins_is_remembered(&keyring->pairs[i], now_ms))
			return true;
	return false;
}

const struct device *keyring_device(const struct keyring *keyring, int which)
{
	return which > 0 ? &keyring->devices[which - 1] : NULL;
}

bool keyring_is_new_hour(
	const struct keyring *keyring, const struct device *device, bool views, int64_t now)
{
	const struct user *user = keyring->user;
	int64_t viewed = device ? device->viewed : user->viewed;
	return devices_is_due(now, user->last_login) ||
	       (device && devices_is_due(now, device->last_login)) ||
	       (views && user->devices > 0 && devices_is_due(now, viewed));
}
