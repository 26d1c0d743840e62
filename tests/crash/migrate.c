/* migrate DATA: brings the store there two versions further than this officemail
 * knows, so that migrations can be killed and cut whether or not there is a real
 * one. The steps touch every user and message, drop a table and make another. */
#include "store/db.h"
#include <stdio.h>

#define NEW_STEPS 2

static const char *const steps[NEW_STEPS] = {
	"ALTER TABLE users ADD COLUMN nickname TEXT NOT NULL DEFAULT '';"
	"UPDATE users SET nickname = upper(local);"
	"DROP TABLE events;",
	"CREATE TABLE views (entry_id INTEGER PRIMARY KEY, seen INTEGER NOT NULL) STRICT;"
	"INSERT INTO views SELECT id, received FROM entries;"
	"UPDATE bodies SET sender = 'x' || sender;"
	"UPDATE entries SET received = received + 1;",
};

int main(int argc, char **argv)
{
	struct store *store = NULL;
	struct err e;
	const char *all[STORE_SCHEMA_VERSION + NEW_STEPS];
	if (argc != 2)
		return 2;
	for (int i = 0; i < STORE_SCHEMA_VERSION + NEW_STEPS; i++)
		all[i] = i < STORE_SCHEMA_VERSION ? db_migrations[i]
						  : steps[i - STORE_SCHEMA_VERSION];
	int done = store_open(&store, argv[1], STORE_TOOL, SYNC_FULL, &e);
	if (done == 0)
		done = db_migrate(store, all, STORE_SCHEMA_VERSION + NEW_STEPS, &e);
	if (done < 0)
		fprintf(stderr, "%s\n", e.text);
	store_close(store);
	return done < 0;
}
