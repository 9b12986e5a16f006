/* Every encoding but CONST works on q = (value - min) / gcd, with all
 * arithmetic modulo 2^64, so that any int64 comes back exactly. Bytes are
 * compressed further by the database's zstd, which finds what repeats in whole
 * bytes but nothing in packed bits; the choice below takes that into account. */
#include "store/embedded/column.h"

#include <string.h>

#include "store/embedded/varint.h"

enum {
	PACKED_BITS_MAX = 56, /* so that a row fits one 64-bit load after shifting */
	DICT_MAX = 256,
	DICT_SLOTS = 1024,
};

struct facts {
	int64_t min;
	uint64_t range, gcd;					   /* range = (max - min) / gcd */
	size_t rle_bytes, delta_bytes, varint_bytes, rising_bytes; /* rising: 0 when it falls */
	unsigned bits;
};

struct dict {
	uint16_t slots[DICT_SLOTS]; /* index + 1 into values */
	uint64_t values[DICT_MAX];
	uint8_t rank[DICT_MAX];
	size_t count, bytes;
};

static uint64_t gcd_of(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

static uint64_t quotient(const struct facts *facts, int64_t value)
{
	uint64_t offset = (uint64_t)value - (uint64_t)facts->min;
	return facts->gcd == 1 ? offset : offset / facts->gcd;
}

static void find_range(struct facts *facts, const int64_t *values, size_t count)
{
	int64_t max = values[0];
	facts->min = values[0];
	for (size_t i = 1; i < count; i++) {
		facts->min = values[i] < facts->min ? values[i] : facts->min;
		max = values[i] > max ? values[i] : max;
	}
	facts->gcd = 0;
	for (size_t i = 0; i < count && facts->gcd != 1; i++)
		facts->gcd = gcd_of((uint64_t)values[i] - (uint64_t)facts->min, facts->gcd);
	if (facts->gcd == 0)
		facts->gcd = 1;
	facts->range = quotient(facts, max);
	facts->bits = facts->range ? 64 - (unsigned)__builtin_clzll(facts->range) : 0;
}

static void measure(struct facts *facts, const int64_t *values, size_t count)
{
	uint64_t last = 0, run = 0;
	bool rises = true;
	facts->rle_bytes = facts->delta_bytes = facts->varint_bytes = facts->rising_bytes = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t q = quotient(facts, values[i]);
		size_t step = uleb_size(zig_of((int64_t)(q - last)));
		facts->varint_bytes += uleb_size(q);
		facts->delta_bytes += step;
		facts->rising_bytes += uleb_size(q - last);
		rises = rises && q >= last;
		if (i == 0 || q != last) {
			facts->rle_bytes += step + (run ? uleb_size(run) : 0);
			run = 0;
		}
		run++;
		last = q;
	}
	facts->rle_bytes += uleb_size(run);
	facts->rising_bytes = rises ? facts->rising_bytes : 0;
}

static size_t dict_slot(const struct dict *dict, uint64_t q)
{
	size_t i = (size_t)((q * 0x9e3779b97f4a7c15u) >> 32) % DICT_SLOTS;
	while (dict->slots[i] && dict->values[dict->slots[i] - 1] != q)
		i = (i + 1) % DICT_SLOTS;
	return i;
}

static void dict_sort(struct dict *dict)
{
	uint64_t sorted[DICT_MAX], last = 0;
	for (size_t i = 0; i < dict->count; i++) {
		size_t at = i;
		for (; at > 0 && sorted[at - 1] > dict->values[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = dict->values[i];
	}
	for (size_t i = 0; i < dict->count; i++) {
		dict->rank[dict->slots[dict_slot(dict, sorted[i])] - 1] = (uint8_t)i;
		dict->bytes += uleb_size(sorted[i] - last);
		last = sorted[i];
	}
}

/* False when there are too many distinct values for it to pay. */
static bool dict_build(struct dict *dict, const struct facts *facts, const int64_t *values,
		       size_t count)
{
	size_t most = count / 4 < DICT_MAX ? count / 4 : DICT_MAX;
	memset(dict->slots, 0, sizeof(dict->slots));
	dict->count = dict->bytes = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t q = quotient(facts, values[i]);
		size_t slot = dict_slot(dict, q);
		if (dict->slots[slot])
			continue;
		if (dict->count == most)
			return false;
		dict->values[dict->count++] = q;
		dict->slots[slot] = (uint16_t)dict->count;
	}
	dict_sort(dict);
	dict->bytes += count + 2;
	return true;
}

static uint8_t *put_head(uint8_t *at, enum column_encoding encoding, const struct facts *facts)
{
	*at++ = (uint8_t)encoding;
	at = uleb_put(at, zig_of(facts->min));
	return uleb_put(at, facts->gcd);
}

static uint8_t *put_rle(uint8_t *at, const struct facts *facts, const int64_t *values, size_t count)
{
	uint64_t last = 0;
	for (size_t i = 0; i < count;) {
		size_t run = 1;
		while (i + run < count && values[i + run] == values[i])
			run++;
		uint64_t q = quotient(facts, values[i]);
		at = uleb_put(at, zig_of((int64_t)(q - last)));
		at = uleb_put(at, run);
		last = q;
		i += run;
	}
	return at;
}

static uint8_t *put_delta(uint8_t *at, const struct facts *facts, const int64_t *values,
			  size_t count)
{
	uint64_t last = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t q = quotient(facts, values[i]);
		at = uleb_put(at, zig_of((int64_t)(q - last)));
		last = q;
	}
	return at;
}

static uint8_t *put_rising(uint8_t *at, const struct facts *facts, const int64_t *values,
			   size_t count)
{
	uint64_t last = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t q = quotient(facts, values[i]);
		at = uleb_put(at, q - last);
		last = q;
	}
	return at;
}

static uint8_t *put_varint(uint8_t *at, const struct facts *facts, const int64_t *values,
			   size_t count)
{
	for (size_t i = 0; i < count; i++)
		at = uleb_put(at, quotient(facts, values[i]));
	return at;
}

static uint8_t *put_packed(uint8_t *at, const struct facts *facts, const int64_t *values,
			   size_t count)
{
	uint64_t pending = 0;
	unsigned filled = 0;
	*at++ = (uint8_t)facts->bits;
	for (size_t i = 0; i < count; i++) {
		pending |= quotient(facts, values[i]) << filled;
		for (filled += facts->bits; filled >= 8; filled -= 8) {
			*at++ = (uint8_t)pending;
			pending >>= 8;
		}
	}
	if (filled)
		*at++ = (uint8_t)pending;
	return at;
}

static uint8_t *put_dict(uint8_t *at, const struct facts *facts, struct dict *dict,
			 const int64_t *values, size_t count)
{
	uint64_t sorted[DICT_MAX], last = 0;
	for (size_t i = 0; i < dict->count; i++)
		sorted[dict->rank[i]] = dict->values[i];
	at = uleb_put(at, dict->count);
	for (size_t i = 0; i < dict->count; i++) {
		/* cppcheck-suppress uninitvar ; rank is a permutation, so each was set */
		at = uleb_put(at, sorted[i] - last);
		last = sorted[i];
	}
	for (size_t i = 0; i < count; i++) {
		size_t slot = dict_slot(dict, quotient(facts, values[i]));
		*at++ = dict->rank[dict->slots[slot] - 1];
	}
	return at;
}

/* Packed bits do not shrink under zstd, whole bytes do (measured: by a third and more), so
 * packing must win clearly. */
static enum column_encoding choose(const struct facts *facts, size_t dict_bytes, size_t count)
{
	enum column_encoding best = COLUMN_RLE;
	size_t bytes = facts->rle_bytes;
	if (facts->rising_bytes && facts->rising_bytes < bytes) {
		best = COLUMN_RISING;
		bytes = facts->rising_bytes;
	}
	if (facts->delta_bytes < bytes) {
		best = COLUMN_DELTA;
		bytes = facts->delta_bytes;
	}
	if (facts->varint_bytes < bytes) {
		best = COLUMN_VARINT;
		bytes = facts->varint_bytes;
	}
	if (dict_bytes < bytes) {
		best = COLUMN_DICT;
		bytes = dict_bytes;
	}
	size_t packed = 1 + (count * facts->bits + 7) / 8;
	if (facts->bits <= PACKED_BITS_MAX && packed + packed / 2 < bytes)
		best = COLUMN_PACKED;
	return best;
}

static uint8_t *put_rows(uint8_t *at, enum column_encoding encoding, const struct facts *facts,
			 struct dict *dict, const int64_t *values, size_t count)
{
	switch (encoding) {
	case COLUMN_RLE:
		return put_rle(at, facts, values, count);
	case COLUMN_DELTA:
		return put_delta(at, facts, values, count);
	case COLUMN_RISING:
		return put_rising(at, facts, values, count);
	case COLUMN_VARINT:
		return put_varint(at, facts, values, count);
	case COLUMN_PACKED:
		return put_packed(at, facts, values, count);
	case COLUMN_DICT:
		return put_dict(at, facts, dict, values, count);
	case COLUMN_CONST:
		break;
	}
	return at;
}

void column_encode(struct buf *out, const int64_t *values, size_t count)
{
	struct facts facts;
	struct dict dict;
	/* RLE of rows that all differ is the longest that can be written. */
	if (!buf_reserve(out, 64 + DICT_MAX * ULEB_MAX_BYTES + count * (ULEB_MAX_BYTES + 1)))
		return;
	uint8_t *start = (uint8_t *)out->ptr + out->len, *at = start;
	find_range(&facts, values, count);
	if (facts.range == 0) {
		*at++ = COLUMN_CONST;
		at = uleb_put(at, zig_of(facts.min));
	} else {
		size_t dict_bytes = SIZE_MAX;
		measure(&facts, values, count);
		if (facts.rle_bytes > count && dict_build(&dict, &facts, values, count))
			dict_bytes = dict.bytes;
		enum column_encoding encoding = choose(&facts, dict_bytes, count);
		at = put_head(at, encoding, &facts);
		at = put_rows(at, encoding, &facts, &dict, values, count);
	}
	out->len += (size_t)(at - start);
}

/* ---- decoding: the bytes may be anything ---- */

struct input {
	const uint8_t *at, *end;
	uint64_t min, gcd;
};

static int64_t value_of(const struct input *in, uint64_t q)
{
	return (int64_t)(in->min + q * in->gcd);
}

/* Numbers first, then what they mean: the second loop has nothing to guess. An array of int64 holds
 * uint64 as well. */
static bool get_numbers(struct input *in, size_t count, int64_t *ret)
{
	in->at = uleb_get_many(in->at, in->end, count, (uint64_t *)ret);
	return in->at;
}

static bool get_delta(struct input *in, size_t count, int64_t *ret)
{
	uint64_t value = in->min;
	if (!get_numbers(in, count, ret))
		return false;
	for (size_t i = 0; i < count; i++) {
		value += (uint64_t)zig_back((uint64_t)ret[i]) * in->gcd;
		ret[i] = (int64_t)value;
	}
	return true;
}

static bool get_rising(struct input *in, size_t count, int64_t *ret)
{
	uint64_t value = in->min;
	if (!get_numbers(in, count, ret))
		return false;
	for (size_t i = 0; i < count; i++) {
		value += (uint64_t)ret[i] * in->gcd;
		ret[i] = (int64_t)value;
	}
	return true;
}

static bool get_varint(struct input *in, size_t count, int64_t *ret)
{
	if (!get_numbers(in, count, ret))
		return false;
	for (size_t i = 0; i < count; i++)
		ret[i] = value_of(in, (uint64_t)ret[i]);
	return true;
}

static bool get_packed(struct input *in, size_t count, int64_t *ret)
{
	if (in->at >= in->end)
		return false;
	unsigned bits = *in->at++, filled = 0;
	if (bits == 0 || bits > PACKED_BITS_MAX)
		return false;
	if ((size_t)(in->end - in->at) < (count * bits + 7) / 8)
		return false;
	uint64_t mask = ((uint64_t)1 << bits) - 1, pending = 0;
	for (size_t i = 0; i < count; i++) {
		for (; filled < bits; filled += 8)
			pending |= (uint64_t)*in->at++ << filled;
		ret[i] = value_of(in, pending & mask);
		pending >>= bits;
		filled -= bits;
	}
	return true;
}

static bool get_dict(struct input *in, size_t count, int64_t *ret)
{
	int64_t values[DICT_MAX];
	uint64_t distinct, step, q = 0;
	in->at = uleb_get(in->at, in->end, &distinct);
	if (!in->at || distinct > DICT_MAX)
		return false;
	for (size_t i = 0; i < distinct; i++) {
		in->at = uleb_get(in->at, in->end, &step);
		q += step;
		values[i] = value_of(in, q);
	}
	if (!in->at || (size_t)(in->end - in->at) < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (in->at[i] >= distinct)
			return false;
		ret[i] = values[in->at[i]];
	}
	in->at += count;
	return true;
}

bool column_runs_next(struct column_runs *runs, int64_t *ret_value, size_t *ret_count)
{
	uint64_t step = 0, count = runs->left;
	if (runs->left == 0 || runs->broken)
		return false;
	if (!runs->constant) {
		runs->at = uleb_get(uleb_get(runs->at, runs->end, &step), runs->end, &count);
		runs->broken = !runs->at || count == 0 || count > runs->left;
		if (runs->broken)
			return false;
	}
	runs->q += (uint64_t)zig_back(step);
	runs->left -= (size_t)count;
	*ret_value = (int64_t)(runs->min + runs->q * runs->gcd);
	*ret_count = (size_t)count;
	return true;
}

bool column_runs_whole(const struct column_runs *runs)
{
	return !runs->broken && runs->left == 0 && runs->at == runs->end;
}

static bool get_runs(struct column_runs *runs, int64_t *ret)
{
	int64_t value;
	size_t count;
	while (column_runs_next(runs, &value, &count))
		for (; count > 0; count--)
			*ret++ = value;
	return column_runs_whole(runs);
}

/* The byte of the encoding, min and gcd. */
static bool get_head(struct str bytes, enum column_encoding *ret_encoding, struct input *ret)
{
	const uint8_t *start = (const uint8_t *)bytes.ptr;
	uint64_t min;
	if (bytes.len == 0)
		return false;
	*ret = (struct input){.at = start + 1, .end = start + bytes.len, .gcd = 1};
	ret->at = uleb_get(ret->at, ret->end, &min);
	ret->min = (uint64_t)zig_back(min);
	if (*start != COLUMN_CONST)
		ret->at = uleb_get(ret->at, ret->end, &ret->gcd);
	*ret_encoding = (enum column_encoding) * start;
	return ret->at;
}

bool column_runs_open(struct str bytes, size_t count, struct column_runs *ret)
{
	enum column_encoding encoding;
	struct input in;
	if (!get_head(bytes, &encoding, &in) ||
	    (encoding != COLUMN_CONST && encoding != COLUMN_RLE))
		return false;
	*ret = (struct column_runs){.at = in.at,
				    .end = in.end,
				    .min = in.min,
				    .gcd = in.gcd,
				    .left = count,
				    .constant = encoding == COLUMN_CONST};
	return true;
}

bool column_decode(struct str bytes, size_t count, int64_t *ret)
{
	enum column_encoding encoding;
	struct column_runs runs;
	struct input in;
	bool good = false;
	if (column_runs_open(bytes, count, &runs))
		return get_runs(&runs, ret);
	if (!get_head(bytes, &encoding, &in))
		return false;
	switch (encoding) {
	case COLUMN_DELTA:
		good = get_delta(&in, count, ret);
		break;
	case COLUMN_RISING:
		good = get_rising(&in, count, ret);
		break;
	case COLUMN_VARINT:
		good = get_varint(&in, count, ret);
		break;
	case COLUMN_PACKED:
		good = get_packed(&in, count, ret);
		break;
	case COLUMN_DICT:
		good = get_dict(&in, count, ret);
		break;
	case COLUMN_CONST:
	case COLUMN_RLE:
		break; /* runs, above */
	}
	return good && in.at == in.end;
}
