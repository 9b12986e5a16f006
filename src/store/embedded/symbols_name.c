/* The frames to name are sorted by build id and address. A build id's record is
 * read once; then each run that holds one of the addresses is read once, and
 * serves all of them: what a query pays is bounded by the runs that it needs,
 * and not by its frames. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/embedded/gauges.h"
#include "store/embedded/symbols.h"

/* One run in memory, and where the next one begins. */
struct loaded_run {
	struct buf bytes; /* the iterator goes on to look at the next key */
	struct symbol_range ranges[SYMBOLS_PER_RUN];
	bool copied[SYMBOLS_PER_RUN]; /* the texts of the range are in the arena */
	size_t count;		      /* 0: nothing is there */
	bool valid;		      /* for start <= address < next_start */
	uint64_t start, next_start;
	bool last; /* next_start means nothing */
};

struct naming {
	struct query *query;
	struct arena *arena;
	struct store_frame **frames;
	size_t count, named;
	struct loaded_run *run;
};

static bool wants_name(const struct store_frame *frame)
{
	return frame->name.len == 0 && frame->build_id.len > 0 &&
	       !str_equal(frame->kind, STR("kernel"));
}

/* Texts of one build id are mostly one and the same text. */
static int compare_ids(struct str a, struct str b)
{
	return a.ptr == b.ptr && a.len == b.len ? 0 : str_compare(a, b);
}

static int compare(const void *a, const void *b)
{
	const struct store_frame *x = *(const struct store_frame *const *)a;
	const struct store_frame *y = *(const struct store_frame *const *)b;
	int by_id = compare_ids(x->build_id, y->build_id);
	if (by_id)
		return by_id;
	return x->address < y->address ? -1 : x->address > y->address;
}

static int collect(struct naming *naming, struct store_frame *frames, size_t count, struct err *err)
{
	size_t wanted = 0;
	for (size_t i = 0; i < count; i++)
		wanted += wants_name(&frames[i]);
	if (wanted == 0)
		return 0;
	naming->frames = query_alloc(naming->query, wanted, sizeof(struct store_frame *), err);
	naming->run = query_alloc(naming->query, 1, sizeof(*naming->run), err);
	if (!naming->frames || !naming->run)
		return ERR_LIMIT;
	for (size_t i = 0; i < count; i++)
		if (wants_name(&frames[i]))
			naming->frames[naming->count++] = &frames[i];
	qsort(naming->frames, naming->count, sizeof(struct store_frame *), compare);
	return 0;
}

/* ---- runs ---- */

static bool holds(const struct loaded_run *run, uint64_t address)
{
	return run->valid && address >= run->start && (run->last || address < run->next_start);
}

/* Is the iterator on a run of the build id? */
static bool on_run(struct rocks_iter *iter, const struct key *prefix, uint64_t *ret_start)
{
	if (!rocks_iter_valid(iter))
		return false;
	struct str key = rocks_iter_key(iter);
	return str_starts_with(key, key_str(prefix)) && key_parse_symbol(key, ret_start);
}

/* Below the first run nothing is: an empty one reaches up to it, for the addresses that follow. */
static int load_nothing(struct loaded_run *run, struct rocks_iter *iter, const struct key *prefix,
			struct err *err)
{
	int rc = rocks_iter_check(iter, err);
	if (rc)
		return rc;
	rocks_iter_seek(iter, prefix);
	run->start = 0;
	run->count = 0;
	run->last = !on_run(iter, prefix, &run->next_start);
	return rocks_iter_check(iter, err);
}

static int load_run(struct loaded_run *run, struct rocks_iter *iter, const struct key *prefix,
		    struct err *err)
{
	buf_clear(&run->bytes);
	buf_str(&run->bytes, rocks_iter_value(iter));
	memset(run->copied, 0, sizeof(run->copied));
	run->count = 0;
	metric_add(&store_symbol_runs_read_total, 1);
	int rc = buf_check(&run->bytes, "run of symbols", err);
	rc = rc ? rc
		: symbols_run_get(buf_text(&run->bytes), run->start, run->ranges, &run->count, err);
	rocks_iter_next(iter);
	run->last = !on_run(iter, prefix, &run->next_start);
	return rc ? rc : rocks_iter_check(iter, err);
}

static int seek_run(struct naming *naming, struct rocks_iter *iter,
		    const struct symbols_place *place, uint64_t address, struct err *err)
{
	struct loaded_run *run = naming->run;
	struct key prefix = key_hash(place->tenant, KEY_SYMBOL, place->hash);
	struct key key = key_symbol(place->tenant, place->hash, address);
	rocks_iter_seek_back(iter, &key);
	int rc = on_run(iter, &prefix, &run->start) ? load_run(run, iter, &prefix, err)
						    : load_nothing(run, iter, &prefix, err);
	run->valid = !rc;
	return rc;
}

/* ---- names ---- */

static int copy_texts(struct arena *arena, struct symbol_range *range, struct err *err)
{
	range->name = arena_str(arena, range->name);
	range->system_name = arena_str(arena, range->system_name);
	range->filename = arena_str(arena, range->filename);
	if (range->name.ptr && range->system_name.ptr && range->filename.ptr)
		return 0;
	return query_no_room(arena, err);
}

static int name_frame(struct naming *naming, struct store_frame *frame, struct err *err)
{
	struct loaded_run *run = naming->run;
	const struct symbol_range *found =
		symbols_run_find(run->ranges, run->count, frame->address);
	if (!found)
		return 0;
	size_t at = (size_t)(found - run->ranges);
	int rc = run->copied[at] ? 0 : copy_texts(naming->arena, &run->ranges[at], err);
	if (rc)
		return rc;
	run->copied[at] = true;
	frame->name = found->name;
	frame->system_name = found->system_name;
	frame->filename = found->filename;
	naming->named++;
	return 0;
}

static int name_all(struct naming *naming, const struct symbols_place *place,
		    struct store_frame **frames, size_t count, struct err *err)
{
	struct key from = key_hash(place->tenant, KEY_SYMBOL, place->hash), to = key_after(&from);
	struct rocks_iter iter;
	int rc = 0;
	naming->run->valid = false;
	rocks_iter_open(&naming->query->view, FAMILY_DICT, &from, &to, false, &iter);
	for (size_t i = 0; !rc && i < count; i++) {
		if (!holds(naming->run, frames[i]->address))
			rc = seek_run(naming, &iter, place, frames[i]->address, err);
		rc = rc ? rc : name_frame(naming, frames[i], err);
		if (!rc && i % 4096 == 4095)
			rc = query_check(naming->query, err);
	}
	rocks_iter_close(&iter);
	return rc;
}

static int name_build_id(struct naming *naming, struct store_frame **frames, size_t count,
			 struct err *err)
{
	struct query *query = naming->query;
	struct symbols_place place =
		symbols_place(query->store, query->tenant, frames[0]->build_id);
	struct rocks_value value = {0};
	struct store_symbols record;
	bool found = false;
	int rc = symbols_read_record(query->store->rocks, &query->view, &place, frames[0]->build_id,
				     &value, &record, &found, err);
	rocks_value_free(&value);
	rc = rc || !found ? rc : name_all(naming, &place, frames, count, err);
	if (rc)
		err_wrap(err, "symbols of build id %.*s",
			 STR_ARG(str_sub(frames[0]->build_id, 0, STORE_BUILD_ID_MAX)));
	return rc;
}

int symbols_name(struct query *query, struct arena *arena, struct store_frame *frames, size_t count,
		 struct err *err)
{
	struct naming naming = {.query = query, .arena = arena};
	int rc = collect(&naming, frames, count, err);
	for (size_t first = 0, next; !rc && first < naming.count; first = next) {
		struct str build_id = naming.frames[first]->build_id;
		for (next = first + 1;
		     next < naming.count && !compare_ids(naming.frames[next]->build_id, build_id);)
			next++;
		rc = name_build_id(&naming, naming.frames + first, next - first, err);
	}
	if (naming.run)
		buf_deinit(&naming.run->bytes);
	metric_add(&store_symbols_named_total, (int64_t)naming.named);
	return rc;
}
