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
	const struct budget *_Atomic refused; /* who said no to the last take here that failed */
};

void budget_init(struct budget *budget, size_t limit_bytes, struct budget *parent);
/* False, and nothing is taken, when it or one above it has not that much left. NULL has no limit. */
bool budget_take(struct budget *budget, size_t bytes);
void budget_give(struct budget *budget, size_t bytes);
size_t budget_used(const struct budget *budget);
/* Which of them, from here upwards, has less than that left; NULL: none. */
const struct budget *budget_full(const struct budget *budget, size_t bytes);
/* Which of them refused the last take from this one that failed, also when there is room again by now (others
 * give back at any time); NULL: none did. */
const struct budget *budget_refused(const struct budget *budget);
