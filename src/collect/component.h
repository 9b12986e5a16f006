/* What a component is to the pipeline: one const descriptor in a folder of its
 * own, and one line in components.c. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "config/config.h"
#include "profile/profile.h"

enum component_kind {
	COMPONENT_RECEIVER,
	COMPONENT_PROCESSOR,
	COMPONENT_EXPORTER,
	COMPONENT_EXTENSION
};

/* Takes a batch that it may change but not keep. An error is for the log: the data did not get through,
 * and whoever dropped it has counted it. */
struct consumer {
	int (*consume)(void *self, struct profile_batch *batch, struct err *err);
	void *self;
};

/* What a component gets at its creation; all of it lives as long as the component. */
struct component_settings {
	struct str id;	      /* "otlp_grpc/primary" */
	const void *config;   /* the decoded struct of the descriptor's schema */
	struct consumer next; /* receivers and processors: where batches go */
	struct arena *arena;  /* memory of this configuration */
};

struct component {
	enum component_kind kind;
	const char *type;	      /* "otlp_grpc" */
	const char *deprecated_alias; /* "otlp", warned about; or NULL */
	const char *summary;
	const struct config_schema *schema;
	MUST_USE int (*create)(const struct component_settings *settings, void **ret,
			       struct err *err);
	MUST_USE int (*start)(void *self, struct err *err);
	/* Ends its threads; after it nothing of it runs. */
	void (*stop)(void *self);
	void (*destroy)(void *self);
	/* Exporters and processors. */
	int (*consume)(void *self, struct profile_batch *batch, struct err *err);
};

/* By kind and type or alias; NULL. */
const struct component *component_find(enum component_kind kind, struct str type);
/* "profiling, nop": the types of a kind, for messages. */
struct str component_types(enum component_kind kind, struct arena *arena);
/* Known in the Collector's distribution for profiles, but not built in (yet)? */
bool component_is_foreign(enum component_kind kind, struct str type);
const char *component_kind_name(enum component_kind kind);    /* "receiver" */
const char *component_kind_section(enum component_kind kind); /* "receivers" */
