#include "wire/roles.h"

#define SAMPLE_OF_E                                                                             \
	{                                                                                       \
		[1] = SAMPLE_STACK, [2] = SAMPLE_VALUES, [3] = SAMPLE_ATTRS, [4] = SAMPLE_LINK, \
		[5] = SAMPLE_TIMES                                                              \
	}
#define SAMPLE_OF_F                                                                             \
	{                                                                                       \
		[1] = SAMPLE_STACK, [2] = SAMPLE_ATTRS, [3] = SAMPLE_LINK, [4] = SAMPLE_VALUES, \
		[5] = SAMPLE_TIMES                                                              \
	}
/* The same in 1.8 and later. */
#define PROFILE_HEAD                                                         \
	[1] = PROFILE_SAMPLE_TYPE, [2] = PROFILE_SAMPLE, [3] = PROFILE_TIME, \
	[4] = PROFILE_DURATION, [5] = PROFILE_PERIOD_TYPE, [6] = PROFILE_PERIOD
#define PROFILE_OF_E1                                                                             \
	{                                                                                         \
		PROFILE_HEAD, [7] = PROFILE_COMMENTS, [8] = PROFILE_ID, [9] = PROFILE_DROPPED,    \
			      [10] = PROFILE_FORMAT, [11] = PROFILE_PAYLOAD, [12] = PROFILE_ATTRS \
	}
#define PROFILE_OF_E2                                                                        \
	{                                                                                    \
		PROFILE_HEAD, [7] = PROFILE_ID, [8] = PROFILE_DROPPED, [9] = PROFILE_FORMAT, \
			      [10] = PROFILE_PAYLOAD, [11] = PROFILE_ATTRS                   \
	}

static const struct roles roles_e1 = {.profile = PROFILE_OF_E1, .sample = SAMPLE_OF_E};
static const struct roles roles_e2 = {.profile = PROFILE_OF_E2, .sample = SAMPLE_OF_E};
static const struct roles roles_f = {.profile = PROFILE_OF_E2, .sample = SAMPLE_OF_F};

const struct roles *roles_of(enum wire_layout layout)
{
	static const struct roles *const all[WIRE_LAYOUT_COUNT] = {
		[WIRE_LAYOUT_NONE] = &roles_f,
		[WIRE_LAYOUT_E1] = &roles_e1,
		[WIRE_LAYOUT_E2] = &roles_e2,
		[WIRE_LAYOUT_F] = &roles_f,
	};

	return (unsigned)layout < WIRE_LAYOUT_COUNT ? all[layout] : NULL;
}
