#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/senders.h"

static struct senders *senders;
static uint64_t now_ns;
static enum wire_layout was;

static int setup(void **state)
{
	(void)state;
	now_ns = NS_PER_S;
	return senders_create(&senders, NULL);
}

static int teardown(void **state)
{
	(void)state;
	senders_destroy(senders);
	return 0;
}

static bool note(const char *peer, const char *agent, enum wire_layout layout)
{
	now_ns += (uint64_t)10 * NS_PER_S;
	return senders_note(senders, str_of(peer), str_of(agent), layout, now_ns, &was);
}

static void a_change_is_told_once_it_is_steady(void **state)
{
	(void)state;
	assert_false(note("10.0.0.1:5000", "a", WIRE_LAYOUT_D));
	assert_false(note("10.0.0.1:5001", "a", WIRE_LAYOUT_F)); /* another port is the same */
	assert_false(note("10.0.0.1:5001", "a", WIRE_LAYOUT_F));
	assert_true(note("10.0.0.1:5002", "a", WIRE_LAYOUT_F));
	assert_int_equal(was, WIRE_LAYOUT_D);
	for (int i = 0; i < 5; i++)
		assert_false(note("10.0.0.1:5002", "a", WIRE_LAYOUT_F));
}

static void requests_that_tell_nothing_or_little_are_no_change(void **state)
{
	(void)state;
	for (int i = 0; i < 9; i++) {
		assert_false(note("[::1]:1", "a", WIRE_LAYOUT_E2));
		assert_false(note("[::1]:1", "a", WIRE_LAYOUT_NONE));
		assert_false(note("[::1]:1", "a", WIRE_LAYOUT_F));
	}
}

static void two_senders_behind_one_address_are_two(void **state)
{
	(void)state;
	for (int i = 0; i < 9; i++) {
		assert_false(note("10.0.0.1:1", "old/0.135.0", WIRE_LAYOUT_D));
		assert_false(note("10.0.0.1:1", "new/0.159.0", WIRE_LAYOUT_F));
	}
}

static void who_changes_all_the_time_is_told_every_ten_minutes(void **state)
{
	int told = 0;

	(void)state;
	for (int i = 0; i < 360; i++) /* an hour, changing every three requests */
		told += note("unix", "", i / SENDERS_STEADY % 2 ? WIRE_LAYOUT_A : WIRE_LAYOUT_B);
	assert_true(told >= 5 && told <= 7);
}

static void many_senders_that_change_at_once_are_one_line_a_second(void **state)
{
	int told = 0;

	(void)state;
	for (int round = 0; round <= SENDERS_STEADY; round++)
		for (int i = 0; i < 100; i++) {
			char agent[2] = {(char)(i + 1), 0};
			told += senders_note(senders, STR("10.0.0.1:1"), str_of(agent),
					     round ? WIRE_LAYOUT_F : WIRE_LAYOUT_D,
					     (uint64_t)99 * NS_PER_S, &was);
		}
	assert_int_equal(told, 1);
}

static void without_memory_there_is_no_table(void **state)
{
	struct senders *none = NULL;

	(void)state;
	mem_fail_nth(1);
	assert_int_equal(senders_create(&none, NULL), ERR_NOMEM);
	mem_fail_nth(0);
	assert_null(none);
	senders_destroy(none);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_change_is_told_once_it_is_steady),
		TEST(requests_that_tell_nothing_or_little_are_no_change),
		TEST(two_senders_behind_one_address_are_two),
		TEST(who_changes_all_the_time_is_told_every_ten_minutes),
		TEST(many_senders_that_change_at_once_are_one_line_a_second),
		TEST(without_memory_there_is_no_table),
	};
	return cmocka_run_group_tests_name("server/senders", tests, NULL, NULL);
}
