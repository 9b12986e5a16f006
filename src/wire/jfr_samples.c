/* Samples of equal stack, thread and context are added up. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "wire/jfr_read.h"

enum { KEYS_MAX = 1 << 28 };

/* What tells samples apart, hashed as bytes. */
struct key {
	uint32_t kind, stack, thread_id, thread_name; /* the last two attributes + 1 */
	uint64_t context, span, span_name;
};

_Static_assert(sizeof(struct key) == 4 * 4 + 3 * 8, "keys are hashed as bytes");

struct entry {
	enum jfr_kind kind;
	uint32_t stack, attr_count;
	uint32_t *attrs;
	int64_t values[2]; /* count, amount */
};

struct jfr_samples {
	int64_t period_ns;
	struct jfr_labels *labels;
	struct strtab *keys; /* entry + 1 */
	struct entry *list;
	size_t count, cap;
};

int jfr_samples_create(struct jfr_reader *r, struct str labels, int64_t rate_hz, struct err *err)
{
	const int64_t second_ns = 1000000000;
	struct jfr_samples *samples = arena_zalloc(r->arena, 1, sizeof(*samples));
	int rc;

	assert(rate_hz > 0);
	if (!samples)
		return intake_no_memory(err);
	r->samples = samples;
	samples->period_ns = rate_hz < second_ns ? second_ns / rate_hz : 1;
	rc = strtab_create(r->arena, KEYS_MAX, &samples->keys, err);
	return rc ? rc : jfr_labels_create(r->sink, labels, &samples->labels, err);
}

void jfr_samples_deinit(struct jfr_reader *r)
{
	if (r->samples)
		jfr_labels_deinit(r->samples->labels);
}

/* ---- stacks ---- */

static struct str symbol(const struct jfr_reader *r, uint64_t id)
{
	const struct jfr_constant *constant = jfr_find(r, JFR_POOL_SYMBOL, id);

	return constant ? constant->text : STR("");
}

static int method_name(struct jfr_reader *r, uint64_t id, struct str *ret, struct err *err)
{
	struct jfr_constant *method = jfr_find(r, JFR_POOL_METHOD, id);
	const struct jfr_constant *class;

	*ret = STR("unknown");
	if (!method)
		return 0;
	if (method->text.len == 0) {
		class = jfr_find(r, JFR_POOL_CLASS, method->a);
		buf_clear(&r->name);
		jfr_put_name(&r->name, class ? symbol(r, class->a) : STR(""), symbol(r, method->b));
		method->text = arena_str(r->arena, buf_text(&r->name));
		if (r->name.failed || !method->text.ptr)
			return intake_no_memory(err);
	}
	if (method->text.len > 0)
		*ret = method->text;
	return 0;
}

/* JFR's stacks are leaf first, as the batch's. */
static int make_stack(struct jfr_reader *r, struct jfr_constant *stack, struct err *err)
{
	uint32_t location, index;
	struct str name;
	int rc = 0;

	r->path.count = 0;
	for (uint64_t i = 0; i < stack->b && !rc; i++) {
		const struct jfr_frame *frame = &r->frames[stack->a + i];
		rc = method_name(r, frame->method, &name, err);
		rc = rc ? rc
			: intake_named(r->sink, name, STR(""), frame->line > 0 ? frame->line : 0,
				       &location, err);
		rc = rc ? rc : intake_push(r->sink, &r->path, location, err);
	}
	rc = rc ? rc
		: profile_stack(r->sink->batch, r->path.items, (uint32_t)r->path.count, &index,
				err);
	if (!rc)
		stack->id_plus1 = index + 1;
	return rc;
}

static int find_stack(struct jfr_reader *r, const struct jfr_row *event, uint32_t *ret,
		      struct err *err)
{
	struct jfr_constant *stack =
		jfr_find(r, JFR_POOL_STACK, (uint64_t)jfr_number(event, JFR_STACK_TRACE));
	int rc = 0;

	*ret = 0;
	if (!stack)
		return 0;
	if (!stack->id_plus1)
		rc = make_stack(r, stack, err);
	*ret = rc ? 0 : stack->id_plus1 - 1;
	return rc;
}

/* ---- attributes ---- */

static int text_attr(struct jfr_reader *r, const char *key, struct str text, uint32_t *ret_plus1,
		     struct err *err)
{
	struct value value = {.kind = VALUE_STRING};
	uint32_t string;
	int rc = intake_string(r->sink, text, &string, err);

	if (rc)
		return rc;
	value.text = profile_str(&r->sink->batch->dict, string);
	rc = profile_attribute(r->sink->batch, str_of(key), &value, STR(""), ret_plus1, err);
	if (!rc)
		(*ret_plus1)++;
	return rc;
}

static int find_thread(struct jfr_reader *r, const struct jfr_row *event, struct key *key,
		       struct err *err)
{
	enum jfr_member member =
		event->has & 1u << JFR_SAMPLED_THREAD ? JFR_SAMPLED_THREAD : JFR_EVENT_THREAD;
	struct jfr_constant *thread =
		jfr_find(r, JFR_POOL_THREAD, (uint64_t)jfr_number(event, member));
	struct value id = {.kind = VALUE_INT, .text = STR("")};
	int rc = 0;

	if (!thread)
		return 0;
	id.number = (int64_t)thread->a;
	if (!thread->id_plus1 && id.number > 0) {
		rc = profile_attribute(r->sink->batch, STR("thread.id"), &id, STR(""),
				       &thread->id_plus1, err);
		thread->id_plus1 += rc == 0;
	}
	if (!rc && !thread->id2_plus1 && thread->text.len > 0)
		rc = text_attr(r, "thread.name", thread->text, &thread->id2_plus1, err);
	key->thread_id = thread->id_plus1;
	key->thread_name = thread->id2_plus1;
	return rc;
}

static int span_attrs(struct jfr_reader *r, const struct key *key, uint32_t *attrs, uint32_t *count,
		      struct err *err)
{
	char text[17];
	struct str name = jfr_labels_string(r->samples->labels, key->span_name);
	int rc = 0;

	if (key->span) {
		snprintf(text, sizeof(text), "%016" PRIx64, key->span);
		rc = text_attr(r, "span_id", str_of(text), &attrs[*count], err);
		attrs[(*count)++] -= rc == 0;
	}
	if (!rc && key->span_name && name.len > 0) {
		rc = text_attr(r, "span_name", name, &attrs[*count], err);
		attrs[(*count)++] -= rc == 0;
	}
	return rc;
}

static int make_attrs(struct jfr_reader *r, const struct key *key, struct entry *entry,
		      struct err *err)
{
	enum { OWN_MAX = 4 };
	uint32_t count;
	const uint32_t *context = jfr_labels_find(r->samples->labels, key->context, &count);

	entry->attrs = arena_zalloc(r->arena, count + OWN_MAX, sizeof(*entry->attrs));
	if (!entry->attrs)
		return intake_no_memory(err);
	if (count > 0)
		memcpy(entry->attrs, context, count * sizeof(*context));
	if (key->thread_id)
		entry->attrs[count++] = key->thread_id - 1;
	if (key->thread_name)
		entry->attrs[count++] = key->thread_name - 1;
	int rc = span_attrs(r, key, entry->attrs, &count, err);
	entry->attr_count = count;
	return rc ? rc : intake_rows(r->sink, count, err);
}

/* ---- adding ---- */

static int new_entry(struct jfr_reader *r, const struct key *key, struct err *err)
{
	struct jfr_samples *s = r->samples;
	struct entry *grown = arena_grow(r->arena, s->list, &s->cap, s->count + 1, sizeof(*grown));
	struct entry entry = {.kind = (enum jfr_kind)key->kind, .stack = key->stack};
	int rc = grown ? make_attrs(r, key, &entry, err) : intake_no_memory(err);

	if (rc)
		return rc;
	s->list = grown;
	grown[s->count++] = entry;
	return 0;
}

static void add_up(int64_t *sum, int64_t value)
{
	if (__builtin_add_overflow(*sum, value, sum))
		*sum = INT64_MAX;
}

int jfr_samples_add(struct jfr_reader *r, enum jfr_kind kind, const struct jfr_row *event,
		    int64_t count, int64_t amount, struct err *err)
{
	struct key key = {.kind = kind,
			  .context = (uint64_t)jfr_number(event, JFR_CONTEXT),
			  .span = (uint64_t)jfr_number(event, JFR_SPAN),
			  .span_name = (uint64_t)jfr_number(event, JFR_SPAN_NAME)};
	uint32_t id = 0;
	int rc = find_stack(r, event, &key.stack, err);

	rc = rc ? rc : find_thread(r, event, &key, err);
	rc = rc ? rc : strtab_intern(r->samples->keys, str_make(&key, sizeof(key)), &id, err);
	if (!rc && id > r->samples->count)
		rc = new_entry(r, &key, err);
	if (rc)
		return rc;
	add_up(&r->samples->list[id - 1].values[0], count);
	add_up(&r->samples->list[id - 1].values[1], amount);
	return 0;
}

/* ---- profiles ---- */

static const struct {
	const char *name;
	const char *types[2][2];
	const char *period[2];
	bool time; /* the count is of periods of time */
} kinds[JFR_KINDS] = {
	[JFR_CPU] = {"process_cpu", {{"cpu", "nanoseconds"}}, {"cpu", "nanoseconds"}, true},
	[JFR_WALL] = {"wall", {{"wall", "nanoseconds"}}, {"wall", "nanoseconds"}, true},
	[JFR_IN_NEW_TLAB] = {"memory",
			     {{"alloc_in_new_tlab_objects", "count"},
			      {"alloc_in_new_tlab_bytes", "bytes"}},
			     {"space", "bytes"},
			     false},
	[JFR_OUTSIDE_TLAB] = {"memory",
			      {{"alloc_outside_tlab_objects", "count"},
			       {"alloc_outside_tlab_bytes", "bytes"}},
			      {"space", "bytes"},
			      false},
	[JFR_LOCK] = {"mutex",
		      {{"contentions", "count"}, {"delay", "nanoseconds"}},
		      {"mutex", "count"},
		      false},
	[JFR_PARK] = {"block",
		      {{"contentions", "count"}, {"delay", "nanoseconds"}},
		      {"block", "count"},
		      false},
	[JFR_LIVE] = {"memory", {{"live", "count"}}, {"objects", "count"}, false},
	[JFR_ALLOC_SAMPLE] = {"memory",
			      {{"alloc_sample_objects", "count"}, {"alloc_sample_bytes", "bytes"}},
			      {"space", "bytes"},
			      false},
	[JFR_MALLOC] = {"memory",
			{{"malloc_objects", "count"}, {"malloc_bytes", "bytes"}},
			{"", ""},
			false},
};

static int set_type(struct jfr_reader *r, const char *const pair[2], struct value_type *ret,
		    struct err *err)
{
	int rc = profile_string(r->sink->batch, str_of(pair[0]), &ret->type, err);

	return rc ? rc : profile_string(r->sink->batch, str_of(pair[1]), &ret->unit, err);
}

static int add_samples(struct jfr_reader *r, enum jfr_kind kind, int part, int64_t by,
		       struct profile *profile, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < r->samples->count && !rc; i++) {
		struct entry *entry = &r->samples->list[i];
		int64_t value;
		if (entry->kind != kind || entry->values[part] == 0)
			continue;
		if (__builtin_mul_overflow(entry->values[part], by, &value))
			value = INT64_MAX;
		rc = intake_value(r->sink, profile, entry->stack, value, err);
		if (rc)
			break;
		struct profile_sample *sample = &profile->samples[profile->sample_count - 1];
		sample->attrs = entry->attrs;
		sample->attr_count = entry->attr_count;
	}
	return rc;
}

static int add_profile(struct jfr_reader *r, struct profile_scope *scope, enum jfr_kind kind,
		       int part, struct wire_jfr_profile *list, struct wire_jfr *ret,
		       struct err *err)
{
	struct profile profile = {0};
	int64_t by = kinds[kind].time ? r->samples->period_ns : 1;
	int rc = set_type(r, kinds[kind].types[part], &profile.sample_type, err);

	rc = rc ? rc : set_type(r, kinds[kind].period, &profile.period_type, err);
	if (kinds[kind].time)
		profile.period = by;
	rc = rc ? rc : add_samples(r, kind, part, by, &profile, err);
	if (rc || profile.sample_count == 0)
		return rc;
	list[ret->profile_count++] =
		(struct wire_jfr_profile){kinds[kind].name, scope->profile_count};
	return intake_finish(r->sink, scope, &profile, err);
}

int jfr_samples_finish(struct jfr_reader *r, struct profile_scope *scope, struct wire_jfr *ret,
		       struct err *err)
{
	size_t before = scope->profile_count;
	struct wire_jfr_profile *list =
		arena_zalloc(r->arena, (size_t)JFR_KINDS * 2, sizeof(*list));
	int rc = list ? 0 : intake_no_memory(err);

	*ret = (struct wire_jfr){list, 0, r->event};
	for (int kind = 0; kind < JFR_KINDS && !rc; kind++)
		for (int part = 0; part < 2 && !rc; part++)
			if (kinds[kind].types[part][0])
				rc = add_profile(r, scope, (enum jfr_kind)kind, part, list, ret,
						 err);
	if (rc)
		scope->profile_count = before;
	return rc;
}
