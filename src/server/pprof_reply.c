#include "server/pprof_reply.h"

#include "base/clock.h"
#include "base/strtab.h"
#include "server/pbjson.h"
#include "wire/pprof_write.h"

enum {
	PGO_LOCATIONS = 5,
	MEMORY_PERIOD = 512 * 1024,
	SAMPLES_MAX = INT32_MAX,
};

struct reply {
	const struct store_tree *stacks;
	struct arena *arena;
	struct pprof_writer *writer;
	uint32_t *locations, *leaves; /* of frames; 0: not written yet */
	uint32_t *path;		      /* of the sample at hand, leaf first */
	size_t path_cap;
	size_t keep; /* 0: all */
	bool bare_leaves;
	struct strtab *paths; /* with PGO: what is left of stacks may be the same */
	int64_t *sums;
	size_t sum_cap;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the profile");
}

static int64_t guess_period(const struct query_type *type)
{
	if (str_equal(type->name, STR("process_cpu")))
		return (int64_t)NS_PER_S;
	return str_equal(type->name, STR("memory")) ? MEMORY_PERIOD : 1;
}

static int begin(struct reply *r, const struct query_range *range, struct buf *out, struct err *err)
{
	const struct query_type *type = range->type;
	const struct pprof_head head = {
		.sample_type = type->sample_type,
		.sample_unit = type->sample_unit,
		.period_type = type->period_type,
		.period_unit = type->period_unit,
		.period = guess_period(type),
		.time_ns = range->end_ms * NS_PER_MS,
		.duration_ns = (range->end_ms - range->start_ms) * NS_PER_MS,
	};
	size_t frames = r->stacks->frame_count + (size_t)1;
	r->locations = arena_zalloc(r->arena, frames, sizeof(*r->locations));
	r->leaves = arena_zalloc(r->arena, frames, sizeof(*r->leaves));
	if (!r->locations || !r->leaves)
		return no_memory(err);
	int rc = r->keep ? strtab_create(r->arena, SAMPLES_MAX, &r->paths, err) : 0;
	return rc ? rc : pprof_write_begin(r->arena, &head, out, &r->writer, err);
}

/* ---- locations ---- */

static int location_of(struct reply *r, uint32_t frame, bool bare, uint32_t *ret, struct err *err)
{
	uint32_t *known = bare ? &r->leaves[frame] : &r->locations[frame];
	const struct store_frame *from = &r->stacks->frames[frame];
	const struct pprof_frame to = {
		/* A mangled name is better than none. */
		.name = from->name.len ? from->name : from->system_name,
		.system_name = from->system_name,
		.filename = from->filename,
		.mapping = from->mapping,
		.build_id = from->build_id,
		.address = from->address,
		.line = bare ? 0 : from->line,
		.start_line = from->start_line,
	};
	int rc = *known ? 0 : pprof_write_frame(r->writer, &to, known, err);
	*ret = *known;
	return rc;
}

static int find_path(struct reply *r, uint32_t node, size_t *ret_count, struct err *err)
{
	size_t count = 0;
	for (; node && (r->keep == 0 || count < r->keep); node = r->stacks->parent[node]) {
		uint32_t *path =
			arena_grow(r->arena, r->path, &r->path_cap, count + 1, sizeof(*path));
		if (!path)
			return no_memory(err);
		r->path = path;
		int rc = location_of(r, r->stacks->frame[node], r->bare_leaves && count == 0,
				     &path[count], err);
		if (rc)
			return rc;
		count++;
	}
	*ret_count = count;
	return 0;
}

/* ---- samples ---- */

static int gather(struct reply *r, size_t count, int64_t value, struct err *err)
{
	uint32_t id;
	struct str bytes = str_make(r->path, count * sizeof(*r->path));
	uint32_t known = strtab_count(r->paths);

	int rc = strtab_intern(r->paths, bytes, &id, err);
	if (rc)
		return rc;
	int64_t *sums = arena_grow(r->arena, r->sums, &r->sum_cap, id + (size_t)1, sizeof(*sums));
	if (!sums)
		return no_memory(err);
	r->sums = sums;
	if (id >= known)
		sums[id] = 0;
	sums[id] = (int64_t)((uint64_t)sums[id] + (uint64_t)value);
	return 0;
}

static int put_samples(struct reply *r, struct err *err)
{
	for (uint32_t i = 0; i < r->stacks->node_count; i++) {
		size_t count = 0;
		if (r->stacks->self[i] == 0)
			continue;
		int rc = find_path(r, i, &count, err);
		if (rc == 0 && r->paths && count > 0)
			rc = gather(r, count, r->stacks->self[i], err);
		else if (rc == 0)
			pprof_write_sample(r->writer, r->path, count, r->stacks->self[i]);
		if (rc)
			return rc;
	}
	return 0;
}

static void put_gathered(struct reply *r)
{
	for (uint32_t id = 1; r->paths && id < strtab_count(r->paths); id++) {
		struct str bytes = strtab_get(r->paths, id);
		size_t count = bytes.len / sizeof(uint32_t);
		memcpy(r->path, bytes.ptr, bytes.len); /* the table's copy need not be aligned */
		pprof_write_sample(r->writer, r->path, count, r->sums[id]);
	}
}

int pprof_reply_bytes(struct arena *arena, const struct store_tree *stacks,
		      const struct query_range *range, const Types__V1__GoPGO *pgo, struct buf *out,
		      struct err *err)
{
	struct reply r = {.stacks = stacks, .arena = arena};
	if (pgo) {
		r.keep = pgo->keep_locations ? pgo->keep_locations : PGO_LOCATIONS;
		r.bare_leaves = pgo->aggregate_callees;
	}
	int rc = begin(&r, range, out, err);
	rc = rc ? rc : put_samples(&r, err);
	if (rc)
		return rc;
	put_gathered(&r);
	return pprof_write_end(r.writer, err);
}

int pprof_reply(struct arena *arena, const struct store_tree *stacks,
		const struct query_range *range, const Types__V1__GoPGO *pgo,
		Google__V1__Profile **ret, struct err *err)
{
	ProtobufCMessage *message;
	struct buf bytes;
	buf_init(&bytes, 0);
	int rc = pprof_reply_bytes(arena, stacks, range, pgo, &bytes, err);
	if (rc == 0)
		rc = pbmsg_decode(arena, &google__v1__profile__descriptor, buf_text(&bytes),
				  &message, err);
	buf_deinit(&bytes);
	if (rc == 0)
		*ret = (Google__V1__Profile *)message;
	return rc;
}
