/* Ingest and queries of every kind at once, for a while, over simulated time: hours end and days are
 * dropped as the samples' time goes on. What must come out flat is memory. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/embedded/gauges.h"
#include "store/engine.h"
#include "store_load.h"
#include "store_measure.h"

enum { REPORT_S = 10, MAINTAIN_S = 2, QUERIERS_MAX = 16 };

#define HOUR_NS (3600ull * NS_PER_S)

struct soak {
	const struct params *params;
	struct store *store;
	_Atomic int stop;
	_Atomic uint64_t samples, simulated_ns, queries;
	struct latency acks, asked;	    /* of the last report */
	struct latency all_acks, all_asked; /* of all before */
	/* One point a report: seconds, bytes. */
	double *seconds, *rss;
	size_t points;
};

struct worker {
	struct soak *soak;
	unsigned number;
	void *state; /* a client's */
	pthread_t thread;
};

/* ---- ingest ---- */

static void note_time(struct soak *soak, uint64_t time_ns)
{
	uint64_t seen_ns = soak->simulated_ns;
	while (time_ns > seen_ns &&
	       !atomic_compare_exchange_weak(&soak->simulated_ns, &seen_ns, time_ns))
		;
}

static void *ingest(void *arg)
{
	struct worker *worker = arg;
	struct soak *soak = worker->soak;
	double each = soak->params->limit / (double)soak->params->clients;
	uint64_t start_ns = clock_mono_ns(), samples = 0;
	struct sent sent;
	while (!soak->stop && source_generator.send(worker->state, soak->store, &sent)) {
		latency_add(&soak->acks, sent.ack_ns);
		soak->samples += sent.samples;
		note_time(soak, sent.time_ns);
		samples += sent.samples;
		if (each > 0)
			clock_sleep_until_ns(start_ns + (uint64_t)((double)samples / each * 1e9));
	}
	return NULL;
}

/* ---- queries ---- */

enum question { MERGE, MERGE_SERVICE, POINTS, POINTS_BY, NAMES, VALUES, SERIES, QUESTIONS };

struct asking {
	struct soak *soak;
	uint64_t state;
	struct arena arena;
	struct store_selection selection;
	struct store_matcher matcher;
	char service[32];
};

/* Anything from the last minutes to all that is kept. */
static void choose(struct asking *a)
{
	const struct params *params = a->soak->params;
	uint64_t end_ns = a->soak->simulated_ns + params->batch_s * NS_PER_S;
	uint64_t kept_ns = (params->retention_h ? params->retention_h : 24) * HOUR_NS;
	uint64_t range_ns = (uint64_t)((double)kept_ns * pow(random_unit(&a->state), 4)) + NS_PER_S;
	uint64_t back_ns = random_next(&a->state) % 2 ? 0 : random_next(&a->state) % range_ns;
	snprintf(a->service, sizeof(a->service), "app-%ju",
		 (uintmax_t)(random_next(&a->state) % params->services));
	a->matcher = (struct store_matcher){MATCH_EQUAL, STR("service_name"), str_of(a->service)};
	end_ns -= back_ns;
	a->selection =
		(struct store_selection){.tenant = STR("anonymous"),
					 .matchers = &a->matcher,
					 .matcher_count = 1,
					 .start_ns = end_ns > range_ns ? end_ns - range_ns : 0,
					 .end_ns = end_ns};
}

static int ask(struct asking *a, enum question question, struct err *err)
{
	enum { STEPS = 500 };
	const struct str by = STR("instance"), service = STR("service_name");
	struct store *store = a->soak->store;
	const struct store_selection *selection = &a->selection;
	struct store_points_options points_by = {
		.step_ns = (selection->end_ns - selection->start_ns) / STEPS + 1,
		.group_by = &by,
		.group_count = 1,
	};
	struct store_tree tree;
	struct store_points *points;
	struct store_labels *labels;
	struct str *texts;
	size_t count;
	switch (question) {
	case MERGE:
		a->selection.matcher_count = 0;
		return store_merge(store, selection, &a->arena, &tree, err);
	case MERGE_SERVICE:
		return store_merge(store, selection, &a->arena, &tree, err);
	case POINTS:
		points_by.group_count = 0;
		return store_points(store, selection, &points_by, &a->arena, &points, &count, err);
	case POINTS_BY:
		return store_points(store, selection, &points_by, &a->arena, &points, &count, err);
	case NAMES:
		return store_label_names(store, selection, &a->arena, &texts, &count, err);
	case VALUES:
		return store_label_values(store, selection, service, &a->arena, &texts, &count,
					  err);
	case SERIES:
		return store_series_labels(store, selection, NULL, 0, &a->arena, &labels, &count,
					   err);
	case QUESTIONS:
		break;
	}
	return 0;
}

static void *query(void *arg)
{
	struct worker *worker = arg;
	struct soak *soak = worker->soak;
	struct asking a = {.soak = soak, .state = worker->number + 1};
	struct err err;
	arena_init(&a.arena, 0);
	for (unsigned i = 0; !soak->stop; i++) {
		choose(&a);
		uint64_t start_ns = clock_mono_ns();
		check(ask(&a, (enum question)(i % QUESTIONS), &err), &err);
		latency_add(&soak->asked, clock_mono_ns() - start_ns);
		soak->queries++;
		arena_deinit(&a.arena);
	}
	return NULL;
}

/* ---- maintenance: the store believes that it is as late as its newest sample ---- */

static void *maintain(void *arg)
{
	struct worker *worker = arg;
	struct soak *soak = worker->soak;
	struct err err;
	for (uint64_t i = 0; !soak->stop; i++) {
		if (soak->simulated_ns)
			check(store_maintain(soak->store, soak->simulated_ns, &err), &err);
		clock_sleep_until_ns(clock_mono_ns() + MAINTAIN_S * (uint64_t)NS_PER_S);
	}
	return NULL;
}

/* ---- reports ---- */

/* What the store itself says it holds, as of its last look. */
static double accounted_bytes(void)
{
	const struct metric *const gauges[] = {&store_block_cache_bytes,  &store_write_buffer_bytes,
					       &store_id_cache_bytes,	  &store_page_cache_bytes,
					       &store_answer_cache_bytes, &store_query_bytes};
	double total = 0;
	for (size_t i = 0; i < sizeof(gauges) / sizeof(*gauges); i++)
		total += (double)metric_get(gauges[i]);
	return total;
}

static void report(struct soak *soak, const char *path, double second, uint64_t samples_before)
{
	double hours = ((double)soak->simulated_ns / 1e9 - (double)soak->params->start_s) / 3600;
	double rss = (double)rss_bytes();
	printf("# %5.0f s: %.1f simulated hours, rss %.1f MB (%.1f accounted), %.0f samples/s, ack "
	       "p99 %.1f ms, "
	       "query p50 "
	       "%.1f p99 %.1f ms, disk %.0f MB\n",
	       second, hours, rss / 1e6, accounted_bytes() / 1e6,
	       (double)(soak->samples - samples_before) / REPORT_S, latency_ms(&soak->acks, 0.99),
	       latency_ms(&soak->asked, 0.5), latency_ms(&soak->asked, 0.99),
	       (double)disk_bytes(path) / 1e6);
	fflush(stdout);
	latency_move(&soak->acks, &soak->all_acks);
	latency_move(&soak->asked, &soak->all_asked);
	soak->seconds[soak->points] = second;
	soak->rss[soak->points++] = rss;
}

/* Least squares over the last two thirds, in bytes per second. */
static double rss_slope(const struct soak *soak)
{
	size_t from = soak->points / 3;
	double n = 0, x = 0, y = 0, xx = 0, xy = 0;
	for (size_t i = from; i < soak->points; i++) {
		n++;
		x += soak->seconds[i];
		y += soak->rss[i];
		xx += soak->seconds[i] * soak->seconds[i];
		xy += soak->seconds[i] * soak->rss[i];
	}
	double spread = n * xx - x * x;
	return spread > 0 ? (n * xy - x * y) / spread : 0;
}

static void summary(struct soak *soak, const char *path, double seconds)
{
	const struct params *params = soak->params;
	bench(params, "soak.minutes", seconds / 60, "min");
	bench(params, "soak.samples", (double)soak->samples / seconds, "samples/s");
	bench(params, "soak.ack.p99", latency_ms(&soak->all_acks, 0.99), "ms");
	bench(params, "soak.queries", (double)soak->queries / seconds, "queries/s");
	bench(params, "soak.query.p50", latency_ms(&soak->all_asked, 0.5), "ms");
	bench(params, "soak.query.p99", latency_ms(&soak->all_asked, 0.99), "ms");
	bench(params, "soak.disk", (double)disk_bytes(path) / 1e6, "MB");
	bench(params, "soak.rss_slope", rss_slope(soak) * 3600 / 1e6, "MB/h");
	bench(params, "soak.rss_peak", (double)rss_peak_bytes() / 1e6, "MB");
}

static void start(struct soak *soak, struct worker *workers, size_t count, void *(*body)(void *))
{
	for (size_t i = 0; i < count; i++) {
		workers[i].soak = soak;
		workers[i].number = (unsigned)i;
		if (pthread_create(&workers[i].thread, NULL, body, &workers[i]))
			fail("soak: no thread");
	}
}

static void watch(struct soak *soak, const char *path)
{
	uint64_t start_ns = clock_mono_ns(), samples = 0;
	size_t reports = (size_t)ceil(soak->params->minutes * 60 / REPORT_S);
	soak->seconds = need(calloc(reports, sizeof(*soak->seconds)));
	soak->rss = need(calloc(reports, sizeof(*soak->rss)));
	for (size_t i = 1; i <= reports; i++) {
		clock_sleep_until_ns(start_ns + i * REPORT_S * NS_PER_S);
		report(soak, path, (double)(clock_mono_ns() - start_ns) / 1e9, samples);
		samples = soak->samples;
	}
	summary(soak, path, (double)(clock_mono_ns() - start_ns) / 1e9);
	free(soak->seconds);
	free(soak->rss);
}

void soak_run(const struct params *params, const char *path)
{
	static struct soak soak;
	struct params endless = *params;
	struct worker *writers = need(calloc(params->clients, sizeof(*writers)));
	struct worker readers[QUERIERS_MAX] = {0}, keeper;
	endless.samples = UINT64_MAX / 2;
	endless.days = 0;
	soak.params = &endless;
	if (params->queriers > QUERIERS_MAX)
		fail("queriers: at most %d", QUERIERS_MAX);
	for (unsigned i = 0; i < params->clients; i++)
		writers[i].state = source_generator.open(&endless, i);
	printf("# rss before the store is opened: %.1f MB\n", (double)rss_bytes() / 1e6);
	rss_peak_reset();
	soak.store = store_at(params, path);
	start(&soak, writers, params->clients, ingest);
	start(&soak, readers, params->queriers, query);
	start(&soak, &keeper, 1, maintain);
	watch(&soak, path);
	soak.stop = 1;
	for (unsigned i = 0; i < params->clients; i++)
		pthread_join(writers[i].thread, NULL);
	for (unsigned i = 0; i < params->queriers; i++)
		pthread_join(readers[i].thread, NULL);
	pthread_join(keeper.thread, NULL);
	store_close(soak.store);
	for (unsigned i = 0; i < params->clients; i++)
		source_generator.close(writers[i].state);
	free(writers);
}
