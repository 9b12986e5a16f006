/* Reading: from the marks of a day to the hours that are due, and from those to
 * their blocks. All iterators only go forwards, over series in the order of
 * their ids. */
#include "store/embedded/settle.h"

#include <string.h>

#include "base/clock.h"
#include "store/embedded/gauges.h"
#include "store/embedded/maintenance.h"
#include "store/embedded/times.h"

enum { NEXTS_BEFORE_SEEK = 8, FAILURES_MAX = 16 };

static uint64_t hour_start(const struct settler *s, unsigned hour)
{
	return s->day * NS_PER_DAY + hour * NS_PER_HOUR;
}

/* ---- walking ---- */

static struct key level_key(enum level level, const struct sample_key *sample)
{
	return level == LEVEL_RAW ? key_samples(sample) : key_sums((uint8_t)level, sample);
}

static bool before(struct rocks_iter *iter, const struct key *key)
{
	struct str at = rocks_iter_key(iter);
	return at.len != key->len || memcmp(at.ptr, key->bytes, key->len) < 0;
}

/* What is wanted mostly stands near. */
static void walk_to(struct rocks_iter *iter, const struct key *key)
{
	for (unsigned i = 0; i < NEXTS_BEFORE_SEEK; i++) {
		if (!rocks_iter_valid(iter) || !before(iter, key))
			return;
		rocks_iter_next(iter);
	}
	if (rocks_iter_valid(iter) && before(iter, key))
		rocks_iter_seek(iter, key);
}

static struct rocks_iter *go_to(struct settler *s, enum level level, const struct sample_key *at)
{
	struct rocks_iter *iter = &s->iters[level];
	struct key key = level_key(level, at);
	struct key day = level == LEVEL_RAW ? key_samples_day(s->tenant, s->day)
					    : key_sums_day(s->tenant, (uint8_t)level, s->day);
	struct key end = key_after(&day);
	if (s->iter_open[level]) {
		walk_to(iter, &key);
		return iter;
	}
	rocks_iter_open(&s->view, level == LEVEL_RAW ? FAMILY_SAMPLES : FAMILY_ROLLUPS, &key, &end,
			true, iter);
	s->iter_open[level] = true;
	return iter;
}

/* The key that it stands on, if that is one of the series before end_ns. */
static int next_key(struct rocks_iter *iter, enum level level, uint32_t series, uint64_t end_ns,
		    struct sample_key *ret, bool *ret_found, struct err *err)
{
	uint8_t parsed;
	*ret_found = false;
	if (!rocks_iter_valid(iter))
		return rocks_iter_check(iter, err);
	bool ok = level == LEVEL_RAW ? key_parse_samples(rocks_iter_key(iter), ret)
				     : key_parse_sums(rocks_iter_key(iter), &parsed, ret);
	if (!ok)
		return err_set(err, ERR_CORRUPT, "sample block: malformed key");
	*ret_found = ret->series == series && ret->time_ns < end_ns;
	return 0;
}

/* Sums of earlier that begin in [start_ns, end_ns) go. */
static int delete_sums(struct settler *s, enum level level, uint64_t start_ns, uint64_t end_ns,
		       struct err *err)
{
	struct sample_key key = {s->tenant, s->day, s->job.series, start_ns, 0};
	struct rocks_iter *iter = go_to(s, level, &key);
	bool found;
	int rc = next_key(iter, level, s->job.series, end_ns, &key, &found, err);
	while (!rc && found) {
		rc = settle_delete(s, level, key.time_ns, key.sequence, err);
		rocks_iter_next(iter);
		rc = rc ? rc : next_key(iter, level, s->job.series, end_ns, &key, &found, err);
	}
	return rc;
}

/* ---- a job ---- */

static void go_to_hour(struct settler *s, unsigned hour)
{
	s->job.hour = hour;
	s->job.at = (struct sample_key){s->tenant, s->day, s->job.series, hour_start(s, hour), 0};
}

static int start_whole(struct settler *s, struct err *err)
{
	static const enum level levels[] = {LEVEL_DAY};
	s->job.hour_end = 24;
	go_to_hour(s, 0);
	settle_sums_start(s, levels, 1, hour_start(s, 0));
	/* Left there by a job that was given up in the middle. */
	return delete_sums(s, LEVEL_DAY, hour_start(s, 0), hour_start(s, 24), err);
}

static int start_hour(struct settler *s, struct settle_change *change, unsigned hour,
		      struct err *err)
{
	static const enum level levels[] = {LEVEL_MINUTE, LEVEL_HOUR};
	const struct mark *mark = &s->job.mark;
	uint64_t start_ns = hour_start(s, hour), end_ns = hour_start(s, hour + 1);
	int rc = 0;
	s->job.hour_end = hour + 1;
	go_to_hour(s, hour);
	settle_sums_start(s, levels, 2, start_ns);
	if (mark->minute >> hour & 1)
		rc = delete_sums(s, LEVEL_MINUTE, start_ns, end_ns, err);
	if (!rc && mark->hour >> hour & 1)
		rc = delete_sums(s, LEVEL_HOUR, start_ns, end_ns, err);
	if (!rc && mark->whole == WHOLE_SUMMED && !change->retry_whole)
		rc = delete_sums(s, LEVEL_DAY, hour_start(s, 0), hour_start(s, 24), err);
	change->retry_whole = true;
	return rc;
}

static int start_job(struct settler *s, struct settle_change *change, unsigned hour,
		     struct err *err)
{
	settle_forget_rows(s);
	s->job = (struct settle_job){.active = true,
				     .whole = s->whole,
				     .series = change->series,
				     .own_from = UINT64_MAX,
				     .mark = change->mark};
	return s->whole ? start_whole(s, err) : start_hour(s, change, hour, err);
}

static enum level level_of(const struct settle_job *job)
{
	if (!job->whole)
		return LEVEL_RAW;
	return mark_covers(&job->mark, LEVEL_HOUR, job->hour)	  ? LEVEL_HOUR
	       : mark_covers(&job->mark, LEVEL_MINUTE, job->hour) ? LEVEL_MINUTE
								  : LEVEL_RAW;
}

static int stopped(const struct settler *s, struct err *err)
{
	const struct unsettled *unsettled = &s->store->writer.txn.unsettled;
	if (maintenance_stopping(s->store) || atomic_load(&unsettled->lost))
		return err_set(err, ERR_CANCELLED, "settling: asked to stop");
	return 0;
}

/* Blocks of the job's present hour, until the batch is full. */
static int read_hour(struct settler *s, struct err *err)
{
	struct settle_job *job = &s->job;
	enum level level = level_of(job);
	uint64_t end_ns = hour_start(s, job->hour + 1);
	struct rocks_iter *iter = go_to(s, level, &job->at);
	struct sample_key key;
	bool found;
	int rc = next_key(iter, level, job->series, end_ns, &key, &found, err);
	while (!rc && found && !s->full) {
		bool own = !job->whole && key.sequence >= job->own_from;
		rc = stopped(s, err);
		if (!rc && !own)
			rc = settle_take(s, &key, rocks_iter_value(iter), level, err);
		job->at = key;
		job->at.sequence++;
		s->full = settle_batch_size(s) >= s->batch_bytes;
		rocks_iter_next(iter);
		rc = rc ? rc : next_key(iter, level, job->series, end_ns, &key, &found, err);
	}
	return rc;
}

/* How the sums of the hour stand now. An unfinished job says so too, so that whoever settles the hour
 * next knows that there are some: as long as the hour is pending, they do not count. */
static void describe(const struct settle_job *job, struct settle_change *change)
{
	uint32_t bit = 1u << job->hour;
	if (job->whole) {
		change->watched = MARK_ALL_HOURS;
		return;
	}
	change->watched |= bit;
	change->touched |= bit;
	if (job->sums[0].fate == SUMMING_KEPT)
		change->minute |= bit;
	if (job->sums[1].fate == SUMMING_KEPT)
		change->hour |= bit;
}

static int finish_job(struct settler *s, struct settle_change *change, struct err *err)
{
	struct settle_job *job = &s->job;
	int rc = settle_merge(s, err);
	rc = rc ? rc : settle_sums_finish(s, err);
	job->hour = job->hour_end - 1;
	describe(job, change);
	if (job->whole) {
		change->set_whole = true;
		change->whole = job->sums[0].fate == SUMMING_KEPT ? WHOLE_SUMMED : WHOLE_NOT_WORTH;
	} else {
		change->settled |= 1u << job->hour;
	}
	change->rows += job->rows;
	job->active = false;
	s->full = s->full || settle_batch_size(s) >= s->batch_bytes;
	return rc;
}

static int run_job(struct settler *s, struct settle_change *change, struct err *err)
{
	struct settle_job *job = &s->job;
	int rc = 0;
	while (!rc && !s->full && job->hour < job->hour_end) {
		rc = read_hour(s, err);
		if (!rc && !s->full)
			go_to_hour(s, job->hour + 1);
	}
	if (rc)
		return rc;
	if (!s->full)
		return finish_job(s, change, err);
	if (job->own_from == UINT64_MAX)
		job->own_from = s->sequence;
	/* Rows of blocks that are not merged yet stay in memory, and the blocks where they are. */
	describe(job, change);
	return 0;
}

/* ---- a series ---- */

static int settle_series(struct settler *s, struct settle_change *change, uint32_t due,
			 struct err *err)
{
	int rc = 0;
	while (!rc && due && !s->full) {
		unsigned hour = (unsigned)__builtin_ctz(due);
		if (!s->job.active)
			rc = start_job(s, change, hour, err);
		rc = rc ? rc : run_job(s, change, err);
		if (s->job.active)
			break;
		due &= due - 1;
	}
	s->next_series = change->series + !(due || s->job.active);
	return rc;
}

/* What is wrong with one series does not keep the others waiting, unless it is all of them. */
static int give_up_series(struct settler *s, uint32_t series, uint32_t due, int rc,
			  const struct err *why)
{
	struct str tenant = s->names[s->tenant];
	bool only_this = rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED || rc == ERR_IO;
	s->job.active = false;
	settle_forget_rows(s);
	if (!only_this || ++s->failures > FAILURES_MAX)
		return rc;
	if (!s->failed)
		s->failed = err_set(&s->why, rc, "series %u of tenant %.*s on day %u: %s", series,
				    STR_ARG(tenant), s->day, why->text);
	s->left |= s->whole ? UNSETTLED_WHOLE : due;
	s->next_series = series + 1;
	s->full = true; /* an iterator that failed stays so */
	return 0;
}

static int visit(struct settler *s, uint32_t series, const struct mark *mark, struct err *err)
{
	struct settle_batch *batch = &s->batch;
	struct err why;
	uint32_t due = mark->pending & s->hours;
	size_t ops = batch->op_count, bytes = batch->bytes.len, changes = batch->change_count;
	if (s->whole) {
		due = !mark->pending && mark->whole == WHOLE_UNTRIED;
		s->left |= mark->pending ? UNSETTLED_WHOLE : 0;
	}
	if (s->job.active && s->job.series != series)
		s->job.active = false; /* its mark is gone */
	s->next_series = series + 1;
	if (!due)
		return 0;
	struct settle_change *change = settle_change_of(s, series, mark);
	if (!change)
		return err_set(err, ERR_NOMEM, "settling: no memory");
	int rc = settle_series(s, change, due, &why);
	if (!rc)
		return 0;
	batch->op_count = ops;
	batch->bytes.len = bytes;
	batch->change_count = changes;
	rc = give_up_series(s, series, due, rc, &why);
	return rc ? err_set(err, rc, "%s", why.text) : 0;
}

/* ---- a day ---- */

static int visit_mark(struct settler *s, struct rocks_iter *marks, struct err *err)
{
	uint32_t series = key_part(rocks_iter_key(marks), 1);
	struct mark mark;
	struct err why;
	int rc = stopped(s, err);
	if (!rc && mark_decode(rocks_iter_value(marks), &mark, &why))
		return give_up_series(s, series, s->hours, ERR_CORRUPT, &why);
	rc = rc ? rc : visit(s, series, &mark, err);
	/* A job that needs several batches is not given up for being late, or it would never end. */
	if (!rc && !s->job.active && clock_mono_ns() >= s->deadline_ns)
		s->late = s->full = true;
	return rc;
}

int settle_prepare(struct settler *s, struct err *err)
{
	struct key from = key_kind_u32x2(s->tenant, KEY_DAY, s->day, s->next_series);
	struct key day = key_kind_u32(s->tenant, KEY_DAY, s->day), to = key_after(&day);
	struct rocks_iter marks;
	int rc = 0;
	s->full = s->done = false;
	rocks_iter_open(&s->view, FAMILY_SERIES, &from, &to, true, &marks);
	while (!rc && !s->full && rocks_iter_valid(&marks)) {
		rc = visit_mark(s, &marks, err);
		rocks_iter_next(&marks);
	}
	s->done = !rc && !s->full;
	rc = rc ? rc : s->full ? 0 : rocks_iter_check(&marks, err);
	rocks_iter_close(&marks);
	return rc;
}
