#include "agent/intake.h"

#include "base/clock.h"
#include "base/log.h"
#include "bpf/sampler.h"

/* A sample waits no longer than this for the unwind tables that it needs. */
static const uint64_t hold_ns = 2ULL * NS_PER_S;
/* Room comes free after a grace; to look for it in every tick would cost more than the samples do. */
static const uint64_t retry_ns = 90 * NS_PER_MS;

static void apply_events(struct intake *intake, uint64_t limit_ns)
{
	struct event event;
	while (events_next(intake->events, limit_ns, &event))
		processes_apply(intake->processes, &event);
}

static void count_end(struct intake *intake, const struct process *process,
		      const struct sample *sample, enum unwind_end end)
{
	char name[STACK_ENDS_NAME_MAX + 1];
	if (sample->flags & SAMPLER_KERNEL_THREAD)
		return;
	process_name(process, name, sizeof(name));
	stack_ends_count(&intake->ends, str_of(name), end);
}

/* The stack is made whole first. A sample that lacks a table which is not built yet waits for it. */
static void take_sample(struct intake *intake, struct process *process, const struct sample *sample,
			uint64_t since_ns)
{
	struct user_stack stack;
	int rc = unwinding_finish(intake->unwinding, process, sample, intake->now_ns, &stack);
	if (rc && !intake->stopping && intake->now_ns - since_ns < hold_ns &&
	    held_add(&intake->held, process, sample, since_ns)) {
		intake->soon |= rc == ERR_BUSY;
		intake->held_count += since_ns == intake->now_ns; /* once, however long */
		return;
	}
	count_end(intake, process, sample, stack.end);
	if (batch_add(intake->maker, process, sample, &stack, intake->clock_offset_ns, NULL)) {
		intake->lost++;
		intake->window_full = true;
	}
}

void intake_sample(struct intake *intake, const struct sample *sample)
{
	const struct process_hint hint = {.pid = sample->pid,
					  .tid = sample->tid,
					  .comm = sample->comm,
					  .kernel_thread = sample->flags & SAMPLER_KERNEL_THREAD};
	struct process *process = processes_get(intake->processes, &hint);
	intake->samples++;
	if (process)
		take_sample(intake, process, sample, intake->now_ns);
	else
		intake->lost++; /* the table of processes is full */
}

static void on_sample(void *ctx, const struct sample *sample)
{
	apply_events(ctx, sample->time_ns);
	intake_sample(ctx, sample);
}

static void take_held(struct intake *intake)
{
	struct held waiting = intake->held;
	struct held_sample *row;
	if (!intake->soon && !intake->stopping && intake->now_ns - intake->retried_ns < retry_ns)
		return;
	intake->retried_ns = intake->now_ns;
	intake->soon = false;
	intake->held = (struct held){0};
	while ((row = held_take(&waiting))) {
		take_sample(intake, row->process, &row->sample, row->since_ns);
		held_free(row);
	}
}

void intake_take(struct intake *intake)
{
	struct err err;
	intake->now_ns = clock_mono_ns();
	take_held(intake);
	if (sampler_consume(intake->sampler, on_sample, intake, &err))
		log_debug("agent", "no samples", "error=" LOG_Q, LOG_TEXT(err.text));
	apply_events(intake, intake->now_ns);
	/* With the time of now: what it takes back was in use until now, however long the samples took. */
	unwinding_tick(intake->unwinding, clock_mono_ns());
	/* A process that executed something else meanwhile must not be known by what it was. */
	apply_events(intake, clock_mono_ns());
	processes_read_waiting(intake->processes);
}

void intake_deinit(struct intake *intake)
{
	held_deinit(&intake->held);
}
