#include "server/labels_reply.h"

#include <stdlib.h>

#include "server/pbjson.h"

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the answer");
}

/* Length of what str_is_utf8() accepts at the start, 0 if nothing. */
static size_t rune_len(struct str s)
{
	for (size_t len = 1; len <= 4 && len <= s.len; len++)
		if (str_is_utf8(str_sub(s, 0, len)))
			return len;
	return 0;
}

static char *repaired(struct arena *arena, struct str text)
{
	static const char unknown[] = "\xef\xbf\xbd";
	char *copy = arena_alloc(arena, 3 * text.len + 1);
	size_t len = 0;

	while (copy && text.len > 0) {
		size_t rune = rune_len(text);
		memcpy(copy + len, rune ? text.ptr : unknown, rune ? rune : 3);
		len += rune ? rune : 3;
		text = str_sub(text, rune ? rune : 1, SIZE_MAX);
	}
	if (copy)
		copy[len] = '\0';
	return copy;
}

char *api_text(struct arena *arena, struct str text)
{
	if (!str_is_utf8(text))
		return repaired(arena, text);
	char *copy = arena_alloc(arena, text.len + 1);
	if (!copy)
		return NULL;
	memcpy(copy, text.ptr ? text.ptr : "", text.len);
	copy[text.len] = '\0';
	return copy;
}

/* ---- texts ---- */

int texts_add(struct texts *texts, struct str text, struct err *err)
{
	struct str *grown = arena_grow(texts->arena, texts->items, &texts->cap, texts->count + 1,
				       sizeof(*grown));
	if (!grown)
		return no_memory(err);
	texts->items = grown;
	texts->items[texts->count++] = text;
	return 0;
}

static int compare_texts(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

int texts_take(struct texts *texts, char ***ret, size_t *ret_count, struct err *err)
{
	char **list = arena_zalloc(texts->arena, texts->count + 1, sizeof(*list));
	size_t count = 0;

	if (!list)
		return no_memory(err);
	if (texts->count > 0)
		qsort(texts->items, texts->count, sizeof(*texts->items), compare_texts);
	for (size_t i = 0; i < texts->count; i++) {
		if (i > 0 && str_equal(texts->items[i], texts->items[i - 1]))
			continue;
		list[count] = api_text(texts->arena, texts->items[i]);
		if (!list[count++])
			return no_memory(err);
	}
	*ret = list;
	*ret_count = count;
	return 0;
}

/* ---- label sets ---- */

static int compare_names(const void *a, const void *b)
{
	return str_compare(((const struct store_label *)a)->name,
			   ((const struct store_label *)b)->name);
}

/* The store answers in the order of the names that were asked for. */
int label_sets_add(struct label_sets *sets, const struct store_labels *set, struct err *err)
{
	struct store_labels *grown =
		arena_grow(sets->arena, sets->items, &sets->cap, sets->count + 1, sizeof(*grown));
	struct store_label *labels =
		arena_alloc(sets->arena, (set->label_count + 1) * sizeof(*labels));
	if (!grown || !labels)
		return no_memory(err);
	if (set->label_count > 0) {
		memcpy(labels, set->labels, set->label_count * sizeof(*labels));
		qsort(labels, set->label_count, sizeof(*labels), compare_names);
	}
	sets->items = grown;
	sets->items[sets->count++] = (struct store_labels){labels, set->label_count};
	return 0;
}

static int compare_sets(const void *a, const void *b)
{
	const struct store_labels *x = a, *y = b;
	for (size_t i = 0; i < x->label_count && i < y->label_count; i++) {
		int c = str_compare(x->labels[i].name, y->labels[i].name);
		if (c == 0)
			c = str_compare(x->labels[i].value, y->labels[i].value);
		if (c)
			return c;
	}
	return x->label_count < y->label_count ? -1 : x->label_count > y->label_count;
}

int labels_reply(struct arena *arena, const struct store_labels *labels, bool legacy,
		 Types__V1__LabelPair ***ret, size_t *ret_count, struct err *err)
{
	Types__V1__LabelPair **list = arena_zalloc(arena, labels->label_count + 1, sizeof(*list));
	size_t count = 0;

	if (!list)
		return no_memory(err);
	for (size_t i = 0; i < labels->label_count; i++) {
		struct str name = labels->labels[i].name;
		if (legacy)
			name = api_legacy_name(arena, name);
		if (!name.ptr)
			continue;
		Types__V1__LabelPair *pair =
			(Types__V1__LabelPair *)pbmsg_new(arena,
							  &types__v1__label_pair__descriptor);
		if (!pair)
			return no_memory(err);
		pair->name = api_text(arena, name);
		pair->value = api_text(arena, labels->labels[i].value);
		if (!pair->name || !pair->value)
			return no_memory(err);
		list[count++] = pair;
	}
	*ret = list;
	*ret_count = count;
	return 0;
}

int label_sets_take(struct label_sets *sets, bool legacy, Types__V1__Labels ***ret,
		    size_t *ret_count, struct err *err)
{
	Types__V1__Labels **list = arena_zalloc(sets->arena, sets->count + 1, sizeof(*list));
	size_t count = 0;
	int rc = list ? 0 : no_memory(err);

	if (sets->count > 0)
		qsort(sets->items, sets->count, sizeof(*sets->items), compare_sets);
	for (size_t i = 0; rc == 0 && i < sets->count; i++) {
		if (i > 0 && compare_sets(&sets->items[i], &sets->items[i - 1]) == 0)
			continue;
		Types__V1__Labels *labels =
			(Types__V1__Labels *)pbmsg_new(sets->arena, &types__v1__labels__descriptor);
		if (!labels)
			return no_memory(err);
		rc = labels_reply(sets->arena, &sets->items[i], legacy, &labels->labels,
				  &labels->n_labels, err);
		list[count++] = labels;
	}
	*ret = list;
	*ret_count = count;
	return rc;
}
