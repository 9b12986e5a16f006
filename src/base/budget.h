/* A limit on memory that several owners share: each takes before it allocates
 * and gives back what it frees. Budgets stand in a tree: what is taken from one
 * is taken from its parent too. Thread-safe. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct budget {
	size_t limit_bytes;    /* 0: only the parent's */
	struct budget *parent; /* NULL: none */
	_Atomic size_t used_bytes;
};

void budget_init(struct budget *budget, size_t limit_bytes, struct budget *parent);
/* False, and nothing is taken, when it or one above it has not that much left. NULL has no limit. */
bool budget_take(struct budget *budget, size_t bytes);
void budget_give(struct budget *budget, size_t bytes);
size_t budget_used(const struct budget *budget);
/* Which of them, from here upwards, has less than that left; NULL: none. */
const struct budget *budget_full(const struct budget *budget, size_t bytes);
