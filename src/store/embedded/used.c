#include "store/embedded/used.h"

#include <string.h>

#include "base/budget.h"
#include "base/mem.h"

static size_t words(uint32_t count)
{
	return (size_t)count / 64 + 1;
}

int used_init(struct used *used, uint32_t tenant, const uint32_t count[USED_KINDS],
	      struct budget *budget, struct err *err)
{
	size_t size_bytes = 0;
	memset(used, 0, sizeof(*used));
	used->tenant = tenant;
	for (unsigned i = 0; i < USED_KINDS; i++)
		size_bytes += words(count[i]) * sizeof(uint64_t);
	if (!budget_take(budget, size_bytes))
		return err_set(err, ERR_LIMIT,
			       "a bit for each dictionary entry takes %zu KiB, which queries leave "
			       "no "
			       "room for; raise store.memory",
			       size_bytes >> 10);
	used->budget = budget;
	used->size_bytes = size_bytes;
	for (unsigned i = 0; i < USED_KINDS; i++) {
		used->bits[i] = mem_zalloc(words(count[i]), sizeof(*used->bits[i]));
		if (!used->bits[i])
			return err_set(err, ERR_NOMEM, "bits of dictionary entries: no memory");
		used->count[i] = count[i];
	}
	return 0;
}

void used_deinit(struct used *used)
{
	for (unsigned i = 0; i < USED_KINDS; i++)
		mem_free((void *)used->bits[i]);
	budget_give(used->budget, used->size_bytes);
	memset(used, 0, sizeof(*used));
}
