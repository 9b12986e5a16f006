/* Private to the embedded engine: names that came after the frames, as bytes:
 * runs of address ranges with their names, and a record of each build id.
 * Ranges of a build id do not overlap, so the order of their starts is the
 * order of their ends. Byte layout: docs/formats/embedded-store.md, "Symbols".
 * Pure functions. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "store/engine.h"

enum {
	SYMBOLS_VERSION = 1,
	SYMBOLS_PER_RUN = 256,
};

/* [start, end), start < end. */
struct symbol_range {
	uint64_t start, end;
	struct str name, system_name, filename;
};

/* Appends 1 to SYMBOLS_PER_RUN ranges in address order; out is sticky. The start of the first is in the key. */
void symbols_run_put(struct buf *out, const struct symbol_range *ranges, size_t count);
/* ret has room for SYMBOLS_PER_RUN; texts are views into bytes. ERR_CORRUPT, ERR_UNSUPPORTED. */
MUST_USE int symbols_run_get(struct str bytes, uint64_t start, struct symbol_range *ret,
			     size_t *ret_count, struct err *err);
/* The range that contains address, or NULL. */
const struct symbol_range *symbols_run_find(const struct symbol_range *ranges, size_t count,
					    uint64_t address);

void symbols_record_put(struct buf *out, const struct store_symbols *record);
/* Texts are views into bytes. */
MUST_USE int symbols_record_get(struct str bytes, struct store_symbols *ret, struct err *err);

/* ---- symbols_flatten.c ---- */

typedef int symbols_visit(void *context, uint64_t start, uint64_t end,
			  const struct store_symbol *symbol, struct err *err);

/* From functions in any order, which may overlap, to ranges in address order, which do not: of the functions
 * at an address the one that starts last, and the first given of those that start at one place. A function
 * around another is visited twice, so up to 2 * count visits. ERR_NOMEM, and what visit returns. */
MUST_USE int symbols_flatten(const struct store_symbol *symbols, size_t count, symbols_visit *visit,
			     void *context, struct err *err);
