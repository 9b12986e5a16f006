/* Functions laid over functions, and the files that tell of them. */
#include "samples.h"

#include "elf/perfmap.h"

static struct code_map *create(size_t limit)
{
	struct code_map *map;

	assert_int_equal(code_map_create(limit, &map, NULL), 0);
	return map;
}

static void assert_name(const struct code_map *map, uint64_t address, const char *expected)
{
	struct elf_symbol s;

	if (!expected) {
		assert_false(code_map_find(map, address, &s));
		return;
	}
	assert_true(code_map_find(map, address, &s));
	assert_text(s.name, expected);
	assert_true(s.start <= address && address - s.start < s.size);
}

static void add(struct code_map *map, uint64_t start, uint64_t size, const char *name)
{
	assert_int_equal(code_map_add(map, start, size, str_of(name), NULL), 0);
}

static void of_two_that_overlap_the_later_wins(void **state)
{
	struct code_map *map = create(1 << 20);

	(void)state;
	add(map, 100, 100, "first");
	add(map, 150, 10, "inside");
	add(map, 190, 20, "behind");
	assert_int_equal(code_map_settle(map, NULL), 0);
	assert_name(map, 99, NULL);
	assert_name(map, 100, "first");
	assert_name(map, 150, "inside");
	assert_name(map, 160, "first");
	assert_name(map, 190, "behind");
	assert_name(map, 209, "behind");
	assert_name(map, 210, NULL);
	assert_int_equal(code_map_count(map), 4);
	add(map, 0, 1000, "all");
	assert_name(map, 150, "inside");
	assert_int_equal(code_map_settle(map, NULL), 0);
	assert_name(map, 150, "all");
	assert_int_equal(code_map_count(map), 1);
	code_map_destroy(map);
}

static void what_cannot_be_is_not_added(void **state)
{
	struct code_map *map = create(1 << 20);

	(void)state;
	add(map, 100, 0, "empty");
	add(map, 100, 1ULL << 33, "huge");
	add(map, UINT64_MAX - 4, 16, "around the end");
	add(map, 100, 16, "");
	assert_int_equal(code_map_settle(map, NULL), 0);
	assert_int_equal(code_map_count(map), 0);
	add(map, UINT64_MAX - 16, 16, "last");
	assert_int_equal(code_map_settle(map, NULL), 0);
	assert_name(map, UINT64_MAX - 1, "last");
	code_map_destroy(map);
}

/* Against an array with one entry per address. */
static void any_order_of_any_functions_gives_what_was_said_last(void **state)
{
	enum { SPACE = 600, ROUNDS = 40, FUNCTIONS = 300 };
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		static int truth[SPACE];
		struct code_map *map = create(1 << 20);
		memset(truth, 0, sizeof(truth));
		for (int i = 1; i <= FUNCTIONS; i++) {
			char name[16];
			seed = seed * 1103515245 + 12345;
			uint32_t start = (seed >> 8) % (SPACE - 60), size = 1 + (seed >> 20) % 60;
			snprintf(name, sizeof(name), "%d", i);
			add(map, start, size, name);
			for (uint32_t k = 0; k < size; k++)
				truth[start + k] = i;
			if (seed % 50 == 0)
				assert_int_equal(code_map_settle(map, NULL), 0);
		}
		assert_int_equal(code_map_settle(map, NULL), 0);
		for (uint32_t a = 0; a < SPACE; a++) {
			char name[16];
			snprintf(name, sizeof(name), "%d", truth[a]);
			assert_name(map, a, truth[a] ? name : NULL);
		}
		code_map_destroy(map);
	}
}

static void a_map_never_grows_past_its_limit(void **state)
{
	enum { LIMIT = 64 << 10 };
	struct code_map *map = create(LIMIT);
	uint64_t n = 0;

	(void)state;
	/* What is settled takes less than what is new. */
	for (int tries = 0; tries < 20; tries++) {
		while (code_map_add(map, n * 16, 16, STR("a function"), NULL) == 0)
			n++;
		assert_int_equal(code_map_settle(map, NULL), 0);
	}
	assert_in_range(n, 500, 5000);
	assert_int_equal(code_map_count(map), n);
	assert_true(code_map_bytes(map) <= 2 * LIMIT);
	assert_int_equal(code_map_add(map, 0, 16, STR("one more"), NULL), ERR_LIMIT);
	code_map_destroy(map);
}

static void lines_are_read_on_from_where_they_ended(void **state)
{
	static const char text[] = "7f0010 20 JS:*one /x.js:1:2\n"
				   "not a line\n"
				   "0x7F0040 0x10 two\n"
				   "7f0080 zz no size\n"
				   "\n"
				   "7f0060 8 three, to be contin";
	int fd = temp_file(text, sizeof(text) - 1);
	struct code_map *map = create(1 << 20);
	struct perfmap_state at = {0};

	(void)state;
	assert_int_equal(perfmap_read(fd, &at, map, NULL), 0);
	assert_int_equal(code_map_count(map), 2);
	assert_name(map, 0x7f0010, "JS:*one /x.js:1:2");
	assert_name(map, 0x7f004f, "two");
	assert_name(map, 0x7f0060, NULL);
	assert_int_equal(perfmap_read(fd, &at, map, NULL), 0);
	assert_int_equal(code_map_count(map), 2);
	assert_int_equal(pwrite(fd, "ued\n7f0048 4 four\n", 18, sizeof(text) - 1), 18);
	assert_int_equal(perfmap_read(fd, &at, map, NULL), 0);
	assert_name(map, 0x7f0060, "three, to be continued");
	assert_name(map, 0x7f0048, "four");
	assert_name(map, 0x7f004c, "two");
	close(fd);
	code_map_destroy(map);
}

static void a_line_too_long_is_passed_over(void **state)
{
	enum { LONG = 200 << 10 };
	char *text = malloc(LONG);
	struct code_map *map = create(1 << 20);
	struct perfmap_state at = {0};

	(void)state;
	memset(text, 'x', LONG);
	memcpy(text, "100 10 ", 7);
	memcpy(text + LONG - 12, "\n200 10 end\n", 12);
	int fd = temp_file(text, LONG);
	free(text);
	assert_int_equal(perfmap_read(fd, &at, map, NULL), 0);
	assert_name(map, 0x100, NULL);
	assert_name(map, 0x200, "end");
	assert_int_equal(code_map_count(map), 1);
	close(fd);
	code_map_destroy(map);
}

static void names_leave_clean_and_cut(void **state)
{
	char line[3000] = "10 10 bad\xff\tbyte ";
	struct code_map *map = create(1 << 20);
	struct perfmap_state at = {0};
	struct elf_symbol s;

	(void)state;
	memset(line + strlen(line), 'y', 2500);
	line[2600] = '\n';
	int fd = temp_file(line, 2601);
	assert_int_equal(perfmap_read(fd, &at, map, NULL), 0);
	assert_true(code_map_find(map, 0x10, &s));
	assert_int_equal(s.name.len, CODE_NAME_MAX);
	assert_true(str_starts_with(s.name, STR("bad??byte yyy")));
	close(fd);
	code_map_destroy(map);
}

static void reading_runs_short_of_memory_anywhere_without_harm(void **state)
{
	static const char text[] = "10 10 a\n18 10 b\n8 4 c\n20 20 d\n";
	int fd = temp_file(text, sizeof(text) - 1), rc = ERR_NOMEM;
	unsigned failed = 0;

	(void)state;
	for (uint64_t nth = 1; rc; nth++) {
		struct code_map *map = create(1 << 20);
		struct perfmap_state at = {0};
		mem_fail_nth(nth);
		rc = perfmap_read(fd, &at, map, NULL);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		failed += rc != 0;
		code_map_destroy(map);
	}
	assert_true(failed >= 5);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_two_that_overlap_the_later_wins),
		cmocka_unit_test(what_cannot_be_is_not_added),
		cmocka_unit_test(any_order_of_any_functions_gives_what_was_said_last),
		cmocka_unit_test(a_map_never_grows_past_its_limit),
		cmocka_unit_test(lines_are_read_on_from_where_they_ended),
		cmocka_unit_test(a_line_too_long_is_passed_over),
		cmocka_unit_test(names_leave_clean_and_cut),
		cmocka_unit_test(reading_runs_short_of_memory_anywhere_without_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
