#include "go_image.h"

#include <assert.h>
#include <elf.h>
#include <string.h>

/* ---- writing ----------------------------------------------------------- */

static void put(struct go_image *im, size_t at, uint64_t value, size_t bytes)
{
	assert(at + bytes <= sizeof(im->bytes));
	for (size_t i = 0; i < bytes; i++)
		im->bytes[at + i] = (uint8_t)(value >> (8 * i));
}

static void add(struct go_image *im, uint64_t value, size_t bytes)
{
	put(im, im->len, value, bytes);
	im->len += bytes;
}

static void align(struct go_image *im, size_t to)
{
	while (im->len % to)
		add(im, 0, 1);
}

static uint32_t add_text(struct go_image *im, size_t part, const char *text)
{
	size_t at = im->len, len = strlen(text) + 1;

	assert(at + len <= sizeof(im->bytes));
	memcpy(im->bytes + at, text, len);
	im->len += len;
	return (uint32_t)(at - part);
}

static void add_varint(struct go_image *im, uint32_t value)
{
	for (; value >= 0x80; value >>= 7)
		add(im, value | 0x80, 1);
	add(im, value, 1);
}

struct step {
	uint32_t bytes; /* of code; 0 ends */
	int32_t value;
};

static uint32_t add_values(struct go_image *im, size_t part, const struct step *steps)
{
	size_t at = im->len;
	int32_t value = -1;

	for (; steps->bytes; steps++) {
		int32_t delta = steps->value - value;
		add_varint(im, ((uint32_t)delta << 1) ^ (uint32_t)(delta >> 31));
		add_varint(im, steps->bytes);
		value = steps->value;
	}
	add(im, 0, 1);
	return (uint32_t)(at - part);
}

/* ---- the table --------------------------------------------------------- */

enum {
	NAME_OUTER,
	NAME_LEAF,
	NAME_GOEXIT,
	NAME_SIGRETURN,
	NAME_WRAPPED,
	NAME_C,
	NAME_INNER,
	NAME_MAP,
	NAMES,
};

static const char *const names[NAMES] = {
	"main.outer",	"main.leaf",   "runtime.goexit", "runtime.sigreturn",
	"main.wrapped", "_cgo_export", "main.inner",	 "main.Map[go.shape.int]",
};

static const uint32_t starts[GO_IMAGE_FUNCTIONS + 1] = {0, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90};

struct table {
	uint32_t name[NAMES], file[4];
	uint32_t sp, sp_leaf, files, files_leaf, lines, lines_leaf, inlined;
	size_t names, units, files_part, values, functions;
	size_t trees;	     /* offset in the image */
	size_t tree_pointer; /* where the image has the pointer or offset to them */
	size_t ftab;
};

static size_t header_bytes(unsigned generation)
{
	return generation == 116 ? 64 : 72;
}

static void add_header(struct go_image *im, unsigned generation)
{
	static const uint32_t magics[] = {0xfffffffa, 0xfffffff0, 0xfffffff1};

	add(im, magics[generation / 2 - 58], 4);
	add(im, 0x08010000, 4); /* an instruction has 1 byte, a pointer 8 */
	add(im, GO_IMAGE_FUNCTIONS, 8);
	add(im, 4, 8);
	im->header_words = im->len;
	im->len = im->table + header_bytes(generation);
	align(im, 32);
}

static void fill_header(struct go_image *im, const struct go_image_options *o,
			const struct table *t)
{
	const size_t parts[] = {t->names, t->units, t->files_part, t->values, t->functions};
	size_t at = im->header_words;

	if (o->generation != 116) {
		put(im, at, o->no_text_in_header || o->relocated ? 0 : GO_IMAGE_TEXT, 8);
		at += 8;
	}
	for (size_t i = 0; i < 5; i++)
		put(im, at + 8 * i, parts[i] - im->table, 8);
}

static void add_texts(struct go_image *im, struct table *t)
{
	static const char *const files[] = {"/src/outer.go", "/src/inner.go", "/src/map.go",
					    "/src/leaf.go"};

	t->names = im->len;
	for (size_t i = 0; i < NAMES; i++)
		t->name[i] = add_text(im, t->names, names[i]);
	align(im, 32);
	t->units = im->len;
	im->len += 4 * 4;
	align(im, 32);
	t->files_part = im->len;
	for (size_t i = 0; i < 4; i++) {
		t->file[i] = add_text(im, t->files_part, files[i]);
		put(im, t->units + 4 * i, t->file[i], 4);
	}
	align(im, 32);
}

static void add_all_values(struct go_image *im, struct table *t)
{
	size_t p = t->values = im->len;

	add(im, 0, 1); /* offset 0 means that there is no table */
	t->sp = add_values(im, p, (struct step[]){{1, 0}, {7, 8}, {0x30, 24}, {4, 8}, {4, 0}, {0}});
	t->sp_leaf = add_values(im, p, (struct step[]){{0x10, 0}, {0}});
	t->files =
		add_values(im, p,
			   (struct step[]){{0x10, 0}, {8, 1}, {8, 2}, {0x10, 1}, {0x10, 0}, {0}});
	t->files_leaf = add_values(im, p, (struct step[]){{0x10, 3}, {0}});
	t->lines = add_values(im, p,
			      (struct step[]){{0x08, 10},
					      {8, 11},
					      {8, 20},
					      {8, 1000000},
					      {0x10, 21},
					      {0x10, 12},
					      {0}});
	t->lines_leaf = add_values(im, p, (struct step[]){{0x10, 30}, {0}});
	t->inlined =
		add_values(im, p,
			   (struct step[]){{0x10, -1}, {8, 0}, {8, 1}, {0x10, 0}, {0x10, -1}, {0}});
	align(im, 32);
}

static void add_record(struct go_image *im, const struct go_image_options *o, struct table *t,
		       uint32_t i)
{
	static const uint8_t ids[GO_IMAGE_FUNCTIONS] = {0, 0, 7, 0, 21, 0};
	bool outer = i == 0, silent = i == 5;

	im->function_records[i] = im->len;
	if (o->generation == 116)
		add(im, o->relocated ? 0 : GO_IMAGE_TEXT + starts[i], 8);
	else
		add(im, starts[i], 4);
	add(im, t->name[i], 4);
	add(im, 0, 8);
	add(im, silent ? 0 : outer ? t->sp : t->sp_leaf, 4);
	add(im, silent ? 0 : outer ? t->files : t->files_leaf, 4);
	add(im, silent ? 0 : outer ? t->lines : t->lines_leaf, 4);
	add(im, outer ? 3 : 0, 4);
	add(im, 0, 4);
	if (o->generation == 120)
		add(im, outer ? 9 : 29, 4);
	add(im, ids[i], 1);
	add(im, i == 2, 1); /* the outermost of its stack */
	add(im, 0, 1);
	add(im, outer ? 4 : 0, 1);
	if (!outer)
		return;
	add(im, 0, 8);
	add(im, t->inlined, 4);
	if (o->generation == 116)
		align(im, 8);
	size_t each = o->generation == 116 ? 8 : 4;
	for (size_t k = 0; k < 3; k++)
		add(im, each == 8 ? 0 : UINT32_MAX, each);
	t->tree_pointer = im->len;
	add(im, 0, each);
}

static void add_functions(struct go_image *im, const struct go_image_options *o, struct table *t)
{
	size_t each = o->generation == 116 ? 8 : 4;

	t->functions = t->ftab = im->len;
	im->len += (GO_IMAGE_FUNCTIONS * 2 + 1) * each;
	for (uint32_t i = 0; i <= GO_IMAGE_FUNCTIONS; i++) {
		uint64_t start = starts[i];
		if (each == 8)
			start = o->relocated ? 0 : start + GO_IMAGE_TEXT;
		put(im, t->ftab + 2 * i * each, start, each);
		if (i == GO_IMAGE_FUNCTIONS)
			break;
		align(im, 8);
		put(im, t->ftab + (2 * i + 1) * each, im->len - t->functions, each);
		add_record(im, o, t, i);
	}
	im->table_len = im->len - im->table;
	align(im, 32);
}

/* The trees: main.inner is called at +8 of main.outer, main.Map at +10 (in main.inner). */
static void add_trees(struct go_image *im, const struct go_image_options *o, struct table *t)
{
	const uint32_t called_at[2] = {8, o->tree_in_circle ? 0x18 : 0x10};

	add(im, 0, 8); /* so that the trees are not where the data begin */
	t->trees = im->len;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t name = t->name[NAME_INNER + i];
		if (o->generation == 120) {
			add(im, 0, 4);
			add(im, name, 4);
			add(im, called_at[i], 4);
			add(im, 19 + 980 * i, 4);
			continue;
		}
		add(im, (uint16_t)(i - 1), 2);
		add(im, 0, 2);
		add(im, 0, 4);
		add(im, 0, 4);
		add(im, name, 4);
		add(im, called_at[i], 4);
	}
	uint64_t vaddr = GO_IMAGE_TABLE + t->trees - im->table;
	if (o->generation != 116)
		put(im, t->tree_pointer, 8, 4);
	else if (!o->relocated)
		put(im, t->tree_pointer, vaddr, 8);
}

/* ---- the file ---------------------------------------------------------- */

enum { HEADERS_BYTES = 64 + 2 * 56, RELAS_MAX = 64 };

struct relas {
	struct {
		uint64_t vaddr, value;
	} list[RELAS_MAX];
	size_t count;
};

/* A pointer in the data: in place, or as a relocation. */
static void put_pointer(struct go_image *im, const struct go_image_options *o, struct relas *r,
			size_t at, uint64_t value)
{
	if (!o->relocated) {
		put(im, at, value, 8);
		return;
	}
	assert(r->count < RELAS_MAX);
	r->list[r->count].vaddr = GO_IMAGE_TABLE + at - im->table;
	r->list[r->count++].value = value;
}

static void add_module(struct go_image *im, const struct go_image_options *o, const struct table *t,
		       struct relas *r)
{
	enum { MODULE_BYTES = 400, TEXT = 176, GOFUNC_118 = 304, GOFUNC_120 = 320 };
	size_t at = im->len;

	im->len += MODULE_BYTES;
	put_pointer(im, o, r, at, GO_IMAGE_TABLE);
	put_pointer(im, o, r, at + 8, GO_IMAGE_TABLE + t->names - im->table);
	put_pointer(im, o, r, at + 104, GO_IMAGE_TABLE + t->functions - im->table);
	put(im, at + 112, im->table + im->table_len - t->functions, 8);
	put_pointer(im, o, r, at + TEXT, GO_IMAGE_TEXT);
	put_pointer(im, o, r, at + (o->generation == 118 ? GOFUNC_118 : GOFUNC_120),
		    GO_IMAGE_TABLE + t->trees - 8 - im->table);
}

static void relocate_table(struct go_image *im, const struct go_image_options *o,
			   const struct table *t, struct relas *r)
{
	if (o->generation != 116 || !o->relocated)
		return;
	for (size_t i = 0; i <= GO_IMAGE_FUNCTIONS; i++)
		put_pointer(im, o, r, t->ftab + 16 * i, GO_IMAGE_TEXT + starts[i]);
	put_pointer(im, o, r, t->tree_pointer, GO_IMAGE_TABLE + t->trees - im->table);
}

static void put_segment(struct go_image *im, size_t at, uint32_t flags, uint64_t offset,
			uint64_t vaddr, uint64_t len)
{
	const uint64_t words[] = {offset, vaddr, vaddr, len, len, 0x10};

	put(im, at, PT_LOAD, 4);
	put(im, at + 4, flags, 4);
	for (size_t i = 0; i < 6; i++)
		put(im, at + 8 + 8 * i, words[i], 8);
}

static void put_file_header(struct go_image *im, const struct go_image_options *o)
{
	const uint8_t ident[16] = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT};

	memcpy(im->bytes, ident, sizeof(ident));
	put(im, 16, o->relocated ? ET_DYN : ET_EXEC, 2);
	put(im, 18, EM_X86_64, 2);
	put(im, 20, EV_CURRENT, 4);
	put(im, 24, GO_IMAGE_TEXT, 8);
	put(im, 32, 64, 8); /* program headers */
	put(im, 52, 64, 2);
	put(im, 54, 56, 2);
	put(im, 56, 2, 2);
	put(im, 58, 64, 2);
}

static void add_section(struct go_image *im, uint32_t name, uint32_t type, uint64_t flags,
			uint64_t vaddr, uint64_t offset, uint64_t len)
{
	add(im, name, 4);
	add(im, type, 4);
	add(im, flags, 8);
	add(im, vaddr, 8);
	add(im, offset, 8);
	add(im, len, 8);
	add(im, 0, 8);
	add(im, 1, 8);
	add(im, 0, 8);
}

static void add_sections(struct go_image *im, size_t text, const struct relas *r)
{
	static const char section_names[] = "\0.text\0.gopclntab\0.rela.dyn\0.shstrtab";
	size_t rela = im->len;

	for (size_t i = 0; i < r->count; i++) {
		add(im, r->list[i].vaddr, 8);
		add(im, R_X86_64_RELATIVE, 8);
		add(im, r->list[i].value, 8);
	}
	size_t strings = im->len;
	for (size_t i = 0; i < sizeof(section_names); i++)
		add(im, (uint8_t)section_names[i], 1);
	align(im, 8);
	put(im, 40, im->len, 8);
	put(im, 60, 5, 2);
	put(im, 62, 4, 2);
	add_section(im, 0, SHT_NULL, 0, 0, 0, 0);
	add_section(im, 1, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, GO_IMAGE_TEXT, text,
		    GO_IMAGE_TEXT_BYTES);
	add_section(im, 7, SHT_PROGBITS, SHF_ALLOC, GO_IMAGE_TABLE, im->table, im->table_len);
	add_section(im, 18, SHT_RELA, SHF_ALLOC, 0, rela, strings - rela);
	add_section(im, 28, SHT_STRTAB, 0, 0, strings, sizeof(section_names));
}

/* push %rbp; mov %rsp,%rbp; sub $16,%rsp ... add $16,%rsp; pop %rbp; ret */
static void add_code(struct go_image *im)
{
	static const uint8_t outer[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10};
	size_t at = im->len;

	im->len += GO_IMAGE_TEXT_BYTES;
	assert(im->len <= sizeof(im->bytes));
	memset(im->bytes + at, 0x90, GO_IMAGE_TEXT_BYTES);
	memcpy(im->bytes + at, outer, sizeof(outer));
}

void go_image_make(const struct go_image_options *o, struct go_image *ret)
{
	struct table t = {0};
	struct relas relas = {0};

	memset(ret, 0, sizeof(*ret));
	ret->len = HEADERS_BYTES;
	align(ret, 32);
	size_t text = ret->len;
	add_code(ret);
	align(ret, 32);
	ret->table = ret->len;
	add_header(ret, o->generation);
	add_texts(ret, &t);
	add_all_values(ret, &t);
	add_functions(ret, o, &t);
	add_trees(ret, o, &t);
	fill_header(ret, o, &t);
	relocate_table(ret, o, &t, &relas);
	if (!o->no_module)
		add_module(ret, o, &t, &relas);
	put_file_header(ret, o);
	put_segment(ret, 64, PF_R | PF_X, text, GO_IMAGE_TEXT, GO_IMAGE_TEXT_BYTES);
	put_segment(ret, 64 + 56, PF_R, ret->table, GO_IMAGE_TABLE, ret->len - ret->table);
	if (!o->no_sections)
		add_sections(ret, text, &relas);
}
