/* Private to the embedded engine: answers to questions about closed ranges of
 * time, kept within a budget. An answer holds as long as nothing was committed
 * to an hour of its range and nothing else changed what is stored: then
 * answers_forget() is called. Any thread. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "store/embedded/embedded.h"

struct answers;

/* Bytes that say everything about a question; starts with its kind. */
struct question {
	struct buf bytes;
	bool closed;		     /* its answer may be kept */
	uint64_t start_ns, end_ns;   /* of the samples that it reads: [start, end) */
	uint64_t generation, commit; /* as they were before the query took its snapshot */
};

enum question_kind { QUESTION_MERGE, QUESTION_POINTS, QUESTION_TOP, QUESTION_HEATMAP };

MUST_USE int answers_create(size_t size_bytes, struct budget *budget, struct answers **ret,
			    struct err *err);
void answers_destroy(struct answers *answers); /* NULL is fine */

/* Before the query is opened. Without memory it is as a question that is not closed. */
void question_init(struct question *question, struct answers *answers, enum question_kind kind,
		   const struct store_selection *selection);
void question_put_u64(struct question *question, uint64_t value);
void question_put_texts(struct question *question, const struct str *texts, size_t count);
/* Of points: the first one reaches back by a step. */
void question_reach_back(struct question *question, uint64_t step_ns);
void question_deinit(struct question *question);

/* Copies an answer: what is ret points to afterwards is all in the arena. ERR_LIMIT, ERR_NOMEM. */
typedef int copy_answer(struct arena *arena, const void *from, void *ret, struct err *err);

/* Whether there is an answer that still holds; then it was copied, or *ret_rc says why it could not. */
bool answers_find(struct answers *answers, const struct question *question, copy_answer *copy,
		  struct arena *arena, void *ret, int *ret_rc, struct err *err);
/* Keeps a copy, when the question is closed and there is room. size_bytes: of the struct itself. */
void answers_keep(struct answers *answers, const struct question *question, uint32_t tenant,
		  copy_answer *copy, const void *answer, size_t size_bytes);

/* answers_copy.c */
copy_answer copy_tree, copy_points, copy_top, copy_heatmap;

/* What store_points answers with. */
struct points_answer {
	struct store_points *list;
	size_t count;
};

/* Right after a commit with blocks of that hour, before it is acknowledged. */
void answers_touch(struct answers *answers, uint32_t tenant, uint32_t hour);
