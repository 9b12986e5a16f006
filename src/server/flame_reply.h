/* Private to server: trees on their way into messages. All is in the arena. */
#pragma once

#include "querier.pb-c.h"
#include "server/api.h"

MUST_USE int flame_reply_graph(struct arena *arena, const struct query_tree *tree,
			       Querier__V1__FlameGraph **ret, struct err *err);
MUST_USE int flame_reply_bytes(struct arena *arena, const struct query_tree *tree,
			       ProtobufCBinaryData *ret, struct err *err);
/* Graphviz' language; at most 100 functions unless max_nodes says otherwise. */
MUST_USE int flame_reply_dot(struct arena *arena, const struct query_tree *tree, struct str title,
			     uint64_t max_nodes, char **ret, struct err *err);
MUST_USE int flame_reply_diff(struct arena *arena, const struct query_diff *diff,
			      Querier__V1__FlameGraphDiff **ret, struct err *err);
MUST_USE int flame_reply_functions(struct arena *arena, const struct query_tree *tree,
				   uint64_t limit, Querier__V1__FunctionTable **ret,
				   struct err *err);
MUST_USE int flame_reply_sandwich(struct arena *arena, const struct query_tree *tree,
				  struct str function, uint64_t max_nodes,
				  Querier__V1__Sandwich **ret, struct err *err);
