/* Stack trees for tests, written as folded text: "a;b;c 3" a line. Every line
 * makes its own nodes, as stacks that differ in line numbers would. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "query/query.h"

enum { STACKS_MAX = 4096 };

struct stacks {
	struct arena arena;
	uint32_t parent[STACKS_MAX], frame[STACKS_MAX];
	int64_t self[STACKS_MAX];
	struct store_frame frames[STACKS_MAX];
	struct store_tree tree;
};

static inline void stacks_add(struct stacks *s, struct str path, int64_t value)
{
	struct str part, rest = path;
	uint32_t at = 0;

	while (str_next(&rest, ';', &part)) {
		uint32_t node = s->tree.node_count++;
		assert_true(node < STACKS_MAX);
		s->frames[node] = (struct store_frame){.name = part, .line = (int64_t)node};
		s->parent[node] = at;
		s->frame[node] = node;
		at = node;
	}
	s->self[at] += value;
}

static inline void stacks_init(struct stacks *s, const char *folded)
{
	struct str rest = str_of(folded), line;

	memset(s, 0, sizeof(*s));
	arena_init(&s->arena, 0);
	s->tree.node_count = 1;
	while (str_next(&rest, '\n', &line)) {
		int64_t value;
		ptrdiff_t blank = str_rfind_char(line, ' ');
		if (blank < 0)
			continue;
		assert_true(str_to_i64(str_sub(line, (size_t)blank + 1, SIZE_MAX), &value));
		stacks_add(s, str_sub(line, 0, (size_t)blank), value);
	}
	s->tree.frame_count = s->tree.node_count;
	s->tree.parent = s->parent;
	s->tree.frame = s->frame;
	s->tree.self = s->self;
	s->tree.frames = s->frames;
}

static inline struct query_tree stacks_tree(struct stacks *s)
{
	struct query_tree tree;
	struct err err = {0};
	if (query_tree_build(&s->arena, &s->tree, &tree, &err))
		fail_msg("%s", err.text);
	return tree;
}

static inline void assert_folded(struct arena *arena, const struct query_tree *tree,
				 const char *want)
{
	struct buf out;
	struct err err = {0};
	buf_init(&out, 0);
	if (query_folded(arena, tree, &out, &err))
		fail_msg("%s", err.text);
	buf_char(&out, '\0');
	assert_string_equal(out.ptr, want);
	buf_deinit(&out);
}
