/* The agent's configuration beside its components: the top of the file, `service`, and what a pipeline is.
 * Keys of the Collector (service/config.go). */
#pragma once

#include "config/config.h"

struct logs_config {
	int level;
};

struct service_config {
	const struct config_node *pipelines;
	struct config_strings extensions;
	struct logs_config logs;
	const struct config_node *metrics, *traces, *resource;
};

struct top_config {
	const struct config_node *receivers, *processors, *exporters, *connectors, *extensions;
	struct service_config service;
};

extern const struct config_schema service_top_schema;	   /* struct top_config */
extern const struct config_schema service_pipeline_schema; /* struct pipeline_config */
