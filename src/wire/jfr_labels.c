/* LabelsSnapshot (grafana/pyroscope-java, jfr_labels.proto): labels that a program
 * set while it ran, by the number that each event carries.
 *
 *	message Context { map<int64, int64> labels = 1; }
 *	message LabelsSnapshot { map<int64, Context> contexts = 1; map<int64, string> strings = 2; }
 *
 * A map is a repeated message of key 1 and value 2 (protobuf.dev, "Maps"). */
#include "wire/jfr_read.h"
#include "wire/proto.h"

struct context {
	struct str bytes;
	uint32_t *attrs;
	uint32_t count;
};

struct jfr_labels {
	struct wire_sink *sink;
	struct map strings; /* id → texts */
	struct str *texts;
	size_t text_count, text_cap;
	struct map contexts; /* id → list */
	struct context *list;
	size_t count, cap;
};

/* One entry of a map. */
static bool read_entry(const struct pb_field *outer, uint64_t *key, struct pb_field *value)
{
	struct cur c = pb_message(outer);
	struct pb_field field;

	*key = 0;
	*value = (struct pb_field){.bytes = STR("")};
	while (pb_next(&c, &field)) {
		if (field.number == 1)
			*key = field.value;
		else if (field.number == 2)
			*value = field;
	}
	return cur_ok(&c);
}

static int add_text(struct jfr_labels *labels, uint64_t id, struct str text, struct err *err)
{
	struct str *grown = arena_grow(labels->sink->batch->arena, labels->texts, &labels->text_cap,
				       labels->text_count + 1, sizeof(*grown));
	int rc = grown ? intake_rows(labels->sink, 1, err) : intake_no_memory(err);

	if (rc)
		return rc;
	labels->texts = grown;
	grown[labels->text_count] = text;
	return map_put(&labels->strings, id, labels->text_count++, err);
}

static int add_context(struct jfr_labels *labels, uint64_t id, struct str bytes, struct err *err)
{
	struct context *grown = arena_grow(labels->sink->batch->arena, labels->list, &labels->cap,
					   labels->count + 1, sizeof(*grown));
	int rc = grown ? intake_rows(labels->sink, 1, err) : intake_no_memory(err);

	if (rc)
		return rc;
	labels->list = grown;
	grown[labels->count] = (struct context){bytes, NULL, 0};
	return map_put(&labels->contexts, id, labels->count++, err);
}

struct str jfr_labels_string(const struct jfr_labels *labels, uint64_t id)
{
	const uint64_t *at = map_get(&labels->strings, id);

	return at ? labels->texts[*at] : STR("");
}

static int add_label(struct jfr_labels *labels, struct context *context, struct str name,
		     struct str text, size_t *cap, struct err *err)
{
	struct profile_batch *batch = labels->sink->batch;
	const struct value value = {.kind = VALUE_STRING, .text = text};
	uint32_t *grown;

	if (name.len == 0 || text.len == 0)
		return 0;
	grown = arena_grow(batch->arena, context->attrs, cap, context->count + (size_t)1,
			   sizeof(*grown));
	if (!grown)
		return intake_no_memory(err);
	context->attrs = grown;
	return profile_attribute(batch, name, &value, STR(""), &grown[context->count++], err);
}

/* Texts may come behind the contexts that name them, so this is done last. */
static int read_context(struct jfr_labels *labels, struct context *context, struct err *err)
{
	struct cur c = cur_make(context->bytes.ptr, context->bytes.len);
	struct pb_field field, value;
	uint64_t name;
	size_t cap = 0;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number != 1)
			continue;
		if (!read_entry(&field, &name, &value))
			return err_set(err, ERR_INVALID, "labels: malformed Context");
		rc = add_label(labels, context, jfr_labels_string(labels, name),
			       jfr_labels_string(labels, value.value), &cap, err);
	}
	return rc ? rc : cur_ok(&c) ? 0 : err_set(err, ERR_INVALID, "labels: malformed Context");
}

static int read_text(struct jfr_labels *labels, uint64_t id, struct str text, struct err *err)
{
	uint32_t string;
	int rc = intake_string(labels->sink, text, &string, err);

	return rc ? rc : add_text(labels, id, profile_str(&labels->sink->batch->dict, string), err);
}

static int read_snapshot(struct jfr_labels *labels, struct str bytes, struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct pb_field field, value;
	uint64_t id;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.type != PB_LEN || !read_entry(&field, &id, &value))
			return err_set(err, ERR_INVALID, "labels: malformed LabelsSnapshot");
		if (field.number == 1)
			rc = add_context(labels, id, value.bytes, err);
		else if (field.number == 2)
			rc = read_text(labels, id, value.bytes, err);
	}
	if (!rc && !cur_ok(&c))
		rc = err_set(err, ERR_INVALID, "labels: malformed LabelsSnapshot");
	for (size_t i = 0; i < labels->count && !rc; i++)
		rc = read_context(labels, &labels->list[i], err);
	return rc;
}

int jfr_labels_create(struct wire_sink *sink, struct str bytes, struct jfr_labels **ret,
		      struct err *err)
{
	struct jfr_labels *labels = arena_zalloc(sink->batch->arena, 1, sizeof(*labels));

	if (!labels)
		return intake_no_memory(err);
	labels->sink = sink;
	*ret = labels; /* deinited by the caller in any case */
	return read_snapshot(labels, bytes, err);
}

void jfr_labels_deinit(struct jfr_labels *labels)
{
	if (!labels)
		return;
	map_deinit(&labels->strings);
	map_deinit(&labels->contexts);
}

const uint32_t *jfr_labels_find(const struct jfr_labels *labels, uint64_t context,
				uint32_t *ret_count)
{
	const uint64_t *at = map_get(&labels->contexts, context);

	*ret_count = at ? labels->list[*at].count : 0;
	return at ? labels->list[*at].attrs : NULL;
}
