/* Stands between the program and the C library's file calls: linked into a test
 * program it takes the place of open, write, fsync and so on, for RocksDB too,
 * since a symbol of the program comes before one of a library. Calls on files
 * below one root are counted and can be made to fail; changes can be recorded,
 * so that disk.h can say what a disk may hold after the power is cut.
 *
 * Its state lies in memory shared with processes forked later: the parent sets
 * a plan, the child runs into it, and what was recorded outlives the child. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kinds of calls, as bits of a plan. */
enum shim_call {
	SHIM_OPEN,   /* open of what exists, opendir */
	SHIM_CREATE, /* open with O_CREAT, mkdir, link */
	SHIM_READ,   /* read, pread, fread_unlocked */
	SHIM_WRITE,  /* write, pwrite */
	SHIM_SYNC,   /* fsync, fdatasync */
	SHIM_RANGE,  /* sync_file_range, a hint */
	SHIM_RENAME,
	SHIM_UNLINK,
	SHIM_RESIZE, /* ftruncate, fallocate */
	SHIM_CLOSE,
	SHIM_LOOK, /* access, stat, fstat, statvfs */
	SHIM_CALLS
};

enum { SHIM_ALL = (1 << SHIM_CALLS) - 1, SHIM_PATH_MAX = 128 };

struct shim_plan {
	unsigned calls;	      /* the kinds that are counted, bit 1 << call */
	uint32_t fail_at;     /* the first to fail, from 1; 0: none */
	bool lasting;	      /* and all after it, until shim_release */
	int error;	      /* errno */
	bool torn;	      /* a write that fails has written its first half */
	uint32_t short_every; /* every so many writes are cut short, which is no failure; 0: none */
	uint32_t
		kill_at; /* SIGKILL at that change (recorded ones only), in the middle of a write; 0: never */
	bool lazy_sync; /* syncs only take their time: the directory is no disk's */
};

/* What is recorded: every change below the root, in its order, paths from the root on. */
enum shim_kind {
	RECORD_OPEN,	    /* handle, offset = flags; path */
	RECORD_WRITE,	    /* handle, offset; bytes */
	RECORD_RESIZE,	    /* handle, offset = the new size */
	RECORD_SYNC_BEGIN,  /* handle */
	RECORD_SYNC_END,    /* handle: what stood before its begin is on disk */
	RECORD_SYNC_FAILED, /* handle: what stood before its begin may never come there */
	RECORD_RENAME,	    /* from, 0, to */
	RECORD_LINK,	    /* from, 0, to */
	RECORD_UNLINK,	    /* path */
	RECORD_MKDIR,	    /* path */
	RECORD_RMDIR,	    /* path */
	RECORD_NOTE,	    /* handle, offset: the test's own */
};

struct shim_record {
	uint32_t kind, handle;
	uint64_t offset;
	uint32_t len;  /* of the bytes that follow; the next record begins at a multiple of 8 */
	uint32_t sync; /* RECORD_SYNC_*: number of the sync */
};

/* Before forking. record_bytes: room for what is recorded, 0 for nothing. */
void shim_start(const char *root, size_t record_bytes);
void shim_stop(void);
/* From here on calls count from 1. */
void shim_plan(const struct shim_plan *plan);
/* What fails lastingly does so no more. */
void shim_release(void);
/* Calls of the planned kinds; those that failed; changes recorded since the plan. */
uint32_t shim_counted(void);
uint32_t shim_failed(void);
uint32_t shim_changes(void);
/* The first call that failed: "fsync db/000004.log". */
const char *shim_first(void);

/* After the process that recorded is dead: the next one may. */
void shim_take_over(void);
/* A remark between the changes. */
void shim_note(uint32_t handle, uint64_t number);
const struct shim_record *shim_records(size_t *ret_bytes);
const struct shim_record *shim_next(const struct shim_record *record);
/* All records as text in the file "records" of that directory, for whoever looks for a cause. */
void shim_print(const char *directory);
