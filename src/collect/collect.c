/* SPDX-License-Identifier: Apache-2.0
 *
 * From --config to a running graph. Words and error texts follow the
 * OpenTelemetry Collector (v0.159.0, otelcol/config.go, service/pipelines). */
#include "collect/collect.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "collect/gates.h"
#include "collect/pipeline.h"
#include "collect/service.h"

enum { CONFIG_MEMORY_BYTES = 64 * 1024 * 1024, PIPELINES_MAX = 64 };

struct collect {
	struct arena arena;
	struct graph graph;
};

static void warn_config(void *data, const char *text)
{
	(void)data;
	log_warn("collect", "configuration", "what=" LOG_Q, LOG_TEXT(text));
}

/* ---- reading ---- */

static int read_source(struct arena *arena, const char *source, struct config_node **ret,
		       struct err *err)
{
	struct str text = str_of(source);
	if (str_starts_with(text, STR("yaml:")))
		return config_parse(arena, "yaml", str_sub(text, 5, text.len), ret, err);
	if (str_starts_with(text, STR("env:"))) {
		const char *value = getenv(source + 4);
		if (!value)
			return err_set(err, ERR_NOT_FOUND,
				       "--config=%s: environment variable %s is not set", source,
				       source + 4);
		return config_parse(arena, source, str_of(value), ret, err);
	}
	if (str_starts_with(text, STR("http:")) || str_starts_with(text, STR("https:")))
		return err_set(err, ERR_UNSUPPORTED,
			       "--config=%s: configurations are not fetched from the network; "
			       "give a file",
			       source);
	return config_parse_file(arena, str_starts_with(text, STR("file:")) ? source + 5 : source,
				 ret, err);
}

static int read_all(const struct collect_options *options, struct arena *arena,
		    struct config_node **ret, struct err *err)
{
	struct config_node *root = NULL;
	const struct config_env env = {.warn = warn_config};
	if (options->config_count == 0)
		return err_set(err, ERR_INVALID,
			       "at least one config flag must be provided (--config=FILE)");
	for (size_t i = 0; i < options->config_count; i++) {
		struct config_node *tree = NULL;
		int rc = read_source(arena, options->configs[i], &tree, err);
		if (!rc)
			rc = config_split_keys(arena, tree, err);
		if (!rc)
			rc = config_merge(arena, &root, tree, err);
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < options->set_count; i++) {
		int rc = config_set(arena, &root, options->sets[i], err);
		if (rc)
			return rc;
	}
	*ret = root; /* NULL when every source is empty */
	return root ? config_expand(arena, root, &env, err) : 0;
}

/* ---- checking ---- */

static int check_gate(const struct config_node *node, const struct gates *gates, struct err *err)
{
	if (gates->profiles)
		return 0;
	return config_err(node, err, ERR_INVALID,
			  "service::pipelines: pipeline \"profiles\": profiling signal support is "
			  "at alpha level, gated under the \"service.profilesSupport\" feature "
			  "gate "
			  "(add --feature-gates=service.profilesSupport)");
}

static int check_signal(const struct config_entry *entry, const struct gates *gates,
			struct err *err)
{
	ptrdiff_t slash = str_find_char(entry->key, '/');
	struct str signal = slash < 0 ? entry->key : str_sub(entry->key, 0, (size_t)slash);
	if (str_equal(signal, STR("profiles")))
		return check_gate(entry->value, gates, err);
	if (str_equal(signal, STR("traces")) || str_equal(signal, STR("metrics")) ||
	    str_equal(signal, STR("logs")))
		return config_err(entry->value, err, ERR_UNSUPPORTED,
				  "service::pipelines::%.*s: Cresset carries profiles only",
				  STR_ARG(entry->key));
	return config_err(entry->value, err, ERR_INVALID,
			  "service::pipelines: unknown pipeline signal: \"%.*s\"", STR_ARG(signal));
}

static int decode_pipeline(struct arena *arena, const struct config_entry *entry,
			   struct pipeline_config *ret, struct err *err)
{
	struct config_decoder dec = {.arena = arena,
				     .style = CONFIG_COLLECTOR,
				     .warn = warn_config};
	dec.root = arena_printf(arena, "service::pipelines::%.*s", STR_ARG(entry->key)).ptr;
	*ret = (struct pipeline_config){0};
	int rc = config_decode(&dec, &service_pipeline_schema, entry->value, ret, err);
	if (rc)
		return rc;
	ret->id = entry->key;
	ret->node = entry->value;
	if (ret->receivers.count == 0 || ret->exporters.count == 0)
		return config_err(entry->value, err, ERR_INVALID,
				  "service::pipelines::%.*s: must have at least one %s",
				  STR_ARG(entry->key),
				  ret->receivers.count == 0 ? "receiver" : "exporter");
	return 0;
}

static int decode_pipelines(struct arena *arena, const struct top_config *top,
			    const struct gates *gates, struct pipeline_config *pipelines,
			    size_t *ret_count, struct err *err)
{
	const struct config_node *node = top->service.pipelines;
	if (node && node->kind != CONFIG_MAP && node->kind != CONFIG_NULL)
		return config_err(node, err, ERR_INVALID,
				  "key \"service::pipelines\": is not a map (expected pipelines as "
				  "\"profiles: {receivers: [...], exporters: [...]}\")");
	*ret_count = node ? node->count : 0;
	if (*ret_count == 0)
		return err_set(err, ERR_INVALID,
			       "service::pipelines: service must have at least one pipeline");
	if (*ret_count > PIPELINES_MAX)
		return err_set(err, ERR_LIMIT, "service::pipelines: more than %d", PIPELINES_MAX);
	int rc = 0;
	for (size_t i = 0; !rc && i < *ret_count; i++) {
		rc = check_signal(&node->entries[i], gates, err);
		if (!rc)
			rc = decode_pipeline(arena, &node->entries[i], &pipelines[i], err);
	}
	return rc;
}

/* Extensions and connectors: none are built in yet, so the first one named is refused. */
static int refuse_foreign(const struct top_config *top, struct err *err)
{
	if (top->extensions && top->extensions->count > 0)
		return config_err(top->extensions->entries[0].value, err, ERR_UNSUPPORTED,
				  "'extensions' %.*s: there are no extensions in this version of "
				  "Cresset yet; take it out of the configuration",
				  STR_ARG(top->extensions->entries[0].key));
	if (top->service.extensions.count > 0)
		return err_set(err, ERR_INVALID,
			       "service::extensions: references extension \"%.*s\" which is not "
			       "configured",
			       STR_ARG(top->service.extensions.items[0]));
	if (top->connectors && top->connectors->count > 0)
		return config_err(top->connectors->entries[0].value, err, ERR_UNSUPPORTED,
				  "'connectors' %.*s: there are no connectors in Cresset",
				  STR_ARG(top->connectors->entries[0].key));
	return 0;
}

/* A scalar is not empty but wrong, which is said where the section is read. */
static bool is_empty(const struct config_node *section)
{
	return !section || (section->kind != CONFIG_SCALAR && section->count == 0);
}

static int check_sections(const struct top_config *top, struct err *err)
{
	if (is_empty(top->receivers))
		return err_set(err, ERR_INVALID,
			       "invalid configuration: no receiver configuration specified in "
			       "config");
	if (is_empty(top->exporters))
		return err_set(err, ERR_INVALID,
			       "invalid configuration: no exporter configuration specified in "
			       "config");
	return refuse_foreign(top, err);
}

static int build(struct collect *collect, const struct top_config *top, const struct gates *gates,
		 struct err *err)
{
	const struct config_node *sections[] = {
		[COMPONENT_RECEIVER] = top->receivers,
		[COMPONENT_PROCESSOR] = top->processors,
		[COMPONENT_EXPORTER] = top->exporters,
	};
	struct pipeline_config pipelines[PIPELINES_MAX];
	size_t count = 0;
	int rc = check_sections(top, err);
	if (!rc)
		rc = decode_pipelines(&collect->arena, top, gates, pipelines, &count, err);
	if (!rc)
		rc = graph_build(&collect->graph, sections, pipelines, count, err);
	return rc;
}

static int load(struct collect *collect, const struct collect_options *options, struct err *err)
{
	struct gates gates;
	struct config_node *root = NULL;
	struct top_config top = {0};
	struct config_decoder dec = {.arena = &collect->arena,
				     .style = CONFIG_COLLECTOR,
				     .warn = warn_config};
	int rc = gates_parse(options->feature_gates, options->feature_gate_count, &gates, err);
	if (!rc)
		rc = read_all(options, &collect->arena, &root, err);
	if (!rc)
		rc = config_defaults(&service_top_schema, &collect->arena, &top, err);
	if (!rc)
		rc = config_decode(&dec, &service_top_schema, root, &top, err);
	if (!rc)
		log_set_level((enum log_level)(top.service.logs.level % 4));
	if (!rc)
		rc = build(collect, &top, &gates, err);
	return rc;
}

int collect_load(const struct collect_options *options, struct collect **ret, struct err *err)
{
	struct collect *collect = mem_zalloc(1, sizeof(*collect));
	if (!collect)
		return err_set(err, ERR_NOMEM, "no memory for the configuration");
	arena_init(&collect->arena, CONFIG_MEMORY_BYTES);
	collect->graph.arena = &collect->arena;
	int rc = load(collect, options, err);
	if (rc) {
		collect_stop(collect);
		return rc;
	}
	*ret = collect;
	return 0;
}

int collect_start(struct collect *collect, struct err *err)
{
	return graph_start(&collect->graph, err);
}

void collect_stop(struct collect *collect)
{
	if (!collect)
		return;
	graph_stop(&collect->graph);
	graph_destroy(&collect->graph);
	arena_deinit(&collect->arena);
	mem_free(collect);
}
