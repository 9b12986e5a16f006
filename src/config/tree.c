#include "config/tree.h"

#include <stdio.h>

struct config_node *config_node_make(struct arena *arena, enum config_kind kind,
				     const struct config_node *place)
{
	struct config_node *node = arena_zalloc(arena, 1, sizeof(*node));

	if (!node)
		return NULL;
	node->kind = kind;
	node->file = place ? place->file : "";
	node->line = place ? place->line : 0;
	node->column = place ? place->column : 0;
	return node;
}

struct config_node *config_node_copy(struct arena *arena, const struct config_node *node)
{
	struct config_node *copy = config_node_make(arena, node->kind, node);

	if (!copy)
		return NULL;
	*copy = *node;
	if (node->count == 0)
		return copy;
	copy->entries = arena_copy(arena, node->entries, node->count * sizeof(*node->entries));
	if (!copy->entries)
		return NULL;
	for (size_t i = 0; i < copy->count; i++) {
		copy->entries[i].value = config_node_copy(arena, node->entries[i].value);
		if (!copy->entries[i].value)
			return NULL;
	}
	return copy;
}

bool config_node_add(struct arena *arena, struct config_node *node, size_t *cap,
		     const struct config_entry *entry)
{
	struct config_entry *entries =
		arena_grow(arena, node->entries, cap, node->count + 1, sizeof(*entries));

	if (!entries)
		return false;
	node->entries = entries;
	entries[node->count++] = *entry;
	return true;
}

struct config_entry *config_entry_find(const struct config_node *node, struct str key)
{
	if (!node || node->kind != CONFIG_MAP)
		return NULL;
	for (size_t i = 0; i < node->count; i++)
		if (str_equal(node->entries[i].key, key))
			return &node->entries[i];
	return NULL;
}

struct config_node *config_get(const struct config_node *node, const char *key)
{
	struct config_entry *entry = config_entry_find(node, str_of(key));

	return entry ? entry->value : NULL;
}

struct config_node *config_get_path(const struct config_node *node, const char *path,
				    const char *sep)
{
	struct str rest = str_of(path);
	struct config_entry *entry;

	for (;;) {
		ptrdiff_t at = str_find(rest, str_of(sep));
		entry = config_entry_find(node, at < 0 ? rest : str_sub(rest, 0, (size_t)at));
		if (!entry || at < 0)
			return entry ? entry->value : NULL;
		node = entry->value;
		rest = str_sub(rest, (size_t)at + strlen(sep), rest.len);
	}
}

int config_err(const struct config_node *node, struct err *err, int code, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	va_end(args);
	if (!node || node->line == 0)
		return err_set(err, code, "%s", text);
	return err_set(err, code, "%s:%u: %s", node->file, node->line, text);
}
