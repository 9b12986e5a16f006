#include "agent/lines.h"

#include <string.h>

#include "agent/files.h"
#include "agent/line_cache.h"
#include "agent/line_files.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "elf/gopcln.h"

enum {
	BUDGET_BYTES = 4 << 20,
	PUMP_EVERY = 64, /* wanted addresses */
};

static const uint64_t pump_every_ns = 50ULL * NS_PER_MS;
static const uint64_t expire_every_ns = NS_PER_S;

struct lines {
	struct files *files;
	struct line_files table;
	struct line_cache cache;
	struct map pending; /* hash of (file, vaddr) -> file; asked, not answered */
	struct dwarf *dwarf;
	struct buf scratch;
	uint32_t unpumped;
	uint64_t pumped_ns, expired_ns;
	uint64_t late;
};

static uint64_t question_hash(uint64_t file, uint64_t vaddr)
{
	const uint64_t key[2] = {file, vaddr};

	return str_hash(str_make(key, sizeof(key)));
}

/* ---- what the worker needs and says ---- */

static bool open_file(void *ctx, uint64_t number, struct dwarf_fds *ret)
{
	struct lines *lines = ctx;
	struct line_file *file = line_files_known(&lines->table, number);

	ret->debug = file ? file->fd : -1;
	ret->alt = -1;
	return ret->debug >= 0;
}

static void take_rows(void *ctx, uint64_t number, uint64_t vaddr, const struct dwarf_row *rows,
		      uint32_t count)
{
	struct lines *lines = ctx;
	const struct line_entry like = {.file = number, .vaddr = vaddr, .count = count};

	(void)map_remove(&lines->pending, question_hash(number, vaddr), NULL);
	line_cache_put(&lines->cache, &like, rows);
}

static void take_bad(void *ctx, uint64_t number, const char *why)
{
	struct lines *lines = ctx;
	uint64_t key, *file;
	size_t pos = 0;

	while (map_next(&lines->pending, &pos, &key, &file))
		if (*file == number)
			(void)map_remove(&lines->pending, key, NULL);
	line_files_give_up(&lines->table, number);
	log_debug("agent", "no source lines of a file", "reason=" LOG_Q, LOG_TEXT(why));
}

static const struct dwarf_ops worker_ops = {open_file, take_rows, take_bad};

/* ---- life ---- */

int lines_create(struct files *files, const struct lines_options *options, struct lines **ret,
		 struct err *err)
{
	struct lines *lines = mem_zalloc(1, sizeof(*lines));

	if (!lines)
		return err_set(err, ERR_NOMEM, "source lines: no memory");
	lines->files = files;
	const struct dwarf_options worker = {.ops = &worker_ops,
					     .ctx = lines,
					     .memory_bytes = options->worker_bytes};
	line_cache_init(&lines->cache,
			options->budget_bytes ? options->budget_bytes : BUDGET_BYTES);
	buf_init(&lines->scratch, 0);
	int rc = dwarf_create(&worker, &lines->dwarf, err);
	if (rc)
		lines_destroy(lines);
	else
		*ret = lines;
	return rc;
}

void lines_destroy(struct lines *lines)
{
	if (!lines)
		return;
	dwarf_destroy(lines->dwarf);
	line_files_deinit(&lines->table);
	line_cache_deinit(&lines->cache);
	map_deinit(&lines->pending);
	buf_deinit(&lines->scratch);
	mem_free(lines);
}

/* ---- asking ---- */

static void pump(struct lines *lines, uint64_t until_ns)
{
	(void)dwarf_pump(lines->dwarf, until_ns);
	lines->unpumped = 0;
	lines->pumped_ns = clock_mono_ns();
}

/* True: Go's table knows the address. */
static bool take_go_rows(struct lines *lines, const struct line_file *file, uint64_t vaddr)
{
	struct go_line found[GO_LINES_ROWS_MAX];
	struct dwarf_row rows[GO_LINES_ROWS_MAX];
	struct arena texts;
	size_t count;

	if (!file->go || !go_lines_find(file->go, vaddr, found, GO_LINES_ROWS_MAX, &count))
		return false;
	arena_init(&texts, 0);
	for (size_t i = 0; i < count; i++) {
		struct str display = go_display_name(found[i].system_name, &lines->scratch);
		if (display.ptr == lines->scratch.ptr)
			display = arena_str(&texts, display);
		rows[i] = (struct dwarf_row){
			.name = display.ptr ? display : found[i].system_name,
			.system_name = found[i].system_name,
			.file = found[i].file,
			.line = found[i].line,
			.start_line = found[i].start_line,
		};
	}
	const struct line_entry like = {file->number, vaddr, (uint32_t)count, true};
	line_cache_put(&lines->cache, &like, rows);
	arena_deinit(&texts);
	return true;
}

static void ask_worker(struct lines *lines, const struct line_file *file, uint64_t vaddr)
{
	uint64_t key = question_hash(file->number, vaddr);

	if (file->fd < 0 || map_get(&lines->pending, key) ||
	    map_put(&lines->pending, key, file->number, NULL))
		return;
	if (dwarf_ask(lines->dwarf, file->number, vaddr, NULL))
		(void)map_remove(&lines->pending, key, NULL);
	lines->unpumped++;
}

void lines_want(struct lines *lines, uint32_t id, const struct file_place *place, uint64_t vaddr)
{
	uint64_t number = files_number(lines->files, id);
	const struct line_file *file;

	if (number == 0 || line_cache_get(&lines->cache, number, vaddr))
		return;
	file = line_files_get(&lines->table, lines->files, id, place);
	if (file && !take_go_rows(lines, file, vaddr))
		ask_worker(lines, file, vaddr);
	if (lines->unpumped >= PUMP_EVERY ||
	    (lines->pending.count > 0 && clock_mono_ns() - lines->pumped_ns > pump_every_ns))
		pump(lines, 0);
}

uint32_t lines_wait(struct lines *lines, uint64_t until_ns)
{
	uint64_t now_ns = clock_mono_ns();

	if (now_ns - lines->expired_ns > expire_every_ns) {
		line_files_expire(&lines->table, now_ns);
		lines->expired_ns = now_ns;
	}
	if (lines->pending.count > 0)
		pump(lines, until_ns);
	return (uint32_t)lines->pending.count;
}

int lines_fd(const struct lines *lines)
{
	return lines->pending.count > 0 ? dwarf_fd(lines->dwarf) : -1;
}

bool lines_find(struct lines *lines, uint32_t id, uint64_t vaddr, const struct dwarf_row **ret_rows,
		uint32_t *ret_count, bool *ret_whole)
{
	uint64_t number = files_number(lines->files, id);
	const struct line_entry *entry = line_cache_get(&lines->cache, number, vaddr);

	if (!entry)
		lines->late += map_get(&lines->pending, question_hash(number, vaddr)) != NULL;
	if (!entry || entry->count == 0)
		return false;
	*ret_rows = entry->rows;
	*ret_count = entry->count;
	*ret_whole = entry->whole;
	return true;
}

void lines_tell(const struct lines *lines)
{
	struct lines_stats stats;

	lines_get_stats(lines, &stats);
	log_debug("agent", "source lines",
		  "asked=%llu answered=%llu waiting=%u late=%llu files=%u bad=%llu workers=%llu "
		  "crashed=%llu timed_out=%llu cpu_ms=%llu bytes=%zu",
		  (unsigned long long)stats.dwarf.asked, (unsigned long long)stats.dwarf.answered,
		  stats.dwarf.waiting, (unsigned long long)stats.late, stats.dwarf_files,
		  (unsigned long long)stats.dwarf.bad_files,
		  (unsigned long long)stats.dwarf.spawned, (unsigned long long)stats.dwarf.crashed,
		  (unsigned long long)stats.dwarf.timed_out,
		  (unsigned long long)(stats.dwarf.worker_cpu_ns / NS_PER_MS), stats.bytes);
}

void lines_get_stats(const struct lines *lines, struct lines_stats *ret)
{
	*ret = (struct lines_stats){.late = lines->late};
	dwarf_get_stats(lines->dwarf, &ret->dwarf);
	line_files_count(&lines->table, &ret->files, &ret->dwarf_files, &ret->go_files,
			 &ret->bad_files);
	ret->bytes = line_cache_bytes(&lines->cache) + line_files_bytes(&lines->table);
}
