/* Private to config: making trees. */
#pragma once

#include "config/config.h"

/* A node at the place of another one, or at 0:0 of no file. NULL without memory. */
struct config_node *config_node_make(struct arena *arena, enum config_kind kind,
				     const struct config_node *place);
/* A deep copy that shares texts. */
struct config_node *config_node_copy(struct arena *arena, const struct config_node *node);
/* At the end of node's entries; *cap is the caller's (count when it starts). */
bool config_node_add(struct arena *arena, struct config_node *node, size_t *cap,
		     const struct config_entry *entry);
struct config_entry *config_entry_find(const struct config_node *node, struct str key);
