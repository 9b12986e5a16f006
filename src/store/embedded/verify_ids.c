/* The family ids against the content that its entries stand for. Both are
 * walked in their own order and compared by tallies; the pages of ids that
 * differ, of which there should be none, are then looked at entry by entry. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/embedded/varint.h"
#include "store/embedded/verify.h"

enum { PAGES_EXPLAINED = 64, ENTRIES_MAX = 4 * TALLY_PAGE * PAGES_EXPLAINED };

static const struct id_kind {
	enum key_kind key;
	enum verify_kind kind;
	size_t key_bytes;
} kinds[] = {
	{KEY_STRING, VERIFY_STRINGS, 16},
	{KEY_FRAME, VERIFY_FRAMES, 16},
	{KEY_NODE, VERIFY_NODES, 8},
	{KEY_SERIES, VERIFY_SERIES, 16},
};

struct family {
	struct verify_tenant *tenant;
	const struct id_kind *kind;
	/* of the explanation */
	size_t pages[PAGES_EXPLAINED], page_count;
	struct entry {
		uint32_t id;
		struct verify_key key;
	} * entries;
	size_t count, cap;
};

static bool read_id(struct str value, uint32_t *ret)
{
	uint64_t id = 0;
	if (value.len == 0)
		return false;
	const uint8_t *at = (const uint8_t *)value.ptr, *end = at + value.len;
	if (uleb_get(at, end, &id) != end || id == 0 || id > UINT32_MAX)
		return false;
	*ret = (uint32_t)id;
	return true;
}

bool verify_id_is(struct str value, uint32_t id)
{
	uint32_t found;
	return read_id(value, &found) && found == id;
}

static struct str content_of(struct str key)
{
	return str_sub(key, 5, key.len);
}

static int see_id(void *context, struct str key, struct str value, struct err *err)
{
	struct family *family = context;
	struct verify_tenant *tenant = family->tenant;
	const char *name = verify_kind_name(family->kind->kind);
	struct verify_ids *ids = &tenant->kinds[family->kind->kind];
	uint32_t id;
	tenant->verify->done.ids++;
	if (content_of(key).len != family->kind->key_bytes || !read_id(value, &id)) {
		verify_tenant_found(tenant, "an entry of the family ids for a %s is malformed",
				    name);
		return 0;
	}
	if (!verify_has(tenant, family->kind->kind, id)) {
		verify_tenant_found(tenant,
				    "the family ids has an entry for %s %u, which is not there",
				    name, id);
		return 0;
	}
	if (roaring_bitmap_contains(ids->unsure, id))
		return 0;
	return tally_take(&ids->tally, id, content_of(key), err);
}

/* ---- pages that differ ---- */

static int collect(void *context, struct str key, struct str value, struct err *err)
{
	struct family *family = context;
	uint32_t id;
	bool wanted = false;
	if (content_of(key).len != family->kind->key_bytes || !read_id(value, &id))
		return 0;
	for (size_t i = 0; i < family->page_count; i++)
		wanted = wanted || family->pages[i] == id / TALLY_PAGE;
	if (!wanted || family->count >= ENTRIES_MAX)
		return 0;
	struct entry *list =
		mem_grow(family->entries, &family->cap, family->count + 1, sizeof(*list));
	if (!list)
		return err_set(err, ERR_NOMEM, "entries of the family ids: no memory");
	family->entries = list;
	struct entry *entry = &list[family->count++];
	*entry = (struct entry){.id = id, .key.len = family->kind->key_bytes};
	memcpy(entry->key.bytes, content_of(key).ptr, entry->key.len);
	return 0;
}

/* How many entries the id has, and how many of them say what it is. */
static void judge(struct family *family, uint32_t id, const struct verify_key *key)
{
	const char *name = verify_kind_name(family->kind->kind);
	unsigned right = 0, wrong = 0;
	for (size_t i = 0; i < family->count; i++) {
		const struct entry *entry = &family->entries[i];
		if (entry->id != id)
			continue;
		bool same = str_equal(verify_key_str(&entry->key), verify_key_str(key));
		right += same;
		wrong += !same;
	}
	if (!right && !wrong)
		verify_tenant_found(family->tenant, "%s %u has no entry in the family ids", name,
				    id);
	else if (wrong)
		verify_tenant_found(family->tenant,
				    "%s %u has %u entries in the family ids for another content",
				    name, id, wrong);
}

static int explain_page(struct family *family, size_t page, struct err *err)
{
	struct verify_tenant *tenant = family->tenant;
	enum verify_kind kind = family->kind->kind;
	int rc = 0;
	for (uint64_t id = page * TALLY_PAGE; !rc && id < (page + 1) * TALLY_PAGE; id++) {
		struct verify_key key;
		bool known = true;
		if (!roaring_bitmap_contains(tenant->kinds[kind].there, (uint32_t)id) ||
		    roaring_bitmap_contains(tenant->kinds[kind].unsure, (uint32_t)id))
			continue;
		rc = verify_key_of(tenant, kind, (uint32_t)id, &key, &known, err);
		if (!rc && known)
			judge(family, (uint32_t)id, &key);
	}
	return rc;
}

static void find_pages(struct family *family)
{
	const struct tally *tally = &family->tenant->kinds[family->kind->kind].tally;
	size_t differ = 0;
	for (size_t page = 0; page < tally->count; page++) {
		if (!tally_differs(tally, page))
			continue;
		if (family->page_count < PAGES_EXPLAINED)
			family->pages[family->page_count++] = page;
		differ++;
	}
	if (differ > PAGES_EXPLAINED)
		verify_tenant_found(family->tenant,
				    "%zu more pages of %ss differ from what the family ids says",
				    differ - PAGES_EXPLAINED, verify_kind_name(family->kind->kind));
}

static int explain(struct family *family, struct err *err)
{
	uint64_t before = family->tenant->verify->done.findings;
	bool cut = false;
	find_pages(family);
	if (family->page_count == 0)
		return 0;
	int rc = verify_each_kind(family->tenant, FAMILY_IDS, family->kind->key, collect, family,
				  &cut, err);
	for (size_t i = 0; !rc && i < family->page_count; i++)
		rc = explain_page(family, family->pages[i], err);
	mem_free(family->entries);
	if (!rc && family->tenant->verify->done.findings == before)
		verify_tenant_found(family->tenant, "%ss differ from what the family ids says",
				    verify_kind_name(family->kind->kind));
	return rc;
}

/* ---- all ---- */

static int verify_kind(struct verify_tenant *tenant, const struct id_kind *kind, struct err *err)
{
	struct family family = {.tenant = tenant, .kind = kind};
	struct verify_ids *ids = &tenant->kinds[kind->kind];
	bool cut = ids->cut;
	int rc = verify_each_kind(tenant, FAMILY_IDS, kind->key, see_id, &family, &cut, err);
	if (!rc && !cut)
		rc = explain(&family, err);
	tally_deinit(&ids->tally);
	return rc;
}

static int see_unknown(void *context, struct str key, struct str value, struct err *err)
{
	(void)value;
	(void)err;
	verify_tenant_found(context,
			    "the family ids has an entry of a kind that this cresset does "
			    "not know: 0x%02x",
			    key.len > 4 ? (unsigned char)key.ptr[4] : 0);
	return 0;
}

static bool is_known(unsigned letter)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].key == letter)
			return true;
	return false;
}

int verify_id_family(struct verify_tenant *tenant, struct err *err)
{
	int rc = 0;
	bool cut = false;
	for (size_t i = 0; !rc && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		rc = verify_kind(tenant, &kinds[i], err);
	for (unsigned letter = 0; !rc && letter < 256; letter++)
		if (!is_known(letter))
			rc = verify_each_kind(tenant, FAMILY_IDS, (enum key_kind)letter,
					      see_unknown, tenant, &cut, err);
	return rc;
}
