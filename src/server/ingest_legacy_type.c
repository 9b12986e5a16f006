/* What /ingest calls the types of its profiles. Folded formats name theirs in the
 * application's name, "shop.alloc_space"; Pyroscope refuses suffixes that it does
 * not know, here the whole is the application and units tells the type. */
#include "server/ingest_legacy.h"

struct row {
	const char *key; /* suffix or units */
	const char *name, *type, *unit;
	bool sampled; /* taken at a rate: each value is a period of time */
};

static const struct row suffixes[] = {
	{"cpu", "process_cpu", "cpu", "nanoseconds", true},
	{"itimer", "process_cpu", "cpu", "nanoseconds", true},
	{"wall", "wall", "wall", "nanoseconds", true},
	{"inuse_objects", "memory", "inuse_objects", "count", false},
	{"inuse_space", "memory", "inuse_space", "bytes", false},
	{"alloc_objects", "memory", "alloc_objects", "count", false},
	{"alloc_space", "memory", "alloc_space", "bytes", false},
	{"goroutines", "goroutine", "goroutines", "count", false},
	{"mutex_count", "mutex", "contentions", "count", false},
	{"mutex_duration", "mutex", "delay", "nanoseconds", false},
	{"block_count", "block", "contentions", "count", false},
	{"block_duration", "block", "delay", "nanoseconds", false},
	{"lock_count", "block", "contentions", "count", false},
	{"lock_duration", "block", "delay", "nanoseconds", false},
	{"alloc_in_new_tlab_objects", "memory", "alloc_in_new_tlab_objects", "count", false},
	{"alloc_in_new_tlab_bytes", "memory", "alloc_in_new_tlab_bytes", "bytes", false},
	{"alloc_outside_tlab_objects", "memory", "alloc_outside_tlab_objects", "count", false},
	{"alloc_outside_tlab_bytes", "memory", "alloc_outside_tlab_bytes", "bytes", false},
	{"live", "memory", "live", "count", false},
	{"exceptions", "exceptions", "samples", "count", false},
};

static const struct row units[] = {
	{"samples", "process_cpu", "cpu", "nanoseconds", true},
	{"objects", "memory", "samples", "count", false},
	{"bytes", "memory", "samples", "bytes", false},
	{"lock_nanoseconds", "block", "delay", "nanoseconds", false},
	{"lock_samples", "block", "contentions", "count", false},
	{"goroutines", "goroutine", "goroutines", "count", false},
};

static const struct row *find(const struct row *rows, size_t count, struct str key)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(key, str_of(rows[i].key)))
			return &rows[i];
	return NULL;
}

void legacy_type_of(const struct legacy_request *request, struct legacy_type *ret)
{
	enum { NS_PER_S = 1000000000 };
	ptrdiff_t dot = str_rfind_char(request->app, '.');
	const struct row *row = NULL;

	*ret = (struct legacy_type){.app = request->app};
	if (dot > 0)
		row = find(suffixes, sizeof(suffixes) / sizeof(suffixes[0]),
			   str_sub(request->app, (size_t)dot + 1, request->app.len));
	if (row)
		ret->app = str_sub(request->app, 0, (size_t)dot);
	else
		row = find(units, sizeof(units) / sizeof(units[0]), request->units);
	row = row ? row : &units[0];
	ret->name = row->name;
	ret->type = row->type;
	ret->unit = row->unit;
	if (!row->sampled)
		return;
	if (request->rate_hz > 0 && request->rate_hz <= NS_PER_S) {
		ret->period_ns = NS_PER_S / request->rate_hz;
		return;
	}
	ret->type = "samples";
	ret->unit = "count";
}

/* ---- pprof ---- */

static bool holds(struct str text, const char *part)
{
	return str_find(text, str_of(part)) >= 0;
}

static const char *name_of_type(struct str type)
{
	if (holds(type, "cpu"))
		return "process_cpu";
	if (holds(type, "alloc_") || holds(type, "inuse_") || holds(type, "inuse-") ||
	    holds(type, "alloc-") || str_equal(type, STR("space")) ||
	    str_equal(type, STR("objects")))
		return "memory";
	if (holds(type, "mutex_"))
		return "mutex";
	if (holds(type, "block_"))
		return "block";
	if (holds(type, "goroutine"))
		return "goroutines";
	return NULL;
}

const char *legacy_pprof_name(const struct profile_dict *dict, const struct profile *profiles,
			      size_t count, struct str (*display)(void *user, struct str type),
			      void *user)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(profile_str(dict, profiles[i].sample_type.type), STR("wall")))
			return "wall";
	for (size_t i = 0; i < count; i++) {
		struct str type = profile_str(dict, profiles[i].sample_type.type);
		struct str shown = display(user, type);
		const char *name = name_of_type(shown.len > 0 ? shown : type);
		if (name)
			return name;
	}
	return NULL;
}
