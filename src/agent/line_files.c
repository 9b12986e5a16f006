#include "agent/line_files.h"

#include "agent/files.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "elf/elf.h"
#include "elf/gopcln.h"

enum {
	ROWS_MAX = 8192,
	OPEN_FDS_MAX = 64,
	GO_BUDGET_BYTES = 16 << 20, /* of all tables; the one in use may be larger */
	GO_LIMIT_BYTES = 48 << 20,  /* while one is opened */
};

/* A file without lines may get a debug package; one that could not be opened, a process that can. */
static const uint64_t none_retry_ns = 600ULL * NS_PER_S;
static const uint64_t closed_retry_ns = 10ULL * NS_PER_S;
static const uint64_t go_keep_ns = 15ULL * NS_PER_S;
static const uint64_t bad_retry_ns = 3600ULL * NS_PER_S;

static void drop_go(struct line_files *table, struct line_file *file)
{
	if (file->go)
		table->go_bytes -= go_lines_bytes(file->go);
	go_lines_free(file->go);
	file->go = NULL;
}

static void drop_fd(struct line_files *table, struct line_file *file)
{
	table->open_fds -= file->fd >= 0;
	fd_close(&file->fd);
}

static void forget_all(struct line_files *table)
{
	uint64_t key, *value;
	size_t pos = 0;

	while (map_next(&table->rows, &pos, &key, &value)) {
		struct line_file *file = (struct line_file *)(uintptr_t)*value;
		drop_go(table, file);
		drop_fd(table, file);
		mem_free(file);
	}
	map_clear(&table->rows);
}

void line_files_deinit(struct line_files *table)
{
	forget_all(table);
	map_deinit(&table->rows);
}

struct line_file *line_files_known(struct line_files *table, uint64_t number)
{
	const uint64_t *slot = map_get(&table->rows, number);

	return slot ? (struct line_file *)(uintptr_t)*slot : NULL;
}

/* ---- looking at a file ---- */

static bool has_dwarf(const struct elf_file *elf)
{
	return elf_section_named(elf, ".debug_info") || elf_section_named(elf, ".zdebug_info");
}

static void look_for_go(struct line_files *table, struct line_file *file,
			const struct elf_file *elf)
{
	if (go_lines_open(elf, GO_LIMIT_BYTES, &file->go, NULL) == 0)
		table->go_bytes += go_lines_bytes(file->go);
}

static int open_debug(struct files *files, uint32_t id, const struct file_place *place)
{
	struct elf_file *elf;
	int fd = -1;

	if (files_open_debug(files, id, place, &fd, NULL))
		return -1;
	bool has = elf_open(fd, &elf, NULL) == 0;
	if (has) {
		has = has_dwarf(elf);
		elf_close(elf);
	}
	if (!has)
		fd_close(&fd);
	return fd;
}

static void look(struct line_files *table, struct line_file *file, struct files *files, uint32_t id,
		 const struct file_place *place)
{
	struct elf_file *elf;
	FD_AUTO int own = -1;

	file->retry_ns = clock_mono_ns() + closed_retry_ns;
	if (files_open(files, id, place, &own, NULL))
		return;
	file->retry_ns = clock_mono_ns() + none_retry_ns;
	if (elf_open(own, &elf, NULL))
		return;
	look_for_go(table, file, elf);
	if (has_dwarf(elf)) {
		file->fd = own;
		own = -1;
	} else {
		file->fd = open_debug(files, id, place);
	}
	elf_close(elf);
	table->open_fds += file->fd >= 0;
}

/* ---- the table ---- */

/* The one used longest ago of those that hold a descriptor, or else a Go table; not the newest. */
static struct line_file *least_used(const struct line_files *table, bool go)
{
	struct line_file *least = NULL;
	uint64_t key, *value;
	size_t pos = 0;

	while (map_next(&table->rows, &pos, &key, &value)) {
		struct line_file *file = (struct line_file *)(uintptr_t)*value;
		if ((go ? file->go != NULL : file->fd >= 0) && file->used != table->uses &&
		    (!least || file->used < least->used))
			least = file;
	}
	return least;
}

/* What is dropped here is looked at again when it is asked for. */
static void keep_budget(struct line_files *table)
{
	struct line_file *file;

	while (table->open_fds > OPEN_FDS_MAX && (file = least_used(table, false))) {
		drop_fd(table, file);
		file->retry_ns = 0;
	}
	while (table->go_bytes > GO_BUDGET_BYTES && (file = least_used(table, true))) {
		drop_go(table, file);
		drop_fd(table, file);
		file->retry_ns = 0;
	}
}

static struct line_file *add_row(struct line_files *table, uint64_t number)
{
	if (table->rows.count >= ROWS_MAX)
		forget_all(table);
	struct line_file *file = mem_zalloc(1, sizeof(*file));
	if (!file || map_put(&table->rows, number, (uintptr_t)file, NULL)) {
		mem_free(file);
		return NULL;
	}
	file->number = number;
	file->fd = -1;
	return file;
}

const struct line_file *line_files_get(struct line_files *table, struct files *files, uint32_t id,
				       const struct file_place *place)
{
	uint64_t number = files_number(files, id);
	struct line_file *file = line_files_known(table, number);

	if (!file)
		file = add_row(table, number);
	if (!file)
		return NULL;
	file->used = ++table->uses;
	file->used_ns = clock_mono_ns();
	bool has = file->fd >= 0 || file->go;
	if (!has && clock_mono_ns() >= file->retry_ns) {
		file->bad = false;
		look(table, file, files, id, place);
		keep_budget(table);
		has = file->fd >= 0 || file->go;
	}
	return has ? file : NULL;
}

void line_files_expire(struct line_files *table, uint64_t now_ns)
{
	uint64_t key, *value;
	size_t pos = 0;

	while (table->go_bytes > 0 && map_next(&table->rows, &pos, &key, &value)) {
		struct line_file *file = (struct line_file *)(uintptr_t)*value;
		if (!file->go || now_ns - file->used_ns < go_keep_ns)
			continue;
		/* It is looked at anew as a whole. */
		drop_go(table, file);
		drop_fd(table, file);
		file->retry_ns = 0;
	}
}

void line_files_give_up(struct line_files *table, uint64_t number)
{
	struct line_file *file = line_files_known(table, number);

	if (!file || file->fd < 0)
		return;
	drop_fd(table, file);
	file->bad = true;
	file->retry_ns = clock_mono_ns() + bad_retry_ns;
}

void line_files_count(const struct line_files *table, uint32_t *ret_all, uint32_t *ret_dwarf,
		      uint32_t *ret_go, uint32_t *ret_bad)
{
	uint64_t key, *value;
	size_t pos = 0;

	*ret_all = *ret_dwarf = *ret_go = *ret_bad = 0;
	while (map_next(&table->rows, &pos, &key, &value)) {
		const struct line_file *file = (const struct line_file *)(uintptr_t)*value;
		++*ret_all;
		*ret_dwarf += file->fd >= 0;
		*ret_go += file->go != NULL;
		*ret_bad += file->bad;
	}
}

size_t line_files_bytes(const struct line_files *table)
{
	return table->go_bytes + table->rows.count * sizeof(struct line_file);
}
