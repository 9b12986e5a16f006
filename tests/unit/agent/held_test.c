#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/held.h"
#include "base/mem.h"

static struct process process;

static struct sample sample_with(const uint64_t *kernel, uint32_t kernel_count,
				 const uint64_t *user, uint32_t user_count, const void *stack,
				 uint32_t stack_len)
{
	return (struct sample){.pid = 7,
			       .comm = "worker",
			       .kernel = kernel,
			       .kernel_count = kernel_count,
			       .user = user,
			       .user_count = user_count,
			       .end = UNWIND_END_NOT_READY,
			       .state = {.pc = 1, .sp = 2},
			       .stack = stack,
			       .stack_len = stack_len};
}

static void a_sample_is_kept_with_all_that_it_points_to(void **state)
{
	struct held held = {0};
	uint64_t kernel[] = {1, 2, 3}, user[] = {4, 5};
	char stack[13] = "stack bytes.";
	(void)state;
	struct sample s = sample_with(kernel, 3, user, 2, stack, sizeof(stack));
	assert_true(held_add(&held, &process, &s, 77));
	assert_int_equal(process.holds, 1);
	memset(kernel, 0, sizeof(kernel));
	memset(user, 0, sizeof(user));
	memset(stack, 0, sizeof(stack));

	struct held_sample *row = held_take(&held);
	assert_ptr_equal(row->process, &process);
	assert_int_equal(row->since_ns, 77);
	assert_int_equal(row->sample.kernel[2], 3);
	assert_int_equal(row->sample.user[1], 5);
	assert_int_equal(row->sample.end, UNWIND_END_NOT_READY);
	assert_int_equal(row->sample.state.sp, 2);
	assert_string_equal(row->sample.comm, "worker");
	assert_string_equal((const char *)row->sample.stack, "stack bytes.");
	assert_null(held_take(&held));
	assert_int_equal(held.bytes, 0);
	held_free(row);
	assert_int_equal(process.holds, 0);
}

static void samples_leave_in_the_order_in_which_they_came(void **state)
{
	struct held held = {0};
	(void)state;
	for (uint64_t round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < 5; i++) {
			struct sample s = sample_with(&i, 1, NULL, 0, NULL, 0);
			assert_true(held_add(&held, &process, &s, i));
		}
		for (uint64_t i = 0; i < 5; i++) {
			struct held_sample *row = held_take(&held);
			assert_int_equal(row->sample.kernel[0], i);
			held_free(row);
		}
	}
}

static void a_full_queue_refuses(void **state)
{
	struct held held = {0};
	static const char stack[8192];
	uint32_t count = 0;
	(void)state;
	struct sample s = sample_with(NULL, 0, NULL, 0, stack, sizeof(stack));
	while (held_add(&held, &process, &s, 0))
		assert_in_range(++count, 0, 10000);
	assert_in_range(count, 100, 1000);
	assert_int_equal(process.holds, count);
	held_free(held_take(&held));
	assert_true(held_add(&held, &process, &s, 0));
	held_deinit(&held);
	assert_int_equal(process.holds, 0);
	assert_int_equal(held.bytes, 0);
}

static void without_memory_nothing_is_held(void **state)
{
	struct held held = {0};
	(void)state;
	struct sample s = sample_with(NULL, 0, NULL, 0, NULL, 0);
	mem_fail_nth(1);
	assert_false(held_add(&held, &process, &s, 0));
	mem_fail_nth(0);
	assert_int_equal(process.holds, 0);
	assert_null(held_take(&held));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sample_is_kept_with_all_that_it_points_to),
		cmocka_unit_test(samples_leave_in_the_order_in_which_they_came),
		cmocka_unit_test(a_full_queue_refuses),
		cmocka_unit_test(without_memory_nothing_is_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
