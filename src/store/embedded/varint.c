/* Many ulebs, one after another, with few branches that a processor cannot guess:
 * a column mixes lengths at random, and each wrong guess costs more than the
 * number. Three ways, from one load of 8 bytes each: eight numbers of one byte;
 * four of one or two; one of up to eight. */
#include "store/embedded/varint.h"

#include <endian.h>
#include <stdbool.h>

#define GOES_ON UINT64_C(0x8080808080808080)

static uint64_t load(const uint8_t *at)
{
	uint64_t word;
	__builtin_memcpy(&word, at, sizeof(word));
	return le64toh(word);
}

static void put_eight(uint64_t word, uint64_t *ret)
{
	for (unsigned i = 0; i < 8; i++)
		ret[i] = word >> (i * 8) & 0xff;
}

static uint64_t one_or_two(uint64_t word, unsigned start)
{
	uint64_t bytes = word >> start;
	return (bytes & 0x7f) | (bytes >> 1 & 0x3f80 & (0 - (bytes >> 7 & 1)));
}

static unsigned end_of(uint64_t ends)
{
	return (unsigned)__builtin_ctzll(ends) + 1;
}

/* How many bytes the next four numbers take; 0: one of them has more than two. */
static unsigned get_four(uint64_t word, uint64_t *ret)
{
	uint64_t ends1 = ~word & GOES_ON, ends2 = ends1 & (ends1 - 1);
	uint64_t ends3 = ends2 & (ends2 - 1), ends4 = ends3 & (ends3 - 1);
	uint64_t longer = word & word >> 8 & GOES_ON;
	if (!ends4 || longer & (ends4 ^ (ends4 - 1)))
		return 0;
	ret[0] = one_or_two(word, 0);
	ret[1] = one_or_two(word, end_of(ends1));
	ret[2] = one_or_two(word, end_of(ends2));
	ret[3] = one_or_two(word, end_of(ends3));
	return end_of(ends4) / 8;
}

/* Seven bits of each byte, moved together. */
static uint64_t join(uint64_t word)
{
	word = (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
	word = (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
	return (word & UINT64_C(0x0fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
}

/* How many bytes the next number takes; 0: more than eight. */
static unsigned get_one(uint64_t word, uint64_t *ret)
{
	uint64_t ends = ~word & GOES_ON;
	if (!ends)
		return 0;
	*ret = join(word & (ends ^ (ends - 1)));
	return ((unsigned)__builtin_ctzll(ends) + 1) / 8;
}

const uint8_t *uleb_get_many(const uint8_t *at, const uint8_t *end, size_t count, uint64_t *ret)
{
	bool mostly_short = at && (size_t)(end - at) < 2 * count;
	for (size_t i = 0; at && i < count;) {
		if (end - at < 8) {
			at = uleb_get(at, end, &ret[i++]);
			continue;
		}
		uint64_t word = load(at);
		if (!(word & GOES_ON) && count - i >= 8) {
			put_eight(word, ret + i);
			at += 8;
			i += 8;
			continue;
		}
		unsigned bytes = mostly_short && count - i >= 4 ? get_four(word, ret + i) : 0;
		i += bytes ? 4 : 1;
		bytes = bytes ? bytes : get_one(word, ret + i - 1);
		at = bytes ? at + bytes : uleb_get(at, end, &ret[i - 1]);
	}
	return at;
}
