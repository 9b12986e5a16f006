/* The memory that BPF reads.
 *
 * A table is a few pieces: its head (struct unwind_table, pages, rules) and the
 * rows of its pages, packed together up to PIECE_MAX_BYTES, so that a small
 * library is one piece and a large one finds room in many holes. The space keeps
 * one struct object for each table and each list of mappings: what to give back.
 *
 * Readers see only what a name leads to, so the order is the whole protocol:
 * rows, then head (this file), then the mapping that names the table, then the
 * hash entry that names the mappings (the callers, over system calls); and
 * memory is given away again only after UNWIND_GRACE_NS without a name. */
#include "unwind/space.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "unwind/extents.h"
#include "unwind/rows.h"

enum {
	PIECE_MAX_BYTES = 64 * 1024, /* unless one part is larger */
	CHUNKS_MAX = UINT32_MAX / UNWIND_CHUNK_UNITS,
};

struct object {
	struct object *next; /* dropped later */
	uint64_t dropped_ns;
	uint32_t units;
	uint32_t piece_count;
	struct extent pieces[];
};

struct unwind_space {
	uint8_t *memory;
	uint32_t chunks;
	uint32_t pieces; /* of all objects, dropped ones too */
	uint64_t used_units, dropped_units;
	struct extents holes;
	struct map objects; /* place -> struct object, those in use */
	struct object *dropped, **dropped_end;
};

int unwind_space_create(void *memory, uint32_t chunks, struct unwind_space **ret, struct err *err)
{
	assert(chunks > 0 && (uintptr_t)memory % sizeof(uint64_t) == 0);
	if (chunks > CHUNKS_MAX)
		return err_set(err, ERR_LIMIT, "unwind space: %u chunks, at most %u", chunks,
			       (unsigned)CHUNKS_MAX);
	struct unwind_space *space = mem_zalloc(1, sizeof(*space));
	if (!space)
		return err_set(err, ERR_NOMEM, "unwind space: no memory");
	space->memory = memory;
	space->chunks = chunks;
	space->dropped_end = &space->dropped;
	int rc = extents_init(&space->holes, chunks, err);
	if (rc) {
		unwind_space_destroy(space);
		return rc;
	}
	*ret = space;
	return 0;
}

static void free_dropped(struct unwind_space *space)
{
	while (space->dropped) {
		struct object *object = space->dropped;
		space->dropped = object->next;
		mem_free(object);
	}
}

void unwind_space_destroy(struct unwind_space *space)
{
	uint64_t place, *object;
	size_t pos = 0;

	if (!space)
		return;
	while (map_next(&space->objects, &pos, &place, &object))
		mem_free((struct object *)(uintptr_t)*object);
	free_dropped(space);
	map_deinit(&space->objects);
	extents_deinit(&space->holes);
	mem_free(space);
}

const void *unwind_space_at(const struct unwind_space *space, uint32_t place, size_t len_bytes)
{
	uint32_t unit = place % UNWIND_CHUNK_UNITS;

	if (place == 0 || place / UNWIND_CHUNK_UNITS >= space->chunks ||
	    len_bytes > (size_t)(UNWIND_CHUNK_UNITS - unit) * UNWIND_UNIT_BYTES)
		return NULL;
	return space->memory + (size_t)place * UNWIND_UNIT_BYTES;
}

static void *place_address(struct unwind_space *space, uint32_t place)
{
	return space->memory + (size_t)place * UNWIND_UNIT_BYTES;
}

/* ---- objects ----------------------------------------------------------- */

static int create_object(struct unwind_space *space, uint32_t pieces_max, struct object **ret,
			 struct err *err)
{
	int rc = extents_reserve(&space->holes,
				 (size_t)space->pieces + pieces_max + space->chunks + 1, err);
	if (rc)
		return rc;
	*ret = mem_zalloc(1, sizeof(**ret) + pieces_max * sizeof(struct extent));
	if (!*ret)
		return err_set(err, ERR_NOMEM, "unwind space: no memory for %u pieces", pieces_max);
	return 0;
}

static void release_pieces(struct unwind_space *space, struct object *object)
{
	for (uint32_t i = 0; i < object->piece_count; i++)
		extents_give(&space->holes, object->pieces[i]);
	space->pieces -= object->piece_count;
	mem_free(object);
}

static int take_piece(struct unwind_space *space, struct object *object, size_t bytes,
		      uint32_t *ret_place, struct err *err)
{
	uint32_t units = unwind_units_of(bytes);
	uint32_t place = bytes <= UNWIND_CHUNK_BYTES ? extents_take(&space->holes, units) : 0;

	if (place == 0)
		return err_set(err, ERR_LIMIT,
			       "unwind space: no room for %zu bytes; %zu of %zu are in use", bytes,
			       unwind_space_used_bytes(space), unwind_space_bytes(space));
	object->pieces[object->piece_count++] = (struct extent){place, units};
	object->units += units;
	space->pieces++;
	*ret_place = place;
	return 0;
}

/* From now on the object is in use, under the place of what callers name. */
static int keep_object(struct unwind_space *space, struct object *object, uint32_t place,
		       struct err *err)
{
	int rc = map_put(&space->objects, place, (uint64_t)(uintptr_t)object, err);

	if (!rc)
		space->used_units += object->units;
	return rc;
}

static void drop_object(struct unwind_space *space, uint32_t place, uint64_t now_ns)
{
	uint64_t value = 0;
	bool known = map_remove(&space->objects, place, &value);

	assert(known);
	struct object *object = (struct object *)(uintptr_t)value;
	object->dropped_ns = now_ns;
	object->next = NULL;
	*space->dropped_end = object;
	space->dropped_end = &object->next;
	space->used_units -= object->units;
	space->dropped_units += object->units;
}

/* ---- tables ------------------------------------------------------------ */

/* Part 0 is the head, part i + 1 the rows of page i. */
static size_t part_bytes(const struct unwind_rows *rows, uint32_t part)
{
	size_t bytes = part == 0 ? unwind_rows_head_bytes(rows)
				 : rows->pages[part - 1].count * sizeof(struct unwind_row);

	return (size_t)unwind_units_of(bytes) * UNWIND_UNIT_BYTES;
}

/* The parts from `part` on that share a piece; at least one. */
static uint32_t parts_of_piece(const struct unwind_rows *rows, uint32_t part, size_t *ret_bytes)
{
	size_t bytes = part_bytes(rows, part);
	uint32_t end = part + 1;

	while (end <= rows->info.pages && bytes + part_bytes(rows, end) <= PIECE_MAX_BYTES)
		bytes += part_bytes(rows, end++);
	*ret_bytes = bytes;
	return end;
}

static uint32_t count_pieces(const struct unwind_rows *rows)
{
	uint32_t count = 0;
	size_t bytes;

	for (uint32_t part = 0; part <= rows->info.pages; count++)
		part = parts_of_piece(rows, part, &bytes);
	return count;
}

static void write_rows(struct unwind_space *space, const struct unwind_rows *rows, uint32_t page,
		       uint32_t place)
{
	const struct unwind_page *p = &rows->pages[page];

	memcpy(place_address(space, place), &rows->rows[p->rows],
	       p->count * sizeof(struct unwind_row));
}

/* Writes the rows of all pages and where they are into the head, which has its place already. */
static int write_pages(struct unwind_space *space, const struct unwind_rows *rows,
		       struct object *object, struct err *err)
{
	struct unwind_table *table = NULL;
	size_t bytes;
	uint32_t place;

	for (uint32_t part = 0; part <= rows->info.pages;) {
		uint32_t end = parts_of_piece(rows, part, &bytes);
		int rc = take_piece(space, object, bytes, &place, err);
		if (rc)
			return rc;
		for (; part < end; part++) {
			if (part == 0) {
				table = place_address(space, place);
			} else if (rows->pages[part - 1].count == 0) {
				table->pages[part - 1] = (struct unwind_page){0};
			} else {
				write_rows(space, rows, part - 1, place);
				table->pages[part - 1] =
					(struct unwind_page){place, rows->pages[part - 1].count};
			}
			place += (uint32_t)(part_bytes(rows, part) / UNWIND_UNIT_BYTES);
		}
	}
	return 0;
}

static void write_head(struct unwind_space *space, const struct unwind_rows *rows, uint32_t place)
{
	struct unwind_table *table = place_address(space, place);

	table->vaddr = rows->vaddr;
	table->page_count = rows->info.pages;
	table->rule_count = rows->info.rules;
	memcpy(&table->pages[rows->info.pages], rows->rules,
	       rows->info.rules * sizeof(struct unwind_rule));
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

int unwind_space_add_table(struct unwind_space *space, const struct unwind_rows *rows,
			   uint32_t *ret_place, struct err *err)
{
	struct object *object;

	int rc = create_object(space, count_pieces(rows), &object, err);
	if (rc)
		return rc;
	rc = write_pages(space, rows, object, err);
	if (!rc)
		rc = keep_object(space, object, object->pieces[0].start, err);
	if (rc) {
		release_pieces(space, object); /* no name led there yet */
		return rc;
	}
	*ret_place = object->pieces[0].start;
	write_head(space, rows, *ret_place);
	return 0;
}

void unwind_space_drop_table(struct unwind_space *space, uint32_t place, uint64_t now_ns)
{
	drop_object(space, place, now_ns);
}

/* ---- mappings ---------------------------------------------------------- */

int unwind_space_add_mappings(struct unwind_space *space, const struct unwind_mapping *rows,
			      uint32_t count, uint32_t *ret_place, struct err *err)
{
	struct object *object;

	assert(count > 0);
	if (count > UNWIND_MAPPINGS_MAX)
		return err_set(err, ERR_LIMIT,
			       "unwind space: %u mappings of one process, at most %u", count,
			       (unsigned)UNWIND_MAPPINGS_MAX);
	int rc = create_object(space, 1, &object, err);
	if (rc)
		return rc;
	uint32_t place;
	rc = take_piece(space, object, count * sizeof(*rows), &place, err);
	if (!rc)
		rc = keep_object(space, object, place, err);
	if (rc) {
		release_pieces(space, object);
		return rc;
	}
	memcpy(place_address(space, place), rows, count * sizeof(*rows));
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*ret_place = place;
	return 0;
}

void unwind_space_drop_mappings(struct unwind_space *space, uint32_t place, uint64_t now_ns)
{
	drop_object(space, place, now_ns);
}

/* ---- taking back, and figures ------------------------------------------ */

void unwind_space_collect(struct unwind_space *space, uint64_t now_ns)
{
	while (space->dropped && now_ns >= space->dropped->dropped_ns &&
	       now_ns - space->dropped->dropped_ns >= UNWIND_GRACE_NS) {
		struct object *object = space->dropped;
		space->dropped = object->next;
		if (!space->dropped)
			space->dropped_end = &space->dropped;
		space->dropped_units -= object->units;
		release_pieces(space, object);
	}
}

size_t unwind_space_used_bytes(const struct unwind_space *space)
{
	return (size_t)space->used_units * UNWIND_UNIT_BYTES;
}

size_t unwind_space_dropped_bytes(const struct unwind_space *space)
{
	return (size_t)space->dropped_units * UNWIND_UNIT_BYTES;
}

size_t unwind_space_bytes(const struct unwind_space *space)
{
	return (size_t)space->chunks * UNWIND_CHUNK_BYTES;
}
