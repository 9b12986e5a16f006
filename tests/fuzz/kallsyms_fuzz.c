/* Any bytes as /proc/kallsyms and, after the first NUL, /proc/modules. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/elf.h"

static int memory_file(const uint8_t *data, size_t size, char path[32])
{
	int fd = memfd_create("kallsyms", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, 0, size) : NULL;
	size_t first = end ? (size_t)(end - data) : size;
	char symbols_path[32], modules_path[32];
	int symbols = memory_file(data, first, symbols_path);
	int modules = memory_file(data + first, size - first, modules_path);
	struct kernel_symbol s;
	struct kallsyms *kernel;
	struct err err;

	if (kallsyms_load_from(symbols_path, modules_path, NULL, &kernel, &err) == 0) {
		for (uint64_t a = 0xffffffff81000000; a < 0xffffffff81002000; a += 0x80)
			if (kallsyms_find(kernel, a, &s) && (a < s.start || a - s.start >= s.size))
				abort();
		kallsyms_free(kernel);
	}
	close(symbols);
	close(modules);
	return 0;
}
