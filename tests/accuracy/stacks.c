#include "stacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "profile/profile.h"

enum { STRINGS_MAX = 1 << 22, FRAMES_MAX = 4096 };

static const size_t memory_limit = 2048UL << 20;

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static uint32_t intern(struct strtab *tab, struct str bytes)
{
	uint32_t id;
	struct err err = {0};
	if (strtab_intern(tab, bytes, &id, &err))
		abort();
	return id;
}

void stacks_init(struct stacks *stacks)
{
	struct err err = {0};
	*stacks = (struct stacks){.offset_ns = clock_real_offset_ns()};
	pthread_mutex_init(&stacks->lock, NULL);
	arena_init(&stacks->arena, memory_limit);
	if (strtab_create(&stacks->arena, STRINGS_MAX, &stacks->strings, &err) ||
	    strtab_create(&stacks->arena, STRINGS_MAX, &stacks->stacks, &err))
		abort();
}

void stacks_deinit(struct stacks *stacks)
{
	free(stacks->samples);
	arena_deinit(&stacks->arena);
	pthread_mutex_destroy(&stacks->lock);
}

static bool is_kernel(const struct profile_dict *dict, const struct profile_location *row)
{
	const struct value *type =
		profile_find_index(dict, row->attrs, row->attr_count, STR("profile.frame.type"));
	return type && str_equal(type->text, STR("kernel"));
}

static uint32_t add_location(struct stacks *stacks, const struct profile_dict *dict,
			     const struct profile_location *row, struct stacks_frame *frames,
			     uint32_t count)
{
	struct stacks_frame frame = {.address = row->address, .kernel = is_kernel(dict, row)};
	frame.file =
		intern(stacks->strings, profile_str(dict, dict->mappings[row->mapping].filename));
	for (uint32_t i = 0; i < row->line_count && count < FRAMES_MAX; i++) {
		const struct profile_function *function = &dict->functions[row->lines[i].function];
		frame.name = intern(stacks->strings, profile_str(dict, function->name));
		frame.inlined = i + 1 < row->line_count;
		frames[count++] = frame;
	}
	if (row->line_count == 0 && count < FRAMES_MAX)
		frames[count++] = frame;
	return count;
}

static uint32_t keep_stack(struct stacks *stacks, const struct profile_dict *dict,
			   const struct profile_stack *stack)
{
	struct stacks_frame frames[FRAMES_MAX];
	uint32_t count = 0;
	for (uint32_t i = 0; i < stack->count; i++)
		count = add_location(stacks, dict, &dict->locations[stack->locations[i]], frames,
				     count);
	return intern(stacks->stacks, str_make(frames, count * sizeof(*frames)));
}

static void keep_sample(struct stacks *stacks, const struct profile_dict *dict,
			const struct profile_sample *sample, struct stacks_sample row)
{
	const struct value *tid =
		profile_find_index(dict, sample->attrs, sample->attr_count, STR("thread.id"));
	row.tid = tid ? tid->number : -1;
	row.stack = keep_stack(stacks, dict, &dict->stacks[sample->stack]);
	for (uint32_t i = 0; i < sample->time_count; i++) {
		if (stacks->count == stacks->cap) {
			stacks->cap = stacks->cap ? stacks->cap * 2 : 4096;
			stacks->samples = must(
				realloc(stacks->samples, stacks->cap * sizeof(*stacks->samples)));
		}
		row.mono_ns = sample->times_ns[i] - (uint64_t)stacks->offset_ns;
		stacks->samples[stacks->count++] = row;
	}
}

void stacks_sink(void *ctx, struct profile_batch *batch)
{
	struct stacks *stacks = ctx;
	pthread_mutex_lock(&stacks->lock);
	for (size_t i = 0; i < batch->resource_count; i++) {
		const struct profile_resource *r = &batch->resources[i];
		const struct value *pid =
			profile_find_attr(r->attrs, r->attr_count, STR("process.pid"));
		const struct value *name =
			profile_find_attr(r->attrs, r->attr_count, STR("process.executable.name"));
		struct stacks_sample row = {.pid = pid ? pid->number : -1};
		row.process = intern(stacks->strings, name ? name->text : STR(""));
		const struct profile *profile = &r->scopes[0].profiles[0];
		stacks->bad_profiles += profile_check(&batch->dict, profile, NULL) != 0;
		for (size_t s = 0; s < profile->sample_count; s++)
			keep_sample(stacks, &batch->dict, &profile->samples[s], row);
	}
	pthread_mutex_unlock(&stacks->lock);
}

uint32_t stacks_user_frames(const struct stacks *stacks, uint32_t stack,
			    struct stacks_frame *frames, uint32_t cap)
{
	struct str bytes = strtab_get(stacks->stacks, stack);
	uint32_t count = 0;
	for (size_t at = 0; at < bytes.len; at += sizeof(*frames)) {
		struct stacks_frame frame;
		memcpy(&frame, bytes.ptr + at, sizeof(frame));
		if (frame.kernel)
			continue;
		if (count < cap)
			frames[count] = frame;
		count++;
	}
	return count;
}

struct str stacks_string(const struct stacks *stacks, uint32_t string)
{
	return strtab_get(stacks->strings, string);
}

static int by_pid_and_time(const void *a, const void *b)
{
	const struct stacks_sample *x = a, *y = b;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->mono_ns > y->mono_ns) - (x->mono_ns < y->mono_ns);
}

void stacks_sort(struct stacks *stacks)
{
	if (stacks->count > 0)
		qsort(stacks->samples, stacks->count, sizeof(*stacks->samples), by_pid_and_time);
}

size_t stacks_first_of(const struct stacks *stacks, int64_t pid)
{
	size_t low = 0, high = stacks->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (stacks->samples[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < stacks->count && stacks->samples[low].pid == pid ? low : stacks->count;
}

bool stacks_is_excuse(struct str name)
{
	return str_starts_with(name, STR("[truncated")) || str_starts_with(name, STR("[broken")) ||
	       str_equal(name, STR("[no stack]"));
}
