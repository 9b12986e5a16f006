/* From sums by node to a tree. A parent's id is below its child's, so one walk
 * downwards over the touched ids touches every ancestor, and the order of ids
 * is an order with parents first. */
#include <string.h>

#include "store/embedded/answer.h"
#include "store/embedded/symbols.h"

struct shape {
	struct query *query;
	struct sums *nodes, frames, strings;
	struct arena *arena;
	struct str *texts; /* by rank of the string */
};

static int touch_ancestors(struct shape *shape, struct err *err)
{
	uint32_t id = shape->query->counters.node;
	int rc = sums_add(shape->nodes, 0, 0, err);
	for (unsigned steps = 0; !rc && sums_previous(shape->nodes, &id) && id > 0; steps++) {
		struct node_row row;
		rc = pages_node(&shape->query->pages, id, &row, err);
		rc = rc ? rc : sums_add(shape->nodes, row.parent, 0, err);
		rc = rc ? rc : sums_add(&shape->frames, row.frame, 0, err);
		if (!rc && steps % 4096 == 0)
			rc = query_check(shape->query, err);
	}
	return rc;
}

static int touch_strings(struct shape *shape, struct err *err)
{
	int64_t unused;
	int rc = sums_add(&shape->strings, 0, 0, err);
	for (uint32_t id = 0; !rc && sums_next(&shape->frames, &id, &unused); id++) {
		const struct frame_row *row;
		rc = pages_frame(&shape->query->pages, id, &row, err);
		for (unsigned s = 0; !rc && s < FRAME_STRINGS; s++)
			rc = sums_add(&shape->strings, row->strings[s], 0, err);
	}
	return rc;
}

/* Each distinct string is copied once. */
static int copy_strings(struct shape *shape, struct err *err)
{
	int64_t unused;
	uint32_t count = sums_rank(&shape->strings), at = 0;
	shape->texts = query_alloc(shape->query, count, sizeof(*shape->texts), err);
	int rc = shape->texts ? 0 : ERR_LIMIT;
	for (uint32_t id = 0; !rc && sums_next(&shape->strings, &id, &unused); id++)
		rc = query_text(shape->query, id, shape->arena, &shape->texts[at++], err);
	return rc;
}

static struct str text_of(const struct shape *shape, const struct frame_row *row,
			  enum frame_string which)
{
	return shape->texts[sums_rank_of(&shape->strings, row->strings[which])];
}

static int build_frames(struct shape *shape, struct store_tree *ret, struct err *err)
{
	int64_t unused;
	uint32_t at = 0;
	ret->frame_count = sums_rank(&shape->frames);
	struct store_frame *frames = arena_zalloc(shape->arena, ret->frame_count, sizeof(*frames));
	if (!frames)
		return query_no_room(shape->arena, err);
	for (uint32_t id = 0; sums_next(&shape->frames, &id, &unused); id++) {
		const struct frame_row *row;
		int rc = pages_frame(&shape->query->pages, id, &row, err);
		if (rc)
			return rc;
		frames[at++] = (struct store_frame){
			.name = text_of(shape, row, FRAME_NAME),
			.system_name = text_of(shape, row, FRAME_SYSTEM_NAME),
			.filename = text_of(shape, row, FRAME_FILENAME),
			.kind = text_of(shape, row, FRAME_KIND),
			.mapping = text_of(shape, row, FRAME_MAPPING),
			.build_id = text_of(shape, row, FRAME_BUILD_ID),
			.address = row->address,
			.line = row->line,
			.start_line = row->start_line,
		};
	}
	ret->frames = frames;
	return symbols_name(shape->query, shape->arena, frames, ret->frame_count, err);
}

static int build_nodes(struct shape *shape, struct store_tree *ret, struct err *err)
{
	ret->node_count = sums_rank(shape->nodes);
	uint32_t *parent = arena_zalloc(shape->arena, ret->node_count, sizeof(*parent));
	uint32_t *frame = arena_zalloc(shape->arena, ret->node_count, sizeof(*frame));
	int64_t *self = arena_zalloc(shape->arena, ret->node_count, sizeof(*self));
	if (!parent || !frame || !self)
		return query_no_room(shape->arena, err);
	uint32_t at = 0;
	int64_t sum;
	for (uint32_t id = 0; sums_next(shape->nodes, &id, &sum); id++, at++) {
		struct node_row row;
		int rc = pages_node(&shape->query->pages, id, &row, err);
		if (rc)
			return rc;
		self[at] = sum;
		parent[at] = sums_rank_of(shape->nodes, row.parent);
		frame[at] = id ? sums_rank_of(&shape->frames, row.frame) : 0;
	}
	ret->parent = parent;
	ret->frame = frame;
	ret->self = self;
	return 0;
}

int tree_build(struct query *query, struct sums *nodes, struct arena *arena, struct store_tree *ret,
	       struct err *err)
{
	struct shape shape = {.query = query, .nodes = nodes, .arena = arena};
	struct store_tree tree = {0};
	int rc = sums_init(&shape.frames, query, query->counters.frame, SUMS_PAGE, err);
	rc = rc ? rc : sums_init(&shape.strings, query, query->counters.string, SUMS_PAGE, err);
	rc = rc ? rc : touch_ancestors(&shape, err);
	rc = rc ? rc : touch_strings(&shape, err);
	rc = rc ? rc : copy_strings(&shape, err);
	rc = rc ? rc : build_frames(&shape, &tree, err);
	rc = rc ? rc : build_nodes(&shape, &tree, err);
	if (!rc)
		*ret = tree;
	return rc;
}
