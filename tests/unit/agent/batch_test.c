#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <linux/types.h>

#include "agent/batch.h"
#include "base/mem.h"
#include "bpf/sampler.h"
#include "fixture.h"

/* Kernel addresses of the fixture's kallsyms. */
static const char kallsyms_text[] = "ffffffff81000000 T _stext\n"
				    "ffffffff81000100 T do_syscall\n"
				    "ffffffff81000200 t copy_page\n"
				    "ffffffff81000300 T _etext\n";

static const char maps[] = "401000-402000 r-xp 00001000 fe:01 1 /nowhere/app\n"
			   "700000-800000 rwxp 00000000 00:00 0 \n";

struct world {
	struct processes_options processes_options;
	struct batch_options options;
	struct files *files;
	struct processes *processes;
	struct kallsyms *kernel;
	struct batch_maker *maker;
};

static void open_world(struct world *w, size_t limit_bytes)
{
	char path[256];
	*w = (struct world){.processes_options = {.proc = fixture_make(),
						  .env_names = {{"REGION", 6}},
						  .env_count = 1}};
	w->options = (struct batch_options){.period_ns = 10000000,
					    .processes = &w->processes_options,
					    .limit_bytes = limit_bytes};
	fixture_process(7, 1, "app", "/nowhere/app", maps, "OTEL_SERVICE_NAME=shop\0REGION=eu\0",
			33);
	fixture_file(1, "kallsyms", kallsyms_text, -1);
	snprintf(path, sizeof(path), "%s/1/kallsyms", w->processes_options.proc);
	assert_int_equal(kallsyms_load_from(path, NULL, NULL, &w->kernel, NULL), 0);
	assert_int_equal(files_create(w->processes_options.proc, 0, &w->files, NULL), 0);
	assert_int_equal(processes_create(&w->processes_options, w->files, &w->processes, NULL), 0);
	assert_int_equal(batch_maker_create(&w->options, w->files, w->processes, w->kernel,
					    &w->maker, NULL),
			 0);
}

static void close_world(struct world *w)
{
	batch_maker_destroy(w->maker);
	processes_destroy(w->processes);
	files_destroy(w->files);
	kallsyms_free(w->kernel);
	fixture_remove();
}

static struct sample sample_at(uint64_t time_ns, const uint64_t *kernel, uint32_t kernel_count,
			       const uint64_t *user, uint32_t user_count)
{
	return (struct sample){.time_ns = time_ns,
			       .pid = 7,
			       .tid = 70,
			       .cpu = 1,
			       .comm = "worker",
			       .kernel = kernel,
			       .kernel_count = kernel_count,
			       .user = user,
			       .user_count = user_count};
}

/* As the intake does, with the stack as BPF left it. */
static int add(struct world *w, const struct sample *sample, int64_t offset_ns)
{
	const struct process_hint hint = {.pid = sample->pid,
					  .tid = sample->tid,
					  .comm = sample->comm,
					  .kernel_thread = sample->flags & SAMPLER_KERNEL_THREAD};
	const struct user_stack stack = {sample->user, sample->user_count, sample->end};
	struct process *process = processes_get(w->processes, &hint);
	if (!process)
		return ERR_NOMEM;
	return batch_add(w->maker, process, sample, &stack, offset_ns, NULL);
}

static struct profile_batch *finish(struct world *w)
{
	struct profile_batch *batch;
	assert_int_equal(batch_finish(w->maker, 1000, 5000, &batch, NULL), 0);
	for (size_t i = 0; batch && i < batch->resource_count; i++)
		assert_int_equal(profile_check(&batch->dict,
					       &batch->resources[i].scopes[0].profiles[0], NULL),
				 0);
	return batch;
}

static const struct profile_location *frame(const struct profile_batch *batch,
					    const struct profile_sample *sample, uint32_t i)
{
	const struct profile_stack *stack = &batch->dict.stacks[sample->stack];
	assert_in_range(i, 0, stack->count - 1);
	return &batch->dict.locations[stack->locations[i]];
}

static void frame_is(const struct profile_batch *batch, const struct profile_sample *sample,
		     uint32_t i, const char *mapping, uint64_t address, const char *name)
{
	const struct profile_location *l = frame(batch, sample, i);
	const struct profile_dict *d = &batch->dict;
	struct str file = profile_str(d, d->mappings[l->mapping].filename);
	assert_true(str_equal(file, str_of(mapping)));
	assert_int_equal(l->address, address);
	assert_int_equal(l->line_count, name ? 1 : 0);
	if (name)
		assert_true(str_equal(profile_str(d, d->functions[l->lines[0].function].name),
				      str_of(name)));
}

static void a_batch_has_the_shape_the_protocol_asks_for(void **state)
{
	struct world w;
	const uint64_t user[] = {UNWIND_FRAME_EXACT | 0x401010, 0x401021};
	(void)state;
	open_world(&w, 0);
	struct sample s = sample_at(2000, NULL, 0, user, 2);
	assert_int_equal(add(&w, &s, 100), 0);
	struct profile_batch *batch = finish(&w);
	assert_int_equal(batch->resource_count, 1);
	const struct profile_resource *r = &batch->resources[0];
	assert_int_equal(profile_find_attr(r->attrs, r->attr_count, STR("process.pid"))->number, 7);
	assert_true(
		str_equal(profile_find_attr(r->attrs, r->attr_count, STR("process.executable.name"))
				  ->text,
			  STR("app")));
	assert_true(
		str_equal(profile_find_attr(r->attrs, r->attr_count, STR("process.executable.path"))
				  ->text,
			  STR("/nowhere/app")));
	assert_true(str_equal(profile_find_attr(r->attrs, r->attr_count, STR("service.name"))->text,
			      STR("shop")));
	assert_true(str_equal(profile_find_attr(r->attrs, r->attr_count,
						STR("process.environment_variable.REGION"))
				      ->text,
			      STR("eu")));
	assert_null(profile_find_attr(r->attrs, r->attr_count, STR("container.id")));
	assert_true(str_equal(r->scopes[0].name, STR("cresset")));

	const struct profile *p = &r->scopes[0].profiles[0];
	const struct profile_dict *d = &batch->dict;
	assert_true(str_equal(profile_str(d, p->sample_type.type), STR("samples")));
	assert_true(str_equal(profile_str(d, p->sample_type.unit), STR("count")));
	assert_true(str_equal(profile_str(d, p->period_type.type), STR("cpu")));
	assert_true(str_equal(profile_str(d, p->period_type.unit), STR("nanoseconds")));
	assert_int_equal(p->period, 10000000);
	assert_int_equal(p->time_ns, 1000);
	assert_int_equal(p->duration_ns, 4000);
	const struct profile_sample *row = &p->samples[0];
	assert_int_equal(row->value_count, 0);
	assert_int_equal(row->time_count, 1);
	assert_int_equal(row->times_ns[0], 2100);
	assert_int_equal(profile_find_index(d, row->attrs, row->attr_count, STR("thread.id"))
				 ->number,
			 70);
	assert_true(str_equal(profile_find_index(d, row->attrs, row->attr_count, STR("thread.name"))
				      ->text,
			      STR("worker")));
	assert_int_equal(profile_find_index(d, row->attrs, row->attr_count,
					    STR("cpu.logical_number"))
				 ->number,
			 1);
	close_world(&w);
}

static void same_samples_are_one_with_several_times(void **state)
{
	struct world w;
	const uint64_t user[] = {UNWIND_FRAME_EXACT | 0x401010, 0x401021},
		       other[] = {UNWIND_FRAME_EXACT | 0x401010, 0x401031};
	(void)state;
	open_world(&w, 0);
	for (uint64_t i = 0; i < 100; i++) {
		struct sample s = sample_at(2000 + i, NULL, 0, i % 2 ? user : other, 2);
		s.cpu = (uint32_t)(i / 2 % 2);
		assert_int_equal(add(&w, &s, 0), 0);
	}
	struct profile_batch *batch = finish(&w);
	const struct profile *p = &batch->resources[0].scopes[0].profiles[0];
	assert_int_equal(p->sample_count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(p->samples[i].time_count, 25);
	assert_int_equal(profile_total(p, NULL), 100);
	close_world(&w);
}

static void no_frame_is_lost_for_want_of_a_name(void **state)
{
	struct world w;
	const uint64_t user[] = {UNWIND_FRAME_EXACT | 0x701234, 0x401021, 0xdead0000};
	const uint64_t kernel[] = {0xffffffff81000210, 0xffffffff81000110, 0xffffffff90000000};
	(void)state;
	open_world(&w, 0);
	struct sample s = sample_at(2000, kernel, 3, user, 3);
	assert_int_equal(add(&w, &s, 0), 0);
	struct profile_batch *batch = finish(&w);
	const struct profile_sample *row = &batch->resources[0].scopes[0].profiles[0].samples[0];
	/* Leaf first; return addresses minus one; the last one is in no mapping and no call. */
	assert_int_equal(batch->dict.stacks[row->stack].count, 6);
	frame_is(batch, row, 0, "vmlinux", 0x210, "copy_page");
	frame_is(batch, row, 1, "vmlinux", 0x10f, "do_syscall");
	frame_is(batch, row, 2, "vmlinux", 0xffffffff8fffffff, NULL);
	frame_is(batch, row, 3, "[anon]", 0x701234, "[anon]");
	frame_is(batch, row, 4, "app", 0x1020, NULL);
	frame_is(batch, row, 5, "", 0, "[broken: outside of all mappings]");
	struct str type =
		profile_find_index(&batch->dict, frame(batch, row, 0)->attrs,
				   frame(batch, row, 0)->attr_count, STR("profile.frame.type"))
			->text;
	assert_true(str_equal(type, STR("kernel")));
	type = profile_find_index(&batch->dict, frame(batch, row, 4)->attrs,
				  frame(batch, row, 4)->attr_count, STR("profile.frame.type"))
		       ->text;
	assert_true(str_equal(type, STR("native")));
	close_world(&w);
}

static void a_leaf_outside_of_every_mapping_stays(void **state)
{
	struct world w;
	const uint64_t user[] = {UNWIND_FRAME_EXACT | 0xdead0000};
	(void)state;
	open_world(&w, 0);
	struct sample s = sample_at(2000, NULL, 0, user, 1),
		      none = sample_at(2001, NULL, 0, NULL, 0);
	assert_int_equal(add(&w, &s, 0), 0);
	assert_int_equal(add(&w, &none, 0), 0);
	struct profile_batch *batch = finish(&w);
	const struct profile *p = &batch->resources[0].scopes[0].profiles[0];
	frame_is(batch, &p->samples[0], 0, "", 0xdead0000, NULL);
	frame_is(batch, &p->samples[0], 1, "", 0, "[broken: outside of all mappings]");
	frame_is(batch, &p->samples[1], 0, "", 0, "[no stack]");
	close_world(&w);
}

static void a_cut_stack_says_so_at_its_root(void **state)
{
	struct world w;
	const uint64_t user[] = {UNWIND_FRAME_EXACT | 0x401010, 0x401021};
	(void)state;
	open_world(&w, 0);
	struct sample s = sample_at(2000, NULL, 0, user, 2);
	s.end = UNWIND_END_TRUNCATED;
	assert_int_equal(add(&w, &s, 0), 0);
	struct profile_batch *batch = finish(&w);
	frame_is(batch, &batch->resources[0].scopes[0].profiles[0].samples[0], 2, "", 0,
		 "[truncated: depth]");
	close_world(&w);
}

static void whoever_has_no_user_space_is_not_broken(void **state)
{
	struct world w;
	const uint64_t kernel[] = {0xffffffff81000210};
	(void)state;
	open_world(&w, 0);
	struct sample s = sample_at(2000, kernel, 1, NULL, 0), worker = s;
	s.end = UNWIND_END_NO_REGISTERS;
	worker.end = UNWIND_END_NO_REGISTERS;
	worker.flags = SAMPLER_KERNEL_THREAD;
	assert_int_equal(add(&w, &s, 0), 0);
	assert_int_equal(add(&w, &worker, 0), 0);
	struct profile_batch *batch = finish(&w);
	const struct profile *p = &batch->resources[0].scopes[0].profiles[0];
	assert_int_equal(batch->dict.stacks[p->samples[0].stack].count, 2);
	frame_is(batch, &p->samples[0], 1, "", 0, "[broken: registers unknown]");
	assert_int_equal(batch->dict.stacks[p->samples[1].stack].count, 1);
	close_world(&w);
}

static void timestamps_are_within_the_window_of_the_profile(void **state)
{
	struct world w;
	const uint64_t user[] = {UNWIND_FRAME_EXACT | 0x401010};
	(void)state;
	open_world(&w, 0);
	for (int i = 0; i < 2; i++) {
		struct sample s = sample_at(i ? 9000 : 500, NULL, 0, user, 1);
		assert_int_equal(add(&w, &s, 0), 0);
	}
	const struct profile *p = &finish(&w)->resources[0].scopes[0].profiles[0];
	assert_int_equal(p->time_ns, 500);
	assert_true(p->time_ns + p->duration_ns > 9000);
	close_world(&w);
}

static void names_of_any_bytes_become_text(void **state)
{
	struct world w;
	const uint64_t user[] = {UNWIND_FRAME_EXACT | 0x401010};
	(void)state;
	open_world(&w, 0);
	struct sample s = sample_at(2000, NULL, 0, user, 1);
	memcpy(s.comm, "bad\xff\xfename", 10);
	assert_int_equal(add(&w, &s, 0), 0);
	struct profile_batch *batch = finish(&w);
	const struct profile_sample *row = &batch->resources[0].scopes[0].profiles[0].samples[0];
	assert_true(str_equal(profile_find_index(&batch->dict, row->attrs, row->attr_count,
						 STR("thread.name"))
				      ->text,
			      STR("bad??name")));
	close_world(&w);
}

static void a_window_without_samples_has_no_batch(void **state)
{
	struct world w;
	const uint64_t user[] = {UNWIND_FRAME_EXACT | 0x401010};
	(void)state;
	open_world(&w, 0);
	assert_null(finish(&w));
	batch_reset(w.maker);
	struct sample s = sample_at(2000, NULL, 0, user, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(add(&w, &s, 0), 0);
		assert_int_equal(finish(&w)->resource_count, 1);
		batch_reset(w.maker);
		assert_int_equal(batch_samples(w.maker), 0);
	}
	close_world(&w);
}

static void a_full_batch_refuses_and_keeps_what_it_has(void **state)
{
	struct world w;
	int rc = 0, added = 0;
	(void)state;
	open_world(&w, 1 << 20);
	for (uint64_t i = 0; i < 1000000 && rc == 0; i++) {
		const uint64_t user[] = {UNWIND_FRAME_EXACT | (0x700000 + i)};
		struct sample s = sample_at(2000, NULL, 0, user, 1);
		s.pid = (uint32_t)(7 + i % 3);
		rc = add(&w, &s, 0);
		added += rc == 0;
	}
	assert_true(rc == ERR_NOMEM || rc == ERR_LIMIT);
	struct profile_batch *batch;
	uint64_t total = 0;
	if (batch_finish(w.maker, 1000, 5000, &batch, NULL) == 0) {
		for (size_t i = 0; i < batch->resource_count; i++) {
			const struct profile *p = &batch->resources[i].scopes[0].profiles[0];
			assert_int_equal(profile_check(&batch->dict, p, NULL), 0);
			total += profile_total(p, NULL);
		}
		assert_int_equal(total, added);
	}
	batch_reset(w.maker);
	const uint64_t user[] = {UNWIND_FRAME_EXACT | 0x401010};
	struct sample s = sample_at(2000, NULL, 0, user, 1);
	assert_int_equal(add(&w, &s, 0), 0);
	assert_int_equal(finish(&w)->resource_count, 1);
	close_world(&w);
}

static void shortness_of_memory_loses_samples_and_nothing_else(void **state)
{
	const uint64_t user[] = {UNWIND_FRAME_EXACT | 0x401010, 0x401021},
		       kernel[] = {0xffffffff81000210};
	(void)state;
	for (uint64_t nth = 1; nth < 80; nth++) {
		struct world w;
		uint64_t added = 0, total = 0;
		struct profile_batch *batch;
		open_world(&w, 0);
		mem_fail_nth(nth);
		for (uint64_t i = 0; i < 20; i++) {
			struct sample s = sample_at(2000 + i, kernel, 1, user, 2);
			s.cpu = (uint32_t)(i % 3);
			s.pid = (uint32_t)(7 + i % 2);
			added += add(&w, &s, 0) == 0;
		}
		int rc = batch_finish(w.maker, 1000, 5000, &batch, NULL);
		mem_fail_nth(0);
		for (size_t i = 0; rc == 0 && batch && i < batch->resource_count; i++) {
			const struct profile *p = &batch->resources[i].scopes[0].profiles[0];
			assert_int_equal(profile_check(&batch->dict, p, NULL), 0);
			total += profile_total(p, NULL);
		}
		assert_true(rc != 0 || total == added);
		close_world(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_has_the_shape_the_protocol_asks_for),
		cmocka_unit_test(same_samples_are_one_with_several_times),
		cmocka_unit_test(no_frame_is_lost_for_want_of_a_name),
		cmocka_unit_test(a_leaf_outside_of_every_mapping_stays),
		cmocka_unit_test(a_cut_stack_says_so_at_its_root),
		cmocka_unit_test(whoever_has_no_user_space_is_not_broken),
		cmocka_unit_test(timestamps_are_within_the_window_of_the_profile),
		cmocka_unit_test(names_of_any_bytes_become_text),
		cmocka_unit_test(a_window_without_samples_has_no_batch),
		cmocka_unit_test(a_full_batch_refuses_and_keeps_what_it_has),
		cmocka_unit_test(shortness_of_memory_loses_samples_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
