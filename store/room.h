/* Room on the disk: is there enough to take mail? The directory asks at each
 * recipient, the writer at each round. Both look anew each time where it could
 * matter, and ten times a second where there is plenty. */
#ifndef STORE_ROOM_H
#define STORE_ROOM_H

#include "store/store.h"

/* Below this, whatever [store] reserve says: what one round of the writer may
 * add to the log, and then to the file. */
#define ROOM_LEAST (10u * 1024 * 1024)

/* Would [store] reserve still be free, had a message of `octets` (0: not said)
 * been filed? 1 yes, 0 no. */
int room_for_mail(struct store *store, const struct config *config, uint64_t octets, struct err *e);
/* Would there be, once all has given way that may: the file's free pages, octets
 * that nobody refers to, messages kept only for restore? 1 yes, 0 no: then these
 * are not to be lost for nothing. */
int room_can_be_made(
	struct store *store, const struct config *config, uint64_t octets, struct err *e);
/* The same for a recipient, for the directory: ERR_SPACE where there is none and none can
 * be made. That mail is refused is logged, once each time that it changes. */
int room_accept(struct store *store, const struct config *config, uint64_t octets, struct err *e);
/* Fills *e with ERR_SPACE and how to mend it; returns -1. */
int room_refuse(const struct config *config, struct err *e);

#endif
