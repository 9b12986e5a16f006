/* Profile type ids. */
#include "query/query.h"

enum { PARTS_MIN = 5, PARTS_MAX = 6 };

static int bad_id(struct str text, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "profile type \"%.*s\": expected "
		       "name:sample_type:sample_unit:period_type:period_unit"
		       " with an optional :delta",
		       STR_ARG(str_sub(text, 0, 200)));
}

int query_parse_type(struct str text, struct query_type *ret, struct err *err)
{
	struct str part[PARTS_MAX], rest = text;
	size_t count = 0;

	for (; count < PARTS_MAX && str_next(&rest, ':', &part[count]); count++)
		;
	if (count < PARTS_MIN || rest.ptr || part[0].len == 0 || part[1].len == 0)
		return bad_id(text, err);
	if (count == PARTS_MAX && !str_equal(part[5], STR("delta")))
		return bad_id(text, err);
	size_t id_len = (size_t)(part[4].ptr + part[4].len - text.ptr);
	*ret = (struct query_type){.id = str_sub(text, 0, id_len),
				   .name = part[0],
				   .sample_type = part[1],
				   .sample_unit = part[2],
				   .period_type = part[3],
				   .period_unit = part[4],
				   .delta = count == PARTS_MAX};
	return 0;
}
