#include "samples.h"

#include <sys/stat.h>

/* A folder with files like those of /proc and /sys. */
struct fake_kernel {
	char dir[64], kallsyms[96], modules[96], sys[96];
};

static void write_file(const char *path, const char *text, size_t len)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	fclose(file);
}

static struct fake_kernel make_fake(const char *kallsyms, const char *modules)
{
	struct fake_kernel k = {.dir = "/tmp/cresset-kernel-XXXXXX"};
	char path[256];

	assert_non_null(mkdtemp(k.dir));
	snprintf(k.kallsyms, sizeof(k.kallsyms), "%s/kallsyms", k.dir);
	snprintf(k.modules, sizeof(k.modules), "%s/modules", k.dir);
	snprintf(k.sys, sizeof(k.sys), "%s/sys", k.dir);
	write_file(k.kallsyms, kallsyms, strlen(kallsyms));
	write_file(k.modules, modules, strlen(modules));
	snprintf(path, sizeof(path), "%s/kernel", k.sys);
	assert_int_equal(fd_make_dirs(path, 0755, NULL), 0);
	strcat(path, "/notes");
	write_file(path, "\4\0\0\0\2\0\0\0\3\0\0\0GNU\0\xab\xcd\0\0", 20);
	snprintf(path, sizeof(path), "%s/module/ext4/notes", k.sys);
	assert_int_equal(fd_make_dirs(path, 0755, NULL), 0);
	strcat(path, "/.note.gnu.build-id");
	write_file(path, "\4\0\0\0\2\0\0\0\3\0\0\0GNU\0\x12\x34\0\0", 20);
	return k;
}

static void remove_fake(const struct fake_kernel *k)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", k->dir);
	assert_int_equal(system(command), 0);
}

static const char small_kernel[] = "0000000000000000 A fixed_percpu_data\n"
				   "ffffffff81000000 T _stext\n"
				   "ffffffff81000000 T startup_64\n"
				   "ffffffff81000100 t helper\n"
				   "ffffffff81000100 T exported_helper\n"
				   "ffffffff81000200 T __x64_sys_read\n"
				   "ffffffff81000200 W weak_read\n"
				   "ffffffff81000300 T _etext\n"
				   "ffffffff82000000 R __start_rodata\n"
				   "ffffffff82000010 D some_data\n"
				   "ffffffff83000000 T init_function\n"
				   "ffffffffc0001000 t ext4_open\t[ext4]\n"
				   "ffffffffc0001080 T ext4_read\t[ext4]\n"
				   "ffffffffc0005000 d ext4_data\t[ext4]\n"
				   "ffffffffc0009000 t bpf_prog_6deef7357e7b4530_one\t[bpf]\n";
static const char small_modules[] = "ext4 8192 1 - Live 0xffffffffc0001000\n";

static void functions_are_found_with_module_and_size(void **state)
{
	static const struct {
		uint64_t address;
		const char *name, *module;
		uint64_t start, size;
	} cases[] = {
		{0xffffffff81000000, "startup_64", "vmlinux", 0xffffffff81000000, 0x100},
		{0xffffffff810000ff, "startup_64", "vmlinux", 0xffffffff81000000, 0x100},
		{0xffffffff81000150, "exported_helper", "vmlinux", 0xffffffff81000100, 0x100},
		{0xffffffff81000210, "weak_read", "vmlinux", 0xffffffff81000200, 0x100},
		{0xffffffffc0001000, "ext4_open", "ext4", 0xffffffffc0001000, 0x80},
		/* To the module's end, not to its data. */
		{0xffffffffc0001090, "ext4_read", "ext4", 0xffffffffc0001080, 0x1f80},
		{0xffffffffc0009001, "bpf_prog_6deef7357e7b4530_one", "bpf", 0xffffffffc0009000,
		 0x40000},
	};
	struct fake_kernel k = make_fake(small_kernel, small_modules);
	struct kernel_symbol s;
	struct kallsyms *kernel;

	(void)state;
	assert_int_equal(kallsyms_load_from(k.kallsyms, k.modules, k.sys, &kernel, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!kallsyms_find(kernel, cases[i].address, &s))
			fail_msg("%lx is lost", (unsigned long)cases[i].address);
		assert_text(s.name, cases[i].name);
		assert_text(s.module->name, cases[i].module);
		assert_true(s.start == cases[i].start);
		assert_true(s.size == cases[i].size);
	}
	kallsyms_free(kernel);
	remove_fake(&k);
}

static void addresses_outside_code_have_no_name(void **state)
{
	static const uint64_t addresses[] = {
		0,
		1,
		0xffffffff80ffffff,
		0xffffffff81000300,
		0xffffffff82000010,
		0xffffffffc0003000,
		0xffffffffc0005001,
		UINT64_MAX,
	};
	struct fake_kernel k = make_fake(small_kernel, small_modules);
	struct kernel_symbol s;
	struct kallsyms *kernel;

	(void)state;
	assert_int_equal(kallsyms_load_from(k.kallsyms, k.modules, k.sys, &kernel, NULL), 0);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		assert_false(kallsyms_find(kernel, addresses[i], &s));
	kallsyms_free(kernel);
	remove_fake(&k);
}

static void modules_have_start_size_and_build_id(void **state)
{
	struct fake_kernel k = make_fake(small_kernel, small_modules);
	struct kallsyms *kernel;

	(void)state;
	assert_int_equal(kallsyms_load_from(k.kallsyms, k.modules, k.sys, &kernel, NULL), 0);
	assert_int_equal(kallsyms_module_count(kernel), 3);
	const struct kernel_module *m = kallsyms_module_at(kernel, 0);
	assert_text(m->name, "vmlinux");
	assert_true(m->start == 0xffffffff81000000 && m->size == 0x300);
	assert_string_equal(m->build_id, "abcd");
	m = kallsyms_module_at(kernel, 1);
	assert_text(m->name, "ext4");
	assert_true(m->start == 0xffffffffc0001000 && m->size == 8192);
	assert_string_equal(m->build_id, "1234");
	assert_string_equal(kallsyms_module_at(kernel, 2)->build_id, "");
	assert_null(kallsyms_module_at(kernel, 3));
	kallsyms_free(kernel);
	remove_fake(&k);
}

static void a_new_module_is_seen_by_refresh_only_once(void **state)
{
	static const char more_modules[] = "ext4 8192 7 - Live 0xffffffffc0001000\n"
					   "dummy 4096 0 - Live 0xffffffffc0100000\n";
	struct fake_kernel k = make_fake(small_kernel, small_modules);
	struct kallsyms *kernel;
	struct kernel_symbol s;
	char text[1024];
	bool changed;

	(void)state;
	assert_int_equal(kallsyms_load_from(k.kallsyms, k.modules, k.sys, &kernel, NULL), 0);
	/* Only a reference count. */
	write_file(k.modules, more_modules, strcspn(more_modules, "\n") + 1);
	assert_int_equal(kallsyms_refresh(kernel, &changed, NULL), 0);
	assert_false(changed);
	snprintf(text, sizeof(text), "%sffffffffc0100000 t dummy_xmit\t[dummy]\n", small_kernel);
	write_file(k.kallsyms, text, strlen(text));
	write_file(k.modules, more_modules, strlen(more_modules));
	assert_int_equal(kallsyms_refresh(kernel, &changed, NULL), 0);
	assert_true(changed);
	assert_true(kallsyms_find(kernel, 0xffffffffc0100010, &s));
	assert_text(s.name, "dummy_xmit");
	assert_int_equal(kallsyms_refresh(kernel, &changed, NULL), 0);
	assert_false(changed);
	/* Taken out and in again, it is elsewhere. */
	snprintf(text, sizeof(text), "%s", more_modules);
	strstr(text, "c0100000")[2] = '2';
	write_file(k.modules, text, strlen(text));
	assert_int_equal(kallsyms_refresh(kernel, &changed, NULL), 0);
	assert_true(changed);
	kallsyms_free(kernel);
	remove_fake(&k);
}

/* A BPF program loaded while we run is in no list of modules. */
static void an_unknown_kernel_address_makes_refresh_read_anew(void **state)
{
	static const uint64_t program = 0xffffffffc0a00000;
	struct fake_kernel k = make_fake(small_kernel, small_modules);
	struct kallsyms *kernel;
	struct kernel_symbol s;
	char text[1024];
	bool changed;

	(void)state;
	assert_int_equal(kallsyms_load_from(k.kallsyms, k.modules, k.sys, &kernel, NULL), 0);
	snprintf(text, sizeof(text),
		 "%sffffffffc0a00000 t bpf_prog_6deef7357e7b4530_count\t[bpf]\n", small_kernel);
	write_file(k.kallsyms, text, strlen(text));
	assert_int_equal(kallsyms_refresh(kernel, &changed, NULL), 0);
	assert_false(changed);
	assert_false(kallsyms_find(kernel, 0x7f0000001000, &s)); /* no address of the kernel */
	kallsyms_set_reread(kernel, 0);
	assert_int_equal(kallsyms_refresh(kernel, &changed, NULL), 0);
	assert_false(changed);

	assert_false(kallsyms_find(kernel, program + 8, &s));
	kallsyms_set_reread(kernel, 3600 * UINT64_C(1000000000));
	assert_int_equal(kallsyms_refresh(kernel, &changed, NULL), 0);
	assert_false(changed);
	kallsyms_set_reread(kernel, 0);
	assert_int_equal(kallsyms_refresh(kernel, &changed, NULL), 0);
	assert_true(changed);
	assert_true(kallsyms_find(kernel, program + 8, &s));
	assert_text(s.name, "bpf_prog_6deef7357e7b4530_count");
	assert_text(s.module->name, "bpf");
	assert_int_equal(kallsyms_refresh(kernel, &changed, NULL), 0);
	assert_false(changed);
	kallsyms_free(kernel);
	remove_fake(&k);
}

static void hidden_addresses_are_said_with_the_cure(void **state)
{
	struct fake_kernel k =
		make_fake("0000000000000000 T _stext\n0000000000000000 t helper\n", small_modules);
	struct kallsyms *kernel;
	struct err err = {0};

	(void)state;
	assert_int_equal(kallsyms_load_from(k.kallsyms, k.modules, k.sys, &kernel, &err),
			 ERR_DENIED);
	assert_non_null(strstr(err.text, "CAP_SYSLOG"));
	assert_non_null(strstr(err.text, "kptr_restrict"));
	remove_fake(&k);
}

static void a_failed_refresh_keeps_the_old_table(void **state)
{
	struct fake_kernel k = make_fake(small_kernel, small_modules);
	struct kallsyms *kernel;
	struct kernel_symbol s;
	bool changed;

	(void)state;
	assert_int_equal(kallsyms_load_from(k.kallsyms, k.modules, k.sys, &kernel, NULL), 0);
	write_file(k.kallsyms, "", 0);
	write_file(k.modules, "", 0);
	assert_int_equal(kallsyms_refresh(kernel, &changed, NULL), ERR_NOT_FOUND);
	assert_false(changed);
	assert_true(kallsyms_find(kernel, 0xffffffff81000000, &s));
	kallsyms_free(kernel);
	remove_fake(&k);
}

static void lines_that_are_none_are_passed_over(void **state)
{
	struct fake_kernel k = make_fake("\n \nzzz T bad\nffffffff81000000\nffffffff81000000 T\n"
					 "ffffffff81000000 TT x\n11111111111111111 T long\n"
					 "ffffffff81000000 T good\nffffffff81000010 T cut_off",
					 "short\n\n");
	struct kallsyms *kernel;

	(void)state;
	assert_int_equal(kallsyms_load_from(k.kallsyms, k.modules, NULL, &kernel, NULL), 0);
	assert_int_equal(kallsyms_count(kernel), 1);
	kallsyms_free(kernel);
	assert_int_equal(kallsyms_load_from("/no/such/file", NULL, NULL, &kernel, NULL),
			 ERR_NOT_FOUND);
	remove_fake(&k);
}

static void loading_the_kernel_runs_short_of_memory_without_harm(void **state)
{
	struct fake_kernel k = make_fake(small_kernel, small_modules);
	unsigned failed = 0;
	int rc = ERR_NOMEM;

	(void)state;
	for (uint64_t nth = 1; rc; nth++) {
		struct kallsyms *kernel = NULL;
		mem_fail_nth(nth);
		rc = kallsyms_load_from(k.kallsyms, k.modules, k.sys, &kernel, NULL);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		failed += rc != 0;
		kallsyms_free(kernel);
	}
	assert_true(failed >= 6);
	remove_fake(&k);
}

/* Any name that the file gives for the address will do: the best of them is a matter of taste. */
static bool file_names(uint64_t address, struct str name)
{
	static char lines[1 << 23];
	static size_t len;
	char key[20];
	struct str rest, line;

	if (len == 0) {
		FILE *file = fopen("/proc/kallsyms", "re");
		assert_non_null(file);
		len = fread(lines, 1, sizeof(lines), file);
		fclose(file);
	}
	snprintf(key, sizeof(key), "%016lx", (unsigned long)address);
	rest = str_make(lines, len);
	while (str_next(&rest, '\n', &line)) {
		if (!str_starts_with(line, str_of(key)))
			continue;
		struct str text = str_sub(line, 19, line.len);
		ptrdiff_t tab = str_find_char(text, '\t');
		if (str_equal(tab < 0 ? text : str_sub(text, 0, (size_t)tab), name))
			return true;
	}
	return false;
}

static void the_running_kernel_is_read(void **state)
{
	struct kallsyms *kernel;
	struct err err = {0};
	char line[512], type;
	unsigned long address;
	unsigned seen = 0, compared = 0;
	int rc = kallsyms_load(&kernel, &err);

	(void)state;
	if (rc == ERR_DENIED || rc == ERR_NOT_FOUND) {
		print_message("SKIP: %s\n", err.text);
		skip();
	}
	assert_int_equal(rc, 0);
	assert_true(kallsyms_count(kernel) > 10000);
	assert_true(kallsyms_bytes(kernel) < 50 * (size_t)kallsyms_count(kernel));
	assert_true(strlen(kallsyms_module_at(kernel, 0)->build_id) >= 32);
	FILE *file = fopen("/proc/kallsyms", "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		struct kernel_symbol s;
		if (sscanf(line, "%lx %c", &address, &type) != 2 || !strchr("tT", type) ||
		    strstr(line, " _etext\n"))
			continue;
		if (seen++ % 997 != 0)
			continue;
		assert_true(kallsyms_find(kernel, address, &s));
		assert_true(s.start == address);
		assert_true(file_names(address, s.name));
		compared++;
	}
	fclose(file);
	assert_true(compared > 10);
	kallsyms_free(kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_are_found_with_module_and_size),
		cmocka_unit_test(addresses_outside_code_have_no_name),
		cmocka_unit_test(modules_have_start_size_and_build_id),
		cmocka_unit_test(a_new_module_is_seen_by_refresh_only_once),
		cmocka_unit_test(an_unknown_kernel_address_makes_refresh_read_anew),
		cmocka_unit_test(hidden_addresses_are_said_with_the_cure),
		cmocka_unit_test(a_failed_refresh_keeps_the_old_table),
		cmocka_unit_test(lines_that_are_none_are_passed_over),
		cmocka_unit_test(loading_the_kernel_runs_short_of_memory_without_harm),
		cmocka_unit_test(the_running_kernel_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
