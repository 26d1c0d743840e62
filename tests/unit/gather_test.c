/* store/gather.h, promise by promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs the three above. */
#include <cmocka.h>

#include "store/gather.h"

#define SLOW 6000
#define NOW  1000000

static struct role_channel ani, budi, citra;

/* On a disk whose syncs take so long, after a round in which `first` and, where it is
 * given, `second` were answered. */
static struct gathering after(
	int64_t sync_us, const struct role_channel *first, const struct role_channel *second)
{
	struct gathering gathering = {0};
	ani.ended = budi.ended = citra.ended = false;
	gathering_synced(&gathering, sync_us);
	gathering_synced(&gathering, sync_us);
	gathering_next_round(&gathering);
	gathering_answered(&gathering, first);
	if (second)
		gathering_answered(&gathering, second);
	return gathering;
}

static void who_was_just_answered_is_waited_for(void **state)
{
	(void)state;
	struct gathering gathering = after(SLOW, &ani, &budi);
	gathering_came(&gathering, &citra);
	assert_int_equal(gathering_wait_us(&gathering, NOW), SLOW / 4);
	gathering_came(&gathering, &ani);
	assert_int_equal(gathering_wait_us(&gathering, NOW + 100), SLOW / 4 - 100);
	gathering_came(&gathering, &budi);
	assert_int_equal(gathering_wait_us(&gathering, NOW + 200), 0);
}

static void who_is_alone_waits_for_nobody(void **state)
{
	(void)state;
	struct gathering gathering = after(SLOW, &ani, NULL);
	gathering_came(&gathering, &ani);
	assert_int_equal(gathering_wait_us(&gathering, NOW), 0);
}

static void the_wait_is_a_quarter_of_a_sync_and_no_longer(void **state)
{
	(void)state;
	struct gathering gathering = after(SLOW, &ani, NULL);
	assert_true(gathering_wait_us(&gathering, NOW) > 0);
	assert_int_equal(gathering_wait_us(&gathering, NOW + SLOW / 4 - 1), 1);
	assert_int_equal(gathering_wait_us(&gathering, NOW + SLOW / 4), 0);
	assert_int_equal(gathering_wait_us(&gathering, NOW + SLOW), 0);
}

static void who_did_not_come_back_is_not_waited_for_again(void **state)
{
	(void)state;
	struct gathering gathering = after(SLOW, &ani, &budi);
	gathering_came(&gathering, &ani);
	assert_true(gathering_wait_us(&gathering, NOW) > 0); /* for budi */
	gathering_next_round(&gathering);
	gathering_answered(&gathering, &ani);
	gathering_came(&gathering, &ani);
	assert_int_equal(gathering_wait_us(&gathering, NOW + SLOW), 0);
}

static void who_has_gone_is_not_waited_for(void **state)
{
	(void)state;
	struct gathering gathering = after(SLOW, &ani, &budi);
	ani.ended = true;
	assert_true(gathering_wait_us(&gathering, NOW) > 0);
	gathering_came(&gathering, &budi);
	assert_int_equal(gathering_wait_us(&gathering, NOW), 0);
}

static void a_quick_disk_is_never_waited_for(void **state)
{
	(void)state;
	struct gathering gathering = after(150, &ani, &budi);
	assert_int_equal(gathering_wait_us(&gathering, NOW), 0);
	gathering = after(1500, &ani, &budi);
	assert_int_equal(gathering_wait_us(&gathering, NOW), 0);
	/* One sync that took long does not make it a slow one. */
	gathering_synced(&gathering, 50000);
	assert_int_equal(gathering_wait_us(&gathering, NOW), 0);
}

static void more_than_it_can_keep_do_no_harm(void **state)
{
	(void)state;
	static struct role_channel many[GATHER_MOST + 2];
	struct gathering gathering = after(SLOW, &many[0], NULL);
	for (size_t i = 1; i < GATHER_MOST + 2; i++)
		gathering_answered(&gathering, &many[i]);
	for (size_t i = 0; i < GATHER_MOST + 2; i++)
		gathering_came(&gathering, &many[i]);
	assert_int_equal(gathering_wait_us(&gathering, NOW), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_was_just_answered_is_waited_for),
		cmocka_unit_test(who_is_alone_waits_for_nobody),
		cmocka_unit_test(the_wait_is_a_quarter_of_a_sync_and_no_longer),
		cmocka_unit_test(who_did_not_come_back_is_not_waited_for_again),
		cmocka_unit_test(who_has_gone_is_not_waited_for),
		cmocka_unit_test(a_quick_disk_is_never_waited_for),
		cmocka_unit_test(more_than_it_can_keep_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
