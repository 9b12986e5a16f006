/* Series without a mark on any day: their labels and postings go. */
#include "store/embedded/collection.h"

#include "base/cursor.h"

enum {
	SERIES_VERSION = 1,
	CHUNK = 512,
	TEXTS_MAX_BYTES = 4 * 1024 * 1024, /* of strings held for hashing */
};

struct dead_series {
	struct victim victim;
	uint32_t *ids; /* of its labels: name, value, ... */
	size_t count;  /* labels */
};

struct chunk {
	struct collection *c;
	const struct rocks_view *view;
	struct pages pages;
	struct store_label *labels;
	size_t label_cap;
	struct dead_series *dead;
	size_t dead_count, dead_cap;
	uint32_t next; /* the series to begin with */
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "collecting series: no memory");
}

static int decode(struct collection *c, struct str bytes, uint32_t **ret, size_t *ret_count,
		  struct err *err)
{
	struct cur in = cur_make(bytes.ptr, bytes.len);
	uint8_t version = cur_u8(&in);
	uint64_t count = cur_uleb(&in);
	if (version != SERIES_VERSION || count > bytes.len)
		return err_set(err, ERR_CORRUPT, "labels of a series: malformed");
	uint32_t *ids = arena_zalloc(&c->arena, (size_t)count * 2 + 1, sizeof(*ids));
	if (!ids)
		return no_memory(err);
	for (size_t i = 0; i < count * 2; i++)
		ids[i] = (uint32_t)cur_uleb(&in);
	*ret = ids;
	*ret_count = (size_t)count;
	return cur_check(&in, "labels of a series", err);
}

static void keep(struct collection *c, const uint32_t *ids, size_t count)
{
	for (size_t i = 0; i < count * 2; i++)
		used_add(&c->used, USED_STRING, ids[i]);
}

/* ---- reading ---- */

static int read_labels(struct chunk *chunk, const struct dead_series *series, struct err *err)
{
	struct store_label *labels = arena_grow(&chunk->c->arena, chunk->labels, &chunk->label_cap,
						series->count + 1, sizeof(*labels));
	int rc = labels ? 0 : no_memory(err);
	chunk->labels = labels ? labels : chunk->labels;
	for (size_t i = 0; !rc && i < series->count; i++) {
		rc = pages_string(&chunk->pages, series->ids[i * 2], &labels[i].name, err);
		rc = rc ? rc
			: pages_string(&chunk->pages, series->ids[i * 2 + 1], &labels[i].value,
				       err);
	}
	return rc;
}

static int find_key(struct chunk *chunk, struct dead_series *series, struct err *err)
{
	struct collection *c = chunk->c;
	struct hash128 hash;
	int rc = read_labels(chunk, series, err);
	struct store_series content = {.labels = chunk->labels, .label_count = series->count};
	rc = rc ? rc : series_hash(c->store->seed, &c->scratch, &content, &hash, err);
	if (rc)
		return rc;
	series->victim.key = key_hash(c->tenant, KEY_SERIES, hash);
	series->victim.cached = id_key_hash(c->tenant, KEY_SERIES, hash);
	return collect_look_up(chunk->view, &series->victim, err);
}

static int add_dead(struct chunk *chunk, uint32_t id, uint32_t *ids, size_t count, struct err *err)
{
	struct dead_series *dead = arena_grow(&chunk->c->arena, chunk->dead, &chunk->dead_cap,
					      chunk->dead_count + 1, sizeof(*dead));
	if (!dead)
		return no_memory(err);
	chunk->dead = dead;
	dead[chunk->dead_count] = (struct dead_series){.victim.id = id, .ids = ids, .count = count};
	int rc = find_key(chunk, &dead[chunk->dead_count], err);
	chunk->dead_count += rc == 0;
	return rc;
}

static int read_series(struct chunk *chunk, uint32_t id, struct str value, struct err *err)
{
	struct collection *c = chunk->c;
	uint32_t *ids = NULL;
	size_t count = 0;
	int rc = decode(c, value, &ids, &count, err);
	if (rc)
		return rc;
	c->seen++;
	if (!used_has(&c->used, USED_SERIES, id))
		return add_dead(chunk, id, ids, count, err);
	keep(c, ids, count);
	return 0;
}

static int read_chunk(struct chunk *chunk, struct err *err)
{
	struct collection *c = chunk->c;
	struct key from = key_kind_u32(c->tenant, KEY_SERIES, chunk->next);
	struct key to = key_kind_u32(c->tenant, KEY_SERIES, c->used.count[USED_SERIES]);
	struct rocks_iter iter;
	int rc = 0;
	rocks_iter_open(chunk->view, FAMILY_SERIES, &from, &to, true, &iter);
	for (size_t n = 0; !rc && rocks_iter_valid(&iter) && n < CHUNK &&
			   chunk->pages.used_bytes < TEXTS_MAX_BYTES;
	     n++) {
		uint32_t id = key_part(rocks_iter_key(&iter), 0);
		rc = read_series(chunk, id, rocks_iter_value(&iter), err);
		chunk->next = id + 1;
		rocks_iter_next(&iter);
	}
	rc = rc ? rc : rocks_iter_check(&iter, err);
	if (!rc && !rocks_iter_valid(&iter))
		chunk->next = c->used.count[USED_SERIES];
	rocks_iter_close(&iter);
	return rc;
}

static int look_at_chunk(struct chunk *chunk, struct err *err)
{
	struct collection *c = chunk->c;
	struct rocks_view view;
	int rc = collect_look(c, &view, err);
	if (rc)
		return rc;
	/* cppcheck-suppress autoVariables ; used only until the view is closed below */
	chunk->view = &view;
	rc = pages_open(&chunk->pages, c->store->pages, &view, c->tenant, err);
	rc = rc ? rc : read_chunk(chunk, err);
	pages_close(&chunk->pages);
	collect_look_end(c, &view);
	return rc;
}

/* ---- removing ---- */

static void remove_series(struct collection *c, const struct dead_series *series)
{
	struct rocks *rocks = c->store->rocks;
	struct key labels = key_kind_u32(c->tenant, KEY_SERIES, series->victim.id);
	collect_remove(c, &series->victim);
	rocks_delete(rocks, c->batch, FAMILY_SERIES, key_str(&labels));
	for (size_t i = 0; i < series->count; i++) {
		struct key posting = key_posting(c->tenant, series->ids[i * 2],
						 series->ids[i * 2 + 1], series->victim.id);
		rocks_delete(rocks, c->batch, FAMILY_SERIES, key_str(&posting));
	}
}

static int remove_chunk(struct chunk *chunk, struct err *err)
{
	struct collection *c = chunk->c;
	uint64_t count = 0;
	int rc = chunk->dead_count ? collect_begin(c, err) : 0;
	if (rc || !chunk->dead_count)
		return rc;
	for (size_t i = 0; i < chunk->dead_count; i++) {
		const struct dead_series *series = &chunk->dead[i];
		if (used_has(&c->used, USED_SERIES, series->victim.id)) {
			keep(c, series->ids, series->count);
		} else {
			remove_series(c, series);
			count++;
		}
	}
	return collect_end(c, USED_SERIES, count, 0, err);
}

int collect_series(struct collection *c, struct err *err)
{
	int rc = 0;
	for (uint32_t next = 1; !rc && next < c->used.count[USED_SERIES];) {
		struct chunk chunk = {.c = c, .next = next};
		arena_reset(&c->arena);
		rc = look_at_chunk(&chunk, err);
		rc = rc ? rc : remove_chunk(&chunk, err);
		next = chunk.next;
	}
	return rc;
}
