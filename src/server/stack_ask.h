/* Private to server: what the methods that answer with stacks are asked for,
 * read from their messages, and the stacks that were asked for. */
#pragma once

#include "querier.pb-c.h"
#include "server/api.h"

struct stack_ask {
	struct query_type type;
	struct query_range range;
	uint64_t max_nodes;			       /* 0: all */
	const Types__V1__StackTraceSelector *selector; /* or NULL */
};

/* Ids as the clients send them, in hexadecimal or as UUIDs. */
struct stack_ids {
	char *const *items;
	size_t count;
};

/* Adds matchers on span_id or trace_id; none for an empty list. ERR_INVALID: not hexadecimal. */
MUST_USE int stack_ask_spans(const struct api_call *call, struct stack_ids ids,
			     struct query_range *range, struct err *err);
MUST_USE int stack_ask_traces(const struct api_call *call, struct stack_ids ids,
			      struct query_range *range, struct err *err);
/* Profiles by the ids that exemplars have. ERR_INVALID: no UUID. */
MUST_USE int stack_ask_profiles(const struct api_call *call, struct stack_ids ids,
				struct query_range *range, struct err *err);
/* The functions that stacks must begin with, in the range: for questions that do not see stacks. */
MUST_USE int stack_ask_call_sites(const struct api_call *call,
				  const Types__V1__StackTraceSelector *selector,
				  struct query_range *range, struct err *err);
/* Only samples that belong to some span. */
MUST_USE int stack_ask_any_span(const struct api_call *call, struct query_range *range,
				struct err *err);
/* 0 (and absent) means fallback. ERR_INVALID: negative, above limits.max_flamegraph_nodes_max. */
MUST_USE int stack_ask_nodes(const struct api_call *call, int64_t max_nodes, int64_t fallback,
			     uint64_t *ret, struct err *err);
/* The whole of a SelectMergeStacktraces request but its format. */
MUST_USE int stack_ask_read(const struct api_call *call,
			    const Querier__V1__SelectMergeStacktracesRequest *in,
			    int64_t fallback_nodes, struct stack_ask *ret, struct err *err);

/* Stacks, with frame_filter and call_site applied. */
MUST_USE int stack_ask_stacks(const struct api_call *call, const struct stack_ask *ask,
			      struct store_tree *ret, struct err *err);
/* The function tree of them, not folded. */
MUST_USE int stack_ask_tree(const struct api_call *call, const struct stack_ask *ask,
			    struct query_tree *ret, struct err *err);
