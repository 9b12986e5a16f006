/* The code of one simulated service: its functions and its stacks, a tree. Stacks that
 * stand side by side share most of their frames, as those of one loop do. */
#pragma once

#include "base/str.h"
#include "store/engine.h"
#include "store_params.h"

struct app {
	const struct params *params;
	uint64_t number;
	char (*names)[64];
	struct store_frame *frames;
	struct store_node *nodes; /* parents first; 0 is the root */
	uint32_t node_count, node_cap;
	uint32_t *leaves; /* of each stack */
	uint32_t *ages;	  /* how often it was replaced */
};

struct app *app_create(const struct params *params, uint64_t number);
void app_destroy(struct app *app);
/* The leaf of a stack, the hour of simulated time being what it is: `churn` of the stacks are others an
 * hour later. */
uint32_t app_leaf(struct app *app, uint32_t stack, double hour);
