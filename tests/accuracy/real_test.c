/* Programs that people run, and how much of their stacks the real agent sees.
 * Needs root. REAL_ONLY=NAME runs only that one; REAL_SECONDS is the time of
 * each (default 10), two of them at a time. */
#include <setjmp.h>
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

#include "agent/agent.h"
#include "base/clock.h"
#include "crowd.h"
#include "images.h"
#include "stacks.h"
#include "thread_root.h"
#include "verdict.h"

enum {
	HZ = 499,
	AT_ONCE = 2,
	FRAMES_MAX = 4096,
	REASONS_MAX = 64,
	REASON_BYTES = 160,
	SHOWN = 8,
	PATH_BYTES = 256
};

static const double whole_bound = 0.995, named_bound = 0.99;
/* What comes before is counted for itself: the tables of a compiler's libraries take a part of a second to build, and
 * meanwhile stacks deeper than their copies are cut. */
static const uint64_t early_ns = NS_PER_S;
/* A process that becomes another program is neither for a moment, whatever the number of samples. */
static const double odd_samples = 3;
/* Part of the time in which it must have been sampled, whatever else this machine does. */
static const double sampled_bound = 0.05;

/* In each command $0 is the directory of workloads, $1 one for temporary files, $2 the build's. */
struct program {
	const char *name, *command;
	const char *prepare; /* done before; NULL: nothing */
};

static const struct program programs[] = {
	{"bash", "exec bash $0/busy.bash", NULL},
	{"python3", "exec /usr/bin/python3 $0/busy.py", NULL},
	{"perl", "exec perl $0/busy.pl", NULL},
	{"node", "exec node $0/busy.js", NULL},
	{"clang", "while :; do /usr/bin/clang-14 -O2 -c $1/large.c -o $1/large.o; done",
	 "awk -f $0/large.awk >$1/large.c"},
	{"chromium",
	 "exec chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage "
	 "--disable-breakpad --remote-debugging-port=0 --user-data-dir=$1/chromium "
	 "file://$0/busy.html",
	 NULL},
	{"sqlite3", "exec sqlite3 :memory: <$0/busy.sql", NULL},
	{"openssl",
	 "while :; do openssl speed -seconds 1 sha256 md5 aes-256-cbc rsa2048 ecdsap256 ed25519; "
	 "done",
	 NULL},
	{"gzip", "while :; do gzip -9 -c /usr/lib/x86_64-linux-gnu/libLLVM-14.so.1; done", NULL},
	{"rocksdb",
	 "mkdir $1/store; while :; do $2/bench/bench-store dir=$1/store samples=8000000; done",
	 NULL},
	{"esbuild",
	 "while :; do $2/tests/unit/elf/npm/node_modules/@esbuild/*/bin/esbuild --minify "
	 "--target=es2020 $1/large.js; done",
	 "sh $0/../../unit/elf/npm/run.sh true $2/tests/unit/elf/npm && "
	 "for i in $(seq 40); do echo \"{\"; cat $0/busy.js; echo \"}\"; done >$1/few.js && "
	 "for i in $(seq 200); do cat $1/few.js; done >$1/large.js"},
};

enum { PROGRAMS = sizeof(programs) / sizeof(*programs) };

struct reason {
	char text[REASON_BYTES];
	uint64_t frames;
};

struct result {
	uint64_t samples, whole;
	uint64_t frames, named, missed; /* missed: there is a symbol, and no name */
	struct reason reasons[REASONS_MAX];
	size_t reason_count;
};

static const char *workloads, *build;
static char temporary[] = "/tmp/cresset-real-XXXXXX";
static struct crowd crowds[PROGRAMS];
static struct images images;
static struct stacks stacks;

/* ---- running ---- */

static double seconds(void)
{
	const char *text = getenv("REAL_SECONDS");
	return text ? atof(text) : 10;
}

static bool is_wanted(size_t i)
{
	const char *only = getenv("REAL_ONLY");
	return !only || !strcmp(only, programs[i].name);
}

static void make_words(size_t i, char directory[PATH_BYTES], char *words[4])
{
	snprintf(directory, PATH_BYTES, "%s/%s", temporary, programs[i].name);
	words[0] = (char *)workloads;
	words[1] = directory;
	words[2] = (char *)build;
	words[3] = NULL;
}

/* Before the agent is there. */
static void prepare_program(size_t i)
{
	char directory[PATH_BYTES], *words[4];
	int status = 0;
	make_words(i, directory, words);
	assert_int_equal(mkdir(directory, 0700), 0);
	if (!programs[i].prepare)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", programs[i].prepare, words[0], words[1], words[2],
		      NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("%s cannot be prepared: %s", programs[i].name, programs[i].prepare);
}

static void start_program(size_t i)
{
	char directory[PATH_BYTES], *words[4];
	make_words(i, directory, words);
	uint64_t end_ns = clock_mono_ns() + (uint64_t)(seconds() * NS_PER_S);
	assert_true(crowd_start(&crowds[i], programs[i].command, words, end_ns));
}

/* Looks at all that run; stops those whose time is over. Returns how many run. */
static int look_and_stop(void)
{
	int running = 0;
	for (size_t i = 0; i < PROGRAMS; i++) {
		if (crowds[i].group == 0)
			continue;
		crowd_look(&crowds[i], &images);
		if (clock_mono_ns() < crowds[i].end_ns)
			running++;
		else if (!crowd_stop(&crowds[i]))
			fail_msg("%s ended by itself", programs[i].name);
	}
	return running;
}

static void run_all(void)
{
	size_t next = 0;
	for (;;) {
		int running = look_and_stop();
		for (; next < PROGRAMS && running < AT_ONCE; next++) {
			if (is_wanted(next)) {
				start_program(next);
				running++;
			}
		}
		if (running == 0)
			return;
		clock_sleep_until_ns(clock_mono_ns() + 50 * NS_PER_MS);
	}
}

/* ---- judging ---- */

static void count_reason(struct result *result, const char *what, struct str name)
{
	char text[REASON_BYTES];
	snprintf(text, sizeof(text), "%s%.*s", what, STR_ARG(name));
	for (size_t i = 0; i < result->reason_count; i++) {
		if (!strcmp(result->reasons[i].text, text)) {
			result->reasons[i].frames++;
			return;
		}
	}
	if (result->reason_count == REASONS_MAX)
		return;
	struct reason *reason = &result->reasons[result->reason_count++];
	memcpy(reason->text, text, sizeof(text));
	reason->frames = 1;
}

static void judge_unnamed(struct result *result, const struct stacks_frame *frame)
{
	struct str file = stacks_string(&stacks, frame->file), name;
	char text[REASON_BYTES];
	switch (images_find(&images, file, frame->address, &name)) {
	case IMAGE_HAS_FUNCTION:
		result->missed++;
		snprintf(text, sizeof(text), "%.*s has a symbol there: ", STR_ARG(file));
		count_reason(result, text, name);
		break;
	case IMAGE_HAS_NONE_THERE:
		count_reason(result, "no symbol there: ", file);
		break;
	case IMAGE_IS_NO_FILE:
		count_reason(result, "no file: ", file);
		break;
	}
}

/* Where threads and processes begin. */
static bool is_root(const struct stacks_frame *frame, uint64_t thread_root)
{
	static const char *const roots[] = {"_start",	      "clone3",		"__clone3",
					    "clone",	      "__clone",	"runtime.goexit",
					    "runtime.mstart", "runtime.mcall",	"runtime.morestack",
					    "runtime.rt0_go", "_dl_start_user", "__start_context"};
	struct str name = stacks_string(&stacks, frame->name);
	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		if (str_equal(name, str_of(roots[i])))
			return true;
	}
	struct str file = stacks_string(&stacks, frame->file);
	return images_is_entry(&images, file, frame->address) ||
	       (str_equal(file, STR("libc.so.6")) && frame->address == thread_root);
}

/* A cut stack ends anywhere; where a broken one does tells why. */
static void count_excuse(struct result *result, struct str excuse, const struct stacks_frame *last)
{
	char text[REASON_BYTES];
	if (str_starts_with(excuse, STR("[broken")))
		snprintf(text, sizeof(text), "%.*s after %#lx of ", STR_ARG(excuse),
			 (unsigned long)last->address);
	else
		snprintf(text, sizeof(text), "%.*s after ", STR_ARG(excuse));
	count_reason(result, text, stacks_string(&stacks, last->file));
}

static bool judge_root(struct result *result, const struct stacks_frame *frames, uint32_t count,
		       uint64_t thread_root)
{
	for (uint32_t i = 0; i < count; i++) {
		struct str name = stacks_string(&stacks, frames[i].name);
		if (stacks_is_excuse(name)) {
			count_excuse(result, name, &frames[i ? i - 1 : 0]);
			return false;
		}
	}
	if (count > 0 && is_root(&frames[count - 1], thread_root))
		return true;
	const struct stacks_frame *last = count ? &frames[count - 1] : NULL;
	char text[REASON_BYTES];
	snprintf(text, sizeof(text), "ends in %.*s of ",
		 STR_ARG(last ? stacks_string(&stacks, last->name) : STR("nothing")));
	count_reason(result, text, last ? stacks_string(&stacks, last->file) : STR("nothing"));
	return false;
}

static void judge_sample(struct result *result, uint32_t stack, uint64_t thread_root)
{
	struct stacks_frame frames[FRAMES_MAX];
	uint32_t count = stacks_user_frames(&stacks, stack, frames, FRAMES_MAX);
	if (count == 0) {
		count_reason(result, "no user space any more, at the end of a process", STR(""));
		return;
	}
	result->samples++;
	result->whole += judge_root(result, frames, count, thread_root);
	for (uint32_t i = 0; i < count; i++) {
		if (stacks_is_excuse(stacks_string(&stacks, frames[i].name)))
			continue;
		result->frames++;
		if (frames[i].name)
			result->named++;
		else
			judge_unnamed(result, &frames[i]);
	}
}

static int by_frames(const void *a, const void *b)
{
	const struct reason *x = a, *y = b;
	return (x->frames < y->frames) - (x->frames > y->frames);
}

static bool judge_program(size_t i, uint64_t thread_root)
{
	static struct result result, early;
	memset(&result, 0, sizeof(result));
	memset(&early, 0, sizeof(early));
	for (size_t s = 0; s < stacks.count; s++) {
		const struct stacks_sample *sample = &stacks.samples[s];
		bool is_early = sample->mono_ns < crowds[i].start_ns + early_ns;
		if (crowd_has(&crowds[i], sample->pid))
			judge_sample(is_early ? &early : &result, sample->stack, thread_root);
	}
	double whole = verdict_share(result.whole, result.samples);
	double named = verdict_share(result.named, result.named + result.missed);
	double missing = (double)(result.samples - result.whole);
	bool good = missing <= (1 - whole_bound) * (double)result.samples + odd_samples &&
		    named >= named_bound &&
		    (double)result.samples >= sampled_bound * seconds() * HZ;
	printf("%-10s %8lu %8.2f %8.2f %8.2f %8.2f%s\n", programs[i].name,
	       (unsigned long)result.samples, 100 * whole,
	       100 * verdict_share(early.whole, early.samples), 100 * named,
	       100 * verdict_share(result.named, result.frames), good ? "" : "  <-- not good");
	qsort(result.reasons, result.reason_count, sizeof(*result.reasons), by_frames);
	for (size_t r = 0; r < result.reason_count && r < SHOWN; r++)
		printf("    %8lu  %6.2f %%  %s\n", (unsigned long)result.reasons[r].frames,
		       100 * verdict_share(result.reasons[r].frames, result.frames),
		       result.reasons[r].text);
	return good;
}

static void remove_temporary(void)
{
	char command[sizeof(temporary) + 16];
	snprintf(command, sizeof(command), "rm -rf %s", temporary);
	if (system(command) != 0)
		fail_msg("%s stays", temporary);
}

static void stacks_of_real_programs_are_whole_and_named(void **state)
{
	struct agent_config config;
	struct agent *agent;
	struct err err = {0};
	size_t bad = 0;
	uint64_t root = thread_root_vaddr();
	(void)state;
	agent_config_init(&config);
	config.samples_per_second = HZ;
	assert_non_null(mkdtemp(temporary));
	for (size_t i = 0; i < PROGRAMS; i++) {
		if (is_wanted(i))
			prepare_program(i);
	}
	stacks_init(&stacks);
	if (agent_start(&config, stacks_sink, &stacks, &agent, &err))
		fail_msg("the agent does not start: %s", err.text);
	run_all();
	struct agent_stats stats;
	agent_get_stats(agent, &stats);
	agent_stop(agent);
	remove_temporary();
	printf("%-10s %8s %8s %8s %8s %8s\n", "program", "samples", "whole %", "1st s %", "named %",
	       "of all %");
	for (size_t i = 0; i < PROGRAMS; i++)
		bad += is_wanted(i) && !judge_program(i, root);
	printf("1st s: whole ones of the first second; named: of frames for which any source of "
	       "symbols has a function; below: the other "
	       "frames, and why\n"
	       "%lu samples lost of %lu; agent %.2f s of CPU\n",
	       (unsigned long)stats.lost_samples, (unsigned long)stats.samples,
	       (double)stats.cpu_ns / NS_PER_S);
	stacks_deinit(&stacks);
	images_deinit(&images);
	if (bad)
		fail_msg("%zu programs have stacks that are not whole, or frames without their "
			 "names",
			 bad);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_of_real_programs_are_whole_and_named),
	};
	if (argc < 3)
		return 2;
	workloads = argv[1];
	build = argv[2];
	if (geteuid() != 0) {
		puts("SKIP: sampling needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
