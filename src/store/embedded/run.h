/* Private to the embedded engine: dictionary entries are stored in runs of
 * consecutive ids, in columns. A run never crosses a page (a power of two of
 * ids), so a page is read by one short scan. Byte layout:
 * docs/formats/embedded-store.md, "Dictionary runs". Pure functions. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
	RUN_VERSION = 1,
	STRINGS_PER_PAGE = 128,
	FRAMES_PER_PAGE = 256,
	NODES_PER_PAGE = 1024,
};

struct node_row {
	uint32_t parent, frame;
};

enum frame_string {
	FRAME_NAME,
	FRAME_SYSTEM_NAME,
	FRAME_FILENAME,
	FRAME_KIND,
	FRAME_MAPPING,
	FRAME_BUILD_ID,
	FRAME_STRINGS,
};

struct frame_row {
	uint32_t strings[FRAME_STRINGS]; /* dictionary ids */
	uint64_t address;
	int64_t line, start_line;
};

/* Append count >= 1 entries, at most a page; out is sticky. first_id is the id of rows[0]. */
void run_put_nodes(struct buf *out, const struct node_row *rows, size_t count, uint32_t first_id);
void run_put_frames(struct buf *out, const struct frame_row *rows, size_t count);
void run_put_strings(struct buf *out, const struct str *rows, size_t count);

/* At most max entries; ERR_CORRUPT, ERR_UNSUPPORTED. Strings are views into bytes. */
MUST_USE int run_get_nodes(struct str bytes, uint32_t first_id, struct node_row *ret, size_t max,
			   size_t *ret_count, struct err *err);
MUST_USE int run_get_frames(struct str bytes, struct frame_row *ret, size_t max, size_t *ret_count,
			    struct err *err);
MUST_USE int run_get_strings(struct str bytes, struct str *ret, size_t max, size_t *ret_count,
			     struct err *err);
