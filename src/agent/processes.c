#include "agent/processes.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/files.h"
#include "agent/identity.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/map.h"
#include "base/mem.h"

enum { MAPS_BYTES_MAX = 16 << 20, STAT_BYTES_MAX = 4096 };

/* An address outside of all mappings makes us read maps anew, but not more often than this. */
static const uint64_t maps_reread_ns = NS_PER_S;

struct processes {
	const struct processes_options *options;
	struct files *files;
	const struct processes_listener *listener;
	struct map by_pid;
	struct process *ended, *waiting;
	uint32_t count; /* by_pid and ended */
	uint64_t refused, lost_events;
	bool doubt;	 /* there may be ended ones of which no event told */
	struct buf text; /* for files of /proc */
};

int processes_create(const struct processes_options *options, struct files *files,
		     struct processes **ret, struct err *err)
{
	struct processes *processes = mem_zalloc(1, sizeof(*processes));
	if (!processes)
		return err_set(err, ERR_NOMEM, "table of processes: no memory");
	processes->options = options;
	processes->files = files;
	buf_init(&processes->text, 0);
	*ret = processes;
	return 0;
}

void processes_listen(struct processes *processes, const struct processes_listener *listener)
{
	processes->listener = listener;
}

static void tell_gone(const struct processes *processes, struct process *process)
{
	if (processes->listener)
		processes->listener->gone(processes->listener->ctx, process);
}

static void tell_mapped(const struct processes *processes, struct process *process, uint64_t start,
			uint64_t end)
{
	if (processes->listener)
		processes->listener->mapped(processes->listener->ctx, process, start, end);
}

static void process_free(struct processes *processes, struct process *process)
{
	tell_gone(processes, process);
	identity_unref(process->identity);
	mappings_unref(process->maps);
	mem_free(process);
	processes->count--;
}

void processes_destroy(struct processes *processes)
{
	if (!processes)
		return;
	size_t pos = 0;
	uint64_t pid, *value;
	while (map_next(&processes->by_pid, &pos, &pid, &value))
		process_free(processes, (struct process *)(uintptr_t)*value);
	map_deinit(&processes->by_pid);
	while (processes->ended) {
		struct process *next = processes->ended->next;
		process_free(processes, processes->ended);
		processes->ended = next;
	}
	buf_deinit(&processes->text);
	mem_free(processes);
}

static struct process *lookup(const struct processes *processes, uint32_t pid)
{
	uint64_t *value = map_get(&processes->by_pid, pid);
	return value ? (struct process *)(uintptr_t)*value : NULL;
}

static void leave_waiting_list(struct processes *processes, struct process *process)
{
	struct process **link = &processes->waiting;
	while (process->waiting && *link && *link != process)
		link = &(*link)->next;
	if (process->waiting && *link)
		*link = process->next;
	process->waiting = false;
}

/* Its pid is free for another program; samples from before may still be explained by it. */
static void retire(struct processes *processes, struct process *process, uint64_t now_ns)
{
	tell_gone(processes, process);
	leave_waiting_list(processes, process);
	map_remove(&processes->by_pid, process->pid, NULL);
	process->ended = true;
	if (process->end_ns == 0)
		process->end_ns = now_ns;
	process->next = processes->ended;
	processes->ended = process;
}

/* In place of what the pid was before. Takes the two references; NULL drops them. */
static struct process *add(struct processes *processes, uint32_t pid, struct identity *identity,
			   struct mappings *maps, uint64_t now_ns)
{
	struct process *process = NULL, *old = lookup(processes, pid);
	if (identity && maps && processes->count < PROCESSES_MAX)
		process = mem_zalloc(1, sizeof(*process));
	if (process && old)
		retire(processes, old, now_ns);
	if (!process || map_put(&processes->by_pid, pid, (uintptr_t)process, NULL)) {
		identity_unref(identity);
		mappings_unref(maps);
		mem_free(process);
		processes->refused++;
		return NULL;
	}
	process->pid = process->look_pid = pid;
	process->born_ns = process->fork_ns = now_ns;
	process->identity = identity;
	process->maps = maps;
	processes->count++;
	return process;
}

/* ---- from /proc ---- */

static void add_mapping(struct processes *processes, struct process *process,
			const struct file_source *source, const struct mapping *row, bool touch)
{
	bool is_new;
	struct mapping mapping = *row;
	mapping.file = files_intern(processes->files, source, &is_new);
	if (files_is_memory(processes->files, mapping.file))
		mapping.offset = mapping.start;
	if (mappings_add(&process->maps, &mapping, NULL))
		processes->refused++;
	else if (touch)
		tell_mapped(processes, process, mapping.start, mapping.end);
	struct file_place place = {process->look_pid, mapping.start, mapping.end};
	if (is_new && touch)
		files_touch(processes->files, mapping.file, &place);
}

static void take_map_line(struct processes *processes, struct process *process, struct str line)
{
	struct proc_map map;
	if (!proc_parse_map(line, &map) || !map.executable)
		return;
	struct file_source source = {.path = map.path,
				     .major = map.major,
				     .minor = map.minor,
				     .inode = map.inode};
	struct mapping row = {.start = map.start, .end = map.end, .offset = map.offset};
	add_mapping(processes, process, &source, &row, false);
}

/* Puts what /proc says in place of what was known, if it is something else. What has ended has no maps, or
 * empty ones until its parent has waited; of that the events, which may still be to come, know more. */
static void read_maps(struct processes *processes, struct process *process)
{
	uint64_t now_ns = clock_mono_ns();
	buf_clear(&processes->text);
	process->maps_asked_ns = now_ns;
	if (process->kernel_thread ||
	    proc_read(processes->options->proc, process->look_pid, "maps", MAPS_BYTES_MAX,
		      &processes->text, NULL) ||
	    buf_text(&processes->text).len == 0)
		return;
	process->maps_read_ns = now_ns;
	struct mappings *known = process->maps, *fresh = mappings_create();
	if (!fresh)
		return;
	process->maps = fresh;
	struct str rest = buf_text(&processes->text), line;
	while (str_next(&rest, '\n', &line))
		take_map_line(processes, process, line);
	if (mappings_equal(known, process->maps)) {
		mappings_unref(process->maps);
		process->maps = known;
		return;
	}
	mappings_unref(known);
	tell_mapped(processes, process, 0, UINT64_MAX);
}

static bool read_own_identity(struct processes *processes, struct process *process)
{
	process->identity_read = true;
	if (process->kernel_thread)
		return true;
	struct identity *fresh = identity_read(processes->options, process->look_pid,
					       process->identity, &processes->text);
	if (!fresh)
		return false;
	identity_unref(process->identity);
	process->identity = fresh;
	return true;
}

/* A process that was gone before we looked is its parent's child: from it come its environment and
 * container, and without an exec its program. Parents that only wait have never been looked at. */
static void take_after_parent(struct processes *processes, struct process *process)
{
	struct process *parent = lookup(processes, process->parent_pid);
	if (!parent || parent == process || parent->born_ns > process->fork_ns)
		return;
	if (!parent->identity_read)
		(void)read_own_identity(processes, parent);
	struct identity *identity = process->execed ? identity_inherit(parent->identity)
						    : identity_ref(parent->identity);
	if (!identity)
		return;
	if (process->execed && process->identity->exe_path)
		identity_set_exe(identity, str_of(process->identity->exe_path));
	identity_unref(process->identity);
	process->identity = identity;
}

static void read_identity(struct processes *processes, struct process *process)
{
	if (!read_own_identity(processes, process))
		take_after_parent(processes, process);
}

/* When the first thread of a process ends before the others, /proc/PID has no exe and no maps any
 * more; those of the other threads do. */
static void find_living_thread(const struct processes *processes, struct process *process,
			       uint32_t tid)
{
	char exe[PROCESS_TEXT_MAX];
	if (process->kernel_thread || tid == process->pid ||
	    proc_read_exe(processes->options->proc, process->pid, exe, sizeof(exe), NULL) == 0)
		return;
	process->leaderless = true;
	process->look_pid = tid;
}

/* A process that events did not tell of, or not all. tid is a thread of it that was seen. */
static struct process *read_process(struct processes *processes, uint32_t pid, uint32_t tid)
{
	struct proc_stat stat;
	uint64_t now_ns = clock_mono_ns();
	buf_clear(&processes->text);
	if (proc_read(processes->options->proc, pid, "stat", STAT_BYTES_MAX, &processes->text,
		      NULL) ||
	    !proc_parse_stat(buf_text(&processes->text), &stat))
		return NULL;
	struct process *process = add(processes, pid, identity_create(), mappings_create(), now_ns);
	if (!process)
		return NULL;
	process->kernel_thread = stat.kernel_thread;
	process->parent_pid = stat.parent_pid;
	str_copy(process->comm, sizeof(process->comm), stat.comm);
	find_living_thread(processes, process, tid);
	/* Taken before reading, so that nothing in between is thought to be known. */
	process->read_ns = now_ns;
	read_identity(processes, process);
	read_maps(processes, process);
	return process;
}

int processes_scan(struct processes *processes, struct err *err)
{
	DIR *dir = opendir(processes->options->proc);
	if (!dir)
		return err_set_errno(err, errno, "reading the processes in %s",
				     processes->options->proc);
	const struct dirent *entry;
	while ((entry = readdir(dir))) {
		uint64_t pid;
		if (str_to_u64(str_of(entry->d_name), &pid) && pid > 0 && pid <= UINT32_MAX)
			(void)read_process(processes, (uint32_t)pid, (uint32_t)pid);
	}
	closedir(dir);
	return 0;
}

/* Events were lost, so /proc is asked anew. When it does not know the pid any more, what was known is
 * all that explains the sample. */
static struct process *settle_doubt(struct processes *processes, struct process *process,
				    uint32_t tid)
{
	process->doubtful = false;
	struct process *fresh = read_process(processes, process->pid, tid);
	if (fresh)
		return fresh;
	if (process->end_ns == 0)
		process->end_ns = clock_mono_ns();
	return process;
}

static struct process *add_unknown(struct processes *processes, const struct process_hint *hint)
{
	struct process *process =
		add(processes, hint->pid, identity_create(), mappings_create(), clock_mono_ns());
	if (!process)
		return NULL;
	process->kernel_thread = hint->kernel_thread || hint->pid == 0;
	process->identity_read = true;
	str_copy(process->comm, sizeof(process->comm),
		 hint->pid == 0 ? STR("idle") : str_of(hint->comm));
	return process;
}

struct process *processes_get(struct processes *processes, const struct process_hint *hint)
{
	struct process *process = lookup(processes, hint->pid);
	if (process && process->doubtful)
		process = settle_doubt(processes, process, hint->tid);
	if (!process && hint->pid != 0)
		process = read_process(processes, hint->pid, hint->tid);
	if (process && process->leaderless)
		process->look_pid = hint->tid;
	/* Gone already, or the idle task: all that is known is what the sample says. */
	return process ? process : add_unknown(processes, hint);
}

const struct mapping *processes_mapping(struct processes *processes, struct process *process,
					uint64_t address)
{
	const struct mapping *row = mappings_find(process->maps, address);
	if (row || process->ended || clock_mono_ns() - process->maps_asked_ns < maps_reread_ns)
		return row;
	read_maps(processes, process);
	return mappings_find(process->maps, address);
}

void processes_want_identity(struct processes *processes, struct process *process)
{
	if (process->identity_read || process->waiting || process->ended)
		return;
	process->waiting = true;
	process->next = processes->waiting;
	processes->waiting = process;
}

void processes_read_waiting(struct processes *processes)
{
	while (processes->waiting) {
		struct process *process = processes->waiting;
		processes->waiting = process->next;
		process->waiting = false;
		read_identity(processes, process);
	}
}

/* ---- from events ---- */

static void on_fork(struct processes *processes, const struct event *event)
{
	if (event->pid == event->parent_pid)
		return; /* a thread */
	struct process *parent = lookup(processes, event->parent_pid);
	if (!parent)
		parent = read_process(processes, event->parent_pid, event->parent_pid);
	if (!parent)
		return;
	struct process *old = lookup(processes, event->pid);
	if (old && old->read_ns > event->time_ns)
		return; /* /proc told us of this very process */
	struct process *child = add(processes, event->pid, identity_ref(parent->identity),
				    mappings_ref(parent->maps), event->time_ns);
	if (!child)
		return;
	child->kernel_thread = parent->kernel_thread;
	child->parent_pid = parent->pid;
	if (child->fork_ns < parent->born_ns)
		child->fork_ns = parent->born_ns; /* we read of the parent only now */
	memcpy(child->comm, parent->comm, sizeof(child->comm));
}

static void on_exec(struct processes *processes, struct process *old, const struct event *event)
{
	struct identity *identity = identity_inherit(old->identity);
	uint32_t parent_pid = old->parent_pid;
	uint64_t fork_ns = old->fork_ns;
	struct process *process =
		add(processes, event->pid, identity, mappings_create(), event->time_ns);
	if (!process)
		return;
	process->exe_pending = true;
	process->execed = true;
	process->parent_pid = parent_pid;
	process->fork_ns = fork_ns;
	str_copy(process->comm, sizeof(process->comm), event->name);
}

static void on_comm(struct processes *processes, const struct event *event)
{
	struct process *process = lookup(processes, event->pid);
	if (process && process->read_ns > event->time_ns)
		return;
	if (event->exec && process)
		on_exec(processes, process, event);
	else if (process && event->tid == event->pid)
		str_copy(process->comm, sizeof(process->comm), event->name);
	else if (!process)
		(void)read_process(processes, event->pid, event->tid);
}

static void on_mmap(struct processes *processes, const struct event *event)
{
	struct process *process = lookup(processes, event->pid);
	if (!process) {
		(void)read_process(processes, event->pid, event->tid);
		return;
	}
	/* The program itself is the first of them, whether its mapping was read from /proc before or not. */
	if (process->exe_pending && event->name.len > 0 && event->name.ptr[0] == '/') {
		process->exe_pending = false;
		identity_set_exe(process->identity, event->name);
	}
	if (process->maps_read_ns > event->time_ns)
		return;
	struct file_source source = {
		.path = event->name,
		.major = event->major,
		.minor = event->minor,
		.inode = event->inode,
		.inode_generation = event->inode_generation,
		.build_id = event->build_id,
		.build_id_len = event->build_id_len,
	};
	struct mapping row = {.start = event->start,
			      .end = event->start + event->size,
			      .offset = event->offset};
	add_mapping(processes, process, &source, &row, true);
}

static void on_exit_event(struct processes *processes, const struct event *event)
{
	struct process *process = lookup(processes, event->pid);
	if (!process || (event->tid != event->pid && !process->leaderless))
		return;
	/* Other threads may live on, a little or for long; their samples say under which id. */
	process->leaderless = true;
	process->end_ns = event->time_ns;
}

/* A lost event may have been an exec, an exit or a mapping, of anyone. */
static void on_lost(struct processes *processes, const struct event *event)
{
	size_t pos = 0;
	uint64_t pid, *value;
	processes->lost_events += event->lost;
	processes->doubt = true;
	while (map_next(&processes->by_pid, &pos, &pid, &value))
		((struct process *)(uintptr_t)*value)->doubtful = true;
}

void processes_apply(struct processes *processes, const struct event *event)
{
	switch (event->kind) {
	case EVENT_FORK:
		on_fork(processes, event);
		break;
	case EVENT_COMM:
		on_comm(processes, event);
		break;
	case EVENT_MMAP:
		on_mmap(processes, event);
		break;
	case EVENT_EXIT:
		on_exit_event(processes, event);
		break;
	case EVENT_LOST:
		on_lost(processes, event);
		break;
	case EVENT_OTHER:
		break;
	}
}

/* ---- the rest ---- */

void process_name(const struct process *process, char *ret, size_t cap)
{
	struct str exe = str_basename(str_of(process->identity->exe_path));
	if (process->kernel_thread)
		kernel_thread_name(str_of(process->comm), ret, cap);
	else
		str_copy(ret, cap, exe.len > 0 ? exe : str_of(process->comm));
}

static bool is_in_proc(const struct processes *processes, const struct process *process)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%u", processes->options->proc, process->pid);
	return access(path, F_OK) == 0;
}

static void retire_exited(struct processes *processes, uint64_t before_ns)
{
	size_t pos = 0;
	uint64_t pid, *value;
	while (map_next(&processes->by_pid, &pos, &pid, &value)) {
		struct process *process = (struct process *)(uintptr_t)*value;
		if (processes->doubt && process->doubtful && process->end_ns == 0 &&
		    !is_in_proc(processes, process))
			process->end_ns = clock_mono_ns();
		if (process->end_ns != 0 && process->end_ns < before_ns)
			retire(processes, process, process->end_ns);
	}
	processes->doubt = false;
}

void processes_purge(struct processes *processes, uint64_t before_ns)
{
	retire_exited(processes, before_ns);
	struct process **link = &processes->ended;
	while (*link) {
		struct process *process = *link;
		if (process->end_ns >= before_ns || process->holds > 0) {
			link = &process->next;
			continue;
		}
		*link = process->next;
		process_free(processes, process);
	}
}

static void mark_one(const struct processes *processes, const struct process *process)
{
	for (uint32_t i = 0; i < process->maps->count; i++)
		files_mark(processes->files, process->maps->rows[i].file);
}

void processes_mark_files(const struct processes *processes)
{
	size_t pos = 0;
	uint64_t pid, *value;
	while (map_next(&processes->by_pid, &pos, &pid, &value))
		mark_one(processes, (struct process *)(uintptr_t)*value);
	for (const struct process *p = processes->ended; p; p = p->next)
		mark_one(processes, p);
}

void processes_get_stats(const struct processes *processes, struct processes_stats *ret)
{
	*ret = (struct processes_stats){
		.processes = (uint32_t)processes->by_pid.count,
		.refused = processes->refused,
		.lost_events = processes->lost_events,
	};
	size_t pos = 0;
	uint64_t pid, *value;
	while (map_next(&processes->by_pid, &pos, &pid, &value))
		ret->mappings += ((struct process *)(uintptr_t)*value)->maps->count;
}
