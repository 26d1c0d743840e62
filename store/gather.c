/* Ten who send by turns would form two groups, each of which asks while the other one's
 * commit is under way: the wait makes one of them. */
#include "store/gather.h"

#define PART     4   /* of a sync, that a round waits at most */
#define LEAST_US 500 /* shorter than that is no wait worth the name */

void gathering_synced(struct gathering *gathering, int64_t microseconds)
{
	gathering->syncs_us[0] = gathering->syncs_us[1];
	gathering->syncs_us[1] = microseconds;
}

void gathering_next_round(struct gathering *gathering)
{
	gathering->away_count = 0;
	gathering->since_us = 0;
}

void gathering_answered(struct gathering *gathering, const struct role_channel *whom)
{
	if (gathering->away_count < GATHER_MOST)
		gathering->away[gathering->away_count++] = whom;
}

void gathering_came(struct gathering *gathering, const struct role_channel *whom)
{
	for (size_t i = 0; i < gathering->away_count; i++)
		if (gathering->away[i] == whom)
			gathering->away[i] = gathering->away[--gathering->away_count];
}

static bool is_anybody_away(const struct gathering *gathering)
{
	for (size_t i = 0; i < gathering->away_count; i++)
		if (!gathering->away[i]->ended)
			return true;
	return false;
}

/* One slow sync among quick ones is no slow disk. */
static int64_t patience_us(const struct gathering *gathering)
{
	const int64_t *syncs = gathering->syncs_us;
	int64_t patience = (syncs[0] < syncs[1] ? syncs[0] : syncs[1]) / PART;
	return patience < LEAST_US ? 0 : patience;
}

int64_t gathering_wait_us(struct gathering *gathering, int64_t now_us)
{
	if (gathering->since_us == 0)
		gathering->since_us = now_us;
	int64_t left = gathering->since_us + patience_us(gathering) - now_us;
	return left > 0 && is_anybody_away(gathering) ? left : 0;
}
