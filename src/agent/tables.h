/* Unwind tables of files, in the space that BPF reads. A table is built when a
 * sample needs it, belongs to the content of a file and so to all processes
 * that map it. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/files.h"
#include "base/err.h"
#include "unwind/unwind.h"

enum table_state {
	TABLE_NONE,	     /* not built */
	TABLE_READY,	     /* place holds */
	TABLE_FRAME_POINTER, /* there is none: damaged, no call frame information, no ELF file */
};

struct table {
	uint32_t file; /* in struct files, resolved */
	enum table_state state;
	uint32_t place;	   /* in the space */
	uint32_t users;	   /* lists of rows that speak of it */
	uint64_t used_ns;  /* when a sample was known to go through it */
	uint64_t retry_ns; /* FRAME_POINTER since the file was out of reach: try again; 0: never */
	struct unwind_rows *rows; /* compiled, but there was no room; NULL mostly */
	size_t bytes;		  /* it takes in the space */
	uint64_t stamp;		  /* of rowsets.c: counted already */
	struct table *next;
};

struct tables;

/* files and space must outlive it. */
MUST_USE int tables_create(struct files *files, struct unwind_space *space, struct tables **ret,
			   struct err *err);
void tables_destroy(struct tables *tables); /* NULL is fine */

/* The table of a file, which may be not built; NULL: nobody asked for it yet. file need not be resolved. */
struct table *tables_find(const struct tables *tables, uint32_t file);
/* The same, and looks the file up. NULL: no memory. */
struct table *tables_get(struct tables *tables, uint32_t file, const struct file_place *place,
			 uint64_t now_ns);
/* Brings it to READY or FRAME_POINTER. ERR_LIMIT: no room in the space for table->bytes: drop something
 * and try again after the grace; ERR_BUSY: enough was built in this tick. */
MUST_USE int tables_build(struct tables *tables, struct table *table,
			  const struct file_place *place, uint64_t now_ns, struct err *err);
/* Its memory is free after the grace. users is 0, and BPF was told of no rows that have it any more. */
void tables_forget(struct tables *tables, struct table *table, uint64_t now_ns);
/* All of them, in no order: for (t = tables_first(tables); t; t = t->next). */
struct table *tables_first(const struct tables *tables);
/* The table in the space that was not used for longest, before before_ns at least; NULL: none. */
struct table *tables_oldest(const struct tables *tables, uint64_t before_ns);
/* Forgets what has no users and was not used since before_ns. A new tick begins. */
void tables_tick(struct tables *tables, uint64_t before_ns, uint64_t now_ns);
/* Forgets what is without users, marks the files of the rest. For files_sweep(). */
void tables_mark_files(struct tables *tables, uint64_t now_ns);

struct tables_stats {
	uint32_t ready, without; /* in the space; walked by frame pointer */
	uint64_t built, failed;	 /* since ever; failed: damaged or out of reach */
	uint64_t build_ns;
};

void tables_get_stats(const struct tables *tables, struct tables_stats *ret);
