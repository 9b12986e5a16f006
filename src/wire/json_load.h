/* Private to wire: a JSON text as a tree, which takes much more memory than it. */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

/* ERR_LIMIT when its values would need more than JSON_TREE_MAX_BYTES, ERR_INVALID with line and column,
 * ERR_NOMEM. */
MUST_USE int json_tree_load(struct str text, json_t **ret, struct err *err);
/* NULL is fine. text is what it was made from. */
void json_tree_free(json_t *root, struct str text);
