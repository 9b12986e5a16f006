/* What the machine could do at best, measured in the same run as what the store does. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/clock.h"
#include "store/embedded/block.h"
#include "store_app.h"
#include "store_measure.h"

enum {
	MIB = 1024 * 1024,
	MEMORY_BYTES = 256 * MIB,
	MEMORY_ROUNDS = 4,
	DISK_BYTES = 512 * MIB,
	DISK_CHUNK = MIB,
	FSYNCS = 64,
};

/* ---- memory ---- */

struct reader {
	const uint64_t *words;
	size_t count;
	uint64_t sum;
	pthread_t thread;
};

static void *read_memory(void *arg)
{
	struct reader *reader = arg;
	uint64_t sums[8] = {0};
	for (unsigned round = 0; round < MEMORY_ROUNDS; round++)
		for (size_t i = 0; i + 8 <= reader->count; i += 8)
			for (unsigned j = 0; j < 8; j++)
				sums[j] += reader->words[i + j];
	for (unsigned j = 0; j < 8; j++)
		reader->sum += sums[j];
	return NULL;
}

static void memory_limit(const struct params *params, unsigned threads, const char *name)
{
	struct reader readers[2];
	uint64_t *words = need(malloc(MEMORY_BYTES));
	size_t part = MEMORY_BYTES / sizeof(*words) / threads;
	memset(words, 1, MEMORY_BYTES);
	uint64_t start_ns = clock_mono_ns();
	for (unsigned i = 0; i < threads; i++) {
		readers[i] = (struct reader){.words = words + i * part, .count = part};
		if (pthread_create(&readers[i].thread, NULL, read_memory, &readers[i]))
			fail("reading memory: no thread");
	}
	for (unsigned i = 0; i < threads; i++)
		pthread_join(readers[i].thread, NULL);
	bench(params, name,
	      (double)MEMORY_BYTES * MEMORY_ROUNDS / (double)(clock_mono_ns() - start_ns), "GB/s");
	free(words);
}

/* ---- disk ---- */

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void fsync_limit(const struct params *params, int fd)
{
	char block[4096] = {0};
	uint64_t took_ns[FSYNCS];
	for (unsigned i = 0; i < FSYNCS; i++) {
		uint64_t start_ns = clock_mono_ns();
		if (write(fd, block, sizeof(block)) < 0 || fdatasync(fd))
			fail("measuring fsync: the file cannot be written");
		took_ns[i] = clock_mono_ns() - start_ns;
	}
	qsort(took_ns, FSYNCS, sizeof(*took_ns), compare_u64);
	uint64_t median_ns = took_ns[FSYNCS / 2];
	bench(params, "limits.fsync", (double)median_ns / 1e6, "ms");
	bench(params, "limits.fsync.p99", (double)took_ns[FSYNCS - 1] / 1e6, "ms");
}

static double megabytes_per_s(uint64_t bytes, uint64_t start_ns)
{
	return (double)bytes * 1e3 / (double)(clock_mono_ns() - start_ns);
}

static void disk_limit(const struct params *params, int fd)
{
	uint64_t state = params->seed, bytes = 0;
	uint64_t *chunk = need(malloc(DISK_CHUNK));
	for (size_t i = 0; i < DISK_CHUNK / sizeof(*chunk); i++)
		chunk[i] = random_next(&state);
	uint64_t start_ns = clock_mono_ns();
	for (; bytes < DISK_BYTES; bytes += DISK_CHUNK)
		if (pwrite(fd, chunk, DISK_CHUNK, (off_t)bytes) != DISK_CHUNK)
			fail("measuring the disk: the file cannot be written");
	if (fdatasync(fd))
		fail("measuring the disk: the file cannot be synced");
	bench(params, "limits.disk.write", megabytes_per_s(bytes, start_ns), "MB/s");
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	start_ns = clock_mono_ns();
	for (bytes = 0; bytes < DISK_BYTES; bytes += DISK_CHUNK)
		if (pread(fd, chunk, DISK_CHUNK, (off_t)bytes) != DISK_CHUNK)
			fail("measuring the disk: the file cannot be read");
	bench(params, "limits.disk.read", megabytes_per_s(bytes, start_ns), "MB/s");
	free(chunk);
}

static void file_limits(const struct params *params, const char *directory)
{
	char path[600];
	snprintf(path, sizeof(path), "%s/limits", directory);
	int fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		fail("%s cannot be made", path);
	fsync_limit(params, fd);
	disk_limit(params, fd);
	close(fd);
	unlink(path);
}

/* ---- zstd ---- */

#ifdef HAVE_ZSTD
enum { ZSTD_LEVEL = 3, CHUNK = 32 * 1024, BLOCKS_BYTES = 8 * MIB, ROWS = 8192 };

static int compare_nodes(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* Blocks as the writer makes them of this load: rows by stack, six requests' times, values of CPU time. */
static void make_blocks(const struct params *params, struct buf *out)
{
	struct app *app = app_create(params, 0);
	int64_t *times = need(calloc(ROWS * 3, sizeof(*times)));
	int64_t *nodes = times + ROWS, *values = nodes + ROWS;
	uint64_t state = params->seed;
	struct block_rows rows = {.count = ROWS, .columns = {times, nodes, values}};
	while (out->len < BLOCKS_BYTES) {
		for (size_t i = 0; i < ROWS; i++) {
			double u = random_unit(&state);
			nodes[i] = app->leaves[(size_t)(u * u * u * (double)params->stacks)];
			times[i] = (int64_t)(random_next(&state) % 6 * 10ull * NS_PER_S);
			values[i] = 10000000ll * (int64_t)(1 + random_next(&state) % 4);
		}
		qsort(nodes, ROWS, sizeof(*nodes), compare_nodes);
		block_encode(out, &rows);
	}
	free(times);
	app_destroy(app);
}

static void zstd_limit(const struct params *params)
{
	struct buf plain = {0};
	make_blocks(params, &plain);
	size_t chunks = plain.len / CHUNK, bound = ZSTD_compressBound(CHUNK), total = 0;
	char *packed = need(malloc(chunks * bound)), *back = need(malloc(CHUNK));
	size_t *sizes = need(calloc(chunks, sizeof(*sizes)));
	ZSTD_CCtx *packer = need(ZSTD_createCCtx());
	uint64_t start_ns = clock_mono_ns();
	for (size_t i = 0; i < chunks; i++) {
		sizes[i] = ZSTD_compressCCtx(packer, packed + i * bound, bound,
					     plain.ptr + i * CHUNK, CHUNK, ZSTD_LEVEL);
		total += sizes[i];
	}
	bench(params, "limits.zstd.compress", megabytes_per_s(chunks * CHUNK, start_ns), "MB/s");
	ZSTD_DCtx *unpacker = need(ZSTD_createDCtx());
	start_ns = clock_mono_ns();
	for (size_t i = 0; i < chunks; i++)
		if (ZSTD_isError(ZSTD_decompressDCtx(unpacker, back, CHUNK, packed + i * bound,
						     sizes[i])))
			fail("zstd does not unpack what it packed");
	bench(params, "limits.zstd.decompress", megabytes_per_s(chunks * CHUNK, start_ns), "MB/s");
	bench(params, "limits.zstd.ratio", (double)(chunks * CHUNK) / (double)total, "x");
	ZSTD_freeCCtx(packer);
	ZSTD_freeDCtx(unpacker);
	free(sizes);
	free(packed);
	free(back);
	buf_deinit(&plain);
}
#else
static void zstd_limit(const struct params *params)
{
	(void)params;
	printf("# built without zstd's header: its speed is not measured\n");
}
#endif

void limits_run(const struct params *params, const char *directory)
{
	memory_limit(params, 1, "limits.mem.read");
	memory_limit(params, 2, "limits.mem.read2");
	file_limits(params, directory);
	zstd_limit(params);
}
