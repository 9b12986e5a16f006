/* A settler's memory: taken when there is something to do, within what the plan gives. */
#include <string.h>

#include "base/mem.h"
#include "store/embedded/settle.h"

enum {
	ROW_BYTES = sizeof(struct store_sample) + 2 * sizeof(struct sort_row),
	SUM_BYTES = 3 * sizeof(struct sort_row),
	BATCH_BYTES_MAX = 256 << 10, /* some ms under the writer's lock */
};

static int name_tenants(struct settler *s, const struct rocks_view *view, struct err *err)
{
	struct key from = key_meta(META_TENANT), to = key_after(&from);
	struct rocks_iter iter;
	size_t cap = 0;
	int rc = 0;
	rocks_iter_open(view, FAMILY_META, &from, &to, false, &iter);
	for (; !rc && rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		struct str key = rocks_iter_key(&iter), value = rocks_iter_value(&iter);
		uint32_t id = key_number(value);
		struct str *names = mem_grow(s->names, &cap, (size_t)id + 1, sizeof(*names));
		struct str name = arena_str(&s->arena, str_make(key.ptr + 1, key.len - 1));
		s->names = names ? names : s->names;
		if (!names || !name.ptr) {
			rc = err_set(err, ERR_NOMEM, "settling: no memory");
			break;
		}
		for (; s->name_count <= id; s->name_count++)
			names[s->name_count] = (struct str){0};
		names[id] = name;
	}
	rc = rc ? rc : rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	return rc;
}

/* A quarter for rows and their order, a quarter for columns, a quarter for sums, an eighth for the batch,
 * and what is left for spans and scratch. */
static int take_memory(struct settler *s, struct err *err)
{
	size_t bytes = s->store->plan.settle_bytes;
	s->rows_max = bytes / 4 / ROW_BYTES;
	if (s->rows_max < ROWS_PER_BLOCK)
		s->rows_max = ROWS_PER_BLOCK;
	s->sums_max = bytes / 4 / SUM_BYTES;
	s->batch_bytes = bytes / 8 < BATCH_BYTES_MAX ? bytes / 8 : BATCH_BYTES_MAX;
	size_t spare = s->sums_max > ROWS_PER_BLOCK ? s->sums_max : ROWS_PER_BLOCK;
	s->sums[0] = arena_alloc(&s->arena, s->sums_max * sizeof(struct sort_row));
	s->sums[1] = arena_alloc(&s->arena, s->sums_max * sizeof(struct sort_row));
	s->spare = arena_alloc(&s->arena, spare * sizeof(struct sort_row));
	if (!s->sums[0] || !s->sums[1] || !s->spare)
		return err_set(err, ERR_NOMEM, "settling: no memory");
	return builder_init(&s->builder, &s->arena, s->rows_max, s->rows_max, err);
}

int settler_open(struct store *store, uint64_t now_ns, struct settler *ret, struct err *err)
{
	struct rocks_view view;
	memset(ret, 0, sizeof(*ret));
	ret->store = store;
	ret->now_ns = now_ns;
	ret->deadline_ns =
		store->maintenance.deadline_ns ? store->maintenance.deadline_ns : UINT64_MAX;
	arena_init(&ret->arena, 0);
	int rc = take_memory(ret, err);
	pthread_rwlock_rdlock(&store->rocks_lock);
	if (!rc && store->rocks) {
		rocks_view_open(store->rocks, &view);
		rc = name_tenants(ret, &view, err);
		rocks_view_close(&view);
	}
	pthread_rwlock_unlock(&store->rocks_lock);
	if (rc)
		settler_close(ret);
	return rc;
}

void settler_close(struct settler *s)
{
	settle_end(s);
	mem_free(s->names);
	mem_free(s->rows);
	mem_free(s->held);
	mem_free(s->spans);
	mem_free(s->scratch);
	mem_free(s->batch.ops);
	mem_free(s->batch.changes);
	buf_deinit(&s->batch.bytes);
	arena_deinit(&s->arena);
	memset(s, 0, sizeof(*s));
}

void settler_enter(struct settler *s, uint32_t tenant, uint32_t day, uint32_t hours, bool whole)
{
	s->tenant = tenant;
	s->day = day;
	s->hours = hours;
	s->whole = whole;
	s->next_series = 0;
	s->left = 0;
	s->failures = 0;
	s->done = s->late = false;
	s->job.active = false;
	settle_forget_rows(s);
}
