/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of components: the one place to add a line for a new one. */
#include "collect/component.h"
#include "collect/exporters/nop/nop.h"
#include "collect/exporters/otlp_grpc/otlp_grpc.h"
#include "collect/receivers/profiling/profiling.h"

static const struct component *const components[] = {
	&receiver_profiling,
	&exporter_otlp_grpc,
	&exporter_nop,
};

/* What otelcol-ebpf-profiler carries beside those (its release manifest, v0.159.0). */
static const struct {
	enum component_kind kind;
	const char *type;
} foreign[] = {
	{COMPONENT_RECEIVER, "nop"},
	{COMPONENT_RECEIVER, "otlp"},
	{COMPONENT_PROCESSOR, "batch"},
	{COMPONENT_PROCESSOR, "memory_limiter"},
	{COMPONENT_PROCESSOR, "k8s_attributes"},
	{COMPONENT_PROCESSOR, "k8sattributes"},
	{COMPONENT_PROCESSOR, "resourcedetection"},
	{COMPONENT_PROCESSOR, "resource"},
	{COMPONENT_PROCESSOR, "transform"},
	{COMPONENT_PROCESSOR, "filter"},
	{COMPONENT_EXPORTER, "debug"},
	{COMPONENT_EXPORTER, "otlp_http"},
	{COMPONENT_EXPORTER, "otlphttp"},
	{COMPONENT_EXPORTER, "file"},
	{COMPONENT_EXTENSION, "health_check"},
	{COMPONENT_EXTENSION, "pprof"},
	{COMPONENT_EXTENSION, "opamp"},
	{COMPONENT_EXTENSION, "zpages"},
};

enum {
	COMPONENTS = sizeof(components) / sizeof(components[0]),
	FOREIGN = sizeof(foreign) / sizeof(foreign[0])
};

const struct component *component_find(enum component_kind kind, struct str type)
{
	for (size_t i = 0; i < COMPONENTS; i++) {
		const struct component *c = components[i];
		if (c->kind != kind)
			continue;
		if (str_equal(str_of(c->type), type) ||
		    (c->deprecated_alias && str_equal(str_of(c->deprecated_alias), type)))
			return c;
	}
	return NULL;
}

struct str component_types(enum component_kind kind, struct arena *arena)
{
	struct str out = STR("");
	for (size_t i = 0; i < COMPONENTS; i++)
		if (components[i]->kind == kind)
			out = arena_printf(arena, "%.*s%s%s", STR_ARG(out), out.len ? ", " : "",
					   components[i]->type);
	return out.len ? out : STR("none");
}

bool component_is_foreign(enum component_kind kind, struct str type)
{
	for (size_t i = 0; i < FOREIGN; i++)
		if (foreign[i].kind == kind && str_equal(str_of(foreign[i].type), type))
			return true;
	return false;
}

const char *component_kind_name(enum component_kind kind)
{
	static const char *const names[] = {"receiver", "processor", "exporter", "extension"};
	return names[kind];
}

const char *component_kind_section(enum component_kind kind)
{
	static const char *const names[] = {"receivers", "processors", "exporters", "extensions"};
	return names[kind];
}
