/* Whole days go, a day after it has ended `age` ago, tenant by tenant; then
 * those that are too much for the disk. */
#include <stdint.h>

#include "base/clock.h"
#include "store/embedded/embedded.h"
#include "store/embedded/times.h"

/* ---- by age ---- */

struct ages {
	struct store *store;
	const struct rocks_view *view;
	uint64_t now_ns;
	struct drops drops;
};

static bool has_days(const struct rocks_view *view, uint32_t tenant, uint32_t before)
{
	struct key from = key_meta_day(tenant, 0), to = key_meta_day(tenant, before);
	struct rocks_iter iter;
	rocks_iter_open(view, FAMILY_META, &from, &to, false, &iter);
	bool has = rocks_iter_valid(&iter);
	rocks_iter_close(&iter);
	return has;
}

static int add_old(void *context, uint32_t tenant, struct str name, struct err *err)
{
	struct ages *ages = context;
	uint64_t age_ns = retention_of(&ages->store->retention, name).age_ns;
	if (!age_ns || ages->now_ns <= age_ns)
		return 0;
	uint32_t before = day_of(ages->now_ns - age_ns);
	return has_days(ages->view, tenant, before) ? drops_add(&ages->drops, tenant, before, err)
						    : 0;
}

static int by_age(struct store *store, uint64_t now_ns, uint32_t *ret_days, struct err *err)
{
	struct rocks_view view;
	struct ages ages = {.store = store, .view = &view, .now_ns = now_ns};
	int rc = store_look(store, &view, err);
	if (rc)
		return rc;
	rc = tenants_each(&view, add_old, &ages, err);
	store_look_end(store, &view);
	rc = rc ? rc : drops_run(store, &ages.drops, ret_days, err);
	drops_deinit(&ages.drops);
	return rc;
}

/* ---- requests that no retry can match any more ---- */

static int forget_requests(struct store *store, uint64_t now_ns, struct err *err)
{
	enum { KEPT_MINUTES = 15 };
	uint64_t minute = now_ns / (60ull * NS_PER_S);
	if (minute <= KEPT_MINUTES)
		return 0;
	struct key from = key_recent_minute(0);
	struct key to = key_recent_minute((uint32_t)(minute - KEPT_MINUTES));
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	int rc = rocks_delete_range(store->rocks, batch, FAMILY_RECENT, &from, &to, err);
	if (!rc && rocksdb_writebatch_count(batch))
		rc = rocks_write(store->rocks, batch, err);
	rocksdb_writebatch_destroy(batch);
	return rc;
}

static int tidy(struct store *store, uint64_t now_ns, struct err *err)
{
	pthread_mutex_lock(&store->writer.commit_lock);
	int rc = writer_repair(store, err);
	if (!rc)
		rc = store->writer.broken = forget_requests(store, now_ns, err);
	pthread_mutex_unlock(&store->writer.commit_lock);
	return rc;
}

int retention_run(struct store *store, uint64_t now_ns, uint32_t *ret_days, struct err *err)
{
	uint32_t aged = 0, sized = 0;
	int rc = tidy(store, now_ns, err);
	rc = rc ? rc : drops_finish(store, err);
	rc = rc ? rc : by_age(store, now_ns, &aged, err);
	rc = rc ? rc : retention_by_size(store, now_ns, &sized, err);
	*ret_days = aged + sized;
	return rc;
}
