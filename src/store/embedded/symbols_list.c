/* Lists over the whole of a tenant: build ids with symbols; and the tenants. */
#include <stdlib.h>

#include "store/embedded/symbols.h"

enum { TENANT_NAME_AT = 1 }; /* behind the letter */

static int compare_symbols(const void *a, const void *b)
{
	const struct store_symbols *x = a, *y = b;
	return str_compare(x->build_id, y->build_id);
}

static int copy_texts(struct arena *arena, struct store_symbols *record, struct err *err)
{
	record->build_id = arena_str(arena, record->build_id);
	record->source = arena_str(arena, record->source);
	return record->build_id.ptr && record->source.ptr ? 0 : query_no_room(arena, err);
}

static int add_record(struct arena *arena, struct str value, struct store_symbols **list,
		      size_t *cap, size_t *count, struct err *err)
{
	struct store_symbols record;
	int rc = symbols_record_get(value, &record, err);
	rc = rc ? rc : copy_texts(arena, &record, err);
	if (rc)
		return rc;
	struct store_symbols *grown = arena_grow(arena, *list, cap, *count + 1, sizeof(*grown));
	if (!grown)
		return query_no_room(arena, err);
	*list = grown;
	grown[(*count)++] = record;
	return 0;
}

static int list_records(const struct rocks_view *view, uint32_t tenant, struct arena *arena,
			struct store_symbols **ret, size_t *ret_count, struct err *err)
{
	struct key from = key_kind(tenant, KEY_SYMBOLS), to = key_after(&from);
	struct rocks_iter iter;
	size_t cap = 0;
	int rc = 0;
	rocks_iter_open(view, FAMILY_DICT, &from, &to, false, &iter);
	for (; !rc && rocks_iter_valid(&iter); rocks_iter_next(&iter))
		rc = add_record(arena, rocks_iter_value(&iter), ret, &cap, ret_count, err);
	rc = rc ? rc : rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	return rc;
}

static int list_tenant(struct store *store, struct str tenant, struct arena *arena,
		       struct store_symbols **ret, size_t *ret_count, struct err *err)
{
	struct rocks_view view;
	uint32_t id = 0;
	rocks_view_open(store->rocks, &view);
	int rc = tenant_find(&view, tenant, &id, err);
	if (!rc && id)
		rc = list_records(&view, id, arena, ret, ret_count, err);
	rocks_view_close(&view);
	return rc;
}

int store_symbols_list(struct store *store, struct str tenant, struct arena *arena,
		       struct store_symbols **ret, size_t *ret_count, struct err *err)
{
	struct store_symbols *list = NULL;
	size_t count = 0;
	pthread_rwlock_rdlock(&store->rocks_lock);
	int rc = store->rocks ? list_tenant(store, tenant, arena, &list, &count, err)
			      : err_set(err, ERR_IO, "the store's database is not open");
	pthread_rwlock_unlock(&store->rocks_lock);
	if (rc)
		return rc;
	if (count)
		qsort(list, count, sizeof(*list), compare_symbols);
	*ret = list;
	*ret_count = count;
	return 0;
}

static int get_record(struct store *store, const struct rocks_view *view, struct str tenant,
		      struct str build_id, struct arena *arena, struct store_symbols *ret,
		      struct err *err)
{
	struct rocks_value value = {0};
	bool found = false;
	uint32_t id = 0;
	int rc = tenant_find(view, tenant, &id, err);
	const struct symbols_place place = symbols_place(store, id, build_id);
	if (!rc && id)
		rc = symbols_read_record(store->rocks, view, &place, build_id, &value, ret, &found,
					 err);
	if (!rc && !found)
		rc = err_set(err, ERR_NOT_FOUND, "there are no symbols of build id %.*s",
			     STR_ARG(str_sub(build_id, 0, STORE_BUILD_ID_MAX)));
	rc = rc ? rc : copy_texts(arena, ret, err);
	rocks_value_free(&value);
	return rc;
}

int store_symbols_get(struct store *store, struct str tenant, struct str build_id,
		      struct arena *arena, struct store_symbols *ret, struct err *err)
{
	struct rocks_view view;
	pthread_rwlock_rdlock(&store->rocks_lock);
	int rc = store->rocks ? 0 : err_set(err, ERR_IO, "the store's database is not open");
	if (!rc) {
		rocks_view_open(store->rocks, &view);
		rc = get_record(store, &view, tenant, build_id, arena, ret, err);
		rocks_view_close(&view);
	}
	pthread_rwlock_unlock(&store->rocks_lock);
	return rc;
}

/* ---- tenants ---- */

static int list_tenants(struct store *store, struct arena *arena, struct str **ret,
			size_t *ret_count, struct err *err)
{
	struct key from = key_meta(META_TENANT), to = key_after(&from);
	struct rocks_view view;
	struct rocks_iter iter;
	size_t cap = 0;
	int rc = 0;
	rocks_view_open(store->rocks, &view);
	rocks_iter_open(&view, FAMILY_META, &from, &to, false, &iter);
	for (; !rc && rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		struct str key = rocks_iter_key(&iter);
		struct str name = arena_str(arena, str_sub(key, TENANT_NAME_AT, key.len));
		struct str *grown = arena_grow(arena, *ret, &cap, *ret_count + 1, sizeof(*grown));
		if (!name.ptr || !grown) {
			rc = query_no_room(arena, err);
			break;
		}
		*ret = grown;
		grown[(*ret_count)++] = name;
	}
	rc = rc ? rc : rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	rocks_view_close(&view);
	return rc;
}

int store_tenants(struct store *store, struct arena *arena, struct str **ret, size_t *ret_count,
		  struct err *err)
{
	struct str *list = NULL;
	size_t count = 0;
	pthread_rwlock_rdlock(&store->rocks_lock);
	int rc = store->rocks ? list_tenants(store, arena, &list, &count, err)
			      : err_set(err, ERR_IO, "the store's database is not open");
	pthread_rwlock_unlock(&store->rocks_lock);
	if (rc)
		return rc;
	*ret = list;
	*ret_count = count;
	return 0;
}
