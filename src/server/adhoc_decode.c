#include "server/adhoc_decode.h"

#include <jansson.h>

#include "base/json_bytes.h"
#include "profile/profile.h"
#include "server/ingest_frames.h"
#include "wire/folded.h"
#include "wire/pprof.h"
#include "wire/speedscope.h"

enum { PROFILES_MAX = 1000, JSON_MAX_BYTES = 128 * 1024 * 1024 };

struct decoder {
	struct arena *arena;
	struct profile_batch *batch;
	struct wire_limits limits;
	struct wire_sink sink;
	struct profile_scope *scope;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the profile");
}

static int begin(struct decoder *d, struct arena *arena, struct err *err)
{
	struct profile_resource *resource;
	*d = (struct decoder){.arena = arena};
	wire_limits_default(&d->limits);
	int rc = profile_batch_create(arena, &d->batch, err);
	d->sink = (struct wire_sink){.batch = d->batch, .limits = &d->limits};
	rc = rc ? rc : profile_resource_add(d->batch, &resource, err);
	return rc ? rc : profile_scope_add(d->batch, resource, &d->scope, err);
}

/* ---- from a batch to trees ---- */

static int64_t value_of(const struct profile_sample *sample)
{
	uint64_t sum = sample->value_count ? 0 : sample->time_count;
	for (uint32_t i = 0; i < sample->value_count; i++)
		sum += (uint64_t)sample->values[i];
	return (int64_t)sum;
}

/* Stacks first: what they became moves while they are added. */
static int find_nodes(struct frames *frames, const struct profile *profile, uint32_t *nodes,
		      struct err *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < profile->sample_count; i++)
		rc = frames_node(frames, profile->samples[i].stack, &nodes[i], err);
	return rc;
}

static int build_tree(struct decoder *d, struct frames *frames, const struct profile *profile,
		      struct query_tree *ret, struct err *err)
{
	struct store_batch shown = {0};
	uint32_t *leaves = arena_zalloc(d->arena, profile->sample_count + 1, sizeof(*leaves));
	int rc = leaves ? find_nodes(frames, profile, leaves, err) : no_memory(err);
	if (rc)
		return rc;
	frames_show(frames, &shown);
	size_t count = shown.node_count;
	uint32_t *parent = arena_zalloc(d->arena, count + 1, sizeof(*parent));
	uint32_t *frame = arena_zalloc(d->arena, count + 1, sizeof(*frame));
	int64_t *self = arena_zalloc(d->arena, count + 1, sizeof(*self));
	if (!parent || !frame || !self)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		parent[i] = shown.nodes[i].parent;
		frame[i] = shown.nodes[i].frame;
	}
	for (size_t i = 0; i < profile->sample_count; i++)
		self[leaves[i]] = (int64_t)((uint64_t)self[leaves[i]] +
					    (uint64_t)value_of(&profile->samples[i]));
	const struct store_tree stacks = {.node_count = (uint32_t)count,
					  .frame_count = (uint32_t)shown.frame_count,
					  .parent = parent,
					  .frame = frame,
					  .self = self,
					  .frames = shown.frames};
	return query_tree_build(d->arena, &stacks, ret, err);
}

static int pick(const struct adhoc_profile *profiles, size_t count, const char *wanted, size_t *ret,
		struct err *err)
{
	*ret = 0;
	if (!wanted || !wanted[0])
		return 0;
	for (; *ret < count; (*ret)++)
		if (str_equal(profiles[*ret].type.sample_type, str_of(wanted)))
			return 0;
	return err_set(err, ERR_INVALID, "profile_type: \"%.64s\" is not in it", wanted);
}

/* A file has up to a thousand profiles, and each tree needs tables as large as all of it: only the wanted
 * one's is made. */
static int build(struct decoder *d, const struct query_type *types, const char *wanted,
		 struct adhoc_profile **ret, size_t *ret_count, size_t *ret_at, struct err *err)
{
	const struct frames_limits limits = {0};
	struct frames *frames;
	size_t count = d->scope->profile_count;
	if (count == 0)
		return err_set(err, ERR_INVALID, "there is no profile in it");
	if (count > PROFILES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d profiles in it", PROFILES_MAX);
	*ret = arena_zalloc(d->arena, count, sizeof(**ret));
	int rc = *ret ? 0 : no_memory(err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = profile_check(&d->batch->dict, &d->scope->profiles[i], err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		(*ret)[i].type = types[i];
	rc = rc ? rc : pick(*ret, count, wanted, ret_at, err);
	rc = rc ? rc : frames_create(d->arena, &d->batch->dict, &limits, &frames, err);
	rc = rc ? rc
		: build_tree(d, frames, &d->scope->profiles[*ret_at], &(*ret)[*ret_at].tree, err);
	*ret_count = count;
	return rc;
}

/* ---- formats ---- */

static int decode_pprof(struct decoder *d, struct str bytes, struct query_type **ret,
			struct err *err)
{
	struct wire_pprof_about about;
	int rc = wire_pprof_decode(bytes, &d->sink, d->scope, &about, err);
	if (rc)
		return rc;
	*ret = arena_zalloc(d->arena, d->scope->profile_count + 1, sizeof(**ret));
	if (!*ret)
		return no_memory(err);
	for (size_t i = 0; i < d->scope->profile_count; i++) {
		const struct profile *profile = &d->scope->profiles[i];
		(*ret)[i].sample_type = profile_str(&d->batch->dict, profile->sample_type.type);
		(*ret)[i].sample_unit = profile_str(&d->batch->dict, profile->sample_type.unit);
	}
	return 0;
}

static int decode_speedscope(struct decoder *d, struct str bytes, struct query_type **ret,
			     struct err *err)
{
	struct speedscope_profile *profiles;
	size_t count;
	int rc = wire_speedscope(bytes, &d->sink, d->scope, &profiles, &count, err);
	if (rc)
		return rc;
	*ret = arena_zalloc(d->arena, d->scope->profile_count + 1, sizeof(**ret));
	if (!*ret)
		return no_memory(err);
	for (size_t i = 0; i < count && profiles[i].profile < d->scope->profile_count; i++)
		(*ret)[profiles[i].profile] = (struct query_type){
			.sample_type = profiles[i].name.len ? profiles[i].name : STR("samples"),
			.sample_unit = profiles[i].unit == SPEEDSCOPE_TIME    ? STR("nanoseconds")
				       : profiles[i].unit == SPEEDSCOPE_BYTES ? STR("bytes")
									      : STR("count"),
		};
	return 0;
}

static int decode_folded(struct decoder *d, struct str bytes, struct query_type **ret,
			 struct err *err)
{
	struct profile *profile;
	int rc = wire_folded_groups(bytes, &d->sink, d->scope, &profile, err);
	*ret = arena_zalloc(d->arena, 1, sizeof(**ret));
	if (rc == 0 && !*ret)
		return no_memory(err);
	if (rc == 0)
		**ret = (struct query_type){.sample_type = STR("samples"),
					    .sample_unit = STR("count")};
	return rc;
}

/* ---- flamebearer ---- */

static bool take_number(const json_t *json, int64_t *ret)
{
	double real = json_real_value(json);

	if (json_is_real(json) && real > -9.2e18 && real < 9.2e18)
		*ret = (int64_t)real;
	else if (json_is_integer(json))
		*ret = json_integer_value(json);
	else
		return false;
	return true;
}

static int take_level(struct arena *arena, const json_t *json, struct query_level *ret,
		      struct err *err)
{
	ret->count = json_array_size(json);
	ret->values = arena_zalloc(arena, ret->count + 1, sizeof(*ret->values));
	if (!ret->values)
		return no_memory(err);
	for (size_t i = 0; i < ret->count; i++)
		if (!take_number(json_array_get(json, i), &ret->values[i]))
			return err_set(err, ERR_INVALID, "levels: number %zu of one is none", i);
	return 0;
}

static int take_flame(struct arena *arena, const json_t *bearer, struct query_flame *ret,
		      struct err *err)
{
	const json_t *names = json_object_get(bearer, "names");
	const json_t *levels = json_object_get(bearer, "levels");
	int rc = 0;
	ret->name_count = json_array_size(names);
	ret->level_count = json_array_size(levels);
	ret->names = arena_zalloc(arena, ret->name_count + 1, sizeof(*ret->names));
	ret->levels = arena_zalloc(arena, ret->level_count + 1, sizeof(*ret->levels));
	if (!ret->names || !ret->levels)
		return no_memory(err);
	for (size_t i = 0; rc == 0 && i < ret->name_count; i++) {
		const json_t *name = json_array_get(names, i);
		ret->names[i] = arena_str(arena, str_make(json_string_value(name),
							  json_string_length(name)));
		rc = ret->names[i].ptr ? 0 : no_memory(err);
	}
	for (size_t i = 0; rc == 0 && i < ret->level_count; i++)
		rc = take_level(arena, json_array_get(levels, i), &ret->levels[i], err);
	return rc;
}

static struct str copy_text(struct arena *arena, const json_t *object, const char *name,
			    struct str fallback)
{
	const json_t *text = json_object_get(object, name);
	if (json_string_length(text) == 0)
		return fallback;
	struct str copy =
		arena_str(arena, str_make(json_string_value(text), json_string_length(text)));
	return copy.ptr ? copy : fallback;
}

static int take_bearer(struct arena *arena, const json_t *root, struct adhoc_profile *ret,
		       struct err *err)
{
	struct query_flame flame = {0};
	const json_t *about = json_object_get(root, "metadata");
	int rc = take_flame(arena, json_object_get(root, "flamebearer"), &flame, err);
	ret->type.sample_type = copy_text(arena, about, "name", STR("samples"));
	ret->type.sample_unit = copy_text(arena, about, "units", STR("count"));
	return rc ? rc : query_flame_decode(arena, &flame, &ret->tree, err);
}

/* *ret_is: it has a member "flamebearer". */
static int decode_bearer(struct arena *arena, struct str text, bool *ret_is,
			 struct adhoc_profile **ret, size_t *ret_count, struct err *err)
{
	*ret_is = false;
	if (json_tree_bytes(text) > JSON_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "JSON that needs more than %d MiB",
			       JSON_MAX_BYTES >> 20);
	json_t *root = json_loadb(text.ptr, text.len, 0, NULL);
	*ret_is = json_is_object(json_object_get(root, "flamebearer"));
	*ret = arena_zalloc(arena, 1, sizeof(**ret));
	*ret_count = 1;
	int rc = *ret ? 0 : no_memory(err);
	if (rc == 0 && *ret_is)
		rc = take_bearer(arena, root, *ret, err);
	json_decref(root);
	return rc ? err_wrap(err, "flamebearer") : 0;
}

/* ---- which one ---- */

static bool is_text(struct str bytes)
{
	size_t len = bytes.len < 256 ? bytes.len : 256;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)bytes.ptr[i] < 0x20 && !strchr("\t\r\n", bytes.ptr[i]))
			return false;
	return len > 0 && bytes.ptr[0] != '\n';
}

int adhoc_decode(struct arena *arena, struct str bytes, const char *wanted,
		 struct adhoc_profile **ret, size_t *ret_count, size_t *ret_at, struct err *err)
{
	struct decoder d;
	struct query_type *types = NULL;
	bool text = is_text(bytes), json = text && str_starts_with(str_trim(bytes), STR("{")),
	     bearer = false;
	int rc = json ? decode_bearer(arena, bytes, &bearer, ret, ret_count, err) : 0;
	if (rc || bearer)
		return rc ? rc : pick(*ret, *ret_count, wanted, ret_at, err);
	rc = begin(&d, arena, err);
	if (rc)
		return rc;
	rc = json   ? decode_speedscope(&d, bytes, &types, err)
	     : text ? decode_folded(&d, bytes, &types, err)
		    : decode_pprof(&d, bytes, &types, err);
	rc = rc ? rc : build(&d, types, wanted, ret, ret_count, ret_at, err);
	return rc ? err_wrap(err, "%s", json ? "speedscope" : text ? "folded stacks" : "pprof") : 0;
}
