/* Values are walked by their class. Constants that stacks, threads and texts need
 * are kept by id; ids hold for one chunk. */
#include "wire/jfr_read.h"

enum { NEST_MAX = 16 };

static int read_value(struct jfr_reader *r, struct cur *c, const struct jfr_field *field,
		      struct jfr_row *row, int depth, struct err *err);

/* ---- walking ---- */

static int walk(struct jfr_reader *r, struct cur *c, const struct jfr_class *class,
		struct jfr_row *row, int depth, struct err *err)
{
	int rc = depth > NEST_MAX ? jfr_malformed("value", c, err) : 0;

	for (size_t i = 0; i < class->field_count && !rc; i++) {
		const struct jfr_field *field = &class->fields[i];
		uint64_t count = field->array ? jfr_varint(c) : 1;
		for (; count > 0 && !rc; count--) {
			if (++r->steps > r->step_limit || !cur_ok(c))
				return jfr_malformed("value", c, err);
			rc = read_value(r, c, field, row, depth, err);
		}
	}
	return rc ? rc : cur_ok(c) ? 0 : jfr_malformed("value", c, err);
}

static int add_frame(struct jfr_reader *r, const struct jfr_row *row, struct err *err)
{
	struct jfr_frame *grown =
		arena_grow(r->arena, r->frames, &r->frame_cap, r->frame_count + 1, sizeof(*grown));
	int rc = grown ? intake_rows(r->sink, 1, err) : intake_no_memory(err);

	if (rc)
		return rc;
	r->frames = grown;
	grown[r->frame_count++] = (struct jfr_frame){(uint64_t)jfr_number(row, JFR_METHOD),
						     jfr_number(row, JFR_LINE)};
	return 0;
}

/* A value within a value: of interest only when it is a frame. */
static int walk_nested(struct jfr_reader *r, struct cur *c, const struct jfr_class *class,
		       enum jfr_member member, int depth, struct err *err)
{
	struct jfr_row row;
	int rc;

	row.has = row.pooled = 0;
	rc = walk(r, c, class, &row, depth + 1, err);
	return !rc && member == JFR_FRAMES ? add_frame(r, &row, err) : rc;
}

static void keep_number(struct jfr_row *row, enum jfr_member member, uint64_t number)
{
	if (member == JFR_MEMBERS)
		return;
	row->number[member] = (int64_t)number;
	row->text[member] = STR("");
	row->has |= 1u << member;
}

static int keep_text(struct jfr_reader *r, struct cur *c, struct jfr_row *row,
		     enum jfr_member member, struct err *err)
{
	struct str text;
	bool pooled;
	uint64_t id;
	int rc = jfr_string(r, c, &text, &pooled, &id, err);

	if (rc || member == JFR_MEMBERS)
		return rc;
	keep_number(row, member, id);
	row->text[member] = text;
	if (pooled)
		row->pooled |= 1u << member;
	return 0;
}

static int read_value(struct jfr_reader *r, struct cur *c, const struct jfr_field *field,
		      struct jfr_row *row, int depth, struct err *err)
{
	const struct jfr_class *class;

	if (field->constant) {
		keep_number(row, field->member, jfr_varint(c));
		return 0;
	}
	class = jfr_class(r, field->class_id);
	if (!class)
		return err_set(err, ERR_INVALID, "jfr: there is no class %llu",
			       (unsigned long long)field->class_id);
	switch (class->shape) {
	case JFR_BYTE:
		keep_number(row, field->member, cur_u8(c));
		return 0;
	case JFR_INTEGER:
		keep_number(row, field->member, jfr_varint(c));
		return 0;
	case JFR_FLOAT:
		cur_skip(c, sizeof(float));
		return 0;
	case JFR_DOUBLE:
		cur_skip(c, sizeof(double));
		return 0;
	case JFR_TEXT:
		return keep_text(r, c, row, field->member, err);
	case JFR_STRUCT:
		break;
	}
	return walk_nested(r, c, class, field->member, depth, err);
}

int jfr_object(struct jfr_reader *r, struct cur *c, const struct jfr_class *class,
	       struct jfr_row *row, struct err *err)
{
	row->has = row->pooled = 0;
	if (class->shape == JFR_TEXT) /* constants of java.lang.String */
		return keep_text(r, c, row, JFR_STRING, err);
	return walk(r, c, class, row, 0, err);
}

/* ---- pools ---- */

struct jfr_constant *jfr_find(const struct jfr_reader *r, enum jfr_pool pool, uint64_t id)
{
	const uint64_t *at = map_get(&r->pools[pool], id);

	return at ? &r->constants[*at] : NULL;
}

struct str jfr_text(const struct jfr_reader *r, const struct jfr_row *row, enum jfr_member member)
{
	const struct jfr_constant *constant;

	if (!(row->has & 1u << member))
		return STR("");
	if (!(row->pooled & 1u << member))
		return row->text[member].ptr ? row->text[member] : STR("");
	constant = jfr_find(r, JFR_POOL_STRING, (uint64_t)row->number[member]);
	return constant ? constant->text : STR("");
}

static enum jfr_pool pool_of(const struct jfr_class *class)
{
	static const char *const names[JFR_POOLS] = {
		[JFR_POOL_STRING] = "java.lang.String",
		[JFR_POOL_SYMBOL] = "jdk.types.Symbol",
		[JFR_POOL_CLASS] = "java.lang.Class",
		[JFR_POOL_METHOD] = "jdk.types.Method",
		[JFR_POOL_STACK] = "jdk.types.StackTrace",
		[JFR_POOL_STATE] = "jdk.types.ThreadState",
		[JFR_POOL_THREAD] = "java.lang.Thread",
	};
	int i = 0;

	while (i < JFR_POOLS && !str_equal(class->name, str_of(names[i])))
		i++;
	return (enum jfr_pool)i;
}

/* A Java thread has its Java name and the id that the system gave it. */
static void keep_thread(const struct jfr_reader *r, const struct jfr_row *row,
			struct jfr_constant *to)
{
	int64_t os = jfr_number(row, JFR_OS_THREAD);

	to->text = jfr_text(r, row, JFR_JAVA_NAME);
	if (to->text.len == 0)
		to->text = jfr_text(r, row, JFR_OS_NAME);
	to->a = (uint64_t)(os > 0 ? os : jfr_number(row, JFR_JAVA_THREAD));
}

static void keep_constant(const struct jfr_reader *r, enum jfr_pool pool, const struct jfr_row *row,
			  size_t first_frame, struct jfr_constant *to)
{
	switch (pool) {
	case JFR_POOL_STRING:
	case JFR_POOL_SYMBOL:
		to->text = jfr_text(r, row, JFR_STRING);
		break;
	case JFR_POOL_STATE:
		to->text = jfr_text(r, row, JFR_NAME);
		break;
	case JFR_POOL_CLASS:
		to->a = (uint64_t)jfr_number(row, JFR_NAME);
		break;
	case JFR_POOL_METHOD:
		to->a = (uint64_t)jfr_number(row, JFR_TYPE);
		to->b = (uint64_t)jfr_number(row, JFR_NAME);
		break;
	case JFR_POOL_STACK:
		to->a = first_frame;
		to->b = r->frame_count - first_frame;
		break;
	case JFR_POOL_THREAD:
		keep_thread(r, row, to);
		break;
	case JFR_POOLS:
		break;
	}
}

static int add_constant(struct jfr_reader *r, enum jfr_pool pool, uint64_t id,
			const struct jfr_row *row, size_t first_frame, struct err *err)
{
	struct jfr_constant *grown = arena_grow(r->arena, r->constants, &r->constant_cap,
						r->constant_count + 1, sizeof(*grown));
	int rc = grown ? intake_rows(r->sink, 1, err) : intake_no_memory(err);

	if (rc)
		return rc;
	r->constants = grown;
	grown[r->constant_count] = (struct jfr_constant){.text = STR("")};
	keep_constant(r, pool, row, first_frame, &grown[r->constant_count]);
	return map_put(&r->pools[pool], id, r->constant_count++, err);
}

static int read_pool(struct jfr_reader *r, struct cur *c, struct err *err)
{
	uint64_t id = jfr_varint(c), count = jfr_varint(c);
	const struct jfr_class *class = jfr_class(r, id);
	enum jfr_pool pool = class ? pool_of(class) : JFR_POOLS;
	struct jfr_row row;
	int rc = 0;

	if (!cur_ok(c) || count > cur_left(c))
		return jfr_malformed("constants", c, err);
	if (!class)
		return err_set(err, ERR_INVALID, "jfr: constants of class %llu, which is not there",
			       (unsigned long long)id);
	for (; count > 0 && !rc; count--) {
		size_t first_frame = r->frame_count;
		uint64_t key = jfr_varint(c);
		rc = jfr_object(r, c, class, &row, err);
		if (!rc && pool != JFR_POOLS)
			rc = add_constant(r, pool, key, &row, first_frame, err);
	}
	return rc;
}

int jfr_checkpoint(struct jfr_reader *r, struct cur *c, struct err *err)
{
	uint64_t count;
	int rc = 0;

	for (int i = 0; i < 3; i++) /* start, duration, where the one before is */
		jfr_varint(c);
	cur_u8(c); /* kind */
	count = jfr_varint(c);
	for (; count > 0 && !rc && cur_ok(c); count--)
		rc = read_pool(r, c, err);
	return rc ? rc : cur_ok(c) ? 0 : jfr_malformed("checkpoint", c, err);
}
