/* The graph of one configuration: components that run, in start order, and
 * which pipeline hands what to whom. Built by graph_build() from the checked
 * configuration; one-way: receivers -> processors -> exporters. */
#pragma once

#include "collect/component.h"

/* What a section of the configuration declares, decoded once however often it is used. */
struct declaration {
	const struct component *component;
	struct str id;	    /* "otlp_grpc/primary" */
	const void *config; /* decoded */
};

/* A declared component that a pipeline uses. */
struct instance {
	const struct declaration *declared;
	void *self;
	bool started;
};

/* Hands a batch to several consumers; each sees it in turn. The first error is returned, the others go on. */
struct fan_out {
	struct consumer *targets;
	size_t count;
};

struct pipeline_config {
	struct str id; /* "profiles", "profiles/2" */
	const struct config_node *node;
	struct config_strings receivers, processors, exporters;
};

struct graph {
	struct arena *arena;
	struct declaration *declared;
	size_t declared_count, declared_cap;
	struct instance *instances;
	size_t instance_count, instance_cap;
};

/* sections: the nodes of receivers:, processors:, exporters: (by enum component_kind). Components that no
 * pipeline names are checked, not created. */
MUST_USE int graph_build(struct graph *graph, const struct config_node *const *sections,
			 const struct pipeline_config *pipelines, size_t count, struct err *err);
MUST_USE int graph_start(struct graph *graph, struct err *err);
/* Receivers first. */
void graph_stop(struct graph *graph);
void graph_destroy(struct graph *graph);
