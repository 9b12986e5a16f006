/* Private to the embedded engine: what is done in the background, by one thread
 * (or by store_maintain(), never both at once): each task in turn. */
#pragma once

#include "store/embedded/embedded.h"

/* One round of a task as of now_ns. It may be asked to stop in the middle: see maintenance_stopping. */
struct maintenance_task {
	const char *name; /* "the NAME could not run" */
	int (*run)(struct store *store, uint64_t now_ns, struct err *err);
};

MUST_USE int maintenance_start(struct store *store, struct err *err);
void maintenance_stop(struct store *store);
/* All tasks once. A task that fails does not keep the others from running; the first error is returned. */
MUST_USE int maintenance_run(struct store *store, uint64_t now_ns, struct err *err);
/* Long tasks look here and return early, with nothing half done. */
bool maintenance_stopping(const struct store *store);
