/* The real agent on the real kernel, against programs that know what they do.
 * Needs root. ACCURACY_SECONDS sets the CPU time of the long ones (default 8). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "base/clock.h"
#include "tally.h"

/* Shares are asserted to 3 points: at 97 Hz chance alone would miss that now and then. */
enum { HZ = 97, FAST_HZ = 997, SHORT_PROCESSES = 50, AT_ONCE = 2 };

static const double short_seconds = 0.2;
static const char *programs; /* directory of split, kernelhalf, deep */
static struct tally tally;

struct finished {
	pid_t pid;
	double cpu_seconds, wall_seconds;
};

static struct agent *start_agent(uint32_t hz)
{
	struct agent_config config;
	struct agent *agent;
	struct err err = {0};
	agent_config_init(&config);
	config.samples_per_second = hz;
	tally_init(&tally);
	if (agent_start(&config, tally_sink, &tally, &agent, &err))
		fail_msg("the agent does not start: %s", err.text);
	return agent;
}

static pid_t start(const char *directory, const char *program, const char *first,
		   const char *second)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", directory, program);
	pid_t pid = fork();
	if (pid == 0) {
		execl(path, program, first, second, NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	return pid;
}

static struct finished finish(pid_t pid, uint64_t started_ns)
{
	struct rusage usage;
	int status;
	assert_int_equal(wait4(pid, &status, 0, &usage), pid);
	assert_int_equal(status, 0);
	double user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
	double system = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
	return (struct finished){pid, user + system, (double)(clock_mono_ns() - started_ns) / 1e9};
}

static const char *long_seconds(void)
{
	const char *text = getenv("ACCURACY_SECONDS");
	return text ? text : "8";
}

/* 3 %, and what sampling allows for: a process that has the CPU all the time is sampled every time; one
 * that shares it with others, at random, so that three standard deviations are added. */
static double total_tolerance(const struct finished *f, double hz)
{
	double part = f->cpu_seconds / f->wall_seconds;
	double others = part < 1 ? 1 - part : 0;
	return 0.03 * f->cpu_seconds + 3 * sqrt(f->cpu_seconds * hz * others) / hz;
}

static void check_total(const struct tally_process *seen, const struct finished *f, double hz)
{
	double sampled = (double)seen->events / hz;
	print_message("%s: %.3f s sampled, %.3f s used, in %.3f s\n", seen->name, sampled,
		      f->cpu_seconds, f->wall_seconds);
	assert_true(fabs(sampled - f->cpu_seconds) <= total_tolerance(f, hz));
}

static void check_share(const struct tally_process *seen, const char *what, uint64_t events,
			double share)
{
	double got = (double)events / (double)seen->events;
	print_message("%s: %s %.1f %%, should be %.0f %%\n", seen->name, what, got * 100,
		      share * 100);
	assert_true(fabs(got - share) <= 0.03);
}

static void shares_and_totals_come_back_as_they_were_spent(void **state)
{
	(void)state;
	struct agent *agent = start_agent(FAST_HZ);
	uint64_t started_ns = clock_mono_ns();
	pid_t split_pid = start(programs, "split", long_seconds(), NULL);
	pid_t half_pid = start(programs, "kernelhalf", long_seconds(), NULL);
	struct finished split = finish(split_pid, started_ns);
	struct finished half = finish(half_pid, started_ns);
	agent_stop(agent);
	struct tally_process s = tally_pid(&tally, split_pid), k = tally_pid(&tally, half_pid);

	assert_string_equal(s.name, "split");
	assert_string_equal(k.name, "kernelhalf");
	check_share(&s, "spend_sixty", tally_function(&s, "spend_sixty"), 0.6);
	check_share(&s, "spend_thirty", tally_function(&s, "spend_thirty"), 0.3);
	check_share(&s, "spend_ten", tally_function(&s, "spend_ten"), 0.1);
	check_share(&k, "kernel", k.kernel_events, 0.5);
	check_share(&k, "in_user_space", tally_function(&k, "in_user_space"), 0.5);
	check_total(&s, &split, FAST_HZ);
	check_total(&k, &half, FAST_HZ);
	assert_int_equal(tally.bad_profiles, 0);
	tally_deinit(&tally);
}

static void the_first_batch_comes_within_two_seconds(void **state)
{
	(void)state;
	uint64_t started_ns = clock_mono_ns();
	struct agent *agent = start_agent(HZ);
	struct finished f = finish(start(programs, "split", "2.0", NULL), started_ns);
	(void)f;
	agent_stop(agent);
	print_message("first batch after %.2f s\n",
		      (double)(tally.first_batch_ns - started_ns) / 1e9);
	assert_true(tally.first_batch_ns - started_ns < 2 * (uint64_t)NS_PER_S);
	tally_deinit(&tally);
}

static void copy_program(const char *from, const char *to)
{
	char command[8300];
	snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

/* Starts the i-th short program from its own file, which is gone before the report. */
static pid_t start_short(const char *directory, int i)
{
	char name[32], from[4096], to[4096], seconds[16];
	snprintf(name, sizeof(name), "short-%02d", i);
	snprintf(from, sizeof(from), "%s/split", programs);
	snprintf(to, sizeof(to), "%s/%s", directory, name);
	snprintf(seconds, sizeof(seconds), "%f", short_seconds);
	copy_program(from, to);
	return start(directory, name, seconds, NULL);
}

static void remove_short(const char *directory, int i)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/short-%02d", directory, i);
	unlink(path);
}

static void every_short_process_appears_under_its_name(void **state)
{
	(void)state;
	char directory[] = "/tmp/cresset-accuracy-XXXXXX";
	pid_t pids[SHORT_PROCESSES];
	double cpu_seconds = 0, events = 0, named = 0;
	assert_non_null(mkdtemp(directory));
	struct agent *agent = start_agent(HZ);
	for (int i = 0; i < SHORT_PROCESSES; i++) {
		pids[i] = start_short(directory, i);
		if (i % AT_ONCE == AT_ONCE - 1) {
			for (int j = i - AT_ONCE + 1; j <= i; j++) {
				cpu_seconds += finish(pids[j], 0).cpu_seconds;
				remove_short(directory, j);
			}
		}
	}
	agent_stop(agent);
	rmdir(directory);
	for (int i = 0; i < SHORT_PROCESSES; i++) {
		char name[32];
		snprintf(name, sizeof(name), "short-%02d", i);
		struct tally_process p = tally_pid(&tally, pids[i]);
		events += (double)tally_name(&tally, name);
		named += (double)(tally_function(&p, "spend_sixty") +
				  tally_function(&p, "spend_thirty") +
				  tally_function(&p, "spend_ten"));
		if (tally_name(&tally, name) < 10)
			fail_msg("%s used %.1f s, but has %lu samples under its name", name,
				 short_seconds, (unsigned long)tally_name(&tally, name));
	}
	print_message("%d processes: %.2f s sampled under their names, %.2f s used; functions "
		      "named "
		      "in %.1f %%\n",
		      SHORT_PROCESSES, events / HZ, cpu_seconds, named / events * 100);
	assert_true(named / events > 0.9);
	tally_deinit(&tally);
}

static void deep_stacks_are_whole_and_deeper_ones_say_that_they_are_cut(void **state)
{
	(void)state;
	struct agent *agent = start_agent(HZ);
	pid_t whole_pid = start(programs, "deep", "1", "900");
	pid_t cut_pid = start(programs, "deep", "1", "3000");
	(void)finish(whole_pid, 0);
	(void)finish(cut_pid, 0);
	agent_stop(agent);
	struct tally_process whole = tally_pid(&tally, whole_pid), cut = tally_pid(&tally, cut_pid);
	print_message("deepest of 900: %lu, cut %lu of %lu; deepest of 3000: %lu, cut %lu of %lu\n",
		      (unsigned long)whole.deepest, (unsigned long)whole.truncated_events,
		      (unsigned long)whole.events, (unsigned long)cut.deepest,
		      (unsigned long)cut.truncated_events, (unsigned long)cut.events);
	assert_true(whole.deepest >= 900);
	assert_int_equal(whole.truncated_events, 0);
	assert_true(tally_function(&whole, "main") > whole.events * 9 / 10);
	assert_true(cut.truncated_events > cut.events * 9 / 10);
	tally_deinit(&tally);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_batch_comes_within_two_seconds),
		cmocka_unit_test(shares_and_totals_come_back_as_they_were_spent),
		cmocka_unit_test(every_short_process_appears_under_its_name),
		cmocka_unit_test(deep_stacks_are_whole_and_deeper_ones_say_that_they_are_cut),
	};
	programs = argc > 1 ? argv[1] : ".";
	if (geteuid() != 0) {
		puts("SKIP: sampling needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
