/* Programs that know their own stacks, and the real agent that has to see the
 * same. Needs root. CHAINS_ONLY=TEXT runs those whose "PROGRAM CASE" holds it;
 * CHAINS_SECONDS is the CPU time of each (default 1.1);
 * CHAINS_VERBOSE=1 prints the wrong stacks of good ones, too. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "base/clock.h"
#include "elf/elf.h"
#include "thread_root.h"
#include "verdict.h"

enum { HZ = 997, RUNS_MAX = 256, LINE_MAX_BYTES = 160, WRONG_SHOWN = 3 };

static const double whole_bound = 0.995, right_bound = 0.99;
/* Part of a program's CPU time that must be within its windows and sampled. */
static const double sampled_bound = 0.2;

enum kind { JUDGED, STRIPPED, REHEARSAL /* not judged */ };

struct group {
	const char *program; /* in the directory of programs */
	const char *cases;   /* separated by spaces */
	enum kind kind;
};

static const char all[] =
	"plain deep10 deep100 deep1000 tail callbacks alloca realign cold prologue library inline "
	"signal altstack nested timer vfork threads memfd clock kernel faults storm jit "
	"coroutine dlopen asm";
static const char static_ones[] = "plain alloca signal timer threads clock storm coroutine";
/* Debian's musl has no unwind information and no frame pointers: not through its functions. */
static const char musl_ones[] = "plain deep1000 alloca signal timer vfork threads storm";
static const char objects[] = "virtual callbacks exceptions throw thread";

/* Inlined functions are looked up beside the sampling, and are there as soon as that is done: so they are asked
 * for at the beginning, and judged at the end. */
static const struct group groups[] = {
	{"c-gcc-debug", "inline", REHEARSAL},
	{"c-gcc-debuglink", "inline", REHEARSAL},
	{"c-gcc-debug-frame", "inline", REHEARSAL},
	{"c-gcc-O2", all, JUDGED},
	{"c-gcc-O0", "plain tail alloca realign prologue timer threads", JUDGED},
	{"c-gcc-O1", "plain deep100 signal", JUDGED},
	{"c-gcc-O3", "plain alloca library", JUDGED},
	{"c-gcc-Os", "plain alloca signal", JUDGED},
	{"c-gcc-fp", "plain signal", JUDGED},
	{"c-gcc-omit", "plain alloca realign prologue", JUDGED},
	{"c-gcc-lto", "plain deep100 signal", JUDGED},
	{"c-gcc-partition", "cold plain", JUDGED},
	{"c-gcc-nopie", "plain callbacks signal", JUDGED},
	{"c-gcc-static", static_ones, JUDGED},
	{"c-gcc-static-pie", "plain timer threads storm", JUDGED},
	{"c-gcc-stripped", "plain deep100 signal threads", STRIPPED},
	{"c-gcc-exported", "plain deep100 callbacks", JUDGED},
	{"c-gcc-debug", "plain deep100", JUDGED},
	{"c-gcc-debug-frame", "plain signal", JUDGED},
	{"c-clang-O0", "plain alloca signal", JUDGED},
	{"c-clang-O2",
	 "plain deep1000 tail callbacks alloca realign cold prologue signal altstack timer",
	 JUDGED},
	{"c-musl", musl_ones, JUDGED},
	{"c-musl-stripped", "plain signal", STRIPPED},
	{"cpp-gcc-O0", "virtual exceptions thread", JUDGED},
	{"cpp-gcc-O2", objects, JUDGED},
	{"cpp-gcc-O3", "virtual exceptions", JUDGED},
	{"cpp-gcc-static", "exceptions throw thread", JUDGED},
	{"cpp-clang-O2", "virtual exceptions throw", JUDGED},
	{"rust-release", "plain sort threads panics", JUDGED},
	{"rust-v0", "plain sort panics", JUDGED},
	{"rust-abort", "plain sort threads", JUDGED},
	{"rust-debug", "plain panics", JUDGED},
	{"go", "plain deep calls routines", JUDGED},
	{"go-stripped", "plain deep calls routines", JUDGED},
	{"c-gcc-debug", "inline", JUDGED},
	{"c-gcc-debuglink", "inline plain", JUDGED},
	{"c-gcc-debug-frame", "inline", JUDGED},
};

struct run {
	const struct group *group;
	char name[48]; /* the case */
	pid_t pid;     /* 0: not running */
	int output_fd;
	struct chain_story story;
	struct verdict verdict;
};

static const char *programs;
static struct run runs[RUNS_MAX];
static size_t run_count;
static struct stacks stacks;

/* ---- running ---- */

static const char *seconds(void)
{
	const char *text = getenv("CHAINS_SECONDS");
	return text ? text : "1.1";
}

static bool is_wanted(const struct group *group, struct str name)
{
	char line[LINE_MAX_BYTES];
	const char *only = getenv("CHAINS_ONLY");
	snprintf(line, sizeof(line), "%s %.*s", group->program, STR_ARG(name));
	return !only || strstr(line, only);
}

static void list_runs(void)
{
	for (size_t g = 0; g < sizeof(groups) / sizeof(*groups); g++) {
		struct str rest = str_of(groups[g].cases), name;
		while (str_next(&rest, ' ', &name)) {
			if (!is_wanted(&groups[g], name))
				continue;
			assert_true(run_count < RUNS_MAX);
			struct run *run = &runs[run_count++];
			run->group = &groups[g];
			str_copy(run->name, sizeof(run->name), name);
		}
	}
}

static void start_run(struct run *run)
{
	char path[4096], output[] = "/tmp/cresset-chains-XXXXXX";
	snprintf(path, sizeof(path), "%s/%s", programs, run->group->program);
	run->output_fd = mkostemp(output, O_APPEND | O_CLOEXEC);
	assert_true(run->output_fd >= 0);
	unlink(output);
	run->pid = fork();
	if (run->pid == 0) {
		dup2(run->output_fd, STDOUT_FILENO);
		execl(path, path, run->name, seconds(), NULL);
		_exit(127);
	}
	assert_true(run->pid > 0);
}

static char *whole_file(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	assert_true(size >= 0);
	char *text = calloc(1, (size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)size, 0), size);
	return text;
}

static void finish_run(struct run *run, int status)
{
	struct str line;
	if (status != 0)
		fail_msg("%s %s ended with status %#x", run->group->program, run->name, status);
	if (!chain_story_parse(whole_file(run->output_fd), &run->story, &line))
		fail_msg("%s %s said \"%.*s\"", run->group->program, run->name, STR_ARG(line));
	close(run->output_fd);
	run->pid = 0;
}

/* Only for our own: the agent has children, too. */
static void wait_for_one(void)
{
	for (;;) {
		for (size_t i = 0; i < run_count; i++) {
			int status;
			if (runs[i].pid && waitpid(runs[i].pid, &status, WNOHANG) == runs[i].pid) {
				finish_run(&runs[i], status);
				return;
			}
		}
		clock_sleep_until_ns(clock_mono_ns() + 5 * NS_PER_MS);
	}
}

/* Until then the agent is busy with the programs of this host that it finds. */
static void wait_for_first_batch(void)
{
	for (size_t count = 0; count == 0;) {
		clock_sleep_until_ns(clock_mono_ns() + 50 * NS_PER_MS);
		pthread_mutex_lock(&stacks.lock);
		count = stacks.count;
		pthread_mutex_unlock(&stacks.lock);
	}
}

static void run_all(void)
{
	long at_once = sysconf(_SC_NPROCESSORS_ONLN), running = 0;
	for (size_t i = 0; i < run_count; i++) {
		if (running == at_once) {
			wait_for_one();
			running--;
		}
		start_run(&runs[i]);
		running++;
	}
	for (; running > 0; running--)
		wait_for_one();
}

/* ---- judging ---- */

static uint64_t entry_of(const char *program)
{
	char path[4096];
	struct elf_file *file;
	struct err err = {0};
	snprintf(path, sizeof(path), "%s/%s", programs, program);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || elf_open(fd, &file, &err))
		fail_msg("%s: %s", path, err.text);
	uint64_t entry = elf_info(file)->entry;
	elf_close(file);
	close(fd);
	return entry;
}

static bool is_good(const struct verdict *v)
{
	return (double)v->samples >= sampled_bound * atof(seconds()) * HZ &&
	       verdict_share(v->whole, v->samples) >= whole_bound &&
	       verdict_share(v->right, v->samples) >= right_bound;
}

static bool judge_run(struct run *run, uint64_t root)
{
	const struct chain_judge judge = {&stacks, run->group->program,
					  run->group->kind == STRIPPED,
					  entry_of(run->group->program), root};
	run->verdict = verdict_of(&judge, &run->story);
	const struct verdict *v = &run->verdict;
	bool good = is_good(v);
	printf("%-18s %-11s %7lu %8.2f %8.2f %8.2f%s\n", run->group->program, run->name,
	       (unsigned long)v->samples, 100 * verdict_share(v->whole, v->samples),
	       100 * verdict_share(v->right, v->samples), 100 * verdict_share(v->named, v->frames),
	       run->group->kind == REHEARSAL ? "  (rehearsal)"
	       : good			     ? ""
					     : "  <-- too few");
	if ((!good && run->group->kind != REHEARSAL) || getenv("CHAINS_VERBOSE"))
		verdict_print_wrong(&judge, &run->story, WRONG_SHOWN);
	chain_story_free(&run->story);
	return good || run->group->kind == REHEARSAL;
}

static void stacks_are_whole_and_as_the_programs_say(void **state)
{
	struct agent_config config;
	struct agent *agent;
	struct err err = {0};
	size_t bad = 0;
	uint64_t root = thread_root_vaddr();
	(void)state;
	agent_config_init(&config);
	config.samples_per_second = HZ;
	list_runs();
	stacks_init(&stacks);
	if (agent_start(&config, stacks_sink, &stacks, &agent, &err))
		fail_msg("the agent does not start: %s", err.text);
	wait_for_first_batch();
	run_all();
	struct agent_stats stats;
	agent_get_stats(agent, &stats);
	agent_stop(agent);
	stacks_sort(&stacks);
	printf("%-18s %-11s %7s %8s %8s %8s\n", "program", "case", "samples", "whole %", "right %",
	       "named %");
	for (size_t i = 0; i < run_count; i++)
		bad += !judge_run(&runs[i], root);
	printf("%zu programs, %zu not good; %lu samples lost of %lu; agent %.2f s of CPU\n",
	       run_count, bad, (unsigned long)stats.lost_samples, (unsigned long)stats.samples,
	       (double)stats.cpu_ns / NS_PER_S);
	assert_int_equal(stacks.bad_profiles, 0);
	stacks_deinit(&stacks);
	if (bad)
		fail_msg("%zu programs have stacks that are not whole or not right", bad);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_are_whole_and_as_the_programs_say),
	};
	programs = argc > 1 ? argv[1] : ".";
	if (geteuid() != 0) {
		puts("SKIP: sampling needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
