#include "store/embedded/tenant.h"

#include <stdint.h>

#include "base/cursor.h"
#include "base/buf.h"
#include "base/mem.h"
#include "store/embedded/varint.h"

enum {
	RECORD_VERSION = 1,
	DAYS_KEPT = 64, /* of one tenant in memory, between commits */
};

/* ---- records ---- */

static int record_check(struct cur *in, uint8_t version, const char *what, struct err *err)
{
	if (cur_ok(in) && version != RECORD_VERSION)
		return err_set(err, ERR_UNSUPPORTED, "%s: version %u is not %d", what, version,
			       RECORD_VERSION);
	return cur_check(in, what, err);
}

int counters_decode(struct str bytes, struct counters *ret, struct err *err)
{
	struct cur in = cur_make(bytes.ptr, bytes.len);
	uint8_t version = cur_u8(&in);
	ret->string = (uint32_t)cur_uleb(&in);
	ret->frame = (uint32_t)cur_uleb(&in);
	ret->node = (uint32_t)cur_uleb(&in);
	ret->series = (uint32_t)cur_uleb(&in);
	ret->sequence = cur_uleb(&in);
	return record_check(&in, version, "counters of a tenant", err);
}

static void counters_encode(struct buf *out, const struct counters *c)
{
	buf_char(out, RECORD_VERSION);
	uleb_append(out, c->string);
	uleb_append(out, c->frame);
	uleb_append(out, c->node);
	uleb_append(out, c->series);
	uleb_append(out, c->sequence);
}

int day_decode(struct str bytes, struct day_stats *ret, struct err *err)
{
	struct cur in = cur_make(bytes.ptr, bytes.len);
	uint8_t version = cur_u8(&in);
	ret->samples = cur_uleb(&in);
	ret->blocks = cur_uleb(&in);
	ret->bytes = cur_uleb(&in);
	ret->oldest_ns = cur_uleb(&in);
	ret->newest_ns = cur_uleb(&in);
	return record_check(&in, version, "totals of a day", err);
}

static void day_encode(struct buf *out, const struct day_stats *day)
{
	buf_char(out, RECORD_VERSION);
	uleb_append(out, day->samples);
	uleb_append(out, day->blocks);
	uleb_append(out, day->bytes);
	uleb_append(out, day->oldest_ns);
	uleb_append(out, day->newest_ns);
}

/* ---- finding ---- */

static struct str name_key(char space[TENANT_NAME_MAX + 1], struct str name)
{
	space[0] = META_TENANT;
	memcpy(space + 1, name.ptr, name.len);
	return (struct str){space, name.len + 1};
}

static uint32_t u32_of(struct str bytes)
{
	struct cur in = cur_make(bytes.ptr, bytes.len);
	return cur_u32be(&in);
}

static int read_u32(struct rocks *rocks, const struct rocks_view *view, struct str key,
		    uint32_t *ret, struct err *err)
{
	struct rocks_value value;
	int rc = rocks_get(rocks, view, FAMILY_META, key, &value, err);
	*ret = rc || !value.bytes.ptr ? 0 : u32_of(value.bytes);
	rocks_value_free(&value);
	return rc;
}

int tenant_find(const struct rocks_view *view, struct str name, uint32_t *ret, struct err *err)
{
	char space[TENANT_NAME_MAX + 1];
	*ret = 0;
	if (name.len > TENANT_NAME_MAX)
		return 0;
	return read_u32(view->rocks, view, name_key(space, name), ret, err);
}

int tenants_each(const struct rocks_view *view, tenants_visit *visit, void *context,
		 struct err *err)
{
	struct key from = key_meta(META_TENANT), to = key_after(&from);
	struct rocks_iter iter;
	int rc = 0;
	rocks_iter_open(view, FAMILY_META, &from, &to, false, &iter);
	for (; !rc && rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		struct str key = rocks_iter_key(&iter);
		rc = visit(context, u32_of(rocks_iter_value(&iter)), str_sub(key, 1, key.len), err);
	}
	rc = rc ? rc : rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	return rc;
}

int tenant_counters(const struct rocks_view *view, uint32_t tenant, struct counters *ret,
		    struct err *err)
{
	struct key key = key_meta_tenant(META_COUNTERS, tenant);
	struct rocks_value value;
	int rc = rocks_get(view->rocks, view, FAMILY_META, key_str(&key), &value, err);
	if (!rc)
		rc = value.bytes.ptr ? counters_decode(value.bytes, ret, err)
				     : err_set(err, ERR_CORRUPT,
					       "tenant %u: its counters are missing", tenant);
	rocks_value_free(&value);
	return rc;
}

static void tenant_destroy(struct tenant *tenant)
{
	if (!tenant)
		return;
	mem_free(tenant->name);
	mem_free(tenant->strings);
	mem_free(tenant->frames);
	mem_free(tenant->nodes);
	mem_free(tenant->days);
	mem_free(tenant);
}

void tenants_clear(struct tenants *tenants)
{
	for (size_t i = 0; i < tenants->count; i++)
		tenant_destroy(tenants->list[i]);
	mem_free(tenants->list);
	memset(tenants, 0, sizeof(*tenants));
}

static int load_counters(struct tenant *tenant, struct rocks *rocks, struct err *err)
{
	struct key key = key_meta_tenant(META_COUNTERS, tenant->id);
	struct rocks_value value;
	int rc = rocks_get(rocks, NULL, FAMILY_META, key_str(&key), &value, err);
	if (!rc && value.bytes.ptr)
		rc = counters_decode(value.bytes, &tenant->written, err);
	else if (!rc)
		rc = err_set(err, ERR_CORRUPT, "tenant %s: its counters are missing", tenant->name);
	rocks_value_free(&value);
	tenant->next = tenant->written;
	return rc;
}

/* Id 0 is the empty string, the root's frame, the root, and no series. Tenants too count from 1,
 * and those that the running commit makes are not yet in the database: the list knows them. */
static int make_tenant(struct tenants *tenants, struct tenant *tenant, struct rocks *rocks,
		       rocksdb_writebatch_t *batch, struct err *err)
{
	struct key key = key_meta(META_TENANTS);
	uint32_t count = 0;
	int rc = read_u32(rocks, NULL, key_str(&key), &count, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < tenants->count; i++)
		count = tenants->list[i]->id > count ? tenants->list[i]->id : count;
	tenant->id = count + 1;
	tenant->written = (struct counters){1, 1, 1, 1, 1};
	tenant->next = tenant->written;
	tenant->fresh = true;
	struct key id = {0};
	char space[TENANT_NAME_MAX + 1];
	key_u32(&id, tenant->id);
	rocks_put(rocks, batch, FAMILY_META, key_str(&key), key_str(&id));
	rocks_put(rocks, batch, FAMILY_META, name_key(space, str_of(tenant->name)), key_str(&id));
	return 0;
}

static int open_tenant(struct tenants *tenants, struct rocks *rocks, rocksdb_writebatch_t *batch,
		       struct str name, struct tenant *tenant, struct err *err)
{
	char space[TENANT_NAME_MAX + 1];
	int rc = read_u32(rocks, NULL, name_key(space, name), &tenant->id, err);
	if (rc)
		return rc;
	if (tenant->id)
		return load_counters(tenant, rocks, err);
	return make_tenant(tenants, tenant, rocks, batch, err);
}

int tenants_get(struct tenants *tenants, struct rocks *rocks, rocksdb_writebatch_t *batch,
		struct str name, struct tenant **ret, struct err *err)
{
	for (size_t i = 0; i < tenants->count; i++) {
		*ret = tenants->list[i];
		if (str_equal(str_of((*ret)->name), name))
			return 0;
	}
	struct tenant **list =
		mem_grow(tenants->list, &tenants->cap, tenants->count + 1, sizeof(*list));
	if (!list)
		return err_set(err, ERR_NOMEM, "tenants: no memory");
	tenants->list = list;
	struct tenant *tenant = mem_zalloc(1, sizeof(*tenant));
	if (!tenant || !(tenant->name = mem_strndup(name.ptr, name.len))) {
		tenant_destroy(tenant);
		return err_set(err, ERR_NOMEM, "tenants: no memory");
	}
	int rc = open_tenant(tenants, rocks, batch, name, tenant, err);
	if (rc) {
		tenant_destroy(tenant);
		return rc;
	}
	list[tenants->count++] = *ret = tenant;
	return 0;
}

/* ---- days ---- */

static int load_day(struct tenant *tenant, struct rocks *rocks, struct day_stats *day,
		    struct err *err)
{
	struct key key = key_meta_day(tenant->id, day->day);
	struct rocks_value value;
	int rc = rocks_get(rocks, NULL, FAMILY_META, key_str(&key), &value, err);
	if (!rc && value.bytes.ptr)
		rc = day_decode(value.bytes, day, err);
	rocks_value_free(&value);
	return rc;
}

int tenant_day(struct tenant *tenant, struct rocks *rocks, uint32_t day, struct day_stats **ret,
	       struct err *err)
{
	for (size_t i = tenant->day_count; i-- > 0;) {
		*ret = &tenant->days[i];
		if ((*ret)->day == day)
			return 0;
	}
	struct day_stats *days =
		mem_grow(tenant->days, &tenant->day_cap, tenant->day_count + 1, sizeof(*days));
	if (!days)
		return err_set(err, ERR_NOMEM, "totals of a day: no memory");
	tenant->days = days;
	struct day_stats *fresh = &days[tenant->day_count];
	*fresh = (struct day_stats){.day = day, .oldest_ns = UINT64_MAX};
	int rc = load_day(tenant, rocks, fresh, err);
	if (rc)
		return rc;
	tenant->day_count++;
	*ret = fresh;
	return 0;
}

void tenant_forget_days(struct tenant *tenant, uint32_t before)
{
	size_t kept = 0;
	for (size_t i = 0; i < tenant->day_count; i++)
		if (tenant->days[i].day >= before)
			tenant->days[kept++] = tenant->days[i];
	tenant->day_count = kept;
}

/* ---- writing ---- */

static void put_run(struct tenant *tenant, struct rocks *rocks, rocksdb_writebatch_t *batch,
		    enum key_kind kind, uint32_t first, const struct buf *run)
{
	struct key key = key_kind_u32(tenant->id, kind, first);
	rocks_put(rocks, batch, FAMILY_DICT, key_str(&key), buf_text(run));
}

/* How many entries from id on stand in one page. */
static uint32_t page_left(uint32_t id, uint32_t next, uint32_t page)
{
	uint32_t left = page - id % page;
	return next - id < left ? next - id : left;
}

static int put_entries(struct tenant *tenant, struct rocks *rocks, rocksdb_writebatch_t *batch,
		       struct err *err)
{
	struct buf run = {0};
	const struct counters *from = &tenant->written, *to = &tenant->next;
	uint32_t count;
	for (uint32_t id = from->string; id < to->string; id += count) {
		count = page_left(id, to->string, STRINGS_PER_PAGE);
		run_put_strings(&run, tenant->strings + (id - from->string), count);
		put_run(tenant, rocks, batch, KEY_STRING, id, &run);
		run.len = 0;
	}
	for (uint32_t id = from->frame; id < to->frame; id += count) {
		count = page_left(id, to->frame, FRAMES_PER_PAGE);
		run_put_frames(&run, tenant->frames + (id - from->frame), count);
		put_run(tenant, rocks, batch, KEY_FRAME, id, &run);
		run.len = 0;
	}
	for (uint32_t id = from->node; id < to->node; id += count) {
		count = page_left(id, to->node, NODES_PER_PAGE);
		run_put_nodes(&run, tenant->nodes + (id - from->node), count, id);
		put_run(tenant, rocks, batch, KEY_NODE, id, &run);
		run.len = 0;
	}
	int rc = buf_check(&run, "dictionary run", err);
	buf_deinit(&run);
	return rc;
}

static void put_days(struct tenant *tenant, struct rocks *rocks, rocksdb_writebatch_t *batch,
		     struct buf *scratch)
{
	for (size_t i = 0; i < tenant->day_count; i++) {
		struct day_stats *day = &tenant->days[i];
		if (!day->dirty)
			continue;
		struct key key = key_meta_day(tenant->id, day->day);
		scratch->len = 0;
		day_encode(scratch, day);
		rocks_put(rocks, batch, FAMILY_META, key_str(&key), buf_text(scratch));
	}
}

int tenant_put(struct tenant *tenant, struct rocks *rocks, rocksdb_writebatch_t *batch,
	       struct err *err)
{
	struct buf scratch = {0};
	struct key key = key_meta_tenant(META_COUNTERS, tenant->id);
	if (!tenant->fresh && tenant->next.sequence == tenant->written.sequence &&
	    tenant->next.node == tenant->written.node &&
	    tenant->next.frame == tenant->written.frame &&
	    tenant->next.string == tenant->written.string &&
	    tenant->next.series == tenant->written.series)
		return 0;
	counters_encode(&scratch, &tenant->next);
	rocks_put(rocks, batch, FAMILY_META, key_str(&key), buf_text(&scratch));
	put_days(tenant, rocks, batch, &scratch);
	int rc = buf_check(&scratch, "record of a tenant", err);
	buf_deinit(&scratch);
	return rc ? rc : put_entries(tenant, rocks, batch, err);
}

void tenant_written(struct tenant *tenant)
{
	tenant->written = tenant->next;
	tenant->fresh = false;
	for (size_t i = 0; i < tenant->day_count; i++)
		tenant->days[i].dirty = false;
	if (tenant->day_count > DAYS_KEPT)
		tenant->day_count = 0;
}
