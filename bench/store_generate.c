/* The generator: requests of the hosts of simulated services, one host after another. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store_app.h"
#include "store_load.h"

enum { THREADS = 8, CPUS = 8, CPU_TYPES_OF_10 = 7, LABELS = 4, SPANS_PER_TRACE = 8 };

static const struct str thread_names[THREADS + 1] = {
	{"", 0},	 {"main", 4}, {"worker-1", 8}, {"worker-2", 8}, {"worker-3", 8},
	{"worker-4", 8}, {"gc", 2},   {"compiler", 8}, {"io", 2},
};

struct series_names {
	char instance[32], part[32];
	struct store_label labels[LABELS];
};

struct client {
	const struct params *params;
	uint64_t state;
	unsigned number;
	struct app **apps; /* of the services that it has instances of */
	uint64_t instance, batch, batches;
	/* One request. */
	struct store_node *nodes;
	struct store_frame *frames;
	uint32_t node_count, frame_count;
	/* Node and frame of the app -> place in the request, and of which request that is. */
	uint32_t *node_place, *node_stamp, node_cap;
	uint32_t *frame_place, *frame_stamp, stamp;
	struct store_series *series;
	struct series_names *names;
	struct store_sample *samples;
	struct store_span *spans;
	char service[32];
};

static uint64_t service_of(const struct params *params, uint64_t instance)
{
	uint64_t busy = params->busy * params->hosts;
	return instance < busy ? 0 : (instance - busy) / params->hosts + 1;
}

/* ---- what a request has ---- */

static void make_room(struct client *c, const struct app *app)
{
	size_t cap = app->node_cap;
	if (c->node_cap >= cap)
		return;
	c->nodes = need(realloc(c->nodes, cap * sizeof(*c->nodes)));
	c->node_place = need(realloc(c->node_place, cap * sizeof(*c->node_place)));
	c->node_stamp = need(realloc(c->node_stamp, cap * sizeof(*c->node_stamp)));
	memset(c->node_stamp + c->node_cap, 0, (cap - c->node_cap) * sizeof(*c->node_stamp));
	c->node_cap = (uint32_t)cap;
}

static uint32_t use_frame(struct client *c, const struct app *app, uint32_t frame)
{
	if (c->frame_stamp[frame] != c->stamp) {
		c->frame_stamp[frame] = c->stamp;
		c->frame_place[frame] = c->frame_count;
		c->frames[c->frame_count++] = app->frames[frame];
	}
	return c->frame_place[frame];
}

/* A request brings the stacks that it has, and no others. */
static uint32_t use_node(struct client *c, const struct app *app, uint32_t node)
{
	if (node == 0)
		return 0;
	if (c->node_stamp[node] != c->stamp) {
		uint32_t parent = use_node(c, app, app->nodes[node].parent);
		uint32_t frame = use_frame(c, app, app->nodes[node].frame);
		c->node_stamp[node] = c->stamp;
		c->node_place[node] = c->node_count;
		c->nodes[c->node_count++] = (struct store_node){parent, frame};
	}
	return c->node_place[node];
}

static int64_t value_of(struct client *c, uint64_t series)
{
	const char *values = c->params->values;
	uint64_t dice = random_next(&c->state);
	if (*values == 'c')
		return (int64_t)((double)NS_PER_S / 97);
	if (*values == 'r')
		return (int64_t)dice;
	if (series % 10 < CPU_TYPES_OF_10)
		return 10000000ll * (int64_t)(1 + (dice >> 32) % 8 * ((dice >> 40) % 4 == 0));
	/* Bytes, log-uniform. */
	return (int64_t)(16 + (random_next(&c->state) & ((1ull << (4 + (dice >> 32) % 24)) - 1)));
}

static uint64_t time_of(struct client *c, uint64_t batch_ns, uint64_t i, uint64_t count)
{
	enum { JITTER_NS = 4096 };
	uint64_t span_ns = c->params->batch_s * NS_PER_S;
	if (*c->params->times == 't')
		return batch_ns + span_ns / count * i + random_next(&c->state) % JITTER_NS;
	if (*c->params->times == 'r')
		return batch_ns + random_next(&c->state) % span_ns;
	return batch_ns;
}

static uint32_t skewed(struct client *c)
{
	return (uint32_t)(pow(random_unit(&c->state), c->params->skew) * (double)c->params->stacks);
}

static void set_columns(struct client *c, struct store_sample *sample, uint64_t series)
{
	uint64_t dice = random_next(&c->state);
	uint32_t thread = (uint32_t)(dice % THREADS * (dice >> 8) % THREADS);
	sample->pid = (uint32_t)(1000 + c->instance * 100 + series);
	sample->tid = sample->pid + thread;
	if (*c->params->values == 'r')
		sample->tid = (uint32_t)(dice >> 32);
	sample->thread_name = 1 + thread;
	sample->cpu = (int32_t)((dice >> 16) % CPUS);
}

static void set_span(struct client *c, struct store_sample *sample, uint64_t place)
{
	struct store_span *span = &c->spans[place];
	uint64_t id = random_next(&c->state);
	memcpy(span->span_id, &id, sizeof(id));
	if (place % SPANS_PER_TRACE) {
		memcpy(span->trace_id, span[-1].trace_id, sizeof(span->trace_id));
	} else {
		uint64_t trace[2] = {random_next(&c->state), random_next(&c->state)};
		memcpy(span->trace_id, trace, sizeof(trace));
	}
	sample->span = (uint32_t)place + 1;
}

static void fill_series(struct client *c, struct app *app, uint64_t s, uint64_t batch_ns)
{
	uint64_t count = params_samples_per_batch(c->params);
	struct store_sample *samples = c->samples + s * count;
	double hour = ((double)batch_ns / 1e9 - (double)c->params->start_s) / 3600;
	for (uint64_t i = 0; i < count; i++) {
		uint32_t leaf = app_leaf(app, skewed(c), hour);
		make_room(c, app);
		samples[i] = (struct store_sample){.time_ns = time_of(c, batch_ns, i, count),
						   .value = value_of(c, s),
						   .node = use_node(c, app, leaf),
						   .cpu = -1};
		if (c->params->columns)
			set_columns(c, &samples[i], s);
		if (c->params->spans)
			set_span(c, &samples[i], s * count + i);
	}
	c->series[s] = (struct store_series){c->names[s].labels, LABELS, samples, count};
}

static void name_series(struct client *c, uint64_t s)
{
	struct series_names *names = &c->names[s];
	snprintf(names->instance, sizeof(names->instance), "host-%ju", (uintmax_t)c->instance);
	snprintf(names->part, sizeof(names->part), "part-%ju", (uintmax_t)s);
	names->labels[0] =
		(struct store_label){STR("__profile_type__"),
				     s % 10 < CPU_TYPES_OF_10 ? STR("cpu") : STR("alloc")};
	names->labels[1] = (struct store_label){STR("instance"), str_of(names->instance)};
	names->labels[2] = (struct store_label){STR("part"), str_of(names->part)};
	names->labels[3] = (struct store_label){STR("service_name"), str_of(c->service)};
}

/* ---- the source ---- */

/* To the next of its instances, or the next batch of its first. */
static void advance(struct client *c)
{
	c->instance += c->params->clients;
	if (c->instance < params_instances(c->params))
		return;
	c->instance = c->number;
	c->batch++;
}

static bool generator_send(void *state, struct store *store, struct sent *ret)
{
	struct client *c = state;
	uint64_t per_batch = params_samples_per_batch(c->params);
	if (c->batch >= c->batches || c->instance >= params_instances(c->params))
		return false;
	uint64_t service = service_of(c->params, c->instance);
	uint64_t batch_ns = (c->params->start_s + c->batch * c->params->batch_s) * NS_PER_S;
	if (!c->apps[service])
		c->apps[service] = app_create(c->params, service);
	make_room(c, c->apps[service]);
	c->stamp++;
	c->node_count = 1;
	c->frame_count = 0;
	snprintf(c->service, sizeof(c->service), "app-%ju", (uintmax_t)service);
	for (uint64_t s = 0; s < c->params->series; s++) {
		name_series(c, s);
		fill_series(c, c->apps[service], s, batch_ns);
	}
	struct store_batch batch = {.tenant = STR("anonymous"),
				    .strings = thread_names,
				    .string_count = THREADS + 1,
				    .frames = c->frames,
				    .frame_count = c->frame_count,
				    .nodes = c->nodes,
				    .node_count = c->node_count,
				    .spans = c->spans,
				    .span_count =
					    c->params->spans ? c->params->series * per_batch : 0,
				    .series = c->series,
				    .series_count = c->params->series};
	struct err err;
	uint64_t start_ns = clock_mono_ns();
	check(store_write(store, &batch, &err), &err);
	*ret = (struct sent){.samples = c->params->series * per_batch,
			     .ack_ns = clock_mono_ns() - start_ns,
			     .time_ns = batch_ns};
	advance(c);
	return true;
}

static void *generator_open(const struct params *params, unsigned number)
{
	struct client *c = need(calloc(1, sizeof(*c)));
	size_t samples = params->series * params_samples_per_batch(params);
	c->params = params;
	c->state = params->seed * 1000003 + number;
	c->number = number;
	c->instance = number;
	c->batches = params_batches(params);
	c->apps = need(calloc(params->services, sizeof(*c->apps)));
	c->frames = need(calloc(params->functions, sizeof(*c->frames)));
	c->frame_place = need(calloc(params->functions, sizeof(*c->frame_place)));
	c->frame_stamp = need(calloc(params->functions, sizeof(*c->frame_stamp)));
	c->series = need(calloc(params->series, sizeof(*c->series)));
	c->names = need(calloc(params->series, sizeof(*c->names)));
	c->samples = need(calloc(samples, sizeof(*c->samples)));
	c->spans = need(calloc(params->spans ? samples : 1, sizeof(*c->spans)));
	for (uint64_t i = number; i < params_instances(params); i += params->clients) {
		uint64_t service = service_of(params, i);
		if (!c->apps[service])
			c->apps[service] = app_create(params, service);
		make_room(c, c->apps[service]);
	}
	return c;
}

static void generator_close(void *state)
{
	struct client *c = state;
	for (uint64_t i = 0; i < c->params->services; i++)
		app_destroy(c->apps[i]);
	free(c->apps);
	free(c->nodes);
	free(c->frames);
	free(c->node_place);
	free(c->node_stamp);
	free(c->frame_place);
	free(c->frame_stamp);
	free(c->series);
	free(c->names);
	free(c->samples);
	free(c->spans);
	free(c);
}

const struct source source_generator = {generator_open, generator_send, generator_close};
