/* Private to the embedded engine: a compiled matcher, with PromQL's meaning: an
 * absent label is "", regular expressions match the whole value, and '.'
 * matches every character. Belongs to one query, so to one thread. */
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>

#include "store/embedded/block.h"
#include "store/engine.h"

/* What of a sample a name can mean. */
enum sample_field {
	FIELD_NONE,
	FIELD_PID,
	FIELD_TID,
	FIELD_THREAD_NAME,
	FIELD_CPU,
	FIELD_SPAN,
	FIELD_TRACE,
};

struct matcher {
	enum match_op op;
	struct str name, value;
	enum sample_field field;
	bool matches_empty;
	pcre2_code *regex;
	pcre2_match_data *data;
	pcre2_match_context *limits;
};

/* name and value stay the caller's. ERR_INVALID: the expression does not compile. */
MUST_USE int matcher_init(struct matcher *matcher, const struct store_matcher *source,
			  struct err *err);
void matcher_deinit(struct matcher *matcher); /* a zeroed one is fine */
/* ERR_LIMIT: the expression takes too many steps on this value. */
MUST_USE int matcher_test(const struct matcher *matcher, struct str value, bool *ret,
			  struct err *err);

/* Do two names mean the same: '.' and '_' are one? */
bool names_alike(struct str a, struct str b);
enum sample_field field_of_name(struct str name);
enum block_column column_of_field(enum sample_field field);
/* The name under which a field is listed: thread.id ... */
struct str name_of_field(enum sample_field field);
