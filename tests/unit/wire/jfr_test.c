/* JFR: a recording of a real JVM, whose totals `jfr print` tells, and small files
 * with what async-profiler writes. */
#include "intake_fixture.h"

#include "base/fd.h"
#include "base/zip.h"
#include "jfr_writer.h"
#include "wire/jfr.h"
#include "wire/jfr_read.h"
#include "wire/proto.h"

static struct jfr_writer w;
static struct buf out, labels;
static struct wire_jfr jfr;

static int end(void **state)
{
	w_deinit(&w);
	buf_deinit(&out);
	buf_deinit(&labels);
	w = (struct jfr_writer){0};
	return teardown(state);
}

static int decode(struct str bytes)
{
	return wire_jfr_decode(bytes, buf_text(&labels), 100, &f.sink, &f.scope, &jfr, &f.err);
}

static const struct profile *find(const char *name, const char *type)
{
	for (size_t i = 0; i < jfr.profile_count; i++) {
		const struct profile *profile = &f.scope.profiles[jfr.profiles[i].profile];
		if (strcmp(jfr.profiles[i].name, name) == 0 &&
		    str_equal(string(profile->sample_type.type), str_of(type)))
			return profile;
	}
	fail_msg("no %s:%s", name, type);
	return NULL;
}

static int64_t total(const char *name, const char *type)
{
	uint64_t events;

	return (int64_t)profile_total(find(name, type), &events);
}

/* ---- a real recording ---- */

static void a_recording_of_a_jvm_is_whole(void **state)
{
	(void)state;
	must(fd_read_file(TEST_DATA "/jfr/demo.jfr.gz", 1 << 20, &out, &f.err));
	must(decode(buf_text(&out)));
	assert_int_equal(jfr.profile_count, 11);
	assert_int_equal(jfr.event.len, 0);
	assert_string_equal(folded(find("process_cpu", "cpu")),
			    "Demo.main;Demo.burnMost 400000000\n");
	assert_int_equal(total("memory", "alloc_in_new_tlab_objects"), 20);
	assert_int_equal(total("memory", "alloc_in_new_tlab_bytes"), 4073952);
	assert_int_equal(total("memory", "alloc_outside_tlab_objects"), 40);
	assert_int_equal(total("memory", "alloc_outside_tlab_bytes"), 125829760);
	assert_int_equal(total("memory", "alloc_sample_objects"), 56);
	assert_int_equal(total("memory", "alloc_sample_bytes"), 148277368);
	assert_int_equal(total("mutex", "contentions"), 4);
	assert_int_equal(total("mutex", "delay"), 208562883);
	assert_string_equal(folded(find("block", "contentions")),
			    "Demo.main;java/util/concurrent/locks/LockSupport.parkNanos;"
			    "jdk/internal/misc/Unsafe.park 4\n");
}

static void threads_and_lines_are_kept(void **state)
{
	(void)state;
	must(fd_read_file(TEST_DATA "/jfr/demo.jfr.gz", 1 << 20, &out, &f.err));
	must(decode(buf_text(&out)));
	const struct profile_sample *sample = &find("process_cpu", "cpu")->samples[0];
	const struct value *name = profile_find_index(&f.batch->dict, sample->attrs,
						      sample->attr_count, STR("thread.name"));
	const struct value *id = profile_find_index(&f.batch->dict, sample->attrs,
						    sample->attr_count, STR("thread.id"));
	assert_true(str_equal(name->text, STR("main")));
	assert_true(id->number > 0);
	const struct profile_stack *stack = &f.batch->dict.stacks[sample->stack];
	assert_int_equal(f.batch->dict.locations[stack->locations[0]].lines[0].line, 11);
}

/* ---- what async-profiler writes ---- */

static void put_constants(void)
{
	struct buf c = {0};

	for (int i = 0; i < 3; i++)
		w_varint(&c, 0);
	buf_char(&c, 0);
	w_varint(&c, 6);
	w_varint(&c, W_STACK); /* before what it names */
	w_varint(&c, 1);
	w_varint(&c, 500);
	buf_char(&c, 0);
	w_varint(&c, 2);
	w_varint(&c, 301); /* leaf first */
	w_varint(&c, 7);
	w_varint(&c, 300);
	w_varint(&c, 9);
	w_varint(&c, W_SYMBOL);
	w_varint(&c, 3);
	w_varint(&c, 100);
	w_text(&c, "shop/Till$$Lambda$17/0x0000000800c3");
	w_varint(&c, 101);
	w_text(&c, "run");
	w_varint(&c, 102);
	buf_append(&c, "\5\4p\xe4ys", 6); /* Latin-1 */
	w_varint(&c, W_CLASS);
	w_varint(&c, 1);
	w_varint(&c, 200);
	w_varint(&c, 100);
	w_varint(&c, W_METHOD);
	w_varint(&c, 2);
	w_varint(&c, 300);
	w_varint(&c, 200);
	w_varint(&c, 101);
	w_varint(&c, 301);
	w_varint(&c, 200);
	w_varint(&c, 102);
	w_varint(&c, W_STATE);
	w_varint(&c, 2);
	w_varint(&c, 1);
	w_text(&c, "STATE_RUNNABLE");
	w_varint(&c, 2);
	w_text(&c, "STATE_SLEEPING");
	w_varint(&c, W_THREAD);
	w_varint(&c, 1);
	w_varint(&c, 7);
	w_text(&c, "worker");
	w_varint(&c, 4711);
	w_event(&w.events, 1, buf_text(&c));
	buf_deinit(&c);
}

#define STACK "shop/Till$$Lambda_.run;shop/Till$$Lambda_.p\xc3\xa4ys"

static void put_execution(uint64_t state, uint64_t context, uint64_t span)
{
	struct buf c = {0};

	w_varint(&c, 1);
	w_varint(&c, 7);
	w_varint(&c, 500);
	w_varint(&c, state);
	w_varint(&c, context);
	w_varint(&c, span);
	w_varint(&c, span ? 4 : 0);
	w_event(&w.events, W_EXECUTION, buf_text(&c));
	buf_deinit(&c);
}

static void put_numbers(uint64_t type, const uint64_t *numbers, int count)
{
	struct buf c = {0};

	for (int i = 0; i < count; i++)
		w_varint(&c, numbers[i]);
	w_event(&w.events, type, buf_text(&c));
	buf_deinit(&c);
}

static void put_setting(const char *name, const char *value)
{
	struct buf c = {0};

	w_text(&c, name);
	w_text(&c, value);
	w_event(&w.events, W_SETTING, buf_text(&c));
	buf_deinit(&c);
}

static void finish(uint64_t ticks)
{
	w_classes(&w);
	w_chunk(&w, ticks, &out);
}

static void equal_samples_are_one_and_names_lose_their_numbers(void **state)
{
	(void)state;
	put_execution(1, 0, 0); /* before its constants */
	put_constants();
	put_execution(1, 0, 0);
	put_execution(2, 0, 0);
	put_setting("event", "itimer");
	finish(1000000000);
	must(decode(buf_text(&out)));
	assert_string_equal(folded(find("process_cpu", "cpu")), STACK " 20000000\n");
	assert_int_equal(jfr.profile_count, 1);
	assert_true(str_equal(jfr.event, STR("itimer")));
}

static void in_wall_mode_who_sleeps_takes_time_but_no_cpu(void **state)
{
	(void)state;
	put_constants();
	put_execution(1, 0, 0);
	put_execution(2, 0, 0);
	put_setting("event", "wall"); /* behind them */
	put_numbers(W_WALL, (const uint64_t[]){500, 5}, 2);
	finish(1000000000);
	must(decode(buf_text(&out)));
	assert_int_equal(total("process_cpu", "cpu"), 10000000);
	assert_int_equal(total("wall", "wall"), 70000000);
}

static void waiting_is_nanoseconds_whatever_the_ticks(void **state)
{
	(void)state;
	put_constants();
	put_numbers(W_LOCK, (const uint64_t[]){3000, 500}, 2);
	put_numbers(W_LIVE, (const uint64_t[]){500}, 1);
	finish(1000000); /* microseconds */
	must(decode(buf_text(&out)));
	assert_string_equal(folded(find("mutex", "delay")), STACK " 3000000\n");
	assert_string_equal(folded(find("mutex", "contentions")), STACK " 1\n");
	assert_string_equal(folded(find("memory", "live")), STACK " 1\n");
}

static void put_map(struct buf *to, uint32_t field, uint64_t key, struct str text, uint64_t number)
{
	size_t at = pb_begin(to, field);
	pb_put_uint(to, 1, key);
	if (text.ptr)
		pb_put_bytes(to, 2, text);
	else
		pb_put_uint(to, 2, number);
	pb_end(to, at);
}

static const struct value *attr(const struct profile_sample *sample, const char *name)
{
	return profile_find_index(&f.batch->dict, sample->attrs, sample->attr_count, str_of(name));
}

static void contexts_have_labels_and_spans(void **state)
{
	struct buf context = {0};

	(void)state;
	put_map(&context, 1, 1, (struct str){NULL, 0}, 2);
	put_map(&labels, 1, 42, buf_text(&context), 0);
	put_map(&labels, 2, 1, STR("endpoint"), 0);
	put_map(&labels, 2, 2, STR("/pay"), 0);
	put_map(&labels, 2, 4, STR("charge"), 0);
	put_constants();
	put_execution(1, 42, 0);
	put_execution(1, 0, 0xabc);
	finish(1000000000);
	must(decode(buf_text(&out)));
	const struct profile *profile = find("process_cpu", "cpu");
	assert_int_equal(profile->sample_count, 2);
	assert_true(str_equal(attr(&profile->samples[0], "endpoint")->text, STR("/pay")));
	assert_null(attr(&profile->samples[1], "endpoint"));
	assert_true(
		str_equal(attr(&profile->samples[1], "span_id")->text, STR("0000000000000abc")));
	assert_true(str_equal(attr(&profile->samples[1], "span_name")->text, STR("charge")));
	assert_int_equal(attr(&profile->samples[1], "thread.id")->number, 4711);
	buf_deinit(&context);
}

static void chunks_follow_each_other(void **state)
{
	(void)state;
	put_constants();
	put_execution(1, 0, 0);
	finish(1000000000);
	w_chunk(&w, 1000000000, &out);
	must(decode(buf_text(&out)));
	assert_string_equal(folded(find("process_cpu", "cpu")), STACK " 20000000\n");
}

static void an_event_without_a_stack_counts(void **state)
{
	(void)state;
	put_numbers(W_LIVE, (const uint64_t[]){500}, 1);
	finish(1000000000);
	must(decode(buf_text(&out)));
	assert_string_equal(folded(find("memory", "live")), " 1\n");
}

/* ---- names ---- */

static void what_a_jvm_numbers_anew_has_one_name(void **state)
{
	static const struct {
		const char *class, *method, *name;
	} rows[] = {
		{"java/lang/String", "length", "java/lang/String.length"},
		{"", "memcpy", "memcpy"},
		{"a/B$$Lambda$12", "run", "a/B$$Lambda_.run"},
		{"a/B$$Lambda$12/0x00007f", "run", "a/B$$Lambda_.run"},
		{"a/B$$Lambda.0x00007f", "run", "a/B$$Lambda_.run"},
		{"j/LambdaForm$MH/0x0000000800c3", "invoke", "j/LambdaForm$MH_.invoke"},
		{"j/GeneratedMethodAccessor17", "invoke", "j/GeneratedMethodAccessor_.invoke"},
		{"a/Shop17", "run", "a/Shop17.run"},
		{"a/0xff", "x", "a_.x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_clear(&out);
		jfr_put_name(&out, str_of(rows[i].class), str_of(rows[i].method));
		buf_append(&out, "", 1);
		assert_string_equal(out.ptr, rows[i].name);
	}
}

/* ---- refusing ---- */

static void what_is_cut_short_is_refused(void **state)
{
	(void)state;
	put_constants();
	put_execution(1, 0, 0);
	finish(1000000000);
	for (size_t len = 0; len < out.len; len++) {
		renew(state);
		assert_int_equal(decode(str_sub(buf_text(&out), 0, len)), ERR_INVALID);
		assert_int_equal(f.scope.profile_count, 0);
	}
}

/* Arrays of values that take no bytes, and classes of themselves. */
static void values_without_bytes_do_not_take_time(void **state)
{
	(void)state;
	put_numbers(W_MALLOC, (const uint64_t[]){UINT64_MAX >> 8}, 1);
	finish(1000000000);
	assert_int_equal(decode(buf_text(&out)), ERR_INVALID);
	end(state);
	setup(state);
	put_numbers(W_MALLOC, (const uint64_t[]){0}, 1);
	finish(1000000000);
	assert_int_equal(decode(buf_text(&out)), ERR_INVALID);
}

static void every_failed_allocation_is_an_error(void **state)
{
	int rc = ERR_NOMEM;

	put_constants();
	put_execution(1, 0, 5);
	put_numbers(W_LOCK, (const uint64_t[]){3000, 500}, 2);
	finish(1000000000);
	for (uint64_t nth = 1; rc && nth < 500; nth++) {
		renew(state);
		mem_fail_nth(nth);
		rc = decode(buf_text(&out));
		mem_fail_nth(0);
		if (rc)
			assert_int_equal(rc, ERR_NOMEM);
	}
	assert_int_equal(rc, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, end)
	const struct CMUnitTest tests[] = {
		TEST(a_recording_of_a_jvm_is_whole),
		TEST(threads_and_lines_are_kept),
		TEST(equal_samples_are_one_and_names_lose_their_numbers),
		TEST(in_wall_mode_who_sleeps_takes_time_but_no_cpu),
		TEST(waiting_is_nanoseconds_whatever_the_ticks),
		TEST(contexts_have_labels_and_spans),
		TEST(chunks_follow_each_other),
		TEST(an_event_without_a_stack_counts),
		TEST(what_a_jvm_numbers_anew_has_one_name),
		TEST(what_is_cut_short_is_refused),
		TEST(values_without_bytes_do_not_take_time),
		TEST(every_failed_allocation_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
