/* Names of compiled code: a /proc of our own, and a node that writes its own. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/files.h"
#include "agent/jit.h"
#include "agent/processes.h"
#include "base/clock.h"
#include "elf/elf.h"

#include "fixture.h"

struct place {
	const char *proc;
	struct files *files;
	struct jit *jit;
	struct process process;
};

static void set_status(const struct place *p, uint32_t uid, const char *pids)
{
	char text[128];
	(void)p;
	snprintf(text, sizeof(text), "Name:\tx\nUid:\t%u\t%u\t%u\t%u\nNSpid:\t%s\n", uid, uid, uid,
		 uid, pids);
	fixture_file(70, "status", text, -1);
}

static void write_map(const struct place *p, const char *file, const char *mode, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/70/root/tmp/%s", p->proc, file);
	FILE *map = fopen(path, mode);
	assert_non_null(map);
	assert_true(fputs(text, map) >= 0);
	assert_int_equal(fclose(map), 0);
}

static void begin(struct place *p, size_t budget)
{
	char path[256];
	*p = (struct place){.proc = fixture_make()};
	set_status(p, geteuid(), "70\t7");
	snprintf(path, sizeof(path), "mkdir -p %s/70/root/tmp", p->proc);
	assert_int_equal(system(path), 0);
	assert_int_equal(files_create(p->proc, 0, &p->files, NULL), 0);
	assert_int_equal(jit_create(p->files, budget, &p->jit, NULL), 0);
	p->process = (struct process){.pid = 70,
				      .look_pid = 70,
				      .born_ns = 1,
				      .maps = mappings_create()};
}

static void end(struct place *p)
{
	mappings_unref(p->process.maps);
	jit_destroy(p->jit);
	files_destroy(p->files);
	fixture_remove();
}

static void assert_name(struct place *p, uint64_t address, const char *expected)
{
	struct symbol_found found;
	assert_int_equal(jit_symbol(p->jit, &p->process, address, &found), expected != NULL);
	if (expected && !str_equal(found.name, str_of(expected)))
		fail_msg("%.*s", STR_ARG(found.name));
}

static void a_map_is_found_by_the_number_the_process_has_for_itself(void **state)
{
	struct place p;
	(void)state;
	begin(&p, 0);
	write_map(&p, "perf-70.map", "w", "100 10 wrong\n");
	write_map(&p, "perf-7.map", "w", "100 10 right\n");
	assert_name(&p, 0x100, "right");
	assert_name(&p, 0x200, NULL);
	end(&p);
}

/* /tmp is everybody's. */
static void a_map_of_another_user_is_not_believed(void **state)
{
	struct place p;
	(void)state;
	if (geteuid() != 0)
		skip();
	begin(&p, 0);
	write_map(&p, "perf-7.map", "w", "100 10 forged\n");
	char path[256];
	snprintf(path, sizeof(path), "%s/70/root/tmp/perf-7.map", p.proc);
	assert_int_equal(chown(path, 12345, 12345), 0);
	assert_name(&p, 0x100, NULL);
	end(&p);

	begin(&p, 0);
	set_status(&p, 12345, "70\t7");
	write_map(&p, "perf-7.map", "w", "100 10 root's\n");
	snprintf(path, sizeof(path), "%s/70/root/tmp/perf-7.map", p.proc);
	assert_int_equal(chmod(path, 0644), 0);
	assert_name(&p, 0x100, "root's"); /* nobody else could write it */
	end(&p);
}

/* What the process could not read itself, we do not read to it. */
static void a_map_that_only_root_may_read_is_for_processes_of_root(void **state)
{
	struct place p;
	char path[256];
	(void)state;
	if (geteuid() != 0)
		skip();
	for (uint32_t uid = 0; uid <= 12345; uid += 12345) {
		begin(&p, 0);
		set_status(&p, uid, "70\t7");
		write_map(&p, "perf-7.map", "w", "100 10 secret\n");
		snprintf(path, sizeof(path), "%s/70/root/tmp/perf-7.map", p.proc);
		assert_int_equal(chmod(path, 0640), 0);
		assert_name(&p, 0x100, uid == 0 ? "secret" : NULL);
		end(&p);
	}
}

static void a_map_that_is_a_link_is_not_read(void **state)
{
	struct place p;
	char path[256];
	(void)state;
	begin(&p, 0);
	write_map(&p, "key", "w", "100 10 secret\n");
	snprintf(path, sizeof(path), "%s/70/root/tmp/perf-7.map", p.proc);
	assert_int_equal(symlink("key", path), 0);
	assert_name(&p, 0x100, NULL);
	end(&p);
}

static void a_link_out_of_the_root_leads_nowhere(void **state)
{
	struct place p;
	char command[512];
	(void)state;
	begin(&p, 0);
	snprintf(command, sizeof(command),
		 "echo 100 10 outside > %s/map && ln -s %s/map %s/70/root/tmp/perf-7.map", p.proc,
		 p.proc, p.proc);
	assert_int_equal(system(command), 0);
	assert_name(&p, 0x100, NULL);
	end(&p);
}

static void an_unknown_address_is_not_looked_for_again_at_once(void **state)
{
	struct place p;
	(void)state;
	begin(&p, 0);
	write_map(&p, "perf-7.map", "w", "100 10 one\n");
	uint64_t begun_ns = clock_mono_ns();
	assert_name(&p, 0x100, "one");
	write_map(&p, "perf-7.map", "a", "200 10 two\n");
	struct symbol_found found;
	bool known = jit_symbol(p.jit, &p.process, 0x200, &found);
	if (clock_mono_ns() - begun_ns < NS_PER_S)
		assert_false(known);
	while (!known && clock_mono_ns() - begun_ns < 20ULL * NS_PER_S) {
		usleep(10000);
		known = jit_symbol(p.jit, &p.process, 0x200, &found);
	}
	assert_true(known);
	assert_name(&p, 0x100, "one");
	end(&p);
}

static void another_program_of_the_pid_has_its_own_names(void **state)
{
	struct place p;
	(void)state;
	begin(&p, 0);
	write_map(&p, "perf-7.map", "w", "100 10 old\n");
	assert_name(&p, 0x100, "old");
	write_map(&p, "perf-7.map", "w", "100 10 new\n");
	p.process.born_ns = 2;
	assert_name(&p, 0x100, "new");
	p.process.born_ns = 1;
	assert_name(&p, 0x100, NULL);
	p.process.born_ns = 2;
	assert_name(&p, 0x100, "new");
	jit_expire(p.jit, clock_mono_ns() + 3600ULL * NS_PER_S);
	assert_int_equal(jit_bytes(p.jit), 0);
	end(&p);
}

static void all_processes_together_keep_the_budget(void **state)
{
	enum { BUDGET = 64 << 10 };
	struct place p;
	char text[64], map[8192] = "";
	(void)state;
	begin(&p, BUDGET);
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "%x 10 function number %d\n", 0x1000 + i * 16, i);
		memcpy(map + strlen(map), text, strlen(text) + 1);
	}
	write_map(&p, "perf-7.map", "w", map);
	for (uint32_t pid = 100; pid < 140; pid++) {
		p.process.pid = pid;
		assert_name(&p, 0x1000, "function number 0");
		assert_true(jit_bytes(p.jit) <= BUDGET);
	}
	assert_true(jit_bytes(p.jit) > BUDGET / 2);
	end(&p);
}

static void how_v8_compiled_a_function_is_not_its_name(void **state)
{
	static const struct {
		const char *name, *shown;
	} cases[] = {
		{"JS:*fib /x.js:1:2", "fib /x.js:1:2"},
		{"LazyCompile:~fib /x.js:1:2", "fib /x.js:1:2"},
		{"JS:^a", "a"},
		{"JS:a", "a"},
		{"Script:~/x.js:1:1", "/x.js:1:1"},
		{"JS:* /x.js:1:2", "JS:* /x.js:1:2"},
		{"JS:", "JS:"},
		{"Builtin:ArrayMap", "Builtin:ArrayMap"},
		{"RegExp:a*", "RegExp:a*"},
		{"JS", "JS"},
	};
	struct place p;
	char text[1024] = "", line[128];
	(void)state;
	begin(&p, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(line, sizeof(line), "%zx 10 %s\n", 0x100 + i * 16, cases[i].name);
		memcpy(text + strlen(text), line, strlen(line) + 1);
	}
	write_map(&p, "perf-7.map", "w", text);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_name(&p, 0x100 + i * 16, cases[i].shown);
	end(&p);
}

/* ---- a real runtime ---- */

static const char program[] =
	"function busy_function(n) { return n < 2 ? n : busy_function(n - 1) + "
	"busy_function(n - 2); }"
	"busy_function(27); let i = 0; console.log('ready');"
	"setInterval(() => { const text = 'return n < 2 ? n : n + ' + i++;"
	"  const f = new Function('n', text); for (let k = 0; k < 3000; k++) f(k); }, 1);";

/* A node that says "ready" when its function was compiled; 0: there is no node. */
static pid_t start_node(const char *option, const char *dir)
{
	char line[64] = "";
	int out[2];
	if (system("command -v node >/dev/null"))
		return 0;
	assert_int_equal(pipe(out), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (chdir(dir) || dup2(out[1], 1) < 0)
			_exit(1);
		close(out[0]);
		execlp("node", "node", option, "-e", program, (char *)NULL);
		_exit(1);
	}
	close(out[1]);
	FILE *said = fdopen(out[0], "r");
	assert_non_null(fgets(line, sizeof(line), said));
	assert_string_equal(line, "ready\n");
	fclose(said);
	return pid;
}

static bool is_busy_function(struct jit *jit, const struct process *process,
			     const struct mapping *row)
{
	struct symbol_found found;
	for (uint64_t a = row->start; a < row->end; a += 32)
		if (jit_symbol(jit, process, a, &found) &&
		    str_starts_with(found.name, STR("busy_function ")))
			return true;
	return false;
}

/* Some address in anonymous memory of the process has that function's name. */
static bool any_address_is(struct jit *jit, const struct files *files,
			   const struct process *process)
{
	for (uint32_t i = 0; i < process->maps->count; i++) {
		const struct mapping *row = &process->maps->rows[i];
		if (files_is_memory(files, row->file) && row->end - row->start < 512 << 20 &&
		    is_busy_function(jit, process, row))
			return true;
	}
	return false;
}

/* V8 writes its jitdump when two megabytes came together, so it may take a while. */
static bool wait_for_name(struct processes *processes, struct files *files, pid_t pid)
{
	struct process_hint hint = {.pid = (uint32_t)pid, .tid = (uint32_t)pid, .comm = "node"};
	uint64_t begun_ns = clock_mono_ns();
	struct process *process = processes_get(processes, &hint);
	struct jit *jit;
	bool known = false;
	assert_non_null(process);
	assert_int_equal(jit_create(files, 0, &jit, NULL), 0);
	while (!known && clock_mono_ns() - begun_ns < 20ULL * NS_PER_S) {
		known = any_address_is(jit, files, process);
		if (!known)
			usleep(100000);
	}
	jit_destroy(jit);
	return known;
}

static void check_node(const char *option)
{
	struct processes_options options = {.proc = "/proc"};
	struct processes *processes;
	struct files *files;
	char dir[] = "/tmp/cresset-jit-XXXXXX", command[64];
	assert_non_null(mkdtemp(dir));
	pid_t pid = start_node(option, dir);
	if (pid > 0) {
		assert_int_equal(files_create("/proc", 0, &files, NULL), 0);
		assert_int_equal(processes_create(&options, files, &processes, NULL), 0);
		bool known = wait_for_name(processes, files, pid);
		processes_destroy(processes);
		files_destroy(files);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		snprintf(command, sizeof(command), "rm -f /tmp/perf-%d.map", pid);
		assert_int_equal(system(command), 0);
		assert_true(known);
	}
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
	if (pid == 0)
		skip();
}

static void nodes_perf_map_names_its_functions(void **state)
{
	(void)state;
	check_node("--perf-basic-prof");
}

static void nodes_jitdump_names_its_functions(void **state)
{
	(void)state;
	check_node("--perf-prof");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_map_is_found_by_the_number_the_process_has_for_itself),
		cmocka_unit_test(a_map_of_another_user_is_not_believed),
		cmocka_unit_test(a_map_that_only_root_may_read_is_for_processes_of_root),
		cmocka_unit_test(a_map_that_is_a_link_is_not_read),
		cmocka_unit_test(a_link_out_of_the_root_leads_nowhere),
		cmocka_unit_test(an_unknown_address_is_not_looked_for_again_at_once),
		cmocka_unit_test(another_program_of_the_pid_has_its_own_names),
		cmocka_unit_test(all_processes_together_keep_the_budget),
		cmocka_unit_test(how_v8_compiled_a_function_is_not_its_name),
		cmocka_unit_test(nodes_perf_map_names_its_functions),
		cmocka_unit_test(nodes_jitdump_names_its_functions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
