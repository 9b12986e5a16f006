/* Decoding of records; and, as root, the program in the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/types.h>

#include "agent/sampler.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bpf/sampler.h"

enum { VERIFIER_INSTRUCTIONS_MAX = 200000 };

static void a_record_is_taken_apart(void **state)
{
	struct {
		struct sampler_record head;
		uint64_t frames[3];
	} record = {{.time_ns = 5,
		     .pid = 1,
		     .tid = 2,
		     .cpu = 3,
		     .flags = SAMPLER_IN_KERNEL,
		     .kernel_frames = 1,
		     .user_frames = 2,
		     .comm = "sixteen-bytes-xx"},
		    {10, 20, 30}};
	struct sample s;
	(void)state;
	memcpy(record.head.comm, "0123456789abcdef", 16);
	assert_true(sample_decode(&record, sizeof(record), &s));
	assert_int_equal(s.time_ns, 5);
	assert_int_equal(s.pid, 1);
	assert_int_equal(s.tid, 2);
	assert_int_equal(s.cpu, 3);
	assert_string_equal(s.comm, "0123456789abcdef");
	assert_int_equal(s.kernel_count, 1);
	assert_int_equal(s.kernel[0], 10);
	assert_int_equal(s.user_count, 2);
	assert_int_equal(s.user[0], 20);
	assert_int_equal(s.user[1], 30);
}

static void a_record_cut_short_is_refused(void **state)
{
	struct {
		struct sampler_record head;
		uint64_t frames[2];
	} record = {{.kernel_frames = 1, .user_frames = 1}, {1, 2}};
	struct sample s;
	(void)state;
	for (size_t len = 0; len < sizeof(record); len++)
		assert_false(sample_decode(&record, len, &s));
	assert_true(sample_decode(&record, sizeof(record), &s));
	record.head.user_frames = UINT16_MAX;
	assert_false(sample_decode(&record, sizeof(record), &s));
}

struct seen {
	uint32_t own, others, with_kernel, with_caller;
	bool order_broken, has_idle;
	uint64_t last_ns;
};

static void on_sample(void *ctx, const struct sample *s)
{
	struct seen *seen = ctx;
	if (s->pid == (uint32_t)getpid())
		seen->own++;
	else
		seen->others++;
	seen->with_kernel += s->kernel_count > 0;
	seen->with_caller += s->pid == (uint32_t)getpid() && s->user_count > 2;
	seen->has_idle |= s->pid == 0;
	/* Records of two CPUs may pass each other, but by microseconds. */
	seen->order_broken |= s->time_ns + NS_PER_MS < seen->last_ns;
	seen->last_ns = s->time_ns;
}

static void burn(uint64_t ns)
{
	uint64_t end = clock_thread_cpu_ns() + ns;
	while (clock_thread_cpu_ns() < end)
		syscall(SYS_getppid);
}

static struct sampler *open_sampler(bool send_idle, uint32_t ring_bytes)
{
	struct sampler_options options = {.samples_per_second = 997,
					  .send_idle = send_idle,
					  .ring_bytes = ring_bytes};
	struct sampler *sampler;
	struct err err = {0};
	if (geteuid() != 0)
		skip();
	if (sampler_create(&options, &sampler, &err))
		fail_msg("%s", err.text);
	return sampler;
}

static void the_verifier_is_far_from_its_limit(void **state)
{
	struct sampler *sampler = open_sampler(false, 0);
	struct sampler_stats stats;
	(void)state;
	sampler_get_stats(sampler, &stats);
	print_message("the verifier processed %u instructions\n", stats.verifier_instructions);
	assert_true(stats.verifier_instructions < VERIFIER_INSTRUCTIONS_MAX);
	assert_true(stats.map_bytes > 0);
	sampler_destroy(sampler);
}

static void a_busy_process_is_sampled_at_the_rate_asked_for(void **state)
{
	struct sampler *sampler = open_sampler(false, 0);
	struct seen seen = {0};
	struct sampler_stats stats;
	(void)state;
	assert_int_equal(sampler_attach(sampler, NULL), 0);
	for (int i = 0; i < 5; i++) {
		burn(100 * NS_PER_MS);
		assert_int_equal(sampler_consume(sampler, on_sample, &seen, NULL), 0);
	}
	sampler_detach(sampler);
	sampler_get_stats(sampler, &stats);
	print_message("%u samples of half a second, %u with callers; %u of others\n", seen.own,
		      seen.with_caller, seen.others);
	assert_in_range(seen.own, 420, 580);
	assert_true(seen.with_kernel > 0);
	assert_false(seen.order_broken);
	assert_false(seen.has_idle);
	assert_true(stats.samples >= seen.own + seen.others);
	assert_int_equal(stats.lost_ring, 0);
	sampler_destroy(sampler);
}

static void what_does_not_fit_the_ring_is_counted(void **state)
{
	struct sampler *sampler = open_sampler(true, 16 << 10);
	struct seen seen = {0};
	struct sampler_stats stats;
	(void)state;
	assert_int_equal(sampler_attach(sampler, NULL), 0);
	burn(400 * NS_PER_MS);
	sampler_detach(sampler);
	sampler_get_stats(sampler, &stats);
	assert_true(stats.lost_ring > 0);
	assert_int_equal(sampler_consume(sampler, on_sample, &seen, NULL), 0);
	sampler_get_stats(sampler, &stats);
	assert_int_equal(stats.samples, seen.own + seen.others);
	sampler_destroy(sampler);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_taken_apart),
		cmocka_unit_test(a_record_cut_short_is_refused),
		cmocka_unit_test(the_verifier_is_far_from_its_limit),
		cmocka_unit_test(a_busy_process_is_sampled_at_the_rate_asked_for),
		cmocka_unit_test(what_does_not_fit_the_ring_is_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
