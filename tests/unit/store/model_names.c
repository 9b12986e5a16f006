/* Names that come after the frames: what an address means is found by looking
 * at every function of its build id. */
#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

const struct str model_build_ids[MODEL_BUILD_IDS] = {{"abcdef", 6}, {"aa11", 4}, {"bb22", 4}};

enum { LAST_WITHOUT_SIZE = 4096 };

/* ---- random functions ---- */

static uint64_t random_start(struct random *random, unsigned build_id)
{
	switch (random_below(random, 12)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX - random_below(random, 3);
	default:
		return (build_id ? 0xfa : 0x1000) + random_below(random, 24);
	}
}

/* A run ends behind the 64 KiB of text that it is with a name, so that one build id has several. */
static struct str long_name(void)
{
	static char text[STORE_SYMBOL_TEXT_MAX];
	memset(text, 'x', sizeof(text));
	return (struct str){text, sizeof(text)};
}

/* Names and files of frames that have some are among them. */
void model_random_symbols(struct random *random, unsigned build_id, struct model_symbols *ret)
{
	static const uint64_t sizes[] = {0, 0, 1, 2, 4, 8, 16, 0x1000, UINT64_MAX};
	static const char *const names[] = {"late_a", "late_b", "late_c", "function_2",
					    "function_7"};
	static const char *const system_names[] = {"", "_Zlate", "late_a", "_Zmangled"};
	static const char *const files[] = {"", "file.c", "late.c"};
	ret->count = 1 + random_below(random, random_below(random, 2) ? 3 : MODEL_SYMBOLS);
	for (size_t i = 0; i < ret->count; i++)
		ret->list[i] = (struct store_symbol){
			.start = random_start(random, build_id),
			.size = sizes[random_below(random, 9)],
			.name = str_of(names[random_below(random, 5)]),
			.system_name = str_of(system_names[random_below(random, 4)]),
			.filename = str_of(files[random_below(random, 3)]),
		};
	if (random_below(random, 3) == 0)
		ret->list[random_below(random, (uint32_t)ret->count)].system_name = long_name();
}

/* ---- what they mean ---- */

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

/* One without a size goes up to the next start. */
static uint64_t end_of(const struct model_symbols *symbols, const struct store_symbol *symbol)
{
	uint64_t next = UINT64_MAX;
	bool last = true;
	for (size_t i = 0; i < symbols->count; i++)
		if (symbols->list[i].start > symbol->start) {
			last = false;
			next = symbols->list[i].start < next ? symbols->list[i].start : next;
		}
	if (symbol->size)
		return plus(symbol->start, symbol->size);
	return last ? plus(symbol->start, LAST_WITHOUT_SIZE) : next;
}

/* The one that starts last, and the first given of those that start at one place; or NULL. */
static const struct store_symbol *symbol_at(const struct model_symbols *symbols, uint64_t address)
{
	const struct store_symbol *found = NULL;
	for (size_t i = 0; i < symbols->count; i++) {
		const struct store_symbol *s = &symbols->list[i];
		if (s->start <= address && address < end_of(symbols, s) &&
		    (!found || s->start > found->start))
			found = s;
	}
	return found;
}

bool model_has_address(const struct model_symbols *symbols)
{
	for (size_t i = 0; i < symbols->count; i++)
		if (symbols->list[i].start < end_of(symbols, &symbols->list[i]))
			return true;
	return false;
}

/* ---- frames ---- */

unsigned model_tenant_of(struct str tenant)
{
	unsigned i = 0;
	while (i < MODEL_TENANTS && !str_equal(model_tenants[i], tenant))
		i++;
	assert_true(i < MODEL_TENANTS);
	return i;
}

unsigned model_late_build_id(const struct store_frame *frame)
{
	unsigned i = 0;
	if (frame->name.len || str_equal(frame->kind, STR("kernel")))
		return MODEL_BUILD_IDS;
	while (i < MODEL_BUILD_IDS && !str_equal(model_build_ids[i], frame->build_id))
		i++;
	return i;
}

void model_name_frames(const struct model *model, struct str tenant,
		       struct store_frame ret[MODEL_FRAMES])
{
	const struct model_symbols *all = model->symbols[model_tenant_of(tenant)];
	memcpy(ret, model_frames, MODEL_FRAMES * sizeof(*ret));
	for (unsigned i = 0; i < MODEL_FRAMES; i++) {
		unsigned build_id = model_late_build_id(&ret[i]);
		const struct store_symbol *s = build_id < MODEL_BUILD_IDS
						       ? symbol_at(&all[build_id], ret[i].address)
						       : NULL;
		if (!s)
			continue;
		ret[i].name = s->name;
		ret[i].system_name = str_equal(s->system_name, s->name) ? STR("") : s->system_name;
		ret[i].filename = s->filename;
	}
}
