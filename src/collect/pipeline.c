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
	log_warn("collect", "configuration", "what=\"%s\"", text);
}

static int decode_component(struct graph *graph, enum component_kind kind,
			    const struct config_entry *entry,
			    const struct component **ret_component, void **ret_config,
			    struct err *err)
{
	struct str type = id_type(entry->key);
	const struct component *component = component_find(kind, type);
	if (!component)
		return say_unknown(entry->value, kind, entry->key, graph->arena, err);
	if (!str_equal(type, str_of(component->type)))
		log_warn("collect", "deprecated alias", "alias=%.*s use=%s", STR_ARG(type),
			 component->type);
	void *config = arena_zalloc(graph->arena, 1, component->schema->size + 1);
	if (!config)
		return err_set(err, ERR_NOMEM, "configuration: no memory");
	struct config_decoder dec = {.arena = graph->arena,
				     .style = CONFIG_COLLECTOR,
				     .warn = warn_config};
	dec.root = arena_printf(graph->arena, "%s::%.*s", component_kind_section(kind),
				STR_ARG(entry->key))
			   .ptr;
	int rc = config_defaults(component->schema, graph->arena, config, err);
	if (!rc)
		rc = config_decode(&dec, component->schema, entry->value, config, err);
	*ret_component = component;
	*ret_config = config;
	return rc;
}

static const struct config_entry *find_entry(const struct config_node *section, struct str id)
{
	for (size_t i = 0; section && i < section->count; i++)
		if (str_equal(section->entries[i].key, id))
			return &section->entries[i];
	return NULL;
}

/* ---- instances ---- */

static int add_instance(struct graph *graph, enum component_kind kind,
			const struct config_entry *entry, struct instance **ret, struct err *err)
{
	void *grown = arena_grow(graph->arena, graph->instances, &graph->instance_cap,
				 graph->instance_count + 1, sizeof(struct instance));
	if (!grown)
		return err_set(err, ERR_NOMEM, "pipeline: no memory");
	graph->instances = grown;
	struct instance *instance = &graph->instances[graph->instance_count];
	*instance = (struct instance){.id = arena_str(graph->arena, entry->key)};
	int rc = decode_component(graph, kind, entry, &instance->component, &instance->config, err);
	if (rc)
		return rc;
	graph->instance_count++;
	*ret = instance;
	return 0;
}

static struct instance *find_instance(struct graph *graph, enum component_kind kind, struct str id)
{
	for (size_t i = 0; i < graph->instance_count; i++) {
		struct instance *instance = &graph->instances[i];
		if (instance->component->kind == kind && str_equal(instance->id, id))
			return instance;
	}
	return NULL;
}

static int create_instance(struct graph *graph, struct instance *instance, struct consumer next,
			   struct err *err)
{
	const struct component_settings settings = {.id = instance->id,
						    .config = instance->config,
						    .next = next,
						    .arena = graph->arena};
	int rc = instance->component->create(&settings, &instance->self, err);
	if (rc)
		return err_wrap(err, "failed to create \"%.*s\" %s", STR_ARG(instance->id),
				component_kind_name(instance->component->kind));
	instance->created = true;
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

/* The exporters of a pipeline, each created once however many pipelines name it. */
static int build_exporters(struct graph *graph, const struct config_node *section,
			   const struct pipeline_config *pipeline, struct consumer *ret,
			   struct err *err)
{
	struct fan_out *fan = NULL;
	int rc = make_fan_out(graph, pipeline->exporters.count, &fan, err);
	for (size_t i = 0; !rc && i < pipeline->exporters.count; i++) {
		struct str id = pipeline->exporters.items[i];
		const struct config_entry *entry = find_entry(section, id);
		if (!entry)
			return missing_reference(pipeline, COMPONENT_EXPORTER, id, err);
		struct instance *instance = find_instance(graph, COMPONENT_EXPORTER, id);
		if (!instance) {
			rc = add_instance(graph, COMPONENT_EXPORTER, entry, &instance, err);
			if (!rc)
				rc = create_instance(graph, instance, (struct consumer){0}, err);
		}
		if (!rc)
			fan->targets[fan->count++] =
				(struct consumer){instance->component->consume, instance->self};
	}
	if (!rc)
		*ret = consumer_of(fan);
	return rc;
}

/* From the last to the first, since each needs the next one. */
static int build_processors(struct graph *graph, const struct config_node *section,
			    const struct pipeline_config *pipeline, struct consumer *head,
			    struct err *err)
{
	int rc = 0;
	for (size_t i = pipeline->processors.count; !rc && i-- > 0;) {
		struct str id = pipeline->processors.items[i];
		const struct config_entry *entry = find_entry(section, id);
		struct instance *instance = NULL;
		if (!entry)
			return missing_reference(pipeline, COMPONENT_PROCESSOR, id, err);
		rc = add_instance(graph, COMPONENT_PROCESSOR, entry, &instance, err);
		if (!rc)
			rc = create_instance(graph, instance, *head, err);
		if (!rc)
			*head = (struct consumer){instance->component->consume, instance->self};
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
static int build_receiver(struct graph *graph, const struct config_entry *entry,
			  const struct pipeline_config *pipelines, const struct consumer *heads,
			  size_t count, struct err *err)
{
	struct fan_out *fan = NULL;
	struct instance *instance = NULL;
	int rc = make_fan_out(graph, count, &fan, err);
	for (size_t i = 0; !rc && i < count; i++)
		if (names_receiver(&pipelines[i], entry->key))
			fan->targets[fan->count++] = heads[i];
	if (rc || fan->count == 0)
		return rc;
	rc = add_instance(graph, COMPONENT_RECEIVER, entry, &instance, err);
	if (!rc)
		rc = create_instance(graph, instance, consumer_of(fan), err);
	return rc;
}

static int check_receivers(const struct config_node *section,
			   const struct pipeline_config *pipeline, struct err *err)
{
	for (size_t i = 0; i < pipeline->receivers.count; i++)
		if (!find_entry(section, pipeline->receivers.items[i]))
			return missing_reference(pipeline, COMPONENT_RECEIVER,
						 pipeline->receivers.items[i], err);
	return 0;
}

/* Also what no pipeline uses must be right. */
static int check_section(struct graph *graph, enum component_kind kind,
			 const struct config_node *section, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && section && i < section->count; i++) {
		const struct component *component = NULL;
		void *config = NULL;
		rc = decode_component(graph, kind, &section->entries[i], &component, &config, err);
	}
	return rc;
}

int graph_build(struct graph *graph, const struct config_node *const *sections,
		const struct pipeline_config *pipelines, size_t count, struct err *err)
{
	struct consumer *heads = arena_zalloc(graph->arena, count + 1, sizeof(*heads));
	int rc = heads ? 0 : err_set(err, ERR_NOMEM, "pipeline: no memory");
	for (int kind = COMPONENT_RECEIVER; !rc && kind <= COMPONENT_EXPORTER; kind++)
		rc = check_section(graph, (enum component_kind)kind, sections[kind], err);
	for (size_t i = 0; !rc && i < count; i++) {
		rc = check_receivers(sections[COMPONENT_RECEIVER], &pipelines[i], err);
		if (!rc)
			rc = build_exporters(graph, sections[COMPONENT_EXPORTER], &pipelines[i],
					     &heads[i], err);
		if (!rc)
			rc = build_processors(graph, sections[COMPONENT_PROCESSOR], &pipelines[i],
					      &heads[i], err);
	}
	const struct config_node *receivers = sections[COMPONENT_RECEIVER];
	for (size_t i = 0; !rc && receivers && i < receivers->count; i++)
		rc = build_receiver(graph, &receivers->entries[i], pipelines, heads, count, err);
	return rc;
}

/* ---- life ---- */

/* Receivers last: what they send must find everything running. */
static int start_kind(struct graph *graph, enum component_kind kind, struct err *err)
{
	for (size_t i = 0; i < graph->instance_count; i++) {
		struct instance *instance = &graph->instances[i];
		if (instance->component->kind != kind)
			continue;
		int rc = instance->component->start(instance->self, err);
		if (rc)
			return err_wrap(err, "failed to start \"%.*s\" %s", STR_ARG(instance->id),
					component_kind_name(kind));
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
		if (instance->component->kind != kind || !instance->started)
			continue;
		instance->component->stop(instance->self);
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
		if (graph->instances[i].created)
			graph->instances[i].component->destroy(graph->instances[i].self);
	graph->instance_count = 0;
}
