#include "elf/gopcln.h"

#include "go_image.h"
#include "samples.h"

static struct go_image image;

static struct go_lines *open_image(void)
{
	struct elf_file *file = NULL;
	struct go_lines *lines = NULL;
	struct err err = {0};

	if (elf_open_memory(image.bytes, image.len, &file, &err) ||
	    go_lines_open(file, 0, &lines, &err))
		fail_msg("%s", err.text);
	elf_close(file);
	return lines;
}

static int try_open(size_t limit_bytes, struct err *err)
{
	struct elf_file *file = NULL;
	struct go_lines *lines = NULL;

	int rc = elf_open_memory(image.bytes, image.len, &file, err);
	if (!rc)
		rc = go_lines_open(file, limit_bytes, &lines, err);
	go_lines_free(lines);
	elf_close(file);
	return rc;
}

static void expect_row(const struct go_line *row, const char *name, const char *file, uint32_t line,
		       uint32_t start_line)
{
	assert_int_equal(row->system_name.len, strlen(name));
	assert_memory_equal(row->system_name.ptr, name, strlen(name));
	assert_int_equal(row->file.len, strlen(file));
	assert_memory_equal(row->file.ptr, file, strlen(file));
	assert_int_equal(row->line, line);
	assert_int_equal(row->start_line, start_line);
}

/* What the image says, whichever layout says it. */
static void expect_all(const struct go_lines *lines, bool start_lines)
{
	struct go_line rows[GO_LINES_ROWS_MAX];
	size_t count;

	assert_true(go_lines_find(lines, GO_IMAGE_TEXT + 0x1f, rows, GO_LINES_ROWS_MAX, &count));
	assert_int_equal(count, 3);
	expect_row(&rows[0], "main.Map[go.shape.int]", "/src/map.go", 1000000,
		   start_lines ? 999 : 0);
	expect_row(&rows[1], "main.inner", "/src/inner.go", 20, start_lines ? 19 : 0);
	expect_row(&rows[2], "main.outer", "/src/outer.go", 11, start_lines ? 9 : 0);
	assert_false(rows[0].wrapper || rows[1].wrapper || rows[2].wrapper);

	assert_true(go_lines_find(lines, GO_IMAGE_TEXT + 0x20, rows, GO_LINES_ROWS_MAX, &count));
	assert_int_equal(count, 2);
	expect_row(&rows[0], "main.inner", "/src/inner.go", 21, start_lines ? 19 : 0);
	expect_row(&rows[1], "main.outer", "/src/outer.go", 11, start_lines ? 9 : 0);

	assert_true(go_lines_find(lines, GO_IMAGE_TEXT, rows, GO_LINES_ROWS_MAX, &count));
	assert_int_equal(count, 1);
	expect_row(&rows[0], "main.outer", "/src/outer.go", 10, start_lines ? 9 : 0);

	assert_true(go_lines_find(lines, GO_IMAGE_TEXT + 0x4f, rows, GO_LINES_ROWS_MAX, &count));
	assert_int_equal(count, 1);
	expect_row(&rows[0], "main.leaf", "/src/leaf.go", 30, start_lines ? 29 : 0);

	assert_true(go_lines_find(lines, GO_IMAGE_TEXT + 0x70, rows, GO_LINES_ROWS_MAX, &count));
	assert_true(rows[0].wrapper);
	assert_false(go_lines_find(lines, GO_IMAGE_TEXT - 1, rows, GO_LINES_ROWS_MAX, &count));
	assert_false(go_lines_find(lines, GO_IMAGE_TEXT + GO_IMAGE_TEXT_BYTES, rows,
				   GO_LINES_ROWS_MAX, &count));
	assert_false(go_lines_find(lines, UINT64_MAX, rows, GO_LINES_ROWS_MAX, &count));
}

static const unsigned generations[] = {116, 118, 120};

static void every_layout_says_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct go_image_options o = {.generation = generations[i]};
		go_image_make(&o, &image);
		struct go_lines *lines = open_image();
		assert_int_equal(go_lines_generation(lines), generations[i]);
		assert_int_equal(go_function_count(lines), GO_IMAGE_FUNCTIONS);
		expect_all(lines, generations[i] >= 120);
		go_lines_free(lines);
	}
}

static void without_sections_the_header_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct go_image_options o = {.generation = generations[i], .no_sections = true};
		go_image_make(&o, &image);
		struct go_lines *lines = open_image();
		expect_all(lines, generations[i] >= 120);
		go_lines_free(lines);
	}
}

static void pointers_may_be_in_relocations_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct go_image_options o = {.generation = generations[i], .relocated = true};
		go_image_make(&o, &image);
		struct go_lines *lines = open_image();
		expect_all(lines, generations[i] >= 120);
		go_lines_free(lines);
	}
}

static void the_text_may_be_in_the_module_data_only(void **state)
{
	struct go_image_options o = {.generation = 120, .no_text_in_header = true};

	(void)state;
	go_image_make(&o, &image);
	struct go_lines *lines = open_image();
	expect_all(lines, true);
	go_lines_free(lines);
}

static void without_module_data_only_inlined_functions_are_missing(void **state)
{
	struct go_image_options o = {.generation = 120,
				     .no_module = true,
				     .no_text_in_header = true};
	struct go_line rows[4];
	size_t count;

	(void)state;
	go_image_make(&o, &image);
	struct go_lines *lines = open_image();
	assert_true(go_lines_find(lines, GO_IMAGE_TEXT + 0x1f, rows, 4, &count));
	assert_int_equal(count, 1);
	expect_row(&rows[0], "main.outer", "/src/map.go", 1000000, 9);
	go_lines_free(lines);
}

static void too_few_rows_keep_the_function_that_has_the_code(void **state)
{
	struct go_image_options o = {.generation = 120};
	struct go_line rows[3];
	size_t count;

	(void)state;
	go_image_make(&o, &image);
	struct go_lines *lines = open_image();
	assert_true(go_lines_find(lines, GO_IMAGE_TEXT + 0x1f, rows, 2, &count));
	assert_int_equal(count, 2);
	expect_row(&rows[0], "main.Map[go.shape.int]", "/src/map.go", 1000000, 999);
	assert_memory_equal(rows[1].system_name.ptr, "main.outer", 10);
	assert_true(go_lines_find(lines, GO_IMAGE_TEXT + 0x1f, rows, 1, &count));
	assert_int_equal(count, 1);
	assert_memory_equal(rows[0].system_name.ptr, "main.outer", 10);
	go_lines_free(lines);
}

static void a_tree_in_a_circle_ends_by_the_rows(void **state)
{
	struct go_image_options o = {.generation = 120, .tree_in_circle = true};
	struct go_line rows[GO_LINES_ROWS_MAX];
	size_t count;

	(void)state;
	go_image_make(&o, &image);
	struct go_lines *lines = open_image();
	assert_true(go_lines_find(lines, GO_IMAGE_TEXT + 0x1f, rows, GO_LINES_ROWS_MAX, &count));
	assert_int_equal(count, GO_LINES_ROWS_MAX);
	assert_memory_equal(rows[count - 1].system_name.ptr, "main.outer", 10);
	go_lines_free(lines);
}

static void frames_have_a_size_at_each_address(void **state)
{
	static const int32_t sizes[][3] = {{0, 1, 0},
					   {1, 8, 8},
					   {8, 0x38, 24},
					   {0x38, 0x3c, 8},
					   {0x3c, 0x40, 0}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct go_image_options o = {.generation = generations[i]};
		struct go_stack stack;
		go_image_make(&o, &image);
		struct go_lines *lines = open_image();
		go_stack_start(lines, 0, &stack);
		for (size_t k = 0; k < 5; k++) {
			assert_true(go_stack_next(&stack));
			assert_int_equal(stack.start, GO_IMAGE_TEXT + sizes[k][0]);
			assert_int_equal(stack.end, GO_IMAGE_TEXT + sizes[k][1]);
			assert_int_equal(stack.size_bytes, sizes[k][2]);
		}
		assert_false(go_stack_next(&stack));
		go_stack_start(lines, 5, &stack); /* C: no table */
		assert_false(go_stack_next(&stack));
		go_stack_start(lines, GO_IMAGE_FUNCTIONS, &stack);
		assert_false(go_stack_next(&stack));
		assert_int_equal(go_function_at(lines, 2).flags,
				 GO_FUNCTION_TOP | GO_FUNCTION_FRAME_TABLE);
		assert_int_equal(go_function_at(lines, 5).flags, 0);
		assert_int_equal(go_function_at(lines, GO_IMAGE_FUNCTIONS).end, 0);
		go_lines_free(lines);
	}
}

static void a_signal_handler_returns_to_a_first_byte(void **state)
{
	struct go_image_options o = {.generation = 120};
	struct go_line rows[4];
	size_t count;

	(void)state;
	go_image_make(&o, &image);
	struct go_lines *lines = open_image();
	/* As a return address: the byte before belongs to runtime.goexit. */
	assert_true(go_lines_find(lines, GO_IMAGE_TEXT + 0x5f, rows, 4, &count));
	expect_row(&rows[0], "runtime.sigreturn", "/src/leaf.go", 30, 29);
	assert_true(go_lines_find(lines, GO_IMAGE_TEXT + 0x5e, rows, 4, &count));
	expect_row(&rows[0], "runtime.goexit", "/src/leaf.go", 30, 29);
	go_lines_free(lines);
}

static void generic_names_are_shown_as_go_shows_them(void **state)
{
	static const char *const cases[][2] = {
		{"main.Map[go.shape.int]", "main.Map[...]"},
		{"main.(*Tree[go.shape.struct { a [2]int }]).Walk.func1",
		 "main.(*Tree[...]).Walk.func1"},
		{"main.main", "main.main"},
		{"main.Map[...]", "main.Map[...]"},
		{"type:.eq.[2]string", "type:.eq.[2]string"},
		{"]odd[", "]odd["},
		{"[x]", "[x]"},
		{"", ""},
	};
	struct buf scratch;

	(void)state;
	buf_init(&scratch, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str shown = go_display_name(str_of(cases[i][0]), &scratch);
		assert_int_equal(shown.len, strlen(cases[i][1]));
		assert_memory_equal(shown.ptr, cases[i][1], shown.len);
	}
	buf_deinit(&scratch);
}

static void a_text_that_is_none_is_a_question_mark(void **state)
{
	struct go_image_options o = {.generation = 120};
	struct go_line rows[4];
	size_t count;

	(void)state;
	go_image_make(&o, &image);
	uint8_t *name = memmem(image.bytes, image.len, "main.leaf", 9);
	assert_non_null(name);
	name[4] = '\n';
	struct go_lines *lines = open_image();
	assert_true(go_lines_find(lines, GO_IMAGE_TEXT + 0x40, rows, 4, &count));
	expect_row(&rows[0], "?", "/src/leaf.go", 30, 29);
	go_lines_free(lines);
}

static void a_file_without_the_table_is_no_go_program(void **state)
{
	struct go_image_options o = {.generation = 120};
	struct err err = {0};

	(void)state;
	go_image_make(&o, &image);
	image.bytes[image.table] = 0xf2;
	assert_int_equal(try_open(0, &err), ERR_NOT_FOUND);
	o.no_sections = true;
	go_image_make(&o, &image);
	image.bytes[image.table + 7] = 4; /* a pointer of 4 bytes */
	assert_int_equal(try_open(0, &err), ERR_NOT_FOUND);
	int fd;
	struct go_lines *lines = NULL;
	struct elf_file *file = open_elf(SAMPLE("stripped"), &fd);
	assert_int_equal(go_lines_open(file, 0, &lines, &err), ERR_NOT_FOUND);
	elf_close(file);
	close(fd);
}

static void a_limit_is_kept(void **state)
{
	struct go_image_options o = {.generation = 120};
	struct err err = {0};

	(void)state;
	go_image_make(&o, &image);
	assert_int_equal(try_open(image.table_len - 1, &err), ERR_LIMIT);
	assert_int_equal(try_open(image.table_len + 8, &err), ERR_LIMIT);
	assert_int_equal(try_open(image.table_len + 1024, &err), 0);
}

/* Whatever one byte says, the reader ends, stays inside and says valid text. */
static void any_damaged_byte_is_survived(void **state)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
	struct go_line rows[GO_LINES_ROWS_MAX];
	size_t count;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct go_image_options o = {.generation = generations[i]};
		go_image_make(&o, &image);
		for (size_t at = image.table; at < image.len; at++) {
			uint8_t before = image.bytes[at];
			image.bytes[at] = values[at % sizeof(values)];
			struct elf_file *file = NULL;
			struct go_lines *lines = NULL;
			if (!elf_open_memory(image.bytes, image.len, &file, NULL) &&
			    !go_lines_open(file, 1 << 20, &lines, NULL)) {
				for (uint64_t pc = 0; pc < GO_IMAGE_TEXT_BYTES; pc += 4)
					if (go_lines_find(lines, GO_IMAGE_TEXT + pc, rows,
							  GO_LINES_ROWS_MAX, &count))
						assert_true(str_is_utf8(rows[0].system_name));
			}
			go_lines_free(lines);
			elf_close(file);
			image.bytes[at] = before;
		}
	}
}

static void without_memory_it_is_said_and_nothing_leaks(void **state)
{
	struct go_image_options o = {.generation = 118};
	struct elf_file *file = NULL;
	struct err err = {0};
	unsigned failures = 0;

	(void)state;
	go_image_make(&o, &image);
	assert_int_equal(elf_open_memory(image.bytes, image.len, &file, &err), 0);
	for (uint64_t nth = 1;; nth++) {
		struct go_lines *lines = NULL;
		mem_fail_nth(nth);
		int rc = go_lines_open(file, 0, &lines, &err);
		mem_fail_nth(0);
		go_lines_free(lines);
		if (rc == 0)
			break;
		assert_int_equal(rc, ERR_NOMEM);
		assert_null(lines);
		failures++;
	}
	assert_true(failures >= 4);
	elf_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_says_the_same),
		cmocka_unit_test(without_sections_the_header_is_found),
		cmocka_unit_test(pointers_may_be_in_relocations_only),
		cmocka_unit_test(the_text_may_be_in_the_module_data_only),
		cmocka_unit_test(without_module_data_only_inlined_functions_are_missing),
		cmocka_unit_test(too_few_rows_keep_the_function_that_has_the_code),
		cmocka_unit_test(a_tree_in_a_circle_ends_by_the_rows),
		cmocka_unit_test(frames_have_a_size_at_each_address),
		cmocka_unit_test(a_signal_handler_returns_to_a_first_byte),
		cmocka_unit_test(generic_names_are_shown_as_go_shows_them),
		cmocka_unit_test(a_text_that_is_none_is_a_question_mark),
		cmocka_unit_test(a_file_without_the_table_is_no_go_program),
		cmocka_unit_test(a_limit_is_kept),
		cmocka_unit_test(any_damaged_byte_is_survived),
		cmocka_unit_test(without_memory_it_is_said_and_nothing_leaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
