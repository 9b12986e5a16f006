#include "stacks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile/profile.h"

enum { ENDS_SHOWN = 10 }; /* frames of either end of a stack */

void stacks_deinit(struct stacks *stacks)
{
	for (size_t i = 0; i < stacks->count; i++)
		free(stacks->rows[i].frames);
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

static void fill_stack(struct stack *stack, const struct profile_dict *dict,
		       const struct profile_sample *sample)
{
	const struct profile_stack *row = &dict->stacks[sample->stack];
	stack->events = sample->time_count;
	stack->frames = calloc(row->count, sizeof(*stack->frames));
	if (!stack->frames)
		abort();
	for (uint32_t i = 0; i < row->count; i++) {
		const struct profile_location *location = &dict->locations[row->locations[i]];
		bool kernel = is_kernel(dict, location);
		stack->kernel_frames += kernel;
		stack->kernel_named += kernel && function_name(dict, location).len > 0;
		if (!kernel)
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
		if (!pid || pid->number <= stacks->after)
			continue;
		for (size_t s = 0; s < profile->sample_count; s++) {
			struct stack *stack = new_stack(stacks);
			stack->pid = pid->number;
			str_copy(stack->process, sizeof(stack->process),
				 name ? name->text : STR(""));
			fill_stack(stack, &batch->dict, &profile->samples[s]);
		}
	}
}

static void print_frame(const struct stack_frame *frame)
{
	if (frame->name[0])
		printf("%s", frame->name);
	else
		printf("%s+0x%" PRIx64, frame->file, frame->address);
}

void stack_print(const struct stack *stack)
{
	printf("#   %s %" PRIu64 " times %u frames: ", stack->process, stack->events, stack->count);
	if (stack->kernel_frames > 0)
		printf("%u kernel frames < ", stack->kernel_frames);
	for (uint32_t i = 0; i < stack->count; i++) {
		if (i >= ENDS_SHOWN && i + ENDS_SHOWN < stack->count)
			continue;
		printf("%s", i == 0 ? "" : i + ENDS_SHOWN == stack->count ? " ... < " : " < ");
		print_frame(&stack->frames[i]);
	}
	putchar('\n');
}
