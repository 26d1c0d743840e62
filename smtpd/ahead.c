/* What waits in the buffer is looked at, and nothing of it taken: each command is read
 * once more when its turn comes, and finds its answer by its address. */
#include "smtpd/ahead.h"
#include "smtpd/address.h"
#include <stdlib.h>
#include <string.h>

/* Cuts a line off. */
static bool next_recipient(struct slice *octets, struct slice domain, char address[ADDRESS_MAX])
{
	size_t len = slice_find(*octets, '\n');
	struct slice argument = {octets->at, len};
	if (len == octets->len)
		return false;
	*octets = slice_from(*octets, len + 1);
	return slice_equal_nocase(slice_cut(&argument, ' '), SLICE("RCPT")) &&
	       address_take_path(&argument, ADDRESS_RECIPIENT, domain, address) == ADDRESS_GOOD;
}

static void add(struct ahead *ahead, const char address[ADDRESS_MAX])
{
	if (!ahead->answers)
		ahead->answers = must_alloc(RESOLVE_MOST * sizeof(*ahead->answers));
	memcpy(ahead->answers[ahead->count++].address, address, ADDRESS_MAX);
}

static void ask(struct ahead *ahead, struct channel *directory, uint64_t size)
{
	struct slice addresses[RESOLVE_MOST];
	enum err_kind kinds[RESOLVE_MOST];
	for (size_t i = 0; i < ahead->count; i++)
		addresses[i] = slice_of(ahead->answers[i].address);
	request_resolve_many(directory, addresses, ahead->count, size, kinds);
	for (size_t i = 0; i < ahead->count; i++)
		ahead->answers[i].kind = kinds[i];
}

enum err_kind ahead_resolve(struct ahead *ahead, struct visitor *visitor, const char *address,
	struct slice domain, uint64_t size, size_t most)
{
	struct slice rest = conn_ahead(&visitor->conn);
	char next[ADDRESS_MAX];
	struct err e;
	/* One that was refused before it was asked about is stepped over. */
	while (ahead->at < ahead->count && strcmp(ahead->answers[ahead->at].address, address) != 0)
		ahead->at++;
	if (ahead->at < ahead->count)
		return ahead->answers[ahead->at++].kind;

	ahead->at = ahead->count = 0;
	if (most > RESOLVE_MOST)
		most = RESOLVE_MOST;
	for (size_t count = 1; count < most && next_recipient(&rest, domain, next); count++) {
		if (count == 1)
			add(ahead, address);
		add(ahead, next);
	}
	if (ahead->count == 0)
		return request_resolve(&visitor->directory, slice_of(address), size, &e) < 0
			       ? e.kind
			       : ERR_NONE;
	ask(ahead, &visitor->directory, size);
	return ahead->answers[ahead->at++].kind;
}

void ahead_forget(struct ahead *ahead)
{
	free(ahead->answers);
	*ahead = (struct ahead){0};
}
