/* A collection, tenant by tenant: mark, then sweep.
 *
 * Marking reads a view of the store: every stack, thread name and series that the
 * samples refer to gets a bit. The writer goes on meanwhile. What it adds has ids
 * behind those that are looked at; what it finds, under commit_lock, gets its bit
 * from the writer. A stack is always looked up from its root on, so its ancestors
 * and their frames are found, and marked, with it.
 *
 * Sweeping goes from what refers to what is referred to: series, nodes (children,
 * with the larger ids, first), frames, strings. What stays of a kind marks what
 * it refers to: so a kind is complete when its turn comes. A chunk is read
 * between commits; then, under commit_lock, what was still not found goes: its
 * entry in `ids`, in the writer's cache, and its content. So content is either
 * found with its id marked, or not found, and gets a new id.
 *
 * Each chunk is one write. It is not synced: it stands in the log before all that
 * is written later, so a crash at any moment leaves the store as it was after
 * some chunk. Ids are never used again. */
#include "store/embedded/collection.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "base/mem.h"
#include "store/embedded/gauges.h"
#include "store/embedded/maintenance.h"
#include "store/embedded/times.h"
#include "store/embedded/varint.h"

enum {
	COMPACT_SHARE = 20, /* the space of less than one in so many entries returns by itself */
	GONE_VERSION = 1,
};

/* ---- between commits ---- */

int collect_check(const struct collection *c, struct err *err)
{
	if (store_interrupted(c->store))
		return err_set(err, ERR_CANCELLED, "the collection gives way");
	return 0;
}

static int same_database(const struct collection *c, struct err *err)
{
	if (c->store->reopens != c->reopens)
		return err_set(err, ERR_CANCELLED, "the database was opened anew");
	return 0;
}

int collect_look(struct collection *c, struct rocks_view *ret, struct err *err)
{
	int rc = collect_check(c, err);
	rc = rc ? rc : store_look(c->store, ret, err);
	if (rc)
		return rc;
	rc = same_database(c, err);
	if (rc)
		store_look_end(c->store, ret);
	return rc;
}

void collect_look_end(struct collection *c, struct rocks_view *view)
{
	store_look_end(c->store, view);
}

int collect_look_up(const struct rocks_view *view, struct victim *victim, struct err *err)
{
	uint32_t id;
	int rc = dict_read_id(view->rocks, view, &victim->key, &id, err);
	victim->listed = !rc && id == victim->id;
	return rc;
}

/* ---- counts ---- */

int gone_decode(struct str bytes, uint64_t ret[USED_KINDS], struct err *err)
{
	struct cur in = cur_make(bytes.ptr, bytes.len);
	uint8_t version = cur_u8(&in);
	for (unsigned i = 0; i < USED_KINDS; i++)
		ret[i] = cur_uleb(&in);
	if (cur_ok(&in) && version != GONE_VERSION)
		return err_set(err, ERR_UNSUPPORTED,
			       "counts of removed entries: version %u is not %d", version,
			       GONE_VERSION);
	return cur_check(&in, "counts of removed entries", err);
}

static int gone_put(struct collection *c, enum used_kind kind, uint64_t count, struct err *err)
{
	struct rocks *rocks = c->store->rocks;
	struct key key = key_meta_tenant(META_GONE, c->tenant);
	struct rocks_value value;
	uint64_t gone[USED_KINDS] = {0};
	int rc = rocks_get(rocks, NULL, FAMILY_META, key_str(&key), &value, err);
	if (!rc && value.bytes.ptr)
		rc = gone_decode(value.bytes, gone, err);
	rocks_value_free(&value);
	if (rc)
		return rc;
	gone[kind] += count;
	buf_clear(&c->scratch);
	buf_char(&c->scratch, GONE_VERSION);
	for (unsigned i = 0; i < USED_KINDS; i++)
		uleb_append(&c->scratch, gone[i]);
	rc = buf_check(&c->scratch, "counts of removed entries", err);
	if (!rc)
		rocks_put(rocks, c->batch, FAMILY_META, key_str(&key), buf_text(&c->scratch));
	return rc;
}

/* ---- under commit_lock ---- */

int collect_begin(struct collection *c, struct err *err)
{
	pthread_mutex_lock(&c->store->writer.commit_lock);
	int rc = writer_repair(c->store, err);
	rc = rc ? rc : same_database(c, err);
	if (rc)
		pthread_mutex_unlock(&c->store->writer.commit_lock);
	else
		rocksdb_writebatch_clear(c->batch);
	return rc;
}

void collect_remove(struct collection *c, const struct victim *victim)
{
	if (!victim->listed)
		return;
	rocks_delete(c->store->rocks, c->batch, FAMILY_IDS, key_str(&victim->key));
	idcache_remove(&c->store->writer.txn.cache, victim->cached);
}

static int write_chunk(struct collection *c, struct err *err)
{
	struct rocks *rocks = c->store->rocks;
	atomic_fetch_add(&rocks->sweeps, 1);
	int rc = rocks_write(rocks, c->batch, err);
	atomic_fetch_add(&rocks->sweeps, 1);
	c->store->writer.broken = rc;
	return rc;
}

int collect_end(struct collection *c, enum used_kind kind, uint64_t count, int rc, struct err *err)
{
	if (!rc && count) {
		rc = gone_put(c, kind, count, err);
		rc = rc ? rc : write_chunk(c, err);
	}
	if (!rc) {
		c->gone[kind] += count;
		metric_add(&store_collected[kind], (int64_t)count);
	}
	pthread_mutex_unlock(&c->store->writer.commit_lock);
	return rc;
}

/* ---- one tenant ---- */

static int make_bits(struct collection *c, struct err *err)
{
	struct rocks_view view;
	struct counters next;
	int rc = store_look(c->store, &view, err);
	if (rc)
		return rc;
	rc = tenant_counters(&view, c->tenant, &next, err);
	store_look_end(c->store, &view);
	if (rc)
		return rc;
	const uint32_t count[USED_KINDS] = {
		[USED_STRING] = next.string,
		[USED_FRAME] = next.frame,
		[USED_NODE] = next.node,
		[USED_SERIES] = next.series,
	};
	return used_init(&c->used, c->tenant, count, &c->store->queries, err);
}

/* From the moment of the view on, the writer marks what it finds. */
static int watch(struct collection *c, struct rocks_view *ret, struct err *err)
{
	struct store *store = c->store;
	pthread_mutex_lock(&store->writer.commit_lock);
	int rc = writer_repair(store, err);
	rc = rc ? rc : store_look(store, ret, err);
	if (!rc) {
		c->reopens = store->reopens;
		store->writer.txn.used = &c->used;
	}
	pthread_mutex_unlock(&store->writer.commit_lock);
	return rc;
}

static void unwatch(struct collection *c)
{
	pthread_mutex_lock(&c->store->writer.commit_lock);
	c->store->writer.txn.used = NULL;
	pthread_mutex_unlock(&c->store->writer.commit_lock);
}

static int mark_and_sweep(struct collection *c, struct err *err)
{
	struct rocks_view view;
	int rc = watch(c, &view, err);
	if (rc)
		return rc;
	rc = collect_mark(c, &view, err);
	store_look_end(c->store, &view);
	rc = rc ? rc : collect_series(c, err);
	rc = rc ? rc : collect_nodes(c, err);
	rc = rc ? rc : collect_frames(c, err);
	rc = rc ? rc : collect_strings(c, err);
	unwatch(c);
	return rc;
}

static void give_back(struct collection *c)
{
	static const enum rocks_family families[] = {FAMILY_IDS, FAMILY_DICT, FAMILY_SERIES};
	struct store *store = c->store;
	struct key from = {0};
	uint64_t gone = 0;
	for (unsigned i = 0; i < USED_KINDS; i++)
		gone += c->gone[i];
	if (!gone || gone * COMPACT_SHARE < c->seen)
		return;
	key_u32(&from, c->tenant);
	struct key to = key_after(&from);
	pthread_rwlock_rdlock(&store->rocks_lock);
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (store->rocks && !store_interrupted(store))
			rocks_compact(store->rocks, families[i], &from, &to);
	pthread_rwlock_unlock(&store->rocks_lock);
}

static int collect_tenant(struct store *store, uint32_t tenant, struct err *err)
{
	struct collection c = {.store = store, .tenant = tenant};
	c.batch = rocksdb_writebatch_create();
	int rc = make_bits(&c, err);
	rc = rc ? rc : mark_and_sweep(&c, err);
	if (!rc)
		give_back(&c);
	rocksdb_writebatch_destroy(c.batch);
	arena_deinit(&c.arena);
	buf_deinit(&c.scratch);
	used_deinit(&c.used);
	return rc;
}

/* ---- all ---- */

struct tenant_ids {
	uint32_t *list;
	size_t count, cap;
};

static int add_id(void *context, uint32_t tenant, struct str name, struct err *err)
{
	struct tenant_ids *ids = context;
	uint32_t *list = mem_grow(ids->list, &ids->cap, ids->count + 1, sizeof(*list));
	(void)name;
	if (!list)
		return err_set(err, ERR_NOMEM, "tenants: no memory");
	ids->list = list;
	list[ids->count++] = tenant;
	return 0;
}

static int list_tenants(struct store *store, struct tenant_ids *ids, struct err *err)
{
	struct rocks_view view;
	int rc = store_look(store, &view, err);
	if (rc)
		return rc;
	rc = tenants_each(&view, add_id, ids, err);
	store_look_end(store, &view);
	return rc;
}

static int collect_all(struct store *store, struct err *err)
{
	struct tenant_ids ids = {0};
	uint64_t start_ns = clock_mono_ns();
	int rc = list_tenants(store, &ids, err);
	for (size_t i = 0; !rc && i < ids.count; i++)
		rc = collect_tenant(store, ids.list[i], err);
	mem_free(ids.list);
	histogram_observe_ns(&store_collect_seconds, clock_mono_ns() - start_ns);
	metric_add(&store_collections_total, 1);
	return rc;
}

int collect_run(struct store *store, uint64_t now_ns, struct err *err)
{
	struct collector *collector = &store->collector;
	bool rested = !collector->last_ns || now_ns - collector->last_ns >= NS_PER_DAY;
	if (!store->maintenance.asked && !(collector->due && rested))
		return 0;
	int rc = collect_all(store, err);
	if (rc == ERR_CANCELLED)
		return 0; /* it is still due */
	collector->last_ns = now_ns;
	collector->due = rc != 0;
	return rc;
}
