/* Texts of /proc/PID taken apart, and the files read. The parsers are pure:
 * any bytes go in, nothing outside is read. Views point into the input. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* A line of /proc/PID/maps (proc_pid_maps(5)). */
struct proc_map {
	uint64_t start, end, offset, inode;
	uint32_t major, minor;
	bool executable;
	struct str path; /* "" for anonymous memory */
};

bool proc_parse_map(struct str line, struct proc_map *ret);

/* From /proc/PID/stat. */
struct proc_stat {
	struct str comm;
	uint32_t parent_pid;
	bool kernel_thread;
	uint64_t start_ticks; /* since boot; a pid with another start is another process */
};

bool proc_parse_stat(struct str text, struct proc_stat *ret);

enum { CONTAINER_ID_MAX = 64 };

/* The container's id in /proc/PID/cgroup, of cgroup v1 or v2: 64 hex digits, or an ECS task id, at the
 * end of the path of the first line that has one; a ".scope" and one more lower-case directory may
 * follow. Empty when there is none. Rules of opentelemetry-ebpf-profiler, process/process.go. */
struct str proc_container_id(struct str cgroup);

/* The value of a variable in /proc/PID/environ; {NULL, 0} when it is not set. */
struct str proc_environ_get(struct str environment, struct str name);

/* service.name as the process names itself: OTEL_SERVICE_NAME, else service.name in
 * OTEL_RESOURCE_ATTRIBUTES (percent-decoded; a malformed list counts as none: OpenTelemetry
 * specification, "Resource SDK", "Specifying resource information via an environment variable").
 * Copied into ret and cut to cap; "" when there is none or it is not UTF-8. */
void proc_service_name(struct str environment, char *ret, size_t cap);

/* Name of a kernel thread for people: "[kworker]" for "kworker/0:1H". */
void kernel_thread_name(struct str comm, char *ret, size_t cap);

/* readlink of PROC/PID/exe without " (deleted)". ERR_NOT_FOUND: no such process, or a kernel thread. */
MUST_USE int proc_read_exe(const char *proc, uint32_t pid, char *ret, size_t cap, struct err *err);
/* Any file of a process, appended to ret. ERR_LIMIT when larger. */
struct buf;
MUST_USE int proc_read(const char *proc, uint32_t pid, const char *name, size_t limit_bytes,
		       struct buf *ret, struct err *err);
