/* Private to the embedded engine: sums by a dense 32-bit id: adding is an array
 * addition, and only the pages of ids that occur take memory. Also the set of
 * ids that occur, with their rank. One query's, in its memory. */
#pragma once

#include "store/embedded/query.h"

enum { SUMS_PER_PAGE = 1024, SUMS_WORDS = SUMS_PER_PAGE / 64 };

struct sums_page {
	uint64_t touched[SUMS_WORDS];
	uint32_t rank; /* of the page's first, after sums_rank */
	int64_t sum[SUMS_PER_PAGE];
};

struct sums {
	struct query *query;
	struct sums_page **pages;
	size_t page_count;
};

/* Ids below limit. */
MUST_USE int sums_init(struct sums *sums, struct query *query, uint32_t limit, struct err *err);
/* ERR_CORRUPT: the id is not below limit. */
MUST_USE int sums_page_of(struct sums *sums, uint64_t id, struct sums_page **ret, struct err *err);

static inline void sums_page_add(struct sums_page *page, uint32_t id, int64_t value)
{
	uint32_t at = id % SUMS_PER_PAGE;
	page->touched[at / 64] |= (uint64_t)1 << (at % 64);
	page->sum[at] = (int64_t)((uint64_t)page->sum[at] + (uint64_t)value);
}

static inline int sums_add(struct sums *sums, uint64_t id, int64_t value, struct err *err)
{
	struct sums_page *page;
	int rc;
	if (__builtin_expect(id / SUMS_PER_PAGE < sums->page_count &&
			     (page = sums->pages[id / SUMS_PER_PAGE]) != NULL, 1)) {
		sums_page_add(page, (uint32_t)id, value);
		return 0;
	}
	rc = sums_page_of(sums, id, &page, err);
	if (!rc)
		sums_page_add(page, (uint32_t)id, value);
	return rc;
}

/* Numbers the touched ids from 0 in their order; how many there are. */
uint32_t sums_rank(struct sums *sums);
/* The number of a touched id. */
uint32_t sums_rank_of(const struct sums *sums, uint32_t id);
/* Walks the touched ids upwards: start with *id = 0, add 1 after each; false at the end. */
bool sums_next(const struct sums *sums, uint32_t *id, int64_t *ret_sum);
/* Downwards from below *id. Touching smaller ids on the way is allowed, and they are met too. */
bool sums_previous(const struct sums *sums, uint32_t *id);
