/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/service.h"

#include "collect/pipeline.h"

static const char *const levels[] = {"debug", "info", "warn",  "error", "DEBUG",
				     "INFO",  "WARN", "ERROR", NULL};

static const struct config_row service_rows[] = {
	{.key = "pipelines",
	 .type = CONFIG_TREE,
	 CONFIG_FIELD(service_config, pipelines),
	 .help = "who hands profiles to whom"},
	{.key = "extensions",
	 .type = CONFIG_STRINGS,
	 CONFIG_FIELD(service_config, extensions),
	 .help = "extensions to start; there are none yet"},
	{.key = "telemetry.logs.level",
	 .type = CONFIG_ENUM,
	 CONFIG_FIELD(service_config, logs.level),
	 .fallback = "info",
	 .choices = levels,
	 .help = "how much the agent says"},
	{.key = "telemetry.metrics",
	 .type = CONFIG_TREE,
	 CONFIG_FIELD(service_config, metrics),
	 .help = "accepted, of no effect"},
	{.key = "telemetry.traces",
	 .type = CONFIG_TREE,
	 CONFIG_FIELD(service_config, traces),
	 .help = "accepted, of no effect"},
	{.key = "telemetry.resource",
	 .type = CONFIG_TREE,
	 CONFIG_FIELD(service_config, resource),
	 .help = "accepted, of no effect"},
};

static const struct config_schema service_schema =
	CONFIG_SCHEMA("service", service_config, service_rows, .help = "what runs");

#define TOP(name) CONFIG_FIELD(top_config, name)

static const struct config_row top_rows[] = {
	{.key = "receivers",
	 .type = CONFIG_TREE,
	 TOP(receivers),
	 .help = "where profiles come from"},
	{.key = "processors", .type = CONFIG_TREE, TOP(processors), .help = "what changes them"},
	{.key = "exporters", .type = CONFIG_TREE, TOP(exporters), .help = "where they go"},
	{.key = "connectors", .type = CONFIG_TREE, TOP(connectors), .help = "none exist here"},
	{.key = "extensions",
	 .type = CONFIG_TREE,
	 TOP(extensions),
	 .help = "beside the pipelines; there are none yet"},
	{.key = "service",
	 .type = CONFIG_SECTION,
	 TOP(service),
	 .section = &service_schema,
	 .help = "what runs"},
};

const struct config_schema service_top_schema =
	CONFIG_SCHEMA(NULL, top_config, top_rows, .help = "the agent's configuration");

#define PIPELINE(name) CONFIG_FIELD(pipeline_config, name)

static const struct config_row pipeline_rows[] = {
	{.key = "receivers", .type = CONFIG_STRINGS, PIPELINE(receivers), .help = "at least one"},
	{.key = "processors",
	 .type = CONFIG_STRINGS,
	 PIPELINE(processors),
	 .help = "in this order"},
	{.key = "exporters", .type = CONFIG_STRINGS, PIPELINE(exporters), .help = "at least one"},
};

const struct config_schema service_pipeline_schema =
	CONFIG_SCHEMA("pipeline", pipeline_config, pipeline_rows, .help = "one pipeline");
