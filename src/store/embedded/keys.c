#include "store/embedded/keys.h"

#include <assert.h>
#include <endian.h>

static void put(struct key *key, const void *ptr, size_t len)
{
	assert(key->len + len <= KEY_MAX);
	memcpy(key->bytes + key->len, ptr, len);
	key->len += len;
}

void key_u8(struct key *key, uint8_t value)
{
	put(key, &value, 1);
}

void key_u32(struct key *key, uint32_t value)
{
	uint32_t big = htobe32(value);
	put(key, &big, sizeof(big));
}

void key_u64(struct key *key, uint64_t value)
{
	uint64_t big = htobe64(value);
	put(key, &big, sizeof(big));
}

struct key key_meta(enum key_kind kind)
{
	struct key key = {0};
	key_u8(&key, (uint8_t)kind);
	return key;
}

struct key key_meta_tenant(enum key_kind kind, uint32_t tenant)
{
	struct key key = key_meta(kind);
	key_u32(&key, tenant);
	return key;
}

struct key key_meta_day(uint32_t tenant, uint32_t day)
{
	struct key key = key_meta_tenant(META_DAY, tenant);
	key_u32(&key, day);
	return key;
}

struct key key_kind(uint32_t tenant, enum key_kind kind)
{
	struct key key = {0};
	key_u32(&key, tenant);
	key_u8(&key, (uint8_t)kind);
	return key;
}

struct key key_kind_u32(uint32_t tenant, enum key_kind kind, uint32_t a)
{
	struct key key = key_kind(tenant, kind);
	key_u32(&key, a);
	return key;
}

struct key key_kind_u32x2(uint32_t tenant, enum key_kind kind, uint32_t a, uint32_t b)
{
	struct key key = key_kind_u32(tenant, kind, a);
	key_u32(&key, b);
	return key;
}

struct key key_posting(uint32_t tenant, uint32_t name, uint32_t value, uint32_t series)
{
	struct key key = key_kind_u32x2(tenant, KEY_POSTING, name, value);
	key_u32(&key, series);
	return key;
}

struct key key_hash(uint32_t tenant, enum key_kind kind, struct hash128 hash)
{
	struct key key = key_kind(tenant, kind);
	key_u64(&key, hash.high);
	key_u64(&key, hash.low);
	return key;
}

struct key key_symbol(uint32_t tenant, struct hash128 build_id, uint64_t start)
{
	struct key key = key_hash(tenant, KEY_SYMBOL, build_id);
	key_u64(&key, start);
	return key;
}

struct key key_samples_day(uint32_t tenant, uint32_t day)
{
	struct key key = {0};
	key_u32(&key, tenant);
	key_u32(&key, day);
	return key;
}

struct key key_samples_series(uint32_t tenant, uint32_t day, uint32_t series, uint64_t time_ns)
{
	struct key key = key_samples_day(tenant, day);
	key_u32(&key, series);
	key_u64(&key, time_ns);
	return key;
}

struct key key_samples(const struct sample_key *sample)
{
	struct key key =
		key_samples_series(sample->tenant, sample->day, sample->series, sample->time_ns);
	key_u64(&key, sample->sequence);
	return key;
}

struct key key_sums_day(uint32_t tenant, uint8_t level, uint32_t day)
{
	struct key key = {0};
	key_u32(&key, tenant);
	key_u8(&key, level);
	key_u32(&key, day);
	return key;
}

struct key key_sums_series(uint32_t tenant, uint8_t level, uint32_t day, uint32_t series,
			   uint64_t time_ns)
{
	struct key key = key_sums_day(tenant, level, day);
	key_u32(&key, series);
	key_u64(&key, time_ns);
	return key;
}

struct key key_sums(uint8_t level, const struct sample_key *sample)
{
	struct key key = key_sums_series(sample->tenant, level, sample->day, sample->series,
					 sample->time_ns);
	key_u64(&key, sample->sequence);
	return key;
}

struct key key_recent_minute(uint32_t minute)
{
	struct key key = {0};
	key_u32(&key, minute);
	return key;
}

struct key key_recent(uint32_t minute, struct hash128 hash)
{
	struct key key = key_recent_minute(minute);
	key_u64(&key, hash.high);
	key_u64(&key, hash.low);
	return key;
}

/* A prefix of only 0xff bytes has nothing after it; a longer run of 0xff stands in for the end,
 * since no key of ours is that long. */
struct key key_after(const struct key *prefix)
{
	struct key key = *prefix;
	while (key.len > 0 && (uint8_t)key.bytes[key.len - 1] == 0xff)
		key.len--;
	if (key.len > 0) {
		key.bytes[key.len - 1]++;
	} else {
		memset(key.bytes, 0xff, KEY_MAX);
		key.len = KEY_MAX;
	}
	return key;
}

static uint32_t u32_at(struct str bytes, size_t offset)
{
	uint32_t big;
	memcpy(&big, bytes.ptr + offset, sizeof(big));
	return be32toh(big);
}

static uint64_t u64_at(struct str bytes, size_t offset)
{
	uint64_t big;
	memcpy(&big, bytes.ptr + offset, sizeof(big));
	return be64toh(big);
}

bool key_parse_samples(struct str bytes, struct sample_key *ret)
{
	if (bytes.len != 28)
		return false;
	ret->tenant = u32_at(bytes, 0);
	ret->day = u32_at(bytes, 4);
	ret->series = u32_at(bytes, 8);
	ret->time_ns = u64_at(bytes, 12);
	ret->sequence = u64_at(bytes, 20);
	return true;
}

bool key_parse_sums(struct str bytes, uint8_t *ret_level, struct sample_key *ret)
{
	if (bytes.len != 29)
		return false;
	ret->tenant = u32_at(bytes, 0);
	*ret_level = (uint8_t)bytes.ptr[4];
	ret->day = u32_at(bytes, 5);
	ret->series = u32_at(bytes, 9);
	ret->time_ns = u64_at(bytes, 13);
	ret->sequence = u64_at(bytes, 21);
	return true;
}

uint32_t key_part(struct str bytes, unsigned nth)
{
	size_t offset = 5 + (size_t)nth * 4;
	return bytes.len >= offset + 4 ? u32_at(bytes, offset) : 0;
}

bool key_parse_symbol(struct str bytes, uint64_t *ret_start)
{
	if (bytes.len != 29)
		return false;
	*ret_start = u64_at(bytes, 21);
	return true;
}

uint32_t key_number(struct str bytes)
{
	return bytes.len >= 4 ? u32_at(bytes, 0) : 0;
}

bool key_parse_meta_day(struct str bytes, uint32_t *ret_tenant, uint32_t *ret_day)
{
	if (bytes.len != 9)
		return false;
	*ret_tenant = u32_at(bytes, 1);
	*ret_day = u32_at(bytes, 5);
	return true;
}
