/* A flame graph as a server answers it (Pyroscope's FlameGraph JSON, levels of
 * quads [x offset, total, self, name], offsets delta-encoded), made into a tree
 * and printed as text. */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct flame_node {
	uint32_t parent; /* the root's is itself */
	uint32_t name;
	int64_t start, total, self;
};

struct flame {
	struct str *names;
	size_t name_count;
	struct flame_node *nodes; /* parents before children; [0] is the root */
	size_t node_count, node_cap;
	int64_t total;
};

/* From the "flamegraph" object. ERR_INVALID when its numbers do not form a tree. */
MUST_USE int flame_parse(const json_t *graph, struct arena *arena, struct flame *ret, struct err *err);

/* One line a stack with time of its own: "a;b;c 1230000". */
MUST_USE int flame_print_folded(const struct flame *flame, struct arena *arena, FILE *out,
				struct err *err);
/* The functions with the most time of their own; unit is the profile type's sample unit. */
MUST_USE int flame_print_top(const struct flame *flame, struct arena *arena, struct str unit,
			     size_t rows, FILE *out, struct err *err);
