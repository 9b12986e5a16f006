#include "store_load.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/engine.h"
#include "store_measure.h"

enum { LOOK_EVERY = 64 }; /* requests, between looks at what the disk has */

struct writer {
	const struct params *params;
	const struct source *source;
	struct store *store;
	const char *path;
	unsigned number;
	void *state;
	uint64_t samples, bytes, cpu_ns; /* cpu: in this thread, so mostly not the store's */
	pthread_t thread;
};

static struct latency acks;
static _Atomic int full;

static void *run(void *arg)
{
	struct writer *writer = arg;
	struct sent sent;
	uint64_t start_ns = clock_thread_cpu_ns();
	for (uint64_t i = 1; !full && writer->source->send(writer->state, writer->store, &sent);
	     i++) {
		latency_add(&acks, sent.ack_ns);
		writer->samples += sent.samples;
		writer->bytes += sent.bytes;
		if (writer->number == 0 && writer->params->disk_bytes && i % LOOK_EVERY == 0)
			full = disk_bytes(writer->path) >= writer->params->disk_bytes;
	}
	writer->cpu_ns = clock_thread_cpu_ns() - start_ns;
	return NULL;
}

static void print_rates(const struct params *params, const struct writer *writers, double wall_s,
			double all_cpu_ns)
{
	double samples = 0, bytes = 0, client_cpu_ns = 0;
	for (unsigned i = 0; i < params->clients; i++) {
		samples += (double)writers[i].samples;
		bytes += (double)writers[i].bytes;
		client_cpu_ns += (double)writers[i].cpu_ns;
	}
	printf("# %.0f samples, %.0f MB of requests in %.1f s\n", samples, bytes / 1e6, wall_s);
	bench(params, "ingest.samples", samples / wall_s, "samples/s");
	if (bytes > 0)
		bench(params, "ingest.bytes", bytes / wall_s / 1e6, "MB/s");
	bench(params, "ingest.cpu", all_cpu_ns / samples, "ns/sample");
	bench(params, "ingest.cpu.clients", client_cpu_ns / samples, "ns/sample");
	bench(params, "ingest.ack.p50", latency_ms(&acks, 0.5), "ms");
	bench(params, "ingest.ack.p99", latency_ms(&acks, 0.99), "ms");
	bench(params, "ingest.ack.max", latency_ms(&acks, 1), "ms");
}

static void run_all(const struct params *params, struct writer *writers)
{
	uint64_t cpu_start_ns = cpu_ns(), start_ns = clock_mono_ns();
	for (unsigned i = 0; i < params->clients; i++)
		if (pthread_create(&writers[i].thread, NULL, run, &writers[i]))
			fail("starting a client: no thread");
	for (unsigned i = 0; i < params->clients; i++)
		pthread_join(writers[i].thread, NULL);
	print_rates(params, writers, (double)(clock_mono_ns() - start_ns) / 1e9,
		    (double)(cpu_ns() - cpu_start_ns));
}

void load_run(const struct params *params, const struct source *source, const char *path)
{
	struct writer *writers = need(calloc(params->clients, sizeof(*writers)));
	for (unsigned i = 0; i < params->clients; i++)
		writers[i] = (struct writer){.params = params,
					     .source = source,
					     .path = path,
					     .number = i,
					     .state = source->open(params, i)};
	rss_peak_reset();
	uint64_t before_rss = rss_bytes(), before_written = written_bytes();
	struct store *store = store_at(params, path);
	for (unsigned i = 0; i < params->clients; i++)
		writers[i].store = store;
	run_all(params, writers);
	bench(params, "ingest.rss_peak", (double)(rss_peak_bytes() - before_rss) / 1e6, "MB");
	measure_settle(params, store, path);
	store_close(store);
	double disk = (double)disk_bytes(path);
	bench(params, "store.write_amp", (double)(written_bytes() - before_written) / disk, "x");
	for (unsigned i = 0; i < params->clients; i++)
		source->close(writers[i].state);
	free(writers);
}
