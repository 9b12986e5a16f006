/* Private to the embedded engine: sums by a dense 32-bit id: adding is an array
 * addition, and only the pages of ids that occur take memory. Also the set of
 * ids that occur, with their rank. One query's, in its memory. */
#pragma once

#include "store/embedded/scan.h"

enum { SUMS_PAGE = 1024 }; /* for ids of the dictionary */

struct sums_page {
	uint32_t rank; /* of the page's first, after sums_rank */
	int64_t *sum;
	uint64_t touched[];
};

struct sums {
	struct query *query;
	struct sums_page **pages;
	size_t page_count;
	unsigned shift; /* a page has 1 << shift ids */
};

/* A size of pages with which few ids out of limit take little memory: there is a pointer for each page. */
uint32_t sums_page_for(uint32_t limit);
/* Ids below limit (at least one), in pages of 64 or some power of two more. */
MUST_USE int sums_init(struct sums *sums, struct query *query, uint32_t limit, uint32_t page,
		       struct err *err);
/* ERR_CORRUPT: the id is not below limit. */
MUST_USE int sums_page_of(struct sums *sums, uint64_t id, struct sums_page **ret, struct err *err);

static inline int sums_add(struct sums *sums, uint64_t id, int64_t value, struct err *err)
{
	uint64_t number = id >> sums->shift, at = id & (((uint64_t)1 << sums->shift) - 1);
	struct sums_page *page = number < sums->page_count ? sums->pages[number] : NULL;
	if (__builtin_expect(!page, 0)) {
		int rc = sums_page_of(sums, id, &page, err);
		if (rc)
			return rc;
	}
	page->touched[at / 64] |= (uint64_t)1 << (at % 64);
	page->sum[at] = (int64_t)((uint64_t)page->sum[at] + (uint64_t)value);
	return 0;
}

/* Adds all of other, which has the same limit and pages. */
MUST_USE int sums_absorb(struct sums *sums, const struct sums *other, struct err *err);

/* Numbers the touched ids from 0 in their order; how many there are. */
uint32_t sums_rank(struct sums *sums);
/* The number of a touched id. */
uint32_t sums_rank_of(const struct sums *sums, uint32_t id);
/* Walks the touched ids upwards: start with *id = 0, add 1 after each; false at the end. */
bool sums_next(const struct sums *sums, uint32_t *id, int64_t *ret_sum);
/* Downwards from below *id. Touching smaller ids on the way is allowed, and they are met too. */
bool sums_previous(const struct sums *sums, uint32_t *id);
