/* Private to server: an anchored regular expression with named and numbered
 * groups (PCRE2), and replacement templates over its groups. Immutable once made;
 * any thread. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct regex;

/* ERR_INVALID with the place and reason. */
MUST_USE int regex_create(struct str pattern, struct regex **ret, struct err *err);
void regex_destroy(struct regex *regex);

/* One match and its groups; regex_match_deinit frees them. */
struct regex_match {
	void *data;
	struct str subject;
	bool matched;
};

/* Does the pattern match the whole text? ERR_LIMIT when it takes too many steps, ERR_NOMEM. */
MUST_USE int regex_match(const struct regex *regex, struct str text, struct regex_match *ret,
			 struct err *err);
void regex_match_deinit(struct regex_match *match);

/* "a-$1-${name}" as Go's regexp.Expand reads it; a group that does not exist is empty. */
struct template_part {
	struct str text; /* when group < 0 */
	int group;
};

struct template
{
	struct template_part *parts;
	size_t count;
};

/* Parts are in the arena, texts views of text. */
MUST_USE int template_create(struct arena *arena, const struct regex *regex, struct str text,
			     struct template *ret, struct err *err);
/* {NULL, 0} without memory. */
struct str template_expand(const struct template *template, const struct regex_match *match,
			   struct arena *arena);
