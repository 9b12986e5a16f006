/* Private to profile: the interning tables behind a dictionary. */
#pragma once

#include "profile/profile.h"
#include "profile/table.h"

struct profile_builder {
	struct table mappings, locations, functions, links, attributes, stacks;
};
