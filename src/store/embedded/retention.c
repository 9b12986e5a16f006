/* Whole days go, a day after it has ended `retention` ago: one range deletion
 * per tenant and family, then a compaction of just that range, so that the
 * space returns. Dictionary entries and series stay for other days. */
#include <stdint.h>

#include "base/clock.h"
#include "store/embedded/embedded.h"
#include "store/embedded/gauges.h"
#include "store/embedded/times.h"

enum { TICK_S = 60 };

struct sweep {
	struct store *store;
	uint32_t cutoff; /* the first day that stays */
	uint32_t days, tenants;
};

static void put_ranges(struct sweep *sweep, rocksdb_writebatch_t *batch, uint32_t tenant)
{
	struct rocks *rocks = sweep->store->rocks;
	struct key sample_from = key_samples_day(tenant, 0);
	struct key sample_to = key_samples_day(tenant, sweep->cutoff);
	struct key mark_from = key_kind_u32(tenant, KEY_DAY, 0);
	struct key mark_to = key_kind_u32(tenant, KEY_DAY, sweep->cutoff);
	struct key total_from = key_meta_day(tenant, 0);
	struct key total_to = key_meta_day(tenant, sweep->cutoff);
	rocks_delete_range(rocks, batch, FAMILY_SAMPLES, &sample_from, &sample_to);
	rocks_delete_range(rocks, batch, FAMILY_SERIES, &mark_from, &mark_to);
	rocks_delete_range(rocks, batch, FAMILY_META, &total_from, &total_to);
}

/* The totals of days say which tenants have something to drop. */
static int put_tenants(struct sweep *sweep, rocksdb_writebatch_t *batch, struct err *err)
{
	struct rocks_view view;
	struct rocks_iter iter;
	struct key from = key_meta(META_DAY), to = key_after(&from);
	uint32_t tenant, day, last = 0;
	rocks_view_open(sweep->store->rocks, &view);
	rocks_iter_open(&view, FAMILY_META, &from, &to, false, &iter);
	for (; rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		if (!key_parse_meta_day(rocks_iter_key(&iter), &tenant, &day) ||
		    day >= sweep->cutoff)
			continue;
		sweep->days++;
		if (tenant != last) {
			put_ranges(sweep, batch, tenant);
			sweep->tenants++;
		}
		last = tenant;
	}
	int rc = rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	rocks_view_close(&view);
	return rc;
}

/* What no retry can match any more. */
static void put_recent(struct sweep *sweep, rocksdb_writebatch_t *batch, uint64_t now_ns)
{
	enum { KEPT_MINUTES = 15 };
	uint64_t minute = now_ns / (60ull * NS_PER_S);
	if (minute <= KEPT_MINUTES)
		return;
	struct key from = key_recent_minute(0);
	struct key to = key_recent_minute((uint32_t)(minute - KEPT_MINUTES));
	rocks_delete_range(sweep->store->rocks, batch, FAMILY_RECENT, &from, &to);
}

static int write_ranges(struct sweep *sweep, uint64_t now_ns, struct err *err)
{
	struct store *store = sweep->store;
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	int rc = sweep->cutoff ? put_tenants(sweep, batch, err) : 0;
	put_recent(sweep, batch, now_ns);
	rc = rc ? rc : rocks_write_synced(store->rocks, batch, err);
	rocksdb_writebatch_destroy(batch);
	/* The writer remembers totals and marks of days that are gone. */
	if (!rc && sweep->days)
		txn_abort(&store->writer.txn);
	return rc;
}

static int compact(struct store *store, uint32_t cutoff, struct err *err)
{
	/* Tenants lie one behind the other, so the whole family is the range; files without a
	 * deletion in them are rewritten only when their level asks for it. */
	struct key from = key_samples_day(0, 0), to = key_samples_day(UINT32_MAX, cutoff);
	return rocks_compact(store->rocks, FAMILY_SAMPLES, &from, &to, err);
}

int retention_run(struct store *store, uint64_t now_ns, uint32_t *ret_days, struct err *err)
{
	struct sweep sweep = {.store = store};
	uint64_t kept_ns = store->options.retention_ns;
	*ret_days = 0;
	if (kept_ns && now_ns > kept_ns)
		sweep.cutoff = day_of(now_ns - kept_ns);
	pthread_mutex_lock(&store->writer.commit_lock);
	/* A full disk keeps commits from opening the database anew, and this may make room. */
	int rc = writer_repair(store, err);
	rc = rc ? rc : write_ranges(&sweep, now_ns, err);
	if (rc && rc != ERR_NOMEM)
		store->writer.broken = rc;
	pthread_mutex_unlock(&store->writer.commit_lock);
	if (rc || !sweep.days)
		return rc;
	*ret_days = sweep.days;
	metric_add(&store_days_dropped_total, sweep.days);
	pthread_rwlock_rdlock(&store->rocks_lock);
	rc = store->rocks ? compact(store, sweep.cutoff, err) : 0;
	pthread_rwlock_unlock(&store->rocks_lock);
	return rc;
}
