#include "store_app.h"

#include <stdlib.h>

#include "store_tools.h"

enum {
	BRANCH = 3,	  /* a stack leaves its neighbour's path at most this far from the leaf */
	JUMP_ONE_IN = 50, /* and one in so many leaves it anywhere */
	FRAMES_PER_FILE = 20,
};

static uint32_t add_node(struct app *app, uint32_t parent, uint64_t frame)
{
	if (app->node_count == app->node_cap) {
		app->node_cap = app->node_cap ? app->node_cap * 2 : 1024;
		app->nodes = need(realloc(app->nodes, app->node_cap * sizeof(*app->nodes)));
	}
	app->nodes[app->node_count] =
		(struct store_node){parent, (uint32_t)(frame % app->params->functions)};
	return app->node_count++;
}

static void make_frames(struct app *app)
{
	size_t count = app->params->functions;
	app->names = need(calloc(count, sizeof(*app->names)));
	app->frames = need(calloc(count, sizeof(*app->frames)));
	for (size_t i = 0; i < count; i++) {
		snprintf(app->names[i], sizeof(app->names[i]), "app%u::module%u::function_%u",
			 (unsigned)app->number, (unsigned)i / FRAMES_PER_FILE, (unsigned)i);
		app->frames[i] = (struct store_frame){.name = str_of(app->names[i]),
						      .filename = STR("src/module.c"),
						      .kind = STR("native"),
						      .mapping = STR("app"),
						      .line = (int64_t)i};
	}
}

static void make_stacks(struct app *app)
{
	uint64_t words = app->number * 977 + 1, depth = app->params->depth;
	uint32_t *path = need(calloc(depth, sizeof(*path)));
	add_node(app, 0, 0);
	for (uint64_t s = 0; s < app->params->stacks; s++) {
		uint64_t back = 1 + random_next(&words) % BRANCH;
		uint64_t keep = s && depth > back ? depth - back : 0;
		if (random_next(&words) % JUMP_ONE_IN == 0)
			keep = s ? random_next(&words) % depth : 0;
		for (uint64_t d = keep; d < depth; d++)
			path[d] = add_node(app, d ? path[d - 1] : 0, random_next(&words));
		app->leaves[s] = path[depth - 1];
	}
	free(path);
}

struct app *app_create(const struct params *params, uint64_t number)
{
	struct app *app = need(calloc(1, sizeof(*app)));
	app->params = params;
	app->number = number;
	app->leaves = need(calloc(params->stacks, sizeof(*app->leaves)));
	app->ages = need(calloc(params->stacks, sizeof(*app->ages)));
	make_frames(app);
	make_stacks(app);
	return app;
}

void app_destroy(struct app *app)
{
	if (!app)
		return;
	free(app->names);
	free(app->frames);
	free(app->nodes);
	free(app->leaves);
	free(app->ages);
	free(app);
}

/* The same in every client, whatever it has looked at before: the age seeds it. */
static void replace(struct app *app, uint32_t stack, uint32_t age)
{
	uint64_t words = (app->number << 40) + ((uint64_t)stack << 16) + age;
	uint32_t node = app->leaves[stack];
	unsigned back = 1 + (unsigned)(random_next(&words) % BRANCH);
	for (unsigned i = 0; i < back; i++)
		node = app->nodes[node].parent;
	for (unsigned i = 0; i < back; i++)
		node = add_node(app, node, random_next(&words));
	app->leaves[stack] = node;
	app->ages[stack] = age;
}

uint32_t app_leaf(struct app *app, uint32_t stack, double hour)
{
	double churn = app->params->churn;
	if (churn > 0) {
		uint64_t phase = stack;
		uint32_t age = (uint32_t)(hour * churn + random_unit(&phase));
		if (age != app->ages[stack])
			replace(app, stack, age);
	}
	return app->leaves[stack];
}
