/* Dropping days: every key of each part of a tenant's day is deleted, in one synced
 * batch; then the space is given back at once, by rewriting the files that held
 * them without them. What a view that is still open looks at has to stay, so we
 * wait a little for the oldest of them. Whole files are not deleted in RocksDB's
 * short way: one that holds deletions would go, and what they deleted in a lower
 * level come back. */
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/embedded/embedded.h"
#include "store/embedded/gauges.h"
#include "store/embedded/level.h"
#include "store/embedded/maintenance.h"

enum {
	PARTS = 3 + LEVEL_COUNT - 1,
	WAIT_S = 30, /* for the queries that look at what was dropped */
	WAIT_STEP_NS = 10 * 1000 * 1000,
};

struct part {
	enum rocks_family family;
	struct key from, to;
};

int drops_add(struct drops *drops, uint32_t tenant, uint32_t before, struct err *err)
{
	struct drop *list = mem_grow(drops->list, &drops->cap, drops->count + 1, sizeof(*list));
	if (!list)
		return err_set(err, ERR_NOMEM, "days to drop: no memory");
	drops->list = list;
	list[drops->count++] = (struct drop){tenant, before};
	return 0;
}

void drops_deinit(struct drops *drops)
{
	mem_free(drops->list);
	*drops = (struct drops){0};
}

/* Of the days in [from, to). */
static void parts_of(uint32_t tenant, uint32_t from, uint32_t to, struct part ret[PARTS])
{
	ret[0] = (struct part){FAMILY_META, key_meta_day(tenant, from), key_meta_day(tenant, to)};
	ret[1] = (struct part){FAMILY_SERIES, key_kind_u32(tenant, KEY_DAY, from),
			       key_kind_u32(tenant, KEY_DAY, to)};
	ret[2] = (struct part){FAMILY_SAMPLES, key_samples_day(tenant, from),
			       key_samples_day(tenant, to)};
	for (unsigned level = LEVEL_MINUTE; level < LEVEL_COUNT; level++)
		ret[2 + level] =
			(struct part){FAMILY_ROLLUPS, key_sums_day(tenant, (uint8_t)level, from),
				      key_sums_day(tenant, (uint8_t)level, to)};
}

/* ---- deleting ---- */

/* The first of the days that has totals. Without a snapshot: nobody writes meanwhile. */
static int first_day(struct rocks *rocks, const struct drop *drop, bool *ret_found, uint32_t *ret,
		     struct err *err)
{
	const struct rocks_view newest = {.rocks = rocks};
	struct key from = key_meta_day(drop->tenant, 0);
	struct key to = key_meta_day(drop->tenant, drop->before);
	struct rocks_iter iter;
	uint32_t tenant;
	rocks_iter_open(&newest, FAMILY_META, &from, &to, false, &iter);
	*ret_found =
		rocks_iter_valid(&iter) && key_parse_meta_day(rocks_iter_key(&iter), &tenant, ret);
	int rc = rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	return rc;
}

static int write_deletions(struct rocks *rocks, uint32_t tenant, uint32_t from, uint32_t to,
			   struct err *err)
{
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	struct part parts[PARTS];
	int rc = 0;
	parts_of(tenant, from, to, parts);
	for (size_t p = 0; !rc && p < PARTS; p++)
		rc = rocks_delete_range(rocks, batch, parts[p].family, &parts[p].from, &parts[p].to,
					err);
	if (!rc && rocksdb_writebatch_count(batch))
		rc = rocks_write_synced(rocks, batch, err);
	rocksdb_writebatch_destroy(batch);
	return rc;
}

/* Under commit_lock. The writer remembers totals and marks of days that are gone, and answers are kept. */
static int delete_now(struct store *store, uint32_t tenant, uint32_t from, uint32_t to,
		      struct err *err)
{
	int rc = write_deletions(store->rocks, tenant, from, to, err);
	store->writer.broken = rc;
	if (rc)
		return rc;
	txn_forget_days(&store->writer.txn, tenant, to);
	answers_forget(store);
	store->collector.due = true;
	return 0;
}

/* One day of it, so that neither the batch gets large nor the writer waits long. Without one
 * (*ret_found), what else there may be. */
static int delete_day(struct store *store, const struct drop *drop, bool *ret_found,
		      uint64_t *ret_sequence, struct err *err)
{
	uint32_t first = 0;
	pthread_mutex_lock(&store->writer.commit_lock);
	/* A full disk keeps commits from opening the database anew, and this may make room. */
	int rc = writer_repair(store, err);
	rc = rc ? rc : first_day(store->rocks, drop, ret_found, &first, err);
	if (!rc)
		rc = *ret_found ? delete_now(store, drop->tenant, first, first + 1, err)
				: delete_now(store, drop->tenant, 0, drop->before, err);
	if (!rc)
		*ret_sequence = rocks_sequence(store->rocks);
	pthread_mutex_unlock(&store->writer.commit_lock);
	return rc;
}

/* *ret_sequence: views from there on see nothing of them. */
static int delete_days(struct store *store, const struct drops *drops, uint32_t *days,
		       uint64_t *ret_sequence, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < drops->count; i++) {
		bool found = true;
		while (!rc && found) {
			rc = delete_day(store, &drops->list[i], &found, ret_sequence, err);
			*days += !rc && found;
		}
	}
	return rc;
}

/* ---- giving back ---- */

static bool is_in_view(struct store *store, uint64_t sequence)
{
	pthread_rwlock_rdlock(&store->rocks_lock);
	uint64_t oldest = store->rocks ? rocks_oldest_view(store->rocks) : 0;
	pthread_rwlock_unlock(&store->rocks_lock);
	return oldest && oldest < sequence;
}

/* False: somebody still looks at it. */
static bool wait_for_views(struct store *store, uint64_t sequence)
{
	const struct timespec step = {.tv_nsec = WAIT_STEP_NS};
	uint64_t until_ns = clock_mono_ns() + (uint64_t)WAIT_S * NS_PER_S;
	while (is_in_view(store, sequence)) {
		if (maintenance_stopping(store) || clock_mono_ns() > until_ns)
			return false;
		nanosleep(&step, NULL);
	}
	return true;
}

/* The log goes too: it has what was written to the dropped days until its families have no need of it. */
static int give_all_back(struct store *store, const struct drops *drops, struct err *err)
{
	int rc = rocks_flush(store->rocks, err);
	for (size_t i = 0; !rc && i < drops->count; i++) {
		struct part parts[PARTS];
		parts_of(drops->list[i].tenant, 0, drops->list[i].before, parts);
		for (size_t p = 0; p < PARTS && !store_interrupted(store); p++)
			rocks_compact(store->rocks, parts[p].family, &parts[p].from, &parts[p].to);
	}
	return rc;
}

static int give_back(struct store *store, const struct drops *drops, uint64_t sequence,
		     struct err *err)
{
	store->retention.unfinished = !wait_for_views(store, sequence);
	if (store->retention.unfinished)
		return 0;
	pthread_rwlock_rdlock(&store->rocks_lock);
	int rc = store->rocks && !store->rocks->read_only ? give_all_back(store, drops, err) : 0;
	store->retention.unfinished = store_interrupted(store);
	pthread_rwlock_unlock(&store->rocks_lock);
	return rc;
}

int drops_run(struct store *store, const struct drops *drops, uint32_t *ret_days, struct err *err)
{
	uint64_t sequence = 0;
	*ret_days = 0;
	int rc = delete_days(store, drops, ret_days, &sequence, err);
	metric_add(&store_days_dropped_total, *ret_days);
	if (!rc && drops->count)
		return give_back(store, drops, sequence, err);
	store->retention.unfinished |= *ret_days > 0;
	return rc;
}

/* ---- later ---- */

struct finish {
	const struct rocks_view *view;
	struct drops drops;
};

/* Everything before the first day that is there was dropped. */
static int add_gone(void *context, uint32_t tenant, struct str name, struct err *err)
{
	struct finish *finish = context;
	struct key from = key_meta_day(tenant, 0), to = key_meta_day(tenant, UINT32_MAX);
	struct rocks_iter iter;
	uint32_t before = UINT32_MAX;
	(void)name;
	rocks_iter_open(finish->view, FAMILY_META, &from, &to, false, &iter);
	if (rocks_iter_valid(&iter) && !key_parse_meta_day(rocks_iter_key(&iter), &tenant, &before))
		before = 0;
	int rc = rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	return rc || !before ? rc : drops_add(&finish->drops, tenant, before, err);
}

int drops_finish(struct store *store, struct err *err)
{
	struct rocks_view view;
	struct finish finish = {.view = &view};
	int rc = store->retention.unfinished ? store_look(store, &view, err) : 0;
	if (rc || !store->retention.unfinished)
		return rc;
	uint64_t sequence = rocks_sequence(view.rocks);
	rc = tenants_each(&view, add_gone, &finish, err);
	store_look_end(store, &view);
	rc = rc ? rc : give_back(store, &finish.drops, sequence, err);
	drops_deinit(&finish.drops);
	return rc;
}
