#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Samples this near to a window's end are left out: agent and suite measure the distance between the two
 * clocks on their own. */
enum { MARGIN_NS = 100 * NS_PER_US, FRAMES_MAX = 4096, WRONG_MAX = 512 };

struct wrong {
	uint32_t stack;
	const char *id;
	uint64_t samples;
	uint64_t first_ns, last_ns;
};

struct wrongs {
	struct wrong rows[WRONG_MAX];
	size_t count;
};

typedef void (*sample_fn)(void *ctx, const struct chain_judge *judge,
			  const struct chain_story *story, const struct chain_window *window,
			  const struct stacks_sample *sample);

double verdict_share(uint64_t part, uint64_t all)
{
	return all ? (double)part / (double)all : 0;
}

static void each_sample(const struct chain_judge *judge, const struct chain_story *story,
			sample_fn work, void *ctx)
{
	const struct stacks *stacks = judge->stacks;
	for (size_t w = 0; w < story->window_count; w++) {
		const struct chain_window *window = &story->windows[w];
		for (size_t i = stacks_first_of(stacks, window->pid); i < stacks->count; i++) {
			const struct stacks_sample *s = &stacks->samples[i];
			if (s->pid != window->pid || s->mono_ns > window->end_ns)
				break;
			if (s->tid == window->tid && s->mono_ns >= window->begin_ns + MARGIN_NS &&
			    s->mono_ns + MARGIN_NS <= window->end_ns)
				work(ctx, judge, story, window, s);
		}
	}
}

static bool is_right(const struct chain_judge *judge, const struct chain_story *story,
		     const char *id, const struct stacks_frame *frames, uint32_t count)
{
	for (size_t i = 0; i < story->chain_count; i++) {
		if (!strcmp(story->chains[i].id, id) &&
		    chain_matches(judge, &story->chains[i], frames, count))
			return true;
	}
	return false;
}

static bool is_whole(const struct chain_judge *judge, const struct chain_story *story,
		     const char *id, const struct stacks_frame *frames, uint32_t count)
{
	for (size_t i = 0; i < story->chain_count; i++) {
		if (!strcmp(story->chains[i].id, id) &&
		    chain_is_whole(judge, &story->chains[i], frames, count))
			return true;
	}
	return false;
}

static void count_sample(void *ctx, const struct chain_judge *judge,
			 const struct chain_story *story, const struct chain_window *window,
			 const struct stacks_sample *sample)
{
	struct verdict *verdict = ctx;
	struct stacks_frame frames[FRAMES_MAX];
	uint32_t count = stacks_user_frames(judge->stacks, sample->stack, frames, FRAMES_MAX);
	verdict->samples++;
	verdict->frames += count;
	for (uint32_t i = 0; i < count; i++)
		verdict->named += frames[i].name != 0;
	verdict->whole += is_whole(judge, story, window->id, frames, count);
	verdict->right += is_right(judge, story, window->id, frames, count);
}

struct verdict verdict_of(const struct chain_judge *judge, const struct chain_story *story)
{
	struct verdict verdict = {0};
	each_sample(judge, story, count_sample, &verdict);
	return verdict;
}

/* ---- what was wrong ---- */

/* The same functions, wherever in them. */
static bool same_stack(const struct stacks *stacks, uint32_t a, uint32_t b)
{
	struct stacks_frame left[FRAMES_MAX], right[FRAMES_MAX];
	uint32_t count = stacks_user_frames(stacks, a, left, FRAMES_MAX);
	if (count != stacks_user_frames(stacks, b, right, FRAMES_MAX))
		return false;
	for (uint32_t i = 0; i < count && i < FRAMES_MAX; i++) {
		if (left[i].name != right[i].name || left[i].file != right[i].file)
			return false;
	}
	return true;
}

static struct wrong *find_wrong(struct wrongs *wrongs, const struct stacks *stacks, const char *id,
				uint32_t stack)
{
	for (size_t i = 0; i < wrongs->count; i++) {
		struct wrong *row = &wrongs->rows[i];
		if (!strcmp(row->id, id) &&
		    (row->stack == stack || same_stack(stacks, row->stack, stack)))
			return row;
	}
	if (wrongs->count == WRONG_MAX)
		return NULL;
	wrongs->rows[wrongs->count] =
		(struct wrong){.stack = stack, .id = id, .first_ns = UINT64_MAX};
	return &wrongs->rows[wrongs->count++];
}

static void collect_wrong(void *ctx, const struct chain_judge *judge,
			  const struct chain_story *story, const struct chain_window *window,
			  const struct stacks_sample *sample)
{
	struct stacks_frame frames[FRAMES_MAX];
	uint32_t count = stacks_user_frames(judge->stacks, sample->stack, frames, FRAMES_MAX);
	if (is_right(judge, story, window->id, frames, count))
		return;
	struct wrong *row = find_wrong(ctx, judge->stacks, window->id, sample->stack);
	if (!row)
		return;
	row->samples++;
	row->first_ns = sample->mono_ns < row->first_ns ? sample->mono_ns : row->first_ns;
	row->last_ns = sample->mono_ns > row->last_ns ? sample->mono_ns : row->last_ns;
}

static int by_samples(const void *a, const void *b)
{
	const struct wrong *x = a, *y = b;
	return (x->samples < y->samples) - (x->samples > y->samples);
}

static bool same_name(const struct stacks_frame *a, const struct stacks_frame *b)
{
	return a->name != 0 && a->name == b->name && a->file == b->file;
}

static void print_frames(const struct stacks *stacks, const struct stacks_frame *frames,
			 uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t times = 1;
		while (i + 1 < count && same_name(&frames[i], &frames[i + 1])) {
			times++;
			i++;
		}
		struct str name = stacks_string(stacks, frames[i].name);
		struct str file = stacks_string(stacks, frames[i].file);
		printf("%s%.*s(%.*s+%#lx)", i + 1 > times ? "; " : "", STR_ARG(name), STR_ARG(file),
		       (unsigned long)frames[i].address);
		if (times > 1)
			printf("*%u", times);
	}
}

static void print_wrong(const struct chain_judge *judge, const struct chain_story *story,
			const struct wrong *wrong)
{
	struct stacks_frame frames[FRAMES_MAX];
	uint32_t count = stacks_user_frames(judge->stacks, wrong->stack, frames, FRAMES_MAX);
	uint64_t start_ns = story->windows[0].begin_ns;
	printf("    %lu samples, the first after %.3f s, the last after %.3f s\n      got      ",
	       (unsigned long)wrong->samples, (double)(wrong->first_ns - start_ns) / NS_PER_S,
	       (double)(wrong->last_ns - start_ns) / NS_PER_S);
	print_frames(judge->stacks, frames, count);
	for (size_t i = 0; i < story->chain_count; i++) {
		const struct chain *chain = &story->chains[i];
		if (strcmp(chain->id, wrong->id))
			continue;
		printf("\n      expected ");
		for (size_t t = 0; t < chain->count; t++)
			printf("%s%.*s", t ? ";" : "", STR_ARG(chain->tokens[t]));
		break;
	}
	printf("\n");
}

void verdict_print_wrong(const struct chain_judge *judge, const struct chain_story *story, int most)
{
	static struct wrongs wrongs;
	wrongs.count = 0;
	each_sample(judge, story, collect_wrong, &wrongs);
	qsort(wrongs.rows, wrongs.count, sizeof(*wrongs.rows), by_samples);
	for (size_t i = 0; i < wrongs.count && i < (size_t)most; i++)
		print_wrong(judge, story, &wrongs.rows[i]);
}
