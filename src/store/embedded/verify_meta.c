/* The family meta, and the requests that are remembered. */
#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "store/embedded/embedded.h"
#include "store/embedded/collection.h"
#include "store/embedded/verify.h"

/* ---- tenants ---- */

static struct verify_tenant *find_tenant(struct verify *verify, uint32_t id)
{
	for (size_t i = 0; i < verify->tenant_count; i++)
		if (verify->tenants[i].id == id)
			return &verify->tenants[i];
	return NULL;
}

static int add_tenant(struct verify *verify, uint32_t id, struct str name, struct err *err)
{
	struct verify_tenant *list = mem_grow(verify->tenants, &verify->tenant_cap,
					      verify->tenant_count + 1, sizeof(*list));
	if (!list)
		return err_set(err, ERR_NOMEM, "tenants: no memory");
	verify->tenants = list;
	struct verify_tenant *tenant = &list[verify->tenant_count++];
	*tenant = (struct verify_tenant){.verify = verify, .id = id};
	str_copy(tenant->name, sizeof(tenant->name), name);
	return 0;
}

static int see_tenant(void *context, struct str key, struct str value, struct err *err)
{
	struct verify *verify = context;
	struct str name = str_sub(key, 1, key.len);
	struct cur in = cur_make(value.ptr, value.len);
	uint32_t id = cur_u32be(&in);
	const struct verify_tenant *other = find_tenant(verify, id);
	if (name.len == 0 || name.len > TENANT_NAME_MAX || !cur_ok(&in) || cur_left(&in) || !id)
		verify_found(verify, "tenant \"%.*s\": its record is malformed", STR_ARG(name));
	else if (other)
		verify_found(verify, "tenants \"%s\" and \"%.*s\" have the same number %u",
			     other->name, STR_ARG(name), id);
	else
		return add_tenant(verify, id, name, err);
	return 0;
}

static int see_tenant_count(void *context, struct str key, struct str value, struct err *err)
{
	struct verify *verify = context;
	struct cur in = cur_make(value.ptr, value.len);
	uint32_t count = cur_u32be(&in);
	(void)key;
	(void)err;
	for (size_t i = 0; i < verify->tenant_count; i++)
		if (cur_ok(&in) && verify->tenants[i].id > count)
			verify_tenant_found(&verify->tenants[i],
					    "its number %u is above the number of tenants, %u",
					    verify->tenants[i].id, count);
	if (!cur_ok(&in) || cur_left(&in) || key.len != 1)
		verify_found(verify, "the number of tenants is malformed");
	return 0;
}

static int see_counters(void *context, struct str key, struct str value, struct err *err)
{
	struct verify *verify = context;
	struct cur in = cur_make(key.ptr, key.len);
	cur_skip(&in, 1);
	struct verify_tenant *tenant = find_tenant(verify, cur_u32be(&in));
	struct err why;
	(void)err;
	if (!tenant || !cur_ok(&in) || cur_left(&in)) {
		verify_found(verify, "there are counters of a tenant that is not there");
		return 0;
	}
	if (counters_decode(value, &tenant->next, &why)) {
		verify_tenant_found(tenant, "%s", why.text);
		/* Then no id is too large. */
		tenant->next = (struct counters){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX,
						 UINT64_MAX};
	}
	return 0;
}

/* Compared with the blocks later; here only for the progress. */
static int see_total(void *context, struct str key, struct str value, struct err *err)
{
	struct verify *verify = context;
	struct day_stats total;
	uint32_t tenant, day;
	(void)err;
	if (!key_parse_meta_day(key, &tenant, &day))
		verify_found(verify, "totals of a day: the key has %zu bytes instead of 9",
			     key.len);
	else if (!find_tenant(verify, tenant))
		verify_found(verify, "there are totals of tenant %u, which is not there", tenant);
	else if (!day_decode(value, &total, NULL))
		verify->done.samples_all += total.samples;
	return 0;
}

/* ---- what was collected ---- */

static int see_gone(void *context, struct str key, struct str value, struct err *err)
{
	struct verify *verify = context;
	struct cur in = cur_make(key.ptr, key.len);
	cur_skip(&in, 1);
	struct verify_tenant *tenant = find_tenant(verify, cur_u32be(&in));
	uint64_t gone[USED_KINDS];
	struct err why;
	(void)err;
	if (!tenant || !cur_ok(&in) || cur_left(&in))
		verify_found(verify, "something was collected of a tenant that is not there");
	else if (gone_decode(value, gone, &why))
		verify_tenant_found(tenant, "%s", why.text);
	else if (gone[USED_NODE] >= tenant->next.node || gone[USED_FRAME] >= tenant->next.frame ||
		 gone[USED_STRING] >= tenant->next.string ||
		 gone[USED_SERIES] >= tenant->next.series)
		verify_tenant_found(tenant, "more was collected than there ever was");
	return 0;
}

/* ---- format ---- */

static int see_format(void *context, struct str key, struct str value, struct err *err)
{
	struct verify *verify = context;
	struct cur in = cur_make(value.ptr, value.len);
	uint32_t version = cur_u32be(&in);
	verify->seed = cur_u64be(&in);
	if (!cur_ok(&in) || cur_left(&in) || key.len != 1)
		return err_set(err, ERR_CORRUPT,
			       "the format record is malformed: nothing can be checked");
	return format_refuse_newer(version, verify->options->path, err);
}

/* ---- all ---- */

/* One row a kind of record: its first byte. Tenants come first, since the others name them. */
static const struct record {
	enum key_kind kind;
	verify_entry *see;
} records[] = {
	{META_FORMAT, see_format},     {META_TENANT, see_tenant}, {META_TENANTS, see_tenant_count},
	{META_COUNTERS, see_counters}, {META_GONE, see_gone},	  {META_DAY, see_total},
};

enum { RECORD_COUNT = sizeof(records) / sizeof(records[0]) };

static int see_unknown(void *context, struct str key, struct str value, struct err *err)
{
	struct verify *verify = context;
	(void)value;
	(void)err;
	for (size_t i = 0; i < RECORD_COUNT; i++)
		if (key.len && key.ptr[0] == (char)records[i].kind)
			return 0;
	verify_found(verify, "there is a record of a kind that this cresset does not know: 0x%02x",
		     key.len ? (unsigned char)key.ptr[0] : 0);
	return 0;
}

static int see_request(void *context, struct str key, struct str value, struct err *err)
{
	(void)err;
	if (key.len != 20 || value.len)
		verify_found(context, "a remembered request is malformed");
	return 0;
}

static int verify_every(struct verify *verify, enum rocks_family family, verify_entry *see,
			struct err *err)
{
	struct key from = {0}, to = {0};
	bool cut;
	to = key_after(&from);
	return verify_each(verify, family, &from, &to, see, verify, &cut, err);
}

static void need_counters(struct verify *verify)
{
	static const struct counters none;
	for (size_t i = 0; i < verify->tenant_count; i++)
		if (memcmp(&verify->tenants[i].next, &none, sizeof(none)) == 0) {
			verify_tenant_found(&verify->tenants[i], "its counters are missing");
			verify->tenants[i].next =
				(struct counters){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX,
						  UINT64_MAX};
		}
}

int verify_meta(struct verify *verify, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < RECORD_COUNT; i++) {
		struct key from = key_meta(records[i].kind), to = key_after(&from);
		bool cut;
		rc = verify_each(verify, FAMILY_META, &from, &to, records[i].see, verify, &cut,
				 err);
	}
	rc = rc ? rc : verify_every(verify, FAMILY_META, see_unknown, err);
	rc = rc ? rc : verify_every(verify, FAMILY_RECENT, see_request, err);
	need_counters(verify);
	return rc;
}
