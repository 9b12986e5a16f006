#include "config/tree.h"

/* ---- "a::b" becomes nested maps ---- */

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the configuration");
}

/* The map below key, made when it is not there. A value of another kind is in the way. */
static int map_below(struct arena *arena, struct config_node *map, const struct config_entry *at,
		     struct str key, struct config_node **ret, struct err *err)
{
	struct config_entry *there = config_entry_find(map, key);
	struct config_entry made = {.key = arena_str(arena, key),
				    .line = at->line,
				    .column = at->column};
	size_t cap = map->count;

	if (there && there->value->kind != CONFIG_MAP)
		return config_err(at->value, err, ERR_INVALID,
				  "key \"%.*s\" collides with \"%.*s\" at line %u",
				  STR_ARG(at->key), STR_ARG(key), there->line);
	if (there) {
		*ret = there->value;
		return 0;
	}
	made.value = config_node_make(arena, CONFIG_MAP, at->value);
	if (!made.key.ptr || !made.value || !config_node_add(arena, map, &cap, &made))
		return no_memory(err);
	*ret = made.value;
	return 0;
}

static int merge_maps(struct arena *arena, struct config_node *base, struct config_node *over,
		      struct err *err);

/* Puts an entry whose key may be a path into map. */
static int put_split(struct arena *arena, struct config_node *map, const struct config_entry *entry,
		     struct err *err)
{
	struct str rest = entry->key;
	ptrdiff_t at;

	while ((at = str_find(rest, STR("::"))) >= 0) {
		int code = map_below(arena, map, entry, str_sub(rest, 0, (size_t)at), &map, err);
		if (code)
			return code;
		rest = str_sub(rest, (size_t)at + 2, rest.len);
	}
	struct config_entry last = *entry;
	struct config_entry *there = config_entry_find(map, rest);
	size_t cap = map->count;
	last.key = rest;
	if (!there)
		return config_node_add(arena, map, &cap, &last) ? 0 : no_memory(err);
	if (there->value->kind == CONFIG_MAP && last.value->kind == CONFIG_MAP)
		return merge_maps(arena, there->value, last.value, err);
	return config_err(entry->value, err, ERR_INVALID, "key \"%.*s\" is given twice (line %u)",
			  STR_ARG(entry->key), there->line);
}

static bool has_path_key(const struct config_node *map)
{
	for (size_t i = 0; i < map->count; i++)
		if (str_find(map->entries[i].key, STR("::")) >= 0)
			return true;
	return false;
}

static int split_map(struct arena *arena, struct config_node *map, struct err *err)
{
	struct config_node old = *map;
	int code = 0;

	if (!has_path_key(map))
		return 0;
	map->entries = NULL;
	map->count = 0;
	for (size_t i = 0; i < old.count && !code; i++)
		code = put_split(arena, map, &old.entries[i], err);
	return code;
}

int config_split_keys(struct arena *arena, struct config_node *root, struct err *err)
{
	int code = 0;

	for (size_t i = 0; i < root->count && !code; i++)
		code = config_split_keys(arena, root->entries[i].value, err);
	if (!code && root->kind == CONFIG_MAP)
		code = split_map(arena, root, err);
	return code;
}

/* ---- one tree over another ---- */

static int merge_maps(struct arena *arena, struct config_node *base, struct config_node *over,
		      struct err *err)
{
	size_t cap = base->count;
	int code = 0;

	for (size_t i = 0; i < over->count && !code; i++) {
		struct config_entry *entry = &over->entries[i];
		struct config_entry *there = config_entry_find(base, entry->key);
		if (!there)
			code = config_node_add(arena, base, &cap, entry) ? 0 : no_memory(err);
		else if (there->value->kind == CONFIG_MAP && entry->value->kind == CONFIG_MAP)
			code = merge_maps(arena, there->value, entry->value, err);
		else
			there->value = entry->value;
	}
	return code;
}

int config_merge(struct arena *arena, struct config_node **base, struct config_node *over,
		 struct err *err)
{
	if (!over || over->kind == CONFIG_NULL)
		return 0;
	if (*base && (*base)->kind == CONFIG_MAP && over->kind == CONFIG_MAP)
		return merge_maps(arena, *base, over, err);
	*base = over;
	return 0;
}

/* ---- --set ---- */

/* The maps around value: a.b.c=v is {a: {b: {c: v}}}. Built from the inside out. */
static int wrap_in_path(struct arena *arena, struct str path, struct config_node *value,
			struct config_node **ret, struct err *err)
{
	while (path.ptr) {
		ptrdiff_t dot = str_rfind_char(path, '.');
		struct str key = dot < 0 ? path : str_sub(path, (size_t)dot + 1, path.len);
		struct config_entry entry = {arena_str(arena, key), value->line, value->column,
					     value};
		struct config_node *map = config_node_make(arena, CONFIG_MAP, value);
		size_t cap = 0;

		if (key.len == 0)
			return err_set(err, ERR_INVALID, "an empty part in the key");
		if (!entry.key.ptr || !map || !config_node_add(arena, map, &cap, &entry))
			return no_memory(err);
		value = map;
		path = dot < 0 ? (struct str){NULL, 0} : str_sub(path, 0, (size_t)dot);
	}
	*ret = value;
	return 0;
}

int config_set(struct arena *arena, struct config_node **base, const char *assignment,
	       struct err *err)
{
	struct str text = str_of(assignment);
	ptrdiff_t eq = str_find_char(text, '=');
	struct config_node *value, *tree = NULL;

	if (eq < 0)
		return err_set(err, ERR_INVALID, "--set=%s: missing equal sign", assignment);
	int code =
		config_parse(arena, "--set", str_sub(text, (size_t)eq + 1, text.len), &value, err);
	if (!code)
		code = wrap_in_path(arena, str_sub(text, 0, (size_t)eq), value, &tree, err);
	if (!code)
		code = config_split_keys(arena, tree, err);
	if (!code)
		code = config_merge(arena, base, tree, err);
	return code ? (err_wrap(err, "--set=%s", assignment), code) : 0;
}
