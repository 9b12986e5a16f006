/* Blocks of samples, and what is said of them elsewhere: the marks of series on
 * days, which come in the same order and are walked beside them, and the totals
 * of the days. */
#include <stdint.h>
#include <string.h>

#include "store/embedded/verify.h"

/* The blocks of one series on one day. */
struct group {
	uint32_t day, series;
	uint32_t columns, hours;
	uint64_t blocks;
	bool sound;
};

struct walk {
	struct verify_tenant *tenant;
	struct rocks_iter marks;
	struct group group;	/* series 0: none */
	struct day_stats total; /* of the group's day */
	roaring_bitmap_t *days;
	bool cut; /* blocks could not be read */
};

/* ---- marks ---- */

struct day_mark {
	uint32_t day, series;
	struct mark mark;
	bool sound;
};

static bool read_mark(struct walk *walk, struct day_mark *ret)
{
	struct err why;
	while (rocks_iter_valid(&walk->marks)) {
		struct str key = rocks_iter_key(&walk->marks);
		struct str value = rocks_iter_value(&walk->marks);
		*ret = (struct day_mark){.day = key_part(key, 0), .series = key_part(key, 1)};
		if (key.len == 13) {
			ret->sound = mark_decode(value, &ret->mark, &why) == 0;
			if (!ret->sound)
				verify_tenant_found(walk->tenant, "series %u on day %u: %s",
						    ret->series, ret->day, why.text);
			return true;
		}
		verify_tenant_found(walk->tenant, "a mark of a day has a malformed key");
		rocks_iter_next(&walk->marks);
	}
	return false;
}

static bool comes_before(const struct day_mark *mark, uint32_t day, uint32_t series)
{
	return mark->day != day ? mark->day < day : mark->series < series;
}

/* Marks up to (day, series), which is left to the caller, have no blocks. */
static bool pass_marks(struct walk *walk, uint32_t day, uint32_t series, struct day_mark *ret)
{
	while (read_mark(walk, ret) && comes_before(ret, day, series)) {
		if (!walk->cut)
			verify_tenant_found(walk->tenant,
					    "series %u is marked on day %u, but has no blocks "
					    "there",
					    ret->series, ret->day);
		walk->tenant->verify->done.marks++;
		rocks_iter_next(&walk->marks);
	}
	return rocks_iter_valid(&walk->marks) && ret->day == day && ret->series == series;
}

static int check_mark(struct walk *walk, const struct day_mark *at, struct err *err)
{
	const struct group *group = &walk->group;
	const struct mark *mark = &at->mark;
	uint32_t summed = (mark->minute | mark->hour) & ~mark->pending & ~group->hours;
	if (!at->sound)
		return 0;
	/* Whether times differ within a block depends on which rows share it: settling changes that. */
	if ((mark->columns ^ group->columns) & ~(1u << BLOCK_TIME) && group->sound)
		verify_tenant_found(walk->tenant,
				    "series %u on day %u: the mark says columns 0x%x, its blocks "
				    "have 0x%x",
				    group->series, group->day, mark->columns, group->columns);
	if (summed && group->sound)
		verify_tenant_found(walk->tenant,
				    "series %u on day %u: the mark says sums of the hours 0x%x, "
				    "which have no blocks",
				    group->series, group->day, summed);
	return group->sound ? verify_sums(walk->tenant, group->day, group->series, mark, err) : 0;
}

/* ---- totals ---- */

static void compare(struct walk *walk, const char *what, uint64_t said, uint64_t counted)
{
	if (said != counted)
		verify_tenant_found(walk->tenant, "day %u: the total says %llu %s, there are %llu",
				    walk->total.day, (unsigned long long)said, what,
				    (unsigned long long)counted);
}

static int check_total(struct walk *walk, struct err *err)
{
	struct verify_tenant *tenant = walk->tenant;
	struct key key = key_meta_day(tenant->id, walk->total.day);
	const struct day_stats *counted = &walk->total;
	struct day_stats said = {0};
	struct rocks_value value;
	struct err why;
	int rc = rocks_get(tenant->verify->rocks, &tenant->verify->view, FAMILY_META, key_str(&key),
			   &value, err);
	if (!rc && !value.bytes.ptr) {
		verify_tenant_found(tenant, "day %u has blocks, but no totals", counted->day);
	} else if (!rc && day_decode(value.bytes, &said, &why)) {
		verify_tenant_found(tenant, "day %u: %s", counted->day, why.text);
	} else if (!rc) {
		compare(walk, "samples", said.samples, counted->samples);
		compare(walk, "blocks", said.blocks, counted->blocks);
		compare(walk, "bytes of blocks", said.bytes, counted->bytes);
		compare(walk, "ns as the oldest time", said.oldest_ns, counted->oldest_ns);
		compare(walk, "ns as the newest time", said.newest_ns, counted->newest_ns);
	}
	rocks_value_free(&value);
	return rc && verify_blames(rc) ? 0 : rc;
}

static int end_day(struct walk *walk, struct err *err)
{
	if (walk->total.blocks == 0)
		return 0;
	walk->tenant->verify->done.days++;
	roaring_bitmap_add(walk->days, walk->total.day);
	return check_total(walk, err);
}

static int see_total(void *context, struct str key, struct str value, struct err *err)
{
	struct walk *walk = context;
	uint32_t tenant, day;
	(void)value;
	(void)err;
	if (key_parse_meta_day(key, &tenant, &day) && !roaring_bitmap_contains(walk->days, day))
		verify_tenant_found(walk->tenant, "day %u has totals, but no blocks", day);
	return 0;
}

static int check_days(struct walk *walk, struct err *err)
{
	struct key from = key_meta_tenant(META_DAY, walk->tenant->id), to = key_after(&from);
	bool cut = false;
	return verify_each(walk->tenant->verify, FAMILY_META, &from, &to, see_total, walk, &cut,
			   err);
}

/* ---- blocks ---- */

static int end_group(struct walk *walk, struct err *err)
{
	struct group *group = &walk->group;
	struct day_mark mark;
	if (group->series == 0 && group->blocks == 0)
		return 0;
	if (!pass_marks(walk, group->day, group->series, &mark)) {
		verify_tenant_found(walk->tenant,
				    "series %u has blocks on day %u, but no mark, so queries miss "
				    "them",
				    group->series, group->day);
		return 0;
	}
	walk->tenant->verify->done.marks++;
	rocks_iter_next(&walk->marks);
	return check_mark(walk, &mark, err);
}

static int begin_group(struct walk *walk, const struct sample_key *key, struct err *err)
{
	int rc = end_group(walk, err);
	if (!rc && walk->total.day != key->day)
		rc = end_day(walk, err);
	if (walk->total.day != key->day)
		walk->total = (struct day_stats){.day = key->day, .oldest_ns = UINT64_MAX};
	walk->group = (struct group){.day = key->day, .series = key->series, .sound = true};
	if (!key->series || !verify_has(walk->tenant, VERIFY_SERIES, key->series))
		verify_tenant_found(walk->tenant,
				    "there are samples of series %u on day %u, which is not there",
				    key->series, key->day);
	return rc;
}

static void add_block(struct walk *walk, const struct verify_block *block, size_t bytes)
{
	struct group *group = &walk->group;
	struct day_stats *total = &walk->total;
	struct store_verified *done = &walk->tenant->verify->done;
	group->blocks++;
	group->columns |= block->columns;
	group->hours |= 1u << hour_of(block->key.time_ns) % 24;
	group->sound = group->sound && block->sound;
	total->blocks++;
	total->bytes += bytes;
	total->samples += block->head.count;
	if (block->key.time_ns < total->oldest_ns)
		total->oldest_ns = block->key.time_ns;
	if (block->head.max_time_ns > total->newest_ns)
		total->newest_ns = block->head.max_time_ns;
	done->blocks++;
	done->samples += block->head.count;
}

static int see_block(void *context, struct str key, struct str value, struct err *err)
{
	struct walk *walk = context;
	struct sample_key at;
	struct verify_block block;
	int rc = 0;
	if (!key_parse_samples(key, &at)) {
		verify_tenant_found(walk->tenant, "a block of samples has a malformed key");
		return 0;
	}
	if (walk->group.blocks == 0 || at.day != walk->group.day || at.series != walk->group.series)
		rc = begin_group(walk, &at, err);
	rc = rc ? rc : verify_block(walk->tenant, LEVEL_RAW, &at, value, &block, err);
	if (!rc)
		add_block(walk, &block, value.len);
	return rc;
}

static int walk_blocks(struct walk *walk, struct err *err)
{
	struct verify_tenant *tenant = walk->tenant;
	struct key from = {0}, to;
	struct day_mark mark;
	key_u32(&from, tenant->id);
	to = key_after(&from);
	int rc = verify_each(tenant->verify, FAMILY_SAMPLES, &from, &to, see_block, walk,
			     &walk->cut, err);
	if (!rc && walk->cut)
		return 0; /* what was seen of the last group is not all of it */
	rc = rc ? rc : end_group(walk, err);
	rc = rc ? rc : end_day(walk, err);
	if (!rc)
		(void)pass_marks(walk, UINT32_MAX, UINT32_MAX, &mark);
	return rc ? rc : check_days(walk, err);
}

int verify_samples(struct verify_tenant *tenant, struct err *err)
{
	struct walk walk = {.tenant = tenant, .days = roaring_bitmap_create()};
	struct key from = key_kind(tenant->id, KEY_DAY), to = key_after(&from);
	struct err why;
	if (!walk.days)
		return err_set(err, ERR_NOMEM, "days of a tenant: no memory");
	rocks_iter_open(&tenant->verify->view, FAMILY_SERIES, &from, &to, true, &walk.marks);
	int rc = walk_blocks(&walk, err);
	int end = rocks_iter_check(&walk.marks, &why);
	rocks_iter_close(&walk.marks);
	roaring_bitmap_free(walk.days);
	if (!rc && end)
		verify_tenant_found(tenant, "marks of days: %s", why.text);
	return rc;
}
