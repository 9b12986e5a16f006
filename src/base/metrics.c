/* Two lists in name order under one lock; both are only ever added to. Values
 * are atomics, so that a counter costs one instruction where things happen. */
#include "base/metrics.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics_process.h"

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric *metrics;
static struct histogram *histograms;

static int compare(const char *name_a, const char *labels_a, const char *name_b,
		   const char *labels_b)
{
	int order = strcmp(name_a, name_b);

	return order ? order : strcmp(labels_a ? labels_a : "", labels_b ? labels_b : "");
}

void metric_register(struct metric *metric)
{
	if (atomic_load_explicit(&metric->registered, memory_order_acquire))
		return;
	pthread_mutex_lock(&registry_lock);
	if (!metric->registered) {
		struct metric **at = &metrics;
		while (*at && compare((*at)->name, (*at)->labels, metric->name, metric->labels) < 0)
			at = &(*at)->next;
		metric->next = *at;
		*at = metric;
		atomic_store_explicit(&metric->registered, 1, memory_order_release);
	}
	pthread_mutex_unlock(&registry_lock);
}

void metric_add(struct metric *metric, int64_t delta)
{
	metric_register(metric);
	atomic_fetch_add_explicit(&metric->value, delta, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
	metric_register(metric);
	atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

int64_t metric_get(const struct metric *metric)
{
	return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

static void histogram_register(struct histogram *histogram)
{
	if (atomic_load_explicit(&histogram->registered, memory_order_acquire))
		return;
	pthread_mutex_lock(&registry_lock);
	if (!histogram->registered) {
		struct histogram **at = &histograms;
		while (*at &&
		       compare((*at)->name, (*at)->labels, histogram->name, histogram->labels) < 0)
			at = &(*at)->next;
		histogram->next = *at;
		*at = histogram;
		atomic_store_explicit(&histogram->registered, 1, memory_order_release);
	}
	pthread_mutex_unlock(&registry_lock);
}

/* The first i with value <= unit * 2^i; HISTOGRAM_BUCKETS when it is above them all. */
static unsigned bucket_of(const struct histogram *histogram, uint64_t value_ns)
{
	uint64_t bound_ns = histogram->unit_ns;
	unsigned i = 0;

	while (i < HISTOGRAM_BUCKETS && value_ns > bound_ns) {
		bound_ns *= 2;
		i++;
	}
	return i;
}

void histogram_observe_ns(struct histogram *histogram, uint64_t value_ns)
{
	histogram_register(histogram);
	atomic_fetch_add_explicit(&histogram->buckets[bucket_of(histogram, value_ns)], 1,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&histogram->sum_ns, value_ns, memory_order_relaxed);
}

/* Text format 0.0.4: in HELP only backslash and newline are escaped. */
static void render_head(struct buf *out, const char *name, const char *help, const char *type)
{
	buf_printf(out, "# HELP %s ", name);
	for (const char *p = help; *p; p++) {
		if (*p == '\\')
			buf_cstr(out, "\\\\");
		else if (*p == '\n')
			buf_cstr(out, "\\n");
		else
			buf_char(out, *p);
	}
	buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

static void render_metric(struct buf *out, const struct metric *metric, const char *previous)
{
	if (!previous || strcmp(previous, metric->name) != 0)
		render_head(out, metric->name, metric->help,
			    metric->kind == METRIC_COUNTER ? "counter" : "gauge");
	buf_cstr(out, metric->name);
	if (metric->labels)
		buf_printf(out, "{%s}", metric->labels);
	buf_printf(out, " %lld\n", (long long)metric_get(metric));
}

static void render_buckets(struct buf *out, const struct histogram *h)
{
	const char *labels = h->labels ? h->labels : "";
	const char *comma = h->labels ? "," : "";
	uint64_t total = 0;
	double bound = (double)h->unit_ns / NS_PER_S;

	for (int i = 0; i < HISTOGRAM_BUCKETS; i++, bound *= 2) {
		total += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
		buf_printf(out, "%s_bucket{%s%sle=\"%.9g\"} %llu\n", h->name, labels, comma, bound,
			   (unsigned long long)total);
	}
	total += atomic_load_explicit(&h->buckets[HISTOGRAM_BUCKETS], memory_order_relaxed);
	buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", h->name, labels, comma,
		   (unsigned long long)total);
	buf_printf(out, "%s_sum%s%s%s %.9g\n", h->name, h->labels ? "{" : "", labels,
		   h->labels ? "}" : "",
		   (double)atomic_load_explicit(&h->sum_ns, memory_order_relaxed) / NS_PER_S);
	buf_printf(out, "%s_count%s%s%s %llu\n", h->name, h->labels ? "{" : "", labels,
		   h->labels ? "}" : "", (unsigned long long)total);
}

static void render_histogram(struct buf *out, const struct histogram *h, const char *previous)
{
	if (!previous || strcmp(previous, h->name) != 0)
		render_head(out, h->name, h->help, "histogram");
	render_buckets(out, h);
}

void metrics_render(struct buf *out)
{
	const char *previous = NULL;

	pthread_mutex_lock(&registry_lock);
	const struct metric *m = metrics;
	const struct histogram *h = histograms;
	while (m || h) {
		if (m && (!h || strcmp(m->name, h->name) <= 0)) {
			render_metric(out, m, previous);
			previous = m->name;
			m = m->next;
		} else {
			render_histogram(out, h, previous);
			previous = h->name;
			h = h->next;
		}
	}
	pthread_mutex_unlock(&registry_lock);
	metrics_render_process(out);
}
