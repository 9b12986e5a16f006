/* Private to the model of a disk: disk.c keeps it, disk_cut.c cuts the power. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "disk.h"

enum { INODES_MAX = 1 << 16, HANDLES_MAX = 1 << 18, SYNCS_MAX = 1 << 18, NOBODY = UINT32_MAX };

struct bytes {
	uint8_t *ptr;
	size_t len, cap;
};

struct change {
	bool resize;
	uint64_t at;	      /* offset, or the new size */
	const uint8_t *bytes; /* in the record */
	uint32_t len;
};

struct inode {
	bool directory;
	struct bytes certain, live;
	struct change *changes;
	size_t count, cap;
	size_t settled; /* changes that are in the list no more */
};

/* A change of names: entry from or to of the directory; NOBODY where there is none. */
struct naming {
	uint32_t directory;
	char *gone, *come; /* names, or NULL */
	uint32_t inode;	   /* that comes */
};

struct name {
	uint32_t directory, inode;
	char *text;
};

struct names {
	struct name *list;
	size_t count, cap;
};

struct disk {
	struct inode *inodes;
	uint32_t inode_count;
	uint32_t *handles; /* -> inode */
	struct names live, first;
	struct naming *namings; /* since the first names, all of them */
	size_t naming_count, naming_cap;
	size_t journalled;  /* so many namings are on disk with a journal */
	size_t *alone;	    /* inode of a directory -> so many without one */
	size_t *sync_names; /* sync -> namings at its beginning */
	size_t *sync_changes;
	struct random random;
};

void *disk_must_have(void *memory);
void bytes_set_size(struct bytes *bytes, size_t len);
void bytes_change(struct bytes *bytes, const struct change *change);
void names_apply(struct names *names, const struct naming *naming);
void names_copy(const struct names *from, struct names *to);
void names_free(struct names *names);
