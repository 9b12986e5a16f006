/* Benchmarks of the embedded store. Prints "bench NAME VALUE UNIT" lines; the
 * generator's parameters are printed first, as comments.
 *
 *	bench-store [DIRECTORY [SAMPLES [keep]]]
 *
 * The load: `clients` writers at once, each writing profiles of one host in
 * turn; per profile `series` series of `per_series` samples of skewed stacks
 * out of `stacks` per application; 70 % of the series hold multiples of 10 ms,
 * as CPU profiles do, 30 % log-uniform bytes, as allocation profiles do. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/engine.h"

enum {
	CLIENTS = 4,
	APPS = 20,
	SERIES = 10,
	PER_SERIES = 500,
	STACKS = 20000,
	DEPTH = 12,
	FUNCTIONS = 400,
	BRANCH = 3,
	PROFILE_S = 10,
	SETTLE_S = 3, /* for the background compaction, before sizes are taken */
};

struct generator {
	uint64_t state;
	unsigned client;
	struct store *store;
	size_t profiles;
	uint64_t *ack_ns;
	struct store_node *nodes;
	struct store_frame *frames;
	uint32_t *leaves;
	size_t node_count;
	char (*names)[48];
	struct store_node *used;   /* of one profile */
	uint32_t *used_of, *stamp; /* node -> its place there, in which profile */
	uint32_t used_count, profile;
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
		fprintf(stderr, "bench-store: %s\n", err->text);
		exit(1);
	}
}

static void *need(void *memory)
{
	if (!memory) {
		fprintf(stderr, "bench-store: no memory\n");
		exit(1);
	}
	return memory;
}

/* ---- generator ---- */

/* Which child a frame calls on the way to a stack: the same prefix for neighbouring stacks. */
static void make_app(struct generator *g, unsigned app)
{
	struct generator words = {.state = app * 977 + 1};
	g->node_count = 1;
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		snprintf(g->names[i], sizeof(g->names[i]), "app%u::module%u::function_%u", app,
			 i / 20, i);
		g->frames[i] = (struct store_frame){.name = str_of(g->names[i]),
						    .filename = STR("src/module.c"),
						    .kind = STR("native"),
						    .mapping = STR("app"),
						    .line = i};
	}
	uint32_t path[DEPTH] = {0};
	for (unsigned s = 0; s < STACKS; s++) {
		unsigned keep = s ? DEPTH - 1 - (unsigned)(next(&words) % BRANCH) : 0;
		if (next(&words) % 50 == 0)
			keep = (unsigned)(next(&words) % DEPTH);
		for (unsigned d = keep; d < DEPTH; d++) {
			uint32_t parent = d ? path[d - 1] : 0;
			g->nodes[g->node_count] =
				(struct store_node){parent, (uint32_t)(next(&words) % FUNCTIONS)};
			path[d] = (uint32_t)g->node_count++;
		}
		g->leaves[s] = path[DEPTH - 1];
	}
}

static int64_t value_of(struct generator *g, unsigned series)
{
	uint64_t dice = next(g);
	if (series % 10 < 7)
		return 10000000ll * (int64_t)(1 + (dice >> 32) % 8 * ((dice >> 40) % 4 == 0));
	return (int64_t)(16 + (next(g) & ((1ull << (4 + (dice >> 32) % 24)) - 1)));
}

static uint32_t skewed(struct generator *g)
{
	double u = (double)(next(g) >> 11) / 9007199254740992.0;
	return (uint32_t)(u * u * u * STACKS);
}

/* A profile brings the stacks that it has, and no others. */
static uint32_t use(struct generator *g, uint32_t node)
{
	if (node == 0)
		return 0;
	if (g->stamp[node] != g->profile) {
		uint32_t parent = use(g, g->nodes[node].parent);
		g->stamp[node] = g->profile;
		g->used_of[node] = g->used_count;
		g->used[g->used_count++] = (struct store_node){parent, g->nodes[node].frame};
	}
	return g->used_of[node];
}

static void write_profile(struct generator *g, unsigned app, uint64_t time_ns, uint64_t *ack_ns)
{
	static const struct str strings[] = {{"", 0}};
	struct store_series series[SERIES];
	struct store_label labels[SERIES][3];
	char pods[SERIES][24], service[16];
	struct store_sample *samples = need(malloc(SERIES * PER_SERIES * sizeof(*samples)));
	snprintf(service, sizeof(service), "app-%u", app);
	g->profile++;
	g->used_count = 1;
	for (unsigned s = 0; s < SERIES; s++) {
		snprintf(pods[s], sizeof(pods[s]), "pod-%u-%u", g->client, s);
		labels[s][0] = (struct store_label){STR("__profile_type__"),
						    s % 10 < 7 ? STR("cpu") : STR("alloc")};
		labels[s][1] = (struct store_label){STR("pod"), str_of(pods[s])};
		labels[s][2] = (struct store_label){STR("service_name"), str_of(service)};
		for (unsigned i = 0; i < PER_SERIES; i++)
			samples[s * PER_SERIES + i] =
				(struct store_sample){.time_ns = time_ns,
						      .value = value_of(g, s),
						      .node = use(g, g->leaves[skewed(g)]),
						      .cpu = -1};
		series[s] =
			(struct store_series){labels[s], 3, samples + s * PER_SERIES, PER_SERIES};
	}
	struct store_batch batch = {.tenant = STR("anonymous"),
				    .strings = strings,
				    .string_count = 1,
				    .frames = g->frames,
				    .frame_count = FUNCTIONS,
				    .nodes = g->used,
				    .node_count = g->used_count,
				    .series = series,
				    .series_count = SERIES};
	struct err err;
	uint64_t start_ns = clock_mono_ns();
	check(store_write(g->store, &batch, &err), &err);
	*ack_ns = clock_mono_ns() - start_ns;
	free(samples);
}

static void *client(void *arg)
{
	struct generator *g = arg;
	uint64_t start_ns = 1700000000ull * NS_PER_S / NS_PER_S * NS_PER_S;
	for (size_t i = 0; i < g->profiles; i++)
		write_profile(g, g->client % APPS, start_ns + i * PROFILE_S * (uint64_t)NS_PER_S,
			      &g->ack_ns[i]);
	return NULL;
}

static void make_client(struct generator *g, unsigned number, struct store *store, size_t profiles)
{
	*g = (struct generator){.state = number + 1,
				.client = number,
				.store = store,
				.profiles = profiles};
	g->ack_ns = need(calloc(profiles, sizeof(*g->ack_ns)));
	g->nodes = need(calloc((size_t)STACKS * DEPTH + 1, sizeof(*g->nodes)));
	g->frames = need(calloc(FUNCTIONS, sizeof(*g->frames)));
	g->used = need(calloc((size_t)STACKS * DEPTH + 1, sizeof(*g->used)));
	g->used_of = need(calloc((size_t)STACKS * DEPTH + 1, sizeof(*g->used_of)));
	g->stamp = need(calloc((size_t)STACKS * DEPTH + 1, sizeof(*g->stamp)));
	g->leaves = need(calloc(STACKS, sizeof(*g->leaves)));
	g->names = need(calloc(FUNCTIONS, sizeof(*g->names)));
	make_app(g, number % APPS);
}

/* ---- measures ---- */

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void print_acks(const struct generator *clients)
{
	size_t count = 0;
	uint64_t *all = need(calloc(clients[0].profiles * CLIENTS, sizeof(*all)));
	for (unsigned c = 0; c < CLIENTS; c++)
		for (size_t i = 0; i < clients[c].profiles; i++)
			all[count++] = clients[c].ack_ns[i];
	qsort(all, count, sizeof(*all), compare_u64);
	printf("bench ingest.ack.p50 %.3f ms\n", (double)all[count / 2] / 1e6);
	printf("bench ingest.ack.p99 %.3f ms\n", (double)all[count * 99 / 100] / 1e6);
	free(all);
}

static void ingest(struct store *store, size_t profiles)
{
	static struct generator clients[CLIENTS];
	pthread_t threads[CLIENTS];
	struct timespec cpu0, cpu1;
	for (unsigned c = 0; c < CLIENTS; c++)
		make_client(&clients[c], c, store, profiles);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu0);
	uint64_t start_ns = clock_mono_ns();
	for (unsigned c = 0; c < CLIENTS; c++)
		if (pthread_create(&threads[c], NULL, client, &clients[c]))
			exit(1);
	for (unsigned c = 0; c < CLIENTS; c++)
		pthread_join(threads[c], NULL);
	double wall = (double)(clock_mono_ns() - start_ns) / 1e9;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu1);
	double samples = (double)profiles * CLIENTS * SERIES * PER_SERIES;
	double cpu =
		(double)(cpu1.tv_sec - cpu0.tv_sec) + (double)(cpu1.tv_nsec - cpu0.tv_nsec) / 1e9;
	printf("bench ingest.samples %.0f samples/s\n", samples / wall);
	printf("bench ingest.cpu %.0f ns/sample\n", cpu * 1e9 / samples);
	print_acks(clients);
	for (unsigned c = 0; c < CLIENTS; c++) {
		free(clients[c].ack_ns);
		free(clients[c].nodes);
		free(clients[c].used);
		free(clients[c].used_of);
		free(clients[c].stamp);
		free(clients[c].frames);
		free(clients[c].leaves);
		free(clients[c].names);
	}
}

static void merge(struct store *store, double samples)
{
	struct store_selection all = {.tenant = STR("anonymous"), .end_ns = UINT64_MAX};
	struct arena arena;
	struct store_tree tree;
	struct err err;
	uint64_t best_ns = UINT64_MAX, best_cpu_ns = UINT64_MAX;
	arena_init(&arena, 0);
	for (unsigned i = 0; i < 5; i++) {
		uint64_t start_ns = clock_mono_ns(), cpu_ns = clock_thread_cpu_ns();
		check(store_merge(store, &all, &arena, &tree, &err), &err);
		uint64_t took_ns = clock_mono_ns() - start_ns;
		cpu_ns = clock_thread_cpu_ns() - cpu_ns;
		best_ns = took_ns < best_ns ? took_ns : best_ns;
		best_cpu_ns = cpu_ns < best_cpu_ns ? cpu_ns : best_cpu_ns;
		arena_reset(&arena);
	}
	printf("# merge: %u nodes in the answer\n", tree.node_count);
	printf("bench query.merge_row %.2f ns\n", (double)best_ns / samples);
	printf("bench query.merge_row.cpu %.2f ns\n", (double)best_cpu_ns / samples);
	arena_deinit(&arena);
}

static void fsync_limit(const char *directory)
{
	char path[512], block[4096] = {0};
	uint64_t took[64];
	snprintf(path, sizeof(path), "%s/fsync", directory);
	int fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
	for (unsigned i = 0; i < 64; i++) {
		uint64_t start_ns = clock_mono_ns();
		if (write(fd, block, sizeof(block)) < 0 || fdatasync(fd))
			exit(1);
		took[i] = clock_mono_ns() - start_ns;
	}
	close(fd);
	unlink(path);
	qsort(took, 64, sizeof(*took), compare_u64);
	printf("bench limits.fsync %.3f ms\n", (double)took[32] / 1e6);
}

/* What the files take, with the log's preallocated part given back by closing. */
static uint64_t directory_bytes(const char *store_path)
{
	char path[600];
	uint64_t total = 0;
	snprintf(path, sizeof(path), "%s/db", store_path);
	DIR *dir = need(opendir(path));
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		struct stat st;
		if (!fstatat(dirfd(dir), entry->d_name, &st, 0) && S_ISREG(st.st_mode))
			total += (uint64_t)st.st_blocks * 512;
	}
	closedir(dir);
	return total;
}

static struct store *open_store(const char *path)
{
	struct store_options options = {.path = path};
	struct store *store;
	struct err err;
	check(store_open(&options, &store, &err), &err);
	return store;
}

int main(int argc, char **argv)
{
	char temp[] = "/tmp/cresset-bench-XXXXXX", path[512], command[600];
	const char *directory = argc > 1 ? argv[1] : need(mkdtemp(temp));
	size_t samples = argc > 2 ? strtoul(argv[2], NULL, 10) : 10 * 1000 * 1000;
	size_t profiles = samples / (CLIENTS * SERIES * PER_SERIES);
	snprintf(path, sizeof(path), "%s/store", directory);
	printf("# clients %d, series %d each, %d samples a series and profile, %d stacks of depth "
	       "%d "
	       "per client, profiles %zu, one every %d s\n",
	       CLIENTS, SERIES, PER_SERIES, STACKS, DEPTH, profiles * CLIENTS, PROFILE_S);
	fsync_limit(directory);
	struct store *store = open_store(path);
	ingest(store, profiles);
	store_close(store);
	uint64_t start_ns = clock_mono_ns();
	store = open_store(path);
	printf("bench store.open %.1f ms\n", (double)(clock_mono_ns() - start_ns) / 1e6);
	struct store_stats stats;
	struct err err;
	sleep(SETTLE_S);
	check(store_stats(store, &stats, &err), &err);
	printf("# %ju samples, %ju series, %ju nodes, %ju bytes on disk while open\n",
	       (uintmax_t)stats.samples, (uintmax_t)stats.series, (uintmax_t)stats.nodes,
	       (uintmax_t)stats.disk_bytes);
	merge(store, (double)stats.samples);
	store_close(store);
	printf("bench store.bytes_per_sample %.3f B\n",
	       (double)directory_bytes(path) / (double)stats.samples);
	if (argc > 3)
		return 0;
	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	return system(command) != 0 || (argc <= 1 && rmdir(directory));
}
