/* The processes of this host: what they run, who they say they are, and what
 * is mapped where. Filled from /proc at start and kept up to date by the
 * kernel's events, which must be applied in order of time.
 *
 * A struct process is one program run by one process: after an exec the pid
 * belongs to a new one. It stays until processes_purge() after its end, so that
 * samples taken before are still explained. A child shares its parent's
 * identity and mappings until it execs. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/events.h"
#include "agent/mappings.h"
#include "agent/procfs.h"
#include "base/err.h"

struct files;
struct published;

enum { PROCESSES_MAX = 65536, PROCESS_ENV_MAX = 32, PROCESS_TEXT_MAX = 4096 };

/* Shared between a parent and the children that run the same program. */
struct identity {
	uint32_t refs;
	char *exe_path;		    /* NULL: unknown */
	char *service_name;	    /* NULL or "": the process does not say */
	char *env[PROCESS_ENV_MAX]; /* values of options.env_names, NULL: not set */
	char container_id[CONTAINER_ID_MAX + 1];
};

struct process {
	uint32_t pid;
	bool kernel_thread;
	bool ended;	    /* exited, or runs another program now */
	bool identity_read; /* from /proc; before that it is the parent's, or from events */
	bool exe_pending;   /* after an exec: the first mapping says which file */
	bool waiting;	    /* in the list of those whose identity shall be read */
	bool execed;	    /* since its fork, so what it runs is not its parent's program */
	bool leaderless;    /* its first thread ended before the others */
	bool doubtful;	    /* events were lost: it may have ended or run another program */
	uint32_t look_pid;  /* under which /proc shows it: pid, or a living thread's id */
	uint32_t parent_pid;
	char comm[17];
	struct identity *identity;
	struct mappings *maps;
	uint64_t read_ns; /* when all of it was read from /proc: it knows what happened before */
	uint64_t maps_read_ns;	   /* the same for maps; both 0: never */
	uint64_t maps_asked_ns;	   /* when they were, read or not */
	uint64_t born_ns, fork_ns; /* of this program, and of the process; both monotonic */
	uint64_t end_ns;
	struct process *next;	     /* in the list of ended ones, or of waiting ones */
	uint32_t holds;		     /* samples that wait for something: it is not forgotten */
	struct published *published; /* what BPF knows of it (publish.h); NULL: nothing */

	uint32_t batch; /* for the batch maker: in which batch it has a resource, and which */
	uint32_t resource;
};

struct processes_options {
	const char *proc; /* "/proc" */
	struct str env_names[PROCESS_ENV_MAX];
	uint32_t env_count;
};

struct processes;

/* options and files must outlive it. */
MUST_USE int processes_create(const struct processes_options *options, struct files *files,
			      struct processes **ret, struct err *err);
void processes_destroy(struct processes *processes); /* NULL is fine */

/* Who must hear at once when what is known of a process ends or changes. */
struct processes_listener {
	/* Its pid is another program's from now on, or nobody's. */
	void (*gone)(void *ctx, struct process *process);
	/* Something was mapped between start and end; process->maps says so already. */
	void (*mapped)(void *ctx, struct process *process, uint64_t start, uint64_t end);
	void *ctx;
};

/* listener must outlive it; NULL: nobody. */
void processes_listen(struct processes *processes, const struct processes_listener *listener);

/* Takes in all processes of /proc. Processes that end meanwhile are no error. */
MUST_USE int processes_scan(struct processes *processes, struct err *err);
void processes_apply(struct processes *processes, const struct event *event);

/* Who was sampled: tid is the thread, comm its name. */
struct process_hint {
	uint32_t pid, tid;
	const char *comm;
	bool kernel_thread;
};

/* The program that the pid runs at this point of the events; one that events did not tell of is read
 * from /proc. NULL: the table is full, or no memory. comm names a process that /proc does not know. */
struct process *processes_get(struct processes *processes, const struct process_hint *hint);
/* The mapping around the address; reads the maps again (at most once a second) when it is not known.
 * The row lives until the next call. */
const struct mapping *processes_mapping(struct processes *processes, struct process *process,
					uint64_t address);
/* Asks for the identity to be read by the next processes_read_waiting(). */
void processes_want_identity(struct processes *processes, struct process *process);
/* To be called when all events that are there have been applied. */
void processes_read_waiting(struct processes *processes);
/* For people: basename of the executable, "[kworker]", or the comm. Into ret. */
void process_name(const struct process *process, char *ret, size_t cap);

/* Forgets those that ended before the time. None of them may be used any more. */
void processes_purge(struct processes *processes, uint64_t before_ns);
/* Marks all files in use. */
void processes_mark_files(const struct processes *processes);

struct processes_stats {
	uint32_t processes, mappings;
	uint64_t refused; /* processes and mappings over a limit */
	uint64_t lost_events;
};

void processes_get_stats(const struct processes *processes, struct processes_stats *ret);
