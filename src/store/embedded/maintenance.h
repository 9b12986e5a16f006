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
/* All tasks once. A task that fails does not keep the others from running; the first error is returned.
 * asked: not by the clock, so that what is done only now and then is done too. */
MUST_USE int maintenance_run(struct store *store, uint64_t now_ns, bool asked, struct err *err);
/* Begins a round soon; at most every few seconds. Any thread. */
void maintenance_wake(struct store *store);
/* Long tasks look here and return early, with nothing half done. */
bool maintenance_stopping(const struct store *store);
