/* Source lines through the DWARF worker: addresses a second of this very program, and of libc's debug file
 * where it is installed; the first time, with a fork and nothing read yet, and again. */
#include "elf_lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "elf/dwarf.h"
#include "elf/elf.h"

enum { RUNS = 5, ADDRESSES = 4000 };

struct answers {
	int fd;
	uint64_t rows;
};

static bool open_file(void *ctx, uint64_t file, struct dwarf_fds *ret)
{
	struct answers *answers = ctx;

	(void)file;
	*ret = (struct dwarf_fds){answers->fd, -1};
	return true;
}

static void take_rows(void *ctx, uint64_t file, uint64_t vaddr, const struct dwarf_row *rows,
		      uint32_t count)
{
	struct answers *answers = ctx;

	(void)file;
	(void)vaddr;
	(void)rows;
	answers->rows += count;
}

static void take_bad(void *ctx, uint64_t file, const char *why)
{
	(void)ctx;
	(void)file;
	fprintf(stderr, "no source lines: %s\n", why);
}

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Addresses all over the functions of the file; their number. */
static uint32_t spread(const char *path, uint64_t *vaddrs)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_symbols *symbols = NULL;
	struct elf_file *file;
	uint32_t count = 0;

	if (elf_open(fd, &file, NULL))
		return 0;
	if (elf_symbols_load(file, 0, &symbols, NULL) == 0) {
		uint32_t functions = elf_symbols_count(symbols);
		for (; count < ADDRESSES; count++) {
			struct elf_symbol symbol =
				elf_symbols_at(symbols,
					       (uint32_t)((uint64_t)count * functions / ADDRESSES));
			vaddrs[count] = symbol.start + count * 7919 % symbol.size;
		}
	}
	elf_symbols_free(symbols);
	elf_close(file);
	return count;
}

static double ask_all(struct dwarf *dwarf, const uint64_t *vaddrs, uint32_t count)
{
	uint64_t begin_ns = clock_mono_ns();

	for (uint32_t i = 0; i < count; i++)
		if (dwarf_ask(dwarf, 1, vaddrs[i], NULL))
			return 0;
	while (dwarf_pump(dwarf, clock_mono_ns() + NS_PER_S) > 0)
		;
	return (double)count * NS_PER_S / (double)(clock_mono_ns() - begin_ns);
}

/* Addresses a second, and the worker's CPU time of the first time. */
static bool one_run(const char *path, const uint64_t *vaddrs, uint32_t count, double *cold,
		    double *warm, double *cpu_ms)
{
	static const struct dwarf_ops ops = {open_file, take_rows, take_bad};
	struct answers answers = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
	const struct dwarf_options options = {.ops = &ops,
					      .ctx = &answers,
					      .burst_ns = 60ULL * NS_PER_S};
	struct dwarf_stats stats;
	struct dwarf *dwarf;

	if (answers.fd < 0 || dwarf_create(&options, &dwarf, NULL))
		return false;
	*cold = ask_all(dwarf, vaddrs, count);
	dwarf_get_stats(dwarf, &stats);
	*cpu_ms = (double)stats.worker_cpu_ns / NS_PER_MS;
	*warm = ask_all(dwarf, vaddrs, count);
	dwarf_destroy(dwarf);
	fd_close(&answers.fd);
	return answers.rows > 0;
}

static double median(double *values)
{
	qsort(values, RUNS, sizeof(*values), compare_doubles);
	return values[RUNS / 2];
}

static void bench_file(const char *name, const char *path)
{
	static uint64_t vaddrs[ADDRESSES];
	double cold[RUNS], warm[RUNS], cpu_ms[RUNS];
	uint32_t count = spread(path, vaddrs);

	if (count == 0)
		return;
	for (int run = 0; run < RUNS; run++)
		if (!one_run(path, vaddrs, count, &cold[run], &warm[run], &cpu_ms[run]))
			return;
	printf("bench symbols.lines.cold.%s %.0f addresses/s\n", name, median(cold));
	printf("bench symbols.lines.warm.%s %.0f addresses/s\n", name, median(warm));
	printf("bench symbols.lines.cpu.%s %.1f ms\n", name, median(cpu_ms));
}

void bench_lines(void)
{
	struct elf_file *libc;
	char path[128];

	bench_file("self", "/proc/self/exe");
	FD_AUTO int fd = open("/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || elf_open(fd, &libc, NULL))
		return;
	const char *id = elf_info(libc)->build_id;
	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug", id, id + 2);
	if (id[0] && access(path, R_OK) == 0)
		bench_file("libc", path);
	elf_close(libc);
}
