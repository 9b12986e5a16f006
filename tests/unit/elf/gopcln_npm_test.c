/* Modern Go programs that npm packages carry: what they print of their own
 * stacks when they are told to quit must be what is read from their files.
 * Go prints of each frame that is not inlined its pc, and where it begins (sp)
 * and ends (fp, DWARF's CFA). The argument is the folder of the packages. */
#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "elf/gopcln.h"
#include "samples.h"

enum { WAIT_MS = 120000, INLINED_MAX = 64, LINE_MAX_BYTES = 65536 };

static const char *packages;

/* ---- the program's own words ------------------------------------------- */

static void quits_with_stacks(const char *path, const char *const *args, int in, int err)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv("GOTRACEBACK", "system", 1);
	dup2(in, STDIN_FILENO);
	dup2(err, STDERR_FILENO);
	dup2(err, STDOUT_FILENO);
	execv(path, (char *const *)args);
	_exit(127);
}

/* A thread is in read(0, ...): the program is up, and waits for us. */
static bool waits_for_input(pid_t pid)
{
	char path[300], line[64];
	bool waits = false;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *dir = opendir(path);
	if (!dir)
		return false;
	for (struct dirent *e = readdir(dir); e && !waits; e = readdir(dir)) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/syscall", pid, e->d_name);
		FILE *file = fopen(path, "re");
		waits = file && fgets(line, sizeof(line), file) && strncmp(line, "0 0x0 ", 6) == 0;
		if (file)
			fclose(file);
	}
	closedir(dir);
	return waits;
}

/* Starts it, lets it wait for input, makes it quit; the caller reads what it says. */
static FILE *stacks_of(const char *const *args, pid_t *ret_pid)
{
	struct timespec moment = {.tv_nsec = 1000000};
	int in[2], err[2];
	unsigned ms = 0;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(err), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(in[1]);
		quits_with_stacks(args[0], args, in[0], err[1]);
	}
	assert_true(pid > 0);
	close(in[0]);
	close(err[1]);
	while (!waits_for_input(pid) && ms++ < WAIT_MS)
		nanosleep(&moment, NULL);
	kill(pid, SIGQUIT);
	*ret_pid = pid;
	/* in[1] stays open until the process is gone: an end of input would be another story. */
	return fdopen(err[0], "r");
}

/* ---- comparing --------------------------------------------------------- */

struct check {
	const char *path;
	const struct go_lines *lines;
	struct {
		char name[2048], place[2048];
	} calls[INLINED_MAX]; /* as printed, innermost first; the last one has a pc */
	size_t count;
	bool top; /* nothing of this goroutine was seen yet: its pc may be a point of execution */
	unsigned frames, inlined;
	struct buf scratch;
};

/* "package/file.go:12 +0x1a fp=0x.. sp=0x.. pc=0x..": the value behind a key; 0. */
static uint64_t value_of(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? strtoull(at + strlen(key), NULL, 16) : 0;
}

static bool says(struct check *c, const struct go_line *row, size_t i)
{
	struct str shown = go_display_name(row->system_name, &c->scratch);
	char place[GO_LINES_TEXT_MAX + 16];

	snprintf(place, sizeof(place), "%.*s:%u", STR_ARG(row->file), row->line);
	return str_equal(shown, str_of(c->calls[i].name)) && !strcmp(place, c->calls[i].place);
}

/* Go leaves wrappers out. */
static bool rows_say(struct check *c, uint64_t vaddr)
{
	struct go_line rows[GO_LINES_ROWS_MAX];
	size_t count, at = 0;

	if (!go_lines_find(c->lines, vaddr, rows, GO_LINES_ROWS_MAX, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (at < c->count && says(c, &rows[i], at))
			at++;
		else if (!rows[i].wrapper)
			return false;
	}
	return at == c->count;
}

static int32_t size_at(const struct go_lines *lines, uint64_t vaddr)
{
	uint32_t low = 0, high = go_function_count(lines);
	struct go_stack stack;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;
		if (go_function_at(lines, mid).start <= vaddr)
			low = mid;
		else
			high = mid;
	}
	go_stack_start(lines, low, &stack);
	while (go_stack_next(&stack))
		if (vaddr < stack.end)
			return stack.size_bytes;
	return -1;
}

static void check_frame(struct check *c, const char *line)
{
	uint64_t pc = value_of(line, " pc=0x"), fp = value_of(line, " fp=0x");
	uint64_t sp = value_of(line, " sp=0x");
	const char *name = c->calls[c->count - 1].name;

	if (!rows_say(c, pc - 1) && !(c->top && rows_say(c, pc)))
		fail_msg("%s: %lx: not so: %s %s", c->path, pc, name, c->calls[c->count - 1].place);
	/* Of the outermost function Go does not care. */
	if (strcmp(name, "runtime.goexit") != 0 && fp > sp && !c->top)
		assert_int_equal(size_at(c->lines, pc - 1) + 8, fp - sp);
	c->frames++;
	c->inlined += (unsigned)c->count - 1;
	c->count = 0;
	c->top = false;
}

/* The line behind "name(arguments)". */
static void take_place(struct check *c, const char *line)
{
	char *place = c->calls[c->count].place;

	line++; /* a tab */
	snprintf(place, sizeof(c->calls[0].place), "%.*s", (int)strcspn(line, " \n"), line);
	c->count++;
	if (value_of(line, " pc=0x"))
		check_frame(c, line);
}

/* False: the line begins something else. */
static bool take_name(struct check *c, const char *line)
{
	const char *end = strrchr(line, '(');

	if (!end || c->count == INLINED_MAX || !strncmp(line, "created by ", 11))
		return false;
	snprintf(c->calls[c->count].name, sizeof(c->calls[0].name), "%.*s", (int)(end - line),
		 line);
	return true;
}

static void read_stacks(struct check *c, FILE *from)
{
	static char line[LINE_MAX_BYTES];
	bool in_stack = false, named = false;

	while (fgets(line, sizeof(line), from)) {
		if (!strncmp(line, "goroutine ", 10)) {
			in_stack = c->top = true;
			c->count = 0;
		} else if (line[0] == '\n') {
			in_stack = false;
		} else if (in_stack && line[0] == '\t' && named) {
			take_place(c, line);
		}
		named = in_stack && line[0] != '\t' && take_name(c, line);
	}
}

/* ---- tests ------------------------------------------------------------- */

static struct go_lines *open_lines(const char *path)
{
	struct go_lines *lines = NULL;
	struct err err = {0};
	int fd;
	struct elf_file *file = open_elf(path, &fd);

	if (go_lines_open(file, 0, &lines, &err))
		fail_msg("%s: %s", path, err.text);
	elf_close(file);
	close(fd);
	return lines;
}

static void check_stacks(const char *const *args, unsigned frames_min)
{
	struct check c = {.path = args[0], .lines = open_lines(args[0])};
	pid_t pid;

	buf_init(&c.scratch, 0);
	FILE *from = stacks_of(args, &pid);
	read_stacks(&c, from);
	fclose(from);
	waitpid(pid, NULL, 0);
	printf("%s: %u frames and %u inlined ones as it prints them\n", args[0], c.frames,
	       c.inlined);
	assert_true(c.frames >= frames_min && c.inlined > 5);
	buf_deinit(&c.scratch);
	go_lines_free((struct go_lines *)c.lines);
}

/* Each function has a name, and at its first byte a file and a line. */
static void check_functions(const char *path)
{
	struct go_lines *lines = open_lines(path);
	struct go_line rows[GO_LINES_ROWS_MAX];
	size_t count;

	for (uint32_t i = 0; i < go_function_count(lines); i++) {
		struct go_function f = go_function_at(lines, i);
		assert_true(f.name.len > 0 && f.start < f.end);
		if (!(f.flags & GO_FUNCTION_FRAME_TABLE))
			continue; /* the linker's own marks, such as go:textfipsstart */
		assert_true(go_lines_find(lines, f.start, rows, GO_LINES_ROWS_MAX, &count));
		for (size_t k = 0; k < count; k++)
			assert_true(rows[k].file.len > 0 && rows[k].line > 0);
	}
	printf("%s: %u functions, %zu bytes\n", path, go_function_count(lines),
	       go_lines_bytes(lines));
	assert_true(go_function_count(lines) > 5000);
	go_lines_free(lines);
}

static const char *path_of(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", packages, name);
	if (access(path, X_OK)) {
		printf("SKIP: no %s\n", path);
		skip();
	}
	return path;
}

#define ESBUILD "@esbuild/linux-x64/bin/esbuild"
#define TSGO	"@typescript/native-preview-linux-x64/lib/tsgo"

static void all_functions_of_esbuild_have_lines(void **state)
{
	(void)state;
	check_functions(path_of(ESBUILD));
}

static void esbuild_prints_the_stacks_that_we_read(void **state)
{
	const char *const args[] = {path_of(ESBUILD), "--loader=ts", NULL};

	(void)state;
	check_stacks(args, 20);
}

static void all_functions_of_tsgo_have_lines(void **state)
{
	(void)state;
	check_functions(path_of(TSGO));
}

static void tsgo_prints_the_stacks_that_we_read(void **state)
{
	const char *const args[] = {path_of(TSGO), "--lsp", "--stdio", NULL};

	(void)state;
	check_stacks(args, 20);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_functions_of_esbuild_have_lines),
		cmocka_unit_test(esbuild_prints_the_stacks_that_we_read),
		cmocka_unit_test(all_functions_of_tsgo_have_lines),
		cmocka_unit_test(tsgo_prints_the_stacks_that_we_read),
	};

	if (argc != 2)
		return 77;
	packages = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
