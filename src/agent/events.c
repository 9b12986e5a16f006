/* One ring per CPU, each in order of time. The merge looks at the oldest record
 * of every ring and takes the earliest, so nothing is copied or sorted, but for
 * a record that wraps around the end of its ring. */
#include "agent/events.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/cpus.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

enum {
	RING_BYTES = 128 << 10, /* some 1000 records: a busy build makes fewer in a tick */
	PAGE_BYTES = 4096,
	RECORD_BYTES_MAX = 64 << 10, /* sizes are 16 bits */
	/* Less room than this and a record with a long path may have been dropped. */
	FULL_MARGIN_BYTES = 2 * PAGE_BYTES,
};

struct ring {
	int fd; /* -1: not open */
	struct perf_event_mmap_page *page;
	const uint8_t *data;
	uint64_t tail;	/* up to where it is read */
	bool have_head; /* head is the next event, of head_size bytes */
	uint32_t head_size;
	struct event head;
	uint64_t full_ns; /* when it was found full, or opened late; 0: neither */
	uint8_t *wrapped; /* for a record that wraps, allocated when the first one comes */
};

struct events {
	struct ring *rings; /* by CPU */
	uint32_t count;
	struct ring *taken; /* holds the event that events_next returned last */
	int epoll_fd;
	bool no_build_ids; /* below 5.12 */
	bool attached;	   /* once at least */
};

int events_create(struct events **ret, struct err *err)
{
	struct events *events = mem_zalloc(1, sizeof(*events));
	if (!events)
		return err_set(err, ERR_NOMEM, "process events: no memory");
	events->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (events->epoll_fd < 0) {
		mem_free(events);
		return err_set_errno(err, errno, "process events: epoll_create");
	}
	*ret = events;
	return 0;
}

static void ring_close(struct ring *ring)
{
	if (ring->fd < 0)
		return;
	munmap(ring->page, PAGE_BYTES + RING_BYTES);
	fd_close(&ring->fd);
	mem_free(ring->wrapped);
	*ring = (struct ring){.fd = -1};
}

void events_destroy(struct events *events)
{
	if (!events)
		return;
	for (uint32_t i = 0; i < events->count; i++)
		ring_close(&events->rings[i]);
	mem_free(events->rings);
	fd_close(&events->epoll_fd);
	mem_free(events);
}

static void ring_advance(struct ring *ring, uint64_t bytes)
{
	ring->tail += bytes;
	ring->have_head = false;
	__atomic_store_n(&ring->page->data_tail, ring->tail, __ATOMIC_RELEASE);
}

static void give_back(struct events *events)
{
	if (events->taken)
		ring_advance(events->taken, events->taken->head_size);
	events->taken = NULL;
}

static int open_dummy(uint32_t cpu, bool build_ids)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.build_id = build_ids,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1,
		.wakeup_watermark = RING_BYTES / 2,
	};
	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static int ring_open(struct events *events, struct ring *ring, uint32_t cpu, struct err *err)
{
	int fd = open_dummy(cpu, !events->no_build_ids);
	if (fd < 0 && errno == EINVAL && !events->no_build_ids) {
		events->no_build_ids = true;
		fd = open_dummy(cpu, false);
	}
	if (fd < 0)
		return err_set_errno(err, errno, "opening the process events of CPU %u", cpu);
	void *page = mmap(NULL, PAGE_BYTES + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct epoll_event interest = {.events = EPOLLIN | EPOLLET};
	if (page == MAP_FAILED || epoll_ctl(events->epoll_fd, EPOLL_CTL_ADD, fd, &interest)) {
		int error = errno;
		if (page != MAP_FAILED)
			munmap(page, PAGE_BYTES + RING_BYTES);
		close(fd);
		return err_set_errno(err, error, "mapping the process events of CPU %u", cpu);
	}
	*ring = (struct ring){.fd = fd, .page = page, .data = (uint8_t *)page + PAGE_BYTES};
	return 0;
}

static int grow(struct events *events, uint32_t cpus, struct err *err)
{
	if (cpus <= events->count)
		return 0;
	struct ring *rings = mem_realloc(events->rings, cpus * sizeof(*rings));
	if (!rings)
		return err_set(err, ERR_NOMEM, "process events: no memory for %u CPUs", cpus);
	for (uint32_t i = events->count; i < cpus; i++)
		rings[i] = (struct ring){.fd = -1};
	events->rings = rings;
	events->count = cpus;
	return 0;
}

int events_attach(struct events *events, struct err *err)
{
	struct cpu_set online;
	int rc = cpu_set_online(&online, err);
	give_back(events); /* since rings may move or close below */
	if (rc == 0)
		rc = grow(events, cpu_set_end(&online), err);
	if (rc)
		return rc;
	for (uint32_t cpu = 0; cpu < events->count; cpu++) {
		struct ring *ring = &events->rings[cpu];
		int failed = 0;
		if (!cpu_set_has(&online, cpu) && !ring->have_head)
			ring_close(ring);
		if (cpu_set_has(&online, cpu) && ring->fd < 0) {
			failed = ring_open(events, ring, cpu, err);
			/* A CPU that came online later ran without being heard until now. */
			if (!failed && events->attached)
				ring->full_ns = clock_mono_ns();
		}
		if (failed)
			rc = failed;
	}
	events->attached = true;
	return rc;
}

/* The record at the tail, in one piece. */
static const uint8_t *record_at_tail(struct ring *ring, uint32_t size)
{
	uint64_t offset = ring->tail % RING_BYTES;
	if (offset + size <= RING_BYTES)
		return ring->data + offset;
	if (!ring->wrapped)
		ring->wrapped = mem_alloc(RECORD_BYTES_MAX);
	if (!ring->wrapped)
		return NULL;
	size_t first = (size_t)(RING_BYTES - offset);
	memcpy(ring->wrapped, ring->data + offset, first);
	memcpy(ring->wrapped + first, ring->data, size - first);
	return ring->wrapped;
}

/* The kernel writes its LOST record only together with the next event of that CPU, and on a quiet one that
 * may be long after. A full ring says the same at once. */
static void note_full(struct ring *ring, uint64_t used_bytes)
{
	if (ring->full_ns == 0 && used_bytes > RING_BYTES - FULL_MARGIN_BYTES)
		ring->full_ns = clock_mono_ns();
}

/* Decodes the oldest record, if it is not yet. */
static bool ring_peek(struct ring *ring)
{
	while (!ring->have_head) {
		uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
		struct perf_event_header header;
		note_full(ring, head - ring->tail);
		if (head - ring->tail < sizeof(header))
			return false;
		/* Records are multiples of 8 bytes, so a header never wraps. */
		memcpy(&header, ring->data + ring->tail % RING_BYTES, sizeof(header));
		if (header.size < sizeof(header) || header.size > head - ring->tail) {
			ring_advance(ring, head - ring->tail);
			return false;
		}
		const uint8_t *record = record_at_tail(ring, header.size);
		if (record && event_decode(record, header.size, &ring->head) &&
		    ring->head.kind != EVENT_OTHER) {
			ring->have_head = true;
			ring->head_size = header.size;
		} else {
			ring_advance(ring, header.size);
		}
	}
	return true;
}

/* A ring that was full and is read up to then: the event is told once, of unknown number. */
static bool take_full(struct events *events, uint64_t limit_ns, struct event *ret)
{
	for (uint32_t i = 0; i < events->count; i++) {
		struct ring *ring = &events->rings[i];
		if (ring->fd < 0 || ring->full_ns == 0 || ring->full_ns > limit_ns)
			continue;
		*ret = (struct event){.kind = EVENT_LOST, .time_ns = ring->full_ns};
		ring->full_ns = 0;
		return true;
	}
	return false;
}

/* The name of the returned event points into its ring, so the record is given back to the kernel only
 * at the next call. */
bool events_next(struct events *events, uint64_t limit_ns, struct event *ret)
{
	struct ring *oldest = NULL;
	give_back(events);
	for (uint32_t i = 0; i < events->count; i++) {
		struct ring *ring = &events->rings[i];
		if (ring->fd >= 0 && ring_peek(ring) &&
		    (!oldest || ring->head.time_ns < oldest->head.time_ns))
			oldest = ring;
	}
	if (!oldest || oldest->head.time_ns > limit_ns)
		return take_full(events, limit_ns, ret);
	*ret = oldest->head;
	events->taken = oldest;
	return true;
}

int events_fd(const struct events *events)
{
	return events->epoll_fd;
}

uint64_t events_bytes(const struct events *events)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < events->count; i++)
		bytes += events->rings[i].fd < 0 ? 0 : PAGE_BYTES + RING_BYTES;
	return bytes;
}
