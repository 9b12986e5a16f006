#include "store/embedded/query.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/mem.h"
#include "store/embedded/varint.h"

int query_check(const struct query *query, struct err *err)
{
	const _Atomic int *cancelled = query->selection->cancelled;
	if (cancelled && atomic_load_explicit(cancelled, memory_order_relaxed))
		return err_set(err, ERR_CANCELLED, "the query was cancelled");
	if (query->selection->deadline_ns && clock_mono_ns() > query->selection->deadline_ns)
		return err_set(err, ERR_TIMEOUT, "the time that the client gave has passed");
	if (query->stop && atomic_load_explicit(query->stop, memory_order_relaxed))
		return err_set(err, ERR_CANCELLED, "another part of the query failed");
	return 0;
}

int query_full(const struct query *query, size_t bytes, struct err *err)
{
	const struct budget *full = budget_refused(query->budget);
	if (!full)
		full = budget_full(query->budget, bytes);
	if (!full)
		return err_set(err, ERR_NOMEM, "no memory for the query");
	if (full == query->budget)
		return err_set(err, ERR_LIMIT,
			       "the query needs more than its %zu KiB of memory; narrow the time "
			       "range or the labels",
			       full->limit_bytes >> 10);
	return err_set(err, ERR_LIMIT,
		       "all queries together need more than their %zu MiB of memory; ask again "
		       "when others are done, or raise store.memory",
		       full->limit_bytes >> 20);
}

void *query_alloc(struct query *query, size_t count, size_t size_bytes, struct err *err)
{
	void *memory = arena_zalloc(&query->work, count, size_bytes);
	if (!memory)
		/* The block that would have held it has a head too. */
		query_full(query,
			   count < SIZE_MAX / 2 / (size_bytes + 1) ? count * size_bytes + 64
								   : SIZE_MAX,
			   err);
	return memory;
}

int query_no_room(const struct arena *arena, struct err *err)
{
	if (arena->limit_bytes)
		return err_set(err, ERR_LIMIT, "the answer is larger than %zu bytes",
			       arena->limit_bytes);
	if (arena->budget)
		return err_set(err, ERR_LIMIT,
			       "the answer needs more than the memory of a query; narrow the time "
			       "range or the labels");
	return err_set(err, ERR_NOMEM, "no memory for the answer");
}

/* ---- label names of the tenant ---- */

static int compare_names(const void *a, const void *b)
{
	const struct label_name *x = a, *y = b;
	return str_compare(x->text, y->text);
}

static int add_name(struct query *query, size_t *cap, uint32_t id, struct err *err)
{
	struct label_name *names =
		arena_grow(&query->work, query->names, cap, query->name_count + 1, sizeof(*names));
	struct str text;
	if (!names)
		return query_full(query, *cap * 2 * sizeof(*names), err);
	query->names = names;
	int rc = pages_string(&query->pages, id, &text, err);
	if (!rc)
		names[query->name_count++] = (struct label_name){id, text};
	return rc;
}

/* Postings are sorted by name: one seek for each distinct one. */
static int load_names(struct query *query, struct err *err)
{
	struct key from = key_kind(query->tenant, KEY_POSTING), to = key_after(&from);
	struct rocks_iter iter;
	size_t cap = 0;
	int rc = 0;
	rocks_iter_open(&query->view, FAMILY_SERIES, &from, &to, false, &iter);
	while (!rc && rocks_iter_valid(&iter)) {
		uint32_t id = key_part(rocks_iter_key(&iter), 0);
		struct key prefix = key_kind_u32(query->tenant, KEY_POSTING, id);
		struct key next = key_after(&prefix);
		rc = add_name(query, &cap, id, err);
		rocks_iter_seek(&iter, &next);
	}
	rc = rc ? rc : rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	if (!rc && query->name_count)
		qsort(query->names, query->name_count, sizeof(*query->names), compare_names);
	return rc;
}

int query_wanted(struct query *query, struct str name, struct wanted *ret, struct err *err)
{
	*ret = (struct wanted){.name = name, .field = field_of_name(name)};
	ret->ids = query_alloc(query, query->name_count + 1, sizeof(*ret->ids), err);
	if (!ret->ids)
		return ERR_LIMIT;
	for (size_t i = 0; i < query->name_count; i++)
		if (str_equal(query->names[i].text, name))
			ret->ids[ret->count++] = query->names[i].id;
	for (size_t i = 0; i < query->name_count; i++)
		if (!str_equal(query->names[i].text, name) &&
		    names_alike(query->names[i].text, name))
			ret->ids[ret->count++] = query->names[i].id;
	return 0;
}

/* ---- open and close ---- */

static int load_counters(struct query *query, struct err *err)
{
	struct key key = key_meta_tenant(META_COUNTERS, query->tenant);
	struct rocks_value value;
	int rc = rocks_get(query->store->rocks, &query->view, FAMILY_META, key_str(&key), &value,
			   err);
	if (!rc && value.bytes.ptr)
		rc = counters_decode(value.bytes, &query->counters, err);
	rocks_value_free(&value);
	return rc;
}

static int compile_matchers(struct query *query, struct err *err)
{
	const struct store_selection *selection = query->selection;
	query->matchers =
		query_alloc(query, selection->matcher_count + 1, sizeof(*query->matchers), err);
	int rc = query->matchers ? 0 : ERR_LIMIT;
	for (size_t i = 0; !rc && i < selection->matcher_count; i++) {
		query->matcher_count++;
		rc = matcher_init(&query->matchers[i], &selection->matchers[i], err);
	}
	return rc;
}

static int open_pages(struct query *query, const struct rocks_view *view, struct err *err)
{
	int rc = pages_open(&query->pages, query->store->pages, view, query->tenant, err);
	query->pages.limit_bytes = query->budget->limit_bytes;
	return rc;
}

static int open_parts(struct query *query, struct err *err)
{
	int rc = compile_matchers(query, err);
	rc = rc ? rc : tenant_find(&query->view, query->selection->tenant, &query->tenant, err);
	if (rc || !query->tenant)
		return rc;
	rc = load_counters(query, err);
	rc = rc ? rc : open_pages(query, &query->view, err);
	return rc ? rc : load_names(query, err);
}

int query_open(struct store *store, const struct store_selection *selection, struct query *ret,
	       struct err *err)
{
	size_t limit = selection->memory_limit_bytes;
	*ret = (struct query){.store = store, .selection = selection};
	budget_init(&ret->own_budget, limit ? limit : store->plan.query_bytes, &store->queries);
	ret->budget = &ret->own_budget;
	arena_init_within(&ret->work, 0, ret->budget);
	pthread_rwlock_rdlock(&store->rocks_lock);
	int rc = store->rocks ? 0 : err_set(err, ERR_IO, "the store's database is not open");
	if (!rc) {
		rocks_view_open(store->rocks, &ret->view);
		rc = open_parts(ret, err);
	}
	rc = rc ? rc : query_check(ret, err);
	if (rc)
		query_close(ret);
	return rc;
}

void query_join(struct query *forked)
{
	for (size_t i = 0; i < forked->matcher_count; i++)
		matcher_deinit(&forked->matchers[i]);
	pages_close(&forked->pages);
	arena_deinit(&forked->work);
	forked->matcher_count = 0;
}

void query_close(struct query *query)
{
	query_join(query);
	rocks_view_close(&query->view);
	pthread_rwlock_unlock(&query->store->rocks_lock);
}

int query_fork(const struct query *query, struct query *ret, struct err *err)
{
	/* Only what does not change while the other thread works. */
	*ret = (struct query){
		.store = query->store,
		.selection = query->selection,
		.view = query->view,
		.tenant = query->tenant,
		.counters = query->counters,
		.budget = query->budget,
		.names = query->names,
		.name_count = query->name_count,
	};
	arena_init_within(&ret->work, 0, query->budget);
	int rc = compile_matchers(ret, err);
	return rc || !ret->tenant ? rc : open_pages(ret, &query->view, err);
}

/* ---- labels of a series ---- */

static int decode_labels(struct query *query, struct str bytes, struct series_labels *ret,
			 struct err *err)
{
	enum { SERIES_VERSION = 1 };
	struct cur in = cur_make(bytes.ptr, bytes.len);
	uint8_t version = cur_u8(&in);
	uint64_t count = cur_uleb(&in);
	if (version != SERIES_VERSION || count > bytes.len)
		return err_set(err, ERR_CORRUPT, "labels of a series: malformed");
	uint32_t *ids =
		arena_grow(&query->work, ret->ids, &ret->cap, (size_t)count * 2 + 1, sizeof(*ids));
	if (!ids)
		return query_full(query, (size_t)count * 4 * sizeof(*ids), err);
	ret->ids = ids;
	ret->count = (size_t)count;
	for (size_t i = 0; i < count * 2; i++)
		ids[i] = (uint32_t)cur_uleb(&in);
	return cur_check(&in, "labels of a series", err);
}

int query_labels(struct query *query, uint32_t series, struct series_labels *ret, struct err *err)
{
	struct key key = key_kind_u32(query->tenant, KEY_SERIES, series);
	struct rocks_value value;
	int rc = rocks_get(query->store->rocks, &query->view, FAMILY_SERIES, key_str(&key), &value,
			   err);
	if (!rc && !value.bytes.ptr)
		rc = err_set(err, ERR_CORRUPT, "series %u is missing", series);
	rc = rc ? rc : decode_labels(query, value.bytes, ret, err);
	rocks_value_free(&value);
	return rc;
}

uint32_t wanted_value(const struct wanted *wanted, const struct series_labels *labels)
{
	for (size_t w = 0; w < wanted->count; w++)
		for (size_t i = 0; i < labels->count; i++)
			if (labels->ids[i * 2] == wanted->ids[w])
				return labels->ids[i * 2 + 1];
	return 0;
}

int query_text(struct query *query, uint32_t id, struct arena *arena, struct str *ret,
	       struct err *err)
{
	struct str text;
	int rc = pages_string(&query->pages, id, &text, err);
	if (rc)
		return rc;
	*ret = arena_str(arena, text);
	return ret->ptr ? 0 : query_no_room(arena, err);
}
