/* The query and the form of /ingest: the first line of the input is the query, the
 * rest the body of a form with the boundary "b". */
#include <assert.h>
#include <stdint.h>

#include "server/ingest_form.h"
#include "server/ingest_legacy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_query(struct str query)
{
	struct legacy_request legacy;
	struct legacy_type type;
	struct net_request request;
	struct arena arena;

	arena_init(&arena, 16 << 20);
	request = (struct net_request){.query = query, .arena = &arena};
	if (legacy_parse(&request, 1, &legacy, NULL) == 0) {
		assert(legacy.app.len > 0);
		legacy_type_of(&legacy, &type);
		assert(type.app.len > 0 && type.period_ns >= 0);
	}
	arena_deinit(&arena);
}

static void check_form(struct str body)
{
	struct form form;

	if (form_parse(STR("multipart/form-data; boundary=b"), body, &form, NULL))
		return;
	for (size_t i = 0; i < form.count; i++) {
		struct str part = form.parts[i].body;
		assert(part.ptr >= body.ptr && part.ptr + part.len <= body.ptr + body.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_make(data, size), query;

	if (size == 0 || !str_next(&rest, '\n', &query))
		return 0;
	check_query(query);
	if (rest.ptr)
		check_form(rest);
	return 0;
}
