/* Which build ids lack symbols: one walk over the runs of frames, counting by
 * build id those without a name. Pages would push out what queries use, so runs
 * are decoded here. Frames of an id that nothing refers to any more are empty
 * and have no build id. */
#include <stdlib.h>

#include "store/embedded/symbols.h"

/* Of a build id, by its string's id. */
struct unnamed {
	uint32_t build_id, mapping;
	uint64_t frames;
};

struct walk {
	struct query *query;
	struct map index; /* build id -> in list */
	struct unnamed *list;
	size_t count, cap;
	struct frame_row *rows;
	uint32_t from, next; /* frame ids */
};

static int count_frame(struct walk *walk, const struct frame_row *row, struct err *err)
{
	uint64_t *known = map_get(&walk->index, row->strings[FRAME_BUILD_ID]);
	if (known) {
		walk->list[*known].frames++;
		return 0;
	}
	struct unnamed *list = arena_grow(&walk->query->work, walk->list, &walk->cap,
					  walk->count + 1, sizeof(*list));
	if (!list)
		return err_set(err, ERR_LIMIT, "too many build ids (%zu) for the query's memory",
			       walk->count);
	walk->list = list;
	list[walk->count] =
		(struct unnamed){row->strings[FRAME_BUILD_ID], row->strings[FRAME_MAPPING], 1};
	return map_put(&walk->index, row->strings[FRAME_BUILD_ID], walk->count++, err);
}

/* kernel: the id of that text, or 0. */
static int count_run(struct walk *walk, struct str bytes, uint32_t first, uint32_t kernel,
		     struct err *err)
{
	size_t count = 0;
	int rc = run_get_frames(bytes, walk->rows, FRAMES_PER_PAGE, &count, err);
	for (size_t i = 0; !rc && i < count; i++) {
		const struct frame_row *row = &walk->rows[i];
		bool is_kernel = kernel && row->strings[FRAME_KIND] == kernel;
		if (first + i >= walk->from && row->strings[FRAME_NAME] == 0 &&
		    row->strings[FRAME_BUILD_ID] && !is_kernel)
			rc = count_frame(walk, row, err);
	}
	walk->next = first + (uint32_t)count;
	return rc;
}

static int find_kernel(struct query *query, uint32_t *ret, struct err *err)
{
	struct key key =
		key_hash(query->tenant, KEY_STRING, dict_hash(query->store->seed, STR("kernel")));
	return dict_read_id(query->store->rocks, &query->view, &key, ret, err);
}

static int walk_runs(struct walk *walk, struct err *err)
{
	struct query *query = walk->query;
	struct key from = key_kind_u32(query->tenant, KEY_FRAME,
				       walk->from / FRAMES_PER_PAGE * FRAMES_PER_PAGE);
	struct key all = key_kind(query->tenant, KEY_FRAME), to = key_after(&all);
	struct rocks_iter iter;
	uint32_t kernel = 0;
	int rc = find_kernel(query, &kernel, err);
	rocks_iter_open(&query->view, FAMILY_DICT, &from, &to, true, &iter);
	for (unsigned runs = 0; !rc && rocks_iter_valid(&iter); rocks_iter_next(&iter), runs++) {
		rc = count_run(walk, rocks_iter_value(&iter), key_part(rocks_iter_key(&iter), 0),
			       kernel, err);
		if (!rc && runs % 64 == 63)
			rc = query_check(query, err);
	}
	rc = rc ? rc : rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	return rc;
}

static int has_symbols(struct query *query, struct str build_id, bool *ret, struct err *err)
{
	struct symbols_place place = symbols_place(query->store, query->tenant, build_id);
	struct rocks_value value = {0};
	struct store_symbols record;
	int rc = symbols_read_record(query->store->rocks, &query->view, &place, build_id, &value,
				     &record, ret, err);
	rocks_value_free(&value);
	return rc;
}

static int compare_missing(const void *a, const void *b)
{
	const struct store_missing *x = a, *y = b;
	if (x->frames != y->frames)
		return x->frames > y->frames ? -1 : 1;
	return str_compare(x->build_id, y->build_id);
}

static int take_missing(struct walk *walk, struct arena *arena, struct store_missing **ret,
			size_t *ret_count, struct err *err)
{
	struct query *query = walk->query;
	struct store_missing *list = arena_zalloc(arena, walk->count + 1, sizeof(*list));
	size_t count = 0;
	int rc = list ? 0 : query_no_room(arena, err);
	for (size_t i = 0; !rc && i < walk->count; i++) {
		struct str build_id;
		bool has = false;
		rc = pages_string(&query->pages, walk->list[i].build_id, &build_id, err);
		rc = rc ? rc : has_symbols(query, build_id, &has, err);
		if (rc || has)
			continue;
		list[count].build_id = arena_str(arena, build_id);
		list[count].frames = walk->list[i].frames;
		if (!list[count].build_id.ptr)
			return query_no_room(arena, err);
		rc = query_text(query, walk->list[i].mapping, arena, &list[count++].mapping, err);
	}
	if (rc)
		return rc;
	qsort(list, count, sizeof(*list), compare_missing);
	*ret = list;
	*ret_count = count;
	return 0;
}

static int find_missing(struct query *query, uint32_t *from_frame, struct arena *arena,
			struct store_missing **ret, size_t *ret_count, struct err *err)
{
	struct walk walk = {.query = query, .from = from_frame ? *from_frame : 0};
	walk.next = walk.from;
	walk.rows = query_alloc(query, FRAMES_PER_PAGE, sizeof(*walk.rows), err);
	int rc = walk.rows ? 0 : ERR_LIMIT;
	rc = rc ? rc : walk_runs(&walk, err);
	rc = rc ? rc : take_missing(&walk, arena, ret, ret_count, err);
	map_deinit(&walk.index);
	if (!rc && from_frame)
		*from_frame = walk.next;
	return rc;
}

int store_symbols_missing(struct store *store, struct str tenant, uint32_t *from_frame,
			  struct arena *arena, struct store_missing **ret, size_t *ret_count,
			  struct err *err)
{
	const struct store_selection selection = {.tenant = tenant};
	struct query query;
	int rc = query_open(store, &selection, &query, err);
	if (rc)
		return rc;
	*ret = NULL;
	*ret_count = 0;
	if (query.tenant)
		rc = find_missing(&query, from_frame, arena, ret, ret_count, err);
	query_close(&query);
	return rc;
}
