#include "store_measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "store/engine.h"
#include "store/embedded/embedded.h"

enum { REPEATS = 5, POINTS = 1000, LOOK_MS = 200 };

struct measure {
	const struct params *params;
	const char *path;
	struct store *store;
	struct store_selection all;
	uint64_t step_ns; /* of points over all */
	double samples;
	char size[16]; /* "10m" */
};

static void pause_ms(unsigned ms)
{
	clock_sleep_until_ns(clock_mono_ns() + (uint64_t)ms * NS_PER_MS);
}

/* ---- settling ---- */

static bool is_busy(struct store *store)
{
	struct store_sizes sizes;
	struct err err;
	check(store_sizes(store, &sizes, &err), &err);
	return sizes.busy;
}

void measure_settle(const struct params *params, struct store *store, const char *path)
{
	enum { QUIET_LOOKS = 3 };
	struct store_stats stats;
	struct err err;
	uint64_t start_ns = clock_mono_ns();
	check(store_stats(store, &stats, &err), &err);
	bench(params, "store.unsettled.bytes_per_sample",
	      (double)disk_bytes(path) / (double)stats.samples, "B");
	check(store_maintain(store, clock_real_ns(), &err), &err);
	for (unsigned quiet = 0; quiet < QUIET_LOOKS;) {
		quiet = is_busy(store) ? 0 : quiet + 1;
		if (clock_mono_ns() - start_ns > params->settle_s * NS_PER_S)
			break;
		pause_ms(LOOK_MS);
	}
	bench(params, "store.settle", (double)(clock_mono_ns() - start_ns) / 1e9, "s");
}

/* ---- sizes ---- */

static void print_part(const struct measure *m, const char *part, uint64_t bytes)
{
	char name[64];
	snprintf(name, sizeof(name), "store.bytes_per_sample.%s", part);
	bench(m->params, name, (double)bytes / m->samples, "B");
}

static void print_sizes(const struct measure *m)
{
	struct store_sizes sizes;
	struct store_stats stats;
	struct err err;
	check(store_sizes(m->store, &sizes, &err), &err);
	check(store_stats(m->store, &stats, &err), &err);
	printf("# %ju samples, %ju series, %ju frames, %ju nodes\n", (uintmax_t)stats.samples,
	       (uintmax_t)stats.series, (uintmax_t)stats.frames, (uintmax_t)stats.nodes);
	print_part(m, "samples", sizes.samples_bytes);
	print_part(m, "rollups", sizes.rollups_bytes);
	print_part(m, "dictionary", sizes.dictionary_bytes);
	print_part(m, "ids", sizes.ids_bytes);
	print_part(m, "series", sizes.series_bytes);
	print_part(m, "other", sizes.other_bytes);
}

/* ---- questions ---- */

typedef int question(const struct measure *m, const struct store_selection *selection,
		     struct arena *arena, struct err *err);

static int ask_merge(const struct measure *m, const struct store_selection *selection,
		     struct arena *arena, struct err *err)
{
	struct store_tree tree;
	return store_merge(m->store, selection, arena, &tree, err);
}

static int ask_points(const struct measure *m, const struct store_selection *selection,
		      struct arena *arena, struct err *err)
{
	const struct str by = STR("service_name");
	struct store_points *points;
	size_t count;
	const struct store_points_options options = {.step_ns = m->step_ns,
						     .group_by = &by,
						     .group_count = 1};
	return store_points(m->store, selection, &options, arena, &points, &count, err);
}

static int ask_names(const struct measure *m, const struct store_selection *selection,
		     struct arena *arena, struct err *err)
{
	struct str *names;
	size_t count;
	return store_label_names(m->store, selection, arena, &names, &count, err);
}

static int ask_values(const struct measure *m, const struct store_selection *selection,
		      struct arena *arena, struct err *err)
{
	struct str *values;
	size_t count;
	return store_label_values(m->store, selection, STR("service_name"), arena, &values, &count,
				  err);
}

static int ask_series(const struct measure *m, const struct store_selection *selection,
		      struct arena *arena, struct err *err)
{
	struct store_labels *labels;
	size_t count;
	return store_series_labels(m->store, selection, NULL, 0, arena, &labels, &count, err);
}

static uint64_t time_once(const struct measure *m, question *ask,
			  const struct store_selection *selection, uint64_t *ret_cpu_ns)
{
	struct arena arena;
	struct err err;
	arena_init(&arena, 0);
	uint64_t start_ns = clock_mono_ns(), start_cpu_ns = cpu_ns();
	check(ask(m, selection, &arena, &err), &err);
	uint64_t took_ns = clock_mono_ns() - start_ns;
	*ret_cpu_ns = cpu_ns() - start_cpu_ns;
	arena_deinit(&arena);
	return took_ns;
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* Medians. */
static uint64_t time_warm(const struct measure *m, question *ask,
			  const struct store_selection *selection, uint64_t *ret_cpu_ns)
{
	uint64_t took_ns[REPEATS], took_cpu_ns[REPEATS];
	for (unsigned i = 0; i < REPEATS; i++) {
		answers_forget(m->store); /* not how fast an answer is copied */
		took_ns[i] = time_once(m, ask, selection, &took_cpu_ns[i]);
	}
	qsort(took_ns, REPEATS, sizeof(*took_ns), compare_u64);
	qsort(took_cpu_ns, REPEATS, sizeof(*took_cpu_ns), compare_u64);
	*ret_cpu_ns = took_cpu_ns[REPEATS / 2];
	return took_ns[REPEATS / 2];
}

static void time_merge(const struct measure *m, uint64_t cold_ns)
{
	char name[64];
	uint64_t busy_ns, warm_ns = time_warm(m, ask_merge, &m->all, &busy_ns);
	bench(m->params, "query.merge_row", (double)warm_ns / m->samples, "ns");
	bench(m->params, "query.merge_row.cpu", (double)busy_ns / m->samples, "ns");
	bench(m->params, "query.merge_row.cold", (double)cold_ns / m->samples, "ns");
	snprintf(name, sizeof(name), "query.%s.warm", m->size);
	bench(m->params, name, (double)warm_ns / 1e9, "s");
	snprintf(name, sizeof(name), "query.%s.cold", m->size);
	bench(m->params, name, (double)cold_ns / 1e9, "s");
}

static void time_service(const struct measure *m)
{
	const struct store_matcher one = {MATCH_EQUAL, STR("service_name"), STR("app-0")};
	struct store_selection service = m->all;
	uint64_t busy_ns;
	service.matchers = &one;
	service.matcher_count = 1;
	double days = (double)(m->all.end_ns - m->all.start_ns) / 86400e9;
	printf("# the service's range is %.2f days\n", days);
	bool month = days > 28;
	bench(m->params, month ? "query.30d" : "query.service",
	      (double)time_warm(m, ask_merge, &service, &busy_ns) / 1e9, "s");
	bench(m->params, month ? "query.30d.cpu" : "query.service.cpu", (double)busy_ns / 1e9, "s");
	bench(m->params, month ? "query.30d.points" : "query.service.points",
	      (double)time_warm(m, ask_points, &service, &busy_ns) / 1e9, "s");
}

static void time_questions(const struct measure *m)
{
	static const struct {
		const char *name;
		question *ask;
	} questions[] = {
		{"query.points", ask_points},
		{"query.label_names", ask_names},
		{"query.label_values", ask_values},
		{"query.series", ask_series},
	};
	uint64_t busy_ns;
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		bench(m->params, questions[i].name,
		      (double)time_warm(m, questions[i].ask, &m->all, &busy_ns) / 1e6, "ms");
}

/* ---- a run ---- */

static void name_size(struct measure *m)
{
	double millions = m->samples / 1e6;
	if (millions >= 950)
		snprintf(m->size, sizeof(m->size), "%.0fg", millions / 1000);
	else
		snprintf(m->size, sizeof(m->size), "%.0fm", millions);
}

static void open_it(struct measure *m)
{
	struct store_stats stats;
	struct err err;
	uint64_t before_rss = rss_bytes(), start_ns = clock_mono_ns();
	m->store = store_at(m->params, m->path);
	bench(m->params, "store.open", (double)(clock_mono_ns() - start_ns) / 1e6, "ms");
	bench(m->params, "store.open.rss", (double)(rss_bytes() - before_rss) / 1e6, "MB");
	check(store_stats(m->store, &stats, &err), &err);
	m->samples = (double)stats.samples;
	m->all = (struct store_selection){.tenant = STR("anonymous"),
					  .start_ns = stats.oldest_ns,
					  .end_ns = stats.newest_ns + 1};
	m->step_ns = (m->all.end_ns - m->all.start_ns) / POINTS + 1;
	name_size(m);
}

void measure_run(const struct params *params, const char *path)
{
	struct measure m = {.params = params, .path = path};
	uint64_t busy_ns;
	drop_cached(path);
	open_it(&m);
	uint64_t cold_ns = time_once(&m, ask_merge, &m.all, &busy_ns);
	print_sizes(&m);
	time_merge(&m, cold_ns);
	time_service(&m);
	time_questions(&m);
	bench(params, "query.rss_peak", (double)rss_peak_bytes() / 1e6, "MB");
	store_close(m.store);
	/* Closing gives back what the log had reserved. */
	bench(params, "store.bytes_per_sample", (double)disk_bytes(path) / m.samples, "B");
}
