/* Label selectors and profile type ids from the query API. */
#include <stdint.h>

#include "query/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	struct query_selector selector;
	struct query_type type;
	struct err err;
	struct str text = str_make(data, size);

	arena_init(&arena, 16 * 1024 * 1024);
	if (query_parse_selector(&arena, text, &selector, &err) == 0)
		for (size_t i = 0; i < selector.count; i++)
			if (selector.matchers[i].name.len == 0)
				__builtin_trap();
	if (query_parse_type(text, &type, &err) == 0 && type.id.len > size)
		__builtin_trap();
	arena_deinit(&arena);
	return 0;
}
