/* runtime.firstmoduledata: the one place that says where the text and the
 * inline trees of Go 1.18 and later begin. No symbol names it in a stripped
 * program, but its first word points to the table and its second to the names
 * in it, so it is found by that. Sections that hold it come first: .go.module
 * (Go 1.26), .noptrdata (before), .data and .data.rel.ro (other linkers); then
 * everything that is not code.
 *
 * In position-independent programs those pointers are relocations. Go's linker
 * writes the values in place as well; others leave zeros, and only .rela.dyn
 * has them. */
#include <elf.h>
#include <string.h>

#include "base/mem.h"
#include "elf/gopcln_table.h"

/* Words of moduledata, the same in all generations up to etext. */
enum {
	WORD_HEADER = 0,
	WORD_NAMES = 1,
	WORD_FUNCTIONS = 13,
	WORD_FUNCTIONS_LEN = 14,
	WORD_TEXT = 22,
	WORD_GOFUNC_FIRST = 38, /* Go 1.18; 40 in 1.20, 43 in 1.27 */
	GOFUNC_WORDS = 10,
	MODULE_WORDS = WORD_GOFUNC_FIRST + GOFUNC_WORDS,

	CHUNK_BYTES = 256 << 10,
	RELA_CHUNK = 1024,
	CANDIDATES_MAX = 4096,
};

#define SCAN_MAX_BYTES	(1ULL << 30)
#define RELAS_MAX_BYTES (256ULL << 20)

_Static_assert(GOFUNC_WORDS == sizeof(((struct go_place *)0)->module_words) / 8, "go_place");

struct search {
	const struct elf_file *file;
	struct go_place *place;
	uint8_t *chunk;
	uint64_t left;	     /* bytes that may still be read */
	uint32_t candidates; /* that may still be looked at */
	uint64_t relas_left; /* bytes of relocations that may still be read for all of them */
};

bool go_read_vaddr(const struct elf_file *file, uint64_t vaddr, void *dst, size_t len)
{
	for (uint32_t i = 0; i < elf_segment_count(file); i++) {
		const struct elf_segment *s = elf_segment_at(file, i);
		uint64_t skip = vaddr - s->vaddr;
		if (vaddr >= s->vaddr && skip < s->file_size && len <= s->file_size - skip)
			return !elf_read(file, s->offset + skip, dst, len, NULL);
	}
	return false;
}

/* ---- relocations ------------------------------------------------------- */

/* What a relative relocation puts at a vaddr. Return false to stop. */
typedef bool (*rela_fn)(void *ctx, uint64_t vaddr, uint64_t value);

static bool each_rela_of(const struct elf_file *file, const struct elf_section *s, uint64_t *left,
			 rela_fn fn, void *ctx)
{
	uint32_t relative =
		elf_info(file)->machine == EM_X86_64 ? R_X86_64_RELATIVE : R_AARCH64_RELATIVE;
	uint8_t bytes[RELA_CHUNK * ELF64_RELA_BYTES / 8];

	for (uint64_t at = 0; at<s->size && * left> 0; at += sizeof(bytes)) {
		size_t len = s->size - at < sizeof(bytes) ? (size_t)(s->size - at) : sizeof(bytes);
		if (elf_read(file, s->offset + at, bytes, len, NULL))
			return true;
		*left -= len < *left ? len : *left;
		for (struct cur c = cur_make(bytes, len); cur_left(&c) >= ELF64_RELA_BYTES;) {
			uint64_t vaddr = cur_u64le(&c), info = cur_u64le(&c);
			uint64_t value = cur_u64le(&c);
			if ((uint32_t)info == relative && !fn(ctx, vaddr, value))
				return false;
		}
	}
	return true;
}

static void each_rela(const struct elf_file *file, uint64_t *left, rela_fn fn, void *ctx)
{
	if (elf_info(file)->type != ET_DYN)
		return;
	for (uint32_t i = 0; i < elf_section_count(file); i++) {
		const struct elf_section *s = elf_section_at(file, i);
		if (s->type == SHT_RELA && !each_rela_of(file, s, left, fn, ctx))
			return;
	}
}

struct patch {
	uint64_t vaddr;
	uint8_t *bytes;
	size_t len;
};

static bool apply_rela(void *ctx, uint64_t vaddr, uint64_t value)
{
	struct patch *p = ctx;
	uint64_t at = vaddr - p->vaddr;

	if (vaddr >= p->vaddr && p->len >= 8 && at <= p->len - 8)
		memcpy(p->bytes + at, &value, 8); /* little-endian as we are */
	return true;
}

static void relocate(const struct elf_file *file, uint64_t *left, uint64_t vaddr, uint8_t *bytes,
		     size_t len)
{
	struct patch patch = {.vaddr = vaddr, .bytes = bytes, .len = len};

	each_rela(file, left, apply_rela, &patch);
}

void go_relocate(const struct elf_file *file, uint64_t vaddr, uint8_t *bytes, size_t len)
{
	uint64_t left = RELAS_MAX_BYTES;

	relocate(file, &left, vaddr, bytes, len);
}

/* ---- candidates -------------------------------------------------------- */

/* Takes what a moduledata at vaddr says, when it is the one of our table. */
static bool take_module(struct search *s, uint64_t vaddr)
{
	struct go_place *place = s->place;
	uint64_t words[MODULE_WORDS];

	if (s->candidates == 0)
		return false;
	s->candidates--;
	if (!go_read_vaddr(s->file, vaddr, words, sizeof(words)))
		return false;
	relocate(s->file, &s->relas_left, vaddr, (uint8_t *)words, sizeof(words));
	if (words[WORD_HEADER] != place->vaddr ||
	    words[WORD_NAMES] != place->vaddr + place->header.names ||
	    words[WORD_FUNCTIONS] != place->vaddr + place->header.functions)
		return false;
	place->has_module = true;
	place->text = words[WORD_TEXT];
	place->functions_len = words[WORD_FUNCTIONS_LEN];
	memcpy(place->module_words, words + WORD_GOFUNC_FIRST, sizeof(place->module_words));
	return true;
}

/* Two words that follow each other, as at the beginning of the moduledata. */
static bool find_words(struct search *s, uint64_t vaddr, size_t len)
{
	uint64_t table = s->place->vaddr, names = table + s->place->header.names, word[2];

	for (size_t i = (8 - vaddr % 8) % 8; i + sizeof(word) <= len; i += 8) {
		memcpy(word, s->chunk + i, sizeof(word));
		if (word[0] == table && word[1] == names && take_module(s, vaddr + i))
			return true;
	}
	return false;
}

static int scan_range(struct search *s, uint64_t vaddr, uint64_t offset, uint64_t size,
		      struct err *err)
{
	enum { OVERLAP = 8 };
	uint64_t file_size = elf_size_bytes(s->file);

	if (offset > file_size)
		return 0;
	if (size > file_size - offset)
		size = file_size - offset;
	for (uint64_t at = 0; at < size && s->left > 0; at += CHUNK_BYTES - OVERLAP) {
		size_t len = size - at < CHUNK_BYTES ? (size_t)(size - at) : CHUNK_BYTES;
		s->left -= len < s->left ? len : s->left;
		int rc = elf_read(s->file, offset + at, s->chunk, len, err);
		if (rc || find_words(s, vaddr + at, len))
			return rc;
	}
	return 0;
}

static int scan_sections(struct search *s, struct err *err)
{
	static const char *const names[] = {".go.module", ".noptrdata", ".data", ".data.rel.ro"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !s->place->has_module; i++) {
		const struct elf_section *section = elf_section_named(s->file, names[i]);
		if (!section || section->type == SHT_NOBITS)
			continue;
		int rc = scan_range(s, section->addr, section->offset, section->size, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int scan_segments(struct search *s, struct err *err)
{
	for (uint32_t i = 0; i < elf_segment_count(s->file) && !s->place->has_module; i++) {
		const struct elf_segment *segment = elf_segment_at(s->file, i);
		if (segment->exec)
			continue;
		int rc = scan_range(s, segment->vaddr, segment->offset, segment->file_size, err);
		if (rc)
			return rc;
	}
	return 0;
}

static bool try_rela(void *ctx, uint64_t vaddr, uint64_t value)
{
	struct search *s = ctx;

	return value != s->place->vaddr || !take_module(s, vaddr);
}

int go_module_find(const struct elf_file *file, struct go_place *place, struct err *err)
{
	struct search s = {
		.file = file,
		.place = place,
		.left = SCAN_MAX_BYTES,
		.candidates = CANDIDATES_MAX,
		.relas_left = RELAS_MAX_BYTES,
	};

	s.chunk = mem_alloc(CHUNK_BYTES);
	if (!s.chunk)
		return err_set(err, ERR_NOMEM, "no memory to look for Go's module data");
	uint64_t left = RELAS_MAX_BYTES;
	int rc = scan_sections(&s, err);
	if (!rc && !place->has_module)
		each_rela(file, &left, try_rela, &s);
	if (!rc && !place->has_module)
		rc = scan_segments(&s, err);
	mem_free(s.chunk);
	return rc;
}
