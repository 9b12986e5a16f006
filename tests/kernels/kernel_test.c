/* Runs in the machine that tools/test-kernels boots (and as well on any host, as root): does every BPF
 * program load, does the agent start, and is the stack of a known program the one that the program says
 * it has? `kernel_test DIRECTORY`, where chain is. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/err.h"
#include "chain_run.h"
#include "load.h"
#include "narrow_run.h"
#include "stacks.h"

enum { HZ = 199, SHORT_RUNS = 20, FIRST_GROUPS = 2, NARROW_EVENTS_MIN = 20 };

enum { TICK_US = 50 * 1000, PATIENCE_TICKS = 400 };

static int failures;

/* Runs that are judged together. */
struct group {
	const char *what, *mode, *seconds;
	int depth;
	size_t runs;
	uint64_t events_min; /* far fewer than there are, since the machine may be slow and busy */
	uint64_t cut_percent_max;
};

/* In the first ones the agent builds its tables, which takes seconds in a slow machine's emulation. Those
 * stacks may be cut, if they say so. */
static const struct group groups[] = {
	{"the first program", "user", "2", 1, 1, 25, 99},
	{"the first that is deep", "user", "0.5", 100, 1, 10, 99},
	{"user code", "user", "2", 1, 1, 50, 1},
	{"system calls", "kernel", "4", 1, 1, 50, 1},
	/* The first samples wait for user space with the top of the stack only. */
	{"1000 calls deep", "user", "1", 1000, 1, 25, 10},
	{"short programs", "user", "0.1", 3, SHORT_RUNS, 3 * SHORT_RUNS, 1},
};
enum { GROUPS = sizeof(groups) / sizeof(*groups) };

PRINTF_LIKE(2, 3)
static void say(bool good, const char *format, ...)
{
	va_list args;
	printf("%sok ", good ? "" : "not ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	failures += !good;
}

/* ---- the programs ---- */

static struct chain *run_group(const struct group *group, const char *directory)
{
	struct chain *chains = calloc(group->runs, sizeof(*chains));
	if (!chains)
		abort();
	for (size_t i = 0; i < group->runs; i++) {
		struct chain *chain = &chains[i];
		chain->mode = group->mode;
		chain->seconds = group->seconds;
		chain->depth = group->depth;
		if (!chain_run(chain, directory))
			say(false, "%s: the program failed", group->what);
	}
	return chains;
}

static void judge_kernel_half(const struct group *group, const struct chain_tally *tally)
{
	say(tally->in_kernel >= group->events_min && tally->kernel_unnamed == 0,
	    "%s: %" PRIu64 " stacks begin in the kernel, %" PRIu64 " of %" PRIu64
	    " frames there have no name",
	    group->what, tally->in_kernel, tally->kernel_unnamed, tally->kernel_frames);
}

/* How many runs have no sample at all. */
static uint64_t count_group(const struct group *group, const struct chain *chains,
			    const struct stacks *stacks, struct chain_tally *ret)
{
	uint64_t unseen = 0;
	for (size_t i = 0; i < group->runs; i++) {
		const uint64_t before = ret->all;
		chain_count(&chains[i], stacks, ret);
		if (ret->all == before && unseen++ == 0)
			chain_explain(&chains[i], stacks);
	}
	return unseen;
}

static void judge_group(const struct group *group, const struct chain *chains,
			const struct stacks *stacks)
{
	struct chain_tally tally = {0};
	const size_t frames = chains[0].expected_count + 2;
	const uint64_t unseen = count_group(group, chains, stacks, &tally);
	const uint64_t wrong = tally.all - tally.right - tally.marked;
	say(frames > 10 && tally.all >= group->events_min && unseen == 0 && wrong == 0 &&
		    tally.no_build_id == 0 && tally.right > 0 &&
		    tally.marked * 100 <= tally.all * group->cut_percent_max,
	    "%s: %" PRIu64 " of %" PRIu64 " stacks are exactly the %zu frames to the root, %" PRIu64
	    " say that they are cut",
	    group->what, tally.right, tally.all, frames, tally.marked);
	if (unseen > 0)
		printf("# %s: %" PRIu64 " of %zu were not seen\n", group->what, unseen,
		       group->runs);
	if (tally.no_build_id > 0)
		printf("# %s: the build id of the file is not known\n", group->what);
	if (group->mode[0] == 'k')
		judge_kernel_half(group, &tally);
}

static void judge_narrow(pid_t pid, const struct stacks *stacks)
{
	uint64_t all, right;
	if (pid == 0) {
		puts("skip 32-bit programs: there are none on this kernel");
		return;
	}
	narrow_count(pid, stacks, &all, &right);
	/* A few are in execve() still, or in a page fault at the very first instruction. */
	say(all >= NARROW_EVENTS_MIN && (all - right) * 10 <= all,
	    "32-bit programs: %" PRIu64 " of %" PRIu64 " stacks are one frame that says so", right,
	    all);
}

/* ---- the agent ---- */

/* first: as it was behind the first groups. */
static void judge_stats(const struct agent_stats *first, const struct agent_stats *stats)
{
	const uint64_t lost = stats->lost_samples - first->lost_samples;
	printf("# %" PRIu64 " samples, %" PRIu64 " batches, agent's CPU %" PRIu64
	       " ms, maps %" PRIu64 " KiB, %u processes, %u mappings\n",
	       stats->samples, stats->batches, stats->cpu_ns / 1000000, stats->map_bytes >> 10,
	       stats->processes, stats->mappings);
	say(stats->samples > 0 && lost == 0 && stats->lost_events == 0,
	    "lost: %" PRIu64 " samples, %" PRIu64 " events (and %" PRIu64
	    " samples while the first programs ran)",
	    lost, stats->lost_events, first->lost_samples);
}

static struct agent *start_agent(struct stacks *stacks)
{
	struct agent_config config;
	struct agent *agent = NULL;
	struct err err = {0};
	agent_config_init(&config);
	config.samples_per_second = HZ;
	config.reporter_interval_ns = 1000000000;
	config.monitor_interval_ns = 500000000;
	if (agent_start(&config, stacks_sink, stacks, &agent, &err))
		agent = NULL;
	say(agent != NULL, "the agent starts%s%s", agent ? "" : ": ", agent ? "" : err.text);
	return agent;
}

/* They are brought up to date with every batch, so a batch later they tell of everything till now. */
static void fresh_stats(struct agent *agent, struct agent_stats *ret)
{
	agent_get_stats(agent, ret);
	const uint64_t batches = ret->batches;
	for (int i = 0; i < PATIENCE_TICKS && ret->batches < batches + 2; i++) {
		usleep(TICK_US);
		agent_get_stats(agent, ret);
	}
}

static void check_requirements(void)
{
	struct agent_requirement rows[AGENT_REQUIREMENT_MAX];
	bool all_met = false;
	size_t count = agent_check(NULL, rows, AGENT_REQUIREMENT_MAX, &all_met);
	for (size_t i = 0; i < count; i++) {
		if (!rows[i].ok)
			printf("# %s: %s\n", rows[i].name, rows[i].text);
	}
	say(all_met, "the agent finds all that it needs");
}

static void sample_programs(const char *directory)
{
	struct stacks stacks = {.after = getpid()};
	struct chain *chains[GROUPS];
	struct agent_stats first = {0}, stats;
	struct agent *agent = start_agent(&stacks);
	if (!agent)
		return;
	for (size_t i = 0; i < GROUPS; i++) {
		if (i == FIRST_GROUPS)
			fresh_stats(agent, &first);
		chains[i] = run_group(&groups[i], directory);
	}
	const pid_t narrow = narrow_run(directory);
	fresh_stats(agent, &stats);
	agent_stop(agent);
	for (size_t i = 0; i < GROUPS; i++) {
		judge_group(&groups[i], chains[i], &stacks);
		free(chains[i]);
	}
	judge_narrow(narrow, &stacks);
	judge_stats(&first, &stats);
	stacks_deinit(&stacks);
}

int main(int argc, char **argv)
{
	struct utsname name = {0};
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid() != 0) {
		puts("skip all: sampling needs root");
		return 0;
	}
	(void)uname(&name);
	printf("# Linux %s %s %s\n", name.release, name.version, name.machine);
	check_requirements();
	if (!load_all())
		failures++;
	sample_programs(argc > 1 ? argv[1] : ".");
	printf("%s\n", failures ? "some are not ok" : "all ok");
	return failures > 0;
}
