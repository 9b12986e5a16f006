/* ELF files with DWARF of the test's choice, written byte by byte. */
#pragma once

#include "base/buf.h"

enum craft_section {
	CRAFT_ABBREV,
	CRAFT_INFO,
	CRAFT_LINE,
	CRAFT_RANGES, /* .debug_ranges (DWARF 4) */
	CRAFT_SECTIONS
};

struct craft {
	struct buf sections[CRAFT_SECTIONS];
	uint64_t claimed[CRAFT_SECTIONS]; /* > 0: zlib, and it says to be so large unpacked */
	bool packed[CRAFT_SECTIONS];
	size_t unit; /* where the open unit starts in CRAFT_INFO */
};

void craft_init(struct craft *craft);
/* An unlinked file; the craft is empty then. */
int craft_file(struct craft *craft);

void craft_u8(struct craft *craft, enum craft_section section, unsigned value);
void craft_u16(struct craft *craft, enum craft_section section, unsigned value);
void craft_u32(struct craft *craft, enum craft_section section, uint32_t value);
void craft_u64(struct craft *craft, enum craft_section section, uint64_t value);
void craft_uleb(struct craft *craft, enum craft_section section, uint64_t value);
void craft_text(struct craft *craft, enum craft_section section, const char *text);
void craft_fill(struct craft *craft, enum craft_section section, unsigned byte, size_t count);
/* attrs: pairs of attribute and form up to a 0. */
void craft_abbrev(struct craft *craft, unsigned code, unsigned tag, bool children,
		  const unsigned *attrs);
/* DWARF 4, addresses of 8 bytes; abbreviations from 0. */
void craft_unit_begin(struct craft *craft);
void craft_unit_end(struct craft *craft);
