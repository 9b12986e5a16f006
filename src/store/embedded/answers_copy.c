/* Copies of answers, with all that they point to. Texts that an answer shares
 * stay shared. */
#include <stdint.h>

#include "base/map.h"
#include "store/embedded/answers.h"

struct copier {
	struct arena *arena;
	struct map texts; /* where a text was -> where its copy is */
	bool failed;
};

static int done(struct copier *copier, struct err *err)
{
	map_deinit(&copier->texts);
	return copier->failed ? err_set(err, ERR_LIMIT, "no room for the answer") : 0;
}

static void *copy_array(struct copier *copier, const void *array, size_t count, size_t elem_bytes)
{
	void *copy = arena_copy(copier->arena, array, count * elem_bytes);
	if (!copy)
		copier->failed = true;
	return copy;
}

static void copy_text(struct copier *copier, struct str *text)
{
	uint64_t *known = text->len ? map_get(&copier->texts, (uintptr_t)text->ptr) : NULL;
	struct str copy = STR("");
	if (known) {
		copy = (struct str){(const char *)(uintptr_t)*known, text->len};
	} else if (text->len) {
		copy = arena_str(copier->arena, *text);
		if (!copy.ptr ||
		    map_put(&copier->texts, (uintptr_t)text->ptr, (uintptr_t)copy.ptr, NULL))
			copier->failed = true;
	}
	*text = copy;
}

int copy_tree(struct arena *arena, const void *from, void *ret, struct err *err)
{
	struct copier copier = {.arena = arena};
	struct store_tree tree = *(const struct store_tree *)from;
	struct store_frame *frames =
		copy_array(&copier, tree.frames, tree.frame_count, sizeof(*frames));
	tree.parent = copy_array(&copier, tree.parent, tree.node_count, sizeof(*tree.parent));
	tree.frame = copy_array(&copier, tree.frame, tree.node_count, sizeof(*tree.frame));
	tree.self = copy_array(&copier, tree.self, tree.node_count, sizeof(*tree.self));
	for (uint32_t i = 0; !copier.failed && i < tree.frame_count; i++) {
		copy_text(&copier, &frames[i].name);
		copy_text(&copier, &frames[i].system_name);
		copy_text(&copier, &frames[i].filename);
		copy_text(&copier, &frames[i].kind);
		copy_text(&copier, &frames[i].mapping);
		copy_text(&copier, &frames[i].build_id);
	}
	tree.frames = frames;
	int rc = done(&copier, err);
	if (!rc)
		*(struct store_tree *)ret = tree;
	return rc;
}

static const struct store_label *copy_labels(struct copier *copier,
					     const struct store_label *labels, size_t count)
{
	struct store_label *copy = copy_array(copier, labels, count, sizeof(*copy));
	for (size_t i = 0; !copier->failed && i < count; i++) {
		copy_text(copier, &copy[i].name);
		copy_text(copier, &copy[i].value);
	}
	return copy;
}

int copy_points(struct arena *arena, const void *from, void *ret, struct err *err)
{
	struct copier copier = {.arena = arena};
	struct points_answer answer = *(const struct points_answer *)from;
	answer.list = copy_array(&copier, answer.list, answer.count, sizeof(*answer.list));
	for (size_t i = 0; !copier.failed && i < answer.count; i++) {
		struct store_points *series = &answer.list[i];
		series->labels = copy_labels(&copier, series->labels, series->label_count);
		series->points = copy_array(&copier, series->points, series->point_count,
					    sizeof(*series->points));
	}
	int rc = done(&copier, err);
	if (!rc)
		*(struct points_answer *)ret = answer;
	return rc;
}

int copy_top(struct arena *arena, const void *from, void *ret, struct err *err)
{
	struct copier copier = {.arena = arena};
	struct store_top top = *(const struct store_top *)from;
	struct store_function *functions =
		copy_array(&copier, top.functions, top.count, sizeof(*functions));
	for (size_t i = 0; !copier.failed && i < top.count; i++) {
		copy_text(&copier, &functions[i].name);
		copy_text(&copier, &functions[i].filename);
		copy_text(&copier, &functions[i].mapping);
	}
	top.functions = functions;
	int rc = done(&copier, err);
	if (!rc)
		*(struct store_top *)ret = top;
	return rc;
}

int copy_heatmap(struct arena *arena, const void *from, void *ret, struct err *err)
{
	struct copier copier = {.arena = arena};
	struct store_heatmap heatmap = *(const struct store_heatmap *)from;
	struct store_heatmap_group *groups =
		copy_array(&copier, heatmap.groups, heatmap.group_count, sizeof(*groups));
	for (size_t i = 0; !copier.failed && i < heatmap.group_count; i++) {
		groups[i].labels = copy_labels(&copier, groups[i].labels, groups[i].label_count);
		groups[i].slots = copy_array(&copier, groups[i].slots, groups[i].slot_count,
					     sizeof(*groups[i].slots));
	}
	heatmap.groups = groups;
	int rc = done(&copier, err);
	if (!rc)
		*(struct store_heatmap *)ret = heatmap;
	return rc;
}
