#include "agent/held.h"

#include <string.h>

#include "base/mem.h"

enum { HELD_BYTES_MAX = 6 << 20 };

/* Behind what was copied so far. */
static void *copy_behind(struct held_sample *row, size_t *used, const void *from, size_t bytes)
{
	void *to = (char *)row->data + *used;
	if (bytes > 0)
		memcpy(to, from, bytes);
	*used += (bytes + 7) / 8 * 8;
	return to;
}

bool held_add(struct held *held, struct process *process, const struct sample *sample,
	      uint64_t since_ns)
{
	size_t kernel = sample->kernel_count * sizeof(uint64_t), used = 0;
	size_t user = sample->user_count * sizeof(uint64_t);
	size_t bytes = sizeof(struct held_sample) + kernel + user + sample->stack_len + 8;
	if (held->bytes + bytes > HELD_BYTES_MAX)
		return false;
	struct held_sample *row = mem_alloc(bytes);
	if (!row)
		return false;
	*row = (struct held_sample){.process = process,
				    .since_ns = since_ns,
				    .bytes = bytes,
				    .sample = *sample};
	row->sample.kernel = copy_behind(row, &used, sample->kernel, kernel);
	row->sample.user = copy_behind(row, &used, sample->user, user);
	row->sample.stack = copy_behind(row, &used, sample->stack, sample->stack_len);
	process->holds++;
	held->bytes += bytes;
	*(held->first ? held->end : &held->first) = row;
	held->end = &row->next;
	return true;
}

struct held_sample *held_take(struct held *held)
{
	struct held_sample *row = held->first;
	if (!row)
		return NULL;
	held->first = row->next;
	held->bytes -= row->bytes;
	return row;
}

void held_free(struct held_sample *row)
{
	if (!row)
		return;
	row->process->holds--;
	mem_free(row);
}

void held_deinit(struct held *held)
{
	while (held->first)
		held_free(held_take(held));
}
