/* Source lines and inlined functions of ELF files, from DWARF.
 *
 * libdw knows every corner of the format, but was not made for files that
 * somebody wrote to hurt the reader, and what is in a file that people run is
 * not ours to choose. So it works in a process of its own: forked when first
 * asked, with no capabilities, no way to open anything, limits of memory and
 * time; it gets the descriptors of files over a socket. A file that makes it
 * die, hang or run out of memory is marked bad and costs nothing more; the next
 * file meets a fresh worker. When it has had nothing to do for a while it ends.
 *
 *	dwarf_ask(dwarf, file, vaddr)		// queued
 *	dwarf_pump(dwarf, 0)			// sends, receives, calls ops
 *
 * One thread. Numbers of files are the caller's and never mean another file. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

enum {
	DWARF_ROWS_MAX = 64,   /* of one address: deeper inlining is cut at the leaf side */
	DWARF_TEXT_MAX = 4096, /* bytes of one text */
	DWARF_QUEUE_MAX = 16384,
	DWARF_NO_LIMIT = -1,
};

/* One function at an address; texts are valid UTF-8 without control characters. */
struct dwarf_row {
	struct str name;	/* display form; "" when DWARF names no function here */
	struct str system_name; /* linkage name, else the name in the source */
	struct str file;	/* whole path where known; "" */
	uint32_t line, column;	/* 1-based; 0: unknown */
	uint32_t start_line;	/* where the function begins, when that is in the same file; or 0 */
};

/* The descriptor of the file that has .debug_info, and, for a file that dwz made, of the one that its
 * .gnu_debugaltlink names (or -1). dwarf_pump() borrows them during the call of open(). */
struct dwarf_fds {
	int debug, alt;
};

struct dwarf_ops {
	/* False: the file cannot be had now; bad() is called then. */
	bool (*open)(void *ctx, uint64_t file, struct dwarf_fds *ret);
	/* rows[0] is the innermost function, the last one the function of the symbol table. count 0:
	 * nothing known at that address, and asking again gives the same. Texts die with the call. */
	void (*rows)(void *ctx, uint64_t file, uint64_t vaddr, const struct dwarf_row *rows,
		     uint32_t count);
	/* Nothing more comes of what was asked of this file: it made the worker fail, holds no DWARF, or
	 * open() said no. */
	void (*bad)(void *ctx, uint64_t file, const char *why);
};

struct dwarf_options {
	const struct dwarf_ops *ops;
	void *ctx;
	int64_t memory_bytes; /* of data; 0: 384 MiB; DWARF_NO_LIMIT: none (sanitizers need that) */
	uint64_t request_ns;  /* wall clock for one request (256 addresses); 0: 10 s */
	uint64_t idle_ns;     /* 0: 30 s */
	/* CPU time that the worker may take at once; a tenth of a CPU comes back. Beyond that addresses
	 * wait. 0: 3 s. */
	uint64_t burst_ns;
};

struct dwarf;

/* Forks nothing yet. ERR_NOMEM. */
MUST_USE int dwarf_create(const struct dwarf_options *options, struct dwarf **ret, struct err *err);
void dwarf_destroy(struct dwarf *dwarf); /* kills the worker; NULL is fine */
/* ERR_LIMIT: DWARF_QUEUE_MAX wait already; ask again later. ERR_NOMEM. */
MUST_USE int dwarf_ask(struct dwarf *dwarf, uint64_t file, uint64_t vaddr, struct err *err);
/* Moves things on and returns how many addresses still wait. Never waits for longer than until
 * wait_until_ns (clock_mono_ns(); 0: not at all), and not when none wait. */
uint32_t dwarf_pump(struct dwarf *dwarf, uint64_t wait_until_ns);

/* Readable: an answer is there for dwarf_pump(). -1: no worker now. */
int dwarf_fd(const struct dwarf *dwarf);

struct dwarf_stats {
	uint64_t asked, answered; /* addresses */
	uint64_t spawned, crashed, timed_out;
	uint64_t bad_files;
	uint64_t worker_cpu_ns; /* of workers that ended, and of this one as of its last answer */
	pid_t worker;		/* 0: none now */
	uint32_t waiting;
};

void dwarf_get_stats(const struct dwarf *dwarf, struct dwarf_stats *ret);
