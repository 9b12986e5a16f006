/* Any bytes as a jitdump file, in two pieces as a running program would write it. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/perfmap.h"

static void check_map(const struct code_map *map, uint64_t address)
{
	struct elf_symbol s;

	if (!code_map_find(map, address, &s))
		return;
	if (s.size == 0 || address < s.start || address - s.start >= s.size)
		abort();
	if (s.name.len == 0 || s.name.len > CODE_NAME_MAX || !str_is_utf8(s.name))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct jitdump_state at = {0};
	struct code_map *map;
	size_t half = size / 2;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (ftruncate(fd, 0) || pwrite(fd, data, half, 0) != (ssize_t)half ||
	    code_map_create(1 << 16, &map, NULL))
		abort();
	int first = jitdump_read(fd, &at, map, NULL);
	if (pwrite(fd, data + half, size - half, (off_t)half) != (ssize_t)(size - half))
		abort();
	if (first == 0 && jitdump_read(fd, &at, map, NULL) > 0)
		abort();
	if ((size > 40 && at.offset > size + (64 << 10)) || code_map_bytes(map) > 4 << 16)
		abort();
	for (uint64_t address = 0; address < 64; address++)
		check_map(map, address);
	code_map_destroy(map);
	return 0;
}
