/* What is written is what pprof's reader reads: our own (wire/pprof.h) stands for it here, go tool pprof in
 * tests/scenario/clients.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "profile/profile.h"
#include "wire/pprof.h"
#include "wire/pprof_write.h"

static const struct pprof_head head = {
	.sample_type = STR("cpu"),
	.sample_unit = STR("nanoseconds"),
	.period_type = STR("cpu"),
	.period_unit = STR("nanoseconds"),
	.period = 10000000,
	.time_ns = 1700000000000000000,
	.duration_ns = 15000000000,
};

static const struct pprof_frame named = {
	.name = STR("work"),
	.system_name = STR("_Z4workv"),
	.filename = STR("work.cc"),
	.mapping = STR("/bin/shop"),
	.build_id = STR("abc123"),
	.line = 42,
	.start_line = 40,
};
static const struct pprof_frame bare = {.mapping = STR("/lib/libfoo.so"),
					.build_id = STR("def456"),
					.address = 0x1234};

struct read {
	struct arena arena;
	struct profile_batch *batch;
	struct profile_scope *scope;
	struct err err;
};

static void read_back(struct read *r, struct str bytes)
{
	struct wire_limits limits;
	struct wire_pprof_about about;
	struct profile_resource *resource;
	wire_limits_default(&limits);
	if (profile_batch_create(&r->arena, &r->batch, &r->err) ||
	    profile_resource_add(r->batch, &resource, &r->err) ||
	    profile_scope_add(r->batch, resource, &r->scope, &r->err))
		fail_msg("%s", r->err.text);
	struct wire_sink sink = {.batch = r->batch, .limits = &limits};
	if (wire_pprof_decode(bytes, &sink, r->scope, &about, &r->err))
		fail_msg("%s", r->err.text);
}

/* Three samples: work, work in libfoo.so+0x1234, and one of nothing. */
static int write_three(struct arena *arena, struct buf *out, struct err *err)
{
	struct pprof_writer *w;
	uint32_t work, foo, again;
	int rc = pprof_write_begin(arena, &head, out, &w, err);
	rc = rc ? rc : pprof_write_frame(w, &named, &work, err);
	rc = rc ? rc : pprof_write_frame(w, &bare, &foo, err);
	rc = rc ? rc : pprof_write_frame(w, &named, &again, err);
	if (rc)
		return rc;
	assert_int_equal(work, again);
	const uint32_t path[] = {foo, work};
	pprof_write_sample(w, path + 1, 1, 5);
	pprof_write_sample(w, path, 2, -7);
	pprof_write_sample(w, NULL, 0, 9);
	return pprof_write_end(w, err);
}

static void everything_comes_back(void **state)
{
	struct read r = {0};
	struct buf out = {0};
	(void)state;
	arena_init(&r.arena, 0);
	if (write_three(&r.arena, &out, &r.err))
		fail_msg("%s", r.err.text);
	read_back(&r, buf_text(&out));
	const struct profile_dict *dict = &r.batch->dict;
	assert_int_equal(r.scope->profile_count, 1);
	const struct profile *p = &r.scope->profiles[0];
	assert_true(str_equal(profile_str(dict, p->sample_type.type), STR("cpu")));
	assert_true(str_equal(profile_str(dict, p->sample_type.unit), STR("nanoseconds")));
	assert_true(str_equal(profile_str(dict, p->period_type.type), STR("cpu")));
	assert_int_equal(p->period, 10000000);
	assert_int_equal(p->time_ns, 1700000000000000000);
	assert_int_equal(p->duration_ns, 15000000000);
	assert_int_equal(p->sample_count, 3);
	assert_int_equal(p->samples[0].values[0], 5);
	assert_int_equal(p->samples[1].values[0], -7);
	assert_int_equal(p->samples[2].values[0], 9);

	const struct profile_stack *stack = &dict->stacks[p->samples[1].stack];
	assert_int_equal(stack->count, 2);
	const struct profile_location *leaf = &dict->locations[stack->locations[0]];
	const struct profile_location *caller = &dict->locations[stack->locations[1]];
	assert_int_equal(leaf->line_count, 0);
	assert_int_equal(leaf->address, 0x1234);
	const struct profile_mapping *foo = &dict->mappings[leaf->mapping];
	assert_true(str_equal(profile_str(dict, foo->filename), STR("/lib/libfoo.so")));
	const struct value *id = profile_find_index(dict, foo->attrs, foo->attr_count,
						    STR("process.executable.build_id.gnu"));
	assert_non_null(id);
	assert_true(str_equal(id->text, STR("def456")));
	assert_int_equal(caller->lines[0].line, 42);
	const struct profile_function *function = &dict->functions[caller->lines[0].function];
	assert_true(str_equal(profile_str(dict, function->name), STR("work")));
	assert_true(str_equal(profile_str(dict, function->system_name), STR("_Z4workv")));
	assert_true(str_equal(profile_str(dict, function->filename), STR("work.cc")));
	assert_int_equal(function->start_line, 40);
	buf_deinit(&out);
	arena_deinit(&r.arena);
}

static void a_limit_of_the_buffer_is_said(void **state)
{
	struct arena arena;
	struct buf out;
	struct err err;
	(void)state;
	arena_init(&arena, 0);
	buf_init(&out, 40);
	assert_int_equal(write_three(&arena, &out, &err), ERR_LIMIT);
	buf_deinit(&out);
	arena_deinit(&arena);
}

static void too_little_memory_is_said(void **state)
{
	struct arena arena;
	struct buf out = {0};
	struct err err;
	(void)state;
	arena_init(&arena, 256);
	assert_int_equal(write_three(&arena, &out, &err), ERR_NOMEM);
	buf_deinit(&out);
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_comes_back),
		cmocka_unit_test(a_limit_of_the_buffer_is_said),
		cmocka_unit_test(too_little_memory_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
