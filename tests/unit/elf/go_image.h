/* A small Go program as an ELF image, written byte by byte as Go's linker of a
 * generation does, with what a test wants to be wrong in it.
 *
 *	main.outer	[401000, 401040)  outer.go; main.inner inlined in [401010, 401030),
 *					  main.Map[go.shape.int] in it in [401018, 401020)
 *	main.leaf	[401040, 401050)  leaf.go; no frame
 *	runtime.goexit	[401050, 401060)  the outermost one
 *	runtime.sigreturn [401060, 401070)
 *	main.wrapped	[401070, 401080)  made by the compiler
 *	_cgo_export	[401080, 401090)  C: says nothing
 *
 * The table is at 500000, with the module data and the inline trees behind it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	GO_IMAGE_TEXT = 0x401000,
	GO_IMAGE_TEXT_BYTES = 0x90,
	GO_IMAGE_TABLE = 0x500000,
	GO_IMAGE_FUNCTIONS = 6,
	GO_IMAGE_MAX_BYTES = 8192,
};

struct go_image_options {
	unsigned generation;	/* 116, 118, 120 */
	bool no_sections;	/* no section headers at all */
	bool no_module;		/* no module data */
	bool no_text_in_header; /* as Go 1.26 and later */
	bool relocated;		/* ET_DYN whose pointers only relocations have (needs sections) */
	bool tree_in_circle;	/* an inlined call whose place in the caller is in itself */
};

struct go_image {
	uint8_t bytes[GO_IMAGE_MAX_BYTES];
	size_t len;
	size_t table, table_len; /* offset in bytes */
	size_t function_records[GO_IMAGE_FUNCTIONS];
	size_t header_words; /* of the first word behind the header's count of files */
};

void go_image_make(const struct go_image_options *options, struct go_image *ret);
