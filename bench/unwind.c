/* Unwind tables: time to compile a file's call frame information, from the
 * opened file on, and what a row of it takes in the memory that BPF reads. */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "elf/elf.h"
#include "unwind/unwind.h"

enum { RUNS = 7, PLACES_MAX = 6 };

/* Where a file is on Debian, or where people put it. The first that is there. */
struct subject {
	const char *name;
	const char *places[PLACES_MAX];
};

static const struct subject subjects[] = {
	{"libc", {"/lib/x86_64-linux-gnu/libc.so.6", "/lib/*/libc.so.6", "/lib64/libc.so.6"}},
	{"node", {"/usr/lib/*/libnode.so.*", "/usr/bin/node", "/usr/local/bin/node"}},
	{"libjvm",
	 {"/usr/lib/jvm/java-17-openjdk-*/lib/server/libjvm.so",
	  "/usr/lib/jvm/*/lib/server/libjvm.so"}},
	{"libllvm",
	 {"/usr/lib/llvm-19/lib/libLLVM.so.19*", "/usr/lib/*/libLLVM-14.so.1",
	  "/usr/lib/llvm-14/lib/libLLVM-14.so.1", "/usr/lib/*/libLLVM*.so*"}},
};

static size_t all_bytes, all_ranges;

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

/* Of this thread: what waits is not the compiler. */
static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / NS_PER_MS;
}

/* One compilation, after the file's pages are in memory. */
static int compile(const char *path, double *ret_ms, struct unwind_rows_info *ret, struct err *err)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct unwind_rows *rows;
	struct elf_file *file;

	int rc = elf_open(fd, &file, err);
	if (rc)
		return rc;
	double begin_ms = cpu_ms();
	rc = unwind_compile(file, NULL, NULL, &rows, err);
	*ret_ms = cpu_ms() - begin_ms;
	elf_close(file);
	if (rc)
		return rc;
	unwind_rows_get_info(rows, ret);
	unwind_rows_free(rows);
	return 0;
}

static void bench_file(const char *name, const char *path)
{
	struct unwind_rows_info info;
	double ms[RUNS];
	struct err err;

	for (int run = -1; run < RUNS; run++) {
		if (compile(path, &ms[run < 0 ? 0 : run], &info, &err)) {
			fprintf(stderr, "%s: %s\n", path, err.text);
			return;
		}
	}
	printf("bench unwind.build.%s %.2f ms\n", name, median(ms));
	fprintf(stderr, "%s: %u ranges in %u functions, %u rows, %u rules, %zu bytes\n", path,
		info.ranges, info.functions, info.rows, info.rules, info.bytes);
	all_bytes += info.bytes;
	all_ranges += info.ranges;
}

static void bench_subject(const struct subject *subject)
{
	for (int i = 0; i < PLACES_MAX && subject->places[i]; i++) {
		glob_t found;
		if (glob(subject->places[i], 0, NULL, &found))
			continue;
		bench_file(subject->name, found.gl_pathv[0]);
		globfree(&found);
		return;
	}
}

int main(void)
{
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		bench_subject(&subjects[i]);
	if (all_ranges > 0)
		printf("bench unwind.bytes_per_row %.2f B\n",
		       (double)all_bytes / (double)all_ranges);
	return 0;
}
