/* Private to server: JFR by /ingest, by itself or as a form with the fields jfr
 * and labels. */
#pragma once

#include "server/ingest_legacy.h"

MUST_USE int legacy_jfr(struct ingest_sink *sink, const struct legacy_request *request,
			struct str body, struct err *err);
