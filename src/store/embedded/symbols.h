/* Private to the embedded engine: names that came after the frames. Writing
 * (symbols.c), listing (symbols_list.c, symbols_missing.c), and reading them
 * over the frames of an answer (symbols_name.c). */
#pragma once

#include "store/embedded/query.h"
#include "store/embedded/symbols_run.h"

/* Where a tenant's build id has its runs and its record. */
struct symbols_place {
	uint32_t tenant;
	struct hash128 hash;
};

struct symbols_place symbols_place(const struct store *store, uint32_t tenant, struct str build_id);
struct key symbols_record_key(const struct symbols_place *place);

/* The record, and *ret_found whether there is one. Texts point into value, which the caller frees in any case. */
MUST_USE int symbols_read_record(struct rocks *rocks, const struct rocks_view *view,
				 const struct symbols_place *place, struct str build_id,
				 struct rocks_value *value, struct store_symbols *ret,
				 bool *ret_found, struct err *err);

/* Gives those of the frames that have no name, but a build id with symbols, the name, system name and file
 * name of the range that holds their address. Kernel frames are left alone: their address counts from the
 * start of the kernel's text. New texts are in the arena; frames of one function share them. */
MUST_USE int symbols_name(struct query *query, struct arena *arena, struct store_frame *frames,
			  size_t count, struct err *err);
