/* The way back: a struct, by its rows, as a tree. */
#include "config/tree.h"
#include "config/values.h"

#include <stdio.h>

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory to show the configuration");
}

static struct config_node *text_node(struct arena *arena, struct str text, bool quoted)
{
	struct config_node *node = config_node_make(arena, CONFIG_SCALAR, NULL);

	if (!node)
		return NULL;
	node->text = arena_str(arena, text);
	node->quoted = quoted;
	return node->text.ptr ? node : NULL;
}

int config_map_create(struct arena *arena, struct config_node **ret, struct err *err)
{
	*ret = config_node_make(arena, CONFIG_MAP, NULL);
	return *ret ? 0 : no_memory(err);
}

int config_map_add(struct arena *arena, struct config_node *map, struct str key,
		   struct config_node *value, struct err *err)
{
	struct config_entry entry = {.key = arena_str(arena, key), .value = value};
	size_t cap = map->count;

	if (!value || !entry.key.ptr || !config_node_add(arena, map, &cap, &entry))
		return no_memory(err);
	return 0;
}

/* ---- values ---- */

static uint64_t read_uint(const struct config_row *row, const void *field)
{
	if (row->size == sizeof(uint16_t))
		return *(const uint16_t *)field;
	if (row->size == sizeof(uint32_t))
		return *(const uint32_t *)field;
	return *(const uint64_t *)field;
}

static int64_t read_int(const struct config_row *row, const void *field)
{
	if (row->size == sizeof(int16_t))
		return *(const int16_t *)field;
	if (row->size == sizeof(int32_t))
		return *(const int32_t *)field;
	return *(const int64_t *)field;
}

static void put_value(const struct config_row *row, const void *field, struct buf *out)
{
	switch (row->type) {
	case CONFIG_BOOL:
		buf_cstr(out, *(const bool *)field ? "true" : "false");
		break;
	case CONFIG_INT:
		buf_printf(out, "%lld", (long long)read_int(row, field));
		break;
	case CONFIG_UINT:
		buf_printf(out, "%llu", (unsigned long long)read_uint(row, field));
		break;
	case CONFIG_FLOAT:
		buf_printf(out, "%.15g", *(const double *)field);
		break;
	case CONFIG_STRING:
		buf_str(out, *(const struct str *)field);
		break;
	case CONFIG_DURATION:
		config_put_duration(out, *(const int64_t *)field);
		break;
	case CONFIG_SIZE:
		buf_printf(out, "%llu", (unsigned long long)*(const uint64_t *)field);
		break;
	case CONFIG_ENUM:
		buf_cstr(out, row->choices[*(const int *)field]);
		break;
	case CONFIG_STRINGS:
	case CONFIG_STRING_MAP:
	case CONFIG_SECTION:
	case CONFIG_SECTIONS:
	case CONFIG_NAMED:
	case CONFIG_TREE:
	case CONFIG_CUSTOM:
	case CONFIG_IGNORED:
		break;
	}
}

static int show_scalar(const struct config_row *row, const void *field, struct arena *arena,
		       struct config_node **ret, struct err *err)
{
	struct buf text = {0};

	put_value(row, field, &text);
	bool hidden = row->secret && text.len > 0;
	*ret = text_node(arena, hidden ? STR("[REDACTED]") : buf_text(&text),
			 row->type == CONFIG_STRING);
	buf_deinit(&text);
	return *ret ? 0 : no_memory(err);
}

static int show_strings(const struct config_strings *list, struct arena *arena,
			struct config_node **ret, struct err *err)
{
	int rc = 0;

	*ret = config_node_make(arena, CONFIG_LIST, NULL);
	if (!*ret)
		return no_memory(err);
	for (size_t i = 0; i < list->count && !rc; i++)
		rc = config_map_add(arena, *ret, STR(""), text_node(arena, list->items[i], true),
				    err);
	return rc;
}

static int show_pairs(const struct config_pairs *pairs, struct arena *arena,
		      struct config_node **ret, struct err *err)
{
	int rc = 0;

	*ret = config_node_make(arena, CONFIG_MAP, NULL);
	if (!*ret)
		return no_memory(err);
	for (size_t i = 0; i < pairs->count && !rc; i++)
		rc = config_map_add(arena, *ret, pairs->items[i].key,
				    text_node(arena, pairs->items[i].value, true), err);
	return rc;
}

static int show_items(const struct config_row *row, const struct config_items *items,
		      struct arena *arena, struct config_node **ret, struct err *err)
{
	bool named = row->type == CONFIG_NAMED;
	int rc = 0;

	*ret = config_node_make(arena, named ? CONFIG_MAP : CONFIG_LIST, NULL);
	if (!*ret)
		return no_memory(err);
	for (size_t i = 0; i < items->count && !rc; i++) {
		struct config_node *item = NULL;
		rc = config_show(row->section, arena,
				 (const char *)items->items + i * row->section->size, &item, err);
		rc = rc ? rc
			: config_map_add(arena, *ret, named ? items->names[i] : STR(""), item, err);
	}
	return rc;
}

static int show_row(const struct config_row *row, const void *field, struct arena *arena,
		    struct config_node **ret, struct err *err)
{
	switch (row->type) {
	case CONFIG_STRINGS:
		return show_strings(field, arena, ret, err);
	case CONFIG_STRING_MAP:
		return show_pairs(field, arena, ret, err);
	case CONFIG_SECTION:
		return config_show(row->section, arena, field, ret, err);
	case CONFIG_SECTIONS:
	case CONFIG_NAMED:
		return show_items(row, field, arena, ret, err);
	case CONFIG_BOOL:
	case CONFIG_INT:
	case CONFIG_UINT:
	case CONFIG_FLOAT:
	case CONFIG_STRING:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
	case CONFIG_ENUM:
		return show_scalar(row, field, arena, ret, err);
	case CONFIG_TREE:
	case CONFIG_CUSTOM:
	case CONFIG_IGNORED:
		break;
	}
	return 0;
}

/* The map in which the last part of a dotted key stands. */
static int find_map(struct arena *arena, struct config_node *root, struct str *key,
		    struct config_node **ret, struct err *err)
{
	struct str rest = *key, part;
	ptrdiff_t dot;
	int rc = 0;

	while (rc == 0 && (dot = str_find_char(rest, '.')) >= 0) {
		part = str_sub(rest, 0, (size_t)dot);
		rest = str_sub(rest, (size_t)dot + 1, SIZE_MAX);
		struct config_entry *there = config_entry_find(root, part);
		struct config_node *below =
			there ? there->value : config_node_make(arena, CONFIG_MAP, NULL);
		if (!there)
			rc = config_map_add(arena, root, part, below, err);
		root = below;
	}
	*key = rest;
	*ret = root;
	return rc;
}

int config_show(const struct config_schema *schema, struct arena *arena, const void *target,
		struct config_node **ret, struct err *err)
{
	struct config_node *root = config_node_make(arena, CONFIG_MAP, NULL);
	int rc = root ? 0 : no_memory(err);

	for (size_t i = 0; i < schema->row_count && !rc; i++) {
		const struct config_row *row = &schema->rows[i];
		struct config_node *value = NULL, *map;
		struct str key = str_of(row->key);
		if (row->flag_only)
			continue;
		rc = show_row(row, (const char *)target + row->offset, arena, &value, err);
		if (rc || !value)
			continue;
		rc = find_map(arena, root, &key, &map, err);
		rc = rc ? rc : config_map_add(arena, map, key, value, err);
	}
	*ret = root;
	return rc;
}

/* ---- differences ---- */

static bool same(const struct config_node *a, const struct config_node *b)
{
	if (!a || !b || a->kind != b->kind || a->count != b->count || !str_equal(a->text, b->text))
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!str_equal(a->entries[i].key, b->entries[i].key) ||
		    !same(a->entries[i].value, b->entries[i].value))
			return false;
	return true;
}

struct walk {
	struct arena *arena;
	void (*each)(void *user, struct str path, const struct config_node *value);
	void *user;
};

static int walk_maps(const struct walk *walk, struct str prefix, const struct config_node *now,
		     const struct config_node *before, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < now->count && !rc; i++) {
		const struct config_entry *entry = &now->entries[i];
		const struct config_entry *other = config_entry_find(before, entry->key);
		const struct config_node *there = other ? other->value : NULL;
		struct str path = arena_printf(walk->arena, "%.*s%s%.*s", STR_ARG(prefix),
					       prefix.len ? "." : "", STR_ARG(entry->key));
		if (!path.ptr)
			return no_memory(err);
		if (same(entry->value, there))
			continue;
		if (entry->value->kind == CONFIG_MAP && there && there->kind == CONFIG_MAP &&
		    entry->value->count > 0)
			rc = walk_maps(walk, path, entry->value, there, err);
		else
			walk->each(walk->user, path, entry->value);
	}
	for (size_t i = 0; i < before->count && !rc; i++) {
		const struct config_entry *entry = &before->entries[i];
		if (config_entry_find(now, entry->key))
			continue;
		struct str path = arena_printf(walk->arena, "%.*s%s%.*s", STR_ARG(prefix),
					       prefix.len ? "." : "", STR_ARG(entry->key));
		if (!path.ptr)
			return no_memory(err);
		walk->each(walk->user, path, NULL);
	}
	return rc;
}

int config_differences(struct arena *arena, const struct config_node *now,
		       const struct config_node *before,
		       void (*each)(void *user, struct str path, const struct config_node *value),
		       void *user, struct err *err)
{
	const struct walk walk = {arena, each, user};

	return walk_maps(&walk, STR(""), now, before, err);
}

/* ---- only what differs ---- */

int config_diff(struct arena *arena, const struct config_node *now,
		const struct config_node *before, struct config_node **ret, struct err *err)
{
	int rc = 0;

	*ret = config_node_make(arena, CONFIG_MAP, NULL);
	if (!*ret)
		return no_memory(err);
	for (size_t i = 0; i < now->count && !rc; i++) {
		const struct config_entry *entry = &now->entries[i];
		const struct config_entry *other = config_entry_find(before, entry->key);
		struct config_node *value = entry->value;
		if (other && same(value, other->value))
			continue;
		if (value->kind == CONFIG_MAP && other && other->value->kind == CONFIG_MAP)
			rc = config_diff(arena, entry->value, other->value, &value, err);
		rc = rc ? rc : config_map_add(arena, *ret, entry->key, value, err);
	}
	return rc;
}
