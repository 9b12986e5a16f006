#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/files.h"
#include "agent/processes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fixture.h"

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char shell_maps[] = "1000-2000 r--p 00000000 fe:01 1 /bin/sh\n"
				 "2000-3000 r-xp 00001000 fe:01 1 /bin/sh\n"
				 "8000-9000 r-xp 00000000 00:00 0 [vdso]\n";

struct world {
	struct processes_options options;
	struct files *files;
	struct processes *processes;
	uint64_t now_ns;
};

static void open_world(struct world *w)
{
	*w = (struct world){
		.options = {.proc = fixture_make(), .env_names = {{"REGION", 6}}, .env_count = 1}};
	assert_int_equal(files_create(w->options.proc, 0, &w->files, NULL), 0);
	assert_int_equal(processes_create(&w->options, w->files, &w->processes, NULL), 0);
}

static void close_world(struct world *w)
{
	processes_destroy(w->processes);
	files_destroy(w->files);
	fixture_remove();
}

/* Events happen after everything that was read from /proc so far. */
static uint64_t tick(struct world *w)
{
	uint64_t now_ns = clock_mono_ns();
	w->now_ns = now_ns > w->now_ns ? now_ns : w->now_ns + 1;
	return w->now_ns;
}

static void fork_event(struct world *w, uint32_t parent, uint32_t child)
{
	struct event e = {.kind = EVENT_FORK,
			  .time_ns = tick(w),
			  .pid = child,
			  .tid = child,
			  .parent_pid = parent};
	processes_apply(w->processes, &e);
}

static void exec_event(struct world *w, uint32_t pid, const char *comm)
{
	struct event e = {.kind = EVENT_COMM,
			  .time_ns = tick(w),
			  .pid = pid,
			  .tid = pid,
			  .exec = true,
			  .name = str_of(comm)};
	processes_apply(w->processes, &e);
}

static void mmap_event(struct world *w, uint32_t pid, uint64_t start, const char *path)
{
	struct event e = {.kind = EVENT_MMAP,
			  .time_ns = tick(w),
			  .pid = pid,
			  .tid = pid,
			  .start = start,
			  .size = 0x1000,
			  .inode = start,
			  .name = str_of(path)};
	processes_apply(w->processes, &e);
}

static void exit_event(struct world *w, uint32_t pid, uint32_t tid)
{
	struct event e = {.kind = EVENT_EXIT, .time_ns = tick(w), .pid = pid, .tid = tid};
	processes_apply(w->processes, &e);
}

static const char *name_of(const struct process *process)
{
	static char name[256];
	process_name(process, name, sizeof(name));
	return name;
}

static struct process *get(struct world *w, uint32_t pid)
{
	const struct process_hint hint = {.pid = pid, .tid = pid, .comm = "thread-name"};
	struct process *process = processes_get(w->processes, &hint);
	assert_non_null(process);
	return process;
}

static struct process *get_thread(struct world *w, uint32_t pid, uint32_t tid)
{
	const struct process_hint hint = {.pid = pid, .tid = tid, .comm = "thread-name"};
	struct process *process = processes_get(w->processes, &hint);
	assert_non_null(process);
	return process;
}

static void running_processes_are_read_from_proc(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh (deleted)", shell_maps,
			"OTEL_SERVICE_NAME=shop\0REGION=eu\0", 34);
	fixture_file(7, "cgroup", "0::/docker/" ID64 "\n", -1);
	fixture_kernel_thread(12, "kworker/1:2");
	assert_int_equal(processes_scan(w.processes, NULL), 0);

	struct process *sh = get(&w, 7);
	assert_string_equal(name_of(sh), "sh");
	assert_string_equal(sh->identity->exe_path, "/bin/sh");
	assert_string_equal(sh->identity->service_name, "shop");
	assert_string_equal(sh->identity->env[0], "eu");
	assert_string_equal(sh->identity->container_id, ID64);
	assert_int_equal(sh->maps->count, 2);
	assert_int_equal(mappings_find(sh->maps, 0x2010)->offset, 0x1000);
	assert_int_equal(mappings_find(sh->maps, 0x8010)->file, FILE_VDSO);
	assert_null(mappings_find(sh->maps, 0x1010));

	struct process *worker = get(&w, 12);
	assert_true(worker->kernel_thread);
	assert_string_equal(name_of(worker), "[kworker]");
	assert_string_equal(worker->comm, "kworker/1:2");
	close_world(&w);
}

static void a_child_is_its_parent_until_it_execs(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, "OTEL_SERVICE_NAME=shop", 22);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	fork_event(&w, 7, 8);
	struct process *child = get(&w, 8), *parent = get(&w, 7);
	assert_string_equal(name_of(child), "sh");
	assert_ptr_equal(child->maps, parent->maps);
	assert_ptr_equal(child->identity, parent->identity);

	exec_event(&w, 8, "cc1plus-long-na");
	mmap_event(&w, 8, 0x5000, "/usr/lib/gcc/cc1plus-long-name");
	mmap_event(&w, 8, 0x7000, "/lib/ld.so");
	struct process *compiler = get(&w, 8);
	assert_ptr_not_equal(compiler, child);
	assert_true(child->ended);
	assert_string_equal(name_of(child), "sh");
	assert_string_equal(name_of(compiler), "cc1plus-long-name");
	assert_string_equal(compiler->identity->service_name, "shop");
	assert_int_equal(compiler->maps->count, 2);
	assert_null(mappings_find(compiler->maps, 0x2010));
	assert_non_null(mappings_find(parent->maps, 0x2010));
	close_world(&w);
}

static void a_process_that_is_gone_before_we_look_keeps_the_name_events_gave(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	fork_event(&w, 7, 8);
	exec_event(&w, 8, "short");
	mmap_event(&w, 8, 0x5000, "/opt/short-lived (deleted)");
	exit_event(&w, 8, 8);
	struct process *gone = get(&w, 8);
	processes_want_identity(w.processes, gone);
	processes_read_waiting(w.processes);
	assert_string_equal(name_of(gone), "short-lived");
	assert_string_equal(gone->identity->exe_path, "/opt/short-lived");
	close_world(&w);
}

static void who_a_process_is_is_read_after_its_first_sample(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	fork_event(&w, 7, 8);
	exec_event(&w, 8, "app");
	fixture_process(8, 7, "app", "/srv/app", "", "OTEL_SERVICE_NAME=web\0", 22);
	processes_want_identity(w.processes, get(&w, 8));
	processes_want_identity(w.processes, get(&w, 8));
	processes_read_waiting(w.processes);
	assert_string_equal(get(&w, 8)->identity->service_name, "web");
	assert_string_equal(get(&w, 8)->identity->exe_path, "/srv/app");
	close_world(&w);
}

static void a_pid_that_execs_while_waiting_is_not_read_twice(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	fork_event(&w, 7, 8);
	fork_event(&w, 7, 9);
	struct process *before = get(&w, 8);
	processes_want_identity(w.processes, before);
	processes_want_identity(w.processes, get(&w, 9));
	exec_event(&w, 8, "app");
	fixture_process(8, 7, "app", "/srv/app", "", NULL, 0);
	processes_read_waiting(w.processes);
	assert_string_equal(name_of(before), "sh");
	processes_purge(w.processes, UINT64_MAX);
	assert_string_equal(name_of(get(&w, 8)), "app");
	close_world(&w);
}

static void ended_processes_are_explained_until_they_are_purged(void **state)
{
	struct world w;
	struct processes_stats stats;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	fork_event(&w, 7, 8);
	exit_event(&w, 8, 9); /* one of its threads */
	assert_int_equal(get(&w, 8)->end_ns, 0);
	exit_event(&w, 8, 8);
	uint64_t end_ns = get(&w, 8)->end_ns;
	processes_purge(w.processes, end_ns);
	assert_string_equal(name_of(get(&w, 8)), "sh");
	processes_purge(w.processes, end_ns + 1);
	processes_get_stats(w.processes, &stats);
	assert_int_equal(stats.processes, 1);
	assert_string_equal(name_of(get(&w, 8)), "thread-name");
	close_world(&w);
}

static void a_pid_is_used_again_by_another_process(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	fixture_process(6, 1, "init", "/sbin/init", "", NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	fork_event(&w, 7, 8);
	struct process *first = get(&w, 8);
	exit_event(&w, 8, 8);
	fork_event(&w, 6, 8);
	assert_ptr_not_equal(get(&w, 8), first);
	assert_string_equal(name_of(get(&w, 8)), "init");
	assert_string_equal(name_of(first), "sh");
	close_world(&w);
}

static void a_thread_is_no_process(void **state)
{
	struct world w;
	struct processes_stats stats;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	struct event e = {.kind = EVENT_FORK,
			  .time_ns = tick(&w),
			  .pid = 7,
			  .tid = 70,
			  .parent_pid = 7};
	processes_apply(w.processes, &e);
	processes_get_stats(w.processes, &stats);
	assert_int_equal(stats.processes, 1);
	close_world(&w);
}

static void events_older_than_what_proc_said_change_nothing(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	struct event e = {.kind = EVENT_MMAP,
			  .time_ns = clock_mono_ns(),
			  .pid = 7,
			  .tid = 7,
			  .start = 0x2000,
			  .size = 0x1000,
			  .name = str_of("/old")};
	struct event exec = {.kind = EVENT_COMM,
			     .time_ns = e.time_ns,
			     .pid = 7,
			     .tid = 7,
			     .exec = true};
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	uint32_t file = mappings_find(get(&w, 7)->maps, 0x2000)->file;
	processes_apply(w.processes, &exec);
	processes_apply(w.processes, &e);
	assert_int_equal(mappings_find(get(&w, 7)->maps, 0x2000)->file, file);
	assert_string_equal(name_of(get(&w, 7)), "sh");
	close_world(&w);
}

/* An address out of nowhere made us read the maps, while the exec was still waiting to be applied. */
static void maps_that_are_newer_than_an_exec_do_not_hide_it(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	fork_event(&w, 7, 8);
	struct event exec = {.kind = EVENT_COMM,
			     .time_ns = tick(&w),
			     .pid = 8,
			     .tid = 8,
			     .exec = true,
			     .name = STR("app")};
	fixture_process(8, 7, "app", "/srv/app", "5000-6000 r-xp 00000000 fe:01 9 /srv/app\n", NULL,
			0);
	assert_non_null(processes_mapping(w.processes, get(&w, 8), 0x5010));
	processes_apply(w.processes, &exec);
	mmap_event(&w, 8, 0x5000, "/srv/app");
	assert_string_equal(name_of(get(&w, 8)), "app");
	assert_non_null(mappings_find(get(&w, 8)->maps, 0x5010));
	close_world(&w);
}

/* It ended while its events still waited to be applied, and one of its addresses made us ask /proc. */
static void a_process_that_has_ended_is_what_its_events_say(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	fork_event(&w, 7, 8);
	exec_event(&w, 8, "app");
	struct event map = {.kind = EVENT_MMAP,
			    .time_ns = clock_mono_ns(),
			    .pid = 8,
			    .tid = 8,
			    .start = 0x5000,
			    .size = 0x1000,
			    .name = STR("/srv/app")};
	assert_null(processes_mapping(w.processes, get(&w, 8), 0x5010));
	processes_apply(w.processes, &map);
	assert_non_null(mappings_find(get(&w, 8)->maps, 0x5010));
	close_world(&w);
}

/* Ended, and its parent has not waited for it yet. */
static void empty_maps_hide_nothing(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	fork_event(&w, 7, 8);
	fixture_process(8, 7, "sh", "/bin/sh", "", NULL, 0);
	assert_null(processes_mapping(w.processes, get(&w, 8), 0x7777000));
	assert_non_null(mappings_find(get(&w, 8)->maps, 0x2010));
	close_world(&w);
}

static void the_first_mapping_names_the_program_though_maps_are_newer(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	fork_event(&w, 7, 8);
	exec_event(&w, 8, "app");
	struct event map = {.kind = EVENT_MMAP,
			    .time_ns = clock_mono_ns(),
			    .pid = 8,
			    .tid = 8,
			    .start = 0x5000,
			    .size = 0x1000,
			    .name = STR("/srv/app")};
	fixture_process(8, 7, "app", "/srv/app", "5000-6000 r-xp 00000000 fe:01 9 /srv/app\n", NULL,
			0);
	assert_non_null(processes_mapping(w.processes, get(&w, 8), 0x5010));
	processes_apply(w.processes, &map);
	mmap_event(&w, 8, 0x6000, "/lib/liba.so");
	assert_string_equal(name_of(get(&w, 8)), "app");
	close_world(&w);
}

static void a_process_nobody_knows_gets_the_name_of_its_thread(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	assert_string_equal(name_of(get(&w, 99)), "thread-name");
	const struct process_hint rcu = {100, 100, "rcu/3", true},
				  idle = {0, 0, "swapper/0", false};
	assert_string_equal(name_of(processes_get(w.processes, &rcu)), "[rcu]");
	assert_string_equal(name_of(processes_get(w.processes, &idle)), "[idle]");
	close_world(&w);
}

/* /proc/PID of such a process is a zombie: no exe, no maps. */
static void a_process_whose_first_thread_ended_is_read_through_another(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "server", "/srv/server", "", NULL, 0);
	fixture_process(9, 1, "worker", "/srv/server", shell_maps, "OTEL_SERVICE_NAME=shop", 22);
	char exe[256];
	snprintf(exe, sizeof(exe), "%s/7/exe", w.options.proc);
	assert_int_equal(unlink(exe), 0);
	struct process *server = get_thread(&w, 7, 9);
	assert_string_equal(name_of(server), "server");
	assert_string_equal(server->identity->service_name, "shop");
	assert_int_equal(server->look_pid, 9);
	assert_int_equal(server->maps->count, 2);
	close_world(&w);
}

static void the_end_of_the_first_thread_turns_to_the_one_that_is_sampled(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	assert_int_equal(get_thread(&w, 7, 9)->look_pid, 7);
	exit_event(&w, 7, 7);
	assert_int_equal(get_thread(&w, 7, 9)->look_pid, 9);
	uint64_t before_ns = tick(&w);
	exit_event(&w, 7, 9); /* so it lived until now */
	processes_purge(w.processes, before_ns);
	assert_string_equal(name_of(get_thread(&w, 7, 10)), "sh");
	close_world(&w);
}

static void a_child_that_is_gone_takes_after_its_parent(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	fixture_process(1, 0, "init", "/sbin/init", shell_maps, NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	fork_event(&w, 1, 7);
	exec_event(&w, 7, "make");
	mmap_event(&w, 7, 0x5000, "/usr/bin/make");
	fixture_process(7, 1, "make", "/usr/bin/make", shell_maps, "OTEL_SERVICE_NAME=build", 23);
	fork_event(&w, 7, 8); /* no sample of make before */
	fork_event(&w, 7, 9);
	exec_event(&w, 9, "cc");
	mmap_event(&w, 9, 0x5000, "/usr/bin/cc");
	processes_want_identity(w.processes, get(&w, 8));
	processes_want_identity(w.processes, get(&w, 9));
	processes_read_waiting(w.processes);
	assert_string_equal(name_of(get(&w, 8)), "make");
	assert_string_equal(get(&w, 8)->identity->service_name, "build");
	assert_string_equal(name_of(get(&w, 9)), "cc");
	assert_string_equal(get(&w, 9)->identity->service_name, "build");
	close_world(&w);
}

static void lost_event(struct world *w)
{
	struct event e = {.kind = EVENT_LOST, .time_ns = tick(w), .lost = 3};
	processes_apply(w->processes, &e);
}

static void after_lost_events_proc_is_asked_anew(void **state)
{
	struct world w;
	struct processes_stats stats;
	(void)state;
	open_world(&w);
	fixture_process(7, 1, "sh", "/bin/sh", shell_maps, NULL, 0);
	fixture_process(8, 1, "gone", "/bin/gone", shell_maps, NULL, 0);
	assert_int_equal(processes_scan(w.processes, NULL), 0);
	fixture_process(7, 1, "app", "/srv/app", "5000-6000 r-xp 00000000 fe:01 9 /srv/app\n", NULL,
			0);
	fixture_gone(8);
	assert_string_equal(name_of(get(&w, 7)), "sh");
	lost_event(&w);
	assert_string_equal(name_of(get(&w, 7)), "app");
	assert_non_null(mappings_find(get(&w, 7)->maps, 0x5010));
	processes_purge(w.processes, 1); /* sees that 8 ended */
	processes_purge(w.processes, UINT64_MAX);
	processes_get_stats(w.processes, &stats);
	assert_int_equal(stats.processes, 1);
	assert_int_equal(stats.lost_events, 3);
	close_world(&w);
}

static void proc_that_cannot_be_read_is_an_error(void **state)
{
	struct world w;
	struct err err = {0};
	(void)state;
	open_world(&w);
	w.options.proc = "/nowhere/at/all";
	assert_int_equal(processes_scan(w.processes, &err), ERR_NOT_FOUND);
	assert_true(str_find(str_of(err.text), STR("/nowhere/at/all")) > 0);
	close_world(&w);
}

/* The whole story with the nth request for memory failing: nothing crashes, leaks or is left half. */
static void shortness_of_memory_only_loses_knowledge(void **state)
{
	(void)state;
	for (uint64_t nth = 1; nth < 60; nth++) {
		struct world w;
		open_world(&w);
		fixture_process(7, 1, "sh", "/bin/sh", shell_maps, "OTEL_SERVICE_NAME=shop", 22);
		mem_fail_nth(nth);
		(void)!processes_scan(w.processes, NULL);
		fork_event(&w, 7, 8);
		exec_event(&w, 8, "app");
		mmap_event(&w, 8, 0x5000, "/srv/app");
		const struct process_hint app = {8, 8, "app", false};
		struct process *p = processes_get(w.processes, &app);
		if (p)
			processes_want_identity(w.processes, p);
		processes_read_waiting(w.processes);
		exit_event(&w, 8, 8);
		mem_fail_nth(0);
		processes_purge(w.processes, UINT64_MAX);
		close_world(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(running_processes_are_read_from_proc),
		cmocka_unit_test(a_child_is_its_parent_until_it_execs),
		cmocka_unit_test(a_process_that_is_gone_before_we_look_keeps_the_name_events_gave),
		cmocka_unit_test(who_a_process_is_is_read_after_its_first_sample),
		cmocka_unit_test(a_pid_that_execs_while_waiting_is_not_read_twice),
		cmocka_unit_test(ended_processes_are_explained_until_they_are_purged),
		cmocka_unit_test(a_pid_is_used_again_by_another_process),
		cmocka_unit_test(a_thread_is_no_process),
		cmocka_unit_test(events_older_than_what_proc_said_change_nothing),
		cmocka_unit_test(maps_that_are_newer_than_an_exec_do_not_hide_it),
		cmocka_unit_test(a_process_that_has_ended_is_what_its_events_say),
		cmocka_unit_test(empty_maps_hide_nothing),
		cmocka_unit_test(the_first_mapping_names_the_program_though_maps_are_newer),
		cmocka_unit_test(a_process_nobody_knows_gets_the_name_of_its_thread),
		cmocka_unit_test(a_process_whose_first_thread_ended_is_read_through_another),
		cmocka_unit_test(the_end_of_the_first_thread_turns_to_the_one_that_is_sampled),
		cmocka_unit_test(a_child_that_is_gone_takes_after_its_parent),
		cmocka_unit_test(after_lost_events_proc_is_asked_anew),
		cmocka_unit_test(proc_that_cannot_be_read_is_an_error),
		cmocka_unit_test(shortness_of_memory_only_loses_knowledge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
