/* The pipeline, as an OpenTelemetry Collector has it: receivers make profiles,
 * processors change them, exporters send them on. Configured by the
 * Collector's YAML; one `struct collect` is one running configuration.
 *
 * Load checks everything that can be checked without starting; start brings up
 * exporters, then processors, then receivers; stop goes the other way, receivers
 * first, and drains the exporters' queues once. All three are called from one
 * thread; the components run threads of their own. */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct collect_options {
	/* --config, merged in order: "PATH", "file:PATH", "yaml:TEXT", "env:NAME". */
	const char *const *configs;
	size_t config_count;
	const char *const *sets; /* --set key=value, applied last */
	size_t set_count;
	const char *const *feature_gates; /* --feature-gates, each a comma list of [+-]NAME */
	size_t feature_gate_count;
};

struct collect;

/* Reads, merges, expands, checks and builds. The error names file, line and key, and uses the Collector's
 * words where it has some. */
MUST_USE int collect_load(const struct collect_options *options, struct collect **ret,
			  struct err *err);
MUST_USE int collect_start(struct collect *collect, struct err *err);
/* Stops what runs and frees everything. NULL is fine. */
void collect_stop(struct collect *collect);
