/* Trie and tree as Pyroscope's first agents serialised them (pyroscope,
 * og/structs/transporttrie and og/storage/tree). Both are walked depth first with
 * a list of the nodes that are still open; a node needs three bytes at least,
 * which bounds what its number of children may promise. A chain in which each
 * node has a value stands for stacks of quadratic size, so what stacks hold
 * counts as rows. */
#include "wire/folded.h"

#include "wire/intake.h"
#include "wire/proto.h"

enum { NODE_MIN_BYTES = 3, KEY_BYTES_A_ROW = 16 };

struct node {
	struct str name;
	int64_t value;
	uint64_t children;
};

/* A node whose children are being read. */
struct open_node {
	uint64_t children_left;
	size_t before; /* length of key or path without it */
};

struct walk {
	struct wire_sink *sink;
	struct cur c;
	struct profile profile;
	struct open_node *open;
	size_t depth, cap;
	struct buf key; /* trie: folded stack up to here */
	struct intake_path path;
};

static int read_node(struct walk *w, const char *what, struct node *ret, struct err *err)
{
	uint64_t value;

	ret->name = cur_bytes(&w->c, pb_varint(&w->c));
	value = pb_varint(&w->c);
	ret->children = pb_varint(&w->c);
	if (!cur_ok(&w->c) || ret->children > cur_left(&w->c) / NODE_MIN_BYTES)
		return err_set(err, ERR_INVALID, "%s: cut short or malformed at byte %zu", what,
			       cur_offset(&w->c));
	ret->value = value > INT64_MAX ? INT64_MAX : (int64_t)value;
	return 0;
}

static int open_node(struct walk *w, uint64_t children, size_t before, struct err *err)
{
	struct open_node *grown =
		arena_grow(w->sink->batch->arena, w->open, &w->cap, w->depth + 1, sizeof(*grown));

	if (!grown)
		return intake_no_memory(err);
	w->open = grown;
	grown[w->depth++] = (struct open_node){children, before};
	return 0;
}

/* After a node without children: closes all that have none left. Returns the length to go back to. */
static size_t close_nodes(struct walk *w, size_t before)
{
	while (w->depth > 0 && --w->open[w->depth - 1].children_left == 0)
		before = w->open[--w->depth].before;
	return before;
}

static int finish(struct walk *w, struct profile_scope *scope, struct profile **ret,
		  struct err *err)
{
	int rc = intake_finish(w->sink, scope, &w->profile, err);

	if (!rc)
		*ret = &scope->profiles[scope->profile_count - 1];
	return rc;
}

/* ---- trie ---- */

static int add_key(struct walk *w, int64_t value, struct err *err)
{
	struct str rest = buf_text(&w->key), name;
	uint32_t location, stack;
	int rc = intake_rows(w->sink, w->key.len / KEY_BYTES_A_ROW, err);

	w->path.count = 0;
	while (!rc && str_next(&rest, ';', &name)) {
		rc = intake_named(w->sink, name, STR(""), 0, &location, err);
		rc = rc ? rc : intake_push(w->sink, &w->path, location, err);
	}
	rc = rc ? rc : intake_rows(w->sink, w->path.count, err);
	rc = rc ? rc : intake_stack(w->sink, &w->path, &stack, err);
	return rc ? rc : intake_value(w->sink, &w->profile, stack, value, err);
}

static int walk_trie(struct walk *w, struct err *err)
{
	struct node node;
	int rc = 0;

	while (!rc && cur_left(&w->c) > 0) {
		size_t before = w->key.len;
		rc = read_node(w, "trie", &node, err);
		if (rc)
			return rc;
		buf_str(&w->key, node.name);
		rc = buf_check(&w->key, "trie", err);
		if (!rc && node.value > 0)
			rc = add_key(w, node.value, err);
		if (!rc && node.children > 0)
			rc = open_node(w, node.children, before, err);
		else if (!rc)
			w->key.len = close_nodes(w, before);
	}
	return rc;
}

int wire_folded_trie(struct str bytes, struct wire_sink *sink, struct profile_scope *scope,
		     struct profile **ret, struct err *err)
{
	struct walk walk = {.sink = sink, .c = cur_make(bytes.ptr, bytes.len)};
	int rc;

	buf_init(&walk.key, 0);
	rc = walk_trie(&walk, err);
	buf_deinit(&walk.key);
	if (!rc && walk.depth > 0)
		rc = err_set(err, ERR_INVALID, "trie: cut short at byte %zu", bytes.len);
	return rc ? rc : finish(&walk, scope, ret, err);
}

/* ---- tree ---- */

static int push_name(struct walk *w, struct str name, struct err *err)
{
	uint32_t location;
	int rc;

	if (w->depth == 0 && name.len == 0)
		return 0;
	rc = intake_rows(w->sink, 1, err);
	rc = rc ? rc : intake_named(w->sink, name, STR(""), 0, &location, err);
	return rc ? rc : intake_push(w->sink, &w->path, location, err);
}

static int add_path(struct walk *w, int64_t value, struct err *err)
{
	uint32_t stack;
	int rc = intake_rows(w->sink, w->path.count, err);

	rc = rc ? rc : intake_stack(w->sink, &w->path, &stack, err);
	return rc ? rc : intake_value(w->sink, &w->profile, stack, value, err);
}

static int walk_tree(struct walk *w, struct err *err)
{
	struct node node;
	int rc = 0;

	while (!rc && cur_left(&w->c) > 0) {
		size_t before = w->path.count;
		rc = read_node(w, "tree", &node, err);
		rc = rc ? rc : push_name(w, node.name, err);
		if (!rc && node.value > 0)
			rc = add_path(w, node.value, err);
		if (!rc && node.children > 0)
			rc = open_node(w, node.children, before, err);
		else if (!rc)
			w->path.count = close_nodes(w, before);
	}
	return rc;
}

int wire_folded_tree(struct str bytes, struct wire_sink *sink, struct profile_scope *scope,
		     struct profile **ret, struct err *err)
{
	struct walk walk = {.sink = sink, .c = cur_make(bytes.ptr, bytes.len)};
	int rc = walk_tree(&walk, err);

	if (!rc && walk.depth > 0)
		rc = err_set(err, ERR_INVALID, "tree: cut short at byte %zu", bytes.len);
	return rc ? rc : finish(&walk, scope, ret, err);
}
