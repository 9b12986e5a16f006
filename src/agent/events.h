/* What the kernel tells about processes and their executable mappings: perf's
 * MMAP2, COMM, FORK and EXIT records, from a ring of each online CPU, merged by
 * time. Format: include/uapi/linux/perf_event.h. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum event_kind { EVENT_MMAP, EVENT_COMM, EVENT_FORK, EVENT_EXIT, EVENT_LOST, EVENT_OTHER };

enum { EVENT_BUILD_ID_BYTES = 20 };

/* name is valid until the next call. */
struct event {
	enum event_kind kind;
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint32_t pid, tid;
	uint32_t parent_pid;	      /* FORK, EXIT */
	bool exec;		      /* COMM: the process runs another program from here on */
	struct str name;	      /* COMM: of the thread; MMAP: path, "//anon", "[vdso]", ... */
	uint64_t start, size, offset; /* MMAP: addresses, and where in the file */
	uint32_t major, minor;	      /* MMAP without a build id: the file */
	uint64_t inode, inode_generation;
	uint8_t build_id_len; /* MMAP: 0 = unknown */
	uint8_t build_id[EVENT_BUILD_ID_BYTES];
	uint64_t lost; /* LOST: how many records were dropped; 0: some perhaps, the ring was full */
};

/* A record as the kernel writes it (with sample_id_all and PERF_SAMPLE_TIME). False: cut short. Kinds
 * that we do not ask for are EVENT_OTHER. */
bool event_decode(const void *record, size_t len, struct event *ret);

struct events;

/* Nothing is opened yet. */
MUST_USE int events_create(struct events **ret, struct err *err);
void events_destroy(struct events *events); /* NULL is fine */
/* Rings for the CPUs that are online now; those of gone CPUs are closed when read empty. */
MUST_USE int events_attach(struct events *events, struct err *err);
/* The oldest event not later than limit_ns; false when there is none. Complete when limit_ns is in
 * the past: then every ring has what happened before. */
bool events_next(struct events *events, uint64_t limit_ns, struct event *ret);
/* Readable when some ring is half full. For epoll and poll. */
int events_fd(const struct events *events);
uint64_t events_bytes(const struct events *events); /* memory of the rings */
