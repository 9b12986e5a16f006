/* A location becomes one frame a line, innermost first; without lines it is one
 * unnamed frame that keeps mapping and address, so that no frame ever vanishes
 * and symbols can come later. OTLP's stacks are leaf first, the store's tree grows
 * from the root, so both are walked backwards. */
#include "server/ingest_frames.h"

#include <assert.h>

enum { FIRST_NODE_SLOTS = 256, NODES_MAX = 1 << 28 };

/* Content of a frame as ids of texts: equal frames have equal bytes. No padding. */
struct frame_key {
	uint32_t name, system_name, filename, kind, mapping, build_id;
	uint64_t address;
	int64_t line, start_line;
};

_Static_assert(sizeof(struct frame_key) == 6 * 4 + 3 * 8, "frame_key is hashed as bytes");

struct node_slot {
	uint32_t parent, frame;
	uint32_t node; /* 0: empty */
};

struct mapping_texts {
	uint32_t name_plus1, build_id;
};

/* Frames of a location, innermost first, in frame_ids. */
struct location_frames {
	uint32_t first_plus1, count;
};

struct frames {
	struct arena *arena;
	const struct profile_dict *dict;
	struct frames_limits limits;
	struct strtab *texts; /* of every text in a frame */
	struct strtab *keys;  /* struct frame_key → frame + 1 */
	struct store_frame *frames;
	size_t frame_count, frame_cap;
	struct store_node *nodes;
	size_t node_count, node_cap;
	struct node_slot *slots;
	uint32_t slot_count;
	uint32_t *stack_nodes_plus1;
	struct location_frames *locations;
	struct mapping_texts *mappings;
	uint32_t *frame_ids;
	size_t id_count, id_cap;
};

enum { TEXTS_MAX = 1 << 29 };

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the frames of a request");
}

static bool make_tables(struct frames *f)
{
	const struct profile_dict *dict = f->dict;

	f->stack_nodes_plus1 =
		arena_zalloc(f->arena, dict->stack_count, sizeof(*f->stack_nodes_plus1));
	f->locations = arena_zalloc(f->arena, dict->location_count, sizeof(*f->locations));
	f->mappings = arena_zalloc(f->arena, dict->mapping_count, sizeof(*f->mappings));
	f->slots = arena_zalloc(f->arena, FIRST_NODE_SLOTS, sizeof(*f->slots));
	f->slot_count = FIRST_NODE_SLOTS;
	f->nodes = arena_grow(f->arena, NULL, &f->node_cap, 1, sizeof(*f->nodes));
	if (!f->stack_nodes_plus1 || !f->locations || !f->mappings || !f->slots || !f->nodes)
		return false;
	f->nodes[0] = (struct store_node){0, 0};
	f->node_count = 1;
	return true;
}

int frames_create(struct arena *arena, const struct profile_dict *dict,
		  const struct frames_limits *limits, struct frames **ret, struct err *err)
{
	struct frames *f = arena_zalloc(arena, 1, sizeof(*f));
	int rc;

	if (!f)
		return no_memory(err);
	*f = (struct frames){.arena = arena, .dict = dict, .limits = *limits};
	rc = strtab_create(arena, TEXTS_MAX, &f->texts, err);
	rc = rc ? rc : strtab_create(arena, TEXTS_MAX, &f->keys, err);
	if (!rc && !make_tables(f))
		rc = no_memory(err);
	if (!rc)
		*ret = f;
	return rc;
}

/* ---- frames ---- */

/* Cut between characters. */
static struct str cut_text(struct str text, uint32_t limit)
{
	if (limit == 0 || text.len <= limit)
		return text;
	while (limit > 0 && ((uint8_t)text.ptr[limit] & 0xc0) == 0x80)
		limit--;
	return str_sub(text, 0, limit);
}

static int intern_text(struct frames *f, struct str text, uint32_t *ret, struct err *err)
{
	return strtab_intern(f->texts, cut_text(text, f->limits.symbol_bytes), ret, err);
}

static int intern_string(struct frames *f, uint32_t string, uint32_t *ret, struct err *err)
{
	return string ? intern_text(f, profile_str(f->dict, string), ret, err) : 0;
}

/* The build id by which symbols are looked up: the linker's if there is one, else a hash of the file. */
static struct str build_id(const struct profile_dict *dict, const struct profile_mapping *mapping)
{
	static const char *const keys[] = {
		"process.executable.build_id.gnu",
		"process.executable.build_id.htlhash",
		"process.executable.build_id.profiling", /* the deprecated name of htlhash */
		"process.executable.build_id.go",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct value *value =
			profile_find_index(dict, mapping->attrs, mapping->attr_count,
					   str_of(keys[i]));
		if (value && value->kind == VALUE_STRING && value->text.len > 0)
			return value->text;
	}
	return STR("");
}

static int mapping_texts(struct frames *f, uint32_t index, struct frame_key *key, struct err *err)
{
	struct mapping_texts *cached = &f->mappings[index];
	const struct profile_mapping *mapping = &f->dict->mappings[index];
	uint32_t name = 0;
	int rc = 0;

	if (!cached->name_plus1) {
		rc = intern_text(f, str_basename(profile_str(f->dict, mapping->filename)), &name,
				 err);
		rc = rc ? rc : intern_text(f, build_id(f->dict, mapping), &cached->build_id, err);
		cached->name_plus1 = rc ? 0 : name + 1;
	}
	key->mapping = cached->name_plus1 - 1;
	key->build_id = cached->build_id;
	return rc;
}

static int append_frame(struct frames *f, const struct frame_key *key, struct err *err)
{
	struct store_frame *grown =
		arena_grow(f->arena, f->frames, &f->frame_cap, f->frame_count + 1, sizeof(*grown));

	if (!grown)
		return no_memory(err);
	f->frames = grown;
	grown[f->frame_count++] = (struct store_frame){
		.name = strtab_get(f->texts, key->name),
		.system_name = strtab_get(f->texts, key->system_name),
		.filename = strtab_get(f->texts, key->filename),
		.kind = strtab_get(f->texts, key->kind),
		.mapping = strtab_get(f->texts, key->mapping),
		.build_id = strtab_get(f->texts, key->build_id),
		.address = key->address,
		.line = key->line,
		.start_line = key->start_line,
	};
	return 0;
}

/* Finds or adds the frame, and adds its id to the list of the location at work. */
static int add_frame(struct frames *f, const struct frame_key *key, struct err *err)
{
	uint32_t *ids =
		arena_grow(f->arena, f->frame_ids, &f->id_cap, f->id_count + 1, sizeof(*ids));
	uint32_t id;
	int rc;

	if (!ids)
		return no_memory(err);
	f->frame_ids = ids;
	rc = strtab_intern(f->keys, str_make(key, sizeof(*key)), &id, err);
	if (!rc && id > f->frame_count)
		rc = append_frame(f, key, err);
	if (!rc)
		ids[f->id_count++] = id - 1;
	return rc;
}

static int kind_text(struct frames *f, const struct profile_location *location,
		     struct frame_key *key, struct err *err)
{
	const struct value *kind =
		profile_find_index(f->dict, location->attrs, location->attr_count,
				   STR("profile.frame.type"));

	return kind && kind->kind == VALUE_STRING ? intern_text(f, kind->text, &key->kind, err) : 0;
}

/* A function without a name goes by its system name; one without either is an unnamed frame. */
static int add_line(struct frames *f, const struct profile_location *location,
		    const struct profile_line *line, struct frame_key key, struct err *err)
{
	const struct profile_function *function = &f->dict->functions[line->function];
	uint32_t name = function->name ? function->name : function->system_name;
	int rc = intern_string(f, name, &key.name, err);

	if (function->system_name != name)
		rc = rc ? rc : intern_string(f, function->system_name, &key.system_name, err);
	rc = rc ? rc : intern_string(f, function->filename, &key.filename, err);
	key.line = line->line;
	key.start_line = function->start_line;
	key.address = key.name ? 0 : location->address;
	return rc ? rc : add_frame(f, &key, err);
}

static int expand_location(struct frames *f, uint32_t index, struct err *err)
{
	const struct profile_location *location = &f->dict->locations[index];
	struct frame_key key = {.address = location->address};
	size_t first = f->id_count;
	int rc = mapping_texts(f, location->mapping, &key, err);

	rc = rc ? rc : kind_text(f, location, &key, err);
	for (uint32_t i = 0; i < location->line_count && !rc; i++)
		rc = add_line(f, location, &location->lines[i], key, err);
	if (!rc && location->line_count == 0)
		rc = add_frame(f, &key, err);
	if (!rc)
		f->locations[index] = (struct location_frames){(uint32_t)first + 1,
							       (uint32_t)(f->id_count - first)};
	return rc;
}

/* ---- nodes ---- */

static uint32_t node_hash(uint32_t parent, uint32_t frame)
{
	uint64_t hash = ((uint64_t)parent << 32 | frame) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(hash >> 32);
}

static struct node_slot *find_node(const struct frames *f, uint32_t parent, uint32_t frame)
{
	uint32_t mask = f->slot_count - 1;
	uint32_t at = node_hash(parent, frame) & mask;

	while (f->slots[at].node && (f->slots[at].parent != parent || f->slots[at].frame != frame))
		at = (at + 1) & mask;
	return &f->slots[at];
}

/* Room for one node more; at most half of the slots are ever taken. */
static bool reserve_node(struct frames *f)
{
	struct node_slot *old = f->slots;
	uint32_t old_count = f->slot_count;
	struct store_node *nodes =
		arena_grow(f->arena, f->nodes, &f->node_cap, f->node_count + 1, sizeof(*nodes));

	if (!nodes || f->node_count >= NODES_MAX)
		return false;
	f->nodes = nodes;
	if (f->node_count < old_count / 2)
		return true;
	f->slots = arena_zalloc(f->arena, (size_t)old_count * 2, sizeof(*f->slots));
	if (!f->slots) {
		f->slots = old;
		return false;
	}
	f->slot_count = old_count * 2;
	for (uint32_t i = 0; i < old_count; i++)
		if (old[i].node)
			*find_node(f, old[i].parent, old[i].frame) = old[i];
	return true;
}

static int child_node(struct frames *f, uint32_t parent, uint32_t frame, uint32_t *ret,
		      struct err *err)
{
	struct node_slot *slot = find_node(f, parent, frame);

	if (!slot->node) {
		if (!reserve_node(f))
			return no_memory(err);
		slot = find_node(f, parent, frame);
		f->nodes[f->node_count] = (struct store_node){parent, frame};
		*slot = (struct node_slot){parent, frame, (uint32_t)f->node_count++};
	}
	*ret = slot->node;
	return 0;
}

static uint64_t stack_depth(const struct frames *f, const struct profile_stack *stack)
{
	uint64_t depth = 0;

	for (uint32_t i = 0; i < stack->count; i++)
		depth += f->locations[stack->locations[i]].count;
	return depth;
}

static int expand_locations(struct frames *f, const struct profile_stack *stack, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < stack->count && !rc; i++)
		if (!f->locations[stack->locations[i]].first_plus1)
			rc = expand_location(f, stack->locations[i], err);
	return rc;
}

/* From the root down. Of a stack that is too deep the frames next to the root are left out: what burns is
 * at the leaf. */
static int walk_stack(struct frames *f, const struct profile_stack *stack, uint32_t *ret,
		      struct err *err)
{
	uint64_t depth = stack_depth(f, stack);
	uint64_t skip = f->limits.stack_depth && depth > f->limits.stack_depth
				? depth - f->limits.stack_depth
				: 0;
	uint32_t node = 0;
	int rc = 0;

	for (uint32_t i = stack->count; i-- > 0 && !rc;) {
		struct location_frames at = f->locations[stack->locations[i]];
		for (uint32_t k = at.count; k-- > 0 && !rc;) {
			if (skip > 0)
				skip--;
			else
				rc = child_node(f, node, f->frame_ids[at.first_plus1 - 1 + k],
						&node, err);
		}
	}
	*ret = node;
	return rc;
}

int frames_node(struct frames *f, uint32_t index, uint32_t *ret_node, struct err *err)
{
	const struct profile_stack *stack = &f->dict->stacks[index];
	int rc = 0;

	assert(index < f->dict->stack_count);
	if (!f->stack_nodes_plus1[index]) {
		uint32_t node = 0;
		rc = expand_locations(f, stack, err);
		rc = rc ? rc : walk_stack(f, stack, &node, err);
		if (rc)
			return rc;
		f->stack_nodes_plus1[index] = node + 1;
	}
	*ret_node = f->stack_nodes_plus1[index] - 1;
	return 0;
}

void frames_show(const struct frames *f, struct store_batch *batch)
{
	batch->frames = f->frames;
	batch->frame_count = f->frame_count;
	batch->nodes = f->nodes;
	batch->node_count = f->node_count;
}
