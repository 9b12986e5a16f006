/* A walk in user space goes from table to table: it stops where one is missing,
 * which is then built, and goes on. So a first sample builds only what its own
 * stack leads through, mostly the program and libc. */
#include "agent/unwinding.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/rowsets.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "bpf/sampler.h"

enum {
	TRIES_MAX = 256, /* tables built for one sample */
	LARGE_ROWS = 1024,
};

static const uint64_t slow_ns = NS_PER_S; /* how often old things are looked for */
static const uint64_t rows_keep_ns = 10ULL * NS_PER_S;
static const uint64_t tables_keep_ns = 60ULL * NS_PER_S;
/* What was in use this short a time ago would be back at once. */
static const uint64_t busy_ns = 2ULL * NS_PER_S;
/* So a set of 30,000 is written anew 1.6 times a second, one of 1,024 with every second sample. */
static const uint64_t keep_row_ns = 20 * NS_PER_US;
static const uint64_t idle_ns = 60ULL * NS_PER_S;

struct unwinding {
	struct files *files;
	struct processes *processes;
	struct processes_listener listener;
	uint16_t machine;
	struct unwind_space *space;
	struct tables *tables;
	struct rowsets *rowsets;
	struct publisher *publisher;
	uint64_t slow_at_ns;
	size_t wanted_bytes; /* something found no room in this tick */
	uint64_t finished, evicted;
	uint64_t frames[SAMPLER_USER_FRAMES_MAX];
};

/* ---- what processes tell ---- */

static void on_gone(void *ctx, struct process *process)
{
	struct unwinding *u = ctx;
	publisher_withdraw(u->publisher, process);
}

/* BPF would go by rows that are no longer true. Rows that only lack something are found out by the
 * sample that needs it. */
static void on_mapped(void *ctx, struct process *process, uint64_t start, uint64_t end)
{
	struct unwinding *u = ctx;
	const struct published *entry = process->published;
	if (!entry)
		return;
	bool told_true =
		!entry->told || mappings_agree(entry->told->maps, process->maps, start, end);
	bool wanted_true =
		!entry->wanted || mappings_agree(entry->wanted->maps, process->maps, start, end);
	if (!told_true || !wanted_true)
		publisher_withdraw(u->publisher, process);
}

/* ---- life ---- */

int unwinding_create(const struct unwinding_options *options, struct files *files,
		     struct processes *processes, struct unwinding **ret, struct err *err)
{
	struct unwinding *u = mem_zalloc(1, sizeof(*u));
	if (!u)
		return err_set(err, ERR_NOMEM, "unwinding: no memory");
	u->files = files;
	u->processes = processes;
	u->machine = options->machine;
	u->listener = (struct processes_listener){on_gone, on_mapped, u};
	int rc = unwind_space_create(options->memory, options->chunks, &u->space, err);
	if (rc == 0)
		rc = tables_create(files, u->space, &u->tables, err);
	if (rc == 0)
		rc = rowsets_create(files, u->tables, u->space, options->memory, &u->rowsets, err);
	if (rc == 0)
		rc = publisher_create(&options->ops, options->processes_max, &u->publisher, err);
	if (rc) {
		unwinding_destroy(u);
		return rc;
	}
	processes_listen(processes, &u->listener);
	*ret = u;
	return 0;
}

void unwinding_destroy(struct unwinding *u)
{
	if (!u)
		return;
	processes_listen(u->processes, NULL);
	publisher_destroy(u->publisher);
	rowsets_destroy(u->rowsets);
	tables_destroy(u->tables);
	unwind_space_destroy(u->space);
	mem_free(u);
}

/* ---- room ---- */

/* Nothing speaks of the table any more, then it goes. */
static void evict(struct unwinding *u, struct table *table, uint64_t now_ns)
{
	publisher_withdraw_table(u->publisher, table);
	struct rowset *rowset = rowsets_first(u->rowsets);
	while (rowset) {
		struct rowset *next = rowset->next;
		if (rowset_names(rowset, table))
			rowsets_forget(u->rowsets, rowset, now_ns);
		rowset = next;
	}
	tables_forget(u->tables, table, now_ns);
}

/* Throws out until so much is, or will soon be, free. */
static void make_room(struct unwinding *u, size_t bytes, uint64_t now_ns)
{
	uint64_t idle_before_ns = now_ns > idle_ns ? now_ns - idle_ns : 0;
	uint64_t busy_since_ns = now_ns > busy_ns ? now_ns - busy_ns : 0;
	size_t limit = unwind_space_bytes(u->space);
	size_t target = bytes < limit ? limit - bytes : 0;
	rowsets_tick(u->rowsets, now_ns, now_ns);
	while (unwind_space_used_bytes(u->space) > target &&
	       publisher_withdraw_oldest(u->publisher, idle_before_ns))
		rowsets_tick(u->rowsets, now_ns, now_ns);
	struct table *oldest;
	while (unwind_space_used_bytes(u->space) > target &&
	       (oldest = tables_oldest(u->tables, busy_since_ns))) {
		evict(u, oldest, now_ns);
		u->evicted++;
	}
}

/* ---- a walk in user space ---- */

struct walk {
	struct unwinding *u;
	struct process *process;
	const struct sample *sample;
	uint64_t now_ns;
	struct rowset *rows; /* NULL: none */
	struct unwind_state state;
	uint32_t count; /* frames in u->frames */
	int later;	/* what unwinding_finish() returns */
};

/* Is the page in memory? Bit 63 of its entry (the kernel's Documentation, "pagemap"). */
static bool is_present(int pagemap, uint64_t address)
{
	const uint64_t page = address / (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t entry;
	return pread(pagemap, &entry, sizeof(entry), (off_t)(page * sizeof(entry))) ==
		       (ssize_t)sizeof(entry) &&
	       entry >> 63;
}

/* A page that is not there may be one that a program fills when it likes (userfaultfd(2), a FUSE file): we
 * would wait for it, and with us all samples. What has just run is there. */
static ssize_t read_memory(uint32_t pid, uint64_t address, void *dst, size_t len)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%u/pagemap", pid);
	FD_AUTO int pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (pagemap < 0 || len == 0 || !is_present(pagemap, address) ||
	    !is_present(pagemap, address + len - 1))
		return -1;
	struct iovec to = {dst, len}, from = {(void *)(uintptr_t)address, len};
	return process_vm_readv((pid_t)pid, &to, 1, &from, 1, 0);
}

/* Code of the process, for the few places where the instructions must be seen: from the file, since
 * the process may be gone or another program by now. */
static size_t read_code(void *ctx, uint64_t address, void *dst, size_t len)
{
	const struct walk *walk = ctx;
	const struct mapping *found = mappings_find(walk->process->maps, address);
	if (!found)
		return 0;
	if (len > found->end - address)
		len = found->end - address;
	ssize_t got;
	if (files_is_memory(walk->u->files, found->file) || found->file == FILE_VDSO) {
		got = read_memory(walk->process->look_pid, address, dst, len);
	} else {
		struct file_place place = {walk->process->look_pid, found->start, found->end};
		FD_AUTO int fd = -1;
		uint32_t file = files_resolve(walk->u->files, found->file, &place);
		if (files_open(walk->u->files, file, &place, &fd, NULL))
			return 0;
		got = pread(fd, dst, len, (off_t)(address - found->start + found->offset));
	}
	return got > 0 ? (size_t)got : 0;
}

/* The call is before a return address. */
static uint64_t look_address(const struct walk *walk)
{
	return walk->state.pc - (walk->state.exact ? 0 : 1);
}

/* Not at once, since the walk itself holds on to some of what may have to go. */
static void want_room(struct walk *walk, size_t bytes)
{
	if (bytes > walk->u->wanted_bytes)
		walk->u->wanted_bytes = bytes;
	walk->later = ERR_LIMIT;
}

/* Rows that are too many to be written anew for every sample of a process that maps all the time. */
static struct rowset *young_and_large(const struct walk *walk)
{
	const struct published *entry = walk->process->published;
	struct rowset *rows = !entry ? NULL : entry->wanted ? entry->wanted : entry->told;
	if (!rows || rows->count < LARGE_ROWS ||
	    walk->now_ns - rows->made_ns > rows->count * keep_row_ns)
		return NULL;
	return rows;
}

/* Rows for what the process maps now. */
static bool get_rows(struct walk *walk)
{
	struct mappings *maps = walk->process->maps;
	struct rowset *young = young_and_large(walk);
	if (maps->count == 0)
		return false;
	if (young && young->maps != maps) {
		walk->rows = young;
		walk->later = ERR_LIMIT;
		return true;
	}
	int rc = rowsets_get(walk->u->rowsets, maps, walk->now_ns, &walk->rows, NULL);
	if (rc == ERR_LIMIT)
		want_room(walk, maps->count * sizeof(struct unwind_mapping));
	return rc == 0;
}

/* Builds the table that the walk stopped for, and rows that name it. */
static bool make_ready(struct walk *walk)
{
	struct unwinding *u = walk->u;
	const struct mapping *found = mappings_find(walk->process->maps, look_address(walk));
	if (!found)
		return false;
	struct file_place place = {walk->process->look_pid, found->start, found->end};
	struct table *table = tables_get(u->tables, found->file, &place, walk->now_ns);
	if (!table)
		return false;
	table->used_ns = walk->now_ns;
	int rc = tables_build(u->tables, table, &place, walk->now_ns, NULL);
	walk->later = rc == ERR_BUSY ? rc : 0;
	if (rc == ERR_LIMIT)
		want_room(walk, table->bytes);
	if (rc)
		return false;
	rc = rowsets_refresh(u->rowsets, &walk->rows, walk->now_ns, NULL);
	if (rc == ERR_LIMIT)
		want_room(walk, walk->rows->count * sizeof(struct unwind_mapping));
	return rc == 0;
}

/* The process may have mapped something of which no event told. */
static bool find_mapping(struct walk *walk)
{
	const struct mappings *known = walk->rows->maps;
	return processes_mapping(walk->u->processes, walk->process, look_address(walk)) &&
	       walk->process->maps != known && get_rows(walk) && walk->rows->maps != known;
}

static enum unwind_end step_on(struct walk *walk)
{
	const struct sample *sample = walk->sample;
	const struct unwind_target target = {
		.space = walk->u->space,
		.mappings = walk->rows->place,
		.mapping_count = walk->rows->count,
		.machine = walk->u->machine,
		.stack = sample->stack,
		.stack_start = sample->state.sp,
		.stack_len = sample->stack_len,
		.read_code = read_code,
		.ctx = walk,
	};
	size_t added = 0;
	enum unwind_end end = unwind_walk(&target, &walk->state, walk->u->frames + walk->count,
					  SAMPLER_USER_FRAMES_MAX - walk->count, &added);
	walk->count += (uint32_t)added;
	return end;
}

/* As far as the events that are applied tell. Some thread may outlive the first one's end. */
static bool is_alive(const struct walk *walk)
{
	const struct process *process = walk->process;
	return !process->ended && (process->end_ns == 0 || process->end_ns < walk->sample->time_ns);
}

static enum unwind_end walk_on(struct walk *walk)
{
	enum unwind_end end = walk->sample->end;
	if (!get_rows(walk))
		return end;
	for (int i = 0; i < TRIES_MAX; i++) {
		end = step_on(walk);
		if (end == UNWIND_END_NOT_READY && make_ready(walk))
			continue;
		if (end == UNWIND_END_NO_MAPPING && find_mapping(walk))
			continue;
		break;
	}
	if (is_alive(walk))
		publisher_want(walk->u->publisher, walk->process, walk->rows, walk->now_ns);
	return end;
}

/* ---- one sample ---- */

static bool goes_on(enum unwind_end end)
{
	return end == UNWIND_END_NO_PROCESS || end == UNWIND_END_NO_MAPPING ||
	       end == UNWIND_END_NOT_READY;
}

static void use_table_at(const struct unwinding *u, const struct process *process, uint64_t frame,
			 uint64_t now_ns)
{
	const struct mapping *found =
		mappings_find(process->maps, (frame & ~UNWIND_FRAME_EXACT) - 1);
	struct table *table = found ? tables_find(u->tables, found->file) : NULL;
	if (table)
		table->used_ns = now_ns;
}

/* Which tables are in use is seen from the first frame and from any one. */
static void note_use(const struct unwinding *u, struct process *process,
		     const struct sample *sample, uint64_t now_ns)
{
	publisher_touch(u->publisher, process, now_ns);
	if (sample->user_count == 0)
		return;
	use_table_at(u, process, sample->user[0], now_ns);
	use_table_at(u, process, sample->user[sample->time_ns % sample->user_count], now_ns);
}

int unwinding_finish(struct unwinding *u, struct process *process, const struct sample *sample,
		     uint64_t now_ns, struct user_stack *ret)
{
	*ret = (struct user_stack){sample->user, sample->user_count, sample->end};
	note_use(u, process, sample, now_ns);
	if (!goes_on(sample->end) || sample->user_count == 0 ||
	    sample->user_count > SAMPLER_USER_FRAMES_MAX)
		return 0;
	if (sample->end == UNWIND_END_NO_PROCESS)
		publisher_unknown(u->publisher, process, sample->time_ns);
	struct walk walk = {.u = u,
			    .process = process,
			    .sample = sample,
			    .now_ns = now_ns,
			    .state = sample->state,
			    .count = sample->user_count};
	memcpy(u->frames, sample->user, sample->user_count * sizeof(*u->frames));
	ret->end = walk_on(&walk);
	/* As in the middle of an exec: the registers are there still, the stack is not. */
	if (ret->end == UNWIND_END_CUT && sample->stack_len == 0)
		ret->end = UNWIND_END_UNREADABLE;
	ret->frames = u->frames;
	ret->count = walk.count;
	/* The last one is where the next step was to start: outside, so it is no frame. */
	if (ret->end == UNWIND_END_NO_MAPPING && ret->count > 1)
		ret->count--;
	u->finished += walk.later == 0;
	return walk.later;
}

/* ---- the tick ---- */

static uint64_t before(uint64_t now_ns, uint64_t ns)
{
	return now_ns > ns ? now_ns - ns : 0;
}

/* Files that were out of reach are tried again by the next sample. */
static void retry_files(struct unwinding *u, uint64_t now_ns)
{
	struct table *table = tables_first(u->tables);
	while (table) {
		struct table *next = table->next;
		if (table->retry_ns != 0 && table->retry_ns <= now_ns)
			evict(u, table, now_ns);
		table = next;
	}
}

void unwinding_tick(struct unwinding *u, uint64_t now_ns)
{
	publisher_flush(u->publisher, now_ns);
	rowsets_tick(u->rowsets, before(now_ns, rows_keep_ns), now_ns);
	if (now_ns >= u->slow_at_ns) {
		retry_files(u, now_ns);
		u->slow_at_ns = now_ns + slow_ns;
	}
	tables_tick(u->tables, before(now_ns, tables_keep_ns), now_ns);
	/* Some room ahead, since what is thrown out is free only after the grace. */
	if (unwind_space_used_bytes(u->space) > unwind_space_bytes(u->space) / 8 * 7)
		u->wanted_bytes += unwind_space_bytes(u->space) / 4;
	if (u->wanted_bytes > 0)
		make_room(u, u->wanted_bytes, now_ns);
	u->wanted_bytes = 0;
	unwind_space_collect(u->space, now_ns);
}

void unwinding_mark_files(struct unwinding *u, uint64_t now_ns)
{
	rowsets_tick(u->rowsets, now_ns, now_ns);
	tables_mark_files(u->tables, now_ns);
	for (const struct rowset *r = rowsets_first(u->rowsets); r; r = r->next) {
		for (uint32_t i = 0; i < r->maps->count; i++)
			files_mark(u->files, r->maps->rows[i].file);
	}
}

void unwinding_get_stats(const struct unwinding *u, struct unwinding_stats *ret)
{
	*ret = (struct unwinding_stats){
		.space_bytes = unwind_space_bytes(u->space),
		.used_bytes = unwind_space_used_bytes(u->space),
		.finished = u->finished,
		.evicted = u->evicted,
	};
	tables_get_stats(u->tables, &ret->tables);
	publisher_get_stats(u->publisher, &ret->processes);
}
