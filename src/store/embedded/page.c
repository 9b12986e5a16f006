/* A page's content never changes once its ids are given out, but for two
 * things. The last page of a kind grows: it is loaded anew when an id behind
 * what it holds is asked for; readers that pinned the shorter one keep it. And
 * the collection empties entries that nothing refers to any more, as of then:
 * the view of an older query may still refer to them. So a page remembers how
 * many sweeps its content may have seen, and serves only views that have seen
 * as many. A page that has seen fewer serves everybody: it has more. */
#include "store/embedded/page.h"

#include <pthread.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

enum page_kind { PAGE_STRINGS, PAGE_FRAMES, PAGE_NODES };

static const struct page_shape {
	enum key_kind key;
	uint32_t entries;
} shapes[] = {
	[PAGE_STRINGS] = {KEY_STRING, STRINGS_PER_PAGE},
	[PAGE_FRAMES] = {KEY_FRAME, FRAMES_PER_PAGE},
	[PAGE_NODES] = {KEY_NODE, NODES_PER_PAGE},
};

struct page {
	uint64_t key;
	uint32_t loaded; /* entries [0, loaded) were looked for; holes are all zero */
	unsigned refs;	 /* the cache's own, and the pin sets' */
	uint64_t sweeps; /* that its content may have seen */
	bool cached;
	size_t size_bytes;
	struct budget *budget; /* that size_bytes are taken from */
	struct page *newer, *older;
	char *text; /* of the strings */
	size_t text_cap;
	union {
		struct node_row nodes[NODES_PER_PAGE];
		struct frame_row frames[FRAMES_PER_PAGE];
		struct str strings[STRINGS_PER_PAGE];
	};
};

struct page_cache {
	pthread_mutex_t lock;
	struct map by_key;
	struct page *newest, *oldest;
	size_t size_bytes, limit_bytes;
	struct budget *budget;
};

/* ---- cache, with the lock held ---- */

static void page_unref(struct page *page)
{
	if (--page->refs)
		return;
	budget_give(page->budget, page->size_bytes);
	mem_free(page->text);
	mem_free(page);
}

static void unlink_page(struct page_cache *cache, struct page *page)
{
	*(page->newer ? &page->newer->older : &cache->newest) = page->older;
	*(page->older ? &page->older->newer : &cache->oldest) = page->newer;
	page->newer = page->older = NULL;
}

static void link_newest(struct page_cache *cache, struct page *page)
{
	page->newer = NULL;
	page->older = cache->newest;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = page;
	cache->newest = page;
}

static void evict(struct page_cache *cache, struct page *page)
{
	unlink_page(cache, page);
	map_remove(&cache->by_key, page->key, NULL);
	cache->size_bytes -= page->size_bytes;
	page->cached = false;
	page_unref(page);
}

static struct page *look_up(struct page_cache *cache, uint64_t key)
{
	uint64_t *found = map_get(&cache->by_key, key);
	return found ? (struct page *)(uintptr_t)*found : NULL;
}

/* Not keeping it is fine: the query has its own reference. */
static void insert(struct page_cache *cache, struct page *page)
{
	struct page *old = look_up(cache, page->key);
	if (old && old->loaded >= page->loaded)
		return;
	if (old)
		evict(cache, old);
	if (map_put(&cache->by_key, page->key, (uintptr_t)page, NULL))
		return;
	page->cached = true;
	page->refs++;
	link_newest(cache, page);
	cache->size_bytes += page->size_bytes;
	while (cache->size_bytes > cache->limit_bytes && cache->oldest != page)
		evict(cache, cache->oldest);
}

int page_cache_create(size_t size_bytes, struct budget *budget, struct page_cache **ret,
		      struct err *err)
{
	struct page_cache *cache = mem_zalloc(1, sizeof(*cache));
	if (!cache)
		return err_set(err, ERR_NOMEM, "dictionary pages: no memory");
	pthread_mutex_init(&cache->lock, NULL);
	cache->limit_bytes = size_bytes;
	cache->budget = budget;
	*ret = cache;
	return 0;
}

void page_cache_destroy(struct page_cache *cache)
{
	if (!cache)
		return;
	while (cache->oldest)
		evict(cache, cache->oldest);
	map_deinit(&cache->by_key);
	pthread_mutex_destroy(&cache->lock);
	mem_free(cache);
}

/* What is cached and in nobody's use makes room for what is needed now. */
static bool take_room(struct page_cache *cache, size_t size_bytes)
{
	bool taken = budget_take(cache->budget, size_bytes);
	if (taken)
		return true;
	pthread_mutex_lock(&cache->lock);
	while (!taken && cache->oldest) {
		evict(cache, cache->oldest);
		taken = budget_take(cache->budget, size_bytes);
	}
	pthread_mutex_unlock(&cache->lock);
	return taken;
}

/* ---- loading ---- */

static int add_text(struct page *page, struct str *texts, size_t at, size_t count, size_t *used,
		    struct err *err)
{
	size_t more = 0;
	for (size_t i = 0; i < count; i++)
		more += texts[at + i].len;
	char *text = mem_grow(page->text, &page->text_cap, *used + more + 1, 1);
	if (!text)
		return err_set(err, ERR_NOMEM, "dictionary page: no memory");
	page->text = text;
	for (size_t i = 0; i < count; i++) {
		if (texts[at + i].len)
			memcpy(text + *used, texts[at + i].ptr, texts[at + i].len);
		*used += texts[at + i].len;
	}
	return 0;
}

static int load_run(struct page *page, enum page_kind kind, uint32_t first, struct str bytes,
		    size_t *text_used, size_t *ret_count, struct err *err)
{
	size_t at = first % shapes[kind].entries, max = shapes[kind].entries - at;
	int rc = 0;
	switch (kind) {
	case PAGE_NODES:
		return run_get_nodes(bytes, first, page->nodes + at, max, ret_count, err);
	case PAGE_FRAMES:
		return run_get_frames(bytes, page->frames + at, max, ret_count, err);
	case PAGE_STRINGS:
		rc = run_get_strings(bytes, page->strings + at, max, ret_count, err);
		return rc ? rc : add_text(page, page->strings, at, *ret_count, text_used, err);
	}
	return rc;
}

/* The text moved while it grew; runs come in the order of their ids, holes have length 0. */
static void point_strings(struct page *page)
{
	size_t offset = 0;
	for (size_t i = 0; i < STRINGS_PER_PAGE; i++) {
		page->strings[i].ptr = page->text ? page->text + offset : "";
		offset += page->strings[i].len;
	}
}

static int load(struct page *page, const struct rocks_view *view, uint32_t tenant,
		enum page_kind kind, uint32_t number, struct err *err)
{
	uint32_t first = number * shapes[kind].entries;
	struct key from = key_kind_u32(tenant, shapes[kind].key, first);
	struct key last = key_kind_u32(tenant, shapes[kind].key, first + shapes[kind].entries - 1);
	struct key to = key_after(&last);
	struct rocks_iter iter;
	size_t used = 0, count = 0;
	int rc = 0;
	rocks_iter_open(view, FAMILY_DICT, &from, &to, false, &iter);
	for (; !rc && rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		uint32_t id = key_part(rocks_iter_key(&iter), 0);
		rc = load_run(page, kind, id, rocks_iter_value(&iter), &used, &count, err);
		page->loaded = id - first + (uint32_t)count;
	}
	rc = rc ? rc : rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	if (kind == PAGE_STRINGS)
		point_strings(page);
	return rc;
}

static size_t size_of(enum page_kind kind)
{
	size_t head = offsetof(struct page, nodes);
	switch (kind) {
	case PAGE_NODES:
		return head + sizeof(((struct page *)0)->nodes);
	case PAGE_FRAMES:
		return head + sizeof(((struct page *)0)->frames);
	case PAGE_STRINGS:
		break;
	}
	return head + sizeof(((struct page *)0)->strings);
}

/* ---- a query's pages ---- */

int pages_open(struct pages *pages, struct page_cache *cache, const struct rocks_view *view,
	       uint32_t tenant, struct err *err)
{
	*pages = (struct pages){.cache = cache, .view = view, .tenant = tenant};
	pages->index = mem_zalloc(1, sizeof(*pages->index));
	return pages->index ? 0 : err_set(err, ERR_NOMEM, "dictionary pages: no memory");
}

void pages_close(struct pages *pages)
{
	if (!pages->index)
		return;
	pthread_mutex_lock(&pages->cache->lock);
	for (size_t i = 0; i < pages->count; i++)
		page_unref(pages->list[i]);
	pthread_mutex_unlock(&pages->cache->lock);
	map_deinit(pages->index);
	mem_free(pages->index);
	mem_free(pages->list);
	memset(pages, 0, sizeof(*pages));
}

static int no_room(const struct page_cache *cache, struct err *err)
{
	const struct budget *all = cache->budget->parent;
	return err_set(err, ERR_LIMIT,
		       "all queries together need more than their %zu MiB of memory for stacks; "
		       "ask "
		       "again when others are done, or raise store.memory",
		       (all ? all : cache->budget)->limit_bytes >> 20);
}

/* The caller owns a reference. */
static int load_page(struct pages *pages, enum page_kind kind, uint32_t number, uint64_t key,
		     struct page **ret, struct err *err)
{
	struct page_cache *cache = pages->cache;
	size_t size_bytes = size_of(kind);
	if (!take_room(cache, size_bytes))
		return no_room(cache, err);
	struct page *page = mem_zalloc(1, size_bytes);
	if (!page) {
		budget_give(cache->budget, size_bytes);
		return err_set(err, ERR_NOMEM, "dictionary page: no memory");
	}
	page->key = key;
	page->refs = 1;
	page->sweeps = pages->view->sweeps_most;
	page->size_bytes = size_bytes;
	page->budget = cache->budget;
	int rc = load(page, pages->view, pages->tenant, kind, number, err);
	if (!rc && take_room(cache, page->text_cap))
		page->size_bytes += page->text_cap;
	else if (!rc)
		rc = no_room(cache, err);
	if (rc)
		page_unref(page);
	else
		*ret = page;
	return rc;
}

/* From the shared cache, or from disk. The caller owns a reference. */
static int fetch(struct pages *pages, enum page_kind kind, uint32_t number, uint64_t key,
		 uint32_t within, struct page **ret, struct err *err)
{
	struct page_cache *cache = pages->cache;
	pthread_mutex_lock(&cache->lock);
	struct page *page = look_up(cache, key);
	if (page && page->loaded > within && page->sweeps <= pages->view->sweeps_least) {
		page->refs++;
		unlink_page(cache, page);
		link_newest(cache, page);
	} else {
		page = NULL;
	}
	pthread_mutex_unlock(&cache->lock);
	if (!page) {
		int rc = load_page(pages, kind, number, key, &page, err);
		if (rc)
			return rc;
		pthread_mutex_lock(&cache->lock);
		insert(cache, page);
		pthread_mutex_unlock(&cache->lock);
	}
	*ret = page;
	return 0;
}

static int pin(struct pages *pages, enum page_kind kind, uint32_t number, uint64_t key,
	       uint32_t within, struct page **ret, struct err *err)
{
	struct page *page = NULL,
		    **list = mem_grow(pages->list, &pages->cap, pages->count + 1, sizeof(*list));
	if (!list)
		return err_set(err, ERR_NOMEM, "dictionary pages: no memory");
	pages->list = list;
	int rc = fetch(pages, kind, number, key, within, &page, err);
	if (rc)
		return rc;
	list[pages->count++] = page;
	pages->used_bytes += page->size_bytes;
	if (pages->limit_bytes && pages->used_bytes > pages->limit_bytes)
		return err_set(err, ERR_LIMIT,
			       "the query's stacks need more than %zu KiB of memory; narrow the "
			       "time range or the labels",
			       pages->limit_bytes >> 10);
	rc = map_put(pages->index, key, (uintptr_t)page, err);
	*ret = page;
	return rc;
}

static int get(struct pages *pages, enum page_kind kind, uint32_t id, struct page **ret,
	       struct err *err)
{
	uint32_t number = id / shapes[kind].entries, within = id % shapes[kind].entries;
	uint64_t key = (uint64_t)pages->tenant << 32 | (uint64_t)kind << 30 | number;
	struct page *page = pages->last[kind];
	int rc = 0;
	if (!page || page->key != key) {
		uint64_t *found = map_get(pages->index, key);
		page = found ? (struct page *)(uintptr_t)*found : NULL;
	}
	if (!page || page->loaded <= within)
		rc = pin(pages, kind, number, key, within, &page, err);
	if (rc)
		return rc;
	if (page->loaded <= within)
		return err_set(err, ERR_CORRUPT, "dictionary: entry %c%u is missing",
			       shapes[kind].key, id);
	*ret = pages->last[kind] = page;
	return 0;
}

int pages_node(struct pages *pages, uint32_t id, struct node_row *ret, struct err *err)
{
	struct page *page = NULL;
	*ret = (struct node_row){0, 0};
	int rc = id ? get(pages, PAGE_NODES, id, &page, err) : 0;
	if (!rc && id)
		*ret = page->nodes[id % NODES_PER_PAGE];
	/* Every node has a frame: without one, the entry was emptied. */
	if (!rc && id && !ret->frame)
		rc = err_set(err, ERR_CORRUPT, "dictionary: entry n%u is missing", id);
	return rc;
}

int pages_frame(struct pages *pages, uint32_t id, const struct frame_row **ret, struct err *err)
{
	static const struct frame_row none;
	struct page *page = NULL;
	*ret = &none;
	int rc = id ? get(pages, PAGE_FRAMES, id, &page, err) : 0;
	if (!rc && id)
		*ret = &page->frames[id % FRAMES_PER_PAGE];
	return rc;
}

int pages_string(struct pages *pages, uint32_t id, struct str *ret, struct err *err)
{
	struct page *page = NULL;
	*ret = STR("");
	int rc = id ? get(pages, PAGE_STRINGS, id, &page, err) : 0;
	if (!rc && id)
		*ret = page->strings[id % STRINGS_PER_PAGE];
	return rc;
}
