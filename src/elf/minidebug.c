/* .gnu_debugdata, "MiniDebugInfo" (GDB manual): a small ELF file, compressed
 * by xz, whose .symtab has the functions that are not in .dynsym.
 *
 * A few bytes of xz can unpack to gigabytes and ask for gigabytes of
 * dictionary, so both are limited, and with them the time. */
#include "elf/symtab.h"

#include <lzma.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
	PACKED_MAX_BYTES = 32 << 20,
	/* A symbol of 24 bytes and its name: half a million functions. */
	UNPACKED_MAX_BYTES = 64 << 20,
	/* xz -6 has a dictionary of 8 MiB, and -9 one of 64. */
	DECODER_MAX_BYTES = 66 << 20,
	PIECE_BYTES = 64 << 10,
};

static void *alloc(void *ctx, size_t count, size_t size)
{
	(void)ctx;
	return count <= SIZE_MAX / (size ? size : 1) ? mem_alloc(count * size) : NULL;
}

static void release(void *ctx, void *ptr)
{
	(void)ctx;
	mem_free(ptr);
}

static int code_of(lzma_ret rc, struct err *err)
{
	if (rc == LZMA_MEM_ERROR)
		return err_set(err, ERR_NOMEM, "xz: no memory");
	if (rc == LZMA_MEMLIMIT_ERROR)
		return err_set(err, ERR_LIMIT, "xz: a dictionary too large");
	return err_set(err, ERR_CORRUPT, "xz: damaged (%d)", (int)rc);
}

static int run_decoder(lzma_stream *stream, struct buf *ret, struct err *err)
{
	lzma_ret rc = LZMA_OK;

	while (rc == LZMA_OK) {
		size_t room = UNPACKED_MAX_BYTES - ret->len;
		if (room == 0)
			return err_set(err, ERR_LIMIT, "xz: more than %d bytes",
				       UNPACKED_MAX_BYTES);
		if (room > PIECE_BYTES)
			room = PIECE_BYTES;
		if (!buf_reserve(ret, room))
			return buf_check(ret, "xz", err);
		stream->next_out = (uint8_t *)ret->ptr + ret->len;
		stream->avail_out = room;
		rc = lzma_code(stream, LZMA_FINISH);
		ret->len += room - stream->avail_out;
	}
	return rc == LZMA_STREAM_END ? 0 : code_of(rc, err);
}

static int unpack(const uint8_t *packed, size_t len, struct buf *ret, struct err *err)
{
	const lzma_allocator allocator = {.alloc = alloc, .free = release};
	lzma_stream stream = LZMA_STREAM_INIT;

	stream.allocator = &allocator;
	stream.next_in = packed;
	stream.avail_in = len;
	lzma_ret begun = lzma_stream_decoder(&stream, DECODER_MAX_BYTES, 0);
	int rc = begun == LZMA_OK ? run_decoder(&stream, ret, err) : code_of(begun, err);
	lzma_end(&stream);
	return rc;
}

static int collect_image(struct symbol_set *set, const struct elf_file *file,
			 const struct buf *image, struct err *err)
{
	struct elf_file *inner;

	int rc = elf_open_memory(image->ptr, image->len, &inner, err);
	if (rc)
		return rc;
	if (inner->info.machine == file->info.machine)
		rc = symtab_collect_full(set, inner, err);
	elf_close(inner);
	return rc;
}

static int collect(struct symbol_set *set, const struct elf_file *file, const struct elf_section *s,
		   struct err *err)
{
	struct buf image;
	void *packed;

	int rc = elf_read_alloc(file, s->offset, s->size, PACKED_MAX_BYTES, &packed, err);
	if (rc)
		return rc;
	buf_init(&image, 0);
	rc = unpack(packed, (size_t)s->size, &image, err);
	mem_free(packed);
	if (!rc)
		rc = collect_image(set, file, &image, err);
	buf_deinit(&image);
	return rc;
}

int minidebug_collect(struct symbol_set *set, const struct elf_file *file, struct err *err)
{
	const struct elf_section *s = elf_section_named(file, ".gnu_debugdata");

	if (!s || s->size == 0)
		return 0;
	size_t before = set->count;
	int rc = collect(set, file, s, err);
	if (rc == 0 || rc == ERR_NOMEM || rc == ERR_IO)
		return rc;
	set->count = before;
	return 0;
}
