#include "agent/sampler.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sampler.skel.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "bpf/sampler.h"

/* Space for a second of samples of this size, so that a stall of the agent loses nothing. */
enum { TYPICAL_RECORD_BYTES = 2048, RING_BYTES_MIN = 2 << 20, RING_BYTES_MAX = 64 << 20 };
enum { SPACE_CHUNKS = 12 };

struct sampler {
	struct sampler_bpf *skel;
	struct ring_buffer *ring;
	int wake_fd; /* epoll, of the ring buffer */
	void *space; /* MAP_FAILED: not mapped yet */
	uint32_t space_chunks;
	struct sampler_options options;
	struct cpu_set only;
	uint64_t period_ns;
	int *event_fds; /* by CPU, -1: none */
	uint32_t cpu_cap;
	uint32_t cpus; /* with an event */
	uint32_t possible_cpus;
	sample_fn fn;
	void *fn_ctx;
	uint64_t begin_ns; /* of sampler_consume() */
};

bool sample_decode(const void *data, size_t len, struct sample *ret)
{
	struct sampler_record head;
	if (len < sizeof(head))
		return false;
	memcpy(&head, data, sizeof(head));
	size_t frames_len = ((size_t)head.kernel_frames + head.user_frames) * sizeof(uint64_t);
	if (len - sizeof(head) < frames_len + head.stack_bytes || head.end >= UNWIND_ENDS)
		return false;
	/* Records start at multiples of 8 in the ring buffer, and the header is one long. */
	const uint64_t *addresses = (const void *)((const char *)data + sizeof(head));
	*ret = (struct sample){
		.time_ns = head.time_ns,
		.pid = head.pid,
		.tid = head.tid,
		.cpu = head.cpu,
		.flags = head.flags,
		.kernel = addresses,
		.kernel_count = head.kernel_frames,
		.user = addresses + head.kernel_frames,
		.user_count = head.user_frames,
		.end = head.end,
		.state = {.pc = head.pc,
			  .sp = head.sp,
			  .fp = head.fp,
			  .lr = head.lr,
			  .exact = head.flags & SAMPLER_STOP_EXACT,
			  .no_fp = head.flags & SAMPLER_STOP_NO_FP},
		.stack = (const char *)addresses + frames_len,
		.stack_len = head.stack_bytes,
	};
	memcpy(ret->comm, head.comm, sizeof(head.comm));
	return true;
}

static int on_record(void *ctx, void *data, size_t len)
{
	struct sampler *sampler = ctx;
	struct sample sample;
	if (!sample_decode(data, len, &sample))
		return 0;
	sampler->fn(sampler->fn_ctx, &sample);
	return sample.time_ns > sampler->begin_ns ? -EAGAIN : 0;
}

/* libbpf explains load failures line by line; they are for whoever debugs, the error for the rest. */
PRINTF_LIKE(2, 0)
static int on_libbpf_message(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[1024];
	(void)level;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("agent", "libbpf", "text=\"%s\"", text);
	return 0;
}

static uint32_t ring_bytes(const struct sampler_options *options, uint32_t cpus)
{
	uint64_t want = (uint64_t)options->samples_per_second * cpus * TYPICAL_RECORD_BYTES;
	uint32_t bytes = RING_BYTES_MIN;
	if (options->ring_bytes)
		return options->ring_bytes;
	while (bytes < want && bytes < RING_BYTES_MAX)
		bytes *= 2;
	return bytes;
}

static int load_error(struct err *err, int error)
{
	if (error == EPERM || error == EACCES)
		return err_set(err, ERR_DENIED,
			       "loading the BPF sampler: not permitted; run as root, or with the "
			       "capabilities BPF, PERFMON and SYS_RESOURCE (`cresset doctor` says "
			       "what is missing)");
	if (error == ESRCH)
		return err_set(err, ERR_UNSUPPORTED,
			       "loading the BPF sampler: this kernel has no type information "
			       "(/sys/kernel/btf/vmlinux); use a kernel built with "
			       "CONFIG_DEBUG_INFO_BTF=y");
	if (error == ENOSYS)
		return err_set(err, ERR_UNSUPPORTED,
			       "loading the BPF sampler: this kernel has no bpf() system call; use "
			       "a "
			       "kernel built with CONFIG_BPF_SYSCALL=y");
	return err_set_errno(err, error, "loading the BPF sampler");
}

/* Below 5.11 BPF memory counts as locked memory of the process. */
static void raise_memlock(void)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

static size_t space_bytes(const struct sampler *sampler)
{
	return (size_t)sampler->space_chunks * UNWIND_CHUNK_BYTES;
}

static int map_space(struct sampler *sampler, struct err *err)
{
	sampler->space = mmap(NULL, space_bytes(sampler), PROT_READ | PROT_WRITE, MAP_SHARED,
			      bpf_map__fd(sampler->skel->maps.space), 0);
	if (sampler->space == MAP_FAILED)
		return err_set_errno(err, errno, "mapping the memory of the unwind tables");
	return 0;
}

/* What the program forgets by itself. */
static int watch_processes(struct sampler_bpf *skel, struct err *err)
{
	skel->links.forget_exec = bpf_program__attach(skel->progs.forget_exec);
	if (!skel->links.forget_exec)
		return err_set_errno(err, errno, "watching for programs that are executed");
	skel->links.forget_exit = bpf_program__attach(skel->progs.forget_exit);
	if (!skel->links.forget_exit)
		return err_set_errno(err, errno, "watching for processes that end");
	return 0;
}

/* The ring buffer is readable whenever a record is there; edge-triggered, only those tell that were sent
 * with a wake-up. */
static int open_wake(struct sampler *sampler, int ring_fd, struct err *err)
{
	struct epoll_event interest = {.events = EPOLLIN | EPOLLET};
	sampler->wake_fd = epoll_create1(EPOLL_CLOEXEC);
	if (sampler->wake_fd < 0 || epoll_ctl(sampler->wake_fd, EPOLL_CTL_ADD, ring_fd, &interest))
		return err_set_errno(err, errno, "waiting for the sampler's ring buffer");
	return 0;
}

static int open_and_load(struct sampler *sampler, struct err *err)
{
	const struct sampler_options *options = &sampler->options;
	const struct bpf_object_open_opts open_options = {
		.sz = sizeof(open_options),
		.kernel_log_level = options->verifier_log_level,
	};
	sampler->skel = sampler_bpf__open_opts(&open_options);
	if (!sampler->skel)
		return load_error(err, errno);
	sampler->skel->rodata->send_idle = options->send_idle;
	if (bpf_map__set_max_entries(sampler->skel->maps.ring,
				     ring_bytes(options, sampler->possible_cpus)) ||
	    bpf_map__set_max_entries(sampler->skel->maps.space, sampler->space_chunks))
		return load_error(err, errno);
	int rc = sampler_bpf__load(sampler->skel);
	if (rc)
		return load_error(err, -rc);
	int ring_fd = bpf_map__fd(sampler->skel->maps.ring);
	sampler->ring = ring_buffer__new(ring_fd, on_record, sampler, NULL);
	if (!sampler->ring)
		return err_set_errno(err, errno, "mapping the sampler's ring buffer");
	rc = open_wake(sampler, ring_fd, err);
	if (rc == 0)
		rc = map_space(sampler, err);
	return rc ? rc : watch_processes(sampler->skel, err);
}

int sampler_create(const struct sampler_options *options, struct sampler **ret, struct err *err)
{
	int possible = libbpf_num_possible_cpus();
	if (possible <= 0)
		return err_set_errno(err, -possible, "counting the possible CPUs");
	struct sampler *sampler = mem_zalloc(1, sizeof(*sampler));
	if (!sampler)
		return err_set(err, ERR_NOMEM, "sampler: no memory");
	sampler->options = *options;
	sampler->space = MAP_FAILED;
	sampler->wake_fd = -1;
	sampler->space_chunks = options->space_chunks ? options->space_chunks : SPACE_CHUNKS;
	if (options->only)
		sampler->only = *options->only;
	sampler->possible_cpus = (uint32_t)possible;
	sampler->period_ns = NS_PER_S / options->samples_per_second;
	raise_memlock();
	libbpf_set_print(on_libbpf_message);
	int rc = open_and_load(sampler, err);
	if (rc) {
		sampler_destroy(sampler);
		return rc;
	}
	*ret = sampler;
	return 0;
}

void sampler_destroy(struct sampler *sampler)
{
	if (!sampler)
		return;
	sampler_detach(sampler);
	fd_close(&sampler->wake_fd);
	mem_free(sampler->event_fds);
	ring_buffer__free(sampler->ring);
	if (sampler->space != MAP_FAILED)
		munmap(sampler->space, space_bytes(sampler));
	sampler_bpf__destroy(sampler->skel);
	mem_free(sampler);
}

static int open_event(const struct sampler *sampler, int pid, int cpu, int *ret_fd, struct err *err)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = sampler->period_ns,
		.exclude_idle = !sampler->options.send_idle,
		.inherit = 0,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno, "opening the cpu-clock event of CPU %d", cpu);
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(sampler->skel->progs.sample)) ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0)) {
		int error = errno;
		close(fd);
		return err_set_errno(err, error, "attaching the sampler to CPU %d", cpu);
	}
	*ret_fd = fd;
	return 0;
}

static int grow_events(struct sampler *sampler, uint32_t cpus, struct err *err)
{
	if (cpus <= sampler->cpu_cap)
		return 0;
	int *fds = mem_realloc(sampler->event_fds, cpus * sizeof(*fds));
	if (!fds)
		return err_set(err, ERR_NOMEM, "sampler: no memory for %u CPUs", cpus);
	for (uint32_t i = sampler->cpu_cap; i < cpus; i++)
		fds[i] = -1;
	sampler->event_fds = fds;
	sampler->cpu_cap = cpus;
	return 0;
}

static int attach_cpu(struct sampler *sampler, uint32_t cpu, bool wanted, struct err *err)
{
	int *fd = &sampler->event_fds[cpu];
	if (*fd >= 0 && !wanted) {
		fd_close(fd);
		sampler->cpus--;
	}
	if (*fd >= 0 || !wanted)
		return 0;
	int rc = open_event(sampler, -1, (int)cpu, fd, err);
	if (rc == 0)
		sampler->cpus++;
	return rc;
}

int sampler_attach(struct sampler *sampler, struct err *err)
{
	struct cpu_set online;
	int rc = cpu_set_online(&online, err);
	if (rc == 0)
		rc = grow_events(sampler, cpu_set_end(&online), err);
	if (rc)
		return rc;
	for (uint32_t cpu = 0; cpu < sampler->cpu_cap; cpu++) {
		bool pinned = !sampler->options.only || cpu_set_has(&sampler->only, cpu);
		int failed = attach_cpu(sampler, cpu, pinned && cpu_set_has(&online, cpu), err);
		if (failed)
			rc = failed;
	}
	return rc;
}

int sampler_attach_pid(struct sampler *sampler, int pid, struct err *err)
{
	int rc = grow_events(sampler, 1, err);
	if (rc == 0)
		rc = open_event(sampler, pid, -1, &sampler->event_fds[0], err);
	if (rc == 0)
		sampler->cpus = 1;
	return rc;
}

void sampler_detach(struct sampler *sampler)
{
	for (uint32_t cpu = 0; cpu < sampler->cpu_cap; cpu++)
		fd_close(&sampler->event_fds[cpu]);
	sampler->cpus = 0;
}

int sampler_fd(const struct sampler *sampler)
{
	return sampler->wake_fd;
}

int sampler_consume(struct sampler *sampler, sample_fn fn, void *ctx, struct err *err)
{
	sampler->fn = fn;
	sampler->fn_ctx = ctx;
	struct epoll_event event;
	sampler->begin_ns = clock_mono_ns();
	(void)epoll_wait(sampler->wake_fd, &event, 1, 0);
	int rc = ring_buffer__consume(sampler->ring);
	if (rc == -EAGAIN) /* the rest came since */
		return 0;
	return rc < 0 ? err_set_errno(err, -rc, "reading the sampler's ring buffer") : 0;
}

/* ---- unwind tables ---- */

void *sampler_space(const struct sampler *sampler, uint32_t *ret_chunks)
{
	*ret_chunks = sampler->space_chunks;
	return sampler->space;
}

int sampler_publish(struct sampler *sampler, uint32_t pid, uint32_t place, uint32_t count,
		    struct err *err)
{
	const struct unwind_process process = {.mappings = place, .count = count};
	int rc = bpf_map__update_elem(sampler->skel->maps.processes, &pid, sizeof(pid), &process,
				      sizeof(process), BPF_ANY);
	if (rc == -E2BIG)
		return err_set(err, ERR_LIMIT, "unwind tables: %d processes have theirs",
			       UNWIND_PROCESSES_MAX);
	return rc ? err_set_errno(err, -rc, "publishing the unwind tables of process %u", pid) : 0;
}

void sampler_unpublish(struct sampler *sampler, uint32_t pid)
{
	(void)bpf_map__delete_elem(sampler->skel->maps.processes, &pid, sizeof(pid), 0);
}

/* ---- figures ---- */

static uint64_t read_counter(const struct sampler *sampler, uint32_t key)
{
	uint64_t values[CPUS_MAX], sum = 0;
	if (sampler->possible_cpus > CPUS_MAX ||
	    bpf_map__lookup_elem(sampler->skel->maps.counters, &key, sizeof(key), values,
				 sampler->possible_cpus * sizeof(*values), 0))
		return 0;
	for (uint32_t i = 0; i < sampler->possible_cpus; i++)
		sum += values[i];
	return sum;
}

/* What the kernel has allocated for a map, as /proc/self/fdinfo says. */
static uint64_t map_bytes(const struct bpf_map *map)
{
	char path[64];
	struct buf text;
	uint64_t bytes = 0;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(map));
	buf_init(&text, 0);
	if (fd_read_file(path, 64 << 10, &text, NULL) == 0) {
		struct str rest = buf_text(&text), line;
		while (str_next(&rest, '\n', &line)) {
			if (str_starts_with(line, STR("memlock:")))
				(void)str_to_u64(str_trim(str_sub(line, 8, line.len)), &bytes);
		}
	}
	buf_deinit(&text);
	return bytes;
}

void sampler_get_stats(const struct sampler *sampler, struct sampler_stats *ret)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	*ret = (struct sampler_stats){
		.samples = read_counter(sampler, SAMPLER_COUNT_SAMPLES),
		.lost_ring = read_counter(sampler, SAMPLER_COUNT_LOST_RING),
		.stack_bytes = read_counter(sampler, SAMPLER_COUNT_STACK_BYTES),
		.cpus = sampler->cpus,
		.period_ns = (uint32_t)sampler->period_ns,
	};
	for (uint32_t i = 0; i < UNWIND_ENDS; i++)
		ret->ends[i] = read_counter(sampler, SAMPLER_COUNT_ENDS + i);
	if (bpf_obj_get_info_by_fd(bpf_program__fd(sampler->skel->progs.sample), &info, &len) ==
	    0) {
		ret->run_ns = info.run_time_ns;
		ret->run_count = info.run_cnt;
		ret->verifier_instructions = info.verified_insns;
	}
	const struct bpf_object *object = sampler->skel->obj;
	const struct bpf_map *map = NULL;
	while ((map = bpf_object__next_map(object, map)))
		ret->map_bytes += map_bytes(map);
}
