/* Symbol tables: time to load one, time to look an address up in it; and source lines. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "elf/elf.h"
#include "elf_lines.h"

#define LLVM "/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1"

enum { RUNS = 7, LOOKUPS = 200000 };

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double median(double *values)
{
	qsort(values, RUNS, sizeof(*values), compare_doubles);
	return values[RUNS / 2];
}

static int load(const char *path, struct elf_symbols **ret, struct err *err)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_file *file;

	int rc = elf_open(fd, &file, err);
	if (rc)
		return rc;
	rc = elf_symbols_load(file, 0, ret, err);
	elf_close(file);
	return rc;
}

static void bench_load(const char *name, const char *path)
{
	double ms[RUNS];
	size_t bytes = 0;

	if (access(path, R_OK))
		return;
	for (int run = 0; run < RUNS; run++) {
		struct elf_symbols *symbols;
		struct err err;
		uint64_t begin_ns = clock_mono_ns();
		if (load(path, &symbols, &err)) {
			fprintf(stderr, "%s: %s\n", path, err.text);
			return;
		}
		ms[run] = (double)(clock_mono_ns() - begin_ns) / NS_PER_MS;
		bytes = elf_symbols_bytes(symbols);
		elf_symbols_free(symbols);
	}
	printf("bench symbols.load.%s %.2f ms\n", name, median(ms));
	printf("bench symbols.bytes.%s %zu B\n", name, bytes);
}

/* How much the memory of a process of its own grows while it makes the table. */
static void bench_peak(const char *name, const char *path)
{
	struct elf_symbols *symbols;
	struct rusage before, after;

	if (access(path, R_OK))
		return;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		getrusage(RUSAGE_SELF, &before);
		int rc = load(path, &symbols, NULL);
		getrusage(RUSAGE_SELF, &after);
		if (rc == 0)
			printf("bench symbols.peak.%s %ld KiB\n", name,
			       after.ru_maxrss - before.ru_maxrss);
		fflush(stdout);
		_exit(rc != 0);
	}
	waitpid(child, NULL, 0);
}

/* Addresses all over the table, in no order that a cache could like. */
static void bench_lookup(const char *path)
{
	struct elf_symbols *symbols;
	uint64_t sum = 0, state = 88172645463325252;
	double ns[RUNS];
	struct err err;

	if (load(path, &symbols, &err)) {
		fprintf(stderr, "%s: %s\n", path, err.text);
		return;
	}
	uint32_t count = elf_symbols_count(symbols);
	uint64_t low = elf_symbols_at(symbols, 0).start;
	uint64_t span = elf_symbols_at(symbols, count - 1).start - low + 1;
	for (int run = 0; run < RUNS; run++) {
		uint64_t begin_ns = clock_mono_ns();
		for (int i = 0; i < LOOKUPS; i++) {
			struct elf_symbol s;
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			if (elf_symbols_find(symbols, low + state % span, &s))
				sum += s.name.len;
		}
		ns[run] = (double)(clock_mono_ns() - begin_ns) / LOOKUPS;
	}
	printf("bench symbols.lookup %.1f ns\n", median(ns));
	if (sum == 0)
		fprintf(stderr, "no address had a name\n");
	elf_symbols_free(symbols);
}

static void bench_kallsyms(void)
{
	double ms[RUNS];
	size_t bytes = 0;

	for (int run = 0; run < RUNS; run++) {
		struct kallsyms *kernel;
		struct err err;
		uint64_t begin_ns = clock_mono_ns();
		if (kallsyms_load(&kernel, &err)) {
			fprintf(stderr, "%s\n", err.text);
			return;
		}
		ms[run] = (double)(clock_mono_ns() - begin_ns) / NS_PER_MS;
		bytes = kallsyms_bytes(kernel);
		kallsyms_free(kernel);
	}
	printf("bench symbols.load.kernel %.1f ms\n", median(ms));
	printf("bench symbols.bytes.kernel %zu B\n", bytes);
}

static void bench_demangle(const char *path)
{
	struct elf_symbols *symbols;
	struct buf scratch;
	struct err err;
	uint64_t names = 0;

	if (access(path, R_OK) || load(path, &symbols, &err))
		return;
	buf_init(&scratch, 0);
	uint64_t begin_ns = clock_mono_ns();
	for (uint32_t i = 0; i < elf_symbols_count(symbols); i += 4) {
		struct elf_symbol s = elf_symbols_at(symbols, i);
		names += symbol_display_name(s.name, &scratch).ptr != s.name.ptr;
	}
	uint64_t spent_ns = clock_mono_ns() - begin_ns;
	if (names > 0)
		printf("bench symbols.demangle %.0f ns\n", (double)spent_ns / (double)names);
	buf_deinit(&scratch);
	elf_symbols_free(symbols);
}

int main(void)
{
	const char *node = access("/usr/bin/node", R_OK) == 0 ? "/usr/bin/node" : "/proc/self/exe";

	/* First, while this process is small. */
	bench_peak("node", "/usr/bin/node");
	bench_peak("libLLVM", LLVM);
	bench_lookup(node);
	bench_load("libc", "/lib/x86_64-linux-gnu/libc.so.6");
	bench_load("node", "/usr/bin/node");
	bench_load("libLLVM", LLVM);
	bench_kallsyms();
	bench_demangle("/usr/bin/node");
	bench_lines();
	return 0;
}
