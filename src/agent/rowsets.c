#include "agent/rowsets.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct rowsets {
	struct files *files;
	struct tables *tables;
	struct unwind_space *space;
	uint8_t *memory;
	struct map by_maps; /* address of the set -> struct rowset, the newest */
	struct rowset *first;
	/* Scratch. */
	struct unwind_mapping *rows;
	size_t row_cap;
	struct table **used;
	size_t used_cap;
	uint64_t stamp; /* of this round over the mappings of a set */
};

int rowsets_create(struct files *files, struct tables *tables, struct unwind_space *space,
		   void *memory, struct rowsets **ret, struct err *err)
{
	struct rowsets *rowsets = mem_zalloc(1, sizeof(*rowsets));
	if (!rowsets)
		return err_set(err, ERR_NOMEM, "unwind rows: no memory");
	rowsets->files = files;
	rowsets->tables = tables;
	rowsets->space = space;
	rowsets->memory = memory;
	*ret = rowsets;
	return 0;
}

void rowsets_destroy(struct rowsets *rowsets)
{
	if (!rowsets)
		return;
	while (rowsets->first) {
		rowsets->first->users = 0;
		rowsets_forget(rowsets, rowsets->first, 0);
	}
	map_deinit(&rowsets->by_maps);
	mem_free(rowsets->rows);
	mem_free(rowsets->used);
	mem_free(rowsets);
}

static struct unwind_mapping *rows_of(const struct rowsets *rowsets, const struct rowset *rowset)
{
	return (void *)(rowsets->memory + (size_t)rowset->place * UNWIND_UNIT_BYTES);
}

/* ---- making rows ---- */

/* How BPF shall leave frames in a mapping. Without a known address in its file a table is of no use. */
static struct unwind_mapping make_row(const struct rowsets *rowsets, const struct mapping *mapping,
				      struct table **ret_table)
{
	struct unwind_mapping row = {.start = mapping->start,
				     .end = mapping->end,
				     .kind = UNWIND_BY_FRAME_POINTER};
	*ret_table = NULL;
	if (files_is_memory(rowsets->files, mapping->file))
		return row;
	struct table *table = tables_find(rowsets->tables, mapping->file);
	row.kind = UNWIND_NOT_READY;
	if (!table || table->state == TABLE_NONE)
		return row;
	*ret_table = table;
	uint64_t vaddr = 0;
	bool known = table->state == TABLE_READY &&
		     files_mapping_vaddr(rowsets->files, table->file, mapping->start,
					 mapping->offset, &vaddr);
	row.kind = known ? UNWIND_BY_TABLE : UNWIND_BY_FRAME_POINTER;
	row.vaddr = vaddr;
	row.table = known ? table->place : 0;
	return row;
}

/* A JIT compiler's pages, one behind the other, are one row. */
static bool joins(const struct unwind_mapping *before, const struct unwind_mapping *row)
{
	return before->end == row->start && before->kind == UNWIND_BY_FRAME_POINTER &&
	       row->kind == UNWIND_BY_FRAME_POINTER;
}

static bool note_table(struct rowsets *rowsets, struct table *table, uint32_t *count)
{
	if (table->stamp == rowsets->stamp)
		return true;
	struct table **used = mem_grow(rowsets->used, &rowsets->used_cap, (size_t)*count + 1,
				       sizeof(struct table *));
	if (!used)
		return false;
	table->stamp = rowsets->stamp;
	rowsets->used = used;
	used[(*count)++] = table;
	return true;
}

static int fill_scratch(struct rowsets *rowsets, const struct mappings *maps, uint32_t *ret_rows,
			uint32_t *ret_tables, struct err *err)
{
	uint32_t count = 0, tables = 0;
	struct unwind_mapping *rows =
		mem_grow(rowsets->rows, &rowsets->row_cap, maps->count, sizeof(*rows));
	if (!rows)
		return err_set(err, ERR_NOMEM, "unwind rows: no memory for %u", maps->count);
	rowsets->rows = rows;
	rowsets->stamp++;
	for (uint32_t i = 0; i < maps->count; i++) {
		struct table *table;
		struct unwind_mapping row = make_row(rowsets, &maps->rows[i], &table);
		if (table && !note_table(rowsets, table, &tables))
			return err_set(err, ERR_NOMEM, "unwind rows: no memory");
		if (count > 0 && joins(&rows[count - 1], &row))
			rows[count - 1].end = row.end;
		else
			rows[count++] = row;
	}
	*ret_rows = count;
	*ret_tables = tables;
	return 0;
}

static int set_tables(struct rowsets *rowsets, struct rowset *rowset, uint32_t count,
		      struct err *err)
{
	struct table **tables = mem_alloc(count * sizeof(struct table *) + 1);
	if (!tables)
		return err_set(err, ERR_NOMEM, "unwind rows: no memory");
	for (uint32_t i = 0; i < count; i++) {
		tables[i] = rowsets->used[i];
		tables[i]->users++;
	}
	for (uint32_t i = 0; i < rowset->table_count; i++)
		rowset->tables[i]->users--;
	mem_free(rowset->tables);
	rowset->tables = tables;
	rowset->table_count = count;
	return 0;
}

static void free_rowset(struct rowset *rowset)
{
	for (uint32_t i = 0; i < rowset->table_count; i++)
		rowset->tables[i]->users--;
	mem_free(rowset->tables);
	mappings_unref(rowset->maps);
	mem_free(rowset);
}

static struct rowset *newest(const struct rowsets *rowsets, const struct mappings *maps)
{
	const uint64_t *value = map_get(&rowsets->by_maps, (uintptr_t)maps);
	return value ? (struct rowset *)(uintptr_t)*value : NULL;
}

static int make(struct rowsets *rowsets, struct mappings *maps, uint64_t now_ns,
		struct rowset **ret, struct err *err)
{
	uint32_t rows, tables;
	assert(maps->count > 0);
	int rc = fill_scratch(rowsets, maps, &rows, &tables, err);
	if (rc)
		return rc;
	struct rowset *rowset = mem_zalloc(1, sizeof(*rowset));
	if (!rowset)
		return err_set(err, ERR_NOMEM, "unwind rows: no memory");
	*rowset = (struct rowset){.maps = mappings_ref(maps),
				  .count = rows,
				  .made_ns = now_ns,
				  .used_ns = now_ns,
				  .next = rowsets->first};
	struct rowset *old = newest(rowsets, maps);
	rc = set_tables(rowsets, rowset, tables, err);
	if (rc == 0)
		rc = unwind_space_add_mappings(rowsets->space, rowsets->rows, rows, &rowset->place,
					       err);
	if (rc == 0 && map_put(&rowsets->by_maps, (uintptr_t)maps, (uintptr_t)rowset, err)) {
		unwind_space_drop_mappings(rowsets->space, rowset->place, now_ns);
		rc = ERR_NOMEM;
	}
	if (rc) {
		free_rowset(rowset);
		return rc;
	}
	if (old)
		old->outdated = true;
	rowsets->first = rowset;
	*ret = rowset;
	return 0;
}

int rowsets_get(struct rowsets *rowsets, struct mappings *maps, uint64_t now_ns,
		struct rowset **ret, struct err *err)
{
	struct rowset *known = newest(rowsets, maps);
	if (!known)
		return make(rowsets, maps, now_ns, ret, err);
	known->used_ns = now_ns;
	*ret = known;
	return 0;
}

/* Nobody else reads them yet, so they may change under their name. */
static int rewrite(struct rowsets *rowsets, struct rowset *rowset, struct err *err)
{
	uint32_t rows, tables;
	int rc = fill_scratch(rowsets, rowset->maps, &rows, &tables, err);
	if (rc == 0 && rows != rowset->count)
		return ERR_BUSY; /* some of them join now: other memory */
	if (rc == 0)
		rc = set_tables(rowsets, rowset, tables, err);
	if (rc == 0)
		memcpy(rows_of(rowsets, rowset), rowsets->rows, rows * sizeof(*rowsets->rows));
	return rc;
}

int rowsets_refresh(struct rowsets *rowsets, struct rowset **rowset, uint64_t now_ns,
		    struct err *err)
{
	int rc = (*rowset)->told ? ERR_BUSY : rewrite(rowsets, *rowset, err);
	return rc == ERR_BUSY ? make(rowsets, (*rowset)->maps, now_ns, rowset, err) : rc;
}

const struct unwind_mapping *rowsets_find(const struct rowsets *rowsets,
					  const struct rowset *rowset, uint64_t address)
{
	const struct unwind_mapping *rows = rows_of(rowsets, rowset);
	uint32_t low = 0, high = rowset->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (rows[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low < rowset->count && rows[low].start <= address ? &rows[low] : NULL;
}

/* ---- the end ---- */

struct rowset *rowsets_first(const struct rowsets *rowsets)
{
	return rowsets->first;
}

static void forget_at(struct rowsets *rowsets, struct rowset **link, uint64_t now_ns)
{
	struct rowset *rowset = *link;
	*link = rowset->next;
	if (!rowset->outdated)
		map_remove(&rowsets->by_maps, (uintptr_t)rowset->maps, NULL);
	unwind_space_drop_mappings(rowsets->space, rowset->place, now_ns);
	free_rowset(rowset);
}

void rowsets_forget(struct rowsets *rowsets, struct rowset *rowset, uint64_t now_ns)
{
	struct rowset **link = &rowsets->first;
	assert(rowset->users == 0);
	while (*link != rowset)
		link = &(*link)->next;
	forget_at(rowsets, link, now_ns);
}

void rowsets_tick(struct rowsets *rowsets, uint64_t before_ns, uint64_t now_ns)
{
	struct rowset **link = &rowsets->first;
	while (*link) {
		const struct rowset *r = *link;
		if (r->users == 0 && (r->outdated || r->maps->refs == 1 || r->used_ns < before_ns))
			forget_at(rowsets, link, now_ns);
		else
			link = &(*link)->next;
	}
}

bool rowset_names(const struct rowset *rowset, const struct table *table)
{
	for (uint32_t i = 0; i < rowset->table_count; i++) {
		if (rowset->tables[i] == table)
			return true;
	}
	return false;
}
