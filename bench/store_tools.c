#include "store_tools.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/engine.h"

void fail(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fprintf(stderr, "bench-store: ");
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

void check(int rc, const struct err *err)
{
	if (rc)
		fail("%s", err->text);
}

void *need(void *memory)
{
	if (!memory)
		fail("no memory");
	return memory;
}

uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

double random_unit(uint64_t *state)
{
	return (double)(random_next(state) >> 11) / 9007199254740992.0;
}

/* ---- this process ---- */

/* The number behind a key in a file of lines, 0 without it. */
static uint64_t read_field(const char *path, const char *key)
{
	char line[256];
	uint64_t value = 0;
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoull(line + strlen(key), NULL, 10);
	if (file)
		fclose(file);
	return value;
}

uint64_t rss_bytes(void)
{
	return read_field("/proc/self/status", "VmRSS:") * 1024;
}

uint64_t rss_peak_bytes(void)
{
	return read_field("/proc/self/status", "VmHWM:") * 1024;
}

/* proc(5), clear_refs: 5 sets the peak to the present size. */
void rss_peak_reset(void)
{
	FILE *file = fopen("/proc/self/clear_refs", "we");
	if (!file)
		return;
	fputs("5", file);
	fclose(file);
}

uint64_t written_bytes(void)
{
	return read_field("/proc/self/io", "write_bytes:");
}

uint64_t cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- files ---- */

struct store *store_at(const struct params *params, const char *path)
{
	bool soak = strcmp(params->mode, "soak") == 0;
	struct store_options options = {
		.path = path,
		.memory_bytes = params->memory_bytes,
		.retention.age_ns = soak ? params->retention_h * 3600 * NS_PER_S : 0,
		.manual_maintenance = soak,
	};
	struct store *store;
	struct err err;
	check(store_open(&options, &store, &err), &err);
	return store;
}

static uint64_t bytes_found;

static int add_size(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)path;
	(void)where;
	if (kind == FTW_F)
		bytes_found += (uint64_t)st->st_blocks * 512;
	return 0;
}

uint64_t disk_bytes(const char *path)
{
	bytes_found = 0;
	nftw(path, add_size, 16, FTW_PHYS);
	return bytes_found;
}

static int drop_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)where;
	int fd = kind == FTW_F ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return 0;
	(void)fdatasync(fd);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	return 0;
}

void drop_cached(const char *path)
{
	nftw(path, drop_one, 16, FTW_PHYS);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

void remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- times ---- */

enum { SUB = 32 };

static unsigned bucket_of(uint64_t ns)
{
	unsigned top = 63 - (unsigned)__builtin_clzll(ns | SUB);
	return (top - 5) * SUB + (unsigned)(ns >> (top - 5));
}

static double bucket_end(unsigned bucket)
{
	if (bucket < 2 * SUB)
		return bucket + 1;
	unsigned shift = bucket / SUB - 1;
	return (double)(bucket % SUB + SUB + 1) * (double)(1ull << shift);
}

void latency_add(struct latency *latency, uint64_t ns)
{
	latency->buckets[bucket_of(ns)]++;
	latency->count++;
}

double latency_ms(const struct latency *latency, double part)
{
	uint64_t count = latency->count, seen = 0;
	uint64_t wanted = (uint64_t)(part * (double)count);
	for (unsigned i = 0; count && i < LATENCY_BUCKETS; i++) {
		seen += latency->buckets[i];
		if (seen > wanted || seen == count)
			return bucket_end(i) / NS_PER_MS;
	}
	return 0;
}

void latency_move(struct latency *from, struct latency *ret)
{
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		uint64_t count = atomic_exchange(&from->buckets[i], 0);
		ret->buckets[i] += count;
		ret->count += count;
		from->count -= count;
	}
}

void bench(const struct params *params, const char *name, double value, const char *unit)
{
	const char *dot = strcmp(params->preset, "mixed") == 0 ? "" : ".";
	printf("bench %s%s%s %.*f %s\n", *dot ? params->preset : "", dot, name, value < 100 ? 3 : 0,
	       value, unit);
	fflush(stdout);
}
