/* Benchmark of settling: small batches as agents send them, in past hours, are
 * merged and summed up by hand; and how long a write takes meanwhile. Prints
 * "bench NAME VALUE UNIT" lines; parameters first, as comments.
 *
 *	bench-settle [DIRECTORY [HOURS [SERIES [SECONDS]]]]
 *
 * Every 5 s (or SECONDS) a batch with 20 samples of each series: skewed stacks of a service,
 * CPU time in multiples of 10 ms, thread, thread name and CPU of each. */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/embedded/embedded.h"
#include "store/embedded/gauges.h"
#include "store/embedded/times.h"

enum {
	PER_SERIES = 20,
	BATCH_S = 5,
	STACKS = 400,
	FUNCTIONS = 300,
	DEPTH = 10,
	THREADS = 12,
	COMPACTION_S = 3,
};

#define FIRST_NS (20000ull * NS_PER_DAY)

struct generator {
	uint64_t state;
	unsigned series_count;
	char names[FUNCTIONS][32], (*services)[24];
	unsigned batch_s;
	struct store_frame frames[FUNCTIONS];
	struct store_node nodes[STACKS * DEPTH + 1];
	uint32_t leaves[STACKS];
	struct str strings[THREADS + 1];
	char threads[THREADS][16];
	size_t node_count;
	struct store_label *labels;
	struct store_series *series;
	struct store_sample *samples;
};

static uint64_t next(struct generator *g)
{
	uint64_t z = g->state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void check(int rc, const struct err *err)
{
	if (rc) {
		fprintf(stderr, "bench-settle: %s\n", err->text);
		exit(1);
	}
}

static void *need(void *memory)
{
	if (!memory) {
		fprintf(stderr, "bench-settle: no memory\n");
		exit(1);
	}
	return memory;
}

static void make_stacks(struct generator *g)
{
	uint32_t path[DEPTH] = {0};
	g->node_count = 1;
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		snprintf(g->names[i], sizeof(g->names[i]), "module%u::function_%u", i / 20, i);
		g->frames[i] = (struct store_frame){.name = str_of(g->names[i]),
						    .kind = STR("native"),
						    .mapping = STR("app")};
	}
	for (unsigned s = 0; s < STACKS; s++) {
		for (unsigned d = s ? (unsigned)(next(g) % DEPTH) : 0; d < DEPTH; d++) {
			g->nodes[g->node_count] =
				(struct store_node){d ? path[d - 1] : 0,
						    (uint32_t)(next(g) % FUNCTIONS)};
			path[d] = (uint32_t)g->node_count++;
		}
		g->leaves[s] = path[DEPTH - 1];
	}
}

static struct generator *make_generator(unsigned series_count)
{
	struct generator *g = need(calloc(1, sizeof(*g)));
	g->state = 1;
	g->series_count = series_count;
	g->batch_s = BATCH_S;
	g->services = need(calloc(series_count, sizeof(*g->services)));
	make_stacks(g);
	g->strings[0] = STR("");
	for (unsigned i = 0; i < THREADS; i++) {
		snprintf(g->threads[i], sizeof(g->threads[i]), "worker-%u", i);
		g->strings[i + 1] = str_of(g->threads[i]);
	}
	g->labels = need(calloc(series_count, sizeof(*g->labels)));
	g->series = need(calloc(series_count, sizeof(*g->series)));
	g->samples = need(calloc((size_t)series_count * PER_SERIES, sizeof(*g->samples)));
	for (unsigned s = 0; s < series_count; s++) {
		snprintf(g->services[s], sizeof(g->services[s]), "service-%u", s);
		g->labels[s] = (struct store_label){STR("service_name"), str_of(g->services[s])};
		g->series[s] = (struct store_series){&g->labels[s], 1, g->samples + s * PER_SERIES,
						     PER_SERIES};
	}
	return g;
}

static void free_generator(struct generator *g)
{
	free(g->services);
	free(g->labels);
	free(g->series);
	free(g->samples);
	free(g);
}

static uint64_t write_batch(struct generator *g, struct store *store, uint64_t time_ns)
{
	for (size_t i = 0; i < (size_t)g->series_count * PER_SERIES; i++) {
		double u = (double)(next(g) >> 11) / 9007199254740992.0;
		uint64_t dice = next(g);
		unsigned thread = (unsigned)(dice % THREADS);
		g->samples[i] =
			(struct store_sample){.time_ns = time_ns +
							 (dice >> 20) %
								 (g->batch_s * (uint64_t)NS_PER_S),
					      .value = 10000000ll *
						       (int64_t)(1 + (dice >> 8) % 40 / 38),
					      .node = g->leaves[(size_t)(u * u * u * STACKS)],
					      .pid = 1000 + (uint32_t)(i / PER_SERIES),
					      .tid = 5000 + (uint32_t)(i / PER_SERIES) * 20 +
						     thread,
					      .thread_name = 1 + thread,
					      .cpu = (int32_t)((dice >> 12) % 16)};
	}
	struct store_batch batch = {.tenant = STR("anonymous"),
				    .strings = g->strings,
				    .string_count = THREADS + 1,
				    .frames = g->frames,
				    .frame_count = FUNCTIONS,
				    .nodes = g->nodes,
				    .node_count = g->node_count,
				    .series = g->series,
				    .series_count = g->series_count};
	struct err err;
	uint64_t start_ns = clock_mono_ns();
	check(store_write(store, &batch, &err), &err);
	return clock_mono_ns() - start_ns;
}

static struct store *open_store(const char *path)
{
	struct store_options options = {.path = path, .manual_maintenance = true};
	struct store *store;
	struct err err;
	check(store_open(&options, &store, &err), &err);
	return store;
}

/* Of the tables, once what is in memory is written out and compactions have ended. */
static uint64_t stored_bytes(struct store **store, const char *path)
{
	char db[600];
	uint64_t total = 0;
	sleep(COMPACTION_S);
	store_close(*store);
	*store = open_store(path);
	sleep(COMPACTION_S);
	snprintf(db, sizeof(db), "%s/db", path);
	DIR *dir = need(opendir(db));
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		struct stat st;
		if (strstr(entry->d_name, ".sst") && !fstatat(dirfd(dir), entry->d_name, &st, 0))
			total += (uint64_t)st.st_size;
	}
	closedir(dir);
	return total;
}

/* ---- writes meanwhile ---- */

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

struct live {
	struct store *store;
	_Atomic bool stop;
	uint64_t ack_ns[20000];
	size_t count;
};

static void *write_live(void *arg)
{
	struct live *live = arg;
	struct generator *g = make_generator(50);
	struct timespec pause = {.tv_nsec = 20 * NS_PER_MS};
	g->state = 12345 + live->count;
	for (live->count = 0; !live->stop && live->count < 20000; live->count++) {
		live->ack_ns[live->count] =
			write_batch(g, live->store,
				    FIRST_NS + 40 * NS_PER_DAY + live->count * (uint64_t)NS_PER_S);
		nanosleep(&pause, NULL);
	}
	free_generator(g);
	return NULL;
}

static void print_live(struct live *live, const char *when)
{
	qsort(live->ack_ns, live->count, sizeof(*live->ack_ns), compare_u64);
	if (!live->count)
		return;
	printf("bench settle.ack.%s.p50 %.3f ms\n", when,
	       (double)live->ack_ns[live->count / 2] / 1e6);
	printf("bench settle.ack.%s.p99 %.3f ms\n", when,
	       (double)live->ack_ns[live->count * 99 / 100] / 1e6);
	printf("# of %zu writes, the slowest %.1f ms\n", live->count,
	       (double)live->ack_ns[live->count - 1] / 1e6);
}

static void print_stored(struct store **store, const char *path, const char *when)
{
	uint64_t bytes = stored_bytes(store, path);
	struct store_stats stats;
	struct err err;
	check(store_stats(*store, &stats, &err), &err);
	printf("bench settle.bytes_per_sample.%s %.3f B\n", when,
	       (double)bytes / (double)stats.samples);
}

/* How long writes were kept waiting by one commit: the mean, and the bucket of the longest. */
static void print_hold(void)
{
	const struct histogram *h = &store_settle_commit_seconds;
	uint64_t count = 0, longest_ns = 0;
	for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++)
		if (h->buckets[i]) {
			count += h->buckets[i];
			longest_ns = h->unit_ns << i;
		}
	if (count)
		printf("# %ju commits of %.2f ms each, none of more than %.1f ms\n",
		       (uintmax_t)count, (double)h->sum_ns / (double)count / 1e6,
		       (double)longest_ns / 1e6);
}

int main(int argc, char **argv)
{
	char temp[] = "/tmp/cresset-bench-XXXXXX", path[512], command[600];
	const char *directory = argc > 1 ? argv[1] : need(mkdtemp(temp));
	unsigned hours = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 3;
	unsigned series = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 100;
	unsigned seconds = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : BATCH_S;
	struct live *live = need(calloc(1, sizeof(*live)));
	struct err err;
	pthread_t thread;
	snprintf(path, sizeof(path), "%s/store", directory);
	printf("# %u series, %d samples each every %d s, %u hours\n", series, PER_SERIES, seconds,
	       hours);
	struct store *store = open_store(path);
	struct generator *g = make_generator(series);
	g->batch_s = seconds;
	for (uint64_t s = 0; s < hours * 3600; s += seconds)
		write_batch(g, store, FIRST_NS + s * NS_PER_S);
	free_generator(g);
	print_stored(&store, path, "before");
	live->store = store;
	if (pthread_create(&thread, NULL, write_live, live))
		return 1;
	sleep(5);
	live->stop = true;
	pthread_join(thread, NULL);
	print_live(live, "alone");
	live->stop = false;
	if (pthread_create(&thread, NULL, write_live, live))
		return 1;
	uint64_t start_ns = clock_mono_ns();
	uint64_t cpu_ns = clock_thread_cpu_ns();
	check(store_maintain(store, FIRST_NS + 3 * NS_PER_DAY, &err), &err);
	double wall = (double)(clock_mono_ns() - start_ns) / 1e9;
	cpu_ns = clock_thread_cpu_ns() - cpu_ns;
	live->stop = true;
	pthread_join(thread, NULL);
	print_live(live, "settling");
	double settled = (double)metric_get(&store_settled_rows_total);
	printf("bench settle.rows %.0f samples/s\n", settled / wall);
	printf("bench settle.cpu %.1f ns/sample\n", (double)cpu_ns / settled);
	printf("bench settle.blocks.before %jd blocks\n",
	       (intmax_t)metric_get(&store_settled_blocks_in_total));
	printf("bench settle.blocks.after %jd blocks\n",
	       (intmax_t)metric_get(&store_settled_blocks_out_total));
	print_hold();
	printf("# took %.2f s for %.0f rows of hours and days; blocks' bytes %jd -> %jd\n", wall,
	       settled, (intmax_t)metric_get(&store_settled_bytes_in_total),
	       (intmax_t)metric_get(&store_settled_bytes_out_total));
	sleep(COMPACTION_S);
	check(store_maintain(store, FIRST_NS + 3 * NS_PER_DAY, &err), &err);
	print_stored(&store, path, "after");
	store_close(store);
	free(live);
	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	return system(command) != 0 || (argc <= 1 && rmdir(directory));
}
