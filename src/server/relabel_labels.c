#include "server/relabel.h"

static size_t find(const struct relabel_labels *labels, struct str name)
{
	size_t i = 0;

	while (i < labels->count && !str_equal(labels->items[i].name, name))
		i++;
	return i;
}

struct str relabel_get(const struct relabel_labels *labels, struct str name)
{
	size_t at = find(labels, name);

	return at < labels->count ? labels->items[at].value : STR("");
}

int relabel_set(struct relabel_labels *labels, struct str name, struct str value, struct err *err)
{
	size_t at = find(labels, name);
	struct store_label *grown;

	if (value.len == 0) {
		if (at < labels->count)
			labels->items[at] = labels->items[--labels->count];
		return 0;
	}
	if (at < labels->count) {
		labels->items[at].value = value;
		return 0;
	}
	grown = arena_grow(labels->arena, labels->items, &labels->cap, labels->count + 1,
			   sizeof(*grown));
	if (!grown)
		return err_set(err, ERR_NOMEM, "no memory for a label");
	labels->items = grown;
	grown[labels->count++] = (struct store_label){name, value};
	return 0;
}
