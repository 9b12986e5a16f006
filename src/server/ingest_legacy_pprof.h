/* Private to server: pprof by /ingest, by itself or as a form with the fields
 * profile, prev_profile and sample_type_config. */
#pragma once

#include "server/ingest_legacy.h"

MUST_USE int legacy_pprof(struct ingest_sink *sink, const struct legacy_request *request,
			  struct str body, struct err *err);
/* A series with the labels that every format of /ingest gives; app names the service. __name__ is the
 * caller's to add. */
MUST_USE int legacy_series(struct ingest_sink *sink, const struct legacy_request *request,
			   struct str app, struct profile_resource **ret_resource,
			   struct profile_scope **ret_scope, struct err *err);
