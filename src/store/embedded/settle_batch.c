/* A batch from snapshot to commit: see settle.h. */
#include "store/embedded/settle.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/embedded/gauges.h"
#include "store/embedded/times.h"

/* Merged blocks stand beside the old ones until a compaction. What ingest needs to go on is not for us. */
enum { DISK_RESERVES = 3 };

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "settling: no memory");
}

/* ---- filling ---- */

size_t settle_batch_size(const struct settler *s)
{
	const struct settle_batch *batch = &s->batch;
	return batch->bytes.len + batch->op_count * sizeof(*batch->ops) +
	       batch->change_count * sizeof(*batch->changes);
}

struct settle_change *settle_change_of(struct settler *s, uint32_t series, const struct mark *mark)
{
	struct settle_batch *batch = &s->batch;
	size_t count = batch->change_count;
	if (count && batch->changes[count - 1].series == series)
		return &batch->changes[count - 1];
	struct settle_change *changes =
		mem_grow(batch->changes, &batch->change_cap, count + 1, sizeof(*changes));
	if (!changes)
		return NULL;
	batch->changes = changes;
	changes[count] = (struct settle_change){.series = series, .mark = *mark};
	batch->change_count++;
	return &changes[count];
}

static int add(struct settler *s, const struct settle_op *op, struct err *err)
{
	struct settle_batch *batch = &s->batch;
	struct settle_op *ops =
		mem_grow(batch->ops, &batch->op_cap, batch->op_count + 1, sizeof(*ops));
	if (!ops)
		return no_memory(err);
	batch->ops = ops;
	ops[batch->op_count++] = *op;
	return 0;
}

static uint32_t last_change(const struct settler *s)
{
	return (uint32_t)s->batch.change_count - 1;
}

int settle_put(struct settler *s, enum level level, uint64_t time_ns, size_t offset,
	       struct err *err)
{
	struct settle_op op = {.time_ns = time_ns,
			       .place = offset,
			       .len = (uint32_t)(s->batch.bytes.len - offset),
			       .change = last_change(s),
			       .level = (uint8_t)level};
	return add(s, &op, err);
}

int settle_delete(struct settler *s, enum level level, uint64_t time_ns, uint64_t sequence,
		  struct err *err)
{
	struct settle_op op = {.time_ns = time_ns,
			       .place = sequence,
			       .change = last_change(s),
			       .level = (uint8_t)level,
			       .gone = true};
	return add(s, &op, err);
}

static void clear(struct settler *s)
{
	buf_clear(&s->batch.bytes);
	s->batch.op_count = s->batch.change_count = 0;
}

/* ---- begin and end ---- */

static int get_tenant(struct settler *s, struct tenant **ret, struct err *err)
{
	struct txn *txn = &s->store->writer.txn;
	return tenants_get(&txn->tenants, txn->rocks, txn->batch, s->names[s->tenant], ret, err);
}

/* The view is opened under both locks: the database that it is of stays open until it is closed. */
static int open_view(struct settler *s, struct err *err)
{
	struct store *store = s->store;
	struct tenant *tenant;
	int rc = writer_repair(store, err);
	rc = rc ? rc : disk_check_room(store, DISK_RESERVES, err);
	rc = rc ? rc : get_tenant(s, &tenant, err);
	if (rc)
		return rc;
	s->sequence = tenant->next.sequence;
	unsettled_watch(&store->writer.txn.unsettled, s->tenant, s->day,
			s->whole ? MARK_ALL_HOURS : s->hours, s->job.active);
	pthread_rwlock_rdlock(&store->rocks_lock);
	rocks_view_open(store->rocks, &s->view);
	return 0;
}

int settle_begin(struct settler *s, struct err *err)
{
	struct writer *writer = &s->store->writer;
	clear(s);
	pthread_mutex_lock(&writer->commit_lock);
	int rc = open_view(s, err);
	pthread_mutex_unlock(&writer->commit_lock);
	return rc;
}

/* Gives the locks up before commit asks for its own: opening the database anew waits the other way round. */
void settle_end(struct settler *s)
{
	if (!s->view.rocks)
		return;
	for (unsigned i = 0; i < LEVEL_COUNT; i++) {
		if (s->iter_open[i])
			rocks_iter_close(&s->iters[i]);
		s->iter_open[i] = false;
	}
	rocks_view_close(&s->view);
	pthread_rwlock_unlock(&s->store->rocks_lock);
}

/* ---- commit, under commit_lock ---- */

static void apply(const struct settle_change *change, struct mark *mark)
{
	mark->pending &= ~change->settled;
	mark->minute = (mark->minute & ~change->touched) | change->minute;
	mark->hour = (mark->hour & ~change->touched) | change->hour;
	if (change->retry_whole)
		mark->whole = WHOLE_UNTRIED;
	if (change->set_whole)
		mark->whole = change->whole;
}

static int put_mark(struct settler *s, struct settle_change *change, rocksdb_writebatch_t *batch,
		    struct buf *space, struct err *err)
{
	struct txn *txn = &s->store->writer.txn;
	struct key key = key_kind_u32x2(s->tenant, KEY_DAY, s->day, change->series);
	uint32_t noted = unsettled_noted(&txn->unsettled, change->series);
	change->thrown = noted & change->watched;
	if (change->thrown)
		return 0;
	int rc = noted ? series_read_mark(txn, &key, &change->mark, err) : 0;
	if (rc)
		return rc;
	apply(change, &change->mark);
	buf_clear(space);
	mark_encode(space, &change->mark);
	rc = buf_check(space, "mark of a day", err);
	if (!rc)
		rocks_put(txn->rocks, batch, FAMILY_SERIES, key_str(&key), buf_text(space));
	return rc;
}

static int put_marks(struct settler *s, rocksdb_writebatch_t *batch, struct err *err)
{
	struct buf space = {0};
	int rc = 0;
	for (size_t i = 0; !rc && i < s->batch.change_count; i++)
		rc = put_mark(s, &s->batch.changes[i], batch, &space, err);
	buf_deinit(&space);
	return rc;
}

static struct key key_of(const struct settler *s, const struct settle_op *op, uint64_t sequence)
{
	struct sample_key sample = {s->tenant, s->day, s->batch.changes[op->change].series,
				    op->time_ns, sequence};
	return op->level == LEVEL_RAW ? key_samples(&sample) : key_sums(op->level, &sample);
}

static void put_ops(struct settler *s, struct tenant *tenant, rocksdb_writebatch_t *batch)
{
	struct rocks *rocks = s->store->rocks;
	for (size_t i = 0; i < s->batch.op_count; i++) {
		const struct settle_op *op = &s->batch.ops[i];
		enum rocks_family family = op->level == LEVEL_RAW ? FAMILY_SAMPLES : FAMILY_ROLLUPS;
		if (s->batch.changes[op->change].thrown)
			continue;
		struct key key = key_of(s, op, op->gone ? op->place : tenant->next.sequence++);
		if (op->gone)
			rocks_delete(rocks, batch, family, key_str(&key));
		else
			rocks_put(rocks, batch, family, key_str(&key),
				  str_make(s->batch.bytes.ptr + op->place, op->len));
	}
}

static void correct_day(const struct settler *s, struct day_stats *day)
{
	for (size_t i = 0; i < s->batch.change_count; i++) {
		const struct settle_change *change = &s->batch.changes[i];
		if (change->thrown || !change->blocks_in)
			continue;
		day->blocks = day->blocks - change->blocks_in + change->blocks_out;
		day->bytes = day->bytes - change->bytes_in + change->bytes_out;
		day->dirty = true;
	}
}

static void remember(struct settler *s, struct tenant *tenant)
{
	struct txn *txn = &s->store->writer.txn;
	tenant_written(tenant);
	for (size_t i = 0; i < s->batch.change_count; i++) {
		const struct settle_change *change = &s->batch.changes[i];
		if (!change->thrown)
			series_remember_mark(txn, s->tenant, s->day, change->series, &change->mark);
	}
}

/* Counters and totals change in memory first; when that does not reach the disk, they are read anew. */
static int fill_and_write(struct settler *s, rocksdb_writebatch_t *batch, struct err *err)
{
	struct store *store = s->store;
	struct tenant *tenant;
	struct day_stats *day;
	int rc = get_tenant(s, &tenant, err);
	rc = rc ? rc : tenant_day(tenant, store->rocks, s->day, &day, err);
	rc = rc ? rc : put_marks(s, batch, err);
	if (rc)
		return rc;
	put_ops(s, tenant, batch);
	correct_day(s, day);
	rc = tenant_put(tenant, store->rocks, batch, err);
	if (!rc) {
		rc = rocks_write(store->rocks, batch, err);
		store->writer.broken = rc;
		store->writer.retry_at_ns = 0;
	}
	if (rc)
		txn_abort(&store->writer.txn);
	else
		remember(s, tenant);
	return rc;
}

static int write_batch(struct settler *s, struct err *err)
{
	if (s->batch.change_count == 0)
		return 0;
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	int rc = fill_and_write(s, batch, err);
	rocksdb_writebatch_destroy(batch);
	return rc;
}

/* ---- after it ---- */

static void count_change(struct settler *s, const struct settle_change *change)
{
	struct unsettled_day *day =
		unsettled_entry(&s->store->writer.txn.unsettled, s->day, s->tenant);
	if (day)
		day->dead_bytes += change->bytes_in;
	metric_add(&store_settled_hours_total, __builtin_popcount(change->settled));
	metric_add(&store_settled_blocks_in_total, (int64_t)change->blocks_in);
	metric_add(&store_settled_blocks_out_total, (int64_t)change->blocks_out);
	metric_add(&store_settled_bytes_in_total, (int64_t)change->bytes_in);
	metric_add(&store_settled_bytes_out_total, (int64_t)change->bytes_out);
	metric_add(&store_settled_rows_total, (int64_t)change->rows);
	metric_add(&store_settled_days_total, change->set_whole);
}

/* What was thrown away waits for the next round, lest a busy series keeps all others waiting. */
static void throw_away(struct settler *s, const struct settle_change *change)
{
	s->left |= s->whole ? UNSETTLED_WHOLE : change->mark.pending & s->hours;
	metric_add(&store_settle_thrown_away_total, 1);
	if (s->job.active && s->job.series == change->series)
		s->job.active = false;
	if (s->next_series == change->series)
		s->next_series++;
}

static void account(struct settler *s)
{
	for (size_t i = 0; i < s->batch.change_count; i++) {
		const struct settle_change *change = &s->batch.changes[i];
		if (change->thrown)
			throw_away(s, change);
		else
			count_change(s, change);
	}
}

int settle_commit(struct settler *s, struct err *err)
{
	struct writer *writer = &s->store->writer;
	struct unsettled *unsettled = &writer->txn.unsettled;
	pthread_mutex_lock(&writer->commit_lock);
	uint64_t start_ns = clock_mono_ns();
	int rc = 0;
	if (writer->broken || unsettled->lost)
		rc = err_set(err, ERR_BUSY,
			     "settling: the database was opened anew meanwhile; the next round "
			     "goes on");
	rc = rc ? rc : write_batch(s, err);
	if (!rc)
		account(s);
	if (rc || !s->job.active)
		unsettled_unwatch(unsettled);
	pthread_mutex_unlock(&writer->commit_lock);
	histogram_observe_ns(&store_settle_commit_seconds, clock_mono_ns() - start_ns);
	if (rc)
		metric_add(&store_settle_thrown_away_total, (int64_t)s->batch.change_count);
	return rc;
}
