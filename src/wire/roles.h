/* Private to wire: which field number means what, by layout. A later layout is a
 * row in these tables; older ones (A to D), whose tables and stacks are
 * elsewhere, are those of old.h. */
#pragma once

#include <stdint.h>

#include "wire/wire.h"

enum profile_role {
	PROFILE_UNKNOWN,
	PROFILE_SAMPLE_TYPE,
	PROFILE_SAMPLE,
	PROFILE_TIME,
	PROFILE_DURATION,
	PROFILE_PERIOD_TYPE,
	PROFILE_PERIOD,
	PROFILE_COMMENTS,
	PROFILE_ID,
	PROFILE_DROPPED,
	PROFILE_FORMAT,
	PROFILE_PAYLOAD,
	PROFILE_ATTRS,
};

enum sample_role {
	SAMPLE_UNKNOWN,
	SAMPLE_STACK,
	SAMPLE_VALUES,
	SAMPLE_ATTRS,
	SAMPLE_LINK,
	SAMPLE_TIMES,
};

enum { PROFILE_NUMBERS = 13, SAMPLE_NUMBERS = 6 };

struct roles {
	uint8_t profile[PROFILE_NUMBERS];
	uint8_t sample[SAMPLE_NUMBERS];
};

/* NULL for a layout that this decoder does not read. NONE reads as the newest. */
const struct roles *roles_of(enum wire_layout layout);
