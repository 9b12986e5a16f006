/* Old clients send profiles that count from the start of the program, each with
 * the one before it. */
#include "server/ingest_legacy.h"

enum { KEYS_MAX = 1 << 28 };

/* Values of before by what they are of. */
struct before {
	struct arena *arena;
	struct strtab *keys; /* stack and attributes as bytes → sum + 1 */
	int64_t *sums;
	size_t count, cap;
	uint32_t *key; /* scratch */
	size_t key_cap;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory to compare a profile with the one before it");
}

static int make_key(struct before *b, const struct profile_sample *sample, uint32_t *ret_id,
		    struct err *err)
{
	size_t count = (size_t)sample->attr_count + 2;
	uint32_t *key = arena_grow(b->arena, b->key, &b->key_cap, count, sizeof(*key));

	if (!key)
		return no_memory(err);
	b->key = key;
	key[0] = sample->stack;
	key[1] = sample->link;
	for (uint32_t i = 0; i < sample->attr_count; i++)
		key[i + 2] = sample->attrs[i];
	return strtab_intern(b->keys, str_make(key, count * sizeof(*key)), ret_id, err);
}

/* The sum of what a sample is of, added with 0 if it is new. */
static int find_sum(struct before *b, const struct profile_sample *sample, int64_t **ret,
		    struct err *err)
{
	uint32_t id;
	int rc = make_key(b, sample, &id, err);

	if (rc)
		return rc;
	if (id > b->count) {
		int64_t *grown =
			arena_grow(b->arena, b->sums, &b->cap, b->count + 1, sizeof(*grown));
		if (!grown)
			return no_memory(err);
		b->sums = grown;
		grown[b->count++] = 0;
	}
	*ret = &b->sums[id - 1];
	return 0;
}

static int add_up(struct before *b, const struct profile *before, struct err *err)
{
	int64_t *sum;
	int rc = 0;

	for (size_t i = 0; i < before->sample_count && !rc; i++) {
		const struct profile_sample *sample = &before->samples[i];
		rc = find_sum(b, sample, &sum, err);
		if (!rc && __builtin_add_overflow(*sum, sample->values[0], sum))
			*sum = INT64_MAX;
	}
	return rc;
}

/* A stack may be there several times: each sample takes what is left of the sum. */
static int take_off(struct before *b, struct profile *now, struct err *err)
{
	size_t kept = 0;
	int64_t *sum;
	int rc = 0;

	for (size_t i = 0; i < now->sample_count && !rc; i++) {
		struct profile_sample *sample = &now->samples[i];
		int64_t value = sample->values[0];
		rc = find_sum(b, sample, &sum, err);
		if (rc)
			break;
		int64_t off = *sum < 0 ? 0 : *sum < value ? *sum : value;
		if (value <= 0)
			off = value;
		else
			*sum -= off;
		sample->values[0] = value - off;
		if (sample->values[0] > 0)
			now->samples[kept++] = *sample;
	}
	now->sample_count = rc ? now->sample_count : kept;
	return rc;
}

int legacy_subtract(struct arena *arena, struct profile *now, const struct profile *before,
		    struct err *err)
{
	struct before b = {.arena = arena};
	int rc = strtab_create(arena, KEYS_MAX, &b.keys, err);

	rc = rc ? rc : add_up(&b, before, err);
	return rc ? rc : take_off(&b, now, err);
}
