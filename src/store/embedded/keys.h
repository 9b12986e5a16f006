/* Private to the embedded engine: the keys of every column family. Numbers are
 * big-endian, so that the database's bytewise order is the numbers' order and
 * "everything of a tenant up to a day" is one range. What each key means:
 * docs/formats/embedded-store.md, "Keys". Pure functions. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { KEY_MAX = 48 };

struct key {
	size_t len;
	char bytes[KEY_MAX];
};

/* Content hash of a dictionary entry, a series or a request: XXH3-128 under the store's seed. */
struct hash128 {
	uint64_t high, low;
};

/* First byte after the tenant in the families ids, dict and series. Stored: never renumber. */
enum key_kind {
	KEY_STRING = 's',
	KEY_FRAME = 'f',
	KEY_NODE = 'n',
	KEY_SERIES = 'l',  /* labels of a series */
	KEY_POSTING = 'p', /* label value -> series */
	KEY_DAY = 'd',	   /* series that has samples on a day */
	KEY_SYMBOL = 'y',  /* names that came after the frame: build id, address */
	KEY_SYMBOLS = 'Y', /* what is known of a build id's */
	/* In the family meta, before the tenant: */
	META_FORMAT = 'F',
	META_TENANT = 'T',   /* name -> tenant */
	META_TENANTS = 'N',  /* how many there are */
	META_COUNTERS = 'C', /* next ids of a tenant */
	META_DAY = 'D',	     /* what a tenant has on a day */
	META_GONE = 'G',     /* how many entries of a tenant were collected */
};

struct sample_key {
	uint32_t tenant, day, series;
	uint64_t time_ns, sequence;
};

static inline struct str key_str(const struct key *key)
{
	return (struct str){key->bytes, key->len};
}

void key_u8(struct key *key, uint8_t value);
void key_u32(struct key *key, uint32_t value);
void key_u64(struct key *key, uint64_t value);

/* meta */
struct key key_meta(enum key_kind kind);
struct key key_meta_tenant(enum key_kind kind, uint32_t tenant);
struct key key_meta_day(uint32_t tenant, uint32_t day);
/* ids, dict, series: the start of one kind, or of everything at and after a number. */
struct key key_kind(uint32_t tenant, enum key_kind kind);
struct key key_kind_u32(uint32_t tenant, enum key_kind kind, uint32_t a);
struct key key_kind_u32x2(uint32_t tenant, enum key_kind kind, uint32_t a, uint32_t b);
struct key key_posting(uint32_t tenant, uint32_t name, uint32_t value, uint32_t series);
struct key key_hash(uint32_t tenant, enum key_kind kind, struct hash128 hash);
/* dict: a run of symbols that begins at an address. */
struct key key_symbol(uint32_t tenant, struct hash128 build_id, uint64_t start);
/* samples */
struct key key_samples(const struct sample_key *sample);
struct key key_samples_day(uint32_t tenant, uint32_t day);
struct key key_samples_series(uint32_t tenant, uint32_t day, uint32_t series, uint64_t time_ns);
/* rollups: as samples, with the level behind the tenant */
struct key key_sums(uint8_t level, const struct sample_key *sample);
struct key key_sums_day(uint32_t tenant, uint8_t level, uint32_t day);
struct key key_sums_series(uint32_t tenant, uint8_t level, uint32_t day, uint32_t series,
			   uint64_t time_ns);
/* recent */
struct key key_recent(uint32_t minute, struct hash128 hash);
struct key key_recent_minute(uint32_t minute);

/* The first key after every key that starts with prefix. */
struct key key_after(const struct key *prefix);

/* False when the length is another. */
bool key_parse_samples(struct str bytes, struct sample_key *ret);
bool key_parse_sums(struct str bytes, uint8_t *ret_level, struct sample_key *ret);
/* The nth (from 0) u32 behind tenant and kind; 0 when the key is too short. */
uint32_t key_part(struct str bytes, unsigned nth);
/* Of a run of symbols. */
bool key_parse_symbol(struct str bytes, uint64_t *ret_start);
/* A value that is one u32be; 0 when it is too short. */
uint32_t key_number(struct str bytes);
/* Of a meta day. */
bool key_parse_meta_day(struct str bytes, uint32_t *ret_tenant, uint32_t *ret_day);
