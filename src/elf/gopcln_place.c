/* Finds the table in a file: by a section's name, else by its header, which is
 * an aligned magic number, two zeros, the size of an instruction and of a
 * pointer, and then offsets of parts that ascend, of which the first one follows
 * at once.
 * No other bytes look so. */
#include <elf.h>
#include <string.h>

#include "base/mem.h"
#include "elf/gopcln_table.h"

enum {
	SCAN_CHUNK_BYTES = 256 << 10,
	HEADER_ALIGN = 16, /* Go 1.16 to 1.25: 32 */
	NAMES_ALIGN = 32,  /* until 1.25 */
};

/* A file is looked through for at most so much; no Go program has more read-only data. */
#define SCAN_MAX_BYTES (1ULL << 30)

static uint32_t generation_of_magic(uint32_t magic)
{
	switch (magic) {
	case 0xfffffffa:
		return GO_116;
	case 0xfffffff0:
		return GO_118;
	case 0xfffffff1:
		return GO_120;
	default:
		return 0;
	}
}

static bool parts_ascend(const struct go_header *h, uint64_t header_len)
{
	return h->names >= header_len && h->names < header_len + NAMES_ALIGN &&
	       h->names <= h->units && h->units <= h->files && h->files <= h->values &&
	       h->values <= h->functions;
}

bool go_header_parse(const uint8_t *bytes, size_t len, struct go_header *ret)
{
	struct cur c = cur_make(bytes, len);
	struct go_header h = {.generation = generation_of_magic(cur_u32le(&c))};

	if (!h.generation || cur_u16le(&c) != 0)
		return false;
	h.quantum = cur_u8(&c);
	uint8_t pointer_bytes = cur_u8(&c);
	uint64_t functions = cur_u64le(&c);
	(void)cur_u64le(&c); /* files */
	if (h.generation != GO_116)
		h.text = cur_u64le(&c);
	h.names = cur_u64le(&c);
	h.units = cur_u64le(&c);
	h.files = cur_u64le(&c);
	h.values = cur_u64le(&c);
	h.functions = cur_u64le(&c);
	if (!cur_ok(&c) || pointer_bytes != 8 || (h.quantum != 1 && h.quantum != 4))
		return false;
	if (functions == 0 || functions > GO_FUNCTIONS_MAX || !parts_ascend(&h, cur_offset(&c)))
		return false;
	h.function_count = (uint32_t)functions;
	*ret = h;
	return true;
}

/* The header at an offset, with at most len bytes for the whole table. */
static bool place_at(const struct elf_file *file, uint64_t vaddr, uint64_t offset, uint64_t len,
		     struct go_place *ret)
{
	uint8_t bytes[GO_HEADER_MAX_BYTES];
	struct go_header header;

	if (len < sizeof(bytes) || elf_read(file, offset, bytes, sizeof(bytes), NULL) ||
	    !go_header_parse(bytes, sizeof(bytes), &header) || header.functions >= len)
		return false;
	*ret = (struct go_place){.header = header, .vaddr = vaddr, .offset = offset, .len = len};
	return true;
}

static bool find_by_name(const struct elf_file *file, struct go_place *ret)
{
	static const char *const names[] = {".gopclntab", ".data.rel.ro.gopclntab"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_section *s = elf_section_named(file, names[i]);
		if (s && s->type != SHT_NOBITS && place_at(file, s->addr, s->offset, s->size, ret))
			return true;
	}
	return false;
}

/* A header in the chunk that starts at an offset of the segment. */
static bool find_in_chunk(const struct elf_file *file, const struct elf_segment *s,
			  const uint8_t *chunk, size_t len, uint64_t at, struct go_place *ret)
{
	size_t skew = (size_t)((s->vaddr + at) % HEADER_ALIGN);

	for (size_t i = skew ? HEADER_ALIGN - skew : 0; i + 8 <= len; i += HEADER_ALIGN) {
		if (chunk[i + 1] != 0xff || chunk[i + 2] != 0xff || chunk[i + 3] != 0xff)
			continue;
		uint64_t from = at + i;
		if (place_at(file, s->vaddr + from, s->offset + from, s->file_size - from, ret))
			return true;
	}
	return false;
}

static int scan_segment(const struct elf_file *file, const struct elf_segment *s, uint8_t *chunk,
			uint64_t *left, bool *ret_found, struct go_place *ret, struct err *err)
{
	uint64_t size = s->file_size;

	/* A lie about the size is cut to what is there. */
	if (s->offset > elf_size_bytes(file))
		return 0;
	if (size > elf_size_bytes(file) - s->offset)
		size = elf_size_bytes(file) - s->offset;
	for (uint64_t at = 0; at<size && * left> 0; at += SCAN_CHUNK_BYTES) {
		size_t len = size - at < SCAN_CHUNK_BYTES ? (size_t)(size - at) : SCAN_CHUNK_BYTES;
		*left -= len < *left ? len : *left;
		int rc = elf_read(file, s->offset + at, chunk, len, err);
		if (rc)
			return rc;
		struct elf_segment cut = *s;
		cut.file_size = size;
		*ret_found = find_in_chunk(file, &cut, chunk, len, at, ret);
		if (*ret_found)
			return 0;
	}
	return 0;
}

static int find_by_scan(const struct elf_file *file, bool *ret_found, struct go_place *ret,
			struct err *err)
{
	uint64_t left = SCAN_MAX_BYTES;
	uint8_t *chunk = mem_alloc(SCAN_CHUNK_BYTES);
	int rc = 0;

	if (!chunk)
		return err_set(err, ERR_NOMEM, "no memory to look for a Go table");
	for (uint32_t i = 0; i < elf_segment_count(file) && !rc && !*ret_found; i++) {
		const struct elf_segment *s = elf_segment_at(file, i);
		if (!s->exec)
			rc = scan_segment(file, s, chunk, &left, ret_found, ret, err);
	}
	mem_free(chunk);
	return rc;
}

/* Whether it is worth to read the file through: Go says so itself, or there is nobody to ask. */
static bool may_be_go(const struct elf_file *file)
{
	return elf_info(file)->is_go || elf_section_count(file) == 0;
}

int go_place_find(const struct elf_file *file, struct go_place *ret, struct err *err)
{
	bool found = find_by_name(file, ret);

	if (!found && may_be_go(file)) {
		int rc = find_by_scan(file, &found, ret, err);
		if (rc)
			return rc;
	}
	return found ? 0 : err_set(err, ERR_NOT_FOUND, "no Go program: no .gopclntab");
}
