#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/symbolize.h"
#include "base/clock.h"
#include "base/mem.h"
#include "elf/elf.h"
#include "fixture.h"

#define SAMPLE(name) SAMPLES "/sample-" name

/* Where the fixture's process has the sample's text: its vaddr plus this. */
static const uint64_t bias = 0x7f0000000000;

struct world {
	struct processes_options options;
	struct files *files;
	struct processes *processes;
	struct process *process;
	struct symbolizer symbolizer;
	struct arena arena;
	struct profile_batch *batch;
};

static void begin(struct world *w)
{
	assert_int_equal(profile_batch_create(&w->arena, &w->batch, NULL), 0);
	assert_int_equal(symbolizer_begin(&w->symbolizer, w->batch, NULL), 0);
}

static void open_mapped(struct world *w, const char *sample, uint64_t vaddr, uint64_t offset)
{
	char maps[1024];
	struct stat st;
	const struct process_hint hint = {.pid = 7, .tid = 7, .comm = "app"};

	*w = (struct world){.options = {.proc = fixture_make()}};
	assert_int_equal(stat(sample, &st), 0);
	snprintf(maps, sizeof(maps), "%lx-%lx r-xp %08lx fe:01 %lu %s\n",
		 (unsigned long)(bias + vaddr),
		 (unsigned long)(bias + vaddr + (uint64_t)st.st_size), (unsigned long)offset,
		 (unsigned long)st.st_ino, sample);
	fixture_process(7, 1, "app", sample, maps, NULL, 0);
	assert_int_equal(files_create(w->options.proc, 0, &w->files, NULL), 0);
	assert_int_equal(processes_create(&w->options, w->files, &w->processes, NULL), 0);
	w->process = processes_get(w->processes, &hint);
	assert_non_null(w->process);
	w->symbolizer =
		(struct symbolizer){.files = w->files, .processes = w->processes, .kernel = NULL};
	arena_init(&w->arena, 0);
	begin(w);
}

/* Of the samples of C the text begins at 0x1000, in the file and in memory. */
static void open_world(struct world *w, const char *sample)
{
	open_mapped(w, sample, 0x1000, 0x1000);
}

static void close_world(struct world *w)
{
	symbolizer_deinit(&w->symbolizer);
	arena_deinit(&w->arena);
	processes_destroy(w->processes);
	files_destroy(w->files);
	fixture_remove();
}

static uint64_t symbol(const char *sample, const char *name)
{
	char command[512], line[64] = "";

	snprintf(command, sizeof(command), "nm '%s' | grep ' %s$'", sample, name);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(line, sizeof(line), pipe));
	pclose(pipe);
	return strtoull(line, NULL, 16);
}

static uint64_t mark(const char *sample, const char *name)
{
	char text[64];

	snprintf(text, sizeof(text), "mark_%s", name);
	return symbol(sample, text);
}

static uint32_t look_up(struct world *w, uint64_t vaddr, bool leaf)
{
	uint32_t location;
	bool mapped;

	assert_int_equal(symbolizer_user(&w->symbolizer, w->process, bias + vaddr, leaf, &mapped,
					 &location, NULL),
			 0);
	assert_true(mapped);
	return location;
}

static void finish(struct world *w)
{
	while (symbolizer_wait(&w->symbolizer, clock_mono_ns() + NS_PER_S) > 0)
		;
	symbolizer_finish(&w->symbolizer);
}

/* "name file:line+start; ..." */
static void assert_lines(const struct world *w, uint32_t location, const char *expected)
{
	const struct profile_dict *dict = &w->batch->dict;
	const struct profile_location *row = &dict->locations[location];
	char text[1024] = "";
	size_t at = 0;

	for (uint32_t i = 0; i < row->line_count; i++) {
		const struct profile_line *line = &row->lines[i];
		const struct profile_function *function = &dict->functions[line->function];
		struct str file = str_basename(profile_str(dict, function->filename));
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%.*s %.*s:%d+%d; ",
				       STR_ARG(profile_str(dict, function->name)), STR_ARG(file),
				       (int)line->line, (int)function->start_line);
	}
	assert_string_equal(text, expected);
}

static void inlined_functions_are_lines_of_the_location(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, SAMPLE("inlined-gcc"));
	uint32_t location = look_up(&w, mark(SAMPLE("inlined-gcc"), "innermost"), true);
	uint64_t address = w.batch->dict.locations[location].address;
	finish(&w);
	assert_lines(&w, location,
		     "innermost inlined.c:9+6; middle inlined.c:16+13; outer "
		     "inlined.c:21+19; ");
	assert_int_equal(w.batch->dict.locations[location].address, address);
	close_world(&w);
}

/* The symbol table and DWARF differ in the name of a clone. */
static void the_outer_function_has_one_name_with_and_without_lines(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, SAMPLE("inlined-gcc"));
	uint64_t vaddr = mark(SAMPLE("inlined-gcc"), "cloned");
	uint32_t location = look_up(&w, vaddr, true);
	symbolizer_finish(&w.symbolizer);
	assert_lines(&w, location, "cloned.constprop.0 :0+0; ");
	struct lines_stats stats;
	lines_get_stats(w.symbolizer.lines, &stats);
	assert_int_equal(stats.late, 1);

	while (symbolizer_wait(&w.symbolizer, clock_mono_ns() + NS_PER_S) > 0)
		;
	begin(&w);
	location = look_up(&w, vaddr, true);
	symbolizer_finish(&w.symbolizer);
	assert_lines(&w, location, "cloned.constprop.0 inlined.c:37+34; ");
	assert_int_equal(w.symbolizer.named, 2);
	close_world(&w);
}

static void a_return_address_belongs_to_the_call_before_it(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, SAMPLE("inlined-gcc"));
	uint64_t vaddr = mark(SAMPLE("inlined-gcc"), "outer");
	uint32_t exact = look_up(&w, vaddr, true), after = look_up(&w, vaddr, false);
	finish(&w);
	assert_lines(&w, exact, "outer inlined.c:22+19; ");
	assert_int_equal(w.batch->dict.locations[after].address, vaddr - 1);
	assert_lines(&w, after,
		     "innermost inlined.c:10+6; middle inlined.c:16+13; outer "
		     "inlined.c:21+19; ");
	close_world(&w);
}

static void a_file_without_lines_is_looked_at_once(void **state)
{
	struct lines_stats stats;
	struct world w;

	(void)state;
	open_world(&w, SAMPLE("pie"));
	for (uint64_t vaddr = 0x1000; vaddr < 0x1100; vaddr++)
		(void)look_up(&w, vaddr, true);
	finish(&w);
	lines_get_stats(w.symbolizer.lines, &stats);
	assert_int_equal(stats.files, 1);
	assert_int_equal(stats.dwarf_files, 0);
	assert_int_equal(stats.dwarf.asked, 0);
	assert_int_equal(stats.dwarf.spawned, 0);
	close_world(&w);
}

/* The next window asks nobody for what is remembered. */
static void lines_are_asked_for_once(void **state)
{
	struct lines_stats stats;
	struct world w;

	(void)state;
	open_world(&w, SAMPLE("inlined-gcc"));
	uint64_t vaddr = mark(SAMPLE("inlined-gcc"), "plain");
	for (int window = 0; window < 3; window++) {
		uint32_t location = look_up(&w, vaddr, true);
		finish(&w);
		assert_lines(&w, location, "plain inlined.c:29+26; ");
		begin(&w);
	}
	lines_get_stats(w.symbolizer.lines, &stats);
	assert_int_equal(stats.dwarf.asked, 1);
	close_world(&w);
}

/* Stripped or not, what Go's own table says is taken, names and all, and at once. */
static void go_programs_need_no_worker(void **state)
{
	const char *const samples[] = {SAMPLES "/gotruth-plain", SAMPLES "/gotruth-stripped"};
	struct lines_stats stats;
	struct world w;

	(void)state;
	uint64_t vaddr = symbol(samples[0], "main.main") + 1;
	for (size_t i = 0; i < 2; i++) {
		/* The headers are in the segment of the text. */
		open_mapped(&w, samples[i], 0x400000, 0);
		uint32_t location = look_up(&w, vaddr, true);
		symbolizer_finish(&w.symbolizer);
		const struct profile_dict *dict = &w.batch->dict;
		const struct profile_location *row = &dict->locations[location];
		assert_int_equal(row->line_count, 1);
		const struct profile_function *function = &dict->functions[row->lines[0].function];
		assert_true(str_equal(profile_str(dict, function->name), STR("main.main")));
		assert_true(str_ends_with(profile_str(dict, function->filename), STR("/truth.go")));
		assert_true(row->lines[0].line > 0);
		assert_int_equal(w.symbolizer.named, 1);
		assert_int_equal(w.symbolizer.unnamed, 0);
		lines_get_stats(w.symbolizer.lines, &stats);
		assert_int_equal(stats.go_files, 1);
		assert_int_equal(stats.dwarf.asked, 0);
		close_world(&w);
	}
}

/* Whatever request for memory fails: names stay, and the next window has the lines. */
static void without_memory_there_are_names_only(void **state)
{
	struct world w;
	uint64_t requests = 1;

	(void)state;
	uint64_t vaddr = mark(SAMPLE("inlined-gcc"), "plain");
	for (uint64_t nth = 1; nth <= requests && nth < 200; nth++) {
		uint32_t location;
		bool mapped;
		open_world(&w, SAMPLE("inlined-gcc"));
		(void)mem_fail_nth(nth);
		int rc = symbolizer_user(&w.symbolizer, w.process, bias + vaddr, true, &mapped,
					 &location, NULL);
		finish(&w);
		requests = mem_fail_nth(0);
		if (rc == 0)
			assert_true(w.batch->dict.locations[location].line_count <= 1);
		arena_reset(&w.arena);
		begin(&w);
		location = look_up(&w, vaddr, true);
		finish(&w);
		assert_true(w.batch->dict.locations[location].line_count <= 1);
		close_world(&w);
	}
	assert_true(requests > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inlined_functions_are_lines_of_the_location),
		cmocka_unit_test(the_outer_function_has_one_name_with_and_without_lines),
		cmocka_unit_test(a_return_address_belongs_to_the_call_before_it),
		cmocka_unit_test(a_file_without_lines_is_looked_at_once),
		cmocka_unit_test(lines_are_asked_for_once),
		cmocka_unit_test(go_programs_need_no_worker),
		cmocka_unit_test(without_memory_there_are_names_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
