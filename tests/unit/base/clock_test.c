#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/clock.h"

static void time_goes_forward(void **state)
{
	uint64_t first = clock_mono_ns();
	uint64_t cpu = clock_thread_cpu_ns();

	(void)state;
	for (int i = 0; i < 100000; i++)
		assert_true(clock_mono_ns() >= first);
	assert_true(clock_thread_cpu_ns() > cpu);
	assert_true(clock_mono_ns() > first);
}

static void the_real_clock_is_past_2024(void **state)
{
	(void)state;
	assert_true(clock_real_ns() > UINT64_C(1704067200) * NS_PER_S);
}

static void the_offset_turns_monotonic_into_real(void **state)
{
	int64_t offset = clock_real_offset_ns();
	int64_t guess = (int64_t)clock_mono_ns() + offset;

	(void)state;
	assert_true(llabs((int64_t)clock_real_ns() - guess) < 50 * NS_PER_MS);
}

static void sleeping_lasts_until_the_deadline(void **state)
{
	uint64_t deadline = clock_mono_ns() + 20 * NS_PER_MS;
	uint64_t cpu = clock_thread_cpu_ns();

	(void)state;
	clock_sleep_until_ns(deadline);
	assert_true(clock_mono_ns() >= deadline);
	assert_true(clock_thread_cpu_ns() - cpu < 15 * NS_PER_MS);
}

static void a_deadline_gone_by_does_not_sleep(void **state)
{
	uint64_t before = clock_mono_ns();

	(void)state;
	clock_sleep_until_ns(before - NS_PER_S);
	clock_sleep_until_ns(0);
	assert_true(clock_mono_ns() - before < NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_goes_forward),
		cmocka_unit_test(the_real_clock_is_past_2024),
		cmocka_unit_test(the_offset_turns_monotonic_into_real),
		cmocka_unit_test(sleeping_lasts_until_the_deadline),
		cmocka_unit_test(a_deadline_gone_by_does_not_sleep),
	};

	return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
