/* The shared state: what is planned, counted and recorded. shim_calls.c has the
 * calls themselves.
 *
 * While changes are recorded, a change and its record are one step under a
 * lock, so the order of records is that of the changes. A process that has to
 * die does so inside that lock: never between a change and its record. */
#include "shim_state.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct shim_page *shim_page;
struct shim_file shim_files[DESCRIPTORS_MAX];

/* ---- control ---- */

static void make_lock(void)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&shim_page->lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

static void *shared(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		abort();
	return memory;
}

void shim_start(const char *root, size_t record_bytes)
{
	struct shim_page *fresh = shared(sizeof(*fresh));
	snprintf(fresh->root, sizeof(fresh->root), "%s", root);
	fresh->root_len = strlen(root);
	fresh->cap = record_bytes;
	if (record_bytes)
		fresh->records = shared(record_bytes);
	shim_page = fresh;
	make_lock();
}

void shim_stop(void)
{
	struct shim_page *old = shim_page;
	shim_page = NULL;
	if (old->records)
		munmap(old->records, old->cap);
	munmap(old, sizeof(*old));
}

void shim_plan(const struct shim_plan *plan)
{
	shim_page->plan = *plan;
	shim_page->first[0] = 0;
	atomic_store(&shim_page->released, false);
	atomic_store(&shim_page->counted, 0);
	atomic_store(&shim_page->failed, 0);
	atomic_store(&shim_page->writes, 0);
	atomic_store(&shim_page->changes, 0);
}

void shim_release(void)
{
	atomic_store(&shim_page->released, true);
}

uint32_t shim_counted(void)
{
	return atomic_load(&shim_page->counted);
}

uint32_t shim_failed(void)
{
	return atomic_load(&shim_page->failed);
}

uint32_t shim_changes(void)
{
	return atomic_load(&shim_page->changes);
}

const char *shim_first(void)
{
	return shim_page->first;
}

void shim_take_over(void)
{
	make_lock();
}

const struct shim_record *shim_records(size_t *ret_bytes)
{
	*ret_bytes = shim_page->bytes;
	return (const struct shim_record *)(const void *)shim_page->records;
}

static size_t record_bytes(uint32_t len)
{
	return (sizeof(struct shim_record) + len + 7) / 8 * 8;
}

const struct shim_record *shim_next(const struct shim_record *record)
{
	return (const void *)((const char *)record + record_bytes(record->len));
}

void shim_print(const char *directory)
{
	static const char *const kinds[] = {"open",   "write",	     "resize", "sync",
					    "synced", "sync failed", "rename", "link",
					    "unlink", "mkdir",	     "rmdir",  "note"};
	char path[SHIM_PATH_MAX * 2];
	size_t bytes, at = 0;
	const struct shim_record *record = shim_records(&bytes);
	const void *end = (const char *)record + bytes;
	snprintf(path, sizeof(path), "%s/records", directory);
	FILE *file = fopen(path, "w");
	if (!file)
		abort();
	for (; (const void *)record < end; record = shim_next(record))
		fprintf(file, "%zu %s: file %u, %ju, %u bytes, sync %u, %.60s\n", at++,
			kinds[record->kind], record->handle, (uintmax_t)record->offset, record->len,
			record->sync,
			record->kind == RECORD_WRITE ? "" : (const char *)(record + 1));
	fclose(file);
}

/* ---- what is ours ---- */

const char *below_root(const char *path)
{
	if (!shim_page || strncmp(path, shim_page->root, shim_page->root_len) != 0)
		return NULL;
	const char *rest = path + shim_page->root_len;
	if (*rest != '/' && *rest != 0)
		return NULL;
	while (*rest == '/')
		rest++;
	return rest;
}

static const char *name_of(enum shim_call call)
{
	static const char *const names[SHIM_CALLS] = {
		[SHIM_OPEN] = "open",	  [SHIM_CREATE] = "create",
		[SHIM_READ] = "read",	  [SHIM_WRITE] = "write",
		[SHIM_SYNC] = "sync",	  [SHIM_RANGE] = "sync_file_range",
		[SHIM_RENAME] = "rename", [SHIM_UNLINK] = "unlink",
		[SHIM_RESIZE] = "resize", [SHIM_CLOSE] = "close",
		[SHIM_LOOK] = "stat",
	};
	return names[call];
}

bool shim_fails(enum shim_call call, const char *name)
{
	const struct shim_plan *plan = &shim_page->plan;
	if (!(plan->calls & 1u << call))
		return false;
	uint32_t number = atomic_fetch_add(&shim_page->counted, 1) + 1;
	bool now = plan->fail_at &&
		   (plan->lasting ? number >= plan->fail_at : number == plan->fail_at);
	if (!now || atomic_load(&shim_page->released))
		return false;
	if (atomic_fetch_add(&shim_page->failed, 1) == 0)
		snprintf(shim_page->first, sizeof(shim_page->first), "%s %s", name_of(call), name);
	errno = plan->error;
	return true;
}

/* ---- recording ---- */

bool shim_recording(void)
{
	return shim_page->records != NULL;
}

bool shim_enter(void)
{
	if (!shim_recording())
		return false;
	pthread_mutex_lock(&shim_page->lock);
	return atomic_fetch_add(&shim_page->changes, 1) + 1 == shim_page->plan.kill_at;
}

void shim_enter_quietly(void)
{
	if (shim_recording())
		pthread_mutex_lock(&shim_page->lock);
}

void shim_leave(bool last)
{
	if (!shim_recording())
		return;
	if (last)
		kill(getpid(), SIGKILL);
	while (last)
		pause();
	pthread_mutex_unlock(&shim_page->lock);
}

struct shim_record *shim_add(enum shim_kind kind, uint32_t handle, uint64_t offset,
			     const void *bytes, size_t len)
{
	static struct shim_record none;
	if (!shim_recording())
		return &none;
	if (shim_page->bytes + record_bytes((uint32_t)len) > shim_page->cap)
		abort();
	struct shim_record *record = (void *)(shim_page->records + shim_page->bytes);
	*record = (struct shim_record){kind, handle, offset, (uint32_t)len, 0};
	memcpy(record + 1, bytes, len);
	shim_page->bytes += record_bytes((uint32_t)len);
	return record;
}

void shim_add_path(enum shim_kind kind, const char *path)
{
	shim_add(kind, 0, 0, path, strlen(path) + 1);
}

void shim_add_paths(enum shim_kind kind, const char *from, const char *to)
{
	char both[SHIM_PATH_MAX * 2];
	size_t len = strlen(from) + 1, more = strlen(to) + 1;
	if (len + more > sizeof(both))
		abort();
	memcpy(both, from, len);
	memcpy(both + len, to, more);
	shim_add(kind, 0, 0, both, len + more);
}

void shim_note(uint32_t handle, uint64_t number)
{
	bool last = shim_enter();
	shim_add(RECORD_NOTE, handle, number, "", 0);
	shim_leave(last);
}
