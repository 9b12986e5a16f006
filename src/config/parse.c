/* libyaml's events become a tree. A document is bounded in bytes, depth and
 * nodes; an alias is a deep copy of what it names (later steps change nodes in
 * place) and so costs as many nodes as it stands for, which is what defuses
 * documents of aliases of aliases. */
#include <stdlib.h>

#include <yaml.h>

#include "base/fd.h"
#include "base/mem.h"
#include "config/tree.h"

struct anchor {
	struct anchor *next;
	struct str name;
	const struct config_node *node; /* NULL while it is still open */
	size_t weight;			/* nodes in it */
};

struct parse {
	yaml_parser_t yaml;
	yaml_event_t event; /* the current one; zeroed when there is none */
	struct arena *arena;
	const char *file;
	struct str text;
	struct anchor *anchors; /* the newest first: a name may be used again */
	size_t anchor_count;
	size_t nodes;
	struct err *err;
};

static int fail_at(struct parse *p, yaml_mark_t mark, int code, const char *why)
{
	return err_set(p->err, code, "%s:%zu:%zu: %s", p->file, mark.line + 1, mark.column + 1,
		       why);
}

static int no_memory(struct parse *p)
{
	return err_set(p->err, ERR_NOMEM, "%s: no memory for its configuration tree", p->file);
}

/* libyaml's reader knows only the offset of a byte that it cannot take. */
static yaml_mark_t mark_of_offset(struct str text, size_t offset)
{
	yaml_mark_t mark = {.index = offset};

	for (size_t i = 0; i < offset && i < text.len; i++) {
		mark.column++;
		if (text.ptr[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

static int fail_yaml(struct parse *p)
{
	yaml_parser_t *yaml = &p->yaml;
	const char *problem = yaml->problem ? yaml->problem : "not YAML";
	char text[256];

	if (yaml->error == YAML_MEMORY_ERROR)
		return no_memory(p);
	if (yaml->error == YAML_READER_ERROR)
		return fail_at(p, mark_of_offset(p->text, yaml->problem_offset), ERR_INVALID,
			       problem);
	snprintf(text, sizeof(text), "%s%s%s", problem, yaml->context ? ", " : "",
		 yaml->context ? yaml->context : "");
	return fail_at(p, yaml->problem_mark, ERR_INVALID, text);
}

static int next_event(struct parse *p)
{
	yaml_event_delete(&p->event);
	if (!yaml_parser_parse(&p->yaml, &p->event))
		return fail_yaml(p);
	return 0;
}

static struct config_node *make_node(struct parse *p, enum config_kind kind)
{
	struct config_node *node = config_node_make(p->arena, kind, NULL);

	if (!node)
		return NULL;
	node->file = p->file;
	node->line = (uint32_t)p->event.start_mark.line + 1;
	node->column = (uint32_t)p->event.start_mark.column + 1;
	return node;
}

static int count_nodes(struct parse *p, size_t more)
{
	p->nodes += more;
	if (p->nodes > CONFIG_NODES_MAX)
		return fail_at(p, p->event.start_mark, ERR_LIMIT,
			       "more values than one configuration may have");
	return 0;
}

/* ---- anchors and aliases ---- */

static int open_anchor(struct parse *p, const yaml_char_t *name, struct anchor **ret)
{
	*ret = NULL;
	if (!name)
		return 0;
	if (++p->anchor_count > CONFIG_ANCHORS_MAX)
		return fail_at(p, p->event.start_mark, ERR_LIMIT,
			       "more anchors than one configuration may have");
	struct anchor *anchor = arena_zalloc(p->arena, 1, sizeof(*anchor));
	if (!anchor)
		return no_memory(p);
	anchor->name = arena_str(p->arena, str_of((const char *)name));
	if (!anchor->name.ptr)
		return no_memory(p);
	anchor->weight = p->nodes;
	anchor->next = p->anchors;
	p->anchors = anchor;
	*ret = anchor;
	return 0;
}

static void close_anchor(struct parse *p, struct anchor *anchor, const struct config_node *node)
{
	if (!anchor)
		return;
	anchor->node = node;
	anchor->weight = p->nodes - anchor->weight + 1;
}

static int parse_alias(struct parse *p, struct config_node **ret)
{
	struct str name = str_of((const char *)p->event.data.alias.anchor);
	const struct anchor *anchor = p->anchors;

	while (anchor && !str_equal(anchor->name, name))
		anchor = anchor->next;
	if (!anchor)
		return fail_at(p, p->event.start_mark, ERR_INVALID, "alias of an unknown anchor");
	if (!anchor->node)
		return fail_at(p, p->event.start_mark, ERR_INVALID,
			       "alias of an anchor that contains it");
	int code = count_nodes(p, anchor->weight);
	if (code)
		return code;
	*ret = config_node_copy(p->arena, anchor->node);
	return *ret ? 0 : no_memory(p);
}

/* ---- scalars ---- */

/* YAML 1.2 core schema, section 10.3.2. */
static bool is_null(struct str text)
{
	return text.len == 0 || str_equal(text, STR("~")) || str_equal(text, STR("null")) ||
	       str_equal(text, STR("Null")) || str_equal(text, STR("NULL"));
}

static int check_tag(struct parse *p, const yaml_char_t *tag, bool *ret_text)
{
	struct str name = str_of((const char *)tag);

	*ret_text = str_equal(name, STR(YAML_STR_TAG));
	if (!tag || *ret_text || str_equal(name, STR("!")) ||
	    (str_starts_with(name, STR("tag:yaml.org,2002:")) &&
	     !str_equal(name, STR("tag:yaml.org,2002:binary"))))
		return 0;
	return fail_at(p, p->event.start_mark, ERR_INVALID, "this tag is not supported");
}

static int parse_scalar(struct parse *p, struct config_node **ret)
{
	struct str text = str_make(p->event.data.scalar.value, p->event.data.scalar.length);
	bool is_text;
	int code = check_tag(p, p->event.data.scalar.tag, &is_text);

	if (code)
		return code;
	if (str_find_char(text, '\0') >= 0)
		return fail_at(p, p->event.start_mark, ERR_INVALID, "a NUL inside text");
	struct config_node *node = make_node(p, CONFIG_SCALAR);
	if (!node)
		return no_memory(p);
	node->quoted = is_text || p->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	node->text = arena_str(p->arena, text);
	if (!node->text.ptr)
		return no_memory(p);
	if (!node->quoted && is_null(text))
		node->kind = CONFIG_NULL;
	*ret = node;
	return 0;
}

/* ---- maps and lists ---- */

static int parse_node(struct parse *p, unsigned depth, struct config_node **ret);

static int parse_list(struct parse *p, unsigned depth, struct config_node *list)
{
	size_t cap = 0;
	int code;

	while (!(code = next_event(p)) && p->event.type != YAML_SEQUENCE_END_EVENT) {
		struct config_entry item = {
			.line = (uint32_t)p->event.start_mark.line + 1,
			.column = (uint32_t)p->event.start_mark.column + 1,
		};
		code = parse_node(p, depth + 1, &item.value);
		if (code)
			return code;
		if (!config_node_add(p->arena, list, &cap, &item))
			return no_memory(p);
	}
	return code;
}

static int by_key_and_place(const void *a, const void *b)
{
	const struct config_entry *x = *(const struct config_entry *const *)a;
	const struct config_entry *y = *(const struct config_entry *const *)b;
	int order = str_compare(x->key, y->key);

	return order ? order : (x > y) - (x < y);
}

/* Sorted, since a map may have as many keys as a document may have nodes. */
static int refuse_duplicates(struct parse *p, const struct config_node *map)
{
	struct config_entry **sorted;
	int code = 0;

	if (map->count < 2)
		return 0;
	sorted = mem_alloc(map->count * sizeof(struct config_entry *));
	if (!sorted)
		return no_memory(p);
	for (size_t i = 0; i < map->count; i++)
		sorted[i] = &map->entries[i];
	qsort(sorted, map->count, sizeof(struct config_entry *), by_key_and_place);
	for (size_t i = 1; i < map->count && !code; i++)
		if (str_equal(sorted[i - 1]->key, sorted[i]->key))
			code = err_set(p->err, ERR_INVALID,
				       "%s:%u:%u: key \"%.*s\" is there twice (first at line %u)",
				       p->file, sorted[i]->line, sorted[i]->column,
				       STR_ARG(sorted[i]->key), sorted[i - 1]->line);
	mem_free(sorted);
	return code;
}

/* Merge keys (yaml.org/type/merge.html): what the map says itself wins. */
static int merge_from(struct parse *p, struct config_node *map, const struct config_node *from)
{
	size_t cap = map->count;

	if (from->kind == CONFIG_LIST) {
		for (size_t i = 0; i < from->count; i++) {
			const struct config_node *one = from->entries[i].value;
			int code = one->kind == CONFIG_MAP ? merge_from(p, map, one)
							   : config_err(one, p->err, ERR_INVALID,
									"\"<<\" needs maps");
			if (code)
				return code;
		}
		return 0;
	}
	if (from->kind != CONFIG_MAP)
		return config_err(from, p->err, ERR_INVALID, "\"<<\" needs a map");
	if (map->count + from->count > CONFIG_MERGED_KEYS_MAX)
		return config_err(from, p->err, ERR_LIMIT,
				  "\"<<\" makes a map of more than %d keys",
				  CONFIG_MERGED_KEYS_MAX);
	for (size_t i = 0; i < from->count; i++)
		if (!config_entry_find(map, from->entries[i].key) &&
		    !config_node_add(p->arena, map, &cap, &from->entries[i]))
			return no_memory(p);
	return 0;
}

static int apply_merge_key(struct parse *p, struct config_node *map)
{
	struct config_entry *entry = config_entry_find(map, STR("<<"));

	if (!entry)
		return 0;
	const struct config_node *from = entry->value;
	size_t index = (size_t)(entry - map->entries);
	map->count--;
	memmove(entry, entry + 1, (map->count - index) * sizeof(*entry));
	return merge_from(p, map, from);
}

static int parse_key(struct parse *p, struct config_entry *entry)
{
	struct config_node *key;

	if (p->event.type != YAML_SCALAR_EVENT)
		return fail_at(p, p->event.start_mark, ERR_INVALID, "a key must be text");
	entry->line = (uint32_t)p->event.start_mark.line + 1;
	entry->column = (uint32_t)p->event.start_mark.column + 1;
	int code = parse_scalar(p, &key);
	if (!code)
		entry->key = key->text;
	return code;
}

static int parse_map(struct parse *p, unsigned depth, struct config_node *map)
{
	size_t cap = 0;
	int code;

	while (!(code = next_event(p)) && p->event.type != YAML_MAPPING_END_EVENT) {
		struct config_entry entry = {0};
		code = parse_key(p, &entry);
		if (!code)
			code = next_event(p);
		if (!code)
			code = parse_node(p, depth + 1, &entry.value);
		if (code)
			return code;
		if (!config_node_add(p->arena, map, &cap, &entry))
			return no_memory(p);
	}
	if (!code)
		code = refuse_duplicates(p, map);
	return code ? code : apply_merge_key(p, map);
}

static int parse_collection(struct parse *p, unsigned depth, struct config_node **ret)
{
	bool is_map = p->event.type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *name =
		is_map ? p->event.data.mapping_start.anchor : p->event.data.sequence_start.anchor;
	struct config_node *node = make_node(p, is_map ? CONFIG_MAP : CONFIG_LIST);
	struct anchor *anchor;
	bool is_text;

	if (!node)
		return no_memory(p);
	int code = check_tag(p,
			     is_map ? p->event.data.mapping_start.tag
				    : p->event.data.sequence_start.tag,
			     &is_text);
	if (!code)
		code = open_anchor(p, name, &anchor);
	if (!code)
		code = is_map ? parse_map(p, depth, node) : parse_list(p, depth, node);
	if (code)
		return code;
	close_anchor(p, anchor, node);
	*ret = node;
	return 0;
}

static int parse_anchored_scalar(struct parse *p, struct config_node **ret)
{
	struct anchor *anchor;
	int code = open_anchor(p, p->event.data.scalar.anchor, &anchor);

	if (!code)
		code = parse_scalar(p, ret);
	if (!code)
		close_anchor(p, anchor, *ret);
	return code;
}

/* The node that the current event starts. */
static int parse_node(struct parse *p, unsigned depth, struct config_node **ret)
{
	int code = count_nodes(p, 1);

	if (code)
		return code;
	if (depth > CONFIG_DEPTH_MAX)
		return fail_at(p, p->event.start_mark, ERR_LIMIT, "nested too deeply");
	if (p->event.type == YAML_ALIAS_EVENT)
		return parse_alias(p, ret);
	if (p->event.type == YAML_SCALAR_EVENT)
		return parse_anchored_scalar(p, ret);
	return parse_collection(p, depth, ret);
}

static int parse_document(struct parse *p, struct config_node **ret)
{
	int code = next_event(p); /* stream start */

	if (!code)
		code = next_event(p); /* document start, or the end */
	if (code)
		return code;
	if (p->event.type == YAML_STREAM_END_EVENT) {
		*ret = make_node(p, CONFIG_NULL);
		return *ret ? 0 : no_memory(p);
	}
	code = next_event(p);
	if (!code)
		code = parse_node(p, 0, ret);
	if (!code)
		code = next_event(p); /* document end */
	if (!code)
		code = next_event(p);
	if (!code && p->event.type != YAML_STREAM_END_EVENT)
		code = fail_at(p, p->event.start_mark, ERR_INVALID,
			       "a second document starts here; one file holds one configuration");
	return code;
}

int config_parse(struct arena *arena, const char *file, struct str text, struct config_node **ret,
		 struct err *err)
{
	struct parse p = {.arena = arena, .text = text, .err = err};
	struct config_node *root = NULL;

	if (text.len > CONFIG_FILE_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "%s: larger than %d bytes", file,
			       CONFIG_FILE_MAX_BYTES);
	p.file = arena_str(arena, str_of(file)).ptr;
	if (!p.file || !yaml_parser_initialize(&p.yaml))
		return err_set(err, ERR_NOMEM, "%s: no memory to read it", file);
	yaml_parser_set_input_string(&p.yaml, (const unsigned char *)(text.ptr ? text.ptr : ""),
				     text.len);
	int code = parse_document(&p, &root);
	yaml_event_delete(&p.event);
	yaml_parser_delete(&p.yaml);
	if (!code)
		*ret = root;
	return code;
}

int config_parse_file(struct arena *arena, const char *path, struct config_node **ret,
		      struct err *err)
{
	struct buf text = {0};
	int code = fd_read_file(path, CONFIG_FILE_MAX_BYTES, &text, err);

	if (!code)
		code = config_parse(arena, path, buf_text(&text), ret, err);
	buf_deinit(&text);
	return code;
}
