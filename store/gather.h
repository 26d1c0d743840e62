/* Where a sync takes long, the writer waits a little for those whom it has just answered:
 * they are about to ask on, and one commit more would cost all of them more than the
 * wait. On a quick disk it never waits, nor for one who is alone, and for nobody twice. */
#ifndef STORE_GATHER_H
#define STORE_GATHER_H

#include "base/role.h"

#define GATHER_MOST 64 /* of whom it keeps */

struct gathering {
	int64_t syncs_us[2]; /* how long the last two commits took */
	int64_t since_us;    /* when this round could have been committed; 0: not yet */
	const struct role_channel *away[GATHER_MOST];
	size_t away_count;
};

void gathering_synced(struct gathering *gathering, int64_t microseconds);
/* A round is over: those of the one before are waited for no more. */
void gathering_next_round(struct gathering *gathering);
/* Mail was answered: there may be more of it. */
void gathering_answered(struct gathering *gathering, const struct role_channel *whom);
/* It is back, or has gone. */
void gathering_came(struct gathering *gathering, const struct role_channel *whom);
/* How many microseconds from now the round should wait for more, 0: it should be
 * committed. Asked when there is something to commit, and each time when more has come. */
int64_t gathering_wait_us(struct gathering *gathering, int64_t now_us);

#endif
