#include "agent/tables.h"

#include <assert.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "elf/elf.h"

/* What is not built in one tick is in the next, so that in between BPF hears of what is; a single table
 * takes 0.1 to 200 ms. */
static const uint64_t build_ns_per_tick = 50 * NS_PER_MS;
/* A file that could not be reached may be through another process. */
static const uint64_t retry_after_ns = 10ULL * NS_PER_S;

struct tables {
	struct files *files;
	struct unwind_space *space;
	struct map by_file;   /* resolved id -> struct table */
	struct map by_source; /* any id that was asked for -> struct table */
	struct table *first;
	uint64_t tick_ns; /* spent in this tick */
	struct tables_stats stats;
};

int tables_create(struct files *files, struct unwind_space *space, struct tables **ret,
		  struct err *err)
{
	struct tables *tables = mem_zalloc(1, sizeof(*tables));
	if (!tables)
		return err_set(err, ERR_NOMEM, "unwind tables: no memory");
	tables->files = files;
	tables->space = space;
	*ret = tables;
	return 0;
}

static void table_free(struct table *table)
{
	unwind_rows_free(table->rows);
	mem_free(table);
}

void tables_destroy(struct tables *tables)
{
	if (!tables)
		return;
	while (tables->first) {
		struct table *next = tables->first->next;
		table_free(tables->first);
		tables->first = next;
	}
	map_deinit(&tables->by_file);
	map_deinit(&tables->by_source);
	mem_free(tables);
}

static struct table *lookup(const struct map *map, uint32_t file)
{
	const uint64_t *value = map_get(map, file);
	return value ? (struct table *)(uintptr_t)*value : NULL;
}

struct table *tables_find(const struct tables *tables, uint32_t file)
{
	return lookup(&tables->by_source, file);
}

static struct table *add(struct tables *tables, uint32_t file, uint64_t now_ns)
{
	struct table *table = mem_zalloc(1, sizeof(*table));
	if (!table)
		return NULL;
	*table = (struct table){.file = file, .used_ns = now_ns, .next = tables->first};
	if (map_put(&tables->by_file, file, (uintptr_t)table, NULL)) {
		mem_free(table);
		return NULL;
	}
	tables->first = table;
	return table;
}

struct table *tables_get(struct tables *tables, uint32_t file, const struct file_place *place,
			 uint64_t now_ns)
{
	struct table *table = tables_find(tables, file);
	if (table)
		return table;
	uint32_t resolved = files_resolve(tables->files, file, place);
	table = lookup(&tables->by_file, resolved);
	if (!table)
		table = add(tables, resolved, now_ns);
	if (table && map_put(&tables->by_source, file, (uintptr_t)table, NULL))
		return NULL; /* without users, so it goes by itself */
	return table;
}

/* ---- building ---- */

static int open_elf(const struct tables *tables, uint32_t file, const struct file_place *place,
		    int *ret_fd, struct elf_file **ret, struct err *err)
{
	if (file == FILE_VDSO)
		return elf_open_vdso(ret, err);
	int rc = files_open(tables->files, file, place, ret_fd, err);
	if (rc == ERR_NOT_FOUND)
		return err_set(err, ERR_IO, "it is out of reach");
	return rc ? rc : elf_open(*ret_fd, ret, err);
}

/* Its .debug_frame may be in a file of its own. */
static int compile_with_debug(const struct tables *tables, struct table *table,
			      const struct elf_file *elf, const struct file_place *place,
			      struct err *err)
{
	FD_AUTO int fd = -1;
	struct elf_file *debug;
	if (files_open_debug(tables->files, table->file, place, &fd, NULL) ||
	    elf_open(fd, &debug, NULL))
		return ERR_NOT_FOUND;
	int rc = unwind_compile(elf, debug, NULL, &table->rows, err);
	elf_close(debug);
	return rc;
}

static int compile(const struct tables *tables, struct table *table, const struct file_place *place,
		   struct err *err)
{
	FD_AUTO int fd = -1;
	struct elf_file *elf;
	int rc = open_elf(tables, table->file, place, &fd, &elf, err);
	if (rc)
		return rc;
	rc = unwind_compile(elf, NULL, NULL, &table->rows, err);
	if (rc == ERR_NOT_FOUND && table->file != FILE_VDSO)
		rc = compile_with_debug(tables, table, elf, place, err);
	elf_close(elf);
	if (rc)
		return rc;
	struct unwind_rows_info info;
	unwind_rows_get_info(table->rows, &info);
	table->bytes = info.bytes;
	return 0;
}

/* No table: what is known of the file then is that frame pointers are all there is. */
static void give_up(struct tables *tables, struct table *table, int why, uint64_t now_ns,
		    const struct err *err)
{
	struct file_info info;
	files_get_info(tables->files, table->file, &info);
	table->state = TABLE_FRAME_POINTER;
	table->retry_ns = why == ERR_IO || why == ERR_NOMEM ? now_ns + retry_after_ns : 0;
	if (why == ERR_NOT_FOUND)
		return;
	tables->stats.failed++;
	log_debug("agent", "no unwind table", "file=" LOG_Q " why=" LOG_Q, LOG_TEXT(info.name.ptr),
		  LOG_TEXT(err->text));
}

/* Half of the space at most: one file shall not drive out all the others. */
static bool fits_never(const struct tables *tables, const struct table *table)
{
	return table->bytes > unwind_space_bytes(tables->space) / 2;
}

static int place_table(struct tables *tables, struct table *table, struct err *err)
{
	int rc = unwind_space_add_table(tables->space, table->rows, &table->place, err);
	if (rc == ERR_LIMIT && !fits_never(tables, table))
		return rc; /* rows stay, for the next try */
	unwind_rows_free(table->rows);
	table->rows = NULL;
	if (rc)
		return rc == ERR_LIMIT ? err_set(err, ERR_CORRUPT, "its table is too large") : rc;
	table->state = TABLE_READY;
	tables->stats.built++;
	return 0;
}

int tables_build(struct tables *tables, struct table *table, const struct file_place *place,
		 uint64_t now_ns, struct err *err)
{
	struct err why = {0};
	if (table->state != TABLE_NONE)
		return 0;
	if (tables->tick_ns > build_ns_per_tick)
		return err_set(err, ERR_BUSY, "unwind tables: enough for one tick");
	uint64_t begin_ns = clock_thread_cpu_ns();
	int rc = table->rows ? 0 : compile(tables, table, place, &why);
	if (rc == 0)
		rc = place_table(tables, table, &why);
	uint64_t spent_ns = clock_thread_cpu_ns() - begin_ns;
	tables->tick_ns += spent_ns;
	tables->stats.build_ns += spent_ns;
	if (rc == ERR_LIMIT && table->rows)
		return err_set(err, rc, "%s", why.text);
	if (rc)
		give_up(tables, table, rc, now_ns, &why);
	return 0;
}

/* ---- the end ---- */

static void forget_sources(struct tables *tables, const struct table *table)
{
	size_t pos = 0;
	uint64_t file, *value;
	while (map_next(&tables->by_source, &pos, &file, &value)) {
		if (*value == (uintptr_t)table)
			map_remove(&tables->by_source, file, NULL);
	}
}

void tables_forget(struct tables *tables, struct table *table, uint64_t now_ns)
{
	assert(table->users == 0);
	struct table **link = &tables->first;
	while (*link != table)
		link = &(*link)->next;
	*link = table->next;
	if (table->state == TABLE_READY)
		unwind_space_drop_table(tables->space, table->place, now_ns);
	forget_sources(tables, table);
	map_remove(&tables->by_file, table->file, NULL);
	table_free(table);
}

struct table *tables_first(const struct tables *tables)
{
	return tables->first;
}

struct table *tables_oldest(const struct tables *tables, uint64_t before_ns)
{
	struct table *oldest = NULL;
	for (struct table *t = tables->first; t; t = t->next) {
		if (t->state == TABLE_READY && t->used_ns < before_ns &&
		    (!oldest || t->used_ns < oldest->used_ns))
			oldest = t;
	}
	return oldest;
}

static void forget_before(struct tables *tables, uint64_t before_ns, uint64_t now_ns)
{
	struct table *table = tables->first;
	while (table) {
		struct table *next = table->next;
		if (table->users == 0 && table->used_ns < before_ns)
			tables_forget(tables, table, now_ns);
		table = next;
	}
}

void tables_tick(struct tables *tables, uint64_t before_ns, uint64_t now_ns)
{
	tables->tick_ns = 0;
	forget_before(tables, before_ns, now_ns);
}

void tables_mark_files(struct tables *tables, uint64_t now_ns)
{
	size_t pos = 0;
	uint64_t file, *value;
	forget_before(tables, UINT64_MAX, now_ns);
	while (map_next(&tables->by_source, &pos, &file, &value))
		files_mark(tables->files, (uint32_t)file);
	pos = 0;
	while (map_next(&tables->by_file, &pos, &file, &value))
		files_mark(tables->files, (uint32_t)file);
}

void tables_get_stats(const struct tables *tables, struct tables_stats *ret)
{
	*ret = tables->stats;
	for (const struct table *t = tables->first; t; t = t->next) {
		ret->ready += t->state == TABLE_READY;
		ret->without += t->state == TABLE_FRAME_POINTER;
	}
}
