/* What a function and all that it calls take. */
#include "query/query.h"

#include "query/tree.h"

int query_function_total(struct arena *arena, const struct store_tree *stacks, struct str function,
			 int64_t *ret, struct err *err)
{
	bool *named = arena_zalloc(arena, (size_t)stacks->frame_count + 1, sizeof(*named));
	bool *inside = arena_zalloc(arena, (size_t)stacks->node_count + 1, sizeof(*inside));
	int64_t total = 0;

	if (!named || !inside)
		return err_set(err, ERR_NOMEM, "function: no memory");
	for (uint32_t i = 0; i < stacks->frame_count; i++) {
		struct str name = query_frame_name(arena, &stacks->frames[i]);
		if (!name.ptr)
			return err_set(err, ERR_NOMEM, "function: no memory");
		named[i] = str_equal(name, function);
	}
	for (uint32_t i = 1; i < stacks->node_count; i++) {
		assert_parent_first(stacks->parent[i], i);
		inside[i] = inside[stacks->parent[i]] || named[stacks->frame[i]];
		if (inside[i])
			total = query_add(total, stacks->self[i]);
	}
	*ret = total;
	return 0;
}
