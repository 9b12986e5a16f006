/* sample_type_config is {"TYPE": {"units":, "display-name":, "aggregation":,
 * "cumulative":, "sampled":}, ...}. As in Grafana's Pyroscope types and units are
 * the profile's own, and display-name helps to find __name__. cumulative counts
 * where the form has a profile from before: what is stored is the difference. */
#include "server/ingest_legacy_pprof.h"

#include <jansson.h>

#include "base/json_bytes.h"
#include "base/map.h"
#include "server/ingest_form.h"
#include "wire/pprof.h"

struct parts {
	struct str profile, before, config;
	json_t *types; /* sample_type_config; NULL: none */
};

static int read_config(struct parts *parts, struct err *err)
{
	json_error_t why;

	if (parts->config.len == 0)
		return 0;
	if (json_tree_bytes(parts->config) > JSON_TREE_MAX_BYTES / 16)
		return err_set(err, ERR_LIMIT, "sample_type_config: too large");
	parts->types = json_loadb(parts->config.ptr, parts->config.len, 0, &why);
	if (json_is_object(parts->types))
		return 0;
	return err_set(err, ERR_INVALID, "sample_type_config: %s",
		       parts->types ? "expected an object" : why.text);
}

static int read_parts(const struct legacy_request *request, struct str body, struct parts *parts,
		      struct err *err)
{
	struct form form;
	int rc = form_or_part(request->content_type, body, STR("profile"), &form, &parts->profile,
			      err);

	parts->before = form_get(&form, STR("prev_profile"));
	parts->config = form_get(&form, STR("sample_type_config"));
	parts->types = NULL;
	return rc ? rc : read_config(parts, err);
}

static const json_t *config_of(const struct parts *parts, struct str type)
{
	return json_object_getn(parts->types, type.ptr, type.len);
}

/* What names a type in Pyroscope's own table when the sender has none. */
static struct str default_display(struct str type)
{
	if (str_equal(type, STR("samples")))
		return STR("cpu");
	if (str_equal(type, STR("goroutine")))
		return STR("goroutines");
	if (str_equal(type, STR("contentions")))
		return STR("mutex_count");
	return str_equal(type, STR("delay")) ? STR("mutex_duration") : (struct str){NULL, 0};
}

static struct str display_name(void *user, struct str type)
{
	const struct parts *parts = user;
	const json_t *name = json_object_get(config_of(parts, type), "display-name");

	if (!parts->types)
		return default_display(type);
	return json_is_string(name) ? str_make(json_string_value(name), json_string_length(name))
				    : (struct str){NULL, 0};
}

static bool is_cumulative(const struct parts *parts, struct str type)
{
	static const char *const names[] = {"alloc_objects", "alloc_space", "contentions", "delay"};
	const json_t *config = config_of(parts, type);

	if (parts->types)
		return json_is_true(json_object_get(config, "cumulative"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_equal(type, str_of(names[i])))
			return true;
	return false;
}

/* ---- the profile before ---- */

static uint64_t type_key(const struct profile *profile)
{
	return (uint64_t)profile->sample_type.type << 32 | profile->sample_type.unit;
}

/* By type; a profile has some few types, but a hostile one a hundred thousand. The first of a type counts. */
static int find_types(const struct profile_scope *scope, struct map *ret, struct err *err)
{
	int rc = 0;

	for (size_t i = scope->profile_count; i-- > 0 && !rc;)
		rc = map_put(ret, type_key(&scope->profiles[i]), i, err);
	return rc;
}

static int subtract_types(struct ingest_sink *sink, const struct parts *parts,
			  struct profile_scope *scope, const struct profile_scope *before,
			  const struct map *types, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < scope->profile_count && !rc; i++) {
		struct profile *now = &scope->profiles[i];
		const uint64_t *at = map_get(types, type_key(now));
		if (at &&
		    is_cumulative(parts, profile_str(&sink->batch->dict, now->sample_type.type)))
			rc = legacy_subtract(sink->arena, now, &before->profiles[*at], err);
	}
	return rc;
}

static int subtract(struct ingest_sink *sink, const struct parts *parts,
		    struct profile_scope *scope, struct err *err)
{
	struct profile_scope before = {0};
	struct map types = {0};
	struct wire_pprof_about about;
	int rc = wire_pprof_decode(parts->before, &sink->wire, &before, &about, err);

	if (rc) {
		err_wrap(err, "prev_profile");
		return rc;
	}
	rc = find_types(&before, &types, err);
	rc = rc ? rc : subtract_types(sink, parts, scope, &before, &types, err);
	map_deinit(&types);
	return rc;
}

/* ---- the profile ---- */

static void set_times(struct profile_scope *scope, const struct legacy_request *request)
{
	for (size_t i = 0; i < scope->profile_count; i++)
		if (scope->profiles[i].time_ns == 0)
			scope->profiles[i].time_ns = request->from_ns;
}

/* .NET's profiler writes "inuse-space". */
static int rename_dotnet_types(struct ingest_sink *sink, struct profile_scope *scope,
			       struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < scope->profile_count && !rc; i++) {
		uint32_t *type = &scope->profiles[i].sample_type.type;
		struct str text = arena_str(sink->arena, profile_str(&sink->batch->dict, *type));
		char *at = (char *)(uintptr_t)text.ptr;
		if (!at)
			return err_set(err, ERR_NOMEM, "no memory for a sample type");
		for (size_t k = 0; k < text.len; k++)
			at[k] = at[k] == '-' ? '_' : at[k];
		rc = profile_string(sink->batch, text, type, err);
	}
	return rc;
}

static bool is_dotnet(const struct legacy_request *request, const struct parts *parts)
{
	return str_equal(request->spy, STR("dotnetspy")) ||
	       (str_equal(request->spy, STR("unknown")) && config_of(parts, STR("inuse-space")));
}

static int add_profile(struct ingest_sink *sink, const struct legacy_request *request,
		       struct parts *parts, struct err *err)
{
	struct profile_resource *resource;
	struct wire_pprof_about about;
	struct profile_scope *scope;
	const char *name = NULL;
	int rc = legacy_series(sink, request, request->app, &resource, &scope, err);

	rc = rc ? rc : wire_pprof_decode(parts->profile, &sink->wire, scope, &about, err);
	if (rc)
		return rc;
	if (parts->before.len > 0)
		rc = subtract(sink, parts, scope, err);
	if (!rc && is_dotnet(request, parts))
		rc = rename_dotnet_types(sink, scope, err);
	set_times(scope, request);
	ingest_sink_identify(scope, 0, request->who, parts->profile);
	if (!rc)
		name = legacy_pprof_name(&sink->batch->dict, scope->profiles, scope->profile_count,
					 display_name, parts);
	if (!rc && name)
		rc = ingest_sink_label(sink, resource, STR("__name__"), str_of(name), err);
	return rc;
}

int legacy_pprof(struct ingest_sink *sink, const struct legacy_request *request, struct str body,
		 struct err *err)
{
	struct parts parts;
	int rc = read_parts(request, body, &parts, err);

	/* Without a profile there is nothing to do, as in Pyroscope. */
	if (!rc && parts.profile.len > 0)
		rc = add_profile(sink, request, &parts, err);
	json_decref(parts.types);
	return rc;
}
