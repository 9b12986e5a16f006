#include "server/ingest_series.h"

#include "base/clock.h"
#include "server/ingest_columns.h"
#include "server/tenant_state.h"

enum { SERIES_MAX = 1 << 24, LABELS_MAX = 1024, LABELS_MAX_ANY = 16 * 1024 };

/* Rules may take labels away, so the configured limit holds behind them. Looking for a name takes as long as there are
 * labels, so there is a limit in front of them too. */
static size_t labels_max(const struct ingest_config *config)
{
	if (config->label_names == 0)
		return LABELS_MAX_ANY;
	return config->label_names > LABELS_MAX ? config->label_names : LABELS_MAX;
}

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the series of a request");
}

int series_set_init(struct series_set *set, struct arena *arena, const struct ingest_rules *rules,
		    struct err *err)
{
	*set = (struct series_set){.arena = arena,
				   .config = rules->config,
				   .relabel = rules->relabel,
				   .naming = rules->naming};
	return strtab_create(arena, SERIES_MAX, &set->keys, err);
}

/* ---- labels ---- */

/* One more than max tells that there were more. */
static int add_label(struct relabel_labels *labels, size_t max, struct str name,
		     const struct value *value, struct err *err)
{
	struct str text;

	if (name.len == 0 || labels->count > max || relabel_get(labels, name).len > 0)
		return 0;
	text = value_text(labels->arena, value);
	return text.ptr ? relabel_set(labels, name, text, err) : no_memory(err);
}

static int add_pairs(struct relabel_labels *labels, size_t max, const struct key_value *attrs,
		     size_t count, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++)
		if (column_of(attrs[i].key) == COLUMN_NONE)
			rc = add_label(labels, max, attrs[i].key, &attrs[i].value, err);
	return rc;
}

int series_base_labels(struct arena *arena, const struct ingest_config *config,
		       const struct profile_resource *resource, const struct profile_scope *scope,
		       struct relabel_labels *ret, struct err *err)
{
	size_t max = labels_max(config);
	int rc;

	*ret = (struct relabel_labels){.arena = arena};
	rc = add_pairs(ret, max, resource->attrs, resource->attr_count, err);
	return rc ? rc : add_pairs(ret, max, scope->attrs, scope->attr_count, err);
}

/* A sample's attribute goes behind the resource's; its service.name goes before. */
static int add_sample_attrs(struct relabel_labels *labels, size_t max,
			    const struct profile_dict *dict, const uint32_t *attrs, uint32_t count,
			    struct str *service, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < count && !rc; i++) {
		const struct profile_attribute *row = &dict->attributes[attrs[i]];
		struct str name = profile_str(dict, row->key);
		if (!str_equal(name, STR("service.name"))) {
			rc = add_label(labels, max, name, &row->value, err);
			continue;
		}
		*service = value_text(labels->arena, &row->value);
		rc = service->ptr ? 0 : no_memory(err);
	}
	return rc;
}

static struct str unknown_service(const struct ingest_config *config)
{
	return config->unknown_service ? str_of(config->unknown_service) : STR("unknown_service");
}

static int name_service(const struct ingest_config *config, struct relabel_labels *labels,
			struct str service, struct err *err)
{
	struct str executable = relabel_get(labels, STR("process.executable.name"));

	if (service.len == 0)
		service = relabel_get(labels, STR("service.name"));
	if (service.len == 0 && config->default_service_from_executable)
		service = executable;
	if (service.len == 0 && executable.len > 0)
		service = arena_printf(labels->arena, "%.*s:%.*s", STR_ARG(unknown_service(config)),
				       STR_ARG(executable));
	if (service.len == 0)
		service = unknown_service(config);
	return service.ptr ? relabel_set(labels, STR("service_name"), service, err)
			   : no_memory(err);
}

/* A sender of labels has named the service, and has said whether its values are differences (__delta__). */
static int add_given_labels(const struct ingest_config *config, struct relabel_labels *labels,
			    const struct profile_type *type, struct err *err)
{
	int rc = relabel_set(labels, STR("__name__"), type->name, err);

	if (relabel_get(labels, STR("service_name")).len == 0)
		rc = rc ? rc
			: relabel_set(labels, STR("service_name"), unknown_service(config), err);
	return rc;
}

/* What rules may see and change, as in Pyroscope. */
static int add_rule_labels(const struct series_set *set, struct relabel_labels *labels,
			   const struct profile_type *type, struct str service, struct err *err)
{
	int rc;

	if (set->naming == INGEST_LABELS)
		return add_given_labels(set->config, labels, type, err);
	rc = name_service(set->config, labels, service, err);
	rc = rc ? rc : relabel_set(labels, STR("__name__"), type->name, err);
	rc = rc ? rc : relabel_set(labels, STR("__type__"), type->sample_type, err);
	rc = rc ? rc : relabel_set(labels, STR("__unit__"), type->sample_unit, err);
	rc = rc ? rc : relabel_set(labels, STR("__delta__"), STR("false"), err);
	return rc ? rc : relabel_set(labels, STR("__otel__"), STR("true"), err);
}

/* What no rule can take away. */
static int add_fixed_labels(const struct ingest_config *config, struct relabel_labels *labels,
			    const struct profile_type *type, struct err *err)
{
	struct str name = relabel_get(labels, STR("__name__"));
	struct str id;
	int rc;

	name = name.len > 0 ? name : type->name;
	rc = relabel_set(labels, STR("__name__"), name, err);
	if (relabel_get(labels, STR("service_name")).len == 0)
		rc = rc ? rc
			: relabel_set(labels, STR("service_name"), unknown_service(config), err);
	id = arena_printf(labels->arena, "%.*s:%.*s:%.*s:%.*s:%.*s", STR_ARG(name),
			  STR_ARG(type->sample_type), STR_ARG(type->sample_unit),
			  STR_ARG(type->period_type), STR_ARG(type->period_unit));
	if (!id.ptr)
		return no_memory(err);
	rc = rc ? rc : relabel_set(labels, STR("__profile_type__"), id, err);
	rc = rc ? rc : relabel_set(labels, STR("__type__"), type->sample_type, err);
	rc = rc ? rc : relabel_set(labels, STR("__unit__"), type->sample_unit, err);
	rc = rc ? rc : relabel_set(labels, STR("__period_type__"), type->period_type, err);
	rc = rc ? rc : relabel_set(labels, STR("__period_unit__"), type->period_unit, err);
	rc = rc ? rc : relabel_set(labels, STR("__delta__"), STR(""), err);
	return rc ? rc : relabel_set(labels, STR("__otel__"), STR(""), err);
}

static enum discard check_limits(const struct ingest_config *config,
				 const struct relabel_labels *labels)
{
	if (config->label_names && labels->count > config->label_names)
		return DISCARD_LABEL_NAMES;
	for (size_t i = 0; i < labels->count; i++) {
		if (config->label_name_bytes &&
		    labels->items[i].name.len > config->label_name_bytes)
			return DISCARD_LABEL_NAME_LENGTH;
		if (config->label_value_bytes &&
		    labels->items[i].value.len > config->label_value_bytes)
			return DISCARD_LABEL_VALUE_LENGTH;
	}
	return DISCARDS;
}

/* Insertion: a series has a dozen labels. */
static void sort_labels(struct relabel_labels *labels)
{
	for (size_t i = 1; i < labels->count; i++) {
		struct store_label label = labels->items[i];
		size_t at = i;
		for (; at > 0 && str_compare(labels->items[at - 1].name, label.name) > 0; at--)
			labels->items[at] = labels->items[at - 1];
		labels->items[at] = label;
	}
}

/* *ret_reason says so when a rule takes the series out. */
static int run_rules(const struct relabel *rules, struct relabel_labels *labels,
		     enum discard *ret_reason, struct err *err)
{
	bool keep = true;
	int rc = relabel_apply(rules, labels, &keep, err);

	if (rc != ERR_LIMIT && (rc || keep))
		return rc;
	*ret_reason = keep ? DISCARD_RELABEL_LIMIT : DISCARD_RELABEL;
	return 0;
}

/* They are about few names, so most series are spared the matching. */
static int run_built_in(const struct ingest_config *config, bool last,
			struct relabel_labels *labels, enum discard *ret_reason, struct err *err)
{
	struct str name = relabel_get(labels, STR("__name__"));

	if (!config->built_in || config->built_in_last != last)
		return 0;
	if (!str_starts_with(name, STR("godeltaprof_")) && !str_equal(name, STR("wall")) &&
	    relabel_get(labels, STR("__name_replaced__")).len == 0)
		return 0;
	return run_rules(config->built_in, labels, ret_reason, err);
}

/* DISCARDS: it may live. */
static int make_labels(struct series_set *set, struct relabel_labels *labels,
		       const struct profile_type *type, struct str service,
		       enum discard *ret_reason, struct err *err)
{
	int rc = add_rule_labels(set, labels, type, service, err);

	*ret_reason = DISCARDS;
	set->usage = (struct usage_match){.probability = 1};
	rc = rc ? rc : run_built_in(set->config, false, labels, ret_reason, err);
	rc = rc ? rc : run_rules(set->relabel, labels, ret_reason, err);
	if (rc || *ret_reason != DISCARDS)
		return rc;
	rc = run_built_in(set->config, true, labels, ret_reason, err);
	rc = rc ? rc : add_fixed_labels(set->config, labels, type, err);
	if (!rc && set->config->sample_types)
		rc = run_rules(set->config->sample_types, labels, ret_reason, err);
	if (rc || *ret_reason != DISCARDS)
		return rc;
	set->usage = usage_match(set->config->groups, labels);
	sort_labels(labels);
	*ret_reason = check_limits(set->config, labels);
	return 0;
}

/* ---- the set ---- */

/* Lengths and texts, so that different labels have different bytes. */
static struct str key_bytes(struct arena *arena, const struct relabel_labels *labels)
{
	size_t len = 0;
	char *key, *end;

	for (size_t i = 0; i < labels->count; i++)
		len += labels->items[i].name.len + labels->items[i].value.len + 2 * sizeof(size_t);
	key = end = arena_alloc(arena, len);
	for (size_t i = 0; key && i < labels->count; i++) {
		const struct store_label *label = &labels->items[i];
		memcpy(end, &label->name.len, sizeof(size_t));
		memcpy(end + sizeof(size_t), &label->value.len, sizeof(size_t));
		end += 2 * sizeof(size_t);
		memcpy(end, label->name.ptr, label->name.len);
		memcpy(end + label->name.len, label->value.ptr, label->value.len);
		end += label->name.len + label->value.len;
	}
	return (struct str){key, len};
}

bool series_is_refused(struct series_set *set, int64_t index)
{
	const struct ingest_config *config = set->config;
	struct series *series = &set->list[index];

	if (config->series > 0 && config->tenant_state && !series->seen) {
		series->seen = true;
		series->refused = !tenant_take_series(config->tenant_state, series->hash,
						      config->series, clock_mono_ns());
	}
	return series->refused;
}

static int append_series(struct series_set *set, const struct relabel_labels *labels,
			 struct str key, struct err *err)
{
	struct series *grown =
		arena_grow(set->arena, set->list, &set->cap, set->count + 1, sizeof(*grown));

	if (!grown)
		return no_memory(err);
	set->list = grown;
	grown[set->count++] = (struct series){.labels = labels->items,
					      .label_count = labels->count,
					      .hash = str_hash(key)};
	return 0;
}

int series_find(struct series_set *set, const struct relabel_labels *base,
		const struct profile_dict *dict, const uint32_t *attrs, uint32_t attr_count,
		const struct profile_type *type, int64_t *ret_series, enum discard *ret_reason,
		struct err *err)
{
	struct relabel_labels labels = {.arena = set->arena,
					.count = base->count,
					.cap = base->count};
	struct str service = STR(""), key;
	size_t max = labels_max(set->config);
	uint32_t id;
	int rc;

	*ret_series = SERIES_DISCARDED;
	*ret_reason = DISCARD_LABEL_NAMES;
	set->usage = (struct usage_match){.probability = 1};
	if (base->count > max)
		return 0;
	labels.items = arena_copy(set->arena, base->items, base->count * sizeof(*base->items));
	if (!labels.items)
		return no_memory(err);
	rc = add_sample_attrs(&labels, max, dict, attrs, attr_count, &service, err);
	if (rc || labels.count > max)
		return rc;
	rc = make_labels(set, &labels, type, service, ret_reason, err);
	if (rc || *ret_reason != DISCARDS)
		return rc;
	key = key_bytes(set->arena, &labels);
	rc = key.ptr ? strtab_intern(set->keys, key, &id, err) : no_memory(err);
	if (!rc && id > set->count)
		rc = append_series(set, &labels, key, err);
	if (rc)
		return rc;
	*ret_series = id - 1;
	return 0;
}

int series_reserve(struct series_set *set, int64_t series, size_t more, struct err *err)
{
	struct series *to = &set->list[series];
	struct store_sample *grown;

	grown = arena_grow(set->arena, to->samples, &to->sample_cap, to->sample_count + more,
			   sizeof(*grown));
	if (!grown)
		return no_memory(err);
	to->samples = grown;
	return 0;
}

int series_show(const struct series_set *set, struct store_batch *batch, struct err *err)
{
	struct store_series *rows = arena_zalloc(set->arena, set->count, sizeof(*rows));
	size_t count = 0;

	if (!rows)
		return no_memory(err);
	for (size_t i = 0; i < set->count; i++) {
		const struct series *series = &set->list[i];
		if (series->sample_count > 0)
			rows[count++] = (struct store_series){
				.labels = series->labels,
				.label_count = series->label_count,
				.samples = series->samples,
				.sample_count = series->sample_count,
			};
	}
	batch->series = rows;
	batch->series_count = count;
	return 0;
}
