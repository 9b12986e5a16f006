/* The mappings of processes as BPF reads them: rows in the space, one list for
 * each set of mappings, so that a process and the children that share its set
 * share its rows. The set cannot change while the rows hold it (mappings.h copies
 * it on write); rows that BPF was told of never change either: where they say
 * too little, new ones are written. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/mappings.h"
#include "agent/tables.h"
#include "base/err.h"
#include "unwind/unwind.h"

struct rowset {
	struct mappings *maps;
	uint32_t place, count; /* of struct unwind_mapping */
	uint32_t users;	       /* processes for which BPF knows it, or shall */
	bool told;	       /* to BPF at some time */
	bool outdated;	       /* another one was made for the same set */
	uint64_t made_ns, used_ns;
	uint32_t table_count;
	struct table **tables; /* all that the rows speak of */
	struct rowset *next;
};

struct rowsets;

/* All must outlive it; memory is the space's. */
MUST_USE int rowsets_create(struct files *files, struct tables *tables, struct unwind_space *space,
			    void *memory, struct rowsets **ret, struct err *err);
void rowsets_destroy(struct rowsets *rowsets); /* NULL is fine */

/* The rows of a set that is not empty, made now if there are none. A file whose table is not built is
 * UNWIND_NOT_READY. ERR_LIMIT: no room in the space; ERR_NOMEM. */
MUST_USE int rowsets_get(struct rowsets *rowsets, struct mappings *maps, uint64_t now_ns,
			 struct rowset **ret, struct err *err);
/* A table was built since: *rowset speaks of it too, or is another one that does. ERR_LIMIT, ERR_NOMEM:
 * *rowset is as before. */
MUST_USE int rowsets_refresh(struct rowsets *rowsets, struct rowset **rowset, uint64_t now_ns,
			     struct err *err);
/* The row around an address; NULL: none. */
const struct unwind_mapping *rowsets_find(const struct rowsets *rowsets,
					  const struct rowset *rowset, uint64_t address);
/* For each rowset that is there: for (r = rowsets_first(rowsets); r; r = r->next). */
struct rowset *rowsets_first(const struct rowsets *rowsets);
/* users is 0, and BPF was told of something else. */
void rowsets_forget(struct rowsets *rowsets, struct rowset *rowset, uint64_t now_ns);
/* Forgets what has no users and is outdated, of no process any more, or not used since before_ns. */
void rowsets_tick(struct rowsets *rowsets, uint64_t before_ns, uint64_t now_ns);
bool rowset_names(const struct rowset *rowset, const struct table *table);
