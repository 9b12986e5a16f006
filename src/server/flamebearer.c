#include "server/flamebearer.h"

#include <inttypes.h>

#include "base/clock.h"
#include "server/pbjson.h"

/* ---- units ---- */

/* What of a type is shown as, and how many make a second. */
struct unit {
	struct str text;
	unsigned rate;
};

static struct unit unit_of(const struct query_type *type)
{
	static const char *const counted[] = {"inuse_objects", "alloc_objects", "goroutine",
					      "samples"};
	if (str_equal(type->sample_type, STR("cpu")))
		return (struct unit){STR("samples"), 1000000000};
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
		if (str_equal(type->sample_type, str_of(counted[i])))
			return (struct unit){STR("objects"), 100};
	return (struct unit){type->sample_unit, 100};
}

/* ---- parts ---- */

static void put_levels(const struct query_level *levels, size_t count, struct buf *out)
{
	buf_cstr(out, "\"levels\":[");
	for (size_t i = 0; i < count; i++) {
		buf_cstr(out, i ? ",[" : "[");
		for (size_t k = 0; k < levels[i].count; k++)
			buf_printf(out, k ? ",%" PRId64 : "%" PRId64, levels[i].values[k]);
		buf_char(out, ']');
	}
	buf_char(out, ']');
}

static void put_bars(const struct str *names, size_t name_count, const struct query_level *levels,
		     size_t level_count, int64_t total, int64_t max_self, struct buf *out)
{
	buf_cstr(out, "{\"version\":1,\"flamebearer\":{\"names\":[");
	for (size_t i = 0; i < name_count; i++) {
		if (i)
			buf_char(out, ',');
		pbjson_text(names[i], out);
	}
	buf_cstr(out, "],");
	put_levels(levels, level_count, out);
	buf_printf(out, ",\"numTicks\":%" PRId64 ",\"maxSelf\":%" PRId64 "}", total, max_self);
}

static void put_metadata(const struct flamebearer_about *about, const char *format, struct buf *out)
{
	struct unit unit = unit_of(about->type);
	buf_printf(out, ",\"metadata\":{\"format\":\"%s\",\"spyName\":\"\",\"sampleRate\":%u",
		   format, unit.rate);
	buf_cstr(out, ",\"units\":");
	pbjson_text(unit.text, out);
	buf_cstr(out, ",\"name\":");
	pbjson_text(about->name.len ? about->name : about->type->sample_type, out);
	buf_char(out, '}');
}

/* ---- the door ---- */

void flamebearer_single(const struct query_flame *flame, const struct flamebearer_about *about,
			struct buf *out)
{
	put_bars(flame->names, flame->name_count, flame->levels, flame->level_count, flame->total,
		 flame->max_self, out);
	put_metadata(about, "single", out);
}

void flamebearer_double(const struct query_diff *diff, const struct flamebearer_about *about,
			struct buf *out)
{
	put_bars(diff->names, diff->name_count, diff->levels, diff->level_count, diff->total,
		 diff->max_self, out);
	put_metadata(about, "double", out);
	buf_printf(out, ",\"leftTicks\":%" PRId64 ",\"rightTicks\":%" PRId64, diff->left_total,
		   diff->right_total);
}

void flamebearer_timeline(const struct flamebearer_timeline *timeline, struct buf *out)
{
	const struct store_points *points = timeline->points;
	size_t at = 0;
	buf_printf(out, "{\"startTime\":%" PRId64 ",\"samples\":[", timeline->start_s);
	for (int64_t t = timeline->start_s; t <= timeline->end_s; t += timeline->step_s) {
		uint64_t time_ns = (uint64_t)t * NS_PER_S;
		double value = 0;
		while (points && at < points->point_count && points->points[at].time_ns < time_ns)
			at++;
		if (points && at < points->point_count && points->points[at].time_ns == time_ns)
			value = points->points[at].value;
		buf_printf(out, t == timeline->start_s ? "%.0f" : ",%.0f", value);
	}
	buf_printf(out, "],\"durationDelta\":%" PRId64 ",\"watermarks\":null}", timeline->step_s);
}
