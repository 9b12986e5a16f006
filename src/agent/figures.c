#include "agent/figures.h"

#include <stdio.h>

#include "base/log.h"

_Static_assert((int)AGENT_STACK_ENDS == (int)UNWIND_ENDS, "a reason is missing in agent.h");
_Static_assert((int)AGENT_STACKS_ROWS == STACK_ENDS_EXECUTABLES + 1, "rows do not suffice");

void figures_init(struct figures *figures)
{
	*figures = (struct figures){0};
	pthread_mutex_init(&figures->lock, NULL);
}

void figures_deinit(struct figures *figures)
{
	pthread_mutex_destroy(&figures->lock);
}

void figures_set(struct figures *figures, const struct agent_gauges *gauges)
{
	pthread_mutex_lock(&figures->lock);
	gauges_to_stats(gauges, &figures->stats);
	figures->ends = *gauges->ends;
	pthread_mutex_unlock(&figures->lock);
}

static void tell_losses(struct figures *figures)
{
	struct agent_stats stats;
	figures_get_stats(figures, &stats);
	if (stats.lost_samples > figures->lost_told)
		log_warn("agent", "samples lost", "count=%llu total=%llu taken=%llu",
			 (unsigned long long)(stats.lost_samples - figures->lost_told),
			 (unsigned long long)stats.lost_samples, (unsigned long long)stats.samples);
	figures->lost_told = stats.lost_samples;
}

static void tell_row(const struct agent_stacks *row, const char *name)
{
	char text[512];
	size_t used = 0;
	for (size_t end = UNWIND_END_ROOT + 1; end < AGENT_STACK_ENDS; end++) {
		if (row->ends[end] > 0 && used < sizeof(text))
			used += (size_t)snprintf(text + used, sizeof(text) - used, " %s=%llu",
						 agent_stack_end_name(end),
						 (unsigned long long)row->ends[end]);
	}
	if (used > 0)
		log_debug("agent", "stacks", "executable=" LOG_Q " all=%llu%s", LOG_TEXT(name),
			  (unsigned long long)row->all, text);
}

void figures_tell(struct figures *figures)
{
	struct agent_stacks rows[AGENT_STACKS_ROWS];
	size_t count = figures_get_stacks(figures, rows, AGENT_STACKS_ROWS);
	tell_losses(figures);
	for (size_t i = 0; i < count; i++)
		tell_row(&rows[i], i == 0 ? "*" : rows[i].executable);
}

void figures_get_stats(struct figures *figures, struct agent_stats *ret)
{
	pthread_mutex_lock(&figures->lock);
	*ret = figures->stats;
	pthread_mutex_unlock(&figures->lock);
}

static void copy_row(const struct stack_ends_row *from, struct agent_stacks *to)
{
	*to = (struct agent_stacks){.all = from->all};
	str_copy(to->executable, sizeof(to->executable), str_of(from->name));
	for (size_t i = 0; i < UNWIND_ENDS; i++)
		to->ends[i] = from->ends[i];
}

size_t figures_get_stacks(struct figures *figures, struct agent_stacks *rows, size_t cap)
{
	struct stack_ends_row all = {0};
	size_t count = 0;
	pthread_mutex_lock(&figures->lock);
	for (size_t i = 0; i < UNWIND_ENDS; i++)
		all.all += all.ends[i] = figures->ends.ends[i];
	if (cap > 0)
		copy_row(&all, &rows[count++]);
	for (size_t i = 0; i < figures->ends.count && count < cap; i++)
		copy_row(&figures->ends.rows[i], &rows[count++]);
	pthread_mutex_unlock(&figures->lock);
	return count;
}

const char *agent_stack_end_name(size_t end)
{
	return stack_end_name((enum unwind_end)end);
}
