/* The sessions of a day, from the first to the last: each that ends badly counts against
 * the message it was about, each that ends well clears the messages it has got. */
#include "store/stuck.h"
#include "base/log.h"
#include "base/text.h"
#include "store/db.h"
#include "store/events.h"
#include "store/ranges.h"
#include <inttypes.h>
#include <string.h>

#define DAY          (24 * 3600)
#define TALLIES_MOST 256 /* logins and messages; a flood of them is no client's trouble */
#define LOOK_MS      60000
#define DIGITS       18

/* Of one message and one login. */
struct tally {
	struct stuck stuck;
	int64_t cuts, loops;
};

struct day {
	struct store *store;
	struct tally *tallies;
	size_t count;
};

/* Whether it is there to be fetched; whose it is. 1 found. */
static int read_entry(struct store *store, struct stuck *stuck, struct err *e)
{
	struct query q = db_query(store,
		SQL("SELECT e.size, u.address FROM entries e JOIN folders f ON f.id = e.folder_id"
		    " JOIN users u ON u.id = f.user_id"
		    " WHERE e.id = ? AND u.id = ? AND e.deleted IS NULL AND u.removed IS NULL"));
	db_bind_int(&q, stuck->entry_id);
	db_bind_int(&q, stuck->user_id);
	int found = db_next(&q, e);
	if (found == 1) {
		stuck->size = (uint64_t)db_int(&q, 0);
		db_copy_text(&q, 1, stuck->user, sizeof(stuck->user));
	}
	db_end(&q);
	return found;
}

static bool is_of(const struct tally *tally, int64_t user_id, struct slice device)
{
	return tally->stuck.user_id == user_id &&
	       slice_equal(slice_of(tally->stuck.device), device);
}

/* *tally is NULL where nobody can be stuck at that message. */
static int find_tally(struct day *day, int64_t user_id, struct slice device, int64_t entry_id,
	struct tally **tally, struct err *e)
{
	*tally = NULL;
	for (size_t i = 0; i < day->count; i++)
		if (day->tallies[i].stuck.entry_id == entry_id &&
			is_of(&day->tallies[i], user_id, device)) {
			*tally = &day->tallies[i];
			return 0;
		}
	if (day->count == TALLIES_MOST || device.len >= STUCK_DEVICE_MAX)
		return 0;
	struct tally *fresh = &day->tallies[day->count];
	*fresh = (struct tally){.stuck = {.user_id = user_id, .entry_id = entry_id}};
	if (device.len > 0)
		memcpy(fresh->stuck.device, device.at, device.len);
	int found = read_entry(day->store, &fresh->stuck, e);
	if (found == 1) {
		day->count++;
		*tally = fresh;
	}
	return found < 0 ? -1 : 0;
}

/* "45:10240" */
static bool read_cut(struct slice word, int64_t *entry_id, uint64_t *octets)
{
	uint64_t id;
	struct slice number = slice_cut(&word, ':');
	if (!text_to_number(number, DIGITS, &id) || !text_to_number(word, DIGITS, octets))
		return false;
	*entry_id = (int64_t)id;
	return true;
}

static int note_bad_end(
	struct day *day, int64_t user_id, int64_t at, struct slice detail, struct err *e)
{
	struct slice device = events_word(detail, "device"), list = events_word(detail, "fetched");
	struct tally *tally;
	int64_t first = 0, last, cut = 0;
	uint64_t octets = 0;
	bool has_cut = read_cut(events_word(detail, "cut"), &cut, &octets);
	if (has_cut && find_tally(day, user_id, device, cut, &tally, e) < 0)
		return -1;
	if (has_cut && tally && octets < tally->stuck.size) {
		tally->cuts++;
		tally->stuck.last = at;
		return 0;
	}
	/* It may have got all of it: what it came for first says whether it did before. */
	if (!ranges_next(&list, &first, &last) || (has_cut && cut < first))
		first = cut;
	if (first == 0)
		return 0;
	if (find_tally(day, user_id, device, first, &tally, e) < 0)
		return -1;
	if (tally) {
		tally->loops++;
		tally->stuck.last = at;
	}
	return 0;
}

static void note_good_end(struct day *day, int64_t user_id, struct slice detail)
{
	struct slice device = events_word(detail, "device");
	struct slice fetched = events_word(detail, "fetched");
	for (size_t i = 0; i < day->count; i++) {
		struct tally *tally = &day->tallies[i];
		if (is_of(tally, user_id, device) && ranges_hold(fetched, tally->stuck.entry_id))
			tally->cuts = tally->loops = 0;
	}
}

/* `retrieved` stands in the first event of a session alone. */
static int note_session(
	struct day *day, int64_t user_id, int64_t at, struct slice detail, struct err *e)
{
	if (events_word(detail, "retrieved").len == 0)
		return 0;
	if (events_word(detail, "quit").len > 0)
		return note_bad_end(day, user_id, at, detail, e);
	note_good_end(day, user_id, detail);
	return 0;
}

static int note_told(
	struct day *day, int64_t user_id, int64_t entry_id, struct slice detail, struct err *e)
{
	struct tally *tally;
	int done = find_tally(day, user_id, events_word(detail, "device"), entry_id, &tally, e);
	if (done == 0 && tally)
		tally->stuck.told = true;
	return done;
}

/* Of the first event of the last day. */
static int find_start(struct store *store, int64_t since, int64_t *id, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT at, id FROM events ORDER BY id DESC"
			   " /* scans events: from the newest, until one is older than a day */"));
	int found;
	*id = INT64_MAX;
	while ((found = db_next(&q, e)) == 1 && db_int(&q, 0) >= since)
		*id = db_int(&q, 1);
	db_end(&q);
	return found < 0 ? -1 : 0;
}

static int count_sessions(struct day *day, int64_t start, struct err *e)
{
	struct query q =
		db_query(day->store, SQL("SELECT at, kind = '" EVENT_STUCK "', user_id, entry_id,"
					 " detail FROM events WHERE id >= ?"
					 " AND kind IN ('" EVENT_SESSION "', '" EVENT_STUCK "')"
					 " ORDER BY id"));
	int found, done = 0;
	db_bind_int(&q, start);
	while (done == 0 && (found = db_next(&q, e)) == 1) {
		int64_t user_id = db_int(&q, 2);
		struct slice detail = db_text(&q, 4);
		done = db_int(&q, 1) ? note_told(day, user_id, db_int(&q, 3), detail, e)
				     : note_session(day, user_id, db_int(&q, 0), detail, e);
	}
	db_end(&q);
	return done < 0 || found < 0 ? -1 : 0;
}

int stuck_each(struct store *store, int (*each)(const struct stuck *stuck, void *arg), void *arg,
	struct err *e)
{
	struct buf tallies = {0};
	struct day day = {.store = store};
	int64_t start;
	day.tallies = (void *)buf_reserve(&tallies, TALLIES_MOST * sizeof(*day.tallies));
	int done = find_start(store, store_now(store) - DAY, &start, e);
	if (done == 0)
		done = count_sessions(&day, start, e);
	for (size_t i = 0; done == 0 && i < day.count; i++) {
		struct tally *tally = &day.tallies[i];
		tally->stuck.breaks_off = tally->cuts >= STUCK_CUTS;
		tally->stuck.sessions = tally->stuck.breaks_off ? tally->cuts : tally->loops;
		if ((tally->stuck.breaks_off || tally->loops >= STUCK_LOOPS) &&
			each(&tally->stuck, arg))
			break;
	}
	buf_free(&tallies);
	return done;
}

/* ---- for the writer ---- */

static struct {
	bool unsuspected; /* since the last look; false at first */
	int64_t looked_ms;
} watch;

void stuck_suspect(struct slice detail)
{
	if (events_word(detail, "quit").len > 0)
		watch.unsuspected = false;
}

static int keep_untold(const struct stuck *stuck, void *arg)
{
	if (!stuck->told)
		buf_add(arg, stuck, sizeof(*stuck));
	return 0;
}

static int tell(struct store *store, const struct stuck *stuck, struct err *e)
{
	const char *what = stuck->breaks_off
				   ? "its sessions end within this message"
				   : "it fetches this message in each session and never says QUIT";
	struct buf detail = {0};
	log_event(LOG_WARNING, "stuck-client", log_text("user", stuck->user),
		log_if("device", stuck->device), log_number("message", stuck->entry_id),
		log_number("size", (int64_t)stuck->size), log_number("sessions", stuck->sessions),
		log_reason(what));
	buf_printf(&detail, "sessions=%" PRId64, stuck->sessions);
	if (*stuck->device)
		events_add_word(&detail, "device", slice_of(stuck->device));
	int done = events_add(
		store, EVENT_STUCK, stuck->user_id, stuck->entry_id, buf_slice(&detail), e);
	buf_free(&detail);
	return done;
}

static int tell_all(struct store *store, struct slice untold, struct err *e)
{
	struct stuck stuck;
	int done = store_begin(store, e);
	for (; done == 0 && untold.len > 0; untold = slice_from(untold, sizeof(stuck))) {
		memcpy(&stuck, untold.at, sizeof(stuck));
		done = tell(store, &stuck, e);
	}
	if (done == 0 && store_commit(store, e) == 0)
		return 0;
	store_rollback(store);
	return -1;
}

int stuck_look(struct store *store, struct err *e)
{
	int64_t now = text_monotonic_ms();
	struct buf untold = {0};
	if (watch.unsuspected || (watch.looked_ms && now - watch.looked_ms < LOOK_MS))
		return 0;
	watch.unsuspected = true;
	watch.looked_ms = now;
	int done = stuck_each(store, keep_untold, &untold, e);
	if (done == 0 && untold.len > 0)
		done = tell_all(store, buf_slice(&untold), e);
	buf_free(&untold);
	return done;
}
