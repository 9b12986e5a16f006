#include <stdint.h>

#include "store/embedded/txn.h"
#include "store/embedded/varint.h"

enum { SERIES_VERSION = 1 };

/* A label with an empty value is an absent label (Prometheus data model), so it is not stored. */
static int series_hash(struct txn *txn, const struct store_series *series, struct hash128 *ret,
		       struct err *err)
{
	buf_clear(&txn->scratch);
	for (size_t i = 0; i < series->label_count; i++) {
		const struct store_label *label = &series->labels[i];
		if (label->value.len == 0)
			continue;
		buf_append(&txn->scratch, &label->name.len, sizeof(label->name.len));
		buf_append(&txn->scratch, label->name.ptr, label->name.len);
		buf_append(&txn->scratch, &label->value.len, sizeof(label->value.len));
		buf_append(&txn->scratch, label->value.ptr, label->value.len);
	}
	*ret = dict_hash(txn->seed, buf_text(&txn->scratch));
	return buf_check(&txn->scratch, "labels", err);
}

static void put_uleb(struct buf *out, uint64_t value)
{
	uint8_t bytes[ULEB_MAX_BYTES];
	buf_append(out, bytes, (size_t)(uleb_put(bytes, value) - bytes));
}

/* The pairs of string ids, in the order of the names. */
static int label_ids(struct txn *txn, struct tenant *tenant, const struct store_series *series,
		     uint32_t **ret, size_t *ret_count, struct err *err)
{
	uint32_t *ids = arena_zalloc(&txn->arena, series->label_count * 2 + 1, sizeof(*ids));
	size_t count = 0;
	int rc = ids ? 0 : err_set(err, ERR_NOMEM, "labels: no memory");
	for (size_t i = 0; !rc && i < series->label_count; i++) {
		const struct store_label *label = &series->labels[i];
		if (label->value.len == 0)
			continue;
		rc = dict_string(txn, tenant, label->name, &ids[count * 2], err);
		rc = rc ? rc : dict_string(txn, tenant, label->value, &ids[count * 2 + 1], err);
		count++;
	}
	*ret = ids;
	*ret_count = count;
	return rc;
}

static int encode(struct txn *txn, const uint32_t *ids, size_t count, struct err *err)
{
	buf_clear(&txn->scratch);
	buf_char(&txn->scratch, SERIES_VERSION);
	put_uleb(&txn->scratch, count);
	for (size_t i = 0; i < count * 2; i++)
		put_uleb(&txn->scratch, ids[i]);
	return buf_check(&txn->scratch, "series", err);
}

static void put_series(struct txn *txn, uint32_t tenant, uint32_t series, const uint32_t *ids,
		       size_t count)
{
	struct key key = key_kind_u32(tenant, KEY_SERIES, series);
	rocks_put(txn->rocks, txn->batch, FAMILY_SERIES, key_str(&key), buf_text(&txn->scratch));
	for (size_t i = 0; i < count; i++) {
		struct key posting = key_posting(tenant, ids[i * 2], ids[i * 2 + 1], series);
		rocks_put(txn->rocks, txn->batch, FAMILY_SERIES, key_str(&posting), STR(""));
	}
}

static int add_series(struct txn *txn, struct tenant *tenant, const struct store_series *series,
		      struct hash128 hash, uint32_t *ret, struct err *err)
{
	uint32_t *ids, id = tenant->next.series;
	size_t count;
	if (id == UINT32_MAX)
		return err_set(err, ERR_LIMIT, "2^32 series of one tenant are in use");
	int rc = label_ids(txn, tenant, series, &ids, &count, err);
	rc = rc ? rc : encode(txn, ids, count, err);
	rc = rc ? rc : idmap_put(&txn->pending, id_key_hash(tenant->id, KEY_SERIES, hash), id, err);
	if (rc)
		return rc;
	struct key key = key_hash(tenant->id, KEY_SERIES, hash);
	uint8_t bytes[ULEB_MAX_BYTES];
	size_t len = (size_t)(uleb_put(bytes, id) - bytes);
	tenant->next.series++;
	put_series(txn, tenant->id, id, ids, count);
	rocks_put(txn->rocks, txn->batch, FAMILY_IDS, key_str(&key), str_make(bytes, len));
	*ret = id;
	return 0;
}

int series_id(struct txn *txn, struct tenant *tenant, const struct store_series *series,
	      uint32_t *ret, struct err *err)
{
	struct hash128 hash;
	int rc = series_hash(txn, series, &hash, err);
	if (rc)
		return rc;
	struct id_key id_key = id_key_hash(tenant->id, KEY_SERIES, hash);
	struct key key = key_hash(tenant->id, KEY_SERIES, hash);
	*ret = idcache_get(&txn->cache, id_key);
	if (!*ret)
		*ret = idmap_get(&txn->pending, id_key);
	if (!*ret)
		rc = dict_read_id(txn->rocks, NULL, &key, ret, err);
	if (rc)
		return rc;
	if (!*ret)
		return add_series(txn, tenant, series, hash, ret, err);
	if (!idmap_get(&txn->pending, id_key))
		idcache_put(&txn->cache, id_key, *ret);
	return 0;
}

/* ---- days ---- */

enum { DAY_KNOWN = 1 << 30 }; /* keeps a mark without columns apart from "not there" */

static int read_mark(struct txn *txn, const struct key *key, uint32_t *ret, struct err *err)
{
	struct rocks_value value;
	uint64_t columns = 0;
	int rc = rocks_get(txn->rocks, NULL, FAMILY_SERIES, key_str(key), &value, err);
	if (!rc && value.bytes.ptr) {
		const uint8_t *at = (const uint8_t *)value.bytes.ptr;
		if (!uleb_get(at, at + value.bytes.len, &columns))
			rc = err_set(err, ERR_CORRUPT, "mark of a day: malformed");
		columns |= DAY_KNOWN;
	}
	rocks_value_free(&value);
	*ret = (uint32_t)columns;
	return rc;
}

int series_day(struct txn *txn, struct tenant *tenant, uint32_t series, uint32_t day,
	       unsigned columns, struct err *err)
{
	struct id_key id_key = id_key_pair(tenant->id, KEY_DAY, day, series);
	struct key key = key_kind_u32x2(tenant->id, KEY_DAY, day, series);
	uint32_t wanted = columns | DAY_KNOWN, known = idmap_get(&txn->pending, id_key);
	int rc = 0;
	if (!known)
		known = idcache_get(&txn->cache, id_key);
	if (!known)
		rc = read_mark(txn, &key, &known, err);
	if (rc || (known & wanted) == wanted)
		return rc;
	wanted |= known;
	rc = idmap_put(&txn->pending, id_key, wanted, err);
	if (rc)
		return rc;
	uint8_t bytes[ULEB_MAX_BYTES];
	size_t len = (size_t)(uleb_put(bytes, wanted & ~(uint32_t)DAY_KNOWN) - bytes);
	rocks_put(txn->rocks, txn->batch, FAMILY_SERIES, key_str(&key), str_make(bytes, len));
	return 0;
}
