/* The target of the walks is this very program: its mappings, its stack (shot.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/types.h>

#include <elf.h>

#include "agent/files.h"
#include "agent/unwinding.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "fixture.h"
#include "shot.h"

enum { CHUNKS = 8, PIDS = 16 };

/* ---- the world ---- */

struct kernel {
	uint32_t place[PIDS], count[PIDS];
};

static int on_publish(void *ctx, uint32_t pid, uint32_t place, uint32_t count, struct err *err)
{
	struct kernel *kernel = ctx;
	(void)err;
	kernel->place[pid] = place;
	kernel->count[pid] = count;
	return 0;
}

static void on_unpublish(void *ctx, uint32_t pid)
{
	struct kernel *kernel = ctx;
	kernel->place[pid] = 0;
}

struct world {
	struct processes_options options;
	struct kernel kernel;
	uint8_t *memory;
	struct files *files;
	struct processes *processes;
	struct unwinding *unwinding;
	struct buf own_maps;
	uint64_t now_ns;
};

static void open_world_of(struct world *w, uint32_t chunks)
{
	*w = (struct world){.options = {.proc = fixture_make()}, .now_ns = clock_mono_ns()};
	buf_init(&w->own_maps, 0);
	assert_int_equal(fd_read_file("/proc/self/maps", 1 << 20, &w->own_maps, NULL), 0);
	struct str text = buf_text(&w->own_maps);
	struct str before = str_sub(text, 0, (size_t)str_find(text, STR("[stack]")));
	struct str line = str_sub(before, (size_t)str_rfind_char(before, '\n') + 1, before.len);
	shot_stack_end = strtoull(line.ptr + str_find_char(line, '-') + 1, NULL, 16);
	fixture_process(7, 1, "app", "/srv/app", text.ptr, NULL, 0);
	w->memory = aligned_alloc(8, (size_t)chunks * UNWIND_CHUNK_BYTES);
	assert_non_null(w->memory);
	memset(w->memory, 0, (size_t)chunks * UNWIND_CHUNK_BYTES);
	const struct unwinding_options options = {
		.memory = w->memory,
		.chunks = chunks,
		.machine = EM_X86_64,
		.processes_max = 4,
		.ops = {on_publish, on_unpublish, &w->kernel},
	};
	assert_int_equal(files_create(w->options.proc, 0, &w->files, NULL), 0);
	assert_int_equal(processes_create(&w->options, w->files, &w->processes, NULL), 0);
	assert_int_equal(unwinding_create(&options, w->files, w->processes, &w->unwinding, NULL),
			 0);
}

static void open_world(struct world *w)
{
	open_world_of(w, CHUNKS);
}

static void close_world(struct world *w)
{
	unwinding_destroy(w->unwinding);
	for (uint32_t i = 0; i < PIDS; i++)
		assert_int_equal(w->kernel.place[i], 0);
	processes_destroy(w->processes);
	files_destroy(w->files);
	buf_deinit(&w->own_maps);
	free(w->memory);
	fixture_remove();
}

static struct process *get(struct world *w, uint32_t pid)
{
	const struct process_hint hint = {.pid = pid, .tid = pid, .comm = "thread"};
	struct process *process = processes_get(w->processes, &hint);
	assert_non_null(process);
	return process;
}

static void tick(struct world *w, uint64_t later_ns)
{
	w->now_ns += later_ns;
	unwinding_tick(w->unwinding, w->now_ns);
}

static struct sample shot_sample(const struct world *w, uint32_t pid, enum unwind_end end)
{
	return (struct sample){.time_ns = w->now_ns,
			       .pid = pid,
			       .tid = pid,
			       .comm = "thread",
			       .user = &shot.leaf,
			       .user_count = 1,
			       .end = end,
			       .state = shot.state,
			       .stack = shot.stack,
			       .stack_len = shot.len};
}

static int try_to_finish(struct world *w, uint32_t pid, enum unwind_end end, struct user_stack *ret)
{
	const struct sample s = shot_sample(w, pid, end);
	return unwinding_finish(w->unwinding, get(w, pid), &s, w->now_ns, ret);
}

static enum unwind_end finish(struct world *w, uint32_t pid, enum unwind_end end)
{
	struct user_stack stack;
	(void)try_to_finish(w, pid, end, &stack);
	return stack.end;
}

static struct unwinding_stats stats_of(const struct world *w)
{
	struct unwinding_stats stats;
	unwinding_get_stats(w->unwinding, &stats);
	return stats;
}

static const struct unwind_mapping *published_row(const struct world *w, uint32_t pid,
						  uint64_t address)
{
	const struct unwind_mapping *rows =
		(const void *)(w->memory + (size_t)w->kernel.place[pid] * UNWIND_UNIT_BYTES);
	assert_int_not_equal(w->kernel.place[pid], 0);
	for (uint32_t i = 0; i < w->kernel.count[pid]; i++) {
		assert_true(rows[i].start < rows[i].end);
		assert_true(i == 0 || rows[i - 1].end <= rows[i].start);
		if (rows[i].start <= address && address < rows[i].end)
			return &rows[i];
	}
	return NULL;
}

static void event(struct world *w, enum event_kind kind, uint32_t pid, uint32_t parent)
{
	struct event e = {.kind = kind,
			  .time_ns = clock_mono_ns(),
			  .pid = pid,
			  .tid = pid,
			  .parent_pid = parent,
			  .exec = kind == EVENT_COMM,
			  .name = STR("other")};
	processes_apply(w->processes, &e);
}

static void map_event(struct world *w, uint32_t pid, uint64_t start, uint64_t end, const char *path)
{
	struct event e = {.kind = EVENT_MMAP,
			  .time_ns = clock_mono_ns(),
			  .pid = pid,
			  .tid = pid,
			  .start = start,
			  .size = end - start,
			  .name = str_of(path)};
	processes_apply(w->processes, &e);
}

/* ---- tests ---- */

static void a_first_sample_is_walked_to_the_root(void **state)
{
	struct world w;
	struct user_stack stack;
	(void)state;
	open_world(&w);
	shot_take();
	const struct sample s = shot_sample(&w, 7, UNWIND_END_NO_PROCESS);
	assert_int_equal(unwinding_finish(w.unwinding, get(&w, 7), &s, w.now_ns, &stack), 0);
	assert_int_equal(stack.end, UNWIND_END_ROOT);
	assert_in_range(stack.count, 6, 60);
	assert_int_equal(stack.frames[0], shot.leaf);
	for (int i = 0; i < 3; i++)
		assert_int_equal(stack.frames[1 + i], shot.returns[i]);
	assert_int_equal(stats_of(&w).finished, 1);
	assert_in_range(stats_of(&w).tables.ready, 2, 10);
	close_world(&w);
}

static void what_the_walk_needed_is_told_to_bpf_at_the_end_of_the_tick(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	shot_take();
	assert_int_equal(finish(&w, 7, UNWIND_END_NO_PROCESS), UNWIND_END_ROOT);
	assert_int_equal(w.kernel.place[7], 0);
	tick(&w, 0);
	const struct unwind_mapping *row = published_row(&w, 7, shot.state.pc);
	assert_int_equal(row->kind, UNWIND_BY_TABLE);
	assert_int_not_equal(row->table, 0);
	/* Nothing new: nothing is told. */
	uint32_t place = w.kernel.place[7];
	assert_int_equal(finish(&w, 7, UNWIND_END_NOT_READY), UNWIND_END_ROOT);
	tick(&w, NS_PER_MS);
	assert_int_equal(w.kernel.place[7], place);
	close_world(&w);
}

static void a_finished_stack_is_left_as_it_is(void **state)
{
	struct world w;
	struct user_stack stack;
	(void)state;
	open_world(&w);
	shot_take();
	struct sample s = shot_sample(&w, 7, UNWIND_END_NO_ROW);
	assert_int_equal(unwinding_finish(w.unwinding, get(&w, 7), &s, w.now_ns, &stack), 0);
	assert_int_equal(stack.end, UNWIND_END_NO_ROW);
	assert_int_equal(stack.count, 1);
	tick(&w, 0);
	assert_int_equal(w.kernel.place[7], 0);
	assert_int_equal(stats_of(&w).finished, 0);
	close_world(&w);
}

static void a_child_shares_the_rows_of_its_parent(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	shot_take();
	assert_int_equal(finish(&w, 7, UNWIND_END_NO_PROCESS), UNWIND_END_ROOT);
	uint64_t built = stats_of(&w).tables.built;
	event(&w, EVENT_FORK, 8, 7);
	assert_int_equal(finish(&w, 8, UNWIND_END_NO_PROCESS), UNWIND_END_ROOT);
	tick(&w, 0);
	assert_int_equal(w.kernel.place[7], w.kernel.place[8]);
	assert_int_equal(stats_of(&w).tables.built, built);
	/* And keeps them when the parent goes. */
	event(&w, EVENT_COMM, 7, 0);
	assert_int_equal(w.kernel.place[7], 0);
	tick(&w, NS_PER_S);
	assert_non_null(published_row(&w, 8, shot.state.pc));
	close_world(&w);
}

static void another_process_shares_the_tables_of_the_files(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	shot_take();
	fixture_process(9, 1, "app", "/srv/app", buf_text(&w.own_maps).ptr, NULL, 0);
	assert_int_equal(finish(&w, 7, UNWIND_END_NO_PROCESS), UNWIND_END_ROOT);
	uint64_t built = stats_of(&w).tables.built;
	assert_int_equal(finish(&w, 9, UNWIND_END_NO_PROCESS), UNWIND_END_ROOT);
	tick(&w, 0);
	assert_int_equal(stats_of(&w).tables.built, built);
	assert_int_not_equal(w.kernel.place[7], w.kernel.place[9]);
	assert_int_equal(published_row(&w, 7, shot.state.pc)->table,
			 published_row(&w, 9, shot.state.pc)->table);
	close_world(&w);
}

static void a_program_that_ended_is_finished_but_never_told_of(void **state)
{
	struct world w;
	struct user_stack stack;
	(void)state;
	open_world(&w);
	shot_take();
	struct process *before = get(&w, 7);
	const struct sample s = shot_sample(&w, 7, UNWIND_END_NO_PROCESS);
	event(&w, EVENT_COMM, 7, 0); /* after the sample was taken */
	assert_int_equal(unwinding_finish(w.unwinding, before, &s, w.now_ns, &stack), 0);
	assert_int_equal(stack.end, UNWIND_END_ROOT);
	tick(&w, 0);
	assert_int_equal(w.kernel.place[7], 0);
	close_world(&w);
}

static void rows_that_became_wrong_are_taken_back_at_once(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	shot_take();
	assert_int_equal(finish(&w, 7, UNWIND_END_NO_PROCESS), UNWIND_END_ROOT);
	tick(&w, 0);
	struct unwind_mapping row = *published_row(&w, 7, shot.state.pc);
	/* Beside it, and the same once more: all is true still. */
	map_event(&w, 7, 0x10000, 0x20000, "/elsewhere");
	assert_int_not_equal(w.kernel.place[7], 0);
	assert_null(published_row(&w, 7, 0x10000));
	map_event(&w, 7, row.start, row.start + 0x1000, "/over-it");
	assert_int_equal(w.kernel.place[7], 0);
	/* The next sample goes by what is mapped now. */
	(void)finish(&w, 7, UNWIND_END_NO_PROCESS);
	tick(&w, 0);
	assert_non_null(published_row(&w, 7, 0x10000));
	close_world(&w);
}

static void a_sample_outside_of_the_rows_brings_newer_ones(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	shot_take();
	assert_int_equal(finish(&w, 7, UNWIND_END_NO_PROCESS), UNWIND_END_ROOT);
	tick(&w, 0);
	map_event(&w, 7, 0x10000, 0x20000, "");
	struct unwind_state here = shot.state;
	shot.state.pc = 0x10080; /* a JIT compiler's code, of which nobody tells how to leave it */
	(void)finish(&w, 7, UNWIND_END_NO_MAPPING);
	shot.state = here;
	tick(&w, 0);
	assert_int_equal(published_row(&w, 7, 0x10000)->kind, UNWIND_BY_FRAME_POINTER);
	close_world(&w);
}

static void the_last_frame_outside_of_everything_is_none(void **state)
{
	struct world w;
	struct user_stack stack;
	const uint64_t frames[] = {1ULL << 63 | 0x999000, 0x666000};
	(void)state;
	open_world(&w);
	shot_take();
	struct sample s = shot_sample(&w, 7, UNWIND_END_NO_MAPPING);
	s.user = frames;
	s.user_count = 2;
	s.state = (struct unwind_state){.pc = 0x666000, .sp = shot.state.sp};
	assert_int_equal(unwinding_finish(w.unwinding, get(&w, 7), &s, w.now_ns, &stack), 0);
	assert_int_equal(stack.end, UNWIND_END_NO_MAPPING);
	assert_int_equal(stack.count, 1);
	close_world(&w);
}

static void a_stack_longer_than_its_copy_is_cut(void **state)
{
	struct world w;
	struct user_stack stack;
	(void)state;
	open_world(&w);
	shot_take();
	struct sample s = shot_sample(&w, 7, UNWIND_END_NO_PROCESS);
	s.stack_len = 8;
	assert_int_equal(unwinding_finish(w.unwinding, get(&w, 7), &s, w.now_ns, &stack), 0);
	assert_int_equal(stack.end, UNWIND_END_CUT);
	tick(&w, 0);
	assert_int_not_equal(w.kernel.place[7], 0); /* the next one will be whole */
	s.stack_len = 0;
	assert_int_equal(unwinding_finish(w.unwinding, get(&w, 7), &s, w.now_ns, &stack), 0);
	assert_int_equal(stack.end, UNWIND_END_UNREADABLE);
	close_world(&w);
}

static void a_process_without_mappings_stays_unknown(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	assert_int_equal(finish(&w, 10, UNWIND_END_NO_PROCESS), UNWIND_END_NO_PROCESS);
	tick(&w, 0);
	assert_int_equal(w.kernel.place[10], 0);
	close_world(&w);
}

static void a_file_that_is_out_of_reach_is_tried_again_later(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(8, 1, "lost", "/nowhere/lost",
			"400000-500000 r-xp 00000000 fe:01 77 /nowhere/lost\n", NULL, 0);
	shot_take();
	shot.state.pc = 0x400100;
	(void)finish(&w, 8, UNWIND_END_NO_PROCESS);
	tick(&w, 0);
	assert_int_equal(published_row(&w, 8, 0x400100)->kind, UNWIND_BY_FRAME_POINTER);
	assert_int_equal(stats_of(&w).tables.failed, 1);
	tick(&w, 5ULL * NS_PER_S);
	assert_int_not_equal(w.kernel.place[8], 0);
	tick(&w, 6ULL * NS_PER_S);
	assert_int_equal(w.kernel.place[8], 0);
	shot.state.pc = 0x400100;
	(void)finish(&w, 8, UNWIND_END_NO_PROCESS);
	assert_int_equal(stats_of(&w).tables.failed, 2);
	close_world(&w);
}

static void all_memory_comes_back_when_nobody_is_left(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	shot_take();
	assert_int_equal(finish(&w, 7, UNWIND_END_NO_PROCESS), UNWIND_END_ROOT);
	tick(&w, 0);
	size_t used = stats_of(&w).used_bytes;
	assert_in_range(used, 1000, CHUNKS * UNWIND_CHUNK_BYTES);
	fixture_gone(7);
	event(&w, EVENT_EXIT, 7, 0);
	processes_purge(w.processes, UINT64_MAX);
	assert_int_equal(w.kernel.place[7], 0);
	/* Tables wait a while for another process of the same program. */
	tick(&w, NS_PER_S);
	assert_in_range(stats_of(&w).used_bytes, 1, used - 1);
	tick(&w, 61ULL * NS_PER_S);
	assert_int_equal(stats_of(&w).used_bytes, 0);
	assert_int_equal(stats_of(&w).tables.ready, 0);
	close_world(&w);
}

/* Mappings with holes between them, so that none join. */
static char *many_mappings(uint32_t count)
{
	char *text = malloc(count * 64 + 1), *end = text;
	assert_non_null(text);
	for (uint32_t i = 0; i < count; i++)
		end += sprintf(end, "%x-%x r-xp 00000000 00:00 0 \n", 0x100000 + i * 0x2000,
			       0x101000 + i * 0x2000);
	return text;
}

static void idle_processes_make_room_for_busy_ones(void **state)
{
	struct world w;
	struct user_stack stack;
	(void)state;
	open_world_of(&w, 1);
	char *text = many_mappings(30000);
	shot_take();
	shot.state.pc = 0x100010;
	for (uint32_t pid = 8; pid < 11; pid++)
		fixture_process(pid, 1, "jit", "/srv/jit", text, NULL, 0);
	free(text);
	(void)finish(&w, 8, UNWIND_END_NO_PROCESS);
	tick(&w, NS_PER_S);
	(void)finish(&w, 9, UNWIND_END_NO_PROCESS);
	tick(&w, NS_PER_S);
	assert_int_equal(w.kernel.count[9], 30000);
	assert_int_equal(try_to_finish(&w, 10, UNWIND_END_NO_PROCESS, &stack), ERR_LIMIT);
	tick(&w, NS_PER_S); /* nobody is idle yet */
	assert_int_equal(w.kernel.place[10], 0);
	assert_int_not_equal(w.kernel.place[8], 0);
	w.now_ns += 61ULL * NS_PER_S;
	(void)finish(&w, 9, UNWIND_END_NO_PROCESS);
	(void)finish(&w, 10, UNWIND_END_NO_PROCESS);
	tick(&w, 0);
	assert_int_equal(w.kernel.place[8], 0);
	tick(&w, NS_PER_S);
	assert_int_equal(try_to_finish(&w, 10, UNWIND_END_NO_PROCESS, &stack), 0);
	tick(&w, 0);
	assert_int_not_equal(w.kernel.place[10], 0);
	assert_int_not_equal(w.kernel.place[9], 0);
	close_world(&w);
}

static void many_rows_are_not_written_anew_for_every_sample(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	char *text = many_mappings(30000);
	fixture_process(8, 1, "jit", "/srv/jit", text, NULL, 0);
	free(text);
	shot_take();
	(void)finish(&w, 8, UNWIND_END_NO_PROCESS);
	tick(&w, NS_PER_MS);
	uint32_t place = w.kernel.place[8];
	for (uint64_t i = 0; i < 100; i++) {
		map_event(&w, 8, 0x60000000 + i * 0x2000, 0x60001000 + i * 0x2000, "");
		shot.state.pc = 0x60000010 + i * 0x2000;
		(void)finish(&w, 8, UNWIND_END_NO_MAPPING);
		tick(&w, NS_PER_MS);
		assert_int_equal(w.kernel.place[8], place);
	}
	assert_int_equal(stats_of(&w).finished, 1); /* all others may yet be known better */
	tick(&w, NS_PER_S);
	(void)finish(&w, 8, UNWIND_END_NO_MAPPING);
	tick(&w, NS_PER_MS);
	assert_int_equal(w.kernel.count[8], 30100);
	close_world(&w);
}

static void a_garbled_stack_ends_somewhere(void **state)
{
	struct world w;
	uint64_t seed = 88172645463325252;
	(void)state;
	open_world(&w);
	shot_take();
	struct shot whole = shot;
	for (int round = 0; round < 300; round++) {
		shot = whole;
		for (int i = 0; i < 20; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			shot.stack[seed % (shot.len / 8)] = seed;
		}
		if (round % 3 == 0)
			shot.state.sp = seed;
		if (round % 5 == 0)
			shot.state.fp = seed;
		enum unwind_end end = finish(&w, 7, UNWIND_END_NO_PROCESS);
		assert_in_range(end, 0, UNWIND_ENDS - 1);
	}
	close_world(&w);
}

static void shortness_of_memory_costs_stacks_and_nothing_else(void **state)
{
	(void)state;
	shot_take();
	for (uint64_t nth = 1; nth < 60; nth++) {
		struct world w;
		open_world(&w);
		struct process *process = get(&w, 7);
		const struct sample s = shot_sample(&w, 7, UNWIND_END_NO_PROCESS);
		struct user_stack stack;
		mem_fail_nth(nth);
		int rc = unwinding_finish(w.unwinding, process, &s, w.now_ns, &stack);
		tick(&w, 0);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_BUSY || rc == ERR_LIMIT);
		assert_int_equal(stack.frames[0], shot.leaf);
		/* With memory again all is well, at the latest when files are tried again. */
		(void)finish(&w, 7, UNWIND_END_NO_PROCESS);
		tick(&w, 11ULL * NS_PER_S);
		assert_int_equal(finish(&w, 7, UNWIND_END_NO_PROCESS), UNWIND_END_ROOT);
		close_world(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_first_sample_is_walked_to_the_root),
		cmocka_unit_test(what_the_walk_needed_is_told_to_bpf_at_the_end_of_the_tick),
		cmocka_unit_test(a_finished_stack_is_left_as_it_is),
		cmocka_unit_test(a_child_shares_the_rows_of_its_parent),
		cmocka_unit_test(another_process_shares_the_tables_of_the_files),
		cmocka_unit_test(a_program_that_ended_is_finished_but_never_told_of),
		cmocka_unit_test(rows_that_became_wrong_are_taken_back_at_once),
		cmocka_unit_test(a_sample_outside_of_the_rows_brings_newer_ones),
		cmocka_unit_test(the_last_frame_outside_of_everything_is_none),
		cmocka_unit_test(a_stack_longer_than_its_copy_is_cut),
		cmocka_unit_test(a_process_without_mappings_stays_unknown),
		cmocka_unit_test(a_file_that_is_out_of_reach_is_tried_again_later),
		cmocka_unit_test(all_memory_comes_back_when_nobody_is_left),
		cmocka_unit_test(idle_processes_make_room_for_busy_ones),
		cmocka_unit_test(many_rows_are_not_written_anew_for_every_sample),
		cmocka_unit_test(a_garbled_stack_ends_somewhere),
		cmocka_unit_test(shortness_of_memory_costs_stacks_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
