/* A recording: export requests as they came, each behind its length (4 bytes, low byte first), the whole
 * packed with xz. bench/record.sh makes one, bench-store mode=replay sends it. */
#pragma once

#include <stddef.h>

#include "base/str.h"

struct recording {
	struct str *requests; /* in order of arrival */
	size_t count;
	char *bytes;
};

/* Ends the program with a sentence when the file cannot be read or is no recording. */
void recording_open(const char *path, struct recording *ret);
