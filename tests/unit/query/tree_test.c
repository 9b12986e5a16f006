#include "stacks.h"

#include <stdlib.h>

#include "base/mem.h"

static void frames_of_one_name_are_one_node(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, "main;b;c 3\nmain;b;c 4\nmain;a 5\nmain 1\nb 2\n");
	struct query_tree tree = stacks_tree(&s);
	assert_int_equal(tree.count, 6);
	assert_int_equal(tree.nodes[0].total, 15);
	assert_folded(&s.arena, &tree, "b 2\nmain 1\nmain;a 5\nmain;b;c 7\n");
	arena_deinit(&s.arena);
}

static void children_are_in_the_order_of_their_names(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, "z 1\nb 1\na;q 1\na;A 1\nab 1\n");
	struct query_tree tree = stacks_tree(&s);
	assert_folded(&s.arena, &tree, "a;A 1\na;q 1\nab 1\nb 1\nz 1\n");
	arena_deinit(&s.arena);
}

static void a_sample_without_frames_is_the_roots_own(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, "a 1\n");
	s.self[0] = 6;
	struct query_tree tree = stacks_tree(&s);
	assert_int_equal(tree.nodes[0].self, 6);
	assert_int_equal(tree.nodes[0].total, 7);
	arena_deinit(&s.arena);
}

static void no_samples_are_an_empty_tree(void **state)
{
	struct arena arena;
	struct query_tree tree;
	const struct store_tree none = {0};
	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(query_tree_build(&arena, &none, &tree, NULL), 0);
	assert_int_equal(tree.count, 1);
	assert_int_equal(tree.nodes[0].total, 0);
	arena_deinit(&arena);
}

static void sums_do_not_wrap(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, "a 9223372036854775807\na 1\nb 5\n");
	struct query_tree tree = stacks_tree(&s);
	assert_true(tree.nodes[0].total == INT64_MAX);
	arena_deinit(&s.arena);
}

static void a_frame_without_a_symbol_keeps_its_address(void **state)
{
	static const struct {
		struct store_frame frame;
		const char *name;
	} rows[] = {
		{{.name = STR("f"), .mapping = STR("x")}, "f"},
		{{.system_name = STR("_Z1fv")}, "_Z1fv"},
		{{.mapping = STR("/usr/lib/libc.so.6"), .address = 0x1234}, "libc.so.6+0x1234"},
		{{.mapping = STR("libfoo.so")}, "libfoo.so+0x0"},
		{{.address = 0x99}, "[unknown]"},
	};
	struct arena arena;
	(void)state;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str name = query_frame_name(&arena, &rows[i].frame);
		assert_int_equal(name.len, strlen(rows[i].name));
		assert_memory_equal(name.ptr, rows[i].name, name.len);
	}
	arena_deinit(&arena);
}

/* As frames that late symbols named: each address of the function is a frame of the store's. */
static void addresses_of_one_function_are_one_node(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, "main;f 3\nmain;f 4\n");
	for (uint32_t i = 1; i < s.tree.node_count; i++) {
		s.frames[i].line = 0;
		s.frames[i].address = 0x1000 + i;
		s.frames[i].mapping = STR("libx.so");
		s.frames[i].build_id = STR("c0ffee");
	}
	struct query_tree tree = stacks_tree(&s);
	assert_int_equal(tree.count, 3);
	assert_folded(&s.arena, &tree, "main;f 7\n");
	arena_deinit(&s.arena);
}

static struct query_tree folded_to(struct stacks *s, uint64_t max_nodes)
{
	struct query_tree tree = stacks_tree(s), small;
	struct err err = {0};
	if (query_tree_fold(&s->arena, &tree, max_nodes, &small, &err))
		fail_msg("%s", err.text);
	return small;
}

/* Totals: total 20, a 12, b 8, a;x 7, a;y 3, b;z 2, a;w 2, b;v 1. */
static const char fold_input[] = "a;x 7\na;y 3\na;w 2\nb;z 2\nb;v 1\nb 5\n";

static void small_nodes_fold_into_other(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, fold_input);
	struct query_tree tree = folded_to(&s, 4);
	assert_folded(&s.arena, &tree, "a;x 7\na;other 5\nb 5\nb;other 3\n");
	tree = folded_to(&s, 2);
	assert_folded(&s.arena, &tree, "a;other 12\nother 8\n");
	tree = folded_to(&s, 1);
	assert_folded(&s.arena, &tree, "other 20\n");
	arena_deinit(&s.arena);
}

static void ties_with_the_bound_are_kept(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, fold_input);
	struct query_tree tree = folded_to(&s, 6);
	assert_folded(&s.arena, &tree, "a;w 2\na;x 7\na;y 3\nb 5\nb;z 2\nb;other 1\n");
	arena_deinit(&s.arena);
}

static void nodes_called_other_fold_without_a_limit_too(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, "a;other;p 4\na;other;q 1\nz 1\nother 2\n");
	struct query_tree tree = folded_to(&s, 0);
	assert_folded(&s.arena, &tree, "a;other 5\nz 1\nother 2\n");
	arena_deinit(&s.arena);
}

static uint32_t seed = 12345;

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static void fill_randomly(struct stacks *s)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "other"};
	stacks_init(s, "");
	for (uint32_t i = 1; i < 600; i++) {
		s->parent[i] = any(i);
		s->frame[i] = i;
		s->frames[i].name = str_of(names[any(8)]);
		s->self[i] = any(3) ? any(1000) : 0;
	}
	s->tree.node_count = s->tree.frame_count = 600;
}

static int64_t sum_of_self(const struct query_tree *tree)
{
	int64_t sum = 0;
	for (uint32_t i = 0; i < tree->count; i++)
		sum += tree->nodes[i].self;
	return sum;
}

static void assert_consistent(const struct query_tree *tree)
{
	for (uint32_t i = 0; i < tree->count; i++) {
		const struct query_node *node = &tree->nodes[i];
		int64_t total = node->self;
		for (uint32_t k = node->child; k; k = tree->nodes[k].next) {
			assert_int_equal(tree->nodes[k].parent, i);
			assert_true(k > i);
			total += tree->nodes[k].total;
		}
		assert_int_equal(total, node->total);
	}
}

static void nothing_is_lost_at_any_size(void **state)
{
	static struct stacks s;
	(void)state;
	for (int round = 0; round < 20; round++) {
		int64_t want = 0;
		fill_randomly(&s);
		for (uint32_t i = 0; i < s.tree.node_count; i++)
			want += s.self[i];
		for (uint64_t max = 0; max < 700; max += 1 + any(90)) {
			struct query_tree tree = folded_to(&s, max);
			assert_int_equal(tree.nodes[0].total, want);
			assert_int_equal(sum_of_self(&tree), want);
			assert_consistent(&tree);
		}
		arena_deinit(&s.arena);
	}
}

/* The reference: every stack as a line of text; equal lines added up after sorting. */
struct line {
	char path[64];
	int64_t value;
};

static int compare_lines(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->path, ((const struct line *)b)->path);
}

static size_t random_lines(struct line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = 0;
		for (uint32_t depth = 1 + any(6); depth > 0; depth--) {
			lines[i].path[len++] = (char)('a' + any(4));
			lines[i].path[len++] = depth > 1 ? ';' : '\0';
		}
		lines[i].value = 1 + any(100);
	}
	return count;
}

static void merge_naively(struct line *lines, size_t count, struct buf *out)
{
	qsort(lines, count, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < count;) {
		int64_t sum = 0;
		size_t first = i;
		for (; i < count && strcmp(lines[i].path, lines[first].path) == 0; i++)
			sum += lines[i].value;
		buf_printf(out, "%s %lld\n", lines[first].path, (long long)sum);
	}
	buf_char(out, '\0');
}

static void every_graph_equals_a_naive_sum(void **state)
{
	static struct stacks s;
	struct line lines[40];
	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct buf want;
		size_t count = random_lines(lines, 1 + any(40));
		stacks_init(&s, "");
		buf_init(&want, 0);
		for (size_t i = 0; i < count; i++)
			stacks_add(&s, str_of(lines[i].path), lines[i].value);
		s.tree.frame_count = s.tree.node_count;
		struct query_tree tree = stacks_tree(&s);
		/* Paths of a copy: the frames' names are views into lines. */
		struct line sorted[40];
		memcpy(sorted, lines, sizeof(sorted));
		merge_naively(sorted, count, &want);
		assert_folded(&s.arena, &tree, want.ptr);
		buf_deinit(&want);
		arena_deinit(&s.arena);
	}
}

static void a_tree_survives_every_failed_allocation(void **state)
{
	static struct stacks s;
	(void)state;
	fill_randomly(&s);
	for (uint64_t nth = 1;; nth++) {
		struct arena arena;
		struct query_tree tree, small;
		struct err err = {0};
		arena_init(&arena, 0);
		mem_fail_nth(nth);
		int rc = query_tree_build(&arena, &s.tree, &tree, &err);
		if (rc == 0)
			rc = query_tree_fold(&arena, &tree, 10, &small, &err);
		mem_fail_nth(0);
		arena_deinit(&arena);
		if (rc == 0)
			break;
		assert_int_equal(rc, ERR_NOMEM);
		assert_true(nth < 1000);
	}
	arena_deinit(&s.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_of_one_name_are_one_node),
		cmocka_unit_test(children_are_in_the_order_of_their_names),
		cmocka_unit_test(a_sample_without_frames_is_the_roots_own),
		cmocka_unit_test(no_samples_are_an_empty_tree),
		cmocka_unit_test(sums_do_not_wrap),
		cmocka_unit_test(a_frame_without_a_symbol_keeps_its_address),
		cmocka_unit_test(addresses_of_one_function_are_one_node),
		cmocka_unit_test(small_nodes_fold_into_other),
		cmocka_unit_test(ties_with_the_bound_are_kept),
		cmocka_unit_test(nodes_called_other_fold_without_a_limit_too),
		cmocka_unit_test(nothing_is_lost_at_any_size),
		cmocka_unit_test(every_graph_equals_a_naive_sum),
		cmocka_unit_test(a_tree_survives_every_failed_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
