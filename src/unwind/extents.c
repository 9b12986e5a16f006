/* First fit over a sorted array. Tables come and go at most a few times a second
 * and holes are few, so a walk over the array and a memmove are cheap. */
#include "unwind/extents.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_PLACE = 2 };

int extents_init(struct extents *extents, uint32_t chunks, struct err *err)
{
	*extents = (struct extents){0};
	int rc = extents_reserve(extents, chunks, err);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < chunks; i++)
		extents->free[i] = (struct extent){i * UNWIND_CHUNK_UNITS, UNWIND_CHUNK_UNITS};
	extents->free[0].start += FIRST_PLACE;
	extents->free[0].len -= FIRST_PLACE;
	extents->count = chunks;
	return 0;
}

void extents_deinit(struct extents *extents)
{
	mem_free(extents->free);
	*extents = (struct extents){0};
}

int extents_reserve(struct extents *extents, size_t holes, struct err *err)
{
	struct extent *grown =
		mem_grow(extents->free, &extents->cap, holes, sizeof(*extents->free));

	if (!grown)
		return err_set(err, ERR_NOMEM, "unwind space: no memory for %zu holes", holes);
	extents->free = grown;
	return 0;
}

static void remove_at(struct extents *extents, size_t i)
{
	memmove(&extents->free[i], &extents->free[i + 1],
		(extents->count - i - 1) * sizeof(*extents->free));
	extents->count--;
}

uint32_t extents_take(struct extents *extents, uint32_t len)
{
	size_t i = 0;

	while (i < extents->count && extents->free[i].len < len)
		i++;
	if (i == extents->count)
		return 0;
	struct extent *hole = &extents->free[i];
	uint32_t start = hole->start;
	hole->start += len;
	hole->len -= len;
	if (hole->len == 0)
		remove_at(extents, i);
	return start;
}

/* Index of the first hole that starts behind. */
static size_t hole_after(const struct extents *extents, uint32_t start)
{
	size_t low = 0, high = extents->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (extents->free[middle].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool touch(struct extent before, struct extent after)
{
	return before.start + before.len == after.start && after.start % UNWIND_CHUNK_UNITS != 0;
}

void extents_give(struct extents *extents, struct extent extent)
{
	size_t i = hole_after(extents, extent.start);
	struct extent *hole = extents->free + i;
	bool joins_next = i < extents->count && touch(extent, hole[0]);
	bool joins_last = i > 0 && touch(hole[-1], extent);

	if (joins_last) {
		hole[-1].len += extent.len;
		if (joins_next) {
			hole[-1].len += hole[0].len;
			remove_at(extents, i);
		}
		return;
	}
	if (joins_next) {
		*hole = (struct extent){extent.start, extent.len + hole->len};
		return;
	}
	assert(extents->count < extents->cap);
	memmove(hole + 1, hole, (extents->count - i) * sizeof(*hole));
	*hole = extent;
	extents->count++;
}
