#include "samples.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "elf/dwarf.h"
#include "elf/dwarf_path.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEMORY = DWARF_NO_LIMIT };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { MEMORY = DWARF_NO_LIMIT };
#else
enum { MEMORY = 0 };
#endif
#else
enum { MEMORY = 0 };
#endif

enum { TEXT_MAX = 4096, FILES = 40 };

/* What came of the questions: the rows of the last address as text, and counts. */
struct answers {
	int fds[FILES];
	uint32_t opens, rows, empty, bad;
	char last[TEXT_MAX], why[TEXT_MAX];
};

static bool open_file(void *ctx, uint64_t file, struct dwarf_fds *ret)
{
	struct answers *answers = ctx;

	answers->opens++;
	ret->debug = answers->fds[file];
	return ret->debug >= 0;
}

static void take_rows(void *ctx, uint64_t file, uint64_t vaddr, const struct dwarf_row *rows,
		      uint32_t count)
{
	struct answers *answers = ctx;
	size_t at = 0;

	(void)file;
	(void)vaddr;
	answers->rows++;
	answers->empty += count == 0;
	answers->last[0] = '\0';
	for (uint32_t i = 0; i < count && at < TEXT_MAX / 2; i++)
		at += (size_t)snprintf(answers->last + at, TEXT_MAX - at, "%.*s %.*s:%u+%u; ",
				       STR_ARG(rows[i].name), STR_ARG(str_basename(rows[i].file)),
				       rows[i].line, rows[i].start_line);
}

static void take_bad(void *ctx, uint64_t file, const char *why)
{
	struct answers *answers = ctx;

	(void)file;
	answers->bad++;
	snprintf(answers->why, sizeof(answers->why), "%s", why);
}

static const struct dwarf_ops ops = {open_file, take_rows, take_bad};

static struct dwarf *create(struct answers *answers, uint64_t idle_ns)
{
	const struct dwarf_options options = {.ops = &ops,
					      .ctx = answers,
					      .memory_bytes = MEMORY,
					      .request_ns = 60ULL * NS_PER_S,
					      .idle_ns = idle_ns};
	struct dwarf *dwarf = NULL;

	for (size_t i = 0; i < FILES; i++)
		answers->fds[i] = -1;
	assert_int_equal(dwarf_create(&options, &dwarf, NULL), 0);
	return dwarf;
}

static void ask(struct dwarf *dwarf, uint64_t file, uint64_t vaddr)
{
	assert_int_equal(dwarf_ask(dwarf, file, vaddr, NULL), 0);
}

/* Until all is answered; a test that hangs is ended by its harness. */
static void pump(struct dwarf *dwarf)
{
	while (dwarf_pump(dwarf, clock_mono_ns() + NS_PER_S) > 0)
		;
}

static struct dwarf_stats stats_of(const struct dwarf *dwarf)
{
	struct dwarf_stats stats;

	dwarf_get_stats(dwarf, &stats);
	return stats;
}

/* The address of a mark of samples/inlined.c. */
static uint64_t mark(const char *sample, const char *name)
{
	char command[512], line[64];

	snprintf(command, sizeof(command), "nm '%s' | grep ' mark_%s$'", sample, name);
	command_line(command, line, sizeof(line));
	assert_true(strlen(line) > 16);
	return strtoull(line, NULL, 16);
}

static void check_marks(const char *sample)
{
	static const struct {
		const char *mark, *rows;
	} cases[] = {
		{"innermost",
		 "innermost inlined.c:9+6; middle inlined.c:16+13; outer inlined.c:21+19; "},
		{"outer", "outer inlined.c:22+19; "},
		{"plain", "plain inlined.c:29+26; "},
	};
	struct answers answers = {0};
	struct dwarf *dwarf = create(&answers, 0);

	answers.fds[0] = open_path(sample);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ask(dwarf, 0, mark(sample, cases[i].mark));
		pump(dwarf);
		assert_string_equal(answers.last, cases[i].rows);
	}
	assert_int_equal(stats_of(dwarf).spawned, 1);
	assert_int_equal(answers.opens, 1);
	close(answers.fds[0]);
	dwarf_destroy(dwarf);
}

static void inlined_calls_come_innermost_first(void **state)
{
	(void)state;
	check_marks(SAMPLE("inlined-gcc"));
	check_marks(SAMPLE("inlined-clang"));
	check_marks(SAMPLE("inlined-dwarf4"));
	check_marks(SAMPLE("inlined-zlib"));
}

/* A function that only its own file can call has no linkage name, from which the rest could be read. */
static void local_functions_of_cxx_have_their_namespaces(void **state)
{
	struct answers answers = {0};
	struct dwarf *dwarf = create(&answers, 0);
	char line[64];

	(void)state;
	command_line("nm '" SAMPLE("inlined-cxx") "' | grep 'GLOBAL__N_16hiddenEi'", line,
		     sizeof(line));
	answers.fds[0] = open_path(SAMPLE("inlined-cxx"));
	ask(dwarf, 0, strtoull(line, NULL, 16));
	pump(dwarf);
	const char *expected = "cresset_sample::(anonymous namespace)::hidden classes.cc:";
	answers.last[strlen(expected)] = '\0';
	assert_string_equal(answers.last, expected);
	close(answers.fds[0]);
	dwarf_destroy(dwarf);
}

/* The units in the .dwo files are not looked for; the lines are in the program. */
static void split_dwarf_has_lines(void **state)
{
	struct answers answers = {0};
	struct dwarf *dwarf = create(&answers, 0);

	(void)state;
	answers.fds[0] = open_path(SAMPLE("inlined-split"));
	ask(dwarf, 0, mark(SAMPLE("inlined-split"), "innermost"));
	pump(dwarf);
	assert_string_equal(answers.last, " inlined.c:9+0; ");
	close(answers.fds[0]);
	dwarf_destroy(dwarf);
}

static void a_file_without_dwarf_is_told_once(void **state)
{
	struct answers answers = {0};
	struct dwarf *dwarf = create(&answers, 0);

	(void)state;
	answers.fds[0] = open_path(SAMPLE("stripped"));
	ask(dwarf, 0, 0x1000);
	ask(dwarf, 0, 0x1010);
	pump(dwarf);
	assert_int_equal(answers.bad, 1);
	assert_int_equal(answers.rows, 0);
	assert_int_equal(stats_of(dwarf).crashed, 0);
	close(answers.fds[0]);
	dwarf_destroy(dwarf);
}

static void a_file_that_cannot_be_opened_is_told_once(void **state)
{
	struct answers answers = {0};
	struct dwarf *dwarf = create(&answers, 0);

	(void)state;
	ask(dwarf, 3, 0x1000);
	ask(dwarf, 3, 0x1010);
	pump(dwarf);
	assert_int_equal(answers.bad, 1);
	assert_int_equal(answers.opens, 1);
	dwarf_destroy(dwarf);
}

/* ---- the process ---- */

static uint64_t status_number(pid_t pid, const char *name, int base)
{
	char command[128], line[128];

	snprintf(command, sizeof(command), "grep '^%s:' /proc/%d/status | cut -f2", name, pid);
	command_line(command, line, sizeof(line));
	assert_true(line[0] != '\0');
	return strtoull(line, NULL, base);
}

static uint64_t open_files(pid_t pid)
{
	char command[128], line[128];

	snprintf(command, sizeof(command), "ls /proc/%d/fd | wc -l", pid);
	command_line(command, line, sizeof(line));
	return strtoull(line, NULL, 10);
}

static uint64_t shared_maps(pid_t pid)
{
	char command[128], line[128];

	snprintf(command, sizeof(command), "grep -c '^[^ ]* ...s' /proc/%d/maps", pid);
	command_line(command, line, sizeof(line));
	return strtoull(line, NULL, 10);
}

static void the_worker_has_no_rights(void **state)
{
	struct answers answers = {0};
	struct dwarf *dwarf = create(&answers, 0);
	int secret = open_path("/proc/self/status");
	void *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	answers.fds[0] = open_path(SAMPLE("inlined-gcc"));
	ask(dwarf, 0, mark(SAMPLE("inlined-gcc"), "plain"));
	pump(dwarf);
	pid_t pid = stats_of(dwarf).worker;
	assert_true(pid > 0);
	assert_int_equal(status_number(pid, "CapEff", 16), 0);
	assert_int_equal(status_number(pid, "CapPrm", 16), 0);
	assert_int_equal(status_number(pid, "NoNewPrivs", 10), 1);
	assert_int_equal(status_number(pid, "Seccomp", 10), 2);
	/* /dev/null three times, the socket, the file. */
	assert_int_equal(open_files(pid), 5);
	assert_int_equal(shared_maps(pid), 0);
	munmap(shared, 4096);
	close(secret);
	close(answers.fds[0]);
	dwarf_destroy(dwarf);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void an_idle_worker_ends_and_another_takes_its_place(void **state)
{
	struct answers answers = {0};
	struct dwarf *dwarf = create(&answers, NS_PER_MS);

	(void)state;
	answers.fds[0] = open_path(SAMPLE("inlined-gcc"));
	uint64_t vaddr = mark(SAMPLE("inlined-gcc"), "plain");
	ask(dwarf, 0, vaddr);
	pump(dwarf);
	while (stats_of(dwarf).worker)
		(void)dwarf_pump(dwarf, 0);
	ask(dwarf, 0, vaddr);
	pump(dwarf);
	assert_int_equal(answers.rows, 2);
	assert_true(stats_of(dwarf).spawned >= 2);
	assert_int_equal(stats_of(dwarf).crashed, 0);
	assert_int_equal(answers.bad, 0);
	close(answers.fds[0]);
	dwarf_destroy(dwarf);
}

static void a_worker_that_was_killed_between_requests_costs_no_file(void **state)
{
	struct answers answers = {0};
	struct dwarf *dwarf = create(&answers, 0);

	(void)state;
	answers.fds[0] = open_path(SAMPLE("inlined-gcc"));
	uint64_t vaddr = mark(SAMPLE("inlined-gcc"), "plain");
	for (int i = 0; i < 3; i++) {
		ask(dwarf, 0, vaddr);
		pump(dwarf);
		kill(stats_of(dwarf).worker, SIGKILL);
	}
	assert_int_equal(answers.rows, 3);
	assert_int_equal(answers.bad, 0);
	close(answers.fds[0]);
	dwarf_destroy(dwarf);
}

static void more_files_than_a_worker_keeps_are_opened_again(void **state)
{
	struct answers answers = {0};
	struct dwarf *dwarf = create(&answers, 0);
	uint64_t vaddr = mark(SAMPLE("inlined-gcc"), "plain");

	(void)state;
	for (uint64_t i = 0; i < 3 * FILES; i++) {
		uint64_t file = i % FILES;
		if (answers.fds[file] < 0)
			answers.fds[file] = open_path(SAMPLE("inlined-gcc"));
		ask(dwarf, file, vaddr);
		pump(dwarf);
	}
	assert_int_equal(answers.rows, 3 * FILES);
	assert_int_equal(answers.opens, 3 * FILES);
	assert_int_equal(stats_of(dwarf).spawned, 1);
	/* The descriptors that it had before were closed. */
	assert_true(open_files(stats_of(dwarf).worker) <= 36);
	for (uint64_t file = 0; file < FILES; file++)
		close(answers.fds[file]);
	dwarf_destroy(dwarf);
}

static void a_full_queue_refuses(void **state)
{
	struct answers answers = {0};
	struct dwarf *dwarf = create(&answers, 0);

	(void)state;
	for (uint64_t i = 0; i < DWARF_QUEUE_MAX; i++)
		ask(dwarf, 0, i);
	assert_int_equal(dwarf_ask(dwarf, 0, 1, NULL), ERR_LIMIT);
	dwarf_destroy(dwarf);
}

/* ---- against another reader ---- */

/* Each question and what came of it, as llvm-symbolizer prints it. */
struct comparison {
	FILE *reader;
	struct arena arena;
	int fd;
	uint32_t same, other, both_empty, deep;
};

static bool open_compared(void *ctx, uint64_t file, struct dwarf_fds *ret)
{
	struct comparison *comparison = ctx;

	(void)file;
	ret->debug = comparison->fd;
	return true;
}

static struct str next_line(struct comparison *comparison)
{
	char line[DWARF_TEXT_MAX];

	assert_non_null(fgets(line, sizeof(line), comparison->reader));
	line[strcspn(line, "\n")] = '\0';
	return arena_str(&comparison->arena, str_of(line));
}

/* The other reader names the outermost function by the symbol table: foo.constprop.0 for foo, _ZN1nL3fooEv
 * for a local foo of C++ (which has no linkage name in DWARF), and in our samples by the marks. */
static bool same_name(struct str ours, struct str theirs, bool outermost)
{
	if (ours.len == 0)
		return str_equal(theirs, STR("??"));
	if (str_equal(ours, theirs))
		return true;
	return outermost && (str_find(theirs, ours) >= 0 || str_starts_with(theirs, STR("mark_")) ||
			     str_equal(ours, STR("operator()")));
}

static bool same_row(struct comparison *comparison, const struct dwarf_row *row, struct str name,
		     struct str place, bool outermost)
{
	char ours[2 * DWARF_TEXT_MAX], path[DWARF_TEXT_MAX];
	ptrdiff_t column = str_rfind_char(place, ':');
	ptrdiff_t line = str_rfind_char(str_sub(place, 0, (size_t)column), ':');

	str_copy(path, sizeof(path), str_sub(place, 0, (size_t)line));
	struct str clean = dwarf_path_clean(&comparison->arena, NULL, path);
	snprintf(ours, sizeof(ours), ":%u:%u", row->line, row->column);
	return same_name(row->system_name, name, outermost) &&
	       (str_equal(clean, row->file) ||
		(row->file.len == 0 && str_equal(clean, STR("??")))) &&
	       str_equal(str_sub(place, (size_t)line, place.len), str_of(ours));
}

static void compare_rows(void *ctx, uint64_t file, uint64_t vaddr, const struct dwarf_row *rows,
			 uint32_t count)
{
	struct comparison *comparison = ctx;
	uint32_t their_count = 0;
	bool same = true, lines = false;

	(void)file;
	arena_reset(&comparison->arena);
	for (;; their_count++) {
		struct str name = next_line(comparison);
		if (name.len == 0)
			break;
		struct str place = next_line(comparison);
		lines |= !str_ends_with(place, STR(":0:0"));
		same &= their_count < count && same_row(comparison, &rows[their_count], name, place,
							their_count + 1 == count);
	}
	if (count == 0 && !lines) {
		comparison->both_empty++;
		return;
	}
	same &= their_count == count;
	comparison->same += same;
	comparison->other += !same;
	comparison->deep += count > 1;
	if (!same)
		print_message("0x%lx: %u rows, %u of the other\n", (unsigned long)vaddr, count,
			      their_count);
}

static void compare_bad(void *ctx, uint64_t file, const char *why)
{
	(void)ctx;
	(void)file;
	fail_msg("%s", why);
}

/* Addresses all over the functions of a file, in order. */
static uint32_t write_addresses(const char *path, const char *list, uint32_t wanted,
				struct dwarf *dwarf)
{
	struct elf_symbols *symbols = load_symbols(path);
	FILE *out = fopen(list, "w");
	uint64_t bytes = 0, next = 0, written = 0;

	assert_non_null(out);
	for (uint32_t i = 0; i < elf_symbols_count(symbols); i++)
		bytes += elf_symbols_at(symbols, i).size;
	uint64_t step = bytes / wanted + 1;
	for (uint32_t i = 0; i < elf_symbols_count(symbols); i++) {
		struct elf_symbol symbol = elf_symbols_at(symbols, i);
		for (; next < symbol.size; next += step, written++) {
			fprintf(out, "0x%lx\n", (unsigned long)(symbol.start + next));
			ask(dwarf, 0, symbol.start + next);
		}
		next -= symbol.size;
	}
	fclose(out);
	elf_symbols_free(symbols);
	return (uint32_t)written;
}

static void compare_file(const char *path, uint32_t wanted, uint32_t least)
{
	static const struct dwarf_ops compare_ops = {open_compared, compare_rows, compare_bad};
	struct comparison comparison = {.fd = open_path(path)};
	const struct dwarf_options options = {.ops = &compare_ops,
					      .ctx = &comparison,
					      .memory_bytes = MEMORY,
					      .request_ns = 60ULL * NS_PER_S};
	struct dwarf *dwarf = NULL;
	char list[] = "/tmp/cresset-dwarf-XXXXXX", command[1024];

	assert_int_equal(dwarf_create(&options, &dwarf, NULL), 0);
	close(mkstemp(list));
	uint32_t asked = write_addresses(path, list, wanted, dwarf);
	snprintf(command, sizeof(command),
		 "llvm-symbolizer-14 --no-demangle --inlines --obj='%s' <%s", path, list);
	comparison.reader = popen(command, "r");
	assert_non_null(comparison.reader);
	pump(dwarf);
	pclose(comparison.reader);
	unlink(list);
	print_message("%s: %u addresses, %u the same, %u other, %u with inlined calls\n", path,
		      asked, comparison.same, comparison.other, comparison.deep);
	assert_int_equal(comparison.same + comparison.other + comparison.both_empty, asked);
	assert_int_equal(comparison.other, 0);
	assert_true(comparison.same >= least);
	arena_deinit(&comparison.arena);
	close(comparison.fd);
	dwarf_destroy(dwarf);
}

static void thousands_of_addresses_are_what_llvm_symbolizer_says(void **state)
{
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)state;
	assert_true(len > 0);
	self[len] = '\0';
	/* What sanitizers add has no lines, and the two readers say that differently. */
	if (MEMORY == 0)
		compare_file(self, 8000, 1000);
	compare_file(SAMPLE("inlined-gcc"), 100, 15);
	compare_file(SAMPLE("inlined-clang"), 100, 15);
	compare_file(SAMPLE("inlined-dwarf4"), 100, 15);
	compare_file(SAMPLE("inlined-cxx"), 500, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inlined_calls_come_innermost_first),
		cmocka_unit_test(local_functions_of_cxx_have_their_namespaces),
		cmocka_unit_test(split_dwarf_has_lines),
		cmocka_unit_test(a_file_without_dwarf_is_told_once),
		cmocka_unit_test(a_file_that_cannot_be_opened_is_told_once),
		cmocka_unit_test(the_worker_has_no_rights),
		cmocka_unit_test(an_idle_worker_ends_and_another_takes_its_place),
		cmocka_unit_test(a_worker_that_was_killed_between_requests_costs_no_file),
		cmocka_unit_test(more_files_than_a_worker_keeps_are_opened_again),
		cmocka_unit_test(a_full_queue_refuses),
		cmocka_unit_test(thousands_of_addresses_are_what_llvm_symbolizer_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
