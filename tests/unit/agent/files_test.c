/* Identities and contents, with this very program as the file. */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/files.h"
#include "agent/procfs.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "elf/elf.h"

static struct files *create(void)
{
	struct files *files;
	assert_int_equal(files_create("/proc", 0, &files, NULL), 0);
	return files;
}

__attribute__((noinline)) void a_function_to_be_found(void);
__attribute__((noinline)) void a_function_to_be_found(void)
{
	__asm__ volatile("");
}

/* The mapping of our own process around an address, as a source and a place. */
static uint64_t own_mapping(const void *address, struct buf *text, struct file_source *source,
			    struct file_place *place)
{
	struct proc_map map;
	buf_clear(text);
	assert_int_equal(proc_read("/proc", (uint32_t)getpid(), "maps", 1 << 20, text, NULL), 0);
	struct str rest = buf_text(text), line;
	while (str_next(&rest, '\n', &line)) {
		uint64_t a = (uintptr_t)address;
		if (!proc_parse_map(line, &map) || a < map.start || a >= map.end)
			continue;
		*source = (struct file_source){.path = map.path,
					       .major = map.major,
					       .minor = map.minor,
					       .inode = map.inode};
		*place = (struct file_place){(uint32_t)getpid(), map.start, map.end};
		return a - map.start + map.offset;
	}
	fail();
	return 0;
}

/* A memfd may hold a program, as container runtimes do it, or the code of a runtime. */
static void memory_files_are_code_unless_they_are_programs(void **state)
{
	struct files *files = create();
	static const struct {
		const char *copy_of;
		bool is_code;
	} cases[] = {{"/proc/self/exe", false}, {"/proc/self/cmdline", true}};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char bytes[4096], path[64];
		struct file_source source;
		struct file_place place;
		struct buf text;
		int memory = memfd_create("code", MFD_CLOEXEC);
		int from = open(cases[i].copy_of, O_RDONLY | O_CLOEXEC);
		ssize_t len;
		while ((len = read(from, bytes, sizeof(bytes))) > 0)
			assert_int_equal(write(memory, bytes, (size_t)len), len);
		close(from);
		void *mapped = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, memory, 0);
		assert_true(mapped != MAP_FAILED);
		snprintf(path, sizeof(path), "/memfd:code (deleted)");
		buf_init(&text, 0);
		(void)own_mapping(mapped, &text, &source, &place);
		assert_true(str_equal(source.path, str_of(path)));
		uint32_t id = files_resolve(files, files_intern(files, &source, NULL), &place);
		struct file_info info;
		files_get_info(files, id, &info);
		assert_true(str_equal(info.name, STR("memfd:code")));
		assert_int_equal(info.is_elf, !cases[i].is_code);
		assert_int_equal(files_is_code(files, id), cases[i].is_code);
		buf_deinit(&text);
		munmap(mapped, 4096);
		close(memory);
	}
	files_destroy(files);
}

static void the_same_source_is_the_same_file(void **state)
{
	struct files *files = create();
	struct file_source a = {.path = STR("/a"), .inode = 1}, b = {.path = STR("/a"), .inode = 2};
	bool is_new;
	(void)state;
	uint32_t id = files_intern(files, &a, &is_new);
	assert_true(is_new);
	assert_int_equal(files_intern(files, &a, &is_new), id);
	assert_false(is_new);
	assert_int_not_equal(files_intern(files, &b, &is_new), id);
	assert_false(files_is_memory(files, id));
	files_destroy(files);
}

static void memory_without_a_file_goes_by_its_name(void **state)
{
	struct files *files = create();
	struct file_source none = {.inode = 5}, anon = {.path = STR("//anon")},
			   stack = {.path = STR("[stack]")}, vdso = {.path = STR("[vdso]")};
	struct file_info info;
	(void)state;
	assert_int_equal(files_intern(files, &none, NULL), files_intern(files, &none, NULL));
	files_get_info(files, files_intern(files, &none, NULL), &info);
	assert_true(str_equal(info.name, STR("[anon]")));
	assert_int_equal(files_intern(files, &anon, NULL), files_intern(files, &none, NULL));
	assert_true(files_is_memory(files, files_intern(files, &anon, NULL)));
	assert_int_equal(files_intern(files, &vdso, NULL), FILE_VDSO);
	assert_false(files_is_memory(files, FILE_VDSO));
	files_get_info(files, files_intern(files, &stack, NULL), &info);
	assert_true(str_equal(info.name, STR("[stack]")));
	files_destroy(files);
}

static void our_own_functions_have_names(void **state)
{
	struct files *files = create();
	struct file_source source;
	struct file_place place;
	struct file_info info;
	struct symbol_found found;
	struct buf text;
	uint64_t vaddr;
	(void)state;
	buf_init(&text, 0);
	uint64_t offset =
		own_mapping((void *)(uintptr_t)a_function_to_be_found, &text, &source, &place);
	uint32_t id = files_resolve(files, files_intern(files, &source, NULL), &place);
	files_get_info(files, id, &info);
	assert_true(info.is_elf);
	assert_int_equal(info.htlhash.len, 32);
	assert_true(info.text_start < info.text_limit);
	assert_true(files_vaddr(files, id, offset, &vaddr));
	assert_in_range(vaddr, info.text_start, info.text_limit);
	assert_true(files_symbol(files, id, &place, vaddr, &found));
	assert_true(str_equal(found.name, STR("a_function_to_be_found")));
	assert_false(files_vaddr(files, id, 1ULL << 40, &vaddr));
	buf_deinit(&text);
	files_destroy(files);
}

/* A file whose code begins in the page in which its data ends, as lld lays it out. */
static void write_shared_page(int fd)
{
	const Elf64_Ehdr header = {.e_ident = ELFMAG "\2\1\1",
				   .e_type = ET_DYN,
				   .e_machine = EM_X86_64,
				   .e_phoff = sizeof(header),
				   .e_phentsize = sizeof(Elf64_Phdr),
				   .e_phnum = 2};
	const Elf64_Phdr segments[] = {
		{.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0x1640, .p_memsz = 0x1640},
		{.p_type = PT_LOAD,
		 .p_flags = PF_R | PF_X,
		 .p_offset = 0x1640,
		 .p_vaddr = 0x2640,
		 .p_filesz = 0x900,
		 .p_memsz = 0x900},
	};
	assert_int_equal(write(fd, &header, sizeof(header)), sizeof(header));
	assert_int_equal(write(fd, segments, sizeof(segments)), sizeof(segments));
	assert_int_equal(ftruncate(fd, 0x2000), 0);
}

static void a_mapping_of_code_starts_at_an_address_of_the_code(void **state)
{
	struct files *files = create();
	char path[] = "/tmp/cresset-files-XXXXXX";
	struct file_source source;
	struct file_place place;
	struct buf text;
	uint64_t vaddr;
	(void)state;
	int fd = mkstemp(path);
	write_shared_page(fd);
	void *code = mmap(NULL, 0x1000, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0x1000);
	assert_true(code != MAP_FAILED);
	buf_init(&text, 0);
	assert_int_equal(own_mapping(code, &text, &source, &place), 0x1000);
	uint32_t id = files_resolve(files, files_intern(files, &source, NULL), &place);
	assert_true(files_mapping_vaddr(files, id, place.start, 0x1000, &vaddr));
	assert_int_equal(vaddr, 0x2000);
	assert_true(files_vaddr(files, id, 0x1640, &vaddr));
	assert_int_equal(vaddr, 0x2640);
	assert_false(files_mapping_vaddr(files, id, place.start, 0x5000, &vaddr));
	munmap(code, 0x1000);
	unlink(path);
	close(fd);
	buf_deinit(&text);
	files_destroy(files);
}

/* Who mapped a file may put anything in its place; to open a device can start a watchdog. */
static void what_is_no_regular_file_is_not_even_opened(void **state)
{
	char path[] = "/tmp/cresset-fifo-XXXXXX", events[256];
	struct files *files = create();
	(void)state;
	assert_int_equal(close(mkstemp(path)), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(inotify_add_watch(watch, path, IN_OPEN) >= 0);
	struct file_source source = {.path = str_of(path)};
	struct file_place place = {(uint32_t)getpid(), 0x1000, 0x2000};
	uint32_t id = files_intern(files, &source, NULL);
	files_touch(files, id, &place);
	assert_int_equal(files_resolve(files, id, &place), id);
	assert_int_equal(read(watch, events, sizeof(events)), -1);
	close(watch);
	unlink(path);
	files_destroy(files);
}

/* One content under two sources: a path by inode, and by build id. */
/* A /proc with one process 7, whose root is a directory of ours: /app/program is a stripped program. */
struct small_root {
	char proc[32];
	char app[96], debug[160];
	uint32_t id;
	struct file_place place;
};

static void run(const char *format, ...) PRINTF_LIKE(1, 2);
static void run(const char *format, ...)
{
	char command[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

static struct small_root make_root(const char *program)
{
	struct small_root r = {.proc = "/tmp/cresset-root-XXXXXX", .place = {7, 0x1000, 0x2000}};
	assert_non_null(mkdtemp(r.proc));
	run("mkdir -p %s/7 %s/7/root/app/.debug", r.proc, r.proc);
	snprintf(r.app, sizeof(r.app), "%s/7/root/app", r.proc);
	snprintf(r.debug, sizeof(r.debug), "%s/.debug/sample-split.debug", r.app);
	run("cp %s %s/program", program, r.app);
	return r;
}

static struct files *open_root_program(struct small_root *r)
{
	struct file_source source = {.path = STR("/app/program")};
	struct files *files;
	assert_int_equal(files_create(r->proc, 0, &files, NULL), 0);
	r->id = files_resolve(files, files_intern(files, &source, NULL), &r->place);
	return files;
}

/* Whether the program's local function has its name. */
static bool knows_local_function(struct files *files, const struct small_root *r)
{
	struct symbol_found found;
	struct elf_symbols *symbols;
	struct elf_file *full;
	uint64_t vaddr = 0;
	int fd = open(SAMPLES "/sample-split.debug", O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_open(fd, &full, NULL), 0);
	assert_int_equal(elf_symbols_load(full, 0, &symbols, NULL), 0);
	for (uint32_t i = 0; i < elf_symbols_count(symbols); i++)
		if (str_equal(elf_symbols_at(symbols, i).name, STR("sample_static")))
			vaddr = elf_symbols_at(symbols, i).start;
	elf_symbols_free(symbols);
	elf_close(full);
	close(fd);
	assert_true(vaddr > 0);
	return files_symbol(files, r->id, &r->place, vaddr, &found) &&
	       str_equal(found.name, STR("sample_static"));
}

static void remove_root(struct files *files, const struct small_root *r)
{
	files_destroy(files);
	run("rm -rf %s", r->proc);
}

static void a_stripped_file_is_named_by_its_debug_file(void **state)
{
	struct small_root r = make_root(SAMPLES "/sample-split");
	struct files *files;
	int fd = -1;
	(void)state;
	run("cp %s %s", SAMPLES "/sample-split.debug", r.debug);
	files = open_root_program(&r);
	assert_true(knows_local_function(files, &r));
	assert_int_equal(files_open_debug(files, r.id, &r.place, &fd, NULL), 0);
	assert_int_equal(close(fd), 0);
	remove_root(files, &r);
}

/* As in a container: absolute links are meant below the process's root, and lead nowhere else. */
static void links_to_debug_files_stay_in_the_root_of_the_process(void **state)
{
	struct small_root r = make_root(SAMPLES "/sample-split");
	struct files *files;
	int fd = -1;
	(void)state;
	run("ln -s %s %s", SAMPLES "/sample-split.debug", r.debug);
	files = open_root_program(&r);
	assert_int_equal(files_open_debug(files, r.id, &r.place, &fd, NULL), ERR_NOT_FOUND);
	remove_root(files, &r);

	r = make_root(SAMPLES "/sample-split");
	run("cp %s %s/kept", SAMPLES "/sample-split.debug", r.app);
	run("ln -s /app/../../../../app/kept %s", r.debug);
	files = open_root_program(&r);
	assert_int_equal(files_open_debug(files, r.id, &r.place, &fd, NULL), 0);
	assert_int_equal(close(fd), 0);
	remove_root(files, &r);
}

static void a_fifo_in_the_place_of_a_debug_file_is_not_opened(void **state)
{
	struct small_root r = make_root(SAMPLES "/sample-split");
	char events[256];
	int fd = -1;
	(void)state;
	assert_int_equal(mkfifo(r.debug, 0600), 0);
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(inotify_add_watch(watch, r.debug, IN_OPEN) >= 0);
	struct files *files = open_root_program(&r);
	assert_int_equal(files_open_debug(files, r.id, &r.place, &fd, NULL), ERR_NOT_FOUND);
	assert_int_equal(read(watch, events, sizeof(events)), -1);
	close(watch);
	remove_root(files, &r);
}

static void that_there_is_no_debug_file_is_remembered(void **state)
{
	struct small_root r = make_root(SAMPLES "/sample-split");
	struct files *files = open_root_program(&r);
	int fd = -1;
	(void)state;
	assert_int_equal(files_open_debug(files, r.id, &r.place, &fd, NULL), ERR_NOT_FOUND);
	run("cp %s %s", SAMPLES "/sample-split.debug", r.debug);
	assert_int_equal(files_open_debug(files, r.id, &r.place, &fd, NULL), ERR_NOT_FOUND);
	assert_false(knows_local_function(files, &r));
	remove_root(files, &r);
}

static void a_debug_file_of_another_build_is_not_taken(void **state)
{
	struct small_root r = make_root(SAMPLES "/sample-split");
	int fd = -1;
	(void)state;
	run("cp %s %s", SAMPLES "/sample-pie", r.debug);
	struct files *files = open_root_program(&r);
	assert_int_equal(files_open_debug(files, r.id, &r.place, &fd, NULL), ERR_NOT_FOUND);
	remove_root(files, &r);
}

static void two_sources_of_one_content_become_one_file(void **state)
{
	struct files *files = create();
	struct file_source source, same;
	struct file_place place;
	struct buf text;
	(void)state;
	buf_init(&text, 0);
	(void)own_mapping((void *)(uintptr_t)a_function_to_be_found, &text, &source, &place);
	same = source;
	same.inode_generation = 77;
	uint32_t first = files_intern(files, &source, NULL);
	uint32_t second = files_intern(files, &same, NULL);
	assert_int_not_equal(first, second);
	assert_int_equal(files_resolve(files, second, &place), second);
	assert_int_equal(files_resolve(files, first, &place), second);
	buf_deinit(&text);
	files_destroy(files);
}

static void a_mapping_that_shows_another_file_now_is_not_taken_for_it(void **state)
{
	struct files *files = create();
	struct file_source source;
	struct file_place place;
	struct file_info info;
	struct buf text;
	(void)state;
	buf_init(&text, 0);
	(void)own_mapping((void *)(uintptr_t)a_function_to_be_found, &text, &source, &place);
	source.path = STR("/opt/another program");
	uint32_t id = files_resolve(files, files_intern(files, &source, NULL), &place);
	files_get_info(files, id, &info);
	assert_false(info.is_elf);
	assert_true(str_equal(info.name, STR("another program")));
	buf_deinit(&text);
	files_destroy(files);
}

/* A file that is opened when it is first heard of can be read after it and its process are gone. */
static void a_file_that_is_gone_is_still_known(void **state)
{
	struct files *files = create();
	char path[] = "/tmp/cresset-files-XXXXXX", command[64];
	struct file_place gone = {.pid = 0x7fffffff, .start = 0x1000, .end = 0x2000};
	struct symbol_found found;
	struct file_info info;
	struct stat status;
	uint64_t vaddr = 0;
	(void)state;
	int fd = mkstemp(path);
	snprintf(command, sizeof(command), "cp /proc/%d/exe %s", getpid(), path);
	assert_int_equal(system(command), 0);
	assert_int_equal(fstat(fd, &status), 0);
	struct file_source source = {.path = str_of(path), .inode = status.st_ino};
	uint32_t id = files_intern(files, &source, NULL);
	files_touch(files, id, &gone);
	unlink(path);
	id = files_resolve(files, id, &gone);
	files_get_info(files, id, &info);
	assert_true(info.is_elf);

	struct buf text;
	struct file_place own;
	buf_init(&text, 0);
	uint64_t offset =
		own_mapping((void *)(uintptr_t)a_function_to_be_found, &text, &source, &own);
	assert_true(files_vaddr(files, id, offset, &vaddr));
	assert_true(files_symbol(files, id, &gone, vaddr, &found));
	assert_true(str_equal(found.name, STR("a_function_to_be_found")));
	buf_deinit(&text);
	close(fd);
	files_destroy(files);
}

static void a_file_nobody_can_open_keeps_its_name(void **state)
{
	struct files *files = create();
	struct file_source source = {.path = STR("/nowhere/libx.so (deleted)"),
				     .build_id = (const uint8_t *)"\x01\x02\xff",
				     .build_id_len = 3};
	struct file_place place = {.pid = 0x7fffffff, .start = 0x1000, .end = 0x2000};
	struct files_stats stats;
	struct file_info info;
	uint64_t vaddr;
	(void)state;
	uint32_t id = files_intern(files, &source, NULL);
	assert_int_equal(files_resolve(files, id, &place), id);
	files_get_info(files, id, &info);
	assert_true(str_equal(info.name, STR("libx.so")));
	assert_true(str_equal(info.build_id, STR("0102ff")));
	assert_false(files_vaddr(files, id, 0, &vaddr));
	files_get_stats(files, &stats);
	assert_int_equal(stats.unreadable, 1);
	files_destroy(files);
}

static void descriptors_are_closed_after_a_while(void **state)
{
	struct files *files = create();
	struct file_source source;
	struct file_place place;
	struct files_stats stats;
	struct buf text;
	(void)state;
	buf_init(&text, 0);
	(void)own_mapping((void *)(uintptr_t)a_function_to_be_found, &text, &source, &place);
	files_touch(files, files_intern(files, &source, NULL), &place);
	files_expire(files, clock_mono_ns());
	files_get_stats(files, &stats);
	assert_int_equal(stats.open_fds, 1);
	files_expire(files, clock_mono_ns() + 3600ULL * NS_PER_S);
	files_get_stats(files, &stats);
	assert_int_equal(stats.open_fds, 0);
	buf_deinit(&text);
	files_destroy(files);
}

static void what_is_not_used_makes_room(void **state)
{
	struct files *files = create();
	uint32_t kept = 0, last = 0;
	(void)state;
	for (uint64_t i = 0; i < FILES_MAX + 10; i++) {
		struct file_source source = {.path = STR("/a"), .inode = i + 1};
		last = files_intern(files, &source, NULL);
		kept = i == 100 ? last : kept;
	}
	struct files_stats stats;
	files_get_stats(files, &stats);
	assert_int_equal(last, FILE_ANON);
	assert_int_equal(stats.full, 12);
	assert_true(files_crowded(files));
	files_unmark(files);
	files_mark(files, kept);
	files_sweep(files);
	files_get_stats(files, &stats);
	assert_int_equal(stats.count, 3);
	struct file_source source = {.path = STR("/a"), .inode = 101};
	assert_int_equal(files_intern(files, &source, NULL), kept);
	source.inode = 5000;
	bool is_new;
	assert_int_not_equal(files_intern(files, &source, &is_new), FILE_ANON);
	assert_true(is_new);
	files_destroy(files);
}

static void without_memory_a_file_is_just_memory(void **state)
{
	(void)state;
	for (uint64_t nth = 1; nth < 6; nth++) {
		struct files *files = create();
		struct file_source source = {.path = STR("/a"), .inode = 1};
		mem_fail_nth(nth);
		uint32_t id = files_intern(files, &source, NULL);
		mem_fail_nth(0);
		if (id == FILE_ANON)
			assert_int_not_equal(files_intern(files, &source, NULL), FILE_ANON);
		files_destroy(files);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_source_is_the_same_file),
		cmocka_unit_test(memory_files_are_code_unless_they_are_programs),
		cmocka_unit_test(memory_without_a_file_goes_by_its_name),
		cmocka_unit_test(our_own_functions_have_names),
		cmocka_unit_test(a_mapping_of_code_starts_at_an_address_of_the_code),
		cmocka_unit_test(what_is_no_regular_file_is_not_even_opened),
		cmocka_unit_test(a_stripped_file_is_named_by_its_debug_file),
		cmocka_unit_test(links_to_debug_files_stay_in_the_root_of_the_process),
		cmocka_unit_test(a_fifo_in_the_place_of_a_debug_file_is_not_opened),
		cmocka_unit_test(that_there_is_no_debug_file_is_remembered),
		cmocka_unit_test(a_debug_file_of_another_build_is_not_taken),
		cmocka_unit_test(two_sources_of_one_content_become_one_file),
		cmocka_unit_test(a_mapping_that_shows_another_file_now_is_not_taken_for_it),
		cmocka_unit_test(a_file_that_is_gone_is_still_known),
		cmocka_unit_test(a_file_nobody_can_open_keeps_its_name),
		cmocka_unit_test(descriptors_are_closed_after_a_while),
		cmocka_unit_test(what_is_not_used_makes_room),
		cmocka_unit_test(without_memory_a_file_is_just_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
