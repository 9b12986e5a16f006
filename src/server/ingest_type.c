/* Profile types. Grafana's Pyroscope shows CPU time as
 * process_cpu:cpu:nanoseconds:cpu:nanoseconds, so events counted at a fixed
 * period of CPU time become that time:
 *
 *	samples:count, period cpu:nanoseconds   process_cpu:cpu:nanoseconds:cpu:nanoseconds, value x period
 *	off_cpu:nanoseconds, no period          off_cpu:off_cpu:nanoseconds::
 *	events:nanoseconds, no period           the same: how profilers before 2025-09 sent off-CPU time
 *	TYPE:UNIT, period P:PUNIT               P:TYPE:UNIT:P:PUNIT
 *	TYPE:UNIT, no period                    TYPE:TYPE:UNIT::
 *
 * Pyroscope refuses the last; here a probe's events:count is as good as the rest.
 *
 * Who sends labels has chosen the name, and nothing is renamed or scaled: a Go
 * program's samples:count stays beside its cpu:nanoseconds. */
#include "server/ingest_type.h"

/* A colon would end the part of a profile type's id that it is in. */
static struct str part(struct arena *arena, struct str text)
{
	struct str copy;

	if (str_find_char(text, ':') < 0)
		return text;
	copy = arena_str(arena, text);
	for (size_t i = 0; i < copy.len; i++)
		if (copy.ptr[i] == ':')
			((char *)(uintptr_t)copy.ptr)[i] = '_';
	return copy;
}

static bool is(const struct profile_type *type, const char *sample_type, const char *sample_unit)
{
	return str_equal(type->sample_type, str_of(sample_type)) &&
	       str_equal(type->sample_unit, str_of(sample_unit));
}

static bool counts_cpu_time(const struct profile_type *type)
{
	return is(type, "samples", "count") && str_equal(type->period_type, STR("cpu")) &&
	       str_equal(type->period_unit, STR("nanoseconds"));
}

/* What stands for a name that was not given. */
static struct str fallback_name(const struct profile_type *type)
{
	return type->period_type.len > 0 ? type->period_type : type->sample_type;
}

static void rename_type(struct profile_type *type, int64_t period)
{
	if (counts_cpu_time(type)) {
		type->name = STR("process_cpu");
		type->sample_type = STR("cpu");
		type->sample_unit = STR("nanoseconds");
		type->scale = period;
	} else if (is(type, "events", "nanoseconds") && type->period_type.len == 0) {
		type->name = type->sample_type = STR("off_cpu");
	} else {
		type->name = fallback_name(type);
	}
}

int profile_type_of(struct arena *arena, const struct profile_dict *dict,
		    const struct profile *profile, enum ingest_naming naming, struct str given_name,
		    struct profile_type *ret, struct err *err)
{
	*ret = (struct profile_type){
		.sample_type = part(arena, profile_str(dict, profile->sample_type.type)),
		.sample_unit = part(arena, profile_str(dict, profile->sample_type.unit)),
		.period_type = STR(""),
		.period_unit = STR(""),
		.name = part(arena, given_name),
		.scale = 1,
	};
	if (profile->period > 0 || naming == INGEST_LABELS) {
		ret->period_type = part(arena, profile_str(dict, profile->period_type.type));
		ret->period_unit = part(arena, profile_str(dict, profile->period_type.unit));
	}
	if (!ret->name.ptr || !ret->sample_type.ptr || !ret->sample_unit.ptr ||
	    !ret->period_type.ptr || !ret->period_unit.ptr)
		return err_set(err, ERR_NOMEM, "no memory for a profile type");
	if (ret->sample_type.len == 0)
		return err_set(err, ERR_INVALID, "the profile has no sample_type");
	if (naming == INGEST_ATTRIBUTES)
		rename_type(ret, profile->period);
	else if (ret->name.len == 0)
		ret->name = fallback_name(ret);
	return 0;
}
