/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "collect/exporters/queue.h"

/* A peer that answers as the test says and remembers what it got. */
struct peer {
	_Atomic int calls, taken;
	_Atomic int refuse_first; /* so many calls get SEND_RETRY */
	_Atomic int refuse_for_good;
	_Atomic int hold; /* calls wait while it is 1 */
	_Atomic uint64_t last_bytes;
};

static void peer_send(void *self, uint32_t connection, struct str payload, struct send_outcome *ret)
{
	struct peer *peer = self;
	(void)connection;
	atomic_fetch_add(&peer->calls, 1);
	while (atomic_load(&peer->hold))
		clock_sleep_until_ns(clock_mono_ns() + NS_PER_MS);
	if (atomic_load(&peer->refuse_for_good)) {
		ret->verdict = SEND_REFUSED;
		(void)err_set(&ret->why, ERR_INVALID, "no");
		return;
	}
	if (atomic_fetch_sub(&peer->refuse_first, 1) > 0) {
		ret->verdict = SEND_RETRY;
		(void)err_set(&ret->why, ERR_BUSY, "not now");
		return;
	}
	atomic_fetch_add(&peer->taken, 1);
	atomic_store(&peer->last_bytes, payload.len);
	ret->verdict = SEND_DONE;
}

static struct export_queue_config base_config(struct peer *peer)
{
	return (struct export_queue_config){
		.name = "test",
		.queue = {.enabled = true, .num_consumers = 2, .queue_size = 100},
		.retry = {.enabled = true,
			  .initial_interval_ns = NS_PER_MS,
			  .max_interval_ns = 4 * NS_PER_MS,
			  .max_elapsed_ns = 30LL * NS_PER_S,
			  .multiplier = 2},
		.max_bytes = 1 << 20,
		.send = peer_send,
		.self = peer,
	};
}

static int push(struct export_queue *queue, size_t bytes, struct err *err)
{
	struct buf payload;
	buf_init(&payload, 0);
	for (size_t i = 0; i < bytes; i++)
		buf_char(&payload, 'x');
	int rc = export_queue_push(queue, &payload, 1, err);
	buf_deinit(&payload);
	return rc;
}

static void wait_for(const _Atomic int *value, int at_least)
{
	uint64_t deadline = clock_mono_ns() + 20ULL * NS_PER_S;
	while (atomic_load(value) < at_least) {
		assert_true(clock_mono_ns() < deadline);
		clock_sleep_until_ns(clock_mono_ns() + NS_PER_MS);
	}
}

static void what_is_pushed_is_sent_whole(void **state)
{
	(void)state;
	struct peer peer = {0};
	struct export_queue_config config = base_config(&peer);
	struct export_queue *queue = NULL;
	struct err err = {0};
	assert_int_equal(export_queue_create(&config, &queue, &err), 0);
	assert_int_equal(push(queue, 1234, &err), 0);
	wait_for(&peer.taken, 1);
	assert_int_equal(peer.last_bytes, 1234);
	export_queue_destroy(queue);
}

static void a_request_that_cannot_go_now_is_tried_again(void **state)
{
	(void)state;
	struct peer peer = {.refuse_first = 5};
	struct export_queue_config config = base_config(&peer);
	struct export_queue *queue = NULL;
	struct err err = {0};
	assert_int_equal(export_queue_create(&config, &queue, &err), 0);
	assert_int_equal(push(queue, 10, &err), 0);
	wait_for(&peer.taken, 1);
	assert_int_equal(peer.calls, 6);
	export_queue_destroy(queue);
}

static void a_request_refused_for_good_is_sent_once(void **state)
{
	(void)state;
	struct peer peer = {.refuse_for_good = 1};
	struct export_queue_config config = base_config(&peer);
	struct export_queue *queue = NULL;
	struct err err = {0};
	assert_int_equal(export_queue_create(&config, &queue, &err), 0);
	assert_int_equal(push(queue, 10, &err), 0);
	wait_for(&peer.calls, 1);
	export_queue_destroy(queue);
	assert_int_equal(peer.calls, 1);
	assert_int_equal(peer.taken, 0);
}

static void trying_again_ends_after_the_elapsed_time(void **state)
{
	(void)state;
	struct peer peer = {.refuse_first = 1000000};
	struct export_queue_config config = base_config(&peer);
	config.retry.max_elapsed_ns = 10 * NS_PER_MS;
	struct export_queue *queue = NULL;
	struct err err = {0};
	assert_int_equal(export_queue_create(&config, &queue, &err), 0);
	assert_int_equal(push(queue, 10, &err), 0);
	wait_for(&peer.calls, 1);
	/* The next request gets its turn because the first one was given up. */
	assert_int_equal(push(queue, 10, &err), 0);
	wait_for(&peer.calls, 4);
	export_queue_destroy(queue);
	assert_int_equal(peer.taken, 0);
}

static void a_full_queue_refuses_and_says_so(void **state)
{
	(void)state;
	struct peer peer = {.hold = 1};
	struct export_queue_config config = base_config(&peer);
	config.queue.num_consumers = 1;
	config.queue.queue_size = 2;
	struct export_queue *queue = NULL;
	struct err err = {0};
	assert_int_equal(export_queue_create(&config, &queue, &err), 0);
	assert_int_equal(push(queue, 10, &err), 0);
	wait_for(&peer.calls, 1); /* under way, no longer waiting */
	assert_int_equal(push(queue, 10, &err), 0);
	assert_int_equal(push(queue, 10, &err), 0);
	assert_int_equal(push(queue, 10, &err), ERR_LIMIT);
	assert_non_null(strstr(err.text, "full"));
	atomic_store(&peer.hold, 0);
	wait_for(&peer.taken, 3);
	export_queue_destroy(queue);
}

static void bytes_are_bounded_whatever_the_sizer(void **state)
{
	(void)state;
	struct peer peer = {.hold = 1};
	struct export_queue_config config = base_config(&peer);
	config.max_bytes = 150; /* of what is allocated, so somewhat more than is used */
	struct export_queue *queue = NULL;
	struct err err = {0};
	assert_int_equal(export_queue_create(&config, &queue, &err), 0);
	assert_int_equal(push(queue, 60, &err), 0);
	assert_int_equal(push(queue, 100, &err), ERR_LIMIT);
	assert_int_equal(push(queue, 40, &err), 0);
	atomic_store(&peer.hold, 0);
	export_queue_destroy(queue);
	assert_int_equal(peer.taken, 2);
}

static void the_stop_sends_what_waits(void **state)
{
	(void)state;
	struct peer peer = {.hold = 1};
	struct export_queue_config config = base_config(&peer);
	struct export_queue *queue = NULL;
	struct err err = {0};
	assert_int_equal(export_queue_create(&config, &queue, &err), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(push(queue, 10, &err), 0);
	atomic_store(&peer.hold, 0);
	export_queue_destroy(queue);
	assert_int_equal(peer.taken, 20);
}

static void the_stop_does_not_wait_for_a_peer_that_is_away(void **state)
{
	(void)state;
	struct peer peer = {.refuse_first = 1000000};
	struct export_queue_config config = base_config(&peer);
	config.queue.num_consumers = 1;
	config.retry.initial_interval_ns = 3600LL * NS_PER_S;
	config.retry.max_interval_ns = 3600LL * NS_PER_S;
	config.retry.max_elapsed_ns = 0;
	struct export_queue *queue = NULL;
	struct err err = {0};
	assert_int_equal(export_queue_create(&config, &queue, &err), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(push(queue, 10, &err), 0);
	wait_for(&peer.calls, 1);
	export_queue_destroy(queue);
	assert_true(peer.calls <= 3);
	assert_int_equal(peer.taken, 0);
}

static void a_pause_of_one_request_does_not_hold_up_another(void **state)
{
	(void)state;
	struct peer peer = {.refuse_first = 1};
	struct export_queue_config config = base_config(&peer);
	config.retry.initial_interval_ns = 3600LL * NS_PER_S;
	config.retry.max_interval_ns = 3600LL * NS_PER_S;
	config.retry.max_elapsed_ns = 0;
	struct export_queue *queue = NULL;
	struct err err = {0};
	assert_int_equal(export_queue_create(&config, &queue, &err), 0);
	assert_int_equal(push(queue, 10, &err), 0);
	wait_for(&peer.calls, 1);
	clock_sleep_until_ns(clock_mono_ns() + 20 * NS_PER_MS); /* its pause has begun */
	for (int i = 1; i <= 5; i++) {
		assert_int_equal(push(queue, 10, &err), 0);
		wait_for(&peer.taken, i);
		clock_sleep_until_ns(clock_mono_ns() + 5 * NS_PER_MS);
	}
	export_queue_destroy(queue);
	assert_int_equal(peer.taken, 6);
}

static void without_a_queue_each_sender_takes_one_and_nothing_waits(void **state)
{
	(void)state;
	struct peer peer = {.hold = 1};
	struct export_queue_config config = base_config(&peer);
	config.queue.enabled = false;
	config.queue.num_consumers = 3;
	struct export_queue *queue = NULL;
	struct err err = {0};
	assert_int_equal(export_queue_create(&config, &queue, &err), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(push(queue, 10, &err), 0);
	wait_for(&peer.calls, 3);
	assert_int_equal(push(queue, 10, &err), ERR_LIMIT);
	atomic_store(&peer.hold, 0);
	wait_for(&peer.taken, 3);
	export_queue_destroy(queue);
}

static void an_interval_of_zero_does_not_spin(void **state)
{
	(void)state;
	struct peer peer = {.refuse_first = 1000000};
	struct export_queue_config config = base_config(&peer);
	config.retry.initial_interval_ns = 0;
	config.retry.max_interval_ns = 0;
	struct export_queue *queue = NULL;
	struct err err = {0};
	assert_int_equal(export_queue_create(&config, &queue, &err), 0);
	assert_int_equal(push(queue, 10, &err), 0);
	clock_sleep_until_ns(clock_mono_ns() + 250 * NS_PER_MS);
	assert_in_range(peer.calls, 2, 6);
	export_queue_destroy(queue);
}

static void a_push_without_memory_takes_nothing(void **state)
{
	(void)state;
	struct peer peer = {0};
	struct export_queue_config config = base_config(&peer);
	struct export_queue *queue = NULL;
	struct err err = {0};
	struct buf payload;
	assert_int_equal(export_queue_create(&config, &queue, &err), 0);
	buf_init(&payload, 0);
	buf_cstr(&payload, "text");
	mem_fail_nth(1);
	assert_int_equal(export_queue_push(queue, &payload, 1, &err), ERR_NOMEM);
	mem_fail_nth(0);
	assert_int_equal(payload.len, 4);
	assert_int_equal(export_queue_push(queue, &payload, 1, &err), 0);
	wait_for(&peer.taken, 1);
	export_queue_destroy(queue);
	buf_deinit(&payload);
}

int main(void)
{
	log_set_level(LOG_ERROR + 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_pushed_is_sent_whole),
		cmocka_unit_test(a_request_that_cannot_go_now_is_tried_again),
		cmocka_unit_test(a_request_refused_for_good_is_sent_once),
		cmocka_unit_test(trying_again_ends_after_the_elapsed_time),
		cmocka_unit_test(a_full_queue_refuses_and_says_so),
		cmocka_unit_test(bytes_are_bounded_whatever_the_sizer),
		cmocka_unit_test(the_stop_sends_what_waits),
		cmocka_unit_test(the_stop_does_not_wait_for_a_peer_that_is_away),
		cmocka_unit_test(a_pause_of_one_request_does_not_hold_up_another),
		cmocka_unit_test(without_a_queue_each_sender_takes_one_and_nothing_waits),
		cmocka_unit_test(an_interval_of_zero_does_not_spin),
		cmocka_unit_test(a_push_without_memory_takes_nothing),
	};
	return cmocka_run_group_tests_name("collect/queue", tests, NULL, NULL);
}
