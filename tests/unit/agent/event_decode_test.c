#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/perf_event.h>

#include "agent/events.h"
#include "base/mem.h"

/* Records as perf writes them, byte by byte. */
struct record {
	uint8_t bytes[512];
	size_t len;
};

static void put(struct record *r, const void *ptr, size_t len)
{
	memcpy(r->bytes + r->len, ptr, len);
	r->len += len;
}

static void put32(struct record *r, uint32_t value)
{
	put(r, &value, sizeof(value));
}

static void put64(struct record *r, uint64_t value)
{
	put(r, &value, sizeof(value));
}

static void put_name(struct record *r, const char *name)
{
	put(r, name, strlen(name) + 1);
	while (r->len % 8)
		put(r, "", 1);
}

static struct record begin(uint32_t type, uint16_t misc)
{
	struct record r = {.len = 0};
	put32(&r, type);
	put(&r, &misc, sizeof(misc));
	put(&r, "\0\0", 2);
	return r;
}

static void end(struct record *r, uint64_t time_ns)
{
	put64(r, time_ns);
	uint16_t size = (uint16_t)r->len;
	memcpy(r->bytes + 6, &size, sizeof(size));
}

static struct record mmap_record(bool build_id)
{
	struct record r = begin(PERF_RECORD_MMAP2, build_id ? PERF_RECORD_MISC_MMAP_BUILD_ID : 0);
	put32(&r, 11);
	put32(&r, 12);
	put64(&r, 0x7f0000001000);
	put64(&r, 0x2000);
	put64(&r, 0x3000);
	if (build_id) {
		put(&r, "\x14\0\0\0", 4);
		put(&r, "ABCDEFGHIJKLMNOPQRST", 20);
	} else {
		put32(&r, 254);
		put32(&r, 1);
		put64(&r, 4711);
		put64(&r, 99);
	}
	put32(&r, 5);
	put32(&r, 2);
	put_name(&r, "/usr/lib/libx.so");
	end(&r, 1234567);
	return r;
}

static void a_mapping_says_where_and_of_which_file(void **state)
{
	struct record r = mmap_record(false);
	struct event e;
	(void)state;
	assert_true(event_decode(r.bytes, r.len, &e));
	assert_int_equal(e.kind, EVENT_MMAP);
	assert_int_equal(e.pid, 11);
	assert_int_equal(e.tid, 12);
	assert_int_equal(e.start, 0x7f0000001000);
	assert_int_equal(e.size, 0x2000);
	assert_int_equal(e.offset, 0x3000);
	assert_int_equal(e.major, 254);
	assert_int_equal(e.minor, 1);
	assert_int_equal(e.inode, 4711);
	assert_int_equal(e.inode_generation, 99);
	assert_int_equal(e.build_id_len, 0);
	assert_int_equal(e.time_ns, 1234567);
	assert_true(str_equal(e.name, STR("/usr/lib/libx.so")));
}

static void a_mapping_may_carry_a_build_id_instead(void **state)
{
	struct record r = mmap_record(true);
	struct event e;
	(void)state;
	assert_true(event_decode(r.bytes, r.len, &e));
	assert_int_equal(e.build_id_len, 20);
	assert_memory_equal(e.build_id, "ABCDEFGHIJKLMNOPQRST", 20);
	assert_int_equal(e.inode, 0);
	assert_true(str_equal(e.name, STR("/usr/lib/libx.so")));
}

static void an_exec_is_told_from_a_new_name(void **state)
{
	(void)state;
	for (int exec = 0; exec < 2; exec++) {
		struct record r = begin(PERF_RECORD_COMM, exec ? PERF_RECORD_MISC_COMM_EXEC : 0);
		struct event e;
		put32(&r, 5);
		put32(&r, 6);
		put_name(&r, "cc1plus");
		end(&r, 77);
		assert_true(event_decode(r.bytes, r.len, &e));
		assert_int_equal(e.kind, EVENT_COMM);
		assert_int_equal(e.exec, exec);
		assert_int_equal(e.tid, 6);
		assert_true(str_equal(e.name, STR("cc1plus")));
	}
}

static void forks_and_exits_name_child_and_parent(void **state)
{
	(void)state;
	const uint32_t types[] = {PERF_RECORD_FORK, PERF_RECORD_EXIT};
	const enum event_kind kinds[] = {EVENT_FORK, EVENT_EXIT};
	for (int i = 0; i < 2; i++) {
		struct record r = begin(types[i], 0);
		struct event e;
		put32(&r, 20);
		put32(&r, 10);
		put32(&r, 21);
		put32(&r, 10);
		put64(&r, 500);
		end(&r, 500);
		assert_true(event_decode(r.bytes, r.len, &e));
		assert_int_equal(e.kind, kinds[i]);
		assert_int_equal(e.pid, 20);
		assert_int_equal(e.parent_pid, 10);
		assert_int_equal(e.tid, 21);
		assert_int_equal(e.time_ns, 500);
	}
}

static void lost_records_are_counted_and_others_passed_over(void **state)
{
	struct record lost = begin(PERF_RECORD_LOST, 0), other = begin(PERF_RECORD_THROTTLE, 0);
	struct event e;
	(void)state;
	put64(&lost, 1);
	put64(&lost, 42);
	end(&lost, 9);
	assert_true(event_decode(lost.bytes, lost.len, &e));
	assert_int_equal(e.kind, EVENT_LOST);
	assert_int_equal(e.lost, 42);
	end(&other, 9);
	assert_true(event_decode(other.bytes, other.len, &e));
	assert_int_equal(e.kind, EVENT_OTHER);
}

/* A name may be of any length, so the fixed part decides what is too short. */
static void a_record_cut_short_is_refused(void **state)
{
	(void)state;
	for (int build_id = 0; build_id < 2; build_id++) {
		struct record r = mmap_record(build_id);
		struct event e;
		for (size_t len = 0; len < 8 + 64 + 8; len++) {
			uint8_t *copy = mem_alloc(len ? len : 1);
			memcpy(copy, r.bytes, len);
			assert_false(event_decode(copy, len, &e));
			mem_free(copy);
		}
	}
}

static void a_build_id_longer_than_its_field_is_none(void **state)
{
	struct record r = mmap_record(true);
	struct event e;
	(void)state;
	r.bytes[8 + 8 + 24] = 200;
	assert_true(event_decode(r.bytes, r.len, &e));
	assert_int_equal(e.build_id_len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mapping_says_where_and_of_which_file),
		cmocka_unit_test(a_mapping_may_carry_a_build_id_instead),
		cmocka_unit_test(an_exec_is_told_from_a_new_name),
		cmocka_unit_test(forks_and_exits_name_child_and_parent),
		cmocka_unit_test(lost_records_are_counted_and_others_passed_over),
		cmocka_unit_test(a_record_cut_short_is_refused),
		cmocka_unit_test(a_build_id_longer_than_its_field_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
