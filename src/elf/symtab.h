/* Private to elf/: what is gathered from a file before the table is made. */
#pragma once

#include "elf/elf_file.h"

/* Which text holds a gathered symbol's name. */
enum name_pool { POOL_SYMTAB, POOL_DYNSYM, POOL_PLT, POOL_ENTRY, POOL_COUNT };

/* In order of preference for one address. */
enum symbol_kind { KIND_FUNCTION, KIND_LABEL, KIND_PLT };

/* A million of them may be in memory at once, so they are small. */
struct raw_symbol {
	uint64_t addr;
	uint32_t size;	 /* 0: not said; at most UINT32_MAX */
	uint32_t name;	 /* offset in its pool */
	uint32_t parent; /* of what becomes of it: see symbols.c */
	uint8_t pool, kind;
	uint8_t bind; /* STB_* */
	uint8_t depth;
};

struct exec_range {
	uint64_t start, end;
};

struct symbol_set {
	struct raw_symbol *symbols;
	size_t count, cap, max;
	struct str pools[POOL_COUNT]; /* strings end with NUL, and so does the pool */
	struct exec_range *ranges;    /* by start */
	size_t range_count;
	size_t limit_bytes;
};

/* Finds the executable ranges. ERR_NOT_FOUND: there are none. */
MUST_USE int symbol_set_init(struct symbol_set *set, const struct elf_file *file,
			     size_t limit_bytes, struct err *err);
void symbol_set_deinit(struct symbol_set *set); /* a zeroed one is fine */
/* ERR_LIMIT when there are more than the set may hold. */
MUST_USE int symbol_set_add(struct symbol_set *set, struct raw_symbol symbol, struct err *err);
/* The range that holds addr, or NULL. */
const struct exec_range *symbol_set_range(const struct symbol_set *set, uint64_t addr);
/* The name as text, without version, cut to NAME_MAX_BYTES. */
struct str symbol_set_name(const struct symbol_set *set, const struct raw_symbol *symbol);

/* Adds the functions of .symtab, or in its place debug's (may be NULL), or those of .gnu_debugdata, and
 * of .dynsym; where that gives nothing, those of PT_DYNAMIC. Damaged tables are passed over. */
MUST_USE int symtab_collect(struct symbol_set *set, const struct elf_file *file,
			    const struct elf_file *debug, struct err *err);
/* A symbol table in a file. */
struct symtab_place {
	uint64_t offset, size;
	uint64_t names_offset, names_size;
};

/* Adds its functions. ERR_CORRUPT, ERR_LIMIT. */
MUST_USE int symtab_collect_place(struct symbol_set *set, const struct elf_file *file,
				  enum name_pool pool, const struct symtab_place *place,
				  struct err *err);
/* Adds those that PT_DYNAMIC leads to. What is damaged or too large is passed over. */
MUST_USE int dynamic_collect(struct symbol_set *set, const struct elf_file *file, struct err *err);
/* Adds those of the .symtab of one file alone. */
MUST_USE int symtab_collect_full(struct symbol_set *set, const struct elf_file *file,
				 struct err *err);
/* Adds those of the .symtab in .gnu_debugdata. What is damaged or too large is passed over. */
MUST_USE int minidebug_collect(struct symbol_set *set, const struct elf_file *file,
			       struct err *err);
/* Adds name@plt for stubs. Damaged sections are passed over. */
MUST_USE int plt_collect(struct symbol_set *set, const struct elf_file *file, struct err *err);

/* Adds _start, main, _init and _fini of a stripped program, where they can be told. */
MUST_USE int entry_collect(struct symbol_set *set, const struct elf_file *file, struct err *err);

/* Names as all of the room keeps them. */
enum { NAME_MAX_BYTES = 4096 };

/* Cut at NAME_MAX_BYTES, not inside a UTF-8 character. */
struct str name_cut(struct str name);
/* Without "@VERSION" or "@@VERSION". */
struct str name_without_version(struct str name);
/* Copies name.len bytes; control characters and what is not UTF-8 become '?'. */
void name_copy_clean(char *dst, struct str name);
