/* Symbols of the engine and of the model: they come, are replaced and deleted,
 * and are listed. */
#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void put(struct random *random, struct store *store, struct model *model, unsigned tenant,
		unsigned build_id)
{
	struct model_symbols symbols, *known = &model->symbols[tenant][build_id];
	bool replaced = false;
	struct err err;
	model_random_symbols(random, build_id, &symbols);
	symbols.source = random_below(random, 2) ? STR("upload") : STR("debuginfod");
	int rc = store_symbols_put(store, model_tenants[tenant], model_build_ids[build_id],
				   symbols.source, symbols.list, symbols.count, &replaced, &err);
	if (!model_has_address(&symbols)) {
		assert_int_equal(rc, ERR_INVALID);
		return;
	}
	must(rc, &err);
	assert_int_equal(replaced, known->count > 0);
	*known = symbols;
}

static void delete (struct store *store, struct model *model, unsigned tenant, unsigned build_id)
{
	struct model_symbols *known = &model->symbols[tenant][build_id];
	struct err err;
	int rc =
		store_symbols_delete(store, model_tenants[tenant], model_build_ids[build_id], &err);
	assert_int_equal(rc, known->count ? 0 : ERR_NOT_FOUND);
	*known = (struct model_symbols){0};
}

void model_change_symbols(struct random *random, struct store *store, struct model *model)
{
	unsigned tenant = random_below(random, 5) == 0;
	unsigned build_id = random_below(random, MODEL_BUILD_IDS);
	if (random_below(random, 4))
		put(random, store, model, tenant, build_id);
	else
		delete (store, model, tenant, build_id);
}

/* ---- lists ---- */

static void compare_list(struct store *store, const struct model *model, struct str tenant,
			 struct arena *arena)
{
	const struct model_symbols *known = model->symbols[model_tenant_of(tenant)];
	struct lines expected = {0}, got = {0};
	struct store_symbols *list;
	size_t count;
	struct err err;
	must(store_symbols_list(store, tenant, arena, &list, &count, &err), &err);
	for (size_t i = 0; i < count; i++)
		lines_add(&got, "%.*s %.*s %llu", STR_ARG(list[i].build_id),
			  STR_ARG(list[i].source), (unsigned long long)list[i].functions);
	for (unsigned i = 0; i < MODEL_BUILD_IDS; i++)
		if (known[i].count)
			lines_add(&expected, "%.*s %.*s %zu", STR_ARG(model_build_ids[i]),
				  STR_ARG(known[i].source), known[i].count);
	char *a = lines_text(&expected), *b = lines_text(&got);
	assert_string_equal(a, b);
	free(a);
	free(b);
}

/* Frames without a name by build id: in samples, and in all that there can be. */
struct late {
	bool seen[MODEL_FRAMES];
	uint64_t least[MODEL_BUILD_IDS], most[MODEL_BUILD_IDS];
};

static void count_late(const struct model *model, unsigned tenant, struct late *ret)
{
	*ret = (struct late){0};
	for (size_t i = 0; i < model->count; i++)
		for (unsigned d = 0; d < model->samples[i].depth; d++)
			if (model->samples[i].tenant == tenant)
				ret->seen[model->samples[i].frames[d]] = true;
	for (unsigned i = 0; i < MODEL_FRAMES; i++) {
		unsigned build_id = model_late_build_id(&model_frames[i]);
		if (build_id == MODEL_BUILD_IDS)
			continue;
		ret->least[build_id] += ret->seen[i];
		ret->most[build_id]++;
	}
}

static uint64_t missing_of(const struct store_missing *list, size_t count, struct str build_id)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(list[i].build_id, build_id))
			return list[i].frames;
	return 0;
}

/* Frames that no sample has any more stay until they are collected. */
static void compare_missing(struct store *store, const struct model *model, struct str tenant,
			    struct arena *arena)
{
	unsigned number = model_tenant_of(tenant);
	struct store_missing *list;
	struct late late;
	size_t count, found = 0;
	struct err err;
	must(store_symbols_missing(store, tenant, NULL, arena, &list, &count, &err), &err);
	count_late(model, number, &late);
	for (unsigned i = 0; i < MODEL_BUILD_IDS; i++) {
		uint64_t frames = missing_of(list, count, model_build_ids[i]);
		bool has = model->symbols[number][i].count > 0;
		assert_in_range(frames, has ? 0 : late.least[i], has ? 0 : late.most[i]);
		found += frames > 0;
	}
	assert_int_equal(found, count);
}

void model_compare_symbols(struct store *store, const struct model *model, struct str tenant,
			   struct arena *arena)
{
	compare_list(store, model, tenant, arena);
	compare_missing(store, model, tenant, arena);
}
