#include "tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "profile/profile.h"

void tally_init(struct tally *tally)
{
	*tally = (struct tally){0};
	pthread_mutex_init(&tally->lock, NULL);
	tally->processes = calloc(TALLY_PROCESSES_MAX, sizeof(*tally->processes));
	if (!tally->processes)
		abort();
}

void tally_deinit(struct tally *tally)
{
	for (uint32_t i = 0; i < tally->process_count; i++)
		free(tally->processes[i].functions);
	free(tally->processes);
	pthread_mutex_destroy(&tally->lock);
}

static struct tally_process *find_process(struct tally *tally, int64_t pid, const char *name)
{
	for (uint32_t i = 0; i < tally->process_count; i++) {
		struct tally_process *p = &tally->processes[i];
		if (p->pid == pid && !strcmp(p->name, name))
			return p;
	}
	if (tally->process_count == TALLY_PROCESSES_MAX)
		abort();
	struct tally_process *p = &tally->processes[tally->process_count++];
	p->pid = pid;
	str_copy(p->name, sizeof(p->name), str_of(name));
	p->functions = calloc(TALLY_FUNCTIONS_MAX, sizeof(*p->functions));
	if (!p->functions)
		abort();
	return p;
}

static void count_function(struct tally_process *process, struct str name, uint64_t events)
{
	for (uint32_t i = 0; i < process->function_count; i++) {
		if (str_equal(str_of(process->functions[i].name), name)) {
			process->functions[i].events += events;
			return;
		}
	}
	if (process->function_count == TALLY_FUNCTIONS_MAX || name.len >= TALLY_NAME_MAX)
		return;
	struct tally_function *f = &process->functions[process->function_count++];
	str_copy(f->name, sizeof(f->name), name);
	f->events = events;
}

static struct str function_name(const struct profile_dict *dict, uint32_t location)
{
	const struct profile_location *row = &dict->locations[location];
	if (row->line_count == 0)
		return STR("");
	return profile_str(dict, dict->functions[row->lines[0].function].name);
}

static bool is_kernel(const struct profile_dict *dict, uint32_t location)
{
	const struct profile_location *row = &dict->locations[location];
	const struct value *type =
		profile_find_index(dict, row->attrs, row->attr_count, STR("profile.frame.type"));
	return type && str_equal(type->text, STR("kernel"));
}

/* A function counts once per stack, however often it is in it. */
static bool seen_before(const struct profile_dict *dict, const struct profile_stack *stack,
			uint32_t i)
{
	for (uint32_t j = 0; j < i; j++) {
		if (stack->locations[j] == stack->locations[i] ||
		    str_equal(function_name(dict, stack->locations[j]),
			      function_name(dict, stack->locations[i])))
			return true;
	}
	return false;
}

static void count_sample(struct tally_process *process, const struct profile_dict *dict,
			 const struct profile_sample *sample)
{
	const struct profile_stack *stack = &dict->stacks[sample->stack];
	process->events += sample->time_count;
	if (stack->count > process->deepest)
		process->deepest = stack->count;
	if (stack->count > 0 && is_kernel(dict, stack->locations[0]))
		process->kernel_events += sample->time_count;
	for (uint32_t i = 0; i < stack->count; i++) {
		struct str name = function_name(dict, stack->locations[i]);
		if (name.len > 0 && !seen_before(dict, stack, i))
			count_function(process, name, sample->time_count);
		if (str_starts_with(name, STR("[truncated")))
			process->truncated_events += sample->time_count;
	}
}

void tally_sink(void *ctx, struct profile_batch *batch)
{
	struct tally *tally = ctx;
	pthread_mutex_lock(&tally->lock);
	if (tally->batches++ == 0)
		tally->first_batch_ns = clock_mono_ns();
	for (size_t i = 0; i < batch->resource_count; i++) {
		const struct profile_resource *r = &batch->resources[i];
		const struct value *pid =
			profile_find_attr(r->attrs, r->attr_count, STR("process.pid"));
		const struct value *name =
			profile_find_attr(r->attrs, r->attr_count, STR("process.executable.name"));
		char text[TALLY_NAME_MAX];
		str_copy(text, sizeof(text), name ? name->text : STR(""));
		struct tally_process *process = find_process(tally, pid ? pid->number : -1, text);
		const struct profile *profile = &r->scopes[0].profiles[0];
		tally->bad_profiles += profile_check(&batch->dict, profile, NULL) != 0;
		for (size_t s = 0; s < profile->sample_count; s++)
			count_sample(process, &batch->dict, &profile->samples[s]);
	}
	pthread_mutex_unlock(&tally->lock);
}

struct tally_process tally_pid(struct tally *tally, int64_t pid)
{
	struct tally_process sum = {.pid = pid}, *main = NULL;
	pthread_mutex_lock(&tally->lock);
	for (uint32_t i = 0; i < tally->process_count; i++) {
		struct tally_process *p = &tally->processes[i];
		if (p->pid != pid)
			continue;
		if (!main || p->events > main->events)
			main = p;
		sum.events += p->events;
		sum.kernel_events += p->kernel_events;
		sum.truncated_events += p->truncated_events;
	}
	if (main) {
		memcpy(sum.name, main->name, sizeof(sum.name));
		sum.functions = main->functions;
		sum.function_count = main->function_count;
		sum.deepest = main->deepest;
	}
	pthread_mutex_unlock(&tally->lock);
	return sum;
}

uint64_t tally_name(struct tally *tally, const char *name)
{
	uint64_t events = 0;
	pthread_mutex_lock(&tally->lock);
	for (uint32_t i = 0; i < tally->process_count; i++) {
		if (!strcmp(tally->processes[i].name, name))
			events += tally->processes[i].events;
	}
	pthread_mutex_unlock(&tally->lock);
	return events;
}

uint64_t tally_function(const struct tally_process *process, const char *name)
{
	for (uint32_t i = 0; i < process->function_count; i++) {
		if (!strcmp(process->functions[i].name, name))
			return process->functions[i].events;
	}
	return 0;
}
