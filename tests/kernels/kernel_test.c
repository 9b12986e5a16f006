/* Runs in the machine that tools/test-kernels boots (and as well on any host, as root): does every BPF
 * program load, does the agent start, and is the stack of a known program the one that the program says
 * it has? `kernel_test DIRECTORY`, where chain and chain_framed are. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/str.h"
#include "load.h"
#include "stacks.h"

enum {
	HZ = 199,
	EXPECTED_MAX = 32,
	EVENTS_MIN = 50, /* of some 400: software emulation of a busy machine's */
	WRONG_PERCENT_MAX = 1,
	WRONG_SHOWN = 5,
};

static const char *const cpu_seconds = "2";
static int failures;

struct expected_frame {
	char file[STACKS_NAME_MAX];
	uint64_t vaddr; /* return address */
};

/* A run of the known program. */
struct chain {
	const char *program, *mode, *leaf; /* leaf NULL: either */
	const char *const *names; /* of the program's own frames, from inner on, NULL at the end */
	pid_t pid;
	struct expected_frame expected[EXPECTED_MAX];
	size_t expected_count;
};

struct tally {
	uint64_t all, right, in_kernel, no_build_id;
	uint64_t kernel_frames, kernel_unnamed;
};

__attribute__((format(printf, 2, 3))) static void say(bool good, const char *format, ...)
{
	va_list args;
	printf("%sok ", good ? "" : "not ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	failures += !good;
}

/* ---- the program ---- */

static void read_expected(struct chain *chain, FILE *from)
{
	char line[256];
	while (fgets(line, sizeof(line), from) && strcmp(line, "go\n")) {
		struct expected_frame *frame = &chain->expected[chain->expected_count];
		if (chain->expected_count == EXPECTED_MAX ||
		    sscanf(line, "%47s %" SCNx64, frame->file, &frame->vaddr) != 2)
			break;
		chain->expected_count++;
	}
}

static int wait_for(pid_t pid)
{
	int status = -1;
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void run_chain(struct chain *chain, const char *directory)
{
	char path[4096];
	int ends[2];
	snprintf(path, sizeof(path), "%s/%s", directory, chain->program);
	if (pipe(ends))
		abort();
	chain->pid = fork();
	if (chain->pid == 0) {
		(void)dup2(ends[1], 1);
		close(ends[0]);
		execl(path, chain->program, chain->mode, cpu_seconds, NULL);
		_exit(127);
	}
	close(ends[1]);
	FILE *from = fdopen(ends[0], "r");
	if (!from)
		abort();
	read_expected(chain, from);
	fclose(from);
	int status = wait_for(chain->pid);
	if (status)
		say(false, "%s %s: ended with status %d", chain->program, chain->mode, status);
}

/* ---- its stacks ---- */

static bool is_leaf(const struct chain *chain, const struct stack_frame *frame)
{
	if (chain->leaf)
		return !strcmp(frame->name, chain->leaf);
	return !strcmp(frame->name, "burn") || !strcmp(frame->name, "ask_kernel");
}

/* Leaf, inner, and from there on what the program said, with names where it is its own code. */
static bool is_right(const struct chain *chain, const struct stack *stack)
{
	const char *const *name = chain->names;
	if (stack->count != chain->expected_count + 2 || strcmp(stack->frames[1].name, *name++))
		return false;
	for (size_t i = 0; i < chain->expected_count; i++) {
		const struct expected_frame *expected = &chain->expected[i];
		const struct stack_frame *frame = &stack->frames[i + 2];
		if (frame->address != expected->vaddr - 1 || strcmp(frame->file, expected->file))
			return false;
		if (!strcmp(frame->file, chain->program) &&
		    (!*name || strcmp(frame->name, *name++)))
			return false;
	}
	return *name == NULL;
}

static void judge_stack(const struct chain *chain, const struct stack *stack, struct tally *tally,
			uint64_t *shown)
{
	tally->all += stack->events;
	if (stack->kernel_frames > 0)
		tally->in_kernel += stack->events;
	tally->kernel_frames += stack->kernel_frames;
	tally->kernel_unnamed += stack->kernel_frames - stack->kernel_named;
	if (!stack->frames[0].has_build_id)
		tally->no_build_id += stack->events;
	if (is_right(chain, stack))
		tally->right += stack->events;
	else if ((*shown)++ < WRONG_SHOWN)
		stack_print(stack);
}

static void judge_chain(const struct chain *chain, const struct stacks *stacks)
{
	struct tally tally = {0};
	uint64_t shown = 0;
	for (size_t i = 0; i < stacks->count; i++) {
		const struct stack *stack = &stacks->rows[i];
		if (stack->pid == chain->pid && stack->count > 0 &&
		    is_leaf(chain, &stack->frames[0]))
			judge_stack(chain, stack, &tally, &shown);
	}
	uint64_t wrong = tally.all - tally.right;
	bool enough = chain->expected_count > 5 && tally.all >= EVENTS_MIN;
	say(enough && wrong * 100 <= tally.all * WRONG_PERCENT_MAX,
	    "%s %s: %" PRIu64 " of %" PRIu64 " stacks are exactly the %zu frames to the root",
	    chain->program, chain->mode, tally.right, tally.all, chain->expected_count + 2);
	if (chain->mode[0] == 'k')
		say(tally.in_kernel >= EVENTS_MIN && tally.kernel_unnamed == 0,
		    "%s %s: %" PRIu64 " of them begin in the kernel, all but %" PRIu64
		    " of %" PRIu64 " kernel frames have names",
		    chain->program, chain->mode, tally.in_kernel, tally.kernel_unnamed,
		    tally.kernel_frames);
	say(tally.no_build_id == 0, "%s %s: the file's build id is known", chain->program,
	    chain->mode);
}

/* ---- the agent ---- */

static void judge_stats(const struct agent_stats *stats)
{
	printf("# %" PRIu64 " samples, %" PRIu64 " batches, agent's CPU %" PRIu64
	       " ms, maps %" PRIu64 " KiB, %u processes, %u mappings\n",
	       stats->samples, stats->batches, stats->cpu_ns / 1000000, stats->map_bytes >> 10,
	       stats->processes, stats->mappings);
	say(stats->samples > 0 && stats->lost_samples == 0 && stats->lost_events == 0,
	    "nothing lost: %" PRIu64 " samples and %" PRIu64 " events are", stats->lost_samples,
	    stats->lost_events);
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

static void sample_chains(struct chain *chains, size_t count, const char *directory)
{
	struct stacks stacks = {.process = "chain"};
	struct agent_stats stats;
	struct agent *agent = start_agent(&stacks);
	if (!agent)
		return;
	for (size_t i = 0; i < count; i++)
		run_chain(&chains[i], directory);
	/* Statistics are brought up to date every half second. */
	usleep(600 * 1000);
	agent_get_stats(agent, &stats);
	agent_stop(agent);
	for (size_t i = 0; i < count; i++)
		judge_chain(&chains[i], &stacks);
	judge_stats(&stats);
	stacks_deinit(&stacks);
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"inner", "middle", "compare", "run",
					    "main",  "_start", NULL};
	struct chain chains[] = {
		{.program = "chain", .mode = "user", .leaf = "burn", .names = names},
		{.program = "chain", .mode = "kernel", .leaf = "ask_kernel", .names = names},
	};
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
	sample_chains(chains, sizeof(chains) / sizeof(*chains), argc > 1 ? argv[1] : ".");
	printf("%s\n", failures ? "some are not ok" : "all ok");
	return failures > 0;
}
