/* Real Go programs say of thousands of their own addresses what the runtime knows of them
 * (samples/gotruth), and the same is to be read from their files. */
#include <elf.h>

#include "elf/gopcln.h"
#include "samples.h"

#define GO_SAMPLE(name) SAMPLES "/gotruth-" name

enum { STEP_BYTES = 61 }; /* between addresses: a prime, so that all places in functions are met */

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

/* ---- comparing --------------------------------------------------------- */

struct compare {
	const char *path;
	const struct go_lines *lines;
	uint64_t vaddr;
	struct go_line rows[GO_LINES_ROWS_MAX];
	size_t count, next;
	size_t addresses, equal, inlined;
	struct buf scratch;
};

static void skip_wrappers(struct compare *c)
{
	while (c->next < c->count && c->rows[c->next].wrapper)
		c->next++;
}

/* All that the runtime said of an address was compared. A wrapper that is shown by it, since nothing
 * else is there, is the only one that may be left. */
static void end_address(struct compare *c)
{
	skip_wrappers(c);
	if (c->next > 0 && c->next < c->count)
		fail_msg("%s: %lx: %zu rows, the runtime has %zu", c->path, c->vaddr, c->count,
			 c->next);
}

static void start_address(struct compare *c, const char *line)
{
	end_address(c);
	c->vaddr = strtoull(line, NULL, 16);
	c->next = c->count = 0;
	if (!go_lines_find(c->lines, c->vaddr, c->rows, GO_LINES_ROWS_MAX, &c->count))
		c->count = 0;
	c->addresses++;
	c->inlined += c->count > 1;
}

/* The runtime has no name for the function whose name is the first one, and "?" for no file. */
static bool is_equal(struct compare *c, const struct go_line *row, const char *name,
		     const char *file, uint32_t line)
{
	struct str shown = go_display_name(row->system_name, &c->scratch);

	if (name[0] && !str_equal(shown, str_of(name)))
		return false;
	return row->line == line && str_equal(row->file, str_of(file[0] == '?' ? "" : file));
}

static void compare_row(struct compare *c, char *text)
{
	char *name = strsep(&text, "\t"), *file = strsep(&text, "\t");

	if (!name || !file || !text)
		fail_msg("%s: not understood: %s", c->path, name);
	long line = strtol(text, NULL, 10);
	if (c->next + 1 < c->count)
		skip_wrappers(c);
	if (c->next == c->count)
		fail_msg("%s: %lx: no row for %s", c->path, c->vaddr, name);
	const struct go_line *row = &c->rows[c->next++];
	if (!is_equal(c, row, name, file, line > 0 ? (uint32_t)line : 0))
		fail_msg("%s: %lx: %s %s:%ld, read as %.*s %.*s:%u", c->path, c->vaddr, name, file,
			 line, STR_ARG(row->system_name), STR_ARG(row->file), row->line);
	c->equal++;
}

static void compare_line(struct compare *c, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (line[0] == 'A')
		start_address(c, line + 2);
	else if (line[0] == 'F')
		compare_row(c, line + 2);
}

static void compare_program(const char *path)
{
	static char line[16384];
	struct compare c = {.path = path, .lines = open_lines(path)};

	buf_init(&c.scratch, 0);
	snprintf(line, sizeof(line), "%s %d", path, STEP_BYTES);
	FILE *truth = popen(line, "r");
	assert_non_null(truth);
	while (fgets(line, sizeof(line), truth))
		compare_line(&c, line);
	assert_int_equal(pclose(truth), 0);
	end_address(&c);
	printf("%s: %zu addresses, %zu inlined, %zu rows equal, %zu bytes\n", path, c.addresses,
	       c.inlined, c.equal, go_lines_bytes(c.lines));
	assert_true(c.addresses > 10000 && c.equal > 12000 && c.inlined > 1500);
	buf_deinit(&c.scratch);
	go_lines_free((struct go_lines *)c.lines);
}

static void a_plain_program_is_read_as_its_runtime_reads_it(void **state)
{
	(void)state;
	compare_program(GO_SAMPLE("plain"));
}

static void a_stripped_one_too(void **state)
{
	(void)state;
	compare_program(GO_SAMPLE("stripped"));
}

static void a_position_independent_one_too(void **state)
{
	(void)state;
	compare_program(GO_SAMPLE("pie"));
}

static void one_with_c_in_it_too(void **state)
{
	(void)state;
	compare_program(GO_SAMPLE("cgo"));
}

static void one_that_the_c_linker_made_position_independent_too(void **state)
{
	(void)state;
	compare_program(GO_SAMPLE("cgo-pie"));
}

/* ---- without sections -------------------------------------------------- */

static struct go_lines *open_bytes(const struct buf *bytes)
{
	struct elf_file *file = NULL;
	struct go_lines *lines = NULL;
	struct err err = {0};

	if (elf_open_memory(bytes->ptr, bytes->len, &file, &err) ||
	    go_lines_open(file, 0, &lines, &err))
		fail_msg("%s", err.text);
	elf_close(file);
	return lines;
}

static void expect_same(const struct go_lines *a, const struct go_lines *b)
{
	struct go_line x[GO_LINES_ROWS_MAX], y[GO_LINES_ROWS_MAX];
	size_t n, m;

	assert_int_equal(go_function_count(a), go_function_count(b));
	for (uint32_t i = 0; i < go_function_count(a); i++) {
		uint64_t vaddr = go_function_at(a, i).start;
		assert_true(go_lines_find(a, vaddr + 1, x, GO_LINES_ROWS_MAX, &n));
		assert_true(go_lines_find(b, vaddr + 1, y, GO_LINES_ROWS_MAX, &m));
		assert_int_equal(n, m);
		for (size_t k = 0; k < n; k++) {
			assert_true(str_equal(x[k].system_name, y[k].system_name));
			assert_true(str_equal(x[k].file, y[k].file));
			assert_int_equal(x[k].line, y[k].line);
		}
	}
}

/* Header fields of the section table set to 0, or the table's name changed. */
static void the_table_is_found_without_its_name(void **state)
{
	static const char *const paths[] = {GO_SAMPLE("plain"), GO_SAMPLE("stripped"),
					    GO_SAMPLE("pie")};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct buf bytes;
		struct err err = {0};
		buf_init(&bytes, 0);
		if (fd_read_file(paths[i], 64 << 20, &bytes, &err))
			fail_msg("%s", err.text);
		struct go_lines *whole = open_bytes(&bytes);
		char *name = memmem(bytes.ptr, bytes.len, "gopclntab\0", 10);
		assert_non_null(name);
		for (; name;
		     name = memmem(name, bytes.len - (size_t)(name - bytes.ptr), "gopclntab\0", 10))
			name[0] = 'x';
		struct go_lines *renamed = open_bytes(&bytes);
		expect_same(whole, renamed);
		Elf64_Ehdr header;
		memcpy(&header, bytes.ptr, sizeof(header));
		header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
		memcpy(bytes.ptr, &header, sizeof(header));
		struct go_lines *bare = open_bytes(&bytes);
		expect_same(whole, bare);
		assert_true(go_lines_bytes(bare) <= go_lines_bytes(whole) + 16384);
		go_lines_free(whole);
		go_lines_free(renamed);
		go_lines_free(bare);
		buf_deinit(&bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_program_is_read_as_its_runtime_reads_it),
		cmocka_unit_test(a_stripped_one_too),
		cmocka_unit_test(a_position_independent_one_too),
		cmocka_unit_test(one_with_c_in_it_too),
		cmocka_unit_test(one_that_the_c_linker_made_position_independent_too),
		cmocka_unit_test(the_table_is_found_without_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
