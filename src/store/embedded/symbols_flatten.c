/* A sweep over the starts. On a stack lie the functions that are open at the
 * place reached; the top one started last and owns the addresses up to the next
 * start or to its end, where the one below it, if it reaches that far, goes on.
 * Each function is pushed and popped once. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/embedded/symbols_run.h"

enum { LAST_WITHOUT_SIZE = 4096 };

struct open_function {
	uint64_t end;
	const struct store_symbol *symbol;
};

struct sweep {
	const struct store_symbol **sorted;
	struct open_function *stack;
	size_t depth;
	uint64_t at;
	symbols_visit *visit;
	void *context;
};

/* The first given of one start comes last, and so on top. */
static int compare(const void *a, const void *b)
{
	const struct store_symbol *x = *(const struct store_symbol *const *)a;
	const struct store_symbol *y = *(const struct store_symbol *const *)b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x < y ? 1 : x > y ? -1 : 0;
}

static uint64_t add_sat(uint64_t a, uint64_t b)
{
	uint64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* next: the start behind this one, or UINT64_MAX. */
static uint64_t end_of(const struct store_symbol *symbol, uint64_t next, bool last)
{
	if (symbol->size)
		return add_sat(symbol->start, symbol->size);
	return last ? add_sat(symbol->start, LAST_WITHOUT_SIZE) : next;
}

/* What the open functions own up to the place. */
static int close_up_to(struct sweep *sweep, uint64_t place, struct err *err)
{
	int rc = 0;
	while (!rc && sweep->depth && sweep->at < place) {
		const struct open_function *top = &sweep->stack[sweep->depth - 1];
		uint64_t end = top->end < place ? top->end : place;
		if (end > sweep->at)
			rc = sweep->visit(sweep->context, sweep->at, end, top->symbol, err);
		sweep->at = end > sweep->at ? end : sweep->at;
		if (top->end <= sweep->at)
			sweep->depth--;
	}
	sweep->at = place;
	return rc;
}

static int run(struct sweep *sweep, size_t count, struct err *err)
{
	int rc = 0;
	for (size_t first = 0, next; !rc && first < count; first = next) {
		uint64_t start = sweep->sorted[first]->start;
		for (next = first; next < count && sweep->sorted[next]->start == start;)
			next++;
		bool last = next == count;
		uint64_t next_start = last ? UINT64_MAX : sweep->sorted[next]->start;
		rc = close_up_to(sweep, start, err);
		for (size_t i = first; i < next; i++)
			sweep->stack[sweep->depth++] =
				(struct open_function){end_of(sweep->sorted[i], next_start, last),
						       sweep->sorted[i]};
	}
	return rc ? rc : close_up_to(sweep, UINT64_MAX, err);
}

int symbols_flatten(const struct store_symbol *symbols, size_t count, symbols_visit *visit,
		    void *context, struct err *err)
{
	struct sweep sweep = {.visit = visit, .context = context};
	sweep.sorted = mem_zalloc(count + 1, sizeof(const struct store_symbol *));
	sweep.stack = mem_zalloc(count + 1, sizeof(*sweep.stack));
	int rc = sweep.sorted && sweep.stack
			 ? 0
			 : err_set(err, ERR_NOMEM, "no memory for %zu symbols", count);
	for (size_t i = 0; !rc && i < count; i++)
		sweep.sorted[i] = &symbols[i];
	if (!rc && count) {
		qsort(sweep.sorted, count, sizeof(const struct store_symbol *), compare);
		rc = run(&sweep, count, err);
	}
	mem_free((void *)sweep.sorted);
	mem_free(sweep.stack);
	return rc;
}
