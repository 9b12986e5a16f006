#include "store/embedded/sums.h"

static size_t words_of(const struct sums *sums)
{
	return (size_t)1 << (sums->shift - 6);
}

uint32_t sums_page_for(uint32_t limit)
{
	uint32_t page = 64;
	while (page < SUMS_PAGE && page < limit / page)
		page *= 2;
	return page;
}

int sums_init(struct sums *sums, struct query *query, uint32_t limit, uint32_t page,
	      struct err *err)
{
	sums->query = query;
	sums->shift = (unsigned)__builtin_ctz(page);
	sums->page_count = ((size_t)limit >> sums->shift) + 1;
	sums->pages = query_alloc(query, sums->page_count, sizeof(struct sums_page *), err);
	return sums->pages ? 0 : ERR_LIMIT;
}

int sums_page_of(struct sums *sums, uint64_t id, struct sums_page **ret, struct err *err)
{
	size_t words = words_of(sums);
	if (id >> sums->shift >= sums->page_count)
		return err_set(err, ERR_CORRUPT, "id %llu is beyond the dictionary",
			       (unsigned long long)id);
	struct sums_page **page = &sums->pages[id >> sums->shift];
	if (!*page)
		*page = query_alloc(sums->query, 1, sizeof(**page) + words * 65 * sizeof(uint64_t),
				    err);
	if (!*page)
		return ERR_LIMIT;
	(*page)->sum = (int64_t *)((*page)->touched + words);
	*ret = *page;
	return 0;
}

static uint32_t ones(uint64_t word)
{
	return (uint32_t)__builtin_popcountll(word);
}

uint32_t sums_rank(struct sums *sums)
{
	uint32_t rank = 0;
	for (size_t i = 0; i < sums->page_count; i++) {
		struct sums_page *page = sums->pages[i];
		if (!page)
			continue;
		page->rank = rank;
		for (size_t w = 0; w < words_of(sums); w++)
			rank += ones(page->touched[w]);
	}
	return rank;
}

uint32_t sums_rank_of(const struct sums *sums, uint32_t id)
{
	const struct sums_page *page = sums->pages[id >> sums->shift];
	uint32_t at = id & (((uint32_t)1 << sums->shift) - 1), rank = page->rank;
	for (unsigned w = 0; w < at / 64; w++)
		rank += ones(page->touched[w]);
	return rank + ones(page->touched[at / 64] & (((uint64_t)1 << (at % 64)) - 1));
}

bool sums_next(const struct sums *sums, uint32_t *id, int64_t *ret_sum)
{
	uint64_t at = *id, mask = ((uint64_t)1 << sums->shift) - 1;
	while (at >> sums->shift < sums->page_count) {
		const struct sums_page *page = sums->pages[at >> sums->shift];
		if (!page) {
			at = ((at >> sums->shift) + 1) << sums->shift;
			continue;
		}
		uint64_t word = page->touched[(at & mask) / 64] >> (at % 64);
		if (word) {
			at += (uint64_t)__builtin_ctzll(word);
			*ret_sum = page->sum[at & mask];
			*id = (uint32_t)at;
			return true;
		}
		at = (at / 64 + 1) * 64;
	}
	return false;
}

bool sums_previous(const struct sums *sums, uint32_t *id)
{
	uint64_t above = *id, mask = ((uint64_t)1 << sums->shift) - 1;
	while (above > 0) {
		uint64_t at = above - 1;
		const struct sums_page *page = sums->pages[at >> sums->shift];
		if (!page) {
			above = at & ~mask;
			continue;
		}
		uint64_t word = page->touched[(at & mask) / 64] << (63 - at % 64);
		if (word) {
			*id = (uint32_t)(at - (uint64_t)__builtin_clzll(word));
			return true;
		}
		above = at / 64 * 64;
	}
	return false;
}

static void add_page(struct sums_page *page, const struct sums_page *other, size_t words)
{
	for (size_t w = 0; w < words; w++)
		page->touched[w] |= other->touched[w];
	for (size_t i = 0; i < words * 64; i++)
		page->sum[i] = (int64_t)((uint64_t)page->sum[i] + (uint64_t)other->sum[i]);
}

int sums_absorb(struct sums *sums, const struct sums *other, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < other->page_count; i++) {
		struct sums_page *page;
		if (!other->pages[i])
			continue;
		rc = sums_page_of(sums, (uint64_t)i << sums->shift, &page, err);
		if (!rc)
			add_page(page, other->pages[i], words_of(sums));
	}
	return rc;
}
