/* Benchmark of dropping a day and collecting what only it referred to, and how
 * long writes take meanwhile. Prints "bench NAME VALUE UNIT" lines; parameters
 * first, as comments.
 *
 *	bench-collect [DIRECTORY [NODES]]
 *
 * Half of the stack nodes are of a day that goes, half of one that stays; each
 * batch has stacks of its own, some functions of its own, and others that all
 * have. */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/embedded/embedded.h"
#include "store/embedded/times.h"

enum {
	NODES_DEFAULT = 1000 * 1000,
	STACKS = 200, /* of a batch */
	DEPTH = 10,
	BATCH_NODES = STACKS * DEPTH,
	SHARED = 300, /* functions that all have */
	OWN = 20,     /* functions of one batch */
	SERVICES = 100,
	LIVE_MAX = 20000,
	ALONE_S = 5,
};

#define FIRST_NS (20000ull * NS_PER_DAY)

struct batch {
	struct store_batch batch;
	struct store_frame frames[SHARED + OWN];
	struct store_node nodes[BATCH_NODES + 1];
	struct store_sample samples[STACKS];
	struct store_label label;
	struct store_series series;
	struct str strings[1];
	char names[SHARED + OWN][40], service[24];
};

static void check(int rc, const struct err *err)
{
	if (rc) {
		fprintf(stderr, "bench-collect: %s\n", err->text);
		exit(1);
	}
}

static void *need(void *memory)
{
	if (!memory) {
		fprintf(stderr, "bench-collect: no memory\n");
		exit(1);
	}
	return memory;
}

static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void make_functions(struct batch *b, unsigned number)
{
	for (unsigned i = 0; i < SHARED + OWN; i++) {
		if (i < SHARED)
			snprintf(b->names[i], sizeof(b->names[i]), "function_%u", i);
		else
			snprintf(b->names[i], sizeof(b->names[i]), "own_%u_%u", number, i);
		b->frames[i] = (struct store_frame){.name = str_of(b->names[i]),
						    .kind = STR("native"),
						    .mapping = STR("app")};
	}
}

/* Of one number all stacks are the same, and no other number has them: they begin with its own functions. */
static void make_stacks(struct batch *b, unsigned number)
{
	uint64_t random = number;
	for (unsigned s = 0; s < STACKS; s++)
		for (unsigned d = 0; d < DEPTH; d++) {
			unsigned at = 1 + s * DEPTH + d;
			uint32_t frame = d == 0	  ? SHARED + s % OWN
					 : d == 1 ? s
						  : (uint32_t)(next(&random) % SHARED);
			b->nodes[at] = (struct store_node){d ? at - 1 : 0, frame};
		}
}

static void make_batch(struct batch *b, unsigned number, uint64_t time_ns)
{
	memset(b, 0, sizeof(*b));
	make_functions(b, number);
	make_stacks(b, number);
	for (unsigned s = 0; s < STACKS; s++)
		b->samples[s] = (struct store_sample){.time_ns = time_ns + s * (uint64_t)NS_PER_MS,
						      .value = 10000000,
						      .node = s * DEPTH + DEPTH,
						      .cpu = -1};
	snprintf(b->service, sizeof(b->service), "service-%u", number % SERVICES);
	b->label = (struct store_label){STR("service_name"), str_of(b->service)};
	b->strings[0] = STR("");
	b->series = (struct store_series){&b->label, 1, b->samples, STACKS};
	b->batch = (struct store_batch){.tenant = STR("anonymous"),
					.strings = b->strings,
					.string_count = 1,
					.frames = b->frames,
					.frame_count = SHARED + OWN,
					.nodes = b->nodes,
					.node_count = BATCH_NODES + 1,
					.series = &b->series,
					.series_count = 1};
}

static uint64_t write_batch(struct store *store, struct batch *b, unsigned number, uint64_t time_ns)
{
	struct err err;
	make_batch(b, number, time_ns);
	uint64_t start_ns = clock_mono_ns();
	check(store_write(store, &b->batch, &err), &err);
	return clock_mono_ns() - start_ns;
}

static void fill(struct store *store, unsigned batches)
{
	struct batch *b = need(malloc(sizeof(*b)));
	for (unsigned i = 0; i < batches; i++)
		write_batch(store, b, i,
			    FIRST_NS + i % 2 * NS_PER_DAY +
				    (uint64_t)i * (NS_PER_DAY / 2) / batches);
	free(b);
}

/* ---- writes meanwhile ---- */

struct live {
	struct store *store;
	unsigned batches;
	_Atomic bool stop;
	uint64_t ack_ns[LIVE_MAX];
	size_t count, written;
};

/* Stacks of the day that stays, and at times of the one that goes. */
static void *write_live(void *arg)
{
	const struct timespec pause = {.tv_nsec = 10 * NS_PER_MS};
	struct live *live = arg;
	struct batch *b = need(malloc(sizeof(*b)));
	uint64_t random = live->written + 1;
	for (live->count = 0; !live->stop && live->count < LIVE_MAX; live->count++) {
		uint64_t time_ns = FIRST_NS + NS_PER_DAY * 3 / 2 + live->written++ * NS_PER_S;
		unsigned number = (unsigned)(next(&random) % live->batches);
		number -= number % 2 && next(&random) % 20 ? 0 : 1;
		live->ack_ns[live->count] =
			write_batch(live->store, b, number % live->batches, time_ns);
		nanosleep(&pause, NULL);
	}
	free(b);
	return NULL;
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void start(struct live *live, pthread_t *thread)
{
	live->stop = false;
	if (pthread_create(thread, NULL, write_live, live)) {
		fprintf(stderr, "bench-collect: no thread\n");
		exit(1);
	}
}

static void stop(struct live *live, pthread_t thread, const char *when)
{
	live->stop = true;
	pthread_join(thread, NULL);
	if (!live->count)
		return;
	qsort(live->ack_ns, live->count, sizeof(*live->ack_ns), compare_u64);
	printf("bench collect.ack.%s.p50 %.3f ms\n", when,
	       (double)live->ack_ns[live->count / 2] / 1e6);
	printf("bench collect.ack.%s.p99 %.3f ms\n", when,
	       (double)live->ack_ns[live->count * 99 / 100] / 1e6);
	printf("# of %zu writes, the slowest %.1f ms\n", live->count,
	       (double)live->ack_ns[live->count - 1] / 1e6);
}

/* ---- sizes ---- */

static double stored_mib(struct store *store)
{
	uint64_t total = 0;
	struct err err;
	check(rocks_flush(store->rocks, &err), &err);
	DIR *dir = need(opendir(store->database_path));
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		struct stat st;
		if (strstr(entry->d_name, ".sst") && !fstatat(dirfd(dir), entry->d_name, &st, 0))
			total += (uint64_t)st.st_size;
	}
	closedir(dir);
	return (double)total / (1024 * 1024);
}

static struct store_stats stats_of(struct store *store)
{
	struct store_stats stats;
	struct err err;
	check(store_stats(store, &stats, &err), &err);
	return stats;
}

/* ---- what is measured ---- */

static void drop_day(struct store *store)
{
	struct err err;
	uint32_t days;
	double before = stored_mib(store);
	uint64_t start_ns = clock_mono_ns();
	check(retention_run(store, FIRST_NS + 2 * NS_PER_DAY, &days, &err), &err);
	printf("bench collect.drop %.3f s\n", (double)(clock_mono_ns() - start_ns) / 1e9);
	printf("# %u day dropped; tables %.1f -> %.1f MiB\n", days, before, stored_mib(store));
}

static void collect(struct store *store)
{
	struct err err;
	struct store_stats before = stats_of(store);
	double mib = stored_mib(store);
	store->maintenance.asked = true;
	uint64_t start_ns = clock_mono_ns(), cpu_ns = clock_thread_cpu_ns();
	check(collect_run(store, FIRST_NS + 2 * NS_PER_DAY, &err), &err);
	printf("bench collect.run %.3f s\n", (double)(clock_mono_ns() - start_ns) / 1e9);
	printf("bench collect.cpu %.3f s\n", (double)(clock_thread_cpu_ns() - cpu_ns) / 1e9);
	struct store_stats after = stats_of(store);
	printf("# nodes %ju -> %ju, frames %ju -> %ju, strings %ju -> %ju; tables %.1f -> %.1f "
	       "MiB\n",
	       (uintmax_t)before.nodes, (uintmax_t)after.nodes, (uintmax_t)before.frames,
	       (uintmax_t)after.frames, (uintmax_t)before.strings, (uintmax_t)after.strings, mib,
	       stored_mib(store));
}

static void measure(struct live *live)
{
	pthread_t thread;
	fill(live->store, live->batches);
	start(live, &thread);
	sleep(ALONE_S);
	stop(live, thread, "alone");
	drop_day(live->store);
	start(live, &thread);
	collect(live->store);
	stop(live, thread, "collecting");
}

int main(int argc, char **argv)
{
	char temp[] = "/tmp/cresset-bench-XXXXXX", path[512], command[600];
	const char *directory = argc > 1 ? argv[1] : need(mkdtemp(temp));
	unsigned long nodes = argc > 2 ? strtoul(argv[2], NULL, 10) : NODES_DEFAULT;
	struct live *live = need(calloc(1, sizeof(*live)));
	struct err err;
	snprintf(path, sizeof(path), "%s/store", directory);
	struct store_options options = {.path = path,
					.manual_maintenance = true,
					.retention = {.age_ns = NS_PER_DAY}};
	live->batches = (unsigned)(nodes / BATCH_NODES) + 2;
	printf("# %u batches with %d stack nodes each\n", live->batches, BATCH_NODES);
	check(store_open(&options, &live->store, &err), &err);
	measure(live);
	store_close(live->store);
	free(live);
	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	return system(command) != 0 || (argc <= 1 && rmdir(directory));
}
