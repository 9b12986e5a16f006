/* Encoding in layout F, and cutting into requests.
 *
 * A request grows sample by sample in two parts: the open resource → scope →
 * profile messages, and its own dictionary of what those samples refer to. After
 * each sample the size is exact. When it passes the limit, the sample is taken
 * back, the request goes out, and the sample starts the next one, in which its
 * resource, scope and profile are opened again. */
#include "wire/any.h"
#include "wire/encode.h"
#include "wire/wire.h"

/* Tags and lengths of what is still open: three messages and the dictionary. */
enum { CLOSING_BYTES = 4 * 6 };

/* What of a batch is written next. sample NULL: a profile, scope or resource without any. */
struct unit {
	const struct profile_resource *resource;
	const struct profile_scope *scope;
	const struct profile *profile;
	const struct profile_sample *sample;
	uint32_t from, to; /* events of the sample */
};

struct open_message {
	const void *what; /* NULL: none is open */
	size_t begin;
};

struct splitter {
	size_t limit_bytes; /* 0: none */
	struct dict_writer dict;
	struct buf body;
	struct open_message resource, scope, profile;
	uint64_t units; /* in this request */
	struct wire_request request;
	wire_request_fn *each;
	void *user;
	uint64_t dropped_events;
};

struct mark {
	struct dict_mark dict;
	size_t body;
	struct open_message resource, scope, profile;
	struct wire_request request;
};

static void close_message(struct splitter *s, struct open_message *open)
{
	if (open->what)
		pb_end(&s->body, open->begin);
	open->what = NULL;
}

/* Closes what the unit is not in; inner messages first. */
static void close_others(struct splitter *s, const struct unit *unit)
{
	bool same_resource = s->resource.what == unit->resource;
	bool same_scope = same_resource && s->scope.what == unit->scope;

	if (!same_scope || s->profile.what != unit->profile)
		close_message(s, &s->profile);
	if (!same_scope)
		close_message(s, &s->scope);
	if (!same_resource)
		close_message(s, &s->resource);
}

static void open_resource(struct splitter *s, const struct profile_resource *resource)
{
	size_t inner;

	s->resource = (struct open_message){resource, pb_begin(&s->body, 1)};
	if (resource->attr_count > 0) {
		inner = pb_begin(&s->body, 1);
		for (size_t i = 0; i < resource->attr_count; i++)
			any_put_pair(&s->body, 1, &resource->attrs[i]);
		pb_end(&s->body, inner);
	}
	pb_put_text(&s->body, 3, resource->schema_url);
}

static void open_scope(struct splitter *s, const struct profile_scope *scope)
{
	size_t inner;

	s->scope = (struct open_message){scope, pb_begin(&s->body, 2)};
	if (scope->name.len || scope->version.len || scope->attr_count) {
		inner = pb_begin(&s->body, 1);
		pb_put_text(&s->body, 1, scope->name);
		pb_put_text(&s->body, 2, scope->version);
		for (size_t i = 0; i < scope->attr_count; i++)
			any_put_pair(&s->body, 3, &scope->attrs[i]);
		pb_end(&s->body, inner);
	}
	pb_put_text(&s->body, 3, scope->schema_url);
}

static void put_value_type(struct splitter *s, uint32_t number, struct value_type type)
{
	size_t begin;

	if (type.type == 0 && type.unit == 0)
		return;
	begin = pb_begin(&s->body, number);
	pb_put_uint(&s->body, 1, dict_put_string(&s->dict, type.type));
	pb_put_uint(&s->body, 2, dict_put_string(&s->dict, type.unit));
	pb_end(&s->body, begin);
}

/* All but the samples, which follow. */
static void open_profile(struct splitter *s, const struct profile *profile)
{
	struct buf *body = &s->body;

	s->profile = (struct open_message){profile, pb_begin(body, 2)};
	s->request.profiles++;
	put_value_type(s, 1, profile->sample_type);
	pb_put_fixed64(body, 3, profile->time_ns);
	pb_put_uint(body, 4, profile->duration_ns);
	put_value_type(s, 5, profile->period_type);
	pb_put_int(body, 6, profile->period);
	if (profile->has_profile_id)
		pb_put_bytes(body, 7, str_make(profile->profile_id, sizeof(profile->profile_id)));
	pb_put_uint(body, 8, profile->dropped_attributes);
	pb_put_text(body, 9, profile->original_format);
	pb_put_text(body, 10, profile->original_payload);
	dict_put_attributes(&s->dict, body, 11, profile->attrs, profile->attr_count);
}

static uint32_t part_end(uint32_t count, uint32_t to)
{
	return count < to ? count : to;
}

static void put_values(struct buf *body, const struct unit *unit)
{
	uint32_t end = part_end(unit->sample->value_count, unit->to);
	size_t begin;

	if (unit->from >= end)
		return;
	begin = pb_begin(body, 4);
	for (uint32_t i = unit->from; i < end; i++)
		pb_put_varint(body, (uint64_t)unit->sample->values[i]);
	pb_end(body, begin);
}

static void put_times(struct buf *body, const struct unit *unit)
{
	uint32_t end = part_end(unit->sample->time_count, unit->to);

	if (unit->from >= end)
		return;
	pb_put_tag(body, 5, PB_LEN);
	pb_put_varint(body, (end - unit->from) * sizeof(uint64_t));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	buf_append(body, unit->sample->times_ns + unit->from,
		   (end - unit->from) * sizeof(uint64_t));
#else
	for (uint32_t i = unit->from; i < end; i++) {
		uint64_t little = __builtin_bswap64(unit->sample->times_ns[i]);
		buf_append(body, &little, sizeof(little));
	}
#endif
}

static void put_sample(struct splitter *s, const struct unit *unit)
{
	const struct profile_sample *sample = unit->sample;
	size_t begin = pb_begin(&s->body, 2);

	pb_put_uint(&s->body, 1, dict_put_stack(&s->dict, sample->stack));
	dict_put_attributes(&s->dict, &s->body, 2, sample->attrs, sample->attr_count);
	pb_put_uint(&s->body, 3, dict_put_link(&s->dict, sample->link));
	put_values(&s->body, unit);
	put_times(&s->body, unit);
	pb_end(&s->body, begin);
	s->request.samples++;
	s->request.events += unit->to - unit->from;
}

static void put_unit(struct splitter *s, const struct unit *unit)
{
	if (!s->resource.what)
		open_resource(s, unit->resource);
	if (unit->scope && !s->scope.what)
		open_scope(s, unit->scope);
	if (unit->profile && !s->profile.what)
		open_profile(s, unit->profile);
	if (unit->sample)
		put_sample(s, unit);
}

static void take_mark(const struct splitter *s, struct mark *ret)
{
	dict_writer_mark(&s->dict, &ret->dict);
	ret->body = s->body.len;
	ret->resource = s->resource;
	ret->scope = s->scope;
	ret->profile = s->profile;
	ret->request = s->request;
}

static void rewind_to(struct splitter *s, const struct mark *mark)
{
	dict_writer_rewind(&s->dict, &mark->dict);
	s->body.len = mark->body;
	s->resource = mark->resource;
	s->scope = mark->scope;
	s->profile = mark->profile;
	s->request = mark->request;
}

static bool too_large(const struct splitter *s)
{
	return s->limit_bytes &&
	       s->body.len + dict_writer_bytes(&s->dict) + CLOSING_BYTES > s->limit_bytes;
}

static int check(const struct splitter *s, struct err *err)
{
	int rc = buf_check(&s->body, "encoding profiles", err);

	return rc ? rc : dict_writer_check(&s->dict, err);
}

/* Sends what there is and starts anew. */
static int finish_request(struct splitter *s, struct err *err)
{
	int rc;

	close_message(s, &s->profile);
	close_message(s, &s->scope);
	close_message(s, &s->resource);
	pb_put_tag(&s->body, 2, PB_LEN);
	pb_put_varint(&s->body, dict_writer_bytes(&s->dict));
	dict_writer_finish(&s->dict, &s->body);
	rc = check(s, err);
	if (rc)
		return rc;
	s->request.bytes = buf_text(&s->body);
	rc = s->each(s->user, &s->request, err);
	dict_writer_reset(&s->dict);
	buf_clear(&s->body);
	s->request = (struct wire_request){0};
	s->units = 0;
	return rc;
}

/* Writes the unit if it fits. Buffers are sticky: what fails here shows when the request is finished. */
static bool try_unit(struct splitter *s, const struct unit *unit)
{
	struct mark mark;

	close_others(s, unit);
	take_mark(s, &mark);
	put_unit(s, unit);
	if (too_large(s)) {
		rewind_to(s, &mark);
		return false;
	}
	s->units++;
	return true;
}

/* Depth is at most 32: each level halves the events. */
static int add_unit(struct splitter *s, const struct unit *unit, struct err *err)
{
	bool fits = try_unit(s, unit);
	int rc = 0;

	if (!fits && s->units > 0) {
		rc = finish_request(s, err);
		fits = !rc && try_unit(s, unit);
	}
	if (rc || fits)
		return rc;
	if (unit->to - unit->from <= 1) {
		s->dropped_events += unit->to - unit->from;
		return 0;
	}
	struct unit half = *unit;
	half.to = unit->from + (unit->to - unit->from) / 2;
	rc = add_unit(s, &half, err);
	half.from = half.to;
	half.to = unit->to;
	return rc ? rc : add_unit(s, &half, err);
}

static int add_profile(struct splitter *s, struct unit *unit, struct err *err)
{
	const struct profile *profile = unit->profile;
	int rc = 0;

	if (profile->sample_count == 0)
		return add_unit(s, unit, err);
	for (size_t i = 0; i < profile->sample_count && !rc; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		unit->sample = sample;
		unit->to = sample->time_count > sample->value_count ? sample->time_count
								    : sample->value_count;
		rc = add_unit(s, unit, err);
	}
	return rc;
}

static int add_scope(struct splitter *s, const struct profile_resource *resource,
		     const struct profile_scope *scope, struct err *err)
{
	struct unit unit = {.resource = resource, .scope = scope};
	int rc = 0;

	if (scope->profile_count == 0)
		return add_unit(s, &unit, err);
	for (size_t i = 0; i < scope->profile_count && !rc; i++) {
		unit = (struct unit){.resource = resource,
				     .scope = scope,
				     .profile = &scope->profiles[i]};
		rc = add_profile(s, &unit, err);
	}
	return rc;
}

static int add_resource(struct splitter *s, const struct profile_resource *resource,
			struct err *err)
{
	int rc = 0;

	if (resource->scope_count == 0)
		return add_unit(s, &(struct unit){.resource = resource}, err);
	for (size_t i = 0; i < resource->scope_count && !rc; i++)
		rc = add_scope(s, resource, &resource->scopes[i], err);
	return rc;
}

static int run(struct splitter *s, const struct profile_batch *batch, bool even_if_empty,
	       struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < batch->resource_count && !rc; i++)
		rc = add_resource(s, &batch->resources[i], err);
	if (!rc && (s->units > 0 || even_if_empty))
		rc = finish_request(s, err);
	return rc;
}

static int encode(struct splitter *s, const struct profile_batch *batch, bool even_if_empty,
		  struct err *err)
{
	struct arena arena;
	int rc;

	arena_init(&arena, 0);
	rc = dict_writer_init(&s->dict, &batch->dict, &arena, err);
	rc = rc ? rc : run(s, batch, even_if_empty, err);
	dict_writer_deinit(&s->dict);
	buf_deinit(&s->body);
	arena_deinit(&arena);
	return rc;
}

static int append_request(void *user, const struct wire_request *request, struct err *err)
{
	buf_str(user, request->bytes);
	return buf_check(user, "encoding profiles", err);
}

int wire_otlp_encode(const struct profile_batch *batch, struct buf *out, struct err *err)
{
	struct splitter s = {.each = append_request, .user = out};

	return encode(&s, batch, true, err);
}

int wire_otlp_split(const struct profile_batch *batch, size_t limit_bytes, wire_request_fn *each,
		    void *user, uint64_t *ret_dropped_events, struct err *err)
{
	struct splitter s = {.limit_bytes = limit_bytes, .each = each, .user = user};
	int rc = encode(&s, batch, false, err);

	*ret_dropped_events = s.dropped_events;
	return rc;
}
