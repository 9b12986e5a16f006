/* Private to the embedded engine: dictionary entries for readers, loaded by
 * whole pages of consecutive ids and kept within a budget. A page that is in
 * use stays, whatever the budget. Any thread; a pin set belongs to one query. */
#pragma once

#include "base/budget.h"
#include "store/embedded/rocks.h"
#include "store/embedded/run.h"

struct page;
struct page_cache;

/* All pages are taken from the budget, those in use too; it keeps size_bytes of them. */
MUST_USE int page_cache_create(size_t size_bytes, struct budget *budget, struct page_cache **ret,
			       struct err *err);
void page_cache_destroy(struct page_cache *cache); /* NULL is fine; nothing may be pinned */

/* The pages that one query of one tenant uses, pinned till the end. */
struct pages {
	struct page_cache *cache;
	const struct rocks_view *view;
	uint32_t tenant;
	struct page **list;
	size_t count, cap;
	size_t used_bytes, limit_bytes; /* limit 0: none */
	struct page *last[3];		/* by kind: most look-ups stay on one page */
	struct map *index;
};

MUST_USE int pages_open(struct pages *pages, struct page_cache *cache,
			const struct rocks_view *view, uint32_t tenant, struct err *err);
void pages_close(struct pages *pages); /* a zeroed one is fine */

/* Entries of ids from a sample or another entry; ERR_CORRUPT when one is not there,
 * ERR_LIMIT when the query's pages take too much. What is returned stays valid until pages_close. Id 0 gives "", an empty frame, the root. */
MUST_USE int pages_node(struct pages *pages, uint32_t id, struct node_row *ret, struct err *err);
MUST_USE int pages_frame(struct pages *pages, uint32_t id, const struct frame_row **ret,
			 struct err *err);
MUST_USE int pages_string(struct pages *pages, uint32_t id, struct str *ret, struct err *err);
