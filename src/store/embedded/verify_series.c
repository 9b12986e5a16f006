/* Series: labels, and the postings that lead from a label to them. */
#include "base/cursor.h"
#include "base/mem.h"
#include "store/embedded/verify.h"

enum { SERIES_VERSION = 1, PAGES_EXPLAINED = 64 };

/* ---- labels ---- */

void verify_labels_deinit(struct verify_labels *labels)
{
	mem_free(labels->ids);
	*labels = (struct verify_labels){0};
}

int verify_labels_decode(struct str bytes, struct verify_labels *ret, struct err *err)
{
	struct cur in = cur_make(bytes.ptr, bytes.len);
	uint8_t version = cur_u8(&in);
	uint64_t count = cur_uleb(&in);
	if (cur_ok(&in) && version != SERIES_VERSION)
		return err_set(err, ERR_UNSUPPORTED, "labels: version %u is not %d", version,
			       SERIES_VERSION);
	if (!cur_ok(&in) || count > cur_left(&in) / 2)
		return err_set(err, ERR_CORRUPT, "labels: malformed");
	uint32_t *ids = mem_grow(ret->ids, &ret->cap, (size_t)count * 2 + 1, sizeof(*ids));
	if (!ids)
		return err_set(err, ERR_NOMEM, "labels: no memory");
	ret->ids = ids;
	ret->count = (size_t)count;
	for (size_t i = 0; i < ret->count * 2; i++) {
		uint64_t id = cur_uleb(&in);
		in.bad = in.bad || id == 0 || id > UINT32_MAX;
		ids[i] = (uint32_t)id;
	}
	if (!cur_ok(&in) || cur_left(&in))
		return err_set(err, ERR_CORRUPT, "labels: malformed");
	return 0;
}

int verify_labels_read(struct verify_tenant *tenant, uint32_t series, struct verify_labels *ret,
		       bool *ret_found, struct err *err)
{
	struct key key = key_kind_u32(tenant->id, KEY_SERIES, series);
	struct rocks_value value;
	int rc = rocks_get(tenant->verify->rocks, &tenant->verify->view, FAMILY_SERIES,
			   key_str(&key), &value, err);
	*ret_found = !rc && value.bytes.ptr;
	rc = *ret_found ? verify_labels_decode(value.bytes, ret, err) : rc;
	rocks_value_free(&value);
	return rc;
}

struct see {
	struct verify_tenant *tenant;
	struct verify_labels labels;
	size_t pages[PAGES_EXPLAINED], page_count;
};

static struct verify_key pair_key(uint32_t name, uint32_t value)
{
	return verify_key_node(&(struct node_row){name, value});
}

static bool check_strings(struct see *see, uint32_t series)
{
	bool sound = true;
	for (size_t i = 0; i < see->labels.count * 2; i++)
		if (!verify_has(see->tenant, VERIFY_STRINGS, see->labels.ids[i])) {
			sound = false;
			verify_tenant_found(see->tenant,
					    "series %u: the %s of a label is string %u, which is "
					    "not "
					    "in the dictionary",
					    series, i % 2 ? "value" : "name", see->labels.ids[i]);
		}
	return sound;
}

/* By the bytes of their names, and no name twice. */
static int check_order(struct see *see, uint32_t series, struct err *err)
{
	struct str before = {0}, name;
	for (size_t i = 0; i < see->labels.count; i++) {
		int rc = pages_string(&see->tenant->pages, see->labels.ids[i * 2], &name, err);
		if (rc)
			return verify_blames(rc) ? 0 : rc;
		if (i && str_compare(before, name) >= 0)
			verify_tenant_found(see->tenant,
					    "series %u: label %.*s is out of order or twice",
					    series, STR_ARG(str_sub(name, 0, 100)));
		before = name;
	}
	return 0;
}

static int add_series(struct see *see, uint32_t series, struct err *err)
{
	struct verify_tenant *tenant = see->tenant;
	struct verify_key key;
	bool known, sound = check_strings(see, series);
	int rc = verify_key_series(tenant, see->labels.ids, see->labels.count, &key, &known, err);
	if (!rc && sound && known)
		rc = check_order(see, series, err);
	rc = rc ? rc : verify_add(tenant, VERIFY_SERIES, series, &key, sound && known, err);
	for (size_t i = 0; !rc && i < see->labels.count; i++) {
		struct verify_key pair =
			pair_key(see->labels.ids[i * 2], see->labels.ids[i * 2 + 1]);
		rc = tally_add(&tenant->postings, series, verify_key_str(&pair), err);
	}
	return rc;
}

static int see_series(void *context, struct str key, struct str value, struct err *err)
{
	struct see *see = context;
	uint32_t series = key_part(key, 0);
	struct err why;
	if (key.len != 9 || series == 0) {
		verify_tenant_found(see->tenant, "a record of labels has a malformed key");
		return 0;
	}
	see->tenant->verify->done.series++;
	if (series >= see->tenant->next.series)
		verify_tenant_found(see->tenant, "series %u is there, but the next one is to be %u",
				    series, see->tenant->next.series);
	int rc = verify_labels_decode(value, &see->labels, &why);
	if (!rc)
		return add_series(see, series, err);
	if (!verify_blames(rc))
		return err_set(err, rc, "%s", why.text);
	verify_tenant_found(see->tenant, "series %u: %s", series, why.text);
	verify_add_unsure(see->tenant, VERIFY_SERIES, series, (uint64_t)series + 1);
	return 0;
}

/* ---- postings ---- */

static int see_posting(void *context, struct str key, struct str value, struct err *err)
{
	struct see *see = context;
	struct verify_tenant *tenant = see->tenant;
	uint32_t name = key_part(key, 0), text = key_part(key, 1), series = key_part(key, 2);
	tenant->verify->done.postings++;
	if (key.len != 17 || value.len) {
		verify_tenant_found(tenant, "a posting is malformed");
		return 0;
	}
	if (series == 0 || !verify_has(tenant, VERIFY_SERIES, series)) {
		verify_tenant_found(tenant,
				    "a posting (strings %u = %u) leads to series %u, which is not "
				    "there",
				    name, text, series);
		return 0;
	}
	if (roaring_bitmap_contains(tenant->kinds[VERIFY_SERIES].unsure, series))
		return 0;
	struct verify_key pair = pair_key(name, text);
	return tally_take(&tenant->postings, series, verify_key_str(&pair), err);
}

static int need_posting(struct see *see, uint32_t series, size_t label, struct err *err)
{
	struct verify_tenant *tenant = see->tenant;
	struct key key = key_posting(tenant->id, see->labels.ids[label * 2],
				     see->labels.ids[label * 2 + 1], series);
	struct rocks_value value;
	int rc = rocks_get(tenant->verify->rocks, &tenant->verify->view, FAMILY_SERIES,
			   key_str(&key), &value, err);
	bool found = !rc && value.bytes.ptr;
	rocks_value_free(&value);
	if (!rc && !found)
		verify_tenant_found(tenant,
				    "series %u: its label (strings %u = %u) has no posting, so "
				    "queries for it miss the series",
				    series, see->labels.ids[label * 2],
				    see->labels.ids[label * 2 + 1]);
	return rc && verify_blames(rc) ? 0 : rc;
}

static int explain_page(struct see *see, size_t page, struct err *err)
{
	int rc = 0;
	for (uint64_t id = page * TALLY_PAGE; !rc && id < (page + 1) * TALLY_PAGE; id++) {
		bool found = false;
		if (!roaring_bitmap_contains(see->tenant->kinds[VERIFY_SERIES].there,
					     (uint32_t)id) ||
		    roaring_bitmap_contains(see->tenant->kinds[VERIFY_SERIES].unsure, (uint32_t)id))
			continue;
		rc = verify_labels_read(see->tenant, (uint32_t)id, &see->labels, &found, err);
		for (size_t i = 0; !rc && found && i < see->labels.count; i++)
			rc = need_posting(see, (uint32_t)id, i, err);
	}
	return rc;
}

static bool has_label(const struct verify_labels *labels, uint32_t name, uint32_t value)
{
	for (size_t i = 0; i < labels->count; i++)
		if (labels->ids[i * 2] == name && labels->ids[i * 2 + 1] == value)
			return true;
	return false;
}

/* A posting of a series in a page that differs: does the series have the label? */
static int explain_posting(void *context, struct str key, struct str value, struct err *err)
{
	struct see *see = context;
	uint32_t name = key_part(key, 0), text = key_part(key, 1), series = key_part(key, 2);
	bool wanted = false, found = false;
	(void)value;
	for (size_t i = 0; i < see->page_count; i++)
		wanted = wanted || see->pages[i] == series / TALLY_PAGE;
	if (!wanted || !roaring_bitmap_contains(see->tenant->kinds[VERIFY_SERIES].there, series) ||
	    roaring_bitmap_contains(see->tenant->kinds[VERIFY_SERIES].unsure, series))
		return 0;
	int rc = verify_labels_read(see->tenant, series, &see->labels, &found, err);
	if (!rc && found && !has_label(&see->labels, name, text))
		verify_tenant_found(see->tenant,
				    "a posting (strings %u = %u) leads to series %u, which does "
				    "not "
				    "have that label",
				    name, text, series);
	return rc && verify_blames(rc) ? 0 : rc;
}

static int explain(struct see *see, struct err *err)
{
	const struct tally *tally = &see->tenant->postings;
	bool cut = false;
	int rc = 0;
	for (size_t page = 0; page < tally->count && see->page_count < PAGES_EXPLAINED; page++)
		if (tally_differs(tally, page))
			see->pages[see->page_count++] = page;
	for (size_t i = 0; !rc && i < see->page_count; i++)
		rc = explain_page(see, see->pages[i], err);
	if (!rc && see->page_count)
		rc = verify_each_kind(see->tenant, FAMILY_SERIES, KEY_POSTING, explain_posting, see,
				      &cut, err);
	return rc;
}

/* ---- all ---- */

static int see_unknown(void *context, struct str key, struct str value, struct err *err)
{
	(void)value;
	(void)err;
	verify_tenant_found(context,
			    "the family series has an entry of a kind that this cresset does "
			    "not know: 0x%02x",
			    key.len > 4 ? (unsigned char)key.ptr[4] : 0);
	return 0;
}

static int verify_unknown(struct verify_tenant *tenant, struct err *err)
{
	int rc = 0;
	bool cut = false;
	for (unsigned letter = 0; !rc && letter < 256; letter++)
		if (letter != KEY_SERIES && letter != KEY_POSTING && letter != KEY_DAY)
			rc = verify_each_kind(tenant, FAMILY_SERIES, (enum key_kind)letter,
					      see_unknown, tenant, &cut, err);
	return rc;
}

int verify_series(struct verify_tenant *tenant, struct err *err)
{
	struct see see = {.tenant = tenant};
	bool cut = false;
	int rc = verify_each_kind(tenant, FAMILY_SERIES, KEY_SERIES, see_series, &see,
				  &tenant->kinds[VERIFY_SERIES].cut, err);
	rc = rc ? rc
		: verify_each_kind(tenant, FAMILY_SERIES, KEY_POSTING, see_posting, &see, &cut,
				   err);
	if (!rc && !cut && !tenant->kinds[VERIFY_SERIES].cut)
		rc = explain(&see, err);
	verify_labels_deinit(&see.labels);
	tally_deinit(&tenant->postings);
	return rc ? rc : verify_unknown(tenant, err);
}
