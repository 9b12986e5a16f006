/* Private to elf/: .gopclntab from inside. */
#pragma once

#include "base/cursor.h"
#include "elf/elf_file.h"
#include "elf/gopcln.h"

/* Layouts, named for the first Go version that has them. */
enum go_generation { GO_116 = 116, GO_118 = 118, GO_120 = 120 };

enum {
	GO_HEADER_MAX_BYTES = 72,
	GO_FUNCTIONS_MAX = 1 << 26,
};

/* runtime.pcHeader; offsets are from its start. */
struct go_header {
	uint32_t generation; /* enum go_generation */
	uint32_t quantum;    /* of a program counter: 1, arm64 4 */
	uint32_t function_count;
	uint64_t text; /* 0: not said */
	uint64_t names, units, files, values, functions;
};

/* An inlined call, ours: 16 bytes whatever the generation. */
struct go_call {
	uint32_t name;	    /* offset in the names */
	uint32_t parent_pc; /* offset in the function of an instruction of the caller */
	uint32_t start_line;
	uint32_t function_id;
};

struct go_lines {
	struct go_header header;
	uint8_t *bytes; /* the table, header first */
	size_t len;
	uint64_t text; /* what the entries count from; GO_116: 0 */
	uint32_t wrapper_id;
	uint32_t *first_call; /* of each function, and one more; NULL: nothing is inlined */
	struct go_call *calls;
};

/* runtime._func, as far as we look at it. */
struct go_record {
	uint64_t start, end;
	uint32_t name, sp_values, file_values, line_values, unit;
	uint32_t start_line;
	uint32_t pcdata_count;
	uint8_t id, flags, funcdata_count;
	uint64_t pcdata; /* offset in the table of that array; funcdata follows */
};

enum { GO_PCDATA_INLINE = 2, GO_FUNCDATA_INLINE = 3 }; /* _PCDATA_InlTreeIndex, _FUNCDATA_InlTree */

/* Where the table is in the file, and what firstmoduledata says. */
struct go_place {
	struct go_header header;
	uint64_t vaddr, offset;
	uint64_t len; /* at most so many bytes */
	bool has_module;
	uint64_t text;		   /* moduledata.text */
	uint64_t functions_len;	   /* of moduledata.pclntable */
	uint64_t module_words[10]; /* from the first one that may be moduledata.gofunc on */
};

/* gopcln_place.c */
bool go_header_parse(const uint8_t *bytes, size_t len, struct go_header *ret);
/* ERR_NOT_FOUND, ERR_IO, ERR_NOMEM. */
MUST_USE int go_place_find(const struct elf_file *file, struct go_place *ret, struct err *err);

/* gopcln_module.c: fills in has_module and what follows; without one all stays. */
MUST_USE int go_module_find(const struct elf_file *file, struct go_place *place, struct err *err);
/* The file's bytes at a vaddr; false where the file has none, or fewer. */
bool go_read_vaddr(const struct elf_file *file, uint64_t vaddr, void *dst, size_t len);
/* Puts the addends of the file's relative relocations in, for linkers that leave zeros there. */
void go_relocate(const struct elf_file *file, uint64_t vaddr, uint8_t *bytes, size_t len);

/* gopcln_inline.c: fills first_call and calls. budget_bytes bounds the memory. */
MUST_USE int go_inline_load(const struct elf_file *file, const struct go_place *place,
			    struct go_lines *lines, size_t budget_bytes, struct err *err);

/* gopcln_record.c */
uint64_t go_function_start(const struct go_lines *lines, uint32_t i); /* i <= count */
bool go_record_at(const struct go_lines *lines, uint32_t i, struct go_record *ret);
/* Offset of the value table for that index; 0: none. */
uint32_t go_record_pcdata(const struct go_lines *lines, const struct go_record *record,
			  uint32_t index);
/* The pointer or offset; UINT64_MAX: none. */
uint64_t go_record_funcdata(const struct go_lines *lines, const struct go_record *record,
			    uint32_t index);
/* Text at an offset of a part that starts at part; "" past the end, "?" when it is none. */
struct str go_text_at(const struct go_lines *lines, uint64_t part, uint64_t offset);

/* A table of values by program counter (runtime.pcvalue): while next, value holds in [start, end). */
struct go_values {
	const uint8_t *pos, *limit;
	uint64_t start, end;
	int32_t value;
	uint32_t quantum;
	bool first;
};

/* False: there is no table. */
bool go_values_start(const struct go_lines *lines, uint32_t offset, uint64_t function_start,
		     struct go_values *ret);
bool go_values_next(struct go_values *values);
/* The value at vaddr, -1 where there is none. *budget counts steps down; at 0 all is -1. */
int32_t go_value_at(const struct go_lines *lines, uint32_t offset, uint64_t function_start,
		    uint64_t vaddr, uint32_t *budget);
