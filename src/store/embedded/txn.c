#include "store/embedded/txn.h"

#include <string.h>

#include "base/mem.h"
#include "store/embedded/answers.h"
#include "store/embedded/times.h"

/* A client that got no answer repeats within its own timeout; ten minutes is longer than any
 * exporter's default retry window (5 min in the collector's retry_on_failure.max_elapsed_time). */
enum { REMEMBERED_MINUTES = 10 };

int txn_init(struct txn *txn, struct rocks *rocks, uint64_t seed, size_t cache_bytes,
	     struct err *err)
{
	memset(txn, 0, sizeof(*txn));
	txn->rocks = rocks;
	txn->seed = seed;
	txn->unsettled.incomplete = true;
	arena_init(&txn->arena, 0);
	txn->batch = rocksdb_writebatch_create();
	return idcache_init(&txn->cache, cache_bytes, err);
}

void txn_deinit(struct txn *txn)
{
	tenants_clear(&txn->tenants);
	idcache_deinit(&txn->cache);
	idmap_deinit(&txn->pending);
	idmap_deinit(&txn->requests);
	unsettled_deinit(&txn->unsettled);
	map_deinit(&txn->touched);
	arena_deinit(&txn->arena);
	buf_deinit(&txn->encoded);
	buf_deinit(&txn->scratch);
	if (txn->batch)
		rocksdb_writebatch_destroy(txn->batch);
	txn->batch = NULL;
}

static void end(struct txn *txn)
{
	enum { KEEP_BYTES = 1024 * 1024 };
	size_t used;
	idmap_clear(&txn->pending);
	idmap_clear(&txn->requests);
	map_clear(&txn->touched);
	(void)rocksdb_writebatch_data(txn->batch, &used);
	rocksdb_writebatch_clear(txn->batch);
	if (used > KEEP_BYTES) {
		rocksdb_writebatch_destroy(txn->batch);
		txn->batch = rocksdb_writebatch_create();
	}
}

void txn_abort(struct txn *txn)
{
	end(txn);
	idcache_clear(&txn->cache);
	tenants_clear(&txn->tenants);
}

void txn_forget_days(struct txn *txn, uint32_t tenant, uint32_t before)
{
	idcache_remove_pairs(&txn->cache, tenant, KEY_DAY, before);
	for (size_t i = 0; i < txn->tenants.count; i++)
		if (txn->tenants.list[i]->id == tenant)
			tenant_forget_days(txn->tenants.list[i], before);
}

/* ---- requests seen before ---- */

static int seen_on_disk(struct txn *txn, struct hash128 hash, uint32_t minute, bool *ret,
			struct err *err)
{
	uint32_t from = minute > REMEMBERED_MINUTES ? minute - REMEMBERED_MINUTES : 0;
	int rc = 0;
	/* One minute ahead: another clock reading may have been a little later. */
	for (uint32_t m = minute + 1; !rc && !*ret && m + 1 > from; m--) {
		struct key key = key_recent(m, hash);
		struct rocks_value value;
		rc = rocks_get(txn->rocks, NULL, FAMILY_RECENT, key_str(&key), &value, err);
		*ret = !rc && value.bytes.ptr;
		rocks_value_free(&value);
		if (m == 0)
			break;
	}
	return rc;
}

static struct id_key request_key(struct hash128 hash)
{
	return id_key_hash(0, META_FORMAT, hash);
}

static int remember(struct txn *txn, struct hash128 hash, uint32_t minute, struct err *err)
{
	struct key key = key_recent(minute, hash);
	int rc = idmap_put(&txn->requests, request_key(hash), 1, err);
	if (!rc)
		rocks_put(txn->rocks, txn->batch, FAMILY_RECENT, key_str(&key), STR(""));
	return rc;
}

/* ---- adding ---- */

static int touch_hour(struct txn *txn, uint32_t tenant, uint64_t time_ns, struct err *err)
{
	return map_put(&txn->touched, (uint64_t)tenant << 32 | hour_of(time_ns), 1, err);
}

static int count_days(struct txn *txn, struct tenant *tenant, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < txn->block_count; i++) {
		struct day_stats *day;
		rc = tenant_day(tenant, txn->rocks, txn->blocks[i].key.day, &day, err);
		rc = rc ? rc : touch_hour(txn, tenant->id, txn->blocks[i].key.time_ns, err);
	}
	return rc;
}

static void put_blocks(struct txn *txn, struct tenant *tenant)
{
	for (size_t i = 0; i < txn->block_count; i++) {
		const struct txn_block *block = &txn->blocks[i];
		struct key key = key_samples(&block->key);
		struct day_stats *day;
		rocks_put(txn->rocks, txn->batch, FAMILY_SAMPLES, key_str(&key),
			  str_make(txn->encoded.ptr + block->offset, block->len));
		if (tenant_day(tenant, txn->rocks, block->key.day, &day, NULL))
			continue; /* count_days has loaded it */
		day->dirty = true;
		day->samples += block->samples;
		day->blocks++;
		day->bytes += block->len;
		if (block->key.time_ns < day->oldest_ns)
			day->oldest_ns = block->key.time_ns;
		if (block->newest_ns > day->newest_ns)
			day->newest_ns = block->newest_ns;
	}
}

static int add_new(struct txn *txn, const struct store_batch *batch, struct hash128 hash,
		   uint32_t minute, struct err *err)
{
	struct tenant *tenant;
	int rc = tenants_get(&txn->tenants, txn->rocks, txn->batch, batch->tenant, &tenant, err);
	rc = rc ? rc : samples_encode(txn, tenant, batch, err);
	rc = rc ? rc : count_days(txn, tenant, err);
	rc = rc ? rc : remember(txn, hash, minute, err);
	if (!rc)
		put_blocks(txn, tenant);
	return rc;
}

int txn_add(struct txn *txn, const struct store_batch *batch, struct hash128 hash, uint32_t minute,
	    bool *ret_duplicate, struct err *err)
{
	*ret_duplicate = idmap_get(&txn->requests, request_key(hash)) != 0;
	int rc = *ret_duplicate ? 0 : seen_on_disk(txn, hash, minute, ret_duplicate, err);
	if (rc || *ret_duplicate)
		return rc;
	arena_reset(&txn->arena);
	buf_clear(&txn->encoded);
	txn->blocks = NULL;
	txn->block_count = txn->block_cap = 0;
	return add_new(txn, batch, hash, minute, err);
}

static void touch_answers(const struct txn *txn)
{
	size_t at = 0;
	uint64_t key, *unused;
	while (txn->answers && map_next(&txn->touched, &at, &key, &unused))
		answers_touch(txn->answers, (uint32_t)(key >> 32), (uint32_t)key);
}

static int put_tenants(struct txn *txn, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < txn->tenants.count; i++)
		rc = tenant_put(txn->tenants.list[i], txn->rocks, txn->batch, err);
	return rc;
}

int txn_commit(struct txn *txn, size_t *ret_bytes, struct err *err)
{
	int rc = put_tenants(txn, err);
	(void)rocksdb_writebatch_data(txn->batch, ret_bytes);
	if (!rc && rocksdb_writebatch_count(txn->batch))
		rc = rocks_write_synced(txn->rocks, txn->batch, err);
	if (rc)
		return rc;
	touch_answers(txn);
	idmap_promote(&txn->pending, &txn->cache);
	for (size_t i = 0; i < txn->tenants.count; i++)
		tenant_written(txn->tenants.list[i]);
	end(txn);
	return 0;
}
