#include "stacks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile/profile.h"

void stacks_deinit(struct stacks *stacks)
{
	free(stacks->rows);
	*stacks = (struct stacks){0};
}

static bool is_kernel(const struct profile_dict *dict, const struct profile_location *location)
{
	const struct value *type = profile_find_index(dict, location->attrs, location->attr_count,
						      STR("profile.frame.type"));
	return type && str_equal(type->text, STR("kernel"));
}

/* Of a location's lines the last one is the function that is not inlined. */
static struct str function_name(const struct profile_dict *dict, const struct profile_location *row)
{
	if (row->line_count == 0)
		return STR("");
	return profile_str(dict, dict->functions[row->lines[row->line_count - 1].function].name);
}

static void fill_frame(const struct profile_dict *dict, const struct profile_location *location,
		       struct stack_frame *ret)
{
	const struct profile_mapping *mapping = &dict->mappings[location->mapping];
	str_copy(ret->name, sizeof(ret->name), function_name(dict, location));
	str_copy(ret->file, sizeof(ret->file), profile_str(dict, mapping->filename));
	ret->address = location->address;
	ret->has_build_id = profile_find_index(dict, mapping->attrs, mapping->attr_count,
					       STR("process.executable.build_id.gnu")) != NULL;
}

static struct stack *new_stack(struct stacks *stacks)
{
	if (stacks->count == stacks->cap) {
		stacks->cap = stacks->cap ? 2 * stacks->cap : 64;
		stacks->rows = realloc(stacks->rows, stacks->cap * sizeof(*stacks->rows));
		if (!stacks->rows)
			abort();
	}
	struct stack *stack = &stacks->rows[stacks->count++];
	memset(stack, 0, sizeof(*stack));
	return stack;
}

static void keep_sample(struct stacks *stacks, int64_t pid, const struct profile_dict *dict,
			const struct profile_sample *sample)
{
	const struct profile_stack *row = &dict->stacks[sample->stack];
	struct stack *stack = new_stack(stacks);
	stack->pid = pid;
	stack->events = sample->time_count;
	for (uint32_t i = 0; i < row->count; i++) {
		const struct profile_location *location = &dict->locations[row->locations[i]];
		bool kernel = is_kernel(dict, location);
		stack->kernel_frames += kernel;
		stack->kernel_named += kernel && function_name(dict, location).len > 0;
		if (!kernel && stack->count < STACKS_FRAMES_MAX)
			fill_frame(dict, location, &stack->frames[stack->count++]);
	}
}

void stacks_sink(void *ctx, struct profile_batch *batch)
{
	struct stacks *stacks = ctx;
	for (size_t i = 0; i < batch->resource_count; i++) {
		const struct profile_resource *r = &batch->resources[i];
		const struct profile *profile = &r->scopes[0].profiles[0];
		const struct value *pid =
			profile_find_attr(r->attrs, r->attr_count, STR("process.pid"));
		const struct value *name =
			profile_find_attr(r->attrs, r->attr_count, STR("process.executable.name"));
		if (!pid || !name || !str_equal(name->text, str_of(stacks->process)))
			continue;
		for (size_t s = 0; s < profile->sample_count; s++)
			keep_sample(stacks, pid->number, &batch->dict, &profile->samples[s]);
	}
}

void stack_print(const struct stack *stack)
{
	printf("#   %" PRIu64 " times: ", stack->events);
	if (stack->kernel_frames > 0)
		printf("%u kernel frames < ", stack->kernel_frames);
	for (uint32_t i = 0; i < stack->count; i++) {
		const struct stack_frame *f = &stack->frames[i];
		printf("%s%s", i > 0 ? " < " : "", f->name);
		if (!f->name[0])
			printf("%s+0x%" PRIx64, f->file, f->address);
	}
	putchar('\n');
}
