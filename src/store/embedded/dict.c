/* Where an id comes from: the cache of durable ids, then what this commit has
 * added, then the database, then the counter. What refers to something new
 * must be new itself, and skips the first three. */
#include <stdint.h>

#include <xxhash.h>

#include "base/mem.h"
#include "store/embedded/txn.h"
#include "store/embedded/varint.h"

struct hash128 dict_hash(uint64_t seed, struct str bytes)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.ptr, bytes.len, seed);
	return (struct hash128){hash.high64, hash.low64};
}

int dict_read_id(struct rocks *rocks, const struct rocks_view *view, const struct key *key,
		 uint32_t *ret, struct err *err)
{
	struct rocks_value value;
	uint64_t id = 0;
	int rc = rocks_get(rocks, view, FAMILY_IDS, key_str(key), &value, err);
	if (!rc && value.bytes.ptr) {
		const uint8_t *at = (const uint8_t *)value.bytes.ptr;
		if (!uleb_get(at, at + value.bytes.len, &id) || id > UINT32_MAX)
			rc = err_set(err, ERR_CORRUPT, "dictionary id: malformed");
	}
	rocks_value_free(&value);
	*ret = (uint32_t)id;
	return rc;
}

static int find(struct txn *txn, struct id_key id_key, const struct key *key, uint32_t *ret,
		struct err *err)
{
	*ret = idcache_get(&txn->cache, id_key);
	if (!*ret)
		*ret = idmap_get(&txn->pending, id_key);
	if (*ret)
		return 0;
	int rc = dict_read_id(txn->rocks, NULL, key, ret, err);
	if (!rc && *ret)
		idcache_put(&txn->cache, id_key, *ret);
	return rc;
}

static void put_id(struct txn *txn, const struct key *key, uint32_t id)
{
	uint8_t bytes[ULEB_MAX_BYTES];
	size_t len = (size_t)(uleb_put(bytes, id) - bytes);
	rocks_put(txn->rocks, txn->batch, FAMILY_IDS, key_str(key), str_make(bytes, len));
}

static int full(const char *what, struct err *err)
{
	return err_set(err, ERR_LIMIT, "dictionary: 2^32 %s of one tenant are in use", what);
}

int dict_string(struct txn *txn, struct tenant *tenant, struct str text, uint32_t *ret,
		struct err *err)
{
	*ret = 0;
	if (text.len == 0)
		return 0;
	struct hash128 hash = dict_hash(txn->seed, text);
	struct id_key id_key = id_key_hash(tenant->id, KEY_STRING, hash);
	struct key key = key_hash(tenant->id, KEY_STRING, hash);
	int rc = find(txn, id_key, &key, ret, err);
	if (!rc && *ret)
		txn_found(txn, tenant, USED_STRING, *ret);
	if (rc || *ret)
		return rc;
	uint32_t id = tenant->next.string, added = id - tenant->written.string;
	if (id == UINT32_MAX)
		return full("strings", err);
	struct str *rows = mem_grow(tenant->strings, &tenant->string_cap, added + 1, sizeof(*rows));
	if (!rows)
		return err_set(err, ERR_NOMEM, "dictionary: no memory");
	tenant->strings = rows;
	rc = idmap_put(&txn->pending, id_key, id, err);
	if (rc)
		return rc;
	rows[added] = text;
	tenant->next.string++;
	put_id(txn, &key, id);
	*ret = id;
	return 0;
}

/* The address tells apart only frames that have no name. */
static uint64_t address_of(const struct store_frame *frame)
{
	return frame->name.len ? 0 : frame->address;
}

int dict_frame_hash(uint64_t seed, struct buf *scratch, const struct store_frame *f,
		    struct hash128 *ret, struct err *err)
{
	const struct str texts[] = {f->name, f->system_name, f->filename,
				    f->kind, f->mapping,     f->build_id};
	const uint64_t numbers[] = {address_of(f), (uint64_t)f->line, (uint64_t)f->start_line};
	buf_clear(scratch);
	for (size_t i = 0; i < FRAME_STRINGS; i++) {
		buf_append(scratch, &texts[i].len, sizeof(texts[i].len));
		buf_append(scratch, texts[i].ptr, texts[i].len);
	}
	buf_append(scratch, numbers, sizeof(numbers));
	*ret = dict_hash(seed, buf_text(scratch));
	return buf_check(scratch, "frame", err);
}

static int frame_row(struct txn *txn, struct tenant *tenant, const struct store_frame *f,
		     struct frame_row *ret, struct err *err)
{
	const struct str texts[] = {
		[FRAME_NAME] = f->name,		[FRAME_SYSTEM_NAME] = f->system_name,
		[FRAME_FILENAME] = f->filename, [FRAME_KIND] = f->kind,
		[FRAME_MAPPING] = f->mapping,	[FRAME_BUILD_ID] = f->build_id,
	};
	int rc = 0;
	for (size_t i = 0; !rc && i < FRAME_STRINGS; i++)
		rc = dict_string(txn, tenant, texts[i], &ret->strings[i], err);
	ret->address = address_of(f);
	ret->line = f->line;
	ret->start_line = f->start_line;
	return rc;
}

int dict_frame(struct txn *txn, struct tenant *tenant, const struct store_frame *frame,
	       uint32_t *ret, struct err *err)
{
	struct hash128 hash;
	struct frame_row row;
	int rc = dict_frame_hash(txn->seed, &txn->scratch, frame, &hash, err);
	if (rc)
		return rc;
	struct id_key id_key = id_key_hash(tenant->id, KEY_FRAME, hash);
	struct key key = key_hash(tenant->id, KEY_FRAME, hash);
	rc = find(txn, id_key, &key, ret, err);
	if (!rc && *ret)
		txn_found(txn, tenant, USED_FRAME, *ret);
	if (rc || *ret)
		return rc;
	rc = frame_row(txn, tenant, frame, &row, err);
	if (rc)
		return rc;
	uint32_t id = tenant->next.frame, added = id - tenant->written.frame;
	if (id == UINT32_MAX)
		return full("frames", err);
	struct frame_row *rows =
		mem_grow(tenant->frames, &tenant->frame_cap, added + 1, sizeof(*rows));
	if (!rows)
		return err_set(err, ERR_NOMEM, "dictionary: no memory");
	tenant->frames = rows;
	rc = idmap_put(&txn->pending, id_key, id, err);
	if (rc)
		return rc;
	rows[added] = row;
	tenant->next.frame++;
	put_id(txn, &key, id);
	*ret = id;
	return 0;
}

/* In memory, first: most nodes of most requests are known. */
static uint32_t find_node(struct txn *txn, struct tenant *tenant, struct id_key id_key,
			  uint32_t parent, uint32_t frame, bool *ret_all_new)
{
	*ret_all_new = parent >= tenant->written.node || frame >= tenant->written.frame;
	uint32_t id = *ret_all_new ? 0 : idcache_get(&txn->cache, id_key);
	return id ? id : idmap_get(&txn->pending, id_key);
}

static int read_node(struct txn *txn, struct id_key id_key, const struct key *key, uint32_t *ret,
		     struct err *err)
{
	int rc = dict_read_id(txn->rocks, NULL, key, ret, err);
	if (!rc && *ret)
		idcache_put(&txn->cache, id_key, *ret);
	return rc;
}

int dict_node(struct txn *txn, struct tenant *tenant, uint32_t parent, uint32_t frame,
	      uint32_t *ret, struct err *err)
{
	struct id_key id_key = id_key_pair(tenant->id, KEY_NODE, parent, frame);
	bool all_new;
	*ret = find_node(txn, tenant, id_key, parent, frame, &all_new);
	if (*ret) {
		txn_found(txn, tenant, USED_NODE, *ret);
		return 0;
	}
	struct key key = key_kind_u32x2(tenant->id, KEY_NODE, parent, frame);
	int rc = all_new ? 0 : read_node(txn, id_key, &key, ret, err);
	if (!rc && *ret)
		txn_found(txn, tenant, USED_NODE, *ret);
	if (rc || *ret)
		return rc;
	uint32_t id = tenant->next.node, added = id - tenant->written.node;
	if (id == UINT32_MAX)
		return full("stack nodes", err);
	struct node_row *rows =
		mem_grow(tenant->nodes, &tenant->node_cap, added + 1, sizeof(*rows));
	if (!rows)
		return err_set(err, ERR_NOMEM, "dictionary: no memory");
	tenant->nodes = rows;
	rc = idmap_put(&txn->pending, id_key, id, err);
	if (rc)
		return rc;
	rows[added] = (struct node_row){parent, frame};
	tenant->next.node++;
	put_id(txn, &key, id);
	*ret = id;
	return 0;
}
