/* Private to server: from OTLP locations and stacks to the store's frames and
 * nodes, each location and each stack once a batch. */
#pragma once

#include "profile/profile.h"
#include "store/engine.h"

struct frames;

struct frames_limits {
	uint32_t stack_depth;  /* 0: none */
	uint32_t symbol_bytes; /* 0: none */
};

/* Works in the arena, over a dictionary that passed its checks and does not change. */
MUST_USE int frames_create(struct arena *arena, const struct profile_dict *dict,
			   const struct frames_limits *limits, struct frames **ret,
			   struct err *err);
/* The node of a stack's leaf; 0 for an empty stack. */
MUST_USE int frames_node(struct frames *frames, uint32_t stack, uint32_t *ret_node,
			 struct err *err);
/* Shows frames and nodes in the batch; valid until the next frames_node(). */
void frames_show(const struct frames *frames, struct store_batch *batch);
