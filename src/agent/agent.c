/* The agent's thread wakes ten times a second, and soon when a sample waits for
 * an unwind table. Each tick takes the samples out of the ring buffer and, before
 * each, applies the process events that are older, so that every sample meets the
 * mappings of its moment (intake.c). Once per reporting interval the window's
 * batch goes to the sink. */
#include "agent/agent.h"

#include <elf.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/batch.h"
#include "agent/config.h"
#include "agent/events.h"
#include "agent/figures.h"
#include "agent/files.h"
#include "agent/gauges.h"
#include "agent/intake.h"
#include "agent/processes.h"
#include "agent/sampler.h"
#include "agent/unwinding.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "elf/elf.h"

static const int niceness = -10;
static const uint64_t tick_ns = 100 * NS_PER_MS;
static const uint64_t pause_ns = 5 * NS_PER_MS; /* between two looks at least */
static const uint64_t first_report_ns = NS_PER_S;
/* A window stays open so much longer for source lines that are on their way. */
static const uint64_t lines_wait_ns = 500 * NS_PER_MS;
static const uint64_t cpus_check_ns = NS_PER_S;
/* Ended processes are remembered this long: a sample is at most some ticks old when it is read. */
static const uint64_t linger_ns = 5ULL * NS_PER_S;
enum {
	SPACE_CHUNKS = 12, /* 24 MiB, so that with the rings it stays below 32 MB */
#if defined(__x86_64__)
	MACHINE = EM_X86_64,
#elif defined(__aarch64__)
	MACHINE = EM_AARCH64,
#endif
};

struct agent {
	struct agent_config config;
	char *env_list, *proc_root; /* copies that config and process_options point into */
	struct processes_options process_options;
	struct batch_options batch_options;
	struct cpu_set pinned;
	agent_sink sink;
	void *sink_ctx;
	struct sampler *sampler;
	struct events *events;
	struct files *files;
	struct processes *processes;
	struct unwinding *unwinding;
	struct kallsyms *kernel;
	struct batch_maker *maker;
	struct intake intake;
	int stop_fd;
	pthread_t thread;
	bool thread_runs;

	/* Of the thread. */
	int64_t clock_offset_ns;
	uint64_t tick_at_ns; /* monotonic, as the next ones */
	uint64_t window_start_ns;
	uint64_t report_at_ns, monitor_at_ns, cpus_at_ns, clock_at_ns;
	uint64_t lost_windows, batches; /* samples in lost windows */
	size_t symbol_bytes;		/* when memory was given back last */

	struct figures figures;
};

/* ---- figures ---- */

static void update_stats(struct agent *agent)
{
	struct agent_gauges g = {.agent_samples = agent->intake.samples,
				 .lost_memory = agent->intake.lost + agent->lost_windows,
				 .batches = agent->batches,
				 .cpu_ns = clock_thread_cpu_ns(),
				 .event_bytes = events_bytes(agent->events),
				 .ends = &agent->intake.ends,
				 .held = agent->intake.held_count};
	sampler_get_stats(agent->sampler, &g.sampler);
	processes_get_stats(agent->processes, &g.processes);
	files_get_stats(agent->files, &g.files);
	unwinding_get_stats(agent->unwinding, &g.unwinding);
	batch_get_symbol_counts(agent->maker, &g.frames_named, &g.frames_unnamed);
	batch_get_lines_stats(agent->maker, &g.lines);
	gauges_publish(&g);
	figures_set(&agent->figures, &g);
}

/* ---- one window ---- */

static uint64_t next_interval_ns(const struct agent *agent)
{
	double part = (double)arc4random() / UINT32_MAX * 2 - 1;
	double factor = 1 + part * agent->config.reporter_jitter;
	uint64_t ns = (uint64_t)((double)agent->config.reporter_interval_ns * factor);
	return ns < tick_ns ? tick_ns : ns;
}

/* Loading symbols takes and frees blocks that the C library would rather keep. */
static void give_memory_back(struct agent *agent)
{
	struct files_stats stats;
	files_get_stats(agent->files, &stats);
	if (stats.symbol_bytes != agent->symbol_bytes)
		(void)malloc_trim(0);
	agent->symbol_bytes = stats.symbol_bytes;
}

static void forget_old(struct agent *agent, uint64_t now_ns)
{
	processes_purge(agent->processes, now_ns > linger_ns ? now_ns - linger_ns : 0);
	if (files_crowded(agent->files)) {
		files_unmark(agent->files);
		processes_mark_files(agent->processes);
		unwinding_mark_files(agent->unwinding, clock_mono_ns());
		files_sweep(agent->files);
	}
	bool changed;
	struct err err;
	if (agent->kernel && kallsyms_refresh(agent->kernel, &changed, &err))
		log_debug("agent", "kernel symbols not refreshed", "error=" LOG_Q,
			  LOG_TEXT(err.text));
	give_memory_back(agent);
}

static void report(struct agent *agent, uint64_t now_ns)
{
	struct profile_batch *batch = NULL;
	struct err err;
	uint64_t offset = (uint64_t)agent->intake.clock_offset_ns;
	if (batch_finish(agent->maker, agent->window_start_ns + offset, now_ns + offset, &batch,
			 &err)) {
		agent->lost_windows += batch_samples(agent->maker);
		log_debug("agent", "window lost", "error=" LOG_Q, LOG_TEXT(err.text));
	}
	if (batch) {
		agent->batches++;
		agent->sink(agent->sink_ctx, batch);
	}
	batch_reset(agent->maker);
	forget_old(agent, now_ns);
	agent->window_start_ns = now_ns;
	agent->intake.window_full = false;
	agent->report_at_ns = now_ns + next_interval_ns(agent);
	update_stats(agent);
}

/* ---- the thread ---- */

static void follow_cpus(struct agent *agent)
{
	struct err err;
	if (events_attach(agent->events, &err) || sampler_attach(agent->sampler, &err))
		log_debug("agent", "a CPU is not sampled", "error=" LOG_Q, LOG_TEXT(err.text));
	files_expire(agent->files, clock_mono_ns());
}

static bool report_is_due(const struct agent *agent, uint64_t now_ns)
{
	uint32_t waiting = batch_wait_lines(agent->maker, 0);
	return agent->intake.window_full ||
	       now_ns >= agent->report_at_ns + (waiting ? lines_wait_ns : 0);
}

static void do_due_work(struct agent *agent)
{
	uint64_t now_ns = clock_mono_ns();
	if (now_ns >= agent->cpus_at_ns) {
		follow_cpus(agent);
		agent->cpus_at_ns = now_ns + cpus_check_ns;
	}
	if (agent->config.clock_sync_interval_ns && now_ns >= agent->clock_at_ns) {
		agent->intake.clock_offset_ns = clock_real_offset_ns();
		agent->clock_at_ns = now_ns + agent->config.clock_sync_interval_ns;
	}
	if (report_is_due(agent, now_ns))
		report(agent, now_ns);
	if (now_ns >= agent->monitor_at_ns) {
		update_stats(agent);
		figures_tell(&agent->figures);
		agent->monitor_at_ns = now_ns + agent->config.monitor_interval_ns;
	}
}

/* Until the next tick (soon when tables are still to be built), a process event ring is half full, a
 * sample waits for user space (but not at once), or the agent shall stop. Source lines that come meanwhile
 * make room for the next question. */
static bool wait_for_tick(const struct agent *agent)
{
	uint64_t begin_ns = clock_mono_ns(), now_ns;
	uint64_t end_ns = begin_ns + (agent->intake.soon ? pause_ns : tick_ns);
	while ((now_ns = clock_mono_ns()) < end_ns) {
		bool paused = now_ns < begin_ns + pause_ns;
		uint64_t until_ns = paused ? begin_ns + pause_ns : end_ns;
		struct pollfd fds[] = {{.fd = agent->stop_fd, .events = POLLIN},
				       {.fd = events_fd(agent->events), .events = POLLIN},
				       {.fd = batch_lines_fd(agent->maker), .events = POLLIN},
				       {.fd = sampler_fd(agent->sampler), .events = POLLIN}};
		(void)poll(fds, paused ? 3 : 4,
			   (int)((until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS));
		if (fds[0].revents & POLLIN)
			return false;
		if (fds[1].revents || fds[3].revents)
			return true;
		if (fds[2].revents)
			(void)batch_wait_lines(agent->maker, 0);
	}
	return true;
}

static void *run(void *arg)
{
	struct agent *agent = arg;
	/* A host without a CPU to spare is the one that people look at. The thread needs little, but soon;
	 * without the right to it, it goes on as it is. */
	(void)setpriority(PRIO_PROCESS, 0, niceness);
	while (wait_for_tick(agent)) {
		intake_take(&agent->intake);
		do_due_work(agent);
	}
	sampler_detach(agent->sampler);
	agent->intake.stopping = true;
	intake_take(&agent->intake);
	(void)batch_wait_lines(agent->maker, clock_mono_ns() + lines_wait_ns);
	report(agent, clock_mono_ns());
	return NULL;
}

/* ---- start and stop ---- */

static int copy_config(struct agent *agent, const struct agent_config *config, struct err *err)
{
	struct str env = str_of(config->include_env_vars ? config->include_env_vars : "");
	struct str proc = str_of(config->proc_root ? config->proc_root : "/proc");
	int rc = cpu_set_parse(str_of(config->pin_cpu_ids ? config->pin_cpu_ids : ""),
			       &agent->pinned, err);
	if (rc)
		return rc;
	agent->config = *config;
	agent->env_list = mem_strndup(env.ptr, env.len);
	agent->proc_root = mem_strndup(proc.ptr, proc.len);
	if (!agent->env_list || !agent->proc_root)
		return err_set(err, ERR_NOMEM, "agent: no memory");
	agent->process_options.proc = agent->proc_root;
	agent->batch_options = (struct batch_options){
		.period_ns = NS_PER_S / config->samples_per_second,
		.processes = &agent->process_options,
	};
	return agent_env_names(agent->env_list, agent->process_options.env_names, PROCESS_ENV_MAX,
			       &agent->process_options.env_count, err);
}

static int check_kernel(const struct agent_config *config, struct err *err)
{
	struct utsname name;
	if (config->no_kernel_version_check || uname(&name))
		return 0;
	return agent_kernel_check(name.release, err);
}

static int create_sampler(struct agent *agent, struct err *err)
{
	const struct sampler_options options = {
		.samples_per_second = agent->config.samples_per_second,
		.send_idle = agent->config.send_idle_frames,
		.verifier_log_level = agent->config.bpf_verifier_log_level,
		.space_chunks = (uint32_t)SPACE_CHUNKS << agent->config.map_scale_factor,
		.only = cpu_set_count(&agent->pinned) ? &agent->pinned : NULL,
	};
	return sampler_create(&options, &agent->sampler, err);
}

static int publish(void *ctx, uint32_t pid, uint32_t place, uint32_t count, struct err *err)
{
	return sampler_publish(ctx, pid, place, count, err);
}

static void unpublish(void *ctx, uint32_t pid)
{
	sampler_unpublish(ctx, pid);
}

static int create_unwinding(struct agent *agent, struct err *err)
{
	struct unwinding_options options = {
		.machine = MACHINE,
		.processes_max = UNWIND_PROCESSES_MAX,
		.ops = {publish, unpublish, agent->sampler},
	};
	options.memory = sampler_space(agent->sampler, &options.chunks);
	return unwinding_create(&options, agent->files, agent->processes, &agent->unwinding, err);
}

static int create_tables(struct agent *agent, struct err *err)
{
	int rc = files_create(agent->proc_root, 0, &agent->files, err);
	if (rc == 0)
		rc = processes_create(&agent->process_options, agent->files, &agent->processes,
				      err);
	return rc ? rc : create_unwinding(agent, err);
}

static int create_maker(struct agent *agent, struct err *err)
{
	/* Without the addresses of kernel functions kernel frames have no names; agent_check()
	 * says so. */
	if (kallsyms_load(&agent->kernel, err))
		agent->kernel = NULL;
	int rc = batch_maker_create(&agent->batch_options, agent->files, agent->processes,
				    agent->kernel, &agent->maker, err);
	agent->intake.sampler = agent->sampler;
	agent->intake.events = agent->events;
	agent->intake.processes = agent->processes;
	agent->intake.unwinding = agent->unwinding;
	agent->intake.maker = agent->maker;
	return rc;
}

/* Events first, so that nothing is missed between the look at /proc and the first event. */
static int follow_processes(struct agent *agent, struct err *err)
{
	int rc = events_create(&agent->events, err);
	if (rc == 0)
		rc = events_attach(agent->events, err);
	if (rc == 0)
		rc = processes_scan(agent->processes, err);
	return rc;
}

static int start_thread(struct agent *agent, struct err *err)
{
	uint64_t now_ns = clock_mono_ns();
	agent->intake.clock_offset_ns = clock_real_offset_ns();
	agent->window_start_ns = now_ns;
	agent->report_at_ns = now_ns + first_report_ns;
	agent->cpus_at_ns = now_ns + cpus_check_ns;
	agent->clock_at_ns = now_ns + agent->config.clock_sync_interval_ns;
	agent->monitor_at_ns = now_ns;
	agent->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (agent->stop_fd < 0)
		return err_set_errno(err, errno, "agent: eventfd");
	/* Signals are for the threads of the program, not for ours. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&agent->thread, NULL, run, agent);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return err_set_errno(err, error, "agent: starting its thread");
	agent->thread_runs = true;
	(void)pthread_setname_np(agent->thread, "cresset-agent");
	return 0;
}

int agent_start(const struct agent_config *config, agent_sink sink, void *ctx, struct agent **ret,
		struct err *err)
{
	int rc = agent_config_check(config, err);
	if (rc == 0)
		rc = check_kernel(config, err);
	if (rc)
		return rc;
	struct agent *agent = mem_zalloc(1, sizeof(*agent));
	if (!agent)
		return err_set(err, ERR_NOMEM, "agent: no memory");
	agent->sink = sink;
	agent->sink_ctx = ctx;
	agent->stop_fd = -1;
	figures_init(&agent->figures);
	rc = copy_config(agent, config, err);
	if (rc == 0)
		rc = create_sampler(agent, err);
	if (rc == 0)
		rc = create_tables(agent, err);
	if (rc == 0)
		rc = follow_processes(agent, err);
	if (rc == 0)
		rc = create_maker(agent, err);
	/* Last, since samples that wait fill the ring buffer. */
	if (rc == 0)
		rc = sampler_attach(agent->sampler, err);
	if (rc == 0)
		rc = start_thread(agent, err);
	if (rc) {
		agent_stop(agent);
		return rc;
	}
	*ret = agent;
	return 0;
}

void agent_stop(struct agent *agent)
{
	if (!agent)
		return;
	if (agent->thread_runs) {
		(void)eventfd_write(agent->stop_fd, 1);
		(void)pthread_join(agent->thread, NULL);
	}
	fd_close(&agent->stop_fd);
	batch_maker_destroy(agent->maker);
	intake_deinit(&agent->intake);
	unwinding_destroy(agent->unwinding);
	processes_destroy(agent->processes);
	files_destroy(agent->files);
	kallsyms_free(agent->kernel);
	events_destroy(agent->events);
	sampler_destroy(agent->sampler);
	figures_deinit(&agent->figures);
	mem_free(agent->env_list);
	mem_free(agent->proc_root);
	mem_free(agent);
}

void agent_get_stats(struct agent *agent, struct agent_stats *ret)
{
	figures_get_stats(&agent->figures, ret);
}

size_t agent_get_stacks(struct agent *agent, struct agent_stacks *rows, size_t cap)
{
	return figures_get_stacks(&agent->figures, rows, cap);
}
