/* Blocks of sums: each by itself, and whether a mark knows of it. That they are
 * the sums of the samples is checked beside the samples (verify_sums.c). */
#include "store/embedded/verify.h"

struct rollups {
	struct verify_tenant *tenant;
	enum level level;
	struct sample_key at; /* whose mark this is */
	struct mark mark;
	bool marked;
};

static int read_mark(struct rollups *rollups, const struct sample_key *key, struct err *err)
{
	struct verify *verify = rollups->tenant->verify;
	struct key at = key_kind_u32x2(rollups->tenant->id, KEY_DAY, key->day, key->series);
	struct rocks_value value;
	int rc = rocks_get(verify->rocks, &verify->view, FAMILY_SERIES, key_str(&at), &value, err);
	rollups->marked = !rc && value.bytes.ptr && !mark_decode(value.bytes, &rollups->mark, NULL);
	rocks_value_free(&value);
	rollups->at = *key;
	return rc && verify_blames(rc) ? 0 : rc;
}

/* Sums that were overtaken by new samples stay until their hour is settled anew; sums that no bit of
 * the mark stands for are never read and never removed. */
static bool is_known(const struct rollups *rollups, const struct sample_key *key)
{
	uint32_t hour = 1u << hour_of(key->time_ns) % 24;
	const struct mark *mark = &rollups->mark;
	if (rollups->level == LEVEL_DAY)
		return mark->whole == WHOLE_SUMMED;
	return (rollups->level == LEVEL_MINUTE ? mark->minute : mark->hour) & hour;
}

static int check_mark(struct rollups *rollups, const struct verify_block *block, struct err *err)
{
	char name[128];
	const struct sample_key *key = &block->key;
	int rc = 0;
	if (key->day != rollups->at.day || key->series != rollups->at.series)
		rc = read_mark(rollups, key, err);
	if (!rc && !(rollups->marked && is_known(rollups, key))) {
		verify_block_name(block, name, sizeof(name));
		verify_tenant_found(rollups->tenant, "%s: no mark knows of them", name);
	}
	return rc;
}

static int see_sums(void *context, struct str key, struct str value, struct err *err)
{
	struct rollups *rollups = context;
	struct verify_tenant *tenant = rollups->tenant;
	struct verify_block block;
	struct sample_key at;
	uint8_t level = 0;
	if (!key_parse_sums(key, &level, &at)) {
		verify_tenant_found(tenant, "a block of sums has a malformed key");
		return 0;
	}
	if (level < LEVEL_MINUTE || level > LEVEL_DAY) {
		verify_tenant_found(tenant,
				    "there are sums of level %u, which this cresset does not know",
				    level);
		return 0;
	}
	if (level != (unsigned)rollups->level)
		*rollups = (struct rollups){.tenant = tenant, .level = (enum level)level};
	tenant->verify->done.sum_blocks++;
	int rc = verify_block(tenant, rollups->level, &at, value, &block, err);
	return rc ? rc : check_mark(rollups, &block, err);
}

int verify_rollups(struct verify_tenant *tenant, struct err *err)
{
	struct rollups rollups = {.tenant = tenant};
	struct key from = {0}, to;
	bool cut = false;
	key_u32(&from, tenant->id);
	to = key_after(&from);
	return verify_each(tenant->verify, FAMILY_ROLLUPS, &from, &to, see_sums, &rollups, &cut,
			   err);
}
