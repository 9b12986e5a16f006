/* Private to server: a batch under construction by those who send labels and
 * profiles by themselves (push.v1, /ingest). */
#pragma once

#include "server/ingest.h"
#include "wire/sink.h"

struct ingest_sink {
	struct arena *arena;
	struct profile_batch *batch;
	struct wire_limits limits;
	struct wire_sink wire; /* for the decoders */
};

/* Empty, in the arena; the sink must not move afterwards. */
MUST_USE int ingest_sink_init(const struct ingest *ingest, struct arena *arena,
			      struct ingest_sink *sink, struct err *err);
/* A series without labels; resource and scope are good until the next. */
MUST_USE int ingest_sink_series(struct ingest_sink *sink, struct profile_resource **ret_resource,
				struct profile_scope **ret_scope, struct err *err);
/* The first of a name counts. Left out: empty ones, and __session_id__ and __order__, which mean something
 * only to Pyroscope's own cluster. */
MUST_USE int ingest_sink_label(struct ingest_sink *sink, struct profile_resource *resource,
			       struct str name, struct str value, struct err *err);
/* Marks the profiles from first on as what came by these bytes, so that the same again is known as a retry,
 * and equal samples of another sender are not. */
void ingest_sink_identify(struct profile_scope *scope, size_t first, struct str who,
			  struct str bytes);
