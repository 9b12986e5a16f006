/* The sampler in the kernel, and the agent around it.
 *
 *	bpf.hot.N	ns of the program per sample of a tight loop N calls deep, at 5 kHz
 *	bpf.cold.32.*	the same at 97 Hz, of a program that keeps the caches busy
 *	bpf.verifier	instructions that the verifier processes at load
 *	agent.*		CPU time per 30 s, memory and losses at 97 Hz on busy CPUs
 *	agent.*_200	the same beside 200 processes of perl, python and bash
 *	perf_*		what `perf record` takes for the same
 *
 * Stacks are walked by tables: the sampled programs keep no frame pointers.
 * Needs root. BENCH_SECONDS (default 10) is how long the agent is measured. */
#include <bpf/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/sampler.h"
#include "base/clock.h"
#include "base/fd.h"
#include "process_tables.h"
#include "profile/profile.h"

enum { HOT_HZ = 5000, COLD_HZ = 97, AGENT_HZ = 97, COLD_SAMPLES_MAX = 1024, BURNERS_MAX = 64 };
enum { CROWD = 200 };
enum { THRASH_BYTES = 64 << 20, SPACE_CHUNKS = 8 };

enum { DEPTH_MAX = 512, COLD_DEPTH = 32 };
/* The loop itself, main, and the C library's two and _start below it. */
enum { FRAMES_BELOW = 5 };

static volatile uint64_t sink;

/* ---- programs to be sampled ---- */

__attribute__((noinline)) static void spin(void)
{
	for (;;)
		sink = sink * 6364136223846793005u + 1;
}

__attribute__((noinline)) static void thrash(void)
{
	uint64_t *memory = mmap(NULL, THRASH_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	uint64_t state = 88172645463325252;
	if (memory == MAP_FAILED)
		_exit(1);
	for (;;) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memory[state % (THRASH_BYTES / sizeof(*memory))] += state;
	}
}

__attribute__((noinline)) static void recurse(int depth, void (*leaf)(void))
{
	if (depth <= 1)
		leaf();
	else
		recurse(depth - 1, leaf);
	sink++; /* no tail call */
}

static pid_t start_burner(int depth, void (*leaf)(void))
{
	pid_t pid = fork();
	if (pid == 0)
		recurse(depth, leaf);
	usleep(100000);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- the program in the kernel ---- */

struct target {
	struct sampler *sampler;
	struct unwind_space *space;
	uint64_t samples, frames, whole;
};

static void on_sample(void *ctx, const struct sample *sample)
{
	struct target *target = ctx;
	target->samples++;
	target->frames += sample->user_count;
	target->whole += sample->end == UNWIND_END_ROOT;
}

static void give_up(const struct err *err)
{
	fprintf(stderr, "%s\n", err->text);
	exit(0);
}

static void sample_process(uint32_t hz, pid_t pid, struct target *ret)
{
	struct sampler_options options = {.samples_per_second = hz, .space_chunks = SPACE_CHUNKS};
	struct process_tables tables;
	uint32_t chunks;
	struct err err;
	*ret = (struct target){0};
	if (sampler_create(&options, &ret->sampler, &err))
		give_up(&err);
	void *memory = sampler_space(ret->sampler, &chunks);
	if (unwind_space_create(memory, chunks, &ret->space, &err))
		give_up(&err);
	process_tables_make(ret->space, pid, &tables);
	if (sampler_publish(ret->sampler, (uint32_t)pid, tables.place, tables.count, &err) ||
	    sampler_attach_pid(ret->sampler, pid, &err))
		give_up(&err);
}

/* The figures are of stacks that are whole and as deep as the name says, or they are none. */
static void stop_sampling(struct target *target, int depth)
{
	double frames = (double)target->frames / (double)target->samples;
	if (target->whole < target->samples || frames < depth - 1.5 || frames > depth + 1.5)
		fprintf(stderr, "depth %d: %lu of %lu stacks are whole, %.1f frames on average\n",
			depth, (unsigned long)target->whole, (unsigned long)target->samples,
			frames);
	unwind_space_destroy(target->space);
	sampler_destroy(target->sampler);
}

static void poll_stats(struct target *target, struct sampler_stats *ret)
{
	(void)!sampler_consume(target->sampler, on_sample, target, NULL);
	sampler_get_stats(target->sampler, ret);
}

static void bench_hot(int depth)
{
	pid_t pid = start_burner(depth - FRAMES_BELOW, spin);
	struct target target;
	struct sampler_stats before, after;
	sample_process(HOT_HZ, pid, &target);
	poll_stats(&target, &before);
	for (int i = 0; i < 20; i++) {
		usleep(50000);
		poll_stats(&target, &after);
	}
	if (after.run_count > before.run_count)
		printf("bench bpf.hot.%d %.0f ns\n", depth,
		       (double)(after.run_ns - before.run_ns) /
			       (double)(after.run_count - before.run_count));
	if (depth == DEPTH_MAX)
		printf("bench bpf.verifier %u instructions\n", after.verifier_instructions);
	stop_sampling(&target, depth);
	stop(pid);
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* Statistics give sums only, so they are read more often than samples come. */
static void bench_cold(void)
{
	pid_t pid = start_burner(COLD_DEPTH - FRAMES_BELOW, thrash);
	struct target target;
	uint64_t ns[COLD_SAMPLES_MAX];
	size_t count = 0;
	struct sampler_stats last, now;
	sample_process(COLD_HZ, pid, &target);
	poll_stats(&target, &last);
	uint64_t end_ns = clock_mono_ns() + 4ULL * NS_PER_S;
	while (clock_mono_ns() < end_ns && count < COLD_SAMPLES_MAX) {
		usleep(3000);
		poll_stats(&target, &now);
		if (now.run_count == last.run_count + 1)
			ns[count++] = now.run_ns - last.run_ns;
		last = now;
	}
	qsort(ns, count, sizeof(*ns), compare_u64);
	if (count > 0) {
		printf("bench bpf.cold.32.p50 %lu ns\n", (unsigned long)ns[count / 2]);
		printf("bench bpf.cold.32.p99 %lu ns\n", (unsigned long)ns[count * 99 / 100]);
	}
	stop_sampling(&target, COLD_DEPTH);
	stop(pid);
}

static void bench_bpf(void)
{
	const int depths[] = {8, 32, 128, DEPTH_MAX};
	FD_AUTO int stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats_fd < 0) {
		fprintf(stderr, "BPF statistics are not available\n");
		return;
	}
	for (size_t i = 0; i < sizeof(depths) / sizeof(*depths); i++)
		bench_hot(depths[i]);
	bench_cold();
}

/* ---- the agent ---- */

static double cpu_seconds(int who)
{
	struct rusage usage;
	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Without the BPF maps that are mapped here: they are counted as such. */
static double rss_mb(void)
{
	struct buf text;
	uint64_t kb = 0, part;
	bool counts = true;
	buf_init(&text, 0);
	if (fd_read_file("/proc/self/smaps", 16 << 20, &text, NULL) == 0) {
		struct str rest = buf_text(&text), line;
		while (str_next(&rest, '\n', &line)) {
			if (str_starts_with(line, STR("VmFlags:")))
				counts = true;
			else if (str_ends_with(line, STR(":bpf-map")))
				counts = false;
			else if (counts && str_starts_with(line, STR("Rss:")) &&
				 str_to_u64(str_trim(str_sub(line, 4, line.len - 7)), &part))
				kb += part;
		}
	}
	buf_deinit(&text);
	return (double)kb / 1024;
}

static void drop_batch(void *ctx, struct profile_batch *batch)
{
	(void)ctx;
	(void)batch;
}

/* In a process of its own, whose memory and CPU time are the agent's alone. suffix: of the names. */
static void run_agent(double seconds, const char *suffix)
{
	struct agent_config config;
	struct agent *agent;
	struct agent_stats stats;
	struct err err;
	agent_config_init(&config);
	config.samples_per_second = AGENT_HZ;
	uint64_t begin_ns = clock_mono_ns();
	if (agent_start(&config, drop_batch, NULL, &agent, &err)) {
		fprintf(stderr, "%s\n", err.text);
		_exit(0);
	}
	printf("bench agent.start%s %.3f s\n", suffix, (double)(clock_mono_ns() - begin_ns) / 1e9);
	usleep(2500000); /* the first window loads the symbols that are in use */
	double before = cpu_seconds(RUSAGE_SELF);
	agent_get_stats(agent, &stats);
	uint64_t worker_before_ns = stats.worker_cpu_ns;
	begin_ns = clock_mono_ns();
	usleep((useconds_t)(seconds * 1e6));
	double spent = cpu_seconds(RUSAGE_SELF) - before;
	double elapsed = (double)(clock_mono_ns() - begin_ns) / 1e9;
	double rss = rss_mb();
	agent_get_stats(agent, &stats);
	agent_stop(agent);
	double worker = (double)(stats.worker_cpu_ns - worker_before_ns) / 1e9;
	printf("bench agent.cpu30%s %.3f s\n", suffix, (spent + worker) / elapsed * 30);
	printf("bench agent.cpu30_lines%s %.3f s\n", suffix, worker / elapsed * 30);
	printf("bench agent.rss%s %.1f MB\n", suffix, rss);
	printf("bench agent.bpf_maps%s %.2f MB\n", suffix, (double)stats.map_bytes / (1 << 20));
	printf("bench agent.lost%s %lu samples\n", suffix, (unsigned long)stats.lost_samples);
	fflush(stdout);
	_exit(0);
}

static void bench_perf(const char *name, const char *mode, double seconds)
{
	char command[256];
	double before = cpu_seconds(RUSAGE_CHILDREN);
	snprintf(command, sizeof(command),
		 "perf record -q -a -F %d -e cpu-clock --call-graph %s -o "
		 "/tmp/cresset-bench-%d.data "
		 "sleep %.0f >/dev/null 2>&1; rm -f /tmp/cresset-bench-%d.data",
		 AGENT_HZ, mode, getpid(), seconds, getpid());
	if (system("command -v perf >/dev/null") || system(command))
		return;
	double spent = cpu_seconds(RUSAGE_CHILDREN) - before;
	printf("bench %s.cpu30 %.3f s\n", name, spent / seconds * 30);
}

static void bench_agent(void)
{
	const char *text = getenv("BENCH_SECONDS");
	double seconds = text ? atof(text) : 10;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pid_t burners[BURNERS_MAX];
	if (cpus > BURNERS_MAX)
		cpus = BURNERS_MAX;
	for (long i = 0; i < cpus; i++)
		burners[i] = start_burner(76, spin);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		run_agent(seconds, "");
	waitpid(pid, NULL, 0);
	bench_perf("perf_g", "fp", seconds);
	bench_perf("perf_dwarf", "dwarf", seconds);
	for (long i = 0; i < cpus; i++)
		stop(burners[i]);
}

/* Programs that work a little ten times a second, each in a process of its own. */
static pid_t start_small(int i)
{
	static const char *const perl = "while (1) { for (1..3000) { $x = sprintf('%d', $_) } "
					"select(undef, undef, undef, 0.1) }";
	static const char *const python = "import time\nwhile True:\n sorted(range(3000))\n "
					  "time.sleep(0.1)";
	static const char *const bash = "exec {f}<> <(:); while :; do "
					"for ((i = 0; i < 300; i++)); do :; done; "
					"read -t 0.1 -u $f _; done";
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	if (i % 3 == 0)
		execlp("perl", "perl", "-e", perl, (char *)NULL);
	else if (i % 3 == 1)
		execl("/usr/bin/python3", "python3", "-c", python, (char *)NULL);
	execlp("bash", "bash", "-c", bash, (char *)NULL);
	_exit(1);
}

static void bench_crowd(void)
{
	pid_t crowd[CROWD];
	for (int i = 0; i < CROWD; i++)
		crowd[i] = start_small(i);
	usleep(3000000); /* until they are in their loops */
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		run_agent(10, "_200");
	waitpid(pid, NULL, 0);
	for (int i = 0; i < CROWD; i++)
		stop(crowd[i]);
}

int main(void)
{
	if (geteuid() != 0) {
		fprintf(stderr, "sampling needs root\n");
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	bench_bpf();
	bench_agent();
	bench_crowd();
	return 0;
}
