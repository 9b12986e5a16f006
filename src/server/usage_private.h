/* Private to usage*.c. */
#pragma once

#include "server/usage.h"

#define USAGE_OTHER "other" /* what is in no group */
enum { USAGE_NAME_MAX = 200 };

struct usage_matcher {
	enum match_op op;
	struct str name, value;
	struct regex *regex; /* NULL: plain text */
};

struct usage_group {
	struct str name;
	struct str label, before, after; /* of a name with ${labels.NAME}; label "" else */
	struct usage_matcher *matchers;
	size_t matcher_count;
	double probability;
	bool refused;
};

struct usage_groups {
	struct arena arena;
	struct usage_group items[USAGE_GROUPS_MAX];
	size_t count;
};

struct str usage_label(const struct relabel_labels *labels, struct str name);
