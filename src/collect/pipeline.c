/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/pipeline.h"

#include "base/log.h"

/* ---- which component an id means ---- */

static struct str id_type(struct str id)
{
	ptrdiff_t slash = str_find_char(id, '/');
	return str_trim(slash < 0 ? id : str_sub(id, 0, (size_t)slash));
}

static int say_unknown(const struct config_node *node, enum component_kind kind, struct str id,
		       struct arena *arena, struct err *err)
{
	struct str type = id_type(id);
	const char *name = component_kind_name(kind);
	if (component_is_foreign(kind, type))
		return config_err(node, err, ERR_UNSUPPORTED,
				  "'%s' %.*s: the %s \"%.*s\" is not in this version of Cresset "
				  "yet; "
				  "take it out of the configuration (there are: %.*s)",
				  component_kind_section(kind), STR_ARG(id), name, STR_ARG(type),
				  STR_ARG(component_types(kind, arena)));
	return config_err(node, err, ERR_INVALID,
			  "'%s' unknown type: \"%.*s\" for id: \"%.*s\" (valid values: [%.*s])",
			  component_kind_section(kind), STR_ARG(type), STR_ARG(id),
			  STR_ARG(component_types(kind, arena)));
}

static void warn_config(void *data, const char *text)
{
	(void)data;
	log_warn("collect", "configuration", "what=" LOG_Q, LOG_TEXT(text));
}

/* "type" or "type/name", neither part empty (component/identifiable.go of the Collector). */
static int check_id(const struct config_node *node, enum component_kind kind, struct str id,
		    struct err *err)
{
	ptrdiff_t slash = str_find_char(id, '/');
	struct str name = slash < 0 ? id : str_trim(str_sub(id, (size_t)slash + 1, id.len));
	if (id_type(id).len == 0)
		return config_err(node, err, ERR_INVALID,
				  "'%s' in \"%.*s\" id: the part before / should not be empty",
				  component_kind_section(kind), STR_ARG(id));
	if (name.len == 0)
		return config_err(node, err, ERR_INVALID,
				  "'%s' in \"%.*s\" id: the part after / should not be empty",
				  component_kind_section(kind), STR_ARG(id));
	return 0;
}

static int decode_config(struct graph *graph, const struct component *component,
			 const struct config_entry *entry, const void **ret, struct err *err)
{
	struct config_decoder dec = {.arena = graph->arena,
				     .style = CONFIG_COLLECTOR,
				     .warn = warn_config};
	dec.root = arena_printf(graph->arena, "%s::%.*s", component_kind_section(component->kind),
				STR_ARG(entry->key))
			   .ptr;
	void *config = arena_zalloc(graph->arena, 1, component->schema->size + 1);
	if (!config || !dec.root)
		return err_set(err, ERR_NOMEM, "configuration: no memory");
	int rc = config_defaults(component->schema, graph->arena, config, err);
	if (!rc)
		rc = config_decode(&dec, component->schema, entry->value, config, err);
	*ret = config;
	return rc;
}

static int declare(struct graph *graph, enum component_kind kind, const struct config_entry *entry,
		   struct err *err)
{
	struct str type = id_type(entry->key);
	const struct component *component = component_find(kind, type);
	int rc = check_id(entry->value, kind, entry->key, err);
	if (rc)
		return rc;
	if (!component)
		return say_unknown(entry->value, kind, entry->key, graph->arena, err);
	if (!str_equal(type, str_of(component->type)))
		log_warn("collect", "deprecated alias", "alias=%.*s use=%s", STR_ARG(type),
			 component->type);
	struct declaration declared = {.component = component,
				       .id = arena_str(graph->arena, entry->key)};
	rc = decode_config(graph, component, entry, &declared.config, err);
	if (rc)
		return rc;
	void *grown = arena_grow(graph->arena, graph->declared, &graph->declared_cap,
				 graph->declared_count + 1, sizeof(*graph->declared));
	if (!grown || !declared.id.ptr)
		return err_set(err, ERR_NOMEM, "configuration: no memory");
	graph->declared = grown;
	graph->declared[graph->declared_count++] = declared;
	return 0;
}

/* Also what no pipeline uses must be right. */
static int declare_section(struct graph *graph, enum component_kind kind,
			   const struct config_node *section, struct err *err)
{
	int rc = 0;
	if (section && section->kind != CONFIG_MAP && section->kind != CONFIG_NULL)
		return config_err(section, err, ERR_INVALID,
				  "key \"%s\": is not a map (expected ids with their "
				  "configuration below them, as in \"%s: {}\")",
				  component_kind_section(kind),
				  kind == COMPONENT_RECEIVER ? "profiling" : "otlp_grpc");
	for (size_t i = 0; !rc && section && i < section->count; i++)
		rc = declare(graph, kind, &section->entries[i], err);
	return rc;
}

static const struct declaration *find_declared(const struct graph *graph, enum component_kind kind,
					       struct str id)
{
	for (size_t i = 0; i < graph->declared_count; i++)
		if (graph->declared[i].component->kind == kind &&
		    str_equal(graph->declared[i].id, id))
			return &graph->declared[i];
	return NULL;
}

/* ---- instances ---- */

static struct instance *find_instance(struct graph *graph, const struct declaration *declared)
{
	for (size_t i = 0; i < graph->instance_count; i++)
		if (graph->instances[i].declared == declared)
			return &graph->instances[i];
	return NULL;
}

/* *ret is good until the next one is created. */
static int create_instance(struct graph *graph, const struct declaration *declared,
			   struct consumer next, struct instance **ret, struct err *err)
{
	void *grown = arena_grow(graph->arena, graph->instances, &graph->instance_cap,
				 graph->instance_count + 1, sizeof(struct instance));
	if (!grown)
		return err_set(err, ERR_NOMEM, "pipeline: no memory");
	graph->instances = grown;
	struct instance *instance = &graph->instances[graph->instance_count];
	const struct component_settings settings = {.id = declared->id,
						    .config = declared->config,
						    .next = next,
						    .arena = graph->arena};
	*instance = (struct instance){.declared = declared};
	int rc = declared->component->create(&settings, &instance->self, err);
	if (rc) {
		(void)err_wrap(err, "failed to create \"%.*s\" %s", STR_ARG(declared->id),
			       component_kind_name(declared->component->kind));
		return rc;
	}
	graph->instance_count++;
	*ret = instance;
	return 0;
}

static int missing_reference(const struct pipeline_config *pipeline, enum component_kind kind,
			     struct str id, struct err *err)
{
	return config_err(pipeline->node, err, ERR_INVALID,
			  "service::pipelines::%.*s: references %s \"%.*s\" which is not "
			  "configured",
			  STR_ARG(pipeline->id), component_kind_name(kind), STR_ARG(id));
}

/* ---- consumers ---- */

static int fan_out_consume(void *ptr, struct profile_batch *batch, struct err *err)
{
	const struct fan_out *fan = ptr;
	int first = 0;
	for (size_t i = 0; i < fan->count; i++) {
		int rc = fan->targets[i].consume(fan->targets[i].self, batch, first ? NULL : err);
		if (rc && !first)
			first = rc;
	}
	return first;
}

static int make_fan_out(struct graph *graph, size_t max, struct fan_out **ret, struct err *err)
{
	struct fan_out *fan = arena_zalloc(graph->arena, 1, sizeof(*fan));
	if (fan)
		fan->targets = arena_zalloc(graph->arena, max + 1, sizeof(*fan->targets));
	if (!fan || !fan->targets)
		return err_set(err, ERR_NOMEM, "pipeline: no memory");
	*ret = fan;
	return 0;
}

static struct consumer consumer_of(const struct fan_out *fan)
{
	if (fan->count == 1)
		return fan->targets[0];
	return (struct consumer){fan_out_consume, (void *)(uintptr_t)fan};
}

static struct consumer instance_consumer(const struct instance *instance)
{
	return (struct consumer){instance->declared->component->consume, instance->self};
}

static bool named_before(const struct config_strings *ids, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (str_equal(ids->items[i], ids->items[at]))
			return true;
	return false;
}

/* The exporters of a pipeline, each created once however many pipelines name it; one that a pipeline names
 * twice gets each batch once. */
static int build_exporters(struct graph *graph, const struct pipeline_config *pipeline,
			   struct consumer *ret, struct err *err)
{
	const struct config_strings *ids = &pipeline->exporters;
	struct fan_out *fan = NULL;
	int rc = make_fan_out(graph, ids->count, &fan, err);
	for (size_t i = 0; !rc && i < ids->count; i++) {
		const struct declaration *declared =
			find_declared(graph, COMPONENT_EXPORTER, ids->items[i]);
		if (!declared)
			return missing_reference(pipeline, COMPONENT_EXPORTER, ids->items[i], err);
		if (named_before(ids, i))
			continue;
		struct instance *instance = find_instance(graph, declared);
		if (!instance)
			rc = create_instance(graph, declared, (struct consumer){0}, &instance, err);
		if (!rc)
			fan->targets[fan->count++] = instance_consumer(instance);
	}
	if (!rc)
		*ret = consumer_of(fan);
	return rc;
}

/* From the last to the first, since each needs the next one. */
static int build_processors(struct graph *graph, const struct pipeline_config *pipeline,
			    struct consumer *head, struct err *err)
{
	const struct config_strings *ids = &pipeline->processors;
	int rc = 0;
	for (size_t i = ids->count; !rc && i-- > 0;) {
		const struct declaration *declared =
			find_declared(graph, COMPONENT_PROCESSOR, ids->items[i]);
		struct instance *instance = NULL;
		if (!declared)
			return missing_reference(pipeline, COMPONENT_PROCESSOR, ids->items[i], err);
		rc = create_instance(graph, declared, *head, &instance, err);
		if (!rc)
			*head = instance_consumer(instance);
	}
	return rc;
}

static bool names_receiver(const struct pipeline_config *pipeline, struct str id)
{
	for (size_t i = 0; i < pipeline->receivers.count; i++)
		if (str_equal(pipeline->receivers.items[i], id))
			return true;
	return false;
}

/* One receiver feeds every pipeline that names it. */
static int build_receiver(struct graph *graph, const struct declaration *declared,
			  const struct pipeline_config *pipelines, const struct consumer *heads,
			  size_t count, struct err *err)
{
	struct fan_out *fan = NULL;
	struct instance *instance = NULL;
	int rc = make_fan_out(graph, count, &fan, err);
	for (size_t i = 0; !rc && i < count; i++)
		if (names_receiver(&pipelines[i], declared->id))
			fan->targets[fan->count++] = heads[i];
	if (rc || fan->count == 0)
		return rc;
	return create_instance(graph, declared, consumer_of(fan), &instance, err);
}

static int build_receivers(struct graph *graph, const struct pipeline_config *pipelines,
			   const struct consumer *heads, size_t count, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < graph->declared_count; i++)
		if (graph->declared[i].component->kind == COMPONENT_RECEIVER)
			rc = build_receiver(graph, &graph->declared[i], pipelines, heads, count,
					    err);
	return rc;
}

static int check_pipeline(const struct graph *graph, const struct pipeline_config *pipeline,
			  struct err *err)
{
	for (size_t i = 0; i < pipeline->receivers.count; i++)
		if (!find_declared(graph, COMPONENT_RECEIVER, pipeline->receivers.items[i]))
			return missing_reference(pipeline, COMPONENT_RECEIVER,
						 pipeline->receivers.items[i], err);
	for (size_t i = 0; i < pipeline->processors.count; i++)
		if (named_before(&pipeline->processors, i))
			return config_err(pipeline->node, err, ERR_INVALID,
					  "service::pipelines::%.*s: references processor \"%.*s\" "
					  "multiple times",
					  STR_ARG(pipeline->id),
					  STR_ARG(pipeline->processors.items[i]));
	return 0;
}

int graph_build(struct graph *graph, const struct config_node *const *sections,
		const struct pipeline_config *pipelines, size_t count, struct err *err)
{
	struct consumer *heads = arena_zalloc(graph->arena, count + 1, sizeof(*heads));
	int rc = heads ? 0 : err_set(err, ERR_NOMEM, "pipeline: no memory");
	for (int kind = COMPONENT_RECEIVER; !rc && kind <= COMPONENT_EXPORTER; kind++)
		rc = declare_section(graph, (enum component_kind)kind, sections[kind], err);
	for (size_t i = 0; !rc && i < count; i++) {
		rc = check_pipeline(graph, &pipelines[i], err);
		if (!rc)
			rc = build_exporters(graph, &pipelines[i], &heads[i], err);
		if (!rc)
			rc = build_processors(graph, &pipelines[i], &heads[i], err);
	}
	return rc ? rc : build_receivers(graph, pipelines, heads, count, err);
}

/* ---- life ---- */

/* Receivers last: what they send must find everything running. */
static int start_kind(struct graph *graph, enum component_kind kind, struct err *err)
{
	for (size_t i = 0; i < graph->instance_count; i++) {
		struct instance *instance = &graph->instances[i];
		const struct declaration *declared = instance->declared;
		if (declared->component->kind != kind)
			continue;
		int rc = declared->component->start(instance->self, err);
		if (rc) {
			(void)err_wrap(err, "failed to start \"%.*s\" %s", STR_ARG(declared->id),
				       component_kind_name(kind));
			return rc;
		}
		instance->started = true;
	}
	return 0;
}

int graph_start(struct graph *graph, struct err *err)
{
	int rc = start_kind(graph, COMPONENT_EXPORTER, err);
	if (!rc)
		rc = start_kind(graph, COMPONENT_PROCESSOR, err);
	if (!rc)
		rc = start_kind(graph, COMPONENT_RECEIVER, err);
	return rc;
}

static void stop_kind(struct graph *graph, enum component_kind kind)
{
	for (size_t i = 0; i < graph->instance_count; i++) {
		struct instance *instance = &graph->instances[i];
		const struct component *component = instance->declared->component;
		if (component->kind != kind || !instance->started)
			continue;
		component->stop(instance->self);
		instance->started = false;
	}
}

void graph_stop(struct graph *graph)
{
	stop_kind(graph, COMPONENT_RECEIVER);
	stop_kind(graph, COMPONENT_PROCESSOR);
	stop_kind(graph, COMPONENT_EXPORTER);
}

void graph_destroy(struct graph *graph)
{
	for (size_t i = graph->instance_count; i-- > 0;)
		graph->instances[i].declared->component->destroy(graph->instances[i].self);
	graph->instance_count = 0;
}
