/* Private to server: SelectMergeStacktraces' answer in its formats. */
#pragma once

#include "querier.pb-c.h"
#include "server/api.h"

/* Adds matchers for span_selector and trace_id_selector. ERR_INVALID: not hexadecimal. */
MUST_USE int flame_select_ids(const struct api_call *call,
			      const Querier__V1__SelectMergeStacktracesRequest *in,
			      struct query_selector *selector, struct err *err);
MUST_USE int flame_reply(const struct api_call *call, const struct query_range *range,
			 uint64_t max_nodes, const Querier__V1__SelectMergeStacktracesRequest *in,
			 Querier__V1__SelectMergeStacktracesResponse *out, struct err *err);
