#include "store/embedded/tally.h"

#include <string.h>

#include <xxhash.h>

#include "base/mem.h"

void tally_deinit(struct tally *tally)
{
	mem_free(tally->sums);
	memset(tally, 0, sizeof(*tally));
}

static uint64_t *sum_of(struct tally *tally, uint32_t id, struct err *err)
{
	size_t page = id / TALLY_PAGE;
	if (page >= tally->count) {
		uint64_t *sums = mem_grow(tally->sums, &tally->cap, page + 1, sizeof(*sums));
		if (!sums) {
			err_set(err, ERR_NOMEM, "tally of ids: no memory");
			return NULL;
		}
		memset(sums + tally->count, 0, (page + 1 - tally->count) * sizeof(*sums));
		tally->sums = sums;
		tally->count = page + 1;
	}
	return &tally->sums[page];
}

static uint64_t hash_of(uint32_t id, struct str bytes)
{
	return XXH3_64bits_withSeed(bytes.ptr, bytes.len, id);
}

int tally_add(struct tally *tally, uint32_t id, struct str bytes, struct err *err)
{
	uint64_t *sum = sum_of(tally, id, err);
	if (!sum)
		return ERR_NOMEM;
	*sum += hash_of(id, bytes);
	return 0;
}

int tally_take(struct tally *tally, uint32_t id, struct str bytes, struct err *err)
{
	uint64_t *sum = sum_of(tally, id, err);
	if (!sum)
		return ERR_NOMEM;
	*sum -= hash_of(id, bytes);
	return 0;
}

bool tally_differs(const struct tally *tally, size_t page)
{
	return page < tally->count && tally->sums[page] != 0;
}
