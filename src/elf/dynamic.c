/* The dynamic symbols as the loader finds them, for files whose section headers
 * are gone or lie: PT_DYNAMIC gives addresses (System V gABI, chapter 5, "Dynamic
 * Section"), but not how many symbols there are. That is said by the hash table:
 * DT_HASH has a chain for each symbol; DT_GNU_HASH has the symbols sorted by
 * bucket, and the chain of the last bucket that is not empty ends with the last
 * symbol (a word with its lowest bit set). With neither, the names are taken to
 * follow the symbols, as all linkers put them. */
#include "elf/symtab.h"

#include <elf.h>

#include "base/cursor.h"
#include "base/mem.h"

enum {
	ENTRIES_MAX = 1024,
	ENTRY_BYTES = 16,
	WORDS_MAX = 16 << 20, /* of buckets, or of one chain */
	PIECE_WORDS = 1024,
};

struct dynamic {
	uint64_t symbols, names, names_size, hash, gnu_hash;
};

static void take_entry(struct dynamic *d, uint64_t tag, uint64_t value)
{
	switch (tag) {
	case DT_SYMTAB:
		d->symbols = value;
		break;
	case DT_STRTAB:
		d->names = value;
		break;
	case DT_STRSZ:
		d->names_size = value;
		break;
	case DT_HASH:
		d->hash = value;
		break;
	case DT_GNU_HASH:
		d->gnu_hash = value;
		break;
	}
}

static int read_dynamic(const struct elf_file *file, struct dynamic *ret, struct err *err)
{
	uint64_t size = file->dynamic_size;
	void *bytes;

	if (size > ENTRIES_MAX * ENTRY_BYTES)
		size = ENTRIES_MAX * ENTRY_BYTES;
	int rc = elf_read_alloc(file, file->dynamic_offset, size, ENTRIES_MAX * ENTRY_BYTES, &bytes,
				err);
	if (rc)
		return rc;
	struct cur c = cur_make(bytes, (size_t)size);
	while (cur_left(&c) >= ENTRY_BYTES) {
		uint64_t tag = cur_u64le(&c);
		uint64_t value = cur_u64le(&c);
		if (tag == DT_NULL)
			break;
		take_entry(ret, tag, value);
	}
	mem_free(bytes);
	return 0;
}

static int read_words(const struct elf_file *file, uint64_t offset, uint32_t *words, size_t count,
		      struct err *err)
{
	int rc = elf_read(file, offset, words, count * sizeof(*words), err);
	struct cur c = cur_make(words, count * sizeof(*words));

	for (size_t i = 0; !rc && i < count; i++)
		words[i] = cur_u32le(&c);
	return rc;
}

/* The largest of the buckets: the first symbol of the last chain. */
static int largest_bucket(const struct elf_file *file, uint64_t offset, uint64_t count,
			  uint32_t *ret, struct err *err)
{
	uint32_t piece[PIECE_WORDS];

	*ret = 0;
	for (uint64_t at = 0; at < count; at += PIECE_WORDS) {
		size_t n = count - at < PIECE_WORDS ? (size_t)(count - at) : PIECE_WORDS;
		int rc = read_words(file, offset + at * 4, piece, n, err);
		if (rc)
			return rc;
		for (size_t i = 0; i < n; i++)
			if (piece[i] > *ret)
				*ret = piece[i];
	}
	return 0;
}

/* How many words from offset on until one with its lowest bit set, that one counted. */
static int chain_length(const struct elf_file *file, uint64_t offset, uint64_t *ret,
			struct err *err)
{
	uint32_t piece[PIECE_WORDS];

	for (uint64_t at = 0; at < WORDS_MAX;) {
		uint64_t left = offset < file->source.size ? (file->source.size - offset) / 4 : 0;
		size_t n = left - at < PIECE_WORDS ? (size_t)(left - at) : PIECE_WORDS;
		int rc = at >= left ? err_set(err, ERR_CORRUPT, "a hash chain without an end")
				    : read_words(file, offset + at * 4, piece, n, err);
		if (rc)
			return rc;
		for (size_t i = 0; i < n; i++, at++)
			if (piece[i] & 1) {
				*ret = at + 1;
				return 0;
			}
	}
	return err_set(err, ERR_LIMIT, "a hash chain of more than %d symbols", WORDS_MAX);
}

static int count_by_gnu_hash(const struct elf_file *file, uint64_t offset, uint64_t *ret,
			     struct err *err)
{
	enum { BUCKETS, FIRST, BLOOM, SHIFT, HEADER_WORDS };
	uint32_t h[HEADER_WORDS], last;
	uint64_t length;

	int rc = read_words(file, offset, h, HEADER_WORDS, err);
	if (rc)
		return rc;
	if (h[BUCKETS] > WORDS_MAX || h[BLOOM] > WORDS_MAX)
		return err_set(err, ERR_CORRUPT, "a hash table of %u buckets", h[BUCKETS]);
	uint64_t buckets = offset + HEADER_WORDS * 4 + (uint64_t)h[BLOOM] * 8;
	rc = largest_bucket(file, buckets, h[BUCKETS], &last, err);
	if (rc)
		return rc;
	if (last < h[FIRST]) {
		*ret = h[FIRST];
		return 0;
	}
	uint64_t chains = buckets + (uint64_t)h[BUCKETS] * 4;
	rc = chain_length(file, chains + (uint64_t)(last - h[FIRST]) * 4, &length, err);
	if (!rc)
		*ret = last + length;
	return rc;
}

static int count_symbols(const struct elf_file *file, const struct dynamic *d, uint64_t *ret,
			 struct err *err)
{
	uint32_t words[2];
	uint64_t offset;

	if (d->hash && elf_offset_of_vaddr(file, d->hash, &offset)) {
		int rc = read_words(file, offset, words, 2, err);
		*ret = words[1]; /* nchain */
		return rc;
	}
	if (d->gnu_hash && elf_offset_of_vaddr(file, d->gnu_hash, &offset))
		return count_by_gnu_hash(file, offset, ret, err);
	*ret = d->names > d->symbols ? (d->names - d->symbols) / ELF64_SYM_BYTES : 0;
	return 0;
}

static int collect(struct symbol_set *set, const struct elf_file *file, struct err *err)
{
	struct symtab_place place;
	struct dynamic d = {0};
	uint64_t count = 0;

	int rc = read_dynamic(file, &d, err);
	if (rc)
		return rc;
	if (!d.symbols || !d.names || !elf_offset_of_vaddr(file, d.symbols, &place.offset) ||
	    !elf_offset_of_vaddr(file, d.names, &place.names_offset))
		return 0;
	rc = count_symbols(file, &d, &count, err);
	if (rc)
		return rc;
	place.size = count * ELF64_SYM_BYTES;
	place.names_size = d.names_size;
	return symtab_collect_place(set, file, POOL_DYNSYM, &place, err);
}

int dynamic_collect(struct symbol_set *set, const struct elf_file *file, struct err *err)
{
	if (file->dynamic_size == 0)
		return 0;
	size_t before = set->count;
	int rc = collect(set, file, err);
	if (rc == 0 || rc == ERR_NOMEM || rc == ERR_IO)
		return rc;
	set->count = before;
	return 0;
}
