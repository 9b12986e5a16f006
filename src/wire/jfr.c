/* A file is a row of chunks, each whole in itself: events, some of which are
 * checkpoints with constants, and one that describes all classes. Constants may
 * stand behind the events that name them, so a chunk is walked twice. */
#include "wire/jfr.h"

#include "base/zip.h"
#include "wire/jfr_read.h"

enum { HEADER_BYTES = 68, EVENT_METADATA = 0, EVENT_CHECKPOINT = 1 };

/* Walking a real file takes about one step a byte. */
enum { STEPS_A_BYTE = 4, STEPS_MIN = 1 << 16 };

typedef int event_fn(struct jfr_reader *r, uint64_t type, struct cur *c, struct err *err);

/* Events and the content behind their type. */
static int each_event(struct jfr_reader *r, struct str chunk, event_fn *fn, struct err *err)
{
	struct cur c = cur_make(chunk.ptr, chunk.len);
	int rc = 0;

	cur_skip(&c, HEADER_BYTES);
	while (!rc && cur_left(&c) > 0) {
		size_t at = cur_offset(&c);
		uint64_t size = jfr_varint(&c);
		size_t head = cur_offset(&c) - at;
		if (!cur_ok(&c) || size <= head || size - head > cur_left(&c))
			return err_set(err, ERR_INVALID,
				       "jfr: the event at byte %zu of its chunk is cut short", at);
		struct cur event = cur_sub(&c, size - head);
		uint64_t type = jfr_varint(&event);
		rc = fn(r, type, &event, err);
		if (rc)
			err_wrap(err, "at byte %zu of the chunk", at);
	}
	return rc;
}

/* ---- the first walk: constants and settings ---- */

static int take_setting(struct jfr_reader *r, const struct jfr_class *class, struct cur *c,
			struct err *err)
{
	struct jfr_row row;
	int rc = jfr_object(r, c, class, &row, err);

	if (!rc && str_equal(jfr_text(r, &row, JFR_NAME), STR("event"))) {
		r->event = arena_str(r->arena, jfr_text(r, &row, JFR_VALUE));
		rc = r->event.ptr ? 0 : intake_no_memory(err);
	}
	return rc;
}

static int take_constants(struct jfr_reader *r, uint64_t type, struct cur *c, struct err *err)
{
	const struct jfr_class *class;

	if (type == EVENT_CHECKPOINT)
		return jfr_checkpoint(r, c, err);
	class = type == EVENT_METADATA ? NULL : jfr_class(r, type);
	if (class && str_equal(class->name, STR("jdk.ActiveSetting")))
		return take_setting(r, class, c, err);
	return 0;
}

/* ---- the second walk: samples ---- */

static int64_t ticks_to_ns(const struct jfr_reader *r, int64_t ticks)
{
	double ns = (double)ticks * r->ns_per_tick;

	return ns < 9.2e18 ? (int64_t)ns : INT64_MAX;
}

/* Who sleeps takes no CPU; in wall mode that is a sample of time all the same. */
static int take_execution(struct jfr_reader *r, const struct jfr_row *row, struct err *err)
{
	const struct jfr_constant *state =
		jfr_find(r, JFR_POOL_STATE, (uint64_t)jfr_number(row, JFR_STATE));
	bool sleeps = state && str_equal(state->text, STR("STATE_SLEEPING"));
	int rc = sleeps ? 0 : jfr_samples_add(r, JFR_CPU, row, 1, 0, err);

	if (!rc && str_equal(r->event, STR("wall")))
		rc = jfr_samples_add(r, JFR_WALL, row, 1, 0, err);
	return rc;
}

/* How events become samples: count and amount are members, or 1 and nothing. */
static const struct event_row {
	const char *name;
	enum jfr_kind kind;
	enum jfr_member count, amount; /* JFR_MEMBERS: none */
	bool ticks;		       /* amount is in ticks */
} event_rows[] = {
	{"jdk.ExecutionSample", JFR_CPU, JFR_MEMBERS, JFR_MEMBERS, false},
	{"profiler.WallClockSample", JFR_WALL, JFR_SAMPLES, JFR_MEMBERS, false},
	{"jdk.ObjectAllocationInNewTLAB", JFR_IN_NEW_TLAB, JFR_MEMBERS, JFR_TLAB_SIZE, false},
	{"jdk.ObjectAllocationOutsideTLAB", JFR_OUTSIDE_TLAB, JFR_MEMBERS, JFR_ALLOCATION_SIZE,
	 false},
	{"jdk.ObjectAllocationSample", JFR_ALLOC_SAMPLE, JFR_MEMBERS, JFR_WEIGHT, false},
	{"jdk.JavaMonitorEnter", JFR_LOCK, JFR_MEMBERS, JFR_DURATION, true},
	{"jdk.ThreadPark", JFR_PARK, JFR_MEMBERS, JFR_DURATION, true},
	{"profiler.LiveObject", JFR_LIVE, JFR_MEMBERS, JFR_MEMBERS, false},
	{"profiler.Malloc", JFR_MALLOC, JFR_MEMBERS, JFR_SIZE, false},
};

static const struct event_row *event_row(struct str name)
{
	for (size_t i = 0; i < sizeof(event_rows) / sizeof(event_rows[0]); i++)
		if (str_equal(name, str_of(event_rows[i].name)))
			return &event_rows[i];
	return NULL;
}

static int take_sample(struct jfr_reader *r, uint64_t type, struct cur *c, struct err *err)
{
	const struct jfr_class *class = type <= EVENT_CHECKPOINT ? NULL : jfr_class(r, type);
	const struct event_row *event = class ? event_row(class->name) : NULL;
	int64_t count = 1, amount = 0;
	struct jfr_row row;
	int rc;

	if (!event)
		return 0;
	rc = jfr_object(r, c, class, &row, err);
	if (rc)
		return rc;
	if (event->kind == JFR_CPU)
		return take_execution(r, &row, err);
	if (event->count != JFR_MEMBERS)
		count = jfr_number(&row, event->count);
	if (event->amount != JFR_MEMBERS)
		amount = jfr_number(&row, event->amount);
	if (event->ticks)
		amount = ticks_to_ns(r, amount);
	return jfr_samples_add(r, event->kind, &row, count, amount, err);
}

/* ---- chunks ---- */

/* The metadata event, by its offset in the chunk. */
static int read_metadata(struct jfr_reader *r, struct str chunk, uint64_t offset, struct err *err)
{
	struct cur c = cur_make(chunk.ptr, chunk.len);
	uint64_t type;

	cur_seek(&c, offset);
	jfr_varint(&c);
	type = jfr_varint(&c);
	if (!cur_ok(&c) || type != EVENT_METADATA)
		return err_set(err, ERR_INVALID, "jfr: no metadata at byte %llu of the chunk",
			       (unsigned long long)offset);
	return jfr_metadata(r, &c, err);
}

static void forget_chunk(struct jfr_reader *r)
{
	for (int i = 0; i < JFR_POOLS; i++)
		map_clear(&r->pools[i]);
	r->constant_count = r->frame_count = 0;
}

static int read_chunk(struct jfr_reader *r, struct str rest, size_t *ret_size, struct err *err)
{
	struct cur c = cur_make(rest.ptr, rest.len);
	struct str magic = cur_bytes(&c, 4), chunk;
	uint32_t version = cur_u32be(&c);
	uint64_t size = cur_u64be(&c), metadata, ticks;
	int rc;

	cur_skip(&c, 8); /* the last checkpoint */
	metadata = cur_u64be(&c);
	cur_skip(&c, 3 * 8); /* start and duration in nanoseconds, start in ticks */
	ticks = cur_u64be(&c);
	if (!cur_ok(&c) || !str_equal(magic, STR("FLR\0")) || version >> 16 != 2)
		return err_set(err, ERR_INVALID, "jfr: no chunk of version 2");
	if (!(cur_u32be(&c) & 1))
		return err_set(err, ERR_INVALID, "jfr: a chunk without compressed integers");
	if (size < HEADER_BYTES || size > rest.len)
		return err_set(err, ERR_INVALID, "jfr: a chunk of %llu bytes, there are %zu",
			       (unsigned long long)size, rest.len);
	chunk = str_sub(rest, 0, size);
	r->ns_per_tick = ticks > 0 ? 1e9 / (double)ticks : 1;
	forget_chunk(r);
	rc = read_metadata(r, chunk, metadata, err);
	rc = rc ? rc : each_event(r, chunk, take_constants, err);
	rc = rc ? rc : each_event(r, chunk, take_sample, err);
	*ret_size = size;
	return rc;
}

static int read_chunks(struct jfr_reader *r, struct str bytes, struct err *err)
{
	size_t at = 0, size = 0;
	int rc = 0;

	r->step_limit = STEPS_MIN + (uint64_t)bytes.len * STEPS_A_BYTE;
	if (bytes.len == 0)
		return err_set(err, ERR_INVALID, "jfr: no bytes");
	while (!rc && at < bytes.len) {
		rc = read_chunk(r, str_sub(bytes, at, bytes.len), &size, err);
		if (rc)
			err_wrap(err, "chunk at byte %zu", at);
		at += size;
	}
	return rc;
}

static void deinit(struct jfr_reader *r)
{
	map_deinit(&r->class_ids);
	for (int i = 0; i < JFR_POOLS; i++)
		map_deinit(&r->pools[i]);
	jfr_samples_deinit(r);
	buf_deinit(&r->name);
}

int wire_jfr_decode(struct str bytes, struct str labels, int64_t rate_hz, struct wire_sink *sink,
		    struct profile_scope *scope, struct wire_jfr *ret, struct err *err)
{
	struct jfr_reader reader = {.sink = sink, .arena = sink->batch->arena, .event = STR("")};
	struct buf plain;
	int rc = 0;

	buf_init(&plain, 0);
	if (str_starts_with(bytes, STR("\x1f\x8b"))) {
		rc = zip_gunzip(bytes, sink->limits->message_bytes, &plain, err);
		bytes = buf_text(&plain);
	}
	rc = rc ? rc : jfr_samples_create(&reader, labels, rate_hz, err);
	rc = rc ? rc : read_chunks(&reader, bytes, err);
	rc = rc ? rc : jfr_samples_finish(&reader, scope, ret, err);
	deinit(&reader);
	buf_deinit(&plain);
	return rc;
}
