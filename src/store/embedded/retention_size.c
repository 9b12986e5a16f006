/* Days that are too much. One day of one tenant goes at a time, with its space
 * given back and measured again before the next: nothing is dropped on an
 * estimate. When dropping a day does not help (a query still looks at it, or the
 * disk is filled by others), it ends until the next round. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "store/embedded/embedded.h"
#include "store/embedded/gauges.h"
#include "store/embedded/maintenance.h"
#include "store/embedded/times.h"

struct usage {
	uint64_t store_bytes, limit_bytes; /* limit 0: none */
	uint64_t left_bytes, wanted_bytes; /* of the file system; wanted 0: does not count */
};

struct choice {
	struct store *store;
	const struct rocks_view *view;
	struct usage usage;
	bool any; /* of any tenant, not only of those over their own limits */
	uint32_t today;
	uint32_t tenant; /* 0: nothing found */
	uint32_t day;
	uint64_t bytes;
	bool too_large; /* somebody is over a limit */
};

/* ---- measuring ---- */

static uint64_t smaller_limit(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

static uint64_t share_of(double share, uint64_t bytes)
{
	return share > 0 ? (uint64_t)(share * (double)bytes) : 0;
}

/* What must stay free: what was asked for, and at least so much that writes are not refused yet. */
static uint64_t wanted_room(const struct store_retention *limits, const struct disk_room *disk)
{
	uint64_t asked = share_of(limits->free_share, disk->size_bytes);
	uint64_t least = disk->reserve_bytes * 2;
	asked = limits->free_bytes < asked ? limits->free_bytes : asked;
	return asked > least ? asked : least;
}

static void measure(struct store *store, const struct rocks_view *view, struct usage *ret)
{
	struct store_retention limits = retention_whole(&store->retention);
	struct disk_room disk;
	*ret = (struct usage){.limit_bytes = limits.size_bytes};
	ret->store_bytes = rocks_table_bytes(view->rocks) + log_bytes(store->database_path);
	metric_set(&store_live_bytes, (int64_t)ret->store_bytes);
	if (!disk_room(store, &disk))
		return;
	ret->limit_bytes =
		smaller_limit(limits.size_bytes, share_of(limits.size_share, disk.size_bytes));
	ret->left_bytes = disk.left_bytes;
	ret->wanted_bytes = ret->limit_bytes ? wanted_room(&limits, &disk) : 0;
}

static bool is_too_large(const struct usage *usage)
{
	return (usage->limit_bytes && usage->store_bytes > usage->limit_bytes) ||
	       usage->left_bytes < usage->wanted_bytes;
}

static bool is_better(const struct usage *now, const struct usage *before)
{
	return now->store_bytes < before->store_bytes || now->left_bytes > before->left_bytes;
}

/* All that begins with the tenant's number. What is in memory and in the log does not count. */
static int tenant_bytes(const struct rocks_view *view, uint32_t tenant, uint64_t *ret,
			struct err *err)
{
	static const enum rocks_family families[] = {FAMILY_IDS, FAMILY_DICT, FAMILY_SERIES,
						     FAMILY_SAMPLES, FAMILY_ROLLUPS};
	struct key from = {0};
	int rc = 0;
	key_u32(&from, tenant);
	struct key to = key_after(&from);
	*ret = 0;
	for (size_t i = 0; !rc && i < sizeof(families) / sizeof(families[0]); i++) {
		uint64_t bytes;
		rc = rocks_range_bytes(view->rocks, families[i], &from, &to, &bytes, err);
		*ret += bytes;
	}
	return rc;
}

/* ---- choosing ---- */

/* The tenant's oldest day, unless that is today's: it may go if it is older than what was found so far, or
 * as old and larger. */
static int consider(struct choice *choice, uint32_t tenant, struct err *err)
{
	struct key from = key_meta_day(tenant, 0), to = key_meta_day(tenant, choice->today);
	struct day_stats day = {0};
	struct rocks_iter iter;
	int rc = 0;
	rocks_iter_open(choice->view, FAMILY_META, &from, &to, false, &iter);
	bool found = rocks_iter_valid(&iter) &&
		     key_parse_meta_day(rocks_iter_key(&iter), &tenant, &day.day);
	if (found)
		rc = day_decode(rocks_iter_value(&iter), &day, err);
	rc = rc ? rc : rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	if (rc || !found)
		return rc;
	if (!choice->tenant || day.day < choice->day ||
	    (day.day == choice->day && day.bytes > choice->bytes)) {
		choice->tenant = tenant;
		choice->day = day.day;
		choice->bytes = day.bytes;
	}
	return 0;
}

static int consider_tenant(void *context, uint32_t tenant, struct str name, struct err *err)
{
	struct choice *choice = context;
	uint64_t bytes = 0, limit = retention_of(&choice->store->retention, name).size_bytes;
	bool counts = choice->any;
	int rc = limit && !counts ? tenant_bytes(choice->view, tenant, &bytes, err) : 0;
	if (limit && bytes > limit)
		choice->too_large = counts = true;
	return rc || !counts ? rc : consider(choice, tenant, err);
}

/* First whoever is over a limit of its own. */
static int choose(struct choice *choice, struct err *err)
{
	int rc = tenants_each(choice->view, consider_tenant, choice, err);
	if (rc || choice->tenant || !is_too_large(&choice->usage))
		return rc;
	choice->too_large = choice->any = true;
	return tenants_each(choice->view, consider_tenant, choice, err);
}

static int look(struct store *store, struct choice *choice, struct err *err)
{
	struct rocks_view view;
	int rc = store_look(store, &view, err);
	if (rc)
		return rc;
	/* cppcheck-suppress autoVariables ; used only until the view is closed below */
	choice->view = &view;
	measure(store, &view, &choice->usage);
	rc = choose(choice, err);
	store_look_end(store, &view);
	return rc;
}

/* ---- dropping ---- */

static int drop(struct store *store, const struct choice *choice, uint32_t *days, struct err *err)
{
	struct drop one = {choice->tenant, choice->day + 1};
	struct drops drops = {.list = &one, .count = 1};
	uint32_t dropped;
	int rc = drops_run(store, &drops, &dropped, err);
	*days += dropped;
	if (!rc)
		metric_add(&store_days_dropped_for_size_total, dropped);
	return rc;
}

/* Said once, until it is over. */
static void say_crowded(struct store *store, const struct choice *choice)
{
	const struct usage *usage = &choice->usage;
	metric_add(&store_crowded_rounds_total, 1);
	if (!store->retention.crowded)
		log_error("store",
			  "the store is larger than it may be, and nothing but today's data is "
			  "left "
			  "to drop: it stays",
			  "path=" LOG_Q
			  " bytes=%ju limit_bytes=%ju disk_left_bytes=%ju todo=" LOG_Q,
			  store->path, (uintmax_t)usage->store_bytes, (uintmax_t)usage->limit_bytes,
			  (uintmax_t)usage->left_bytes,
			  "give it more room, or send it less (fewer samples a second)");
	store->retention.crowded = true;
}

int retention_by_size(struct store *store, uint64_t now_ns, uint32_t *ret_days, struct err *err)
{
	struct usage before = {.store_bytes = UINT64_MAX};
	*ret_days = 0;
	while (!maintenance_stopping(store)) {
		struct choice choice = {.store = store, .today = day_of(now_ns)};
		int rc = look(store, &choice, err);
		if (rc)
			return rc;
		if (choice.too_large && !choice.tenant)
			say_crowded(store, &choice);
		else
			store->retention.crowded = false;
		if (!choice.tenant || !is_better(&choice.usage, &before))
			break;
		before = choice.usage;
		rc = drop(store, &choice, ret_days, err);
		if (rc || store->retention.unfinished)
			return rc;
	}
	return 0;
}
