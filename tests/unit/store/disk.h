/* What a disk may hold after the power is cut: replays what shim.h recorded
 * into a model of a file system that knows, for every file and directory, what
 * is on disk for certain and what only may be. disk_cut.c says what it may do. */
#pragma once

#include "help.h"
#include "shim.h"

/* How names reach the disk. */
enum disk_names {
	NAMES_IN_ORDER, /* one journal of all directories (ext4, xfs): any sync commits what came before */
	NAMES_ALONE, /* POSIX: each directory by itself, and only when it is synced itself */
	NAMES_KINDS
};

/* How much of the data that was not synced is there. */
enum disk_data {
	DATA_LOST,    /* none */
	DATA_WHOLE,   /* all */
	DATA_PREFIX,  /* the first part of what was written, down to a byte */
	DATA_PAGES,   /* any page of 4,096 bytes, at any state on its way; what is not there is 0 */
	DATA_SECTORS, /* the same in 512 bytes */
	DATA_KINDS
};

struct disk;

/* From a directory as it is: all of it is on disk. seed: for what a failed sync leaves there. */
struct disk *disk_load(const char *path, uint64_t seed);
void disk_destroy(struct disk *disk);
/* The next change happened. */
void disk_apply(struct disk *disk, const struct shim_record *record);
/* Makes path, which does not exist, into what may be found after a cut now. random NULL: only what is
 * certain is there. */
void disk_cut(const struct disk *disk, enum disk_names names, enum disk_data data,
	      struct random *random, const char *path);
/* As the running system sees it; to compare the model with the directory itself. */
void disk_write_live(const struct disk *disk, const char *path);
