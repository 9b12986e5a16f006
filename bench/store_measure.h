/* What a store that is full of samples is measured by. */
#pragma once

#include "store_tools.h"

/* Waits until the store has nothing more to do by itself, or settle_s is over. Prints what it took before
 * and how long it was. */
void measure_settle(const struct params *params, struct store *store, const char *path);
/* Opens it, asks it, closes it; a process of its own gives the truest memory. */
void measure_run(const struct params *params, const char *path);
/* The machine: memory, disk, fsync, zstd on encoded sample blocks. */
void limits_run(const struct params *params, const char *directory);
/* The column encodings alone. */
void columns_run(const struct params *params);
/* Ingest and queries at once for a while; memory must stay flat. */
void soak_run(const struct params *params, const char *path);
