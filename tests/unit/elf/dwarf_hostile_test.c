/* Files made to hurt whoever reads their DWARF. What counts is not what comes of
 * them but that the agent goes on: no call takes long, no memory beyond the limit
 * is taken, and the next file is read as if nothing had been. */
#include "samples.h"

#include <dwarf.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "dwarf_craft.h"
#include "elf/dwarf.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { HOSTILE, HONEST, FILES, LOW = 0x1000, HIGH = 0x2000, AT = 0x1800, MEMORY = 128 << 20 };

/* A call that does not wait returns at once; on the busiest machine within this. */
static const uint64_t call_ns = 30ULL * NS_PER_S;

struct answers {
	int fds[FILES];
	uint32_t rows[FILES], bad[FILES], counts[FILES];
};

static bool open_file(void *ctx, uint64_t file, struct dwarf_fds *ret)
{
	struct answers *answers = ctx;

	ret->debug = answers->fds[file];
	return true;
}

static void take_rows(void *ctx, uint64_t file, uint64_t vaddr, const struct dwarf_row *rows,
		      uint32_t count)
{
	struct answers *answers = ctx;

	(void)vaddr;
	(void)rows;
	answers->rows[file]++;
	answers->counts[file] = count;
}

static void take_bad(void *ctx, uint64_t file, const char *why)
{
	struct answers *answers = ctx;

	print_message("%s\n", why);
	answers->bad[file]++;
}

static uint64_t worker_bytes(pid_t pid, const char *name)
{
	char command[128], line[128];

	snprintf(command, sizeof(command), "grep '^%s:' /proc/%d/status 2>&1 | tr -dc 0-9", name,
		 pid);
	command_line(command, line, sizeof(line));
	return strtoull(line, NULL, 10) << 10;
}

static struct dwarf_stats stats_of(const struct dwarf *dwarf)
{
	struct dwarf_stats stats;

	dwarf_get_stats(dwarf, &stats);
	return stats;
}

/* Until nothing waits. Looks at the worker now and then. */
static void pump(struct dwarf *dwarf)
{
	uint64_t start_data = 0;
	uint32_t left = 1;

	while (left > 0) {
		uint64_t begin_ns = clock_mono_ns();
		left = dwarf_pump(dwarf, 0);
		assert_true(clock_mono_ns() - begin_ns < call_ns);
		pid_t pid = stats_of(dwarf).worker;
		if (pid && !SANITIZED) {
			uint64_t data = worker_bytes(pid, "VmData");
			start_data = start_data ? start_data : data;
			assert_true(data <= start_data + MEMORY + (16 << 20));
		}
		left = dwarf_pump(dwarf, clock_mono_ns() + 20 * NS_PER_MS);
	}
}

/* Asks of the file, and then of another one. */
static void check_file(int fd, uint64_t request_ns, struct answers *answers)
{
	static const struct dwarf_ops ops = {open_file, take_rows, take_bad};
	const struct dwarf_options options = {.ops = &ops,
					      .ctx = answers,
					      .memory_bytes = SANITIZED ? DWARF_NO_LIMIT : MEMORY,
					      .request_ns = request_ns,
					      .burst_ns = 1000ULL * NS_PER_S};
	struct dwarf *dwarf = NULL;
	int honest;
	struct elf_file *elf = open_elf(SAMPLE("inlined-gcc"), &honest);

	*answers = (struct answers){.fds = {fd, honest}};
	assert_int_equal(dwarf_create(&options, &dwarf, NULL), 0);
	assert_int_equal(dwarf_ask(dwarf, HOSTILE, AT, NULL), 0);
	assert_int_equal(dwarf_ask(dwarf, HOSTILE, AT + 1, NULL), 0);
	assert_int_equal(dwarf_ask(dwarf, HONEST, 0x1150, NULL), 0);
	pump(dwarf);
	assert_true(answers->rows[HOSTILE] == 2 || answers->bad[HOSTILE] == 1);
	assert_int_equal(answers->rows[HONEST], 1);
	assert_int_equal(answers->bad[HONEST], 0);
	elf_close(elf);
	close(honest);
	close(fd);
	dwarf_destroy(dwarf);
}

static const uint64_t patient_ns = 60ULL * NS_PER_S, hasty_ns = 2ULL * NS_PER_S;

/* ---- pieces ---- */

enum { UNIT = 1, FUNCTION, BLOCK, INLINED, SPACE, ORIGIN, RANGED };

/* A unit with a line table at 0 and code at LOW to HIGH; the abbreviations that the cases use. */
static void begin(struct craft *craft)
{
	craft_init(craft);
	craft_abbrev(craft, UNIT, DW_TAG_compile_unit, true,
		     (unsigned[]){DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data4,
				  DW_AT_stmt_list, DW_FORM_sec_offset, 0});
	craft_abbrev(craft, FUNCTION, DW_TAG_subprogram, true,
		     (unsigned[]){DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data4, 0});
	craft_abbrev(craft, BLOCK, DW_TAG_lexical_block, true,
		     (unsigned[]){DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data4, 0});
	craft_abbrev(craft, INLINED, DW_TAG_inlined_subroutine, true,
		     (unsigned[]){DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data4,
				  DW_AT_abstract_origin, DW_FORM_ref4, 0});
	craft_abbrev(craft, SPACE, DW_TAG_namespace, true, (unsigned[]){0});
	craft_abbrev(craft, ORIGIN, DW_TAG_subprogram, false,
		     (unsigned[]){DW_AT_abstract_origin, DW_FORM_ref4, 0});
	craft_abbrev(craft, RANGED, DW_TAG_inlined_subroutine, false,
		     (unsigned[]){DW_AT_ranges, DW_FORM_sec_offset, 0});
	craft_unit_begin(craft);
	craft_uleb(craft, CRAFT_INFO, UNIT);
	craft_u64(craft, CRAFT_INFO, LOW);
	craft_u32(craft, CRAFT_INFO, HIGH - LOW);
	craft_u32(craft, CRAFT_INFO, 0);
}

static int end(struct craft *craft)
{
	craft_unit_end(craft);
	craft_u8(craft, CRAFT_ABBREV, 0);
	return craft_file(craft);
}

static void open_die(struct craft *craft, unsigned code)
{
	craft_uleb(craft, CRAFT_INFO, code);
	craft_u64(craft, CRAFT_INFO, LOW);
	craft_u32(craft, CRAFT_INFO, HIGH - LOW);
}

/* A line table with one file; the program follows. Its length is not bounded by what it says. */
static void begin_lines(struct craft *craft, uint32_t program_bytes)
{
	static const unsigned char lengths[] = {0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1};
	uint32_t header = 5 + 1 + sizeof(lengths) + 1 + 2 + 3 + 1;

	craft_u32(craft, CRAFT_LINE, 2 + 4 + header + 11 + program_bytes);
	craft_u16(craft, CRAFT_LINE, 4);
	craft_u32(craft, CRAFT_LINE, header);
	craft_u8(craft, CRAFT_LINE, 1);	   /* minimum_instruction_length */
	craft_u8(craft, CRAFT_LINE, 1);	   /* maximum_operations_per_instruction */
	craft_u8(craft, CRAFT_LINE, 1);	   /* default_is_stmt */
	craft_u8(craft, CRAFT_LINE, 0xfb); /* line_base */
	craft_u8(craft, CRAFT_LINE, 14);   /* line_range */
	craft_u8(craft, CRAFT_LINE, 13);   /* opcode_base */
	for (size_t i = 0; i < sizeof(lengths); i++)
		craft_u8(craft, CRAFT_LINE, lengths[i]);
	craft_u8(craft, CRAFT_LINE, 0); /* directories */
	craft_text(craft, CRAFT_LINE, "a");
	craft_fill(craft, CRAFT_LINE, 0, 3);
	craft_u8(craft, CRAFT_LINE, 0); /* files */
	craft_u8(craft, CRAFT_LINE, 0);
	craft_uleb(craft, CRAFT_LINE, 9);
	craft_u8(craft, CRAFT_LINE, DW_LNE_set_address);
	craft_u64(craft, CRAFT_LINE, LOW);
}

/* ---- cases ---- */

/* First of all, that what is crafted here is DWARF: a function with an inlined call and a line. */
static void a_harmless_crafted_file_is_read(void **state)
{
	struct answers answers;
	struct craft craft;

	(void)state;
	begin(&craft);
	open_die(&craft, FUNCTION);
	open_die(&craft, INLINED);
	craft_u32(&craft, CRAFT_INFO, 11);
	craft_fill(&craft, CRAFT_INFO, 0, 3);
	begin_lines(&craft, 4);
	craft_u8(&craft, CRAFT_LINE, DW_LNS_copy);
	craft_u8(&craft, CRAFT_LINE, DW_LNS_advance_pc);
	craft_uleb(&craft, CRAFT_LINE, HIGH - LOW);
	check_file(end(&craft), patient_ns, &answers);
	assert_int_equal(answers.rows[HOSTILE], 2);
	assert_int_equal(answers.counts[HOSTILE], 2);
}

static void origins_in_a_circle_end(void **state)
{
	struct answers answers;
	struct craft craft;

	(void)state;
	begin(&craft);
	uint32_t first = (uint32_t)craft.sections[CRAFT_INFO].len;
	craft_uleb(&craft, CRAFT_INFO, ORIGIN);
	craft_u32(&craft, CRAFT_INFO, first + 5);
	craft_uleb(&craft, CRAFT_INFO, ORIGIN);
	craft_u32(&craft, CRAFT_INFO, first);
	open_die(&craft, FUNCTION);
	open_die(&craft, INLINED);
	craft_u32(&craft, CRAFT_INFO, first);
	craft_fill(&craft, CRAFT_INFO, 0, 3);
	check_file(end(&craft), patient_ns, &answers);
	assert_int_equal(answers.rows[HOSTILE], 2);
	assert_int_equal(answers.counts[HOSTILE], 2);
}

static void blocks_a_million_deep_are_cut(void **state)
{
	struct answers answers;
	struct craft craft;

	(void)state;
	begin(&craft);
	open_die(&craft, FUNCTION);
	for (int i = 0; i < 1000000; i++)
		open_die(&craft, BLOCK);
	check_file(end(&craft), patient_ns, &answers);
}

static void calls_inlined_a_million_deep_are_cut(void **state)
{
	struct answers answers;
	struct craft craft;

	(void)state;
	begin(&craft);
	open_die(&craft, FUNCTION);
	for (int i = 0; i < 1000000; i++) {
		open_die(&craft, INLINED);
		craft_u32(&craft, CRAFT_INFO, 11);
	}
	check_file(end(&craft), patient_ns, &answers);
	assert_true(answers.counts[HOSTILE] <= DWARF_ROWS_MAX);
}

/* Each namespace is gone through again from the one around it. */
static void namespaces_in_each_other_take_too_long(void **state)
{
	struct answers answers;
	struct craft craft;

	(void)state;
	begin(&craft);
	craft_fill(&craft, CRAFT_INFO, SPACE, 32 << 20);
	check_file(end(&craft), hasty_ns, &answers);
	assert_int_equal(answers.bad[HOSTILE], 1);
}

/* As many calls as fit, each of which has the same endless list of ranges. */
static void ranges_without_end_take_too_long(void **state)
{
	struct answers answers;
	struct craft craft;

	(void)state;
	begin(&craft);
	open_die(&craft, FUNCTION);
	for (int i = 0; i < 1000000; i++) {
		craft_uleb(&craft, CRAFT_INFO, RANGED);
		craft_u32(&craft, CRAFT_INFO, 0);
	}
	craft_fill(&craft, CRAFT_INFO, 0, 3);
	for (uint64_t i = 1; i < 1000000; i++) {
		craft_u64(&craft, CRAFT_RANGES, HIGH + i);
		craft_u64(&craft, CRAFT_RANGES, HIGH + i + 1);
	}
	craft_fill(&craft, CRAFT_RANGES, 0, 16);
	check_file(end(&craft), hasty_ns, &answers);
	assert_int_equal(answers.bad[HOSTILE], 1);
}

/* One byte a row, and a row takes some dozen bytes of memory. */
static void a_line_table_larger_than_memory_costs_only_itself(void **state)
{
	struct answers answers;
	struct craft craft;
	uint32_t bytes = 64 << 20;

	(void)state;
	if (SANITIZED)
		skip();
	begin(&craft);
	begin_lines(&craft, bytes);
	craft_fill(&craft, CRAFT_LINE, DW_LNS_copy, bytes);
	craft.packed[CRAFT_LINE] = true;
	check_file(end(&craft), patient_ns, &answers);
	assert_int_equal(answers.counts[HOSTILE], 0);
}

static void a_section_that_says_to_be_huge_is_not_believed(void **state)
{
	struct answers answers;
	struct craft craft;

	(void)state;
	if (SANITIZED)
		skip();
	begin(&craft);
	begin_lines(&craft, 1 << 20);
	craft_fill(&craft, CRAFT_LINE, DW_LNS_copy, 1 << 20);
	craft.packed[CRAFT_LINE] = craft.packed[CRAFT_INFO] = true;
	craft.claimed[CRAFT_LINE] = craft.claimed[CRAFT_INFO] = 1ULL << 40;
	check_file(end(&craft), patient_ns, &answers);
	assert_int_equal(answers.bad[HOSTILE], 1);
}

static void a_bomb_of_zeros_costs_only_itself(void **state)
{
	struct answers answers;
	struct craft craft;

	(void)state;
	if (SANITIZED)
		skip();
	begin(&craft);
	craft_fill(&craft, CRAFT_INFO, 0, 300 << 20);
	craft.packed[CRAFT_INFO] = true;
	check_file(end(&craft), patient_ns, &answers);
	assert_int_equal(answers.bad[HOSTILE], 1);
}

/* Millions of empty units. */
static void units_without_end_cost_only_themselves(void **state)
{
	struct answers answers;
	struct craft craft;

	(void)state;
	begin(&craft);
	craft_unit_end(&craft);
	for (int i = 0; i < 2000000; i++) {
		craft_unit_begin(&craft);
		craft_uleb(&craft, CRAFT_INFO, UNIT);
		craft_u64(&craft, CRAFT_INFO, LOW);
		craft_u32(&craft, CRAFT_INFO, 1);
		craft_u32(&craft, CRAFT_INFO, 0);
		craft_unit_end(&craft);
	}
	craft_unit_begin(&craft);
	check_file(end(&craft), patient_ns, &answers);
	assert_int_equal(answers.bad[HOSTILE], 1);
}

/* An abbreviation that is its own neighbour, codes that repeat, and a table without an end. */
static void abbreviations_without_end_are_read_once(void **state)
{
	struct answers answers;
	struct craft craft;

	(void)state;
	begin(&craft);
	for (unsigned i = 0; i < 2000000; i++)
		craft_abbrev(&craft, 100 + i % 7, DW_TAG_subprogram, true, (unsigned[]){0});
	craft_uleb(&craft, CRAFT_INFO, 5000);
	open_die(&craft, FUNCTION);
	craft_unit_end(&craft);
	check_file(craft_file(&craft), patient_ns, &answers);
}

static void random_damage_costs_only_itself(void **state)
{
	uint64_t random = 88172645463325252;

	(void)state;
	for (int round = 0; round < 30; round++) {
		struct answers answers;
		struct craft craft;
		begin(&craft);
		open_die(&craft, FUNCTION);
		for (int i = 0; i < 50; i++) {
			open_die(&craft, INLINED);
			craft_u32(&craft, CRAFT_INFO, 11);
		}
		begin_lines(&craft, 200);
		craft_fill(&craft, CRAFT_LINE, DW_LNS_copy, 200);
		craft_unit_end(&craft);
		craft_u8(&craft, CRAFT_ABBREV, 0);
		for (int i = 0; i < 8; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			struct buf *section = &craft.sections[random % 3];
			section->ptr[(random >> 8) % section->len] = (char)(random >> 48);
		}
		check_file(craft_file(&craft), hasty_ns, &answers);
	}
}

/* What a mapped file lost after it was opened is a signal to who reads it. */
static void a_file_that_shrinks_costs_only_itself(void **state)
{
	static const struct dwarf_ops ops = {open_file, take_rows, take_bad};
	struct answers answers = {0};
	const struct dwarf_options options = {.ops = &ops,
					      .ctx = &answers,
					      .memory_bytes = DWARF_NO_LIMIT,
					      .request_ns = patient_ns};
	struct dwarf *dwarf = NULL;
	struct craft craft;

	(void)state;
	begin(&craft);
	open_die(&craft, FUNCTION);
	craft_fill(&craft, CRAFT_INFO, 0, 2);
	begin_lines(&craft, 1);
	craft_u8(&craft, CRAFT_LINE, DW_LNS_copy);
	craft_unit_end(&craft);
	craft_fill(&craft, CRAFT_INFO, 0, 1 << 20);
	craft_u8(&craft, CRAFT_ABBREV, 0);
	answers.fds[HOSTILE] = craft_file(&craft);
	answers.fds[HONEST] = open_path(SAMPLE("inlined-gcc"));
	assert_int_equal(dwarf_create(&options, &dwarf, NULL), 0);
	assert_int_equal(dwarf_ask(dwarf, HOSTILE, AT, NULL), 0);
	pump(dwarf);
	assert_int_equal(answers.rows[HOSTILE], 1);
	assert_int_equal(ftruncate(answers.fds[HOSTILE], 0), 0);
	assert_int_equal(dwarf_ask(dwarf, HOSTILE, AT + 1, NULL), 0);
	assert_int_equal(dwarf_ask(dwarf, HONEST, 0x1150, NULL), 0);
	pump(dwarf);
	assert_int_equal(answers.bad[HOSTILE], 1);
	assert_int_equal(answers.rows[HONEST], 1);
	close(answers.fds[HOSTILE]);
	close(answers.fds[HONEST]);
	dwarf_destroy(dwarf);
}

/* A file that takes long, but not too long, shall not take the CPU again and again. */
static void the_worker_waits_when_it_used_its_share_of_the_cpu(void **state)
{
	static const struct dwarf_ops ops = {open_file, take_rows, take_bad};
	struct answers answers = {0};
	const struct dwarf_options options = {.ops = &ops,
					      .ctx = &answers,
					      .memory_bytes = DWARF_NO_LIMIT,
					      .request_ns = patient_ns,
					      .burst_ns = NS_PER_MS};
	struct dwarf *dwarf = NULL;
	struct craft craft;

	(void)state;
	begin(&craft);
	craft_fill(&craft, CRAFT_INFO, SPACE, 1 << 16); /* tens of milliseconds */
	answers.fds[HOSTILE] = end(&craft);
	assert_int_equal(dwarf_create(&options, &dwarf, NULL), 0);
	assert_int_equal(dwarf_ask(dwarf, HOSTILE, AT, NULL), 0);
	while (answers.rows[HOSTILE] == 0)
		(void)dwarf_pump(dwarf, clock_mono_ns() + NS_PER_MS);
	uint64_t answered_ns = clock_mono_ns();
	uint64_t used_ns = stats_of(dwarf).worker_cpu_ns;
	assert_true(used_ns > 2 * NS_PER_MS);
	assert_int_equal(dwarf_ask(dwarf, HOSTILE, AT + 1, NULL), 0);
	while (answers.rows[HOSTILE] == 1)
		(void)dwarf_pump(dwarf, clock_mono_ns() + NS_PER_MS);
	/* Ten times as long as it worked, but for the burst and the time of the work itself. */
	assert_true(clock_mono_ns() - answered_ns >= 4 * (used_ns - 2 * NS_PER_MS));
	close(answers.fds[HOSTILE]);
	dwarf_destroy(dwarf);
}

/* Each failure costs a process; many in a row shall not be a way to keep a CPU busy. */
static void after_some_failures_there_is_a_pause(void **state)
{
	static const struct dwarf_ops ops = {open_file, take_rows, take_bad};
	struct answers answers = {0};
	const struct dwarf_options options = {.ops = &ops,
					      .ctx = &answers,
					      .memory_bytes = DWARF_NO_LIMIT,
					      .request_ns = 1};
	struct dwarf *dwarf = NULL;

	(void)state;
	answers.fds[HOSTILE] = open_path(SAMPLE("inlined-gcc"));
	assert_int_equal(dwarf_create(&options, &dwarf, NULL), 0);
	uint32_t tries = 0;
	for (; tries < 50; tries++) {
		if (tries > 0 && dwarf_pump(dwarf, 0) > 0)
			break;
		assert_int_equal(dwarf_ask(dwarf, HOSTILE, AT, NULL), 0);
		(void)dwarf_pump(dwarf, clock_mono_ns() + NS_PER_MS);
	}
	struct dwarf_stats stats = stats_of(dwarf);
	assert_int_equal(stats.timed_out, answers.bad[HOSTILE]);
	assert_true(tries < 50);
	assert_true(stats.spawned < 10);
	close(answers.fds[HOSTILE]);
	dwarf_destroy(dwarf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_harmless_crafted_file_is_read),
		cmocka_unit_test(origins_in_a_circle_end),
		cmocka_unit_test(blocks_a_million_deep_are_cut),
		cmocka_unit_test(calls_inlined_a_million_deep_are_cut),
		cmocka_unit_test(namespaces_in_each_other_take_too_long),
		cmocka_unit_test(ranges_without_end_take_too_long),
		cmocka_unit_test(a_line_table_larger_than_memory_costs_only_itself),
		cmocka_unit_test(a_section_that_says_to_be_huge_is_not_believed),
		cmocka_unit_test(a_bomb_of_zeros_costs_only_itself),
		cmocka_unit_test(units_without_end_cost_only_themselves),
		cmocka_unit_test(abbreviations_without_end_are_read_once),
		cmocka_unit_test(random_damage_costs_only_itself),
		cmocka_unit_test(a_file_that_shrinks_costs_only_itself),
		cmocka_unit_test(the_worker_waits_when_it_used_its_share_of_the_cpu),
		cmocka_unit_test(after_some_failures_there_is_a_pause),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
