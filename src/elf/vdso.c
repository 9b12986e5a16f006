/* The vDSO: an ELF image that the kernel maps into every process. Ours is
 * copied out once, so that the handle is like any other. */
#include "elf/elf_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/fd.h"
#include "base/mem.h"

enum { VDSO_MAX_BYTES = 1 << 20 };

/* "START-END perms ..." of the line whose start is address. */
static size_t mapping_size(struct str maps, unsigned long address)
{
	struct str line;

	while (str_next(&maps, '\n', &line)) {
		char text[64];
		unsigned long start, end;
		str_copy(text, sizeof(text), line);
		if (sscanf(text, "%lx-%lx ", &start, &end) == 2 && start == address && end > start)
			return end - start;
	}
	return 0;
}

static int own_vdso_size(unsigned long address, size_t *ret, struct err *err)
{
	enum { MAPS_MAX_BYTES = 16 << 20 };
	struct buf maps;

	buf_init(&maps, MAPS_MAX_BYTES);
	int rc = fd_read_file("/proc/self/maps", MAPS_MAX_BYTES, &maps, err);
	if (!rc)
		*ret = mapping_size(buf_text(&maps), address);
	buf_deinit(&maps);
	return rc;
}

int elf_open_vdso(struct elf_file **ret, struct err *err)
{
	unsigned long address = getauxval(AT_SYSINFO_EHDR);
	struct elf_file *file;
	size_t size = 0;

	if (address == 0)
		return err_set(err, ERR_UNSUPPORTED, "this kernel gives no vDSO");
	int rc = own_vdso_size(address, &size, err);
	if (rc)
		return rc;
	if (size == 0 || size > VDSO_MAX_BYTES)
		return err_set(err, ERR_UNSUPPORTED, "no mapping of the vDSO at %#lx", address);
	void *image = mem_alloc(size);
	if (!image)
		return err_set(err, ERR_NOMEM, "no memory for %zu bytes of vDSO", size);
	memcpy(image, (const void *)address, size);
	rc = elf_open_memory(image, size, &file, err);
	if (rc) {
		mem_free(image);
		return rc;
	}
	file->own_image = image;
	*ret = file;
	return 0;
}
