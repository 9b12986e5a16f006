/* Private to server: from an ELF file to the functions that the store keeps of
 * it. The file is outside bytes; elf/ reads them as hostile. */
#pragma once

#include "base/arena.h"
#include "elf/elf.h"
#include "store/engine.h"

enum {
	SYMBOLS_PACKED_MAX = 256 * 1024 * 1024, /* of an upload or a download */
	SYMBOLS_FILE_MAX = 512 * 1024 * 1024,	/* unpacked */
};

struct symbols_file {
	struct str build_id;
	struct store_symbol *symbols;
	size_t count;
};

/* Unpacks what gzip or zstd packed, seen from its first bytes; anything else is taken as it is (*ret is a view of
 * bytes, else of space). ERR_LIMIT above SYMBOLS_FILE_MAX, ERR_INVALID. */
MUST_USE int symbols_unpack(struct str bytes, struct buf *space, struct str *ret, struct err *err);
/* The functions of the file, demangled; texts are in the arena. build_id is the id that the frames have, for a file
 * without a GNU build id; or "". ERR_INVALID: it is no ELF file, has no build id or another one, has no
 * functions; and ERR_LIMIT, ERR_NOMEM. */
MUST_USE int symbols_read(struct str file, struct str build_id, struct arena *arena,
			  struct symbols_file *ret, struct err *err);
