/* Any bytes as .gnu_debuglink, and the same bytes as a debug file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../elf_image.h"
#include "elf/debugfile.h"

static void check_link(const struct debugfile_link *link)
{
	char path[300];

	if (strlen(link->name) > DEBUGFILE_NAME_MAX || strchr(link->name, '/') ||
	    !strcmp(link->name, ".."))
		abort();
	for (unsigned i = 0; debugfile_path(link, STR("/a/b"), i, path, sizeof(path)); i++)
		if (i > 3 || (path[0] && path[0] != '/'))
			abort();
}

static void check_file(const struct debugfile_link *link, const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (debugfile_check(link, fd, NULL) > 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t image[64 << 10];
	const struct image_section section = {".gnu_debuglink", SHT_PROGBITS, 0, data, size};
	size_t len = elf_image(image, sizeof(image), EM_X86_64, &section, 1);
	struct debugfile_link link;
	struct elf_file *file;

	if (len == 0)
		return 0;
	if (elf_open_memory(image, len, &file, NULL))
		abort();
	if (debugfile_link_read(file, &link))
		check_link(&link);
	elf_close(file);
	check_file(&link, data, size);
	return 0;
}
