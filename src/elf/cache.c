/* Symbol tables of many files, kept by the identity of the file's content.
 *
 * Every file asked for has an entry, also when it has no table: then the entry
 * says why, so that a stripped binary costs one look. Entries form a list, the
 * one used last in front; from its end they are dropped when the budget or
 * ENTRIES_MAX is passed. */
#include "elf/elf.h"

#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "elf/display.h"

enum {
	ENTRIES_MAX = 8192,
	RETRY_SECONDS = 5,
};

static struct metric metric_found =
	METRIC_COUNTER_INIT("cresset_symbols_lookups_total", "result=\"found\"",
			    "Addresses looked up in symbol tables");
static struct metric metric_outside =
	METRIC_COUNTER_INIT("cresset_symbols_lookups_total", "result=\"no_function\"",
			    "Addresses looked up in symbol tables");
static struct metric metric_no_table =
	METRIC_COUNTER_INIT("cresset_symbols_lookups_total", "result=\"no_table\"",
			    "Addresses looked up in symbol tables");
static struct metric metric_loads =
	METRIC_COUNTER_INIT("cresset_symbols_table_loads_total", "result=\"ok\"",
			    "Symbol tables read from files");
static struct metric metric_stripped =
	METRIC_COUNTER_INIT("cresset_symbols_table_loads_total", "result=\"stripped\"",
			    "Symbol tables read from files");
static struct metric metric_refused =
	METRIC_COUNTER_INIT("cresset_symbols_table_loads_total", "result=\"too_large\"",
			    "Symbol tables read from files");
static struct metric metric_unopened =
	METRIC_COUNTER_INIT("cresset_symbols_table_loads_total", "result=\"unopened\"",
			    "Symbol tables read from files");
static struct metric metric_failed =
	METRIC_COUNTER_INIT("cresset_symbols_table_loads_total", "result=\"failed\"",
			    "Symbol tables read from files");
static struct metric metric_evictions =
	METRIC_COUNTER_INIT("cresset_symbols_table_evictions_total", NULL,
			    "Symbol tables dropped to keep the memory budget");
static struct metric metric_bytes =
	METRIC_GAUGE_INIT("cresset_symbols_table_bytes", NULL, "Memory taken by symbol tables");
static struct metric metric_tables =
	METRIC_GAUGE_INIT("cresset_symbols_files", NULL, "Files known to the symbol cache");
static struct histogram load_seconds =
	HISTOGRAM_INIT("cresset_symbols_load_seconds", NULL, "Time to read a file's symbol table",
		       16 * NS_PER_US);

struct entry {
	struct elf_key key;
	struct entry *newer, *older;
	struct elf_symbols *symbols; /* NULL: there is none, for reason */
	int reason;
	uint64_t retry_at_ns; /* monotonic; 0: never */
	size_t bytes;
};

struct symbol_cache {
	struct map entries; /* hash of the key -> struct entry */
	struct entry *newest, *oldest;
	struct elf_symbols *vdso;
	int vdso_reason;
	bool vdso_asked;
	size_t budget_bytes, used_bytes;
	struct display_memo memo;
};

int symbol_cache_create(size_t budget_bytes, struct symbol_cache **ret, struct err *err)
{
	struct symbol_cache *cache = mem_zalloc(1, sizeof(*cache));

	if (!cache)
		return err_set(err, ERR_NOMEM, "no memory for a symbol cache");
	cache->budget_bytes = budget_bytes ? budget_bytes : SYMBOL_CACHE_DEFAULT_BYTES;
	display_memo_init(&cache->memo);
	metric_register(&metric_found);
	metric_register(&metric_outside);
	metric_register(&metric_no_table);
	metric_register(&metric_evictions);
	*ret = cache;
	return 0;
}

static void unlink_entry(struct symbol_cache *cache, struct entry *e)
{
	*(e->newer ? &e->newer->older : &cache->newest) = e->older;
	*(e->older ? &e->older->newer : &cache->oldest) = e->newer;
}

static void push_newest(struct symbol_cache *cache, struct entry *e)
{
	e->newer = NULL;
	e->older = cache->newest;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = e;
	cache->newest = e;
}

static uint64_t key_hash(const struct elf_key *key)
{
	return str_hash(str_make(key, sizeof(*key)));
}

static void drop_entry(struct symbol_cache *cache, struct entry *e)
{
	unlink_entry(cache, e);
	(void)map_remove(&cache->entries, key_hash(&e->key), NULL);
	cache->used_bytes -= e->bytes;
	metric_add(&metric_bytes, -(int64_t)e->bytes);
	metric_add(&metric_tables, -1);
	elf_symbols_free(e->symbols);
	mem_free(e);
}

void symbol_cache_destroy(struct symbol_cache *cache)
{
	if (!cache)
		return;
	while (cache->oldest)
		drop_entry(cache, cache->oldest);
	map_deinit(&cache->entries);
	elf_symbols_free(cache->vdso);
	display_memo_deinit(&cache->memo);
	mem_free(cache);
}

/* Drops from the old end until the budget holds, sparing keep. */
static void keep_budget(struct symbol_cache *cache, const struct entry *keep)
{
	while (cache->oldest && cache->oldest != keep &&
	       (cache->used_bytes > cache->budget_bytes || cache->entries.count > ENTRIES_MAX)) {
		if (cache->oldest->symbols)
			metric_add(&metric_evictions, 1);
		drop_entry(cache, cache->oldest);
	}
}

static struct entry *find_entry(struct symbol_cache *cache, const struct elf_key *key)
{
	uint64_t *slot;

	if (cache->newest && elf_key_equal(&cache->newest->key, key))
		return cache->newest;
	slot = map_get(&cache->entries, key_hash(key));
	if (!slot)
		return NULL;
	struct entry *e = (struct entry *)(uintptr_t)*slot;
	/* Two keys with one hash, made on purpose: the older one goes. */
	if (!elf_key_equal(&e->key, key)) {
		drop_entry(cache, e);
		return NULL;
	}
	unlink_entry(cache, e);
	push_newest(cache, e);
	return e;
}

static int add_entry(struct symbol_cache *cache, const struct elf_key *key, struct entry **ret,
		     struct err *err)
{
	struct entry *e = mem_zalloc(1, sizeof(*e));

	if (!e)
		return err_set(err, ERR_NOMEM, "no memory to know one more file");
	e->key = *key;
	e->bytes = sizeof(*e);
	int rc = map_put(&cache->entries, key_hash(key), (uintptr_t)e, err);
	if (rc) {
		mem_free(e);
		return rc;
	}
	push_newest(cache, e);
	cache->used_bytes += e->bytes;
	metric_add(&metric_bytes, (int64_t)e->bytes);
	metric_add(&metric_tables, 1);
	*ret = e;
	return 0;
}

static int load_table(const struct symbol_cache *cache, int fd, int debug_fd,
		      struct elf_symbols **ret, struct err *err)
{
	struct elf_file *file, *debug = NULL;
	uint64_t begin_ns = clock_mono_ns();

	int rc = elf_open(fd, &file, err);
	if (rc)
		return rc;
	if (debug_fd >= 0 && elf_open(debug_fd, &debug, NULL))
		debug = NULL;
	rc = elf_symbols_load_with(file, debug, cache->budget_bytes, ret, err);
	/* Few names are better than none. */
	if (rc == ERR_LIMIT && debug)
		rc = elf_symbols_load(file, cache->budget_bytes, ret, err);
	elf_close(debug);
	elf_close(file);
	histogram_observe_ns(&load_seconds, clock_mono_ns() - begin_ns);
	return rc;
}

static void count_load(int rc)
{
	metric_add(rc == 0		 ? &metric_loads
		   : rc == ERR_NOT_FOUND ? &metric_stripped
		   : rc == ERR_LIMIT	 ? &metric_refused
					 : &metric_failed,
		   1);
}

/* May another attempt on the same content end otherwise? */
static bool is_passing(int code)
{
	return code == ERR_NOMEM || code == ERR_IO || code == ERR_BUSY || code == ERR_TIMEOUT ||
	       code == ERR_DENIED;
}

/* The fd of the very file that the entry is about, to be closed; or why there is none. */
static int open_same(const struct entry *e, symbol_open_fn open, void *arg, int *ret_debug_fd,
		     struct err *err)
{
	struct elf_key now = {0};
	int fd = open(arg, ret_debug_fd, err);

	if (fd < 0)
		return fd;
	int rc = elf_key_of_fd(fd, &now, err);
	if (!rc && !elf_key_equal(&now, &e->key))
		rc = err_set(err, ERR_NOT_FOUND, "the file is no longer the one that was mapped");
	if (!rc)
		return fd;
	fd_close(&fd);
	return rc;
}

/* Loads the table, or notes in the entry why not and whether to ask again. */
static void try_load(const struct symbol_cache *cache, struct entry *e, symbol_open_fn open,
		     void *arg, struct err *err)
{
	uint64_t later_ns = clock_mono_ns() + (uint64_t)RETRY_SECONDS * NS_PER_S;
	FD_AUTO int debug_fd = -1;
	FD_AUTO int fd = open_same(e, open, arg, &debug_fd, err);

	if (fd < 0) {
		/* Another process may give it later. */
		e->reason = fd;
		e->retry_at_ns = later_ns;
		metric_add(&metric_unopened, 1);
		return;
	}
	e->reason = load_table(cache, fd, debug_fd, &e->symbols, err);
	e->retry_at_ns = is_passing(e->reason) ? later_ns : 0;
	count_load(e->reason);
}

static void fill_entry(struct symbol_cache *cache, struct entry *e, symbol_open_fn open, void *arg,
		       struct err *err)
{
	try_load(cache, e, open, arg, err);
	if (e->symbols) {
		size_t bytes = elf_symbols_bytes(e->symbols);
		e->bytes += bytes;
		cache->used_bytes += bytes;
		metric_add(&metric_bytes, (int64_t)bytes);
	}
	keep_budget(cache, e);
}

static int get_entry(struct symbol_cache *cache, const struct elf_key *key, symbol_open_fn open,
		     void *arg, struct entry **ret, struct err *err)
{
	struct entry *e = find_entry(cache, key);
	int rc = 0;

	if (!e) {
		rc = add_entry(cache, key, &e, err);
		if (rc)
			return rc;
		fill_entry(cache, e, open, arg, err);
	} else if (!e->symbols && e->retry_at_ns && clock_mono_ns() >= e->retry_at_ns) {
		fill_entry(cache, e, open, arg, err);
	}
	*ret = e;
	return 0;
}

static int find_in(struct symbol_cache *cache, const struct elf_symbols *symbols, uint64_t vaddr,
		   struct symbol_found *ret, struct err *err)
{
	struct elf_symbol s;

	if (!elf_symbols_find(symbols, vaddr, &s)) {
		metric_add(&metric_outside, 1);
		return err_set(err, ERR_NOT_FOUND, "no function at %#llx",
			       (unsigned long long)vaddr);
	}
	metric_add(&metric_found, 1);
	*ret = (struct symbol_found){
		.name = display_memo_get(&cache->memo, s.name),
		.system_name = s.name,
		.start = s.start,
		.size = s.size,
	};
	return 0;
}

int symbol_cache_find(struct symbol_cache *cache, const struct elf_key *key, uint64_t vaddr,
		      symbol_open_fn open, void *arg, struct symbol_found *ret, struct err *err)
{
	struct entry *e;

	int rc = get_entry(cache, key, open, arg, &e, err);
	if (rc)
		return rc;
	if (e->symbols)
		return find_in(cache, e->symbols, vaddr, ret, err);
	metric_add(&metric_no_table, 1);
	return err_set(err, e->reason, "no symbol table: %s", err_info(e->reason)->name);
}

static int load_vdso(struct elf_symbols **ret, struct err *err)
{
	struct elf_file *file;
	int rc = elf_open_vdso(&file, err);

	if (rc)
		return rc;
	rc = elf_symbols_load(file, 0, ret, err);
	elf_close(file);
	return rc;
}

int symbol_cache_find_vdso(struct symbol_cache *cache, uint64_t vaddr, struct symbol_found *ret,
			   struct err *err)
{
	if (!cache->vdso_asked) {
		cache->vdso_reason = load_vdso(&cache->vdso, err);
		cache->vdso_asked = cache->vdso_reason != ERR_NOMEM;
	}
	if (cache->vdso)
		return find_in(cache, cache->vdso, vaddr, ret, err);
	return err_set(err, cache->vdso_reason, "no symbol table of the vDSO");
}

struct str symbol_cache_display(struct symbol_cache *cache, struct str system_name)
{
	return display_memo_get(&cache->memo, system_name);
}

size_t symbol_cache_bytes(const struct symbol_cache *cache)
{
	return cache->used_bytes;
}
