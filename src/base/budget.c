#include "base/budget.h"

#include <stdint.h>

void budget_init(struct budget *budget, size_t limit_bytes, struct budget *parent)
{
	budget->limit_bytes = limit_bytes;
	budget->parent = parent;
	atomic_init(&budget->used_bytes, 0);
	atomic_init(&budget->refused, NULL);
}

static bool take_here(struct budget *budget, size_t bytes)
{
	size_t used = atomic_load_explicit(&budget->used_bytes, memory_order_relaxed);
	do {
		if (bytes > SIZE_MAX - used ||
		    (budget->limit_bytes && used + bytes > budget->limit_bytes))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&budget->used_bytes, &used, used + bytes,
							memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

static void give_until(struct budget *budget, const struct budget *end, size_t bytes)
{
	for (; budget != end; budget = budget->parent)
		atomic_fetch_sub_explicit(&budget->used_bytes, bytes, memory_order_relaxed);
}

bool budget_take(struct budget *budget, size_t bytes)
{
	for (struct budget *at = budget; at; at = at->parent)
		if (!take_here(at, bytes)) {
			give_until(budget, at, bytes);
			atomic_store_explicit(&budget->refused, at, memory_order_relaxed);
			return false;
		}
	return true;
}

void budget_give(struct budget *budget, size_t bytes)
{
	give_until(budget, NULL, bytes);
}

size_t budget_used(const struct budget *budget)
{
	return atomic_load_explicit(&budget->used_bytes, memory_order_relaxed);
}

const struct budget *budget_full(const struct budget *budget, size_t bytes)
{
	for (; budget; budget = budget->parent)
		if (budget->limit_bytes && (bytes > budget->limit_bytes ||
					    budget_used(budget) > budget->limit_bytes - bytes))
			return budget;
	return NULL;
}

const struct budget *budget_refused(const struct budget *budget)
{
	return budget ? atomic_load_explicit(&budget->refused, memory_order_relaxed) : NULL;
}
