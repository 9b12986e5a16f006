/* .gnu_debuglink: a file name with a NUL, zero to three more zero bytes up to a
 * multiple of four, and the CRC-32 (that of zip) of the debug file. */
#include "elf/debugfile.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "elf/elf_file.h"

enum {
	CHECKSUM_MAX_BYTES = 512 << 20,
	PIECE_BYTES = 64 << 10,
	LINK_MAX_BYTES = DEBUGFILE_NAME_MAX + 1 + 3 + 4,
};

static const char debug_root[] = "/usr/lib/debug";

/* A name that leads elsewhere is none. */
static bool is_file_name(struct str name)
{
	return name.len > 0 && name.len <= DEBUGFILE_NAME_MAX && str_find_char(name, '/') < 0 &&
	       !str_equal(name, STR(".")) && !str_equal(name, STR(".."));
}

static bool parse_link(struct str bytes, struct debugfile_link *ret)
{
	struct str name = str_make(bytes.ptr, strnlen(bytes.ptr, bytes.len));
	size_t at = (name.len + 1 + 3) / 4 * 4;

	if (!is_file_name(name) || bytes.len < 4 || at > bytes.len - 4)
		return false;
	const uint8_t *crc = (const uint8_t *)bytes.ptr + at;
	str_copy(ret->name, sizeof(ret->name), name);
	ret->crc = (uint32_t)crc[0] | (uint32_t)crc[1] << 8 | (uint32_t)crc[2] << 16 |
		   (uint32_t)crc[3] << 24;
	return true;
}

bool debugfile_link_read(const struct elf_file *file, struct debugfile_link *ret)
{
	const struct elf_section *s = elf_section_named(file, ".gnu_debuglink");
	char bytes[LINK_MAX_BYTES];

	*ret = (struct debugfile_link){0};
	memcpy(ret->build_id, file->info.build_id, sizeof(ret->build_id));
	if (s && s->size <= sizeof(bytes) &&
	    elf_read(file, s->offset, bytes, (size_t)s->size, NULL) == 0)
		(void)parse_link(str_make(bytes, (size_t)s->size), ret);
	return ret->build_id[0] || ret->name[0];
}

static void print_path(const struct debugfile_link *link, struct str dir, unsigned way, char *ret,
		       size_t cap)
{
	int len = -1;

	switch (way) {
	case 0:
		len = snprintf(ret, cap, "%s/.build-id/%.2s/%s.debug", debug_root, link->build_id,
			       link->build_id + 2);
		break;
	case 1:
		len = snprintf(ret, cap, "%.*s/%s", STR_ARG(dir), link->name);
		break;
	case 2:
		len = snprintf(ret, cap, "%.*s/.debug/%s", STR_ARG(dir), link->name);
		break;
	case 3:
		len = snprintf(ret, cap, "%s%.*s/%s", debug_root, STR_ARG(dir), link->name);
		break;
	}
	if (len < 0 || (size_t)len >= cap)
		ret[0] = '\0';
}

bool debugfile_path(const struct debugfile_link *link, struct str file_path, unsigned nth,
		    char *ret, size_t cap)
{
	/* One byte names the folder, the rest the file. */
	unsigned way = strlen(link->build_id) > 2 ? nth : nth + 1;
	ptrdiff_t slash = str_rfind_char(file_path, '/');

	if (way > 3 || (way > 0 && (!link->name[0] || slash < 0)))
		return false;
	print_path(link, str_sub(file_path, 0, slash < 0 ? 0 : (size_t)slash), way, ret, cap);
	return true;
}

static int checksum(int fd, uint64_t size, uint32_t *ret, struct err *err)
{
	uint8_t *piece = mem_alloc(PIECE_BYTES);
	uint32_t crc = 0;
	uint64_t at = 0;

	if (!piece)
		return err_set(err, ERR_NOMEM, "no memory to read a debug file");
	while (at < size) {
		ssize_t n = pread(fd, piece, PIECE_BYTES, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		crc = libdeflate_crc32(crc, piece, (size_t)n);
		at += (uint64_t)n;
	}
	mem_free(piece);
	if (at < size)
		return err_set(err, ERR_IO, "a debug file that ends early");
	*ret = crc;
	return 0;
}

static int check_checksum(const struct debugfile_link *link, int fd, uint64_t size, struct err *err)
{
	uint32_t crc = 0;

	if (!link->name[0] || size > CHECKSUM_MAX_BYTES)
		return err_set(err, ERR_NOT_FOUND, "a debug file without proof of it");
	int rc = checksum(fd, size, &crc, err);
	if (!rc && crc != link->crc)
		rc = err_set(err, ERR_NOT_FOUND, "a debug file with checksum %08x, not %08x", crc,
			     link->crc);
	return rc;
}

static int check_file(const struct debugfile_link *link, int fd, const struct elf_file *file,
		      struct err *err)
{
	const struct elf_section *dwarf = elf_section_named(file, ".debug_info");
	const char *build_id = file->info.build_id;

	if (!dwarf)
		dwarf = elf_section_named(file, ".zdebug_info");
	if (!file->info.has_symtab && !dwarf)
		return err_set(err, ERR_NOT_FOUND, "a file without symbols and DWARF");
	if (!link->build_id[0] || !build_id[0])
		return check_checksum(link, fd, file->source.size, err);
	if (strcmp(link->build_id, build_id) != 0)
		return err_set(err, ERR_NOT_FOUND, "a debug file of build %s", build_id);
	return 0;
}

int debugfile_check(const struct debugfile_link *link, int fd, struct err *err)
{
	struct elf_file *file;

	int rc = elf_open(fd, &file, err);
	if (rc)
		return rc;
	rc = check_file(link, fd, file, err);
	elf_close(file);
	return rc;
}
