#include "elf/display.h"

#include "elf/demangle_short.h"

enum {
	TEXTS_MAX_BYTES = 2 << 20,
	NAMES_MAX = 16384,
};

struct memo_name {
	struct str system_name, display;
};

void display_memo_init(struct display_memo *memo)
{
	*memo = (struct display_memo){0};
	arena_init(&memo->texts, TEXTS_MAX_BYTES);
	buf_init(&memo->scratch, 0);
}

void display_memo_deinit(struct display_memo *memo)
{
	map_deinit(&memo->known);
	arena_deinit(&memo->texts);
	buf_deinit(&memo->scratch);
}

static void forget_all(struct display_memo *memo)
{
	map_clear(&memo->known);
	arena_reset(&memo->texts);
}

/* False when there is no room. */
static bool remember(struct display_memo *memo, uint64_t hash, struct str system_name,
		     struct str display)
{
	struct memo_name *m = arena_alloc(&memo->texts, sizeof(*m));

	if (!m || memo->known.count >= NAMES_MAX)
		return false;
	m->system_name = arena_str(&memo->texts, system_name);
	m->display = arena_str(&memo->texts, display);
	return m->system_name.ptr && m->display.ptr &&
	       map_put(&memo->known, hash, (uintptr_t)m, NULL) == 0;
}

struct str display_memo_get(struct display_memo *memo, struct str system_name)
{
	/* Mangled names start with an underscore, so most names of C need no look. */
	if (system_name.len == 0 || (system_name.ptr[0] != '_' && !go_name_has_shapes(system_name)))
		return system_name;
	uint64_t hash = str_hash(system_name);
	uint64_t *slot = map_get(&memo->known, hash);
	const struct memo_name *m = slot ? (const struct memo_name *)(uintptr_t)*slot : NULL;
	if (m && str_equal(m->system_name, system_name))
		return m->display;
	struct str display = symbol_display_name(system_name, &memo->scratch);
	/* Forgetting leaves the scratch and the caller's text, which display is one of. */
	if (display.ptr != system_name.ptr && !remember(memo, hash, system_name, display))
		forget_all(memo);
	return display;
}
