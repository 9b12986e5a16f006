#include "server/ingest_sink.h"

#include "server/ingest_private.h"

int ingest_sink_init(const struct ingest *ingest, struct arena *arena, struct ingest_sink *sink,
		     struct err *err)
{
	int rc;

	*sink = (struct ingest_sink){.arena = arena};
	wire_limits_default(&sink->limits);
	sink->limits.message_bytes = ingest->config.message_bytes;
	rc = profile_batch_create(arena, &sink->batch, err);
	sink->wire = (struct wire_sink){.batch = sink->batch, .limits = &sink->limits};
	return rc;
}

int ingest_sink_series(struct ingest_sink *sink, struct profile_resource **ret_resource,
		       struct profile_scope **ret_scope, struct err *err)
{
	int rc;

	if (++sink->wire.parts > sink->limits.parts)
		return err_set(err, ERR_LIMIT, "more than %llu series and profiles in one request",
			       (unsigned long long)sink->limits.parts);
	rc = profile_resource_add(sink->batch, ret_resource, err);
	return rc ? rc : profile_scope_add(sink->batch, *ret_resource, ret_scope, err);
}

int ingest_sink_label(struct ingest_sink *sink, struct profile_resource *resource, struct str name,
		      struct str value, struct err *err)
{
	const struct value row = {.kind = VALUE_STRING, .text = value};

	if (name.len == 0 || value.len == 0 || str_equal(name, STR("__session_id__")) ||
	    str_equal(name, STR("__order__")))
		return 0;
	return profile_resource_attr(sink->batch, resource, name, &row, err);
}

void ingest_sink_identify(struct profile_scope *scope, size_t first, struct str who,
			  struct str bytes)
{
	const uint64_t id[2] = {str_hash(who), str_hash(bytes)};

	for (size_t i = first; i < scope->profile_count; i++) {
		memcpy(scope->profiles[i].profile_id, id, sizeof(id));
		scope->profiles[i].has_profile_id = true;
	}
}
