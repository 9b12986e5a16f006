/* The door. Today there is one engine behind it, the embedded one; a second
 * will stand beside it as a folder with the same functions. */
#include "store/engine.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "store/embedded/answer.h"
#include "store/embedded/answers.h"
#include "store/embedded/ask.h"
#include "store/embedded/control.h"
#include "store/embedded/gauges.h"
#include "store/embedded/maintenance.h"

enum {
	MIB = 1024 * 1024,
	MEMORY_DEFAULT_BYTES = 256 * MIB,
	MEMORY_MIN_BYTES = 32 * MIB,
	SETTLE_MIN_BYTES = 4 * MIB,
	OPEN_FILES_MAX = 256,
	GROUP_COMMIT_DEFAULT_NS = 2 * NS_PER_MS,
	DIRECTORY_MODE = 0700,
	HELPER_AFTER_NS = NS_PER_MS, /* starting a thread takes some tens of microseconds */
	HELPERS_MAX = 64,
};

/* ---- open and close ---- */

/* In sixteenths: what is being written, blocks that were read, the writer's ids, the readers'
 * dictionary pages, settling, answers that are kept, queries. All of it is taken only when there is
 * something to keep. */
static void plan_memory(struct store *store)
{
	size_t memory = store->options.memory_bytes;
	if (!memory)
		memory = MEMORY_DEFAULT_BYTES;
	if (memory < MEMORY_MIN_BYTES)
		memory = MEMORY_MIN_BYTES;
	size_t part = memory / 16;
	size_t settling = part > SETTLE_MIN_BYTES ? part : SETTLE_MIN_BYTES;
	store->plan = (struct budget_plan){
		.rocks = {.block_cache_bytes = part * 2,
			  .write_buffer_bytes = part * 4,
			  .open_files_max = OPEN_FILES_MAX},
		.limit_bytes = memory,
		.id_cache_bytes = part * 3,
		.page_cache_bytes = part,
		.settle_bytes = settling,
		.answer_cache_bytes = part,
		.query_bytes = part * 5 - settling,
	};
	/* Pages in use may be more than are kept, so the readers' parts are counted together. */
	budget_init(&store->readers, part * 2 + store->plan.query_bytes, NULL);
	budget_init(&store->queries, 0, &store->readers);
	budget_init(&store->page_memory, 0, &store->readers);
	budget_init(&store->answer_memory, store->plan.answer_cache_bytes, &store->readers);
	metric_set(&store_memory_limit_bytes, (int64_t)memory);
	if (!store->options.group_commit_ns)
		store->options.group_commit_ns = GROUP_COMMIT_DEFAULT_NS;
}

/* The caller's thread works too. */
static void plan_threads(struct store *store)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	store->helpers_max = cores > HELPERS_MAX ? HELPERS_MAX
			     : cores > 1	 ? (unsigned)cores - 1
						 : 0;
	store->helper_after_ns = HELPER_AFTER_NS;
}

static int make_paths(struct store *store, struct err *err)
{
	const char *path = store->options.path;
	if (!path || !*path)
		return err_set(err, ERR_INVALID, "no directory is given");
	size_t size = strlen(path) + sizeof("/db");
	store->path = mem_strndup(path, strlen(path));
	store->database_path = mem_alloc(size);
	if (!store->path || !store->database_path)
		return err_set(err, ERR_NOMEM, "no memory");
	store->options.path = store->path;
	snprintf(store->database_path, size, "%s/db", path);
	return fd_make_dirs(path, DIRECTORY_MODE, err);
}

static int open_parts(struct store *store, struct err *err)
{
	int rc = make_paths(store, err);
	plan_memory(store);
	plan_threads(store);
	rc = rc ? rc : retention_set(&store->retention, &store->options.retention, err);
	rc = rc ? rc : directory_lock(store->path, &store->lock_fd, err);
	rc = rc ? rc : format_check_file(store->path, err);
	rc = rc ? rc
		: rocks_open(store->database_path, &store->plan.rocks, false, &store->rocks, err);
	rc = rc ? rc : format_open(store, err);
	rc = rc ? rc
		: page_cache_create(store->plan.page_cache_bytes, &store->page_memory,
				    &store->pages, err);
	rc = rc ? rc
		: answers_create(store->plan.answer_cache_bytes, &store->answer_memory,
				 &store->answers, err);
	rc = rc ? rc : writer_start(store, err);
	rc = rc ? rc : maintenance_start(store, err);
	return rc ? rc : control_start(store, &store->control, err);
}

int store_open(const struct store_options *options, struct store **ret, struct err *err)
{
	pthread_rwlockattr_t attr;
	struct store *store = mem_zalloc(1, sizeof(*store));
	if (!store)
		return err_set(err, ERR_NOMEM, "opening the store: no memory");
	store->options = *options;
	store->lock_fd = -1;
	retention_init(&store->retention);
	pthread_rwlockattr_init(&attr);
	/* So that a stream of queries cannot keep the database from being opened anew. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&store->rocks_lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&store->symbols_lock, NULL);
	int rc = open_parts(store, err);
	if (rc) {
		store_close(store);
		return err_wrap(err, "opening store %s", options->path ? options->path : "");
	}
	store_metrics_register();
	*ret = store;
	return 0;
}

int store_check_room(struct store *store, struct err *err)
{
	return disk_check(store, err);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	control_stop(store->control);
	maintenance_stop(store);
	writer_stop(store);
	answers_destroy(store->answers);
	page_cache_destroy(store->pages);
	rocks_close(store->rocks);
	fd_close(&store->lock_fd);
	retention_deinit(&store->retention);
	pthread_rwlock_destroy(&store->rocks_lock);
	pthread_mutex_destroy(&store->symbols_lock);
	mem_free(store->path);
	mem_free(store->database_path);
	mem_free(store);
}

/* ---- writing ---- */

int store_write(struct store *store, const struct store_batch *batch, struct err *err)
{
	return writer_submit(store, batch, err);
}

int store_maintain(struct store *store, uint64_t now_ns, struct err *err)
{
	return maintenance_run(store, now_ns, true, err);
}

int store_set_retention(struct store *store, const struct store_retention *retention,
			struct err *err)
{
	return retention_set(&store->retention, retention, err);
}

/* ---- asking ---- */

int store_merge(struct store *store, const struct store_selection *selection, struct arena *arena,
		struct store_tree *ret, struct err *err)
{
	return ask_merge(store, selection, arena, ret, err);
}

int store_points(struct store *store, const struct store_selection *selection,
		 const struct store_points_options *options, struct arena *arena,
		 struct store_points **ret, size_t *ret_count, struct err *err)
{
	return ask_points(store, selection, options, arena, ret, ret_count, err);
}

int store_top(struct store *store, const struct store_selection *selection,
	      const struct store_top_options *options, struct arena *arena, struct store_top *ret,
	      struct err *err)
{
	return ask_top(store, selection, options, arena, ret, err);
}

int store_heatmap(struct store *store, const struct store_selection *selection,
		  const struct store_heatmap_options *options, struct arena *arena,
		  struct store_heatmap *ret, struct err *err)
{
	return ask_heatmap(store, selection, options, arena, ret, err);
}

int store_label_names(struct store *store, const struct store_selection *selection,
		      struct arena *arena, struct str **ret, size_t *ret_count, struct err *err)
{
	return ask_label_names(store, selection, arena, ret, ret_count, err);
}

int store_label_values(struct store *store, const struct store_selection *selection,
		       struct str name, struct arena *arena, struct str **ret, size_t *ret_count,
		       struct err *err)
{
	return ask_label_values(store, selection, name, arena, ret, ret_count, err);
}

int store_series_labels(struct store *store, const struct store_selection *selection,
			const struct str *names, size_t name_count, struct arena *arena,
			struct store_labels **ret, size_t *ret_count, struct err *err)
{
	return ask_series_labels(store, selection, names, name_count, arena, ret, ret_count, err);
}

int store_tally(struct store *store, const struct store_selection *selection,
		const struct store_tally_options *options, struct arena *arena,
		struct store_tallies *ret, struct err *err)
{
	return ask_tally(store, selection, options, arena, ret, err);
}

int store_analyze(struct store *store, const struct store_selection *selection,
		  struct store_analysis *ret, struct err *err)
{
	return ask_analysis(store, selection, ret, err);
}

int store_extent(struct store *store, struct str tenant, struct store_extent *ret, struct err *err)
{
	return ask_extent(store, tenant, ret, err);
}

struct str store_frame_name(struct arena *arena, const struct store_frame *frame)
{
	if (frame->name.len > 0)
		return frame->name;
	if (frame->system_name.len > 0)
		return frame->system_name;
	if (frame->mapping.len == 0)
		return STR("[unknown]");
	return arena_printf(arena, "%.*s+0x%llx", STR_ARG(str_basename(frame->mapping)),
			    (unsigned long long)frame->address);
}

int store_stats(struct store *store, struct store_stats *ret, struct err *err)
{
	return answer_stats(store, ret, err);
}

int store_sizes(struct store *store, struct store_sizes *ret, struct err *err)
{
	return answer_sizes(store, ret, err);
}

/* ---- care ---- */

int store_checkpoint(struct store *store, const char *name, struct err *err)
{
	return checkpoint_take(store, name, err);
}

int store_checkpoint_drop(struct store *store, const char *name, struct err *err)
{
	return checkpoint_drop(store->path, name, err);
}
