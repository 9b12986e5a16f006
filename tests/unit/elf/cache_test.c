#include "samples.h"

#include <sys/mman.h>

#include "base/metrics.h"

/* What an opener of the agent does, counted. */
struct opener {
	const char *path; /* NULL: fails */
	unsigned calls;
};

static int open_it(void *arg, int *ret_debug_fd, struct err *err)
{
	struct opener *o = arg;
	(void)ret_debug_fd;

	o->calls++;
	if (!o->path)
		return err_set(err, ERR_NOT_FOUND, "the process is gone");
	int fd = open(o->path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(err, ERR_IO, "cannot open") : fd;
}

static struct symbol_cache *make_cache(size_t budget_bytes)
{
	struct symbol_cache *cache;

	assert_int_equal(symbol_cache_create(budget_bytes, &cache, NULL), 0);
	return cache;
}

static struct elf_key key_of(const char *path)
{
	struct elf_key key;
	int fd = open_path(path);

	assert_int_equal(elf_key_of_fd(fd, &key, NULL), 0);
	close(fd);
	return key;
}

static uint64_t vaddr_of(const char *path, const char *name)
{
	struct elf_symbols *symbols = load_symbols(path);
	uint64_t vaddr = symbol_named(symbols, name).start;

	elf_symbols_free(symbols);
	return vaddr;
}

static void a_file_is_opened_once_for_many_addresses(void **state)
{
	struct symbol_cache *cache = make_cache(0);
	struct opener o = {SAMPLE("cxx"), 0};
	struct elf_key key = key_of(o.path);
	uint64_t vaddr = vaddr_of(o.path, "_ZNK14cresset_sample3boxIiE5twiceEi");
	struct symbol_found found;

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(symbol_cache_find(cache, &key, vaddr + i, open_it, &o, &found,
						   NULL),
				 0);
		assert_text(found.name, "cresset_sample::box<int>::twice");
		assert_text(found.system_name, "_ZNK14cresset_sample3boxIiE5twiceEi");
		assert_true(found.start == vaddr);
	}
	assert_int_equal(symbol_cache_find(cache, &key, 1, open_it, &o, &found, NULL),
			 ERR_NOT_FOUND);
	assert_int_equal(o.calls, 1);
	assert_true(symbol_cache_bytes(cache) > 1000);
	symbol_cache_destroy(cache);
}

static void a_file_without_symbols_is_opened_once_too(void **state)
{
	static const char *const paths[] = {SAMPLE("object"), "/etc/passwd"};
	static const int codes[] = {ERR_UNSUPPORTED, ERR_INVALID};
	struct symbol_cache *cache = make_cache(0);
	struct symbol_found found;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct opener o = {paths[i], 0};
		struct elf_key key = key_of(paths[i]);
		for (int n = 0; n < 3; n++)
			assert_int_equal(symbol_cache_find(cache, &key, 0x1000, open_it, &o, &found,
							   NULL),
					 codes[i]);
		assert_int_equal(o.calls, 1);
	}
	symbol_cache_destroy(cache);
}

static void a_process_that_is_gone_is_not_asked_at_every_address(void **state)
{
	struct symbol_cache *cache = make_cache(0);
	struct opener o = {NULL, 0};
	struct elf_key key = key_of(SAMPLE("pie"));
	struct symbol_found found;

	(void)state;
	for (int n = 0; n < 3; n++)
		assert_int_equal(symbol_cache_find(cache, &key, 0x1000, open_it, &o, &found, NULL),
				 ERR_NOT_FOUND);
	assert_int_equal(o.calls, 1);
	symbol_cache_destroy(cache);
}

static void another_file_in_the_place_of_the_mapped_one_gives_no_names(void **state)
{
	struct symbol_cache *cache = make_cache(0);
	struct opener o = {SAMPLE("pie"), 0};
	struct elf_key key = key_of(SAMPLE("fixed"));
	struct symbol_found found;
	struct err err = {0};

	(void)state;
	assert_int_equal(symbol_cache_find(cache, &key, vaddr_of(SAMPLE("pie"), "main"), open_it,
					   &o, &found, &err),
			 ERR_NOT_FOUND);
	symbol_cache_destroy(cache);
}

static void the_table_used_longest_ago_goes_first(void **state)
{
	/* One of the big tables fits beside the small one, two do not. */
	static const char *const paths[] = {SAMPLE("pie"), SAMPLE("static"), LIBC_PATH};
	struct elf_symbols *a = load_symbols(paths[1]), *b = load_symbols(paths[2]);
	size_t big = elf_symbols_bytes(a) > elf_symbols_bytes(b) ? elf_symbols_bytes(a)
								 : elf_symbols_bytes(b);
	struct symbol_cache *cache = make_cache(big + 16384);
	struct opener o[3] = {{paths[0], 0}, {paths[1], 0}, {paths[2], 0}};
	static const unsigned order[] = {0, 1, 0, 2, 0, 1};
	struct symbol_found found;

	(void)state;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		struct elf_key key = key_of(paths[order[i]]);
		int rc = symbol_cache_find(cache, &key, 1, open_it, &o[order[i]], &found, NULL);
		assert_int_equal(rc, ERR_NOT_FOUND);
		assert_true(symbol_cache_bytes(cache) <= big + 16384);
	}
	assert_int_equal(o[0].calls, 1);
	assert_int_equal(o[1].calls, 2);
	assert_int_equal(o[2].calls, 1);
	symbol_cache_destroy(cache);
	elf_symbols_free(a);
	elf_symbols_free(b);
}

static void a_table_larger_than_the_budget_is_refused(void **state)
{
	struct symbol_cache *cache = make_cache(8192);
	struct opener o = {SAMPLE("static"), 0};
	struct elf_key key = key_of(o.path);
	struct symbol_found found;

	(void)state;
	assert_int_equal(symbol_cache_find(cache, &key, 0x401000, open_it, &o, &found, NULL),
			 ERR_LIMIT);
	assert_int_equal(symbol_cache_find(cache, &key, 0x401000, open_it, &o, &found, NULL),
			 ERR_LIMIT);
	assert_int_equal(o.calls, 1);
	symbol_cache_destroy(cache);
}

static void the_vdso_is_asked_through_the_cache(void **state)
{
	struct symbol_cache *cache = make_cache(0);
	struct elf_symbols *symbols;
	struct symbol_found found;
	struct elf_file *file;

	(void)state;
	assert_int_equal(elf_open_vdso(&file, NULL), 0);
	assert_int_equal(elf_symbols_load(file, 0, &symbols, NULL), 0);
	uint64_t vaddr = symbol_named(symbols, "clock_gettime").start;
	assert_int_equal(symbol_cache_find_vdso(cache, vaddr, &found, NULL), 0);
	assert_text(found.name, "clock_gettime");
	assert_int_equal(symbol_cache_find_vdso(cache, 1, &found, NULL), ERR_NOT_FOUND);
	elf_symbols_free(symbols);
	elf_close(file);
	symbol_cache_destroy(cache);
}

static void display_names_survive_more_names_than_are_remembered(void **state)
{
	struct symbol_cache *cache = make_cache(0);
	char name[64], shown[64];

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 40000; i++) {
			snprintf(name, sizeof(name), "_ZN5outer6f%05dEv", i);
			snprintf(shown, sizeof(shown), "outer::f%05d", i);
			assert_text(symbol_cache_display(cache, str_of(name)), shown);
		}
	assert_text(symbol_cache_display(cache, STR("plain")), "plain");
	symbol_cache_destroy(cache);
	symbol_cache_destroy(NULL);
}

static void lookups_are_counted(void **state)
{
	struct symbol_cache *cache = make_cache(0);
	struct opener o = {SAMPLE("pie"), 0};
	struct elf_key key = key_of(o.path);
	struct symbol_found found;
	struct buf text;

	(void)state;
	assert_int_equal(symbol_cache_find(cache, &key, vaddr_of(o.path, "main"), open_it, &o,
					   &found, NULL),
			 0);
	buf_init(&text, 0);
	metrics_render(&text);
	assert_true(str_find(buf_text(&text),
			     STR("cresset_symbols_lookups_total{result=\"found\"}")) >= 0);
	assert_true(str_find(buf_text(&text), STR("cresset_symbols_table_bytes")) >= 0);
	buf_deinit(&text);
	symbol_cache_destroy(cache);
}

/* As the agent does for the mappings of other processes. */
static int open_mapping(void *arg, int *ret_debug_fd, struct err *err)
{
	(void)ret_debug_fd;
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_set(err, ERR_DENIED, "cannot open %s", (const char *)arg) : fd;
}

static void a_deleted_file_is_read_through_its_mapping(void **state)
{
	static char bytes[1 << 20];
	struct symbol_cache *cache = make_cache(0);
	uint64_t vaddr = vaddr_of(SAMPLE("pie"), "main");
	int from = open_path(SAMPLE("pie"));
	ssize_t len = read(from, bytes, sizeof(bytes));
	int fd = temp_file(bytes, (size_t)len);
	struct symbol_found found;
	struct elf_key key;
	char path[128];

	(void)state;
	char *map = mmap(NULL, (size_t)len, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_true(map != MAP_FAILED);
	assert_int_equal(elf_key_of_fd(fd, &key, NULL), 0);
	close(fd);
	close(from);
	size_t pages = ((size_t)len + 4095) & ~(size_t)4095;
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)map,
		 (unsigned long)map + pages);
	int rc = symbol_cache_find(cache, &key, vaddr, open_mapping, path, &found, NULL);
	if (rc == ERR_DENIED)
		print_message("SKIP: map_files needs CAP_CHECKPOINT_RESTORE\n");
	else
		assert_int_equal(rc, 0);
	if (rc == 0)
		assert_text(found.name, "main");
	munmap(map, (size_t)len);
	symbol_cache_destroy(cache);
	if (rc == ERR_DENIED)
		skip();
}

static void the_cache_runs_short_of_memory_anywhere_without_harm(void **state)
{
	uint64_t vaddr = vaddr_of(SAMPLE("cxx"), "_ZNK14cresset_sample3boxIiE5twiceEi");
	struct elf_key key = key_of(SAMPLE("cxx"));
	int rc = ERR_NOMEM;
	unsigned failed = 0;

	(void)state;
	for (uint64_t nth = 1; rc; nth++) {
		struct opener o = {SAMPLE("cxx"), 0};
		struct symbol_cache *cache = NULL;
		struct symbol_found found;
		mem_fail_nth(nth);
		rc = symbol_cache_create(0, &cache, NULL);
		if (!rc)
			rc = symbol_cache_find(cache, &key, vaddr, open_it, &o, &found, NULL);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		failed += rc != 0;
		symbol_cache_destroy(cache);
	}
	assert_true(failed >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_opened_once_for_many_addresses),
		cmocka_unit_test(a_file_without_symbols_is_opened_once_too),
		cmocka_unit_test(a_process_that_is_gone_is_not_asked_at_every_address),
		cmocka_unit_test(another_file_in_the_place_of_the_mapped_one_gives_no_names),
		cmocka_unit_test(the_table_used_longest_ago_goes_first),
		cmocka_unit_test(a_table_larger_than_the_budget_is_refused),
		cmocka_unit_test(the_vdso_is_asked_through_the_cache),
		cmocka_unit_test(display_names_survive_more_names_than_are_remembered),
		cmocka_unit_test(lookups_are_counted),
		cmocka_unit_test(a_deleted_file_is_read_through_its_mapping),
		cmocka_unit_test(the_cache_runs_short_of_memory_anywhere_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
