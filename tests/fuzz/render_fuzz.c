/* The parameters of the REST paths: times, and queries of a type and a selector. A time that is taken is
 * one that a query can be asked with. */
#include <stdint.h>

#include "server/attime.h"
#include "server/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make(data, size), id, selector_text;
	struct query_selector selector;
	struct arena arena;
	struct err err;
	int64_t ms;

	if (attime_parse(text, 1700000000000, &ms, &err) == 0 && ms < 0)
		__builtin_trap();
	arena_init(&arena, 64 * 1024 * 1024);
	api_split_query(text, &id, &selector_text);
	if (id.len + selector_text.len > size)
		__builtin_trap();
	if (query_parse_selector(&arena, selector_text, &selector, &err) &&
	    id.len + selector_text.len == 0 && size > 0)
		__builtin_trap();
	arena_deinit(&arena);
	return 0;
}
