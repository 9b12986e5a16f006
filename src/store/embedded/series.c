#include <stdint.h>

#include "store/embedded/block.h"
#include "store/embedded/mark.h"
#include "store/embedded/txn.h"
#include "store/embedded/varint.h"

enum { SERIES_VERSION = 1 };

/* A label with an empty value is an absent label (Prometheus data model), so it is not stored. */
int series_hash(uint64_t seed, struct buf *scratch, const struct store_series *series,
		struct hash128 *ret, struct err *err)
{
	buf_clear(scratch);
	for (size_t i = 0; i < series->label_count; i++) {
		const struct store_label *label = &series->labels[i];
		if (label->value.len == 0)
			continue;
		buf_append(scratch, &label->name.len, sizeof(label->name.len));
		buf_append(scratch, label->name.ptr, label->name.len);
		buf_append(scratch, &label->value.len, sizeof(label->value.len));
		buf_append(scratch, label->value.ptr, label->value.len);
	}
	*ret = dict_hash(seed, buf_text(scratch));
	return buf_check(scratch, "labels", err);
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
	uleb_append(&txn->scratch, count);
	for (size_t i = 0; i < count * 2; i++)
		uleb_append(&txn->scratch, ids[i]);
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
	int rc = series_hash(txn->seed, &txn->scratch, series, &hash, err);
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
	txn_found(txn, tenant, USED_SERIES, *ret);
	if (!idmap_get(&txn->pending, id_key))
		idcache_put(&txn->cache, id_key, *ret);
	return 0;
}

/* ---- days ---- */

/* What the writer remembers of a mark: its columns and pending hours, which fill 32 bits; 0: not known. */
static uint32_t remembered(const struct mark *mark)
{
	return mark->columns | mark->pending << BLOCK_COLUMNS;
}

int series_read_mark(struct txn *txn, const struct key *key, struct mark *ret, struct err *err)
{
	struct rocks_value value;
	int rc = rocks_get(txn->rocks, NULL, FAMILY_SERIES, key_str(key), &value, err);
	*ret = (struct mark){0};
	if (!rc && value.bytes.ptr)
		rc = mark_decode(value.bytes, ret, err);
	rocks_value_free(&value);
	return rc;
}

/* Sums that stand in the mark stay: those of a pending hour do not count. */
static int put_mark(struct txn *txn, const struct key *key, struct mark *mark, struct err *err)
{
	buf_clear(&txn->scratch);
	mark_encode(&txn->scratch, mark);
	int rc = buf_check(&txn->scratch, "mark of a day", err);
	if (!rc)
		rocks_put(txn->rocks, txn->batch, FAMILY_SERIES, key_str(key),
			  buf_text(&txn->scratch));
	return rc;
}

int series_mark(struct txn *txn, struct tenant *tenant, uint32_t series, uint64_t time_ns,
		unsigned columns, struct err *err)
{
	uint32_t day = day_of(time_ns);
	struct id_key id_key = id_key_pair(tenant->id, KEY_DAY, day, series);
	struct key key = key_kind_u32x2(tenant->id, KEY_DAY, day, series);
	struct mark mark, wanted = {.columns = columns, .pending = 1u << hour_of(time_ns) % 24};
	unsettled_block(&txn->unsettled, tenant->id, day, series, wanted.pending);
	uint32_t bits = remembered(&wanted), added = idmap_get(&txn->pending, id_key);
	uint32_t known = added ? added : idcache_get(&txn->cache, id_key);
	if ((known & bits) == bits)
		return 0;
	int rc = series_read_mark(txn, &key, &mark, err);
	if (rc)
		return rc;
	if (!added && (remembered(&mark) & bits) == bits) {
		idcache_put(&txn->cache, id_key, remembered(&mark));
		return 0;
	}
	/* What this commit has added already is not to be read yet. */
	bits |= added | remembered(&mark);
	mark.columns = bits & ((1u << BLOCK_COLUMNS) - 1);
	mark.pending = bits >> BLOCK_COLUMNS;
	unsettled_mark(&txn->unsettled, tenant->id, day, series);
	unsettled_add(&txn->unsettled, tenant->id, day, wanted.pending | UNSETTLED_WHOLE);
	rc = idmap_put(&txn->pending, id_key, bits, err);
	return rc ? rc : put_mark(txn, &key, &mark, err);
}

void series_remember_mark(struct txn *txn, uint32_t tenant, uint32_t day, uint32_t series,
			  const struct mark *mark)
{
	struct id_key key = id_key_pair(tenant, KEY_DAY, day, series);
	if (idcache_get(&txn->cache, key))
		idcache_put(&txn->cache, key, remembered(mark));
}
