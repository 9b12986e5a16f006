/* Rounds of settling: which days, in which order, for how long. See settle.h. */
#include "store/embedded/settle.h"

#include "base/clock.h"
#include "store/embedded/gauges.h"
#include "store/embedded/times.h"

#define CLOSED_AFTER_NS (300ull * NS_PER_S)

enum { RECLAIM_BYTES = 1 << 20, RECLAIM_ROUNDS = 3 };

/* ---- which days ---- */

static uint32_t closed_hours(uint32_t day, uint64_t now_ns)
{
	uint64_t first_ns = day * NS_PER_DAY + CLOSED_AFTER_NS;
	uint64_t hours = now_ns > first_ns ? (now_ns - first_ns) / NS_PER_HOUR : 0;
	return hours < 24 ? (1u << hours) - 1 : MARK_ALL_HOURS;
}

static uint32_t due_hours(const struct unsettled_day *day, uint64_t now_ns)
{
	uint32_t closed = closed_hours(day->day, now_ns);
	if (closed == MARK_ALL_HOURS)
		closed |= UNSETTLED_WHOLE;
	return (day->hours & closed) | day->taken;
}

static struct unsettled *unsettled_of(struct store *store)
{
	return &store->writer.txn.unsettled;
}

/* Everything that is stored may have to be settled. */
static int list_days(struct store *store, struct err *err)
{
	struct key from = key_meta(META_DAY), to = key_after(&from);
	struct rocks_view view;
	struct rocks_iter iter;
	uint32_t tenant, day;
	rocks_view_open(store->rocks, &view);
	rocks_iter_open(&view, FAMILY_META, &from, &to, false, &iter);
	for (; rocks_iter_valid(&iter); rocks_iter_next(&iter))
		if (key_parse_meta_day(rocks_iter_key(&iter), &tenant, &day))
			unsettled_add(unsettled_of(store), tenant, day,
				      MARK_ALL_HOURS | UNSETTLED_WHOLE);
	int rc = rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	rocks_view_close(&view);
	return rc;
}

/* Completes the table, and says what waits. */
static int look_around(struct store *store, uint64_t now_ns, bool *ret_due, struct err *err)
{
	struct unsettled *unsettled = unsettled_of(store);
	int64_t hours = 0;
	int rc = 0;
	*ret_due = false;
	pthread_mutex_lock(&store->writer.commit_lock);
	if (unsettled->incomplete) {
		rc = writer_repair(store, err);
		unsettled->incomplete = false;
		rc = rc ? rc : list_days(store, err);
		unsettled->incomplete |= rc != 0;
	}
	for (size_t i = 0; i < unsettled->day_count; i++) {
		uint32_t due = due_hours(&unsettled->days[i], now_ns);
		*ret_due |= due != 0;
		hours += __builtin_popcount(due & MARK_ALL_HOURS);
	}
	pthread_mutex_unlock(&store->writer.commit_lock);
	metric_set(&store_unsettled_hours, hours);
	return rc;
}

/* The first day at or behind a place that has something to settle. */
static bool next_day(struct settler *s, uint32_t day, uint32_t tenant, struct unsettled_day *ret)
{
	struct store *store = s->store;
	struct unsettled *unsettled = unsettled_of(store);
	bool found = false;
	pthread_mutex_lock(&store->writer.commit_lock);
	struct unsettled_day *at = unsettled_find(unsettled, day, tenant);
	for (; at && at < unsettled->days + unsettled->day_count && !found; at++) {
		*ret = *at;
		found = due_hours(at, s->now_ns) && at->tenant < s->name_count &&
			s->names[at->tenant].ptr;
	}
	pthread_mutex_unlock(&store->writer.commit_lock);
	return found;
}

/* ---- one day ---- */

static int settle_one_batch(struct settler *s, struct err *err)
{
	int rc = settle_begin(s, err);
	rc = rc ? rc : settle_prepare(s, err);
	settle_end(s);
	return rc ? rc : settle_commit(s, err);
}

static int settle_all_batches(struct settler *s, struct err *err)
{
	int rc = 0;
	while (!rc && !s->done && !s->late)
		rc = settle_one_batch(s, err);
	pthread_mutex_lock(&s->store->writer.commit_lock);
	unsettled_unwatch(unsettled_of(s->store));
	pthread_mutex_unlock(&s->store->writer.commit_lock);
	return rc;
}

static uint32_t due_now(struct settler *s, const struct unsettled_day *day)
{
	pthread_mutex_lock(&s->store->writer.commit_lock);
	const struct unsettled_day *at =
		unsettled_entry(unsettled_of(s->store), day->day, day->tenant);
	uint32_t due = at ? due_hours(at, s->now_ns) : 0;
	pthread_mutex_unlock(&s->store->writer.commit_lock);
	return due;
}

/* What a pass is to settle is taken out of the hours first, so that what the writer adds meanwhile is
 * seen by the next pass. */
static void take(struct settler *s, uint32_t taken, uint32_t gone, uint32_t come)
{
	pthread_mutex_lock(&s->store->writer.commit_lock);
	struct unsettled_day *at = unsettled_entry(unsettled_of(s->store), s->day, s->tenant);
	if (at) {
		at->taken = taken;
		at->hours = (at->hours & ~gone) | come;
	}
	pthread_mutex_unlock(&s->store->writer.commit_lock);
}

/* bits: hours, or UNSETTLED_WHOLE. Over all series from that one on. */
static int settle_pass(struct settler *s, const struct unsettled_day *day, uint32_t bits,
		       uint32_t series, struct err *err)
{
	struct settle_place *place = &s->store->settle_place;
	bool whole = bits == UNSETTLED_WHOLE;
	place->set = false;
	settler_enter(s, day->tenant, day->day, whole ? 0 : bits, whole);
	s->next_series = series;
	take(s, bits, bits, 0);
	int rc = settle_all_batches(s, err);
	if (!rc && !s->done) {
		take(s, bits, 0, s->left);
		*place = (struct settle_place){true, day->day, day->tenant, s->next_series};
		return 0;
	}
	take(s, 0, 0, rc ? bits : s->left);
	return rc;
}

static int settle_day(struct settler *s, const struct unsettled_day *day, struct err *err)
{
	const struct settle_place *place = &s->store->settle_place;
	bool resume = place->set && place->day == day->day && place->tenant == day->tenant;
	int rc = 0;
	if (day->taken)
		rc = settle_pass(s, day, day->taken, resume ? place->series : 0, err);
	uint32_t due = due_now(s, day), hours = due & MARK_ALL_HOURS;
	if (!rc && !s->late && hours)
		rc = settle_pass(s, day, hours, 0, err);
	if (rc || s->late || !(due & UNSETTLED_WHOLE) || (hours && s->left))
		return rc;
	return settle_pass(s, day, UNSETTLED_WHOLE, 0, err);
}

/* ---- a round ---- */

/* A damaged day costs itself: the first such failure is told at the end. */
static int tolerate(struct settler *s, int rc, const struct err *err)
{
	if (rc != ERR_CORRUPT && rc != ERR_IO && rc != ERR_UNSUPPORTED)
		return rc;
	if (!s->failed)
		s->why = *err;
	s->failed = s->failed ? s->failed : rc;
	return 0;
}

static int settle_days(struct settler *s, struct err *err)
{
	const struct settle_place place = s->store->settle_place;
	struct unsettled_day day;
	int rc = 0;
	/* From where the last round stopped, and then what lies before that. */
	for (int turn = place.set ? 0 : 1; !rc && turn < 2 && !s->late; turn++) {
		uint32_t at = turn ? 0 : place.day, tenant = turn ? 0 : place.tenant;
		while (!rc && !s->late && next_day(s, at, tenant, &day)) {
			struct err why;
			rc = settle_day(s, &day, &why);
			rc = tolerate(s, rc, &why);
			if (rc)
				err_set(err, rc, "%s", why.text);
			at = day.day;
			tenant = day.tenant + 1;
		}
	}
	return rc;
}

static bool is_done(const struct unsettled_day *day)
{
	return !day->hours && !day->taken && day->dead_bytes;
}

static bool worth_reclaiming(const struct unsettled_day *day)
{
	return is_done(day) && day->dead_bytes >= RECLAIM_BYTES && day->reclaims < RECLAIM_ROUNDS;
}

static bool any_to_reclaim(struct store *store)
{
	const struct unsettled *unsettled = unsettled_of(store);
	bool any = false;
	pthread_mutex_lock(&store->writer.commit_lock);
	for (size_t i = 0; i < unsettled->day_count; i++)
		any |= worth_reclaiming(&unsettled->days[i]);
	pthread_mutex_unlock(&store->writer.commit_lock);
	return any;
}

/* A file that is just being rewritten does not hear it: so it is said in several rounds. */
static void reclaim_day(struct store *store, struct unsettled_day *day)
{
	struct key from = key_samples_day(day->tenant, day->day), to = key_after(&from);
	if (worth_reclaiming(day)) {
		rocks_suggest_rewrite(store->rocks, FAMILY_SAMPLES, &from, &to);
		day->reclaims++;
		return;
	}
	day->dead_bytes = 0;
	day->reclaims = 0;
}

/* What was deleted comes into files; where nobody would hear that they are to be rewritten, that is done here.
 * False: there is no database to write to. */
static bool flush_dead(struct store *store)
{
	struct err ignored; /* the next write will say it */
	const struct key from = key_samples_day(0, 0), to = key_samples_day(UINT32_MAX, UINT32_MAX);
	pthread_rwlock_rdlock(&store->rocks_lock);
	bool written =
		store->rocks && !store->rocks->read_only && !rocks_flush(store->rocks, &ignored);
	if (written && rocks_is_flat(store->rocks, FAMILY_SAMPLES))
		rocks_compact(store->rocks, FAMILY_SAMPLES, &from, &to);
	pthread_rwlock_unlock(&store->rocks_lock);
	return written;
}

/* When a day is done: the blocks that are gone lie about in files of upper levels, beside those that took
 * their place (measured: 13 bytes a sample until such files are rewritten, 7.5 after). */
static void reclaim(struct store *store)
{
	struct unsettled *unsettled = unsettled_of(store);
	bool written = !any_to_reclaim(store) || flush_dead(store);
	pthread_mutex_lock(&store->writer.commit_lock);
	for (size_t i = 0; written && store->rocks && i < unsettled->day_count; i++)
		if (is_done(&unsettled->days[i]))
			reclaim_day(store, &unsettled->days[i]);
	unsettled_sweep(unsettled);
	pthread_mutex_unlock(&store->writer.commit_lock);
}

static int finish(struct settler *s, int rc, struct err *err)
{
	/* The store closes, or was opened anew: the next round goes on. */
	if (rc == ERR_BUSY || rc == ERR_CANCELLED)
		rc = 0;
	if (!rc && s->failed)
		rc = err_set(err, s->failed, "%s", s->why.text);
	settler_close(s);
	return rc;
}

int settle_run(struct store *store, uint64_t now_ns, struct err *err)
{
	struct settler s;
	bool due;
	uint64_t start_ns = clock_mono_ns();
	int rc = look_around(store, now_ns, &due, err);
	if (!rc && due)
		rc = settler_open(store, now_ns, &s, err);
	if (!rc && due) {
		rc = finish(&s, settle_days(&s, err), err);
		histogram_observe_ns(&store_settle_seconds, clock_mono_ns() - start_ns);
	}
	reclaim(store);
	return rc ? rc : look_around(store, now_ns, &due, err);
}
