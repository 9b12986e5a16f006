/* Private to wire: the parts of the decoder of JFR's files. */
#pragma once

#include "base/cursor.h"
#include "base/map.h"
#include "wire/intake.h"
#include "wire/jfr.h"

/* ---- values ---- */

/* Members that somebody wants; any other is only walked over. */
enum jfr_member {
	JFR_START_TIME,
	JFR_DURATION,
	JFR_STACK_TRACE,
	JFR_STATE,
	JFR_SAMPLED_THREAD,
	JFR_EVENT_THREAD,
	JFR_CONTEXT,
	JFR_SPAN,
	JFR_SPAN_NAME,
	JFR_TLAB_SIZE,
	JFR_ALLOCATION_SIZE,
	JFR_WEIGHT,
	JFR_SAMPLES,
	JFR_SIZE,
	JFR_NAME,
	JFR_VALUE,
	JFR_STRING,
	JFR_METHOD,
	JFR_LINE,
	JFR_TYPE,
	JFR_OS_NAME,
	JFR_JAVA_NAME,
	JFR_OS_THREAD,
	JFR_JAVA_THREAD,
	JFR_FRAMES,
	JFR_MEMBERS, /* none of them */
};

/* A value's members, as far as it has them: numbers, ids of constants, texts. */
struct jfr_row {
	uint32_t has, pooled; /* bits by member; pooled: number is the id of a text */
	int64_t number[JFR_MEMBERS];
	struct str text[JFR_MEMBERS];
};

static inline int64_t jfr_number(const struct jfr_row *row, enum jfr_member member)
{
	return row->has & 1u << member ? row->number[member] : 0;
}

/* ---- metadata ---- */

enum jfr_shape {
	JFR_STRUCT, /* of fields */
	JFR_BYTE,   /* boolean, byte */
	JFR_INTEGER,
	JFR_FLOAT,
	JFR_DOUBLE,
	JFR_TEXT,
};

struct jfr_field {
	uint64_t class_id;
	enum jfr_member member;
	bool constant, array;
};

struct jfr_class {
	struct str name;
	enum jfr_shape shape;
	struct jfr_field *fields;
	size_t field_count, field_cap;
};

/* ---- constants ---- */

enum jfr_pool {
	JFR_POOL_STRING,
	JFR_POOL_SYMBOL,
	JFR_POOL_CLASS,
	JFR_POOL_METHOD,
	JFR_POOL_STACK,
	JFR_POOL_STATE,
	JFR_POOL_THREAD,
	JFR_POOLS,
};

struct jfr_frame {
	uint64_t method;
	int64_t line;
};

struct jfr_constant {
	struct str text; /* STRING, SYMBOL, STATE; THREAD: its name */
	uint64_t a,
		b; /* CLASS: name; METHOD: class, name; THREAD: its id; STACK: first frame, count */
	uint32_t
		id_plus1; /* STACK: of the batch; METHOD: its name there; THREAD: attribute thread.id */
	uint32_t id2_plus1; /* THREAD: attribute thread.name */
};

struct jfr_samples;

struct jfr_reader {
	struct wire_sink *sink;
	struct arena *arena;
	struct jfr_samples *samples;
	struct str event;
	/* A file may describe values that take no bytes, so walking is counted. */
	uint64_t steps, step_limit;
	/* Of the chunk at work. */
	double ns_per_tick;
	struct str *strings; /* of its metadata */
	size_t string_count;
	struct jfr_class *classes;
	size_t class_count, class_cap;
	struct map class_ids;
	struct map pools[JFR_POOLS]; /* id → constants */
	struct jfr_constant *constants;
	size_t constant_count, constant_cap;
	struct jfr_frame *frames;
	size_t frame_count, frame_cap;
	struct intake_path path;
	struct buf name; /* scratch */
};

/* LEB128 of at most nine bytes, the ninth with all its bits. */
uint64_t jfr_varint(struct cur *c);
/* A text in any of its encodings; *ret_pooled when it is a constant's id. {NULL, 0} is null. */
MUST_USE int jfr_string(struct jfr_reader *r, struct cur *c, struct str *ret, bool *ret_pooled,
			uint64_t *ret_id, struct err *err);
/* Reads the metadata event's content into classes. */
MUST_USE int jfr_metadata(struct jfr_reader *r, struct cur *c, struct err *err);
/* NULL if there is none. */
const struct jfr_class *jfr_class(const struct jfr_reader *r, uint64_t id);
MUST_USE int jfr_malformed(const char *what, const struct cur *c, struct err *err);

/* Walks over a value, keeping what is wanted of it. Frames go to r->frames. */
MUST_USE int jfr_object(struct jfr_reader *r, struct cur *c, const struct jfr_class *class,
			struct jfr_row *row, struct err *err);
struct str jfr_text(const struct jfr_reader *r, const struct jfr_row *row, enum jfr_member member);
/* A checkpoint event's content: adds to the pools. */
MUST_USE int jfr_checkpoint(struct jfr_reader *r, struct cur *c, struct err *err);
/* NULL if there is none. Valid until the next constant is added. */
struct jfr_constant *jfr_find(const struct jfr_reader *r, enum jfr_pool pool, uint64_t id);

/* ---- samples ---- */

enum jfr_kind {
	JFR_CPU,
	JFR_WALL,
	JFR_IN_NEW_TLAB,
	JFR_OUTSIDE_TLAB,
	JFR_LOCK,
	JFR_PARK,
	JFR_LIVE,
	JFR_ALLOC_SAMPLE,
	JFR_MALLOC,
	JFR_KINDS,
};

MUST_USE int jfr_samples_create(struct jfr_reader *r, struct str labels, int64_t rate_hz,
				struct err *err);
/* count and what it amounts to, of the stack (maybe none), thread and context of an event. */
MUST_USE int jfr_samples_add(struct jfr_reader *r, enum jfr_kind kind, const struct jfr_row *event,
			     int64_t count, int64_t amount, struct err *err);
MUST_USE int jfr_samples_finish(struct jfr_reader *r, struct profile_scope *scope,
				struct wire_jfr *ret, struct err *err);

/* Pyroscope's LabelsSnapshot: attributes of a context. */
struct jfr_labels;
MUST_USE int jfr_labels_create(struct wire_sink *sink, struct str bytes, struct jfr_labels **ret,
			       struct err *err);
/* In the arena; *ret_count 0 if it has none. */
const uint32_t *jfr_labels_find(const struct jfr_labels *labels, uint64_t context,
				uint32_t *ret_count);
struct str jfr_labels_string(const struct jfr_labels *labels, uint64_t id);
void jfr_labels_deinit(struct jfr_labels *labels); /* NULL is fine */
void jfr_samples_deinit(struct jfr_reader *r);

/* "java/lang/String" + "length"; what a JVM numbers anew in each run (lambdas, accessors) loses its number. */
void jfr_put_name(struct buf *out, struct str class, struct str method);
