/* Private to server: the JSON that Pyroscope's own page, Drilldown and the
 * exports of both read ("flamebearer", version 1). Sticky errors of buf. */
#pragma once

#include "base/buf.h"
#include "query/query.h"

struct flamebearer_about {
	const struct query_type *type;
	struct str name; /* of the profile; "": the sample type */
};

/* Values of steps of equal length: sums over (start + (i - 1) * step, start + i * step]. */
struct flamebearer_timeline {
	int64_t start_s, step_s, end_s;
	const struct store_points *points; /* at start_s, start_s + step_s ...; NULL: none */
};

/* {"version":1,"flamebearer":{...},"metadata":{...}; more members may follow, then '}'. */
void flamebearer_single(const struct query_flame *flame, const struct flamebearer_about *about,
			struct buf *out);
void flamebearer_double(const struct query_diff *diff, const struct flamebearer_about *about,
			struct buf *out);
/* {"startTime":...,"samples":[...],"durationDelta":...,"watermarks":null} */
void flamebearer_timeline(const struct flamebearer_timeline *timeline, struct buf *out);
