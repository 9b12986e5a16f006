/* Shared by the commands of `cresset store`: places on disk, the terminal, Ctrl-C. */
#pragma once

#include <stdint.h>

#include "base/err.h"

enum { PLACE_MAX = 4096 };

extern _Atomic int store_cancelled;

/* From here on SIGINT and SIGTERM set store_cancelled, so that nothing is left half done. */
void store_catch_signals(void);
/* The store of a data directory (as `cresset up --data-dir` has it: in `store` below it), or the
 * directory itself when it is a store. */
MUST_USE int store_find(const char *directory, char path[PLACE_MAX], struct err *err);
/* Not there, or with nothing in it but `partial` of an interrupted restore. */
MUST_USE int store_need_empty(const char *directory, struct err *err);

/* "12.3 MiB" */
struct size_text {
	char text[24];
};
const char *store_size(struct size_text *out, uint64_t bytes);
#define SIZE(bytes) store_size(&(struct size_text){.text = ""}, (bytes))

/* A line on stderr that replaces itself, when stderr is a terminal and a second has passed. */
void store_progress(const char *fmt, ...) PRINTF_LIKE(1, 2);
void store_progress_end(void);
