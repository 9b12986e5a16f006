/* Private to the shim: shim.c keeps the state, shim_calls.c stands in for the
 * C library. */
#pragma once

#include <pthread.h>

#include "shim.h"

enum { DESCRIPTORS_MAX = 4096 };

struct shim_page {
	char root[SHIM_PATH_MAX];
	size_t root_len;
	struct shim_plan plan;
	_Atomic bool released;
	_Atomic uint32_t counted, failed, writes, changes, handles, syncs;
	char first[SHIM_PATH_MAX * 2];
	pthread_mutex_t lock; /* of the records */
	size_t bytes, cap;
	char *records;
};

struct shim_file {
	uint32_t handle; /* 0: not ours */
	char name[SHIM_PATH_MAX];
};

extern struct shim_page *shim_page;
extern struct shim_file shim_files[DESCRIPTORS_MAX];

/* What follows the root in the path, or NULL when the path is not ours. */
const char *below_root(const char *path);
/* Counts the call; true, with errno set, when it has to fail. */
bool shim_fails(enum shim_call call, const char *name);

bool shim_recording(void);
/* Between enter and leave a change and its record are made. True: this change is the last. */
bool shim_enter(void);
void shim_leave(bool last);
/* The same for what is recorded and changes nothing. */
void shim_enter_quietly(void);
/* Under the lock; *ret_none: a record that nobody reads, while nothing is recorded. */
struct shim_record *shim_add(enum shim_kind kind, uint32_t handle, uint64_t offset,
			     const void *bytes, size_t len);
void shim_add_path(enum shim_kind kind, const char *path);
void shim_add_paths(enum shim_kind kind, const char *from, const char *to);
