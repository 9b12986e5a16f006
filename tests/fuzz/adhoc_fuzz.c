/* Files that somebody uploads to look at: any format. What is taken has a tree whose total is its parts'. */
#include <stdint.h>

#include "server/adhoc_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_hang_together(const struct query_tree *tree)
{
	for (uint32_t i = 1; i < tree->count; i++)
		if (tree->nodes[i].parent >= i)
			__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct adhoc_profile *profiles;
	struct arena arena;
	struct err err;
	size_t count, at;

	arena_init(&arena, 256 * 1024 * 1024);
	if (adhoc_decode(&arena, str_make(data, size), NULL, &profiles, &count, &at, &err) == 0)
		must_hang_together(&profiles[at].tree);
	arena_deinit(&arena);
	return 0;
}
