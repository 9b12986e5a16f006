/* The keys of the family ids, made again from the content: written down from
 * the format page, not shared with the writer. */
#include <endian.h>
#include <string.h>

#include <xxhash.h>

#include "store/embedded/verify.h"

static struct verify_key key_of_hash(uint64_t seed, struct str bytes)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.ptr, bytes.len, seed);
	const uint64_t big[2] = {htobe64(hash.high64), htobe64(hash.low64)};
	struct verify_key key = {.len = sizeof(big)};
	memcpy(key.bytes, big, sizeof(big));
	return key;
}

struct verify_key verify_key_node(const struct node_row *row)
{
	const uint32_t big[2] = {htobe32(row->parent), htobe32(row->frame)};
	struct verify_key key = {.len = sizeof(big)};
	memcpy(key.bytes, big, sizeof(big));
	return key;
}

struct verify_key verify_key_string(const struct verify_tenant *tenant, struct str text)
{
	return key_of_hash(tenant->verify->seed, text);
}

/* ---- texts ---- */

/* A page that cannot be read was found by who walked over it. */
static int add_text(struct verify_tenant *tenant, uint32_t id, bool *known, struct err *err)
{
	struct str text;
	int rc = pages_string(&tenant->pages, id, &text, err);
	if (rc) {
		*known = false;
		return verify_blames(rc) ? 0 : rc;
	}
	const uint64_t len = htole64(text.len);
	buf_append(&tenant->scratch, &len, sizeof(len));
	buf_append(&tenant->scratch, text.ptr, text.len);
	return 0;
}

static int begin(struct verify_tenant *tenant, bool *known, struct err *err)
{
	struct verify *verify = tenant->verify;
	*known = true;
	buf_clear(&tenant->scratch);
	if (tenant->pages.used_bytes < verify->pages_bytes)
		return 0;
	pages_close(&tenant->pages);
	return pages_open(&tenant->pages, verify->page_cache, &verify->view, tenant->id, err);
}

static int end(struct verify_tenant *tenant, struct verify_key *ret, struct err *err)
{
	*ret = key_of_hash(tenant->verify->seed, buf_text(&tenant->scratch));
	return buf_check(&tenant->scratch, "content of an id", err);
}

int verify_key_frame(struct verify_tenant *tenant, const struct frame_row *row,
		     struct verify_key *ret, bool *ret_known, struct err *err)
{
	const uint64_t numbers[] = {htole64(row->address), htole64((uint64_t)row->line),
				    htole64((uint64_t)row->start_line)};
	int rc = begin(tenant, ret_known, err);
	for (size_t i = 0; !rc && i < FRAME_STRINGS; i++)
		rc = add_text(tenant, row->strings[i], ret_known, err);
	buf_append(&tenant->scratch, numbers, sizeof(numbers));
	return rc ? rc : end(tenant, ret, err);
}

int verify_key_series(struct verify_tenant *tenant, const uint32_t *ids, size_t count,
		      struct verify_key *ret, bool *ret_known, struct err *err)
{
	int rc = begin(tenant, ret_known, err);
	for (size_t i = 0; !rc && i < count * 2; i++)
		rc = add_text(tenant, ids[i], ret_known, err);
	return rc ? rc : end(tenant, ret, err);
}

/* ---- by id ---- */

static int key_of_string(struct verify_tenant *tenant, uint32_t id, struct verify_key *ret,
			 bool *ret_known, struct err *err)
{
	struct str text = {0};
	int rc = begin(tenant, ret_known, err);
	rc = rc ? rc : pages_string(&tenant->pages, id, &text, err);
	if (!rc)
		*ret = verify_key_string(tenant, text);
	return rc;
}

static int key_of_frame(struct verify_tenant *tenant, uint32_t id, struct verify_key *ret,
			bool *ret_known, struct err *err)
{
	const struct frame_row *row = NULL;
	int rc = begin(tenant, ret_known, err);
	rc = rc ? rc : pages_frame(&tenant->pages, id, &row, err);
	if (rc)
		return rc;
	const struct frame_row copy = *row; /* its page may go for those of its texts */
	return verify_key_frame(tenant, &copy, ret, ret_known, err);
}

static int key_of_node(struct verify_tenant *tenant, uint32_t id, struct verify_key *ret,
		       bool *ret_known, struct err *err)
{
	struct node_row row;
	int rc = begin(tenant, ret_known, err);
	rc = rc ? rc : pages_node(&tenant->pages, id, &row, err);
	if (!rc)
		*ret = verify_key_node(&row);
	return rc;
}

static int key_of_series(struct verify_tenant *tenant, uint32_t id, struct verify_key *ret,
			 bool *ret_known, struct err *err)
{
	struct verify_labels labels = {0};
	bool found;
	int rc = verify_labels_read(tenant, id, &labels, &found, err);
	if (!rc && found)
		rc = verify_key_series(tenant, labels.ids, labels.count, ret, ret_known, err);
	else
		*ret_known = false;
	verify_labels_deinit(&labels);
	return rc;
}

int verify_key_of(struct verify_tenant *tenant, enum verify_kind kind, uint32_t id,
		  struct verify_key *ret, bool *ret_known, struct err *err)
{
	static int (*const by_kind[VERIFY_KINDS])(struct verify_tenant * tenant, uint32_t id,
						  struct verify_key * ret, bool *ret_known,
						  struct err *err) = {key_of_string, key_of_frame,
								      key_of_node, key_of_series};
	int rc = by_kind[kind](tenant, id, ret, ret_known, err);
	if (rc && verify_blames(rc)) {
		*ret_known = false;
		return 0;
	}
	return rc;
}
