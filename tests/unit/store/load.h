/* Shared by the tests that kill, cut and starve the store: threads that write
 * numbered batches, one that asks and one that maintains, all of which enter
 * what happens in the ledger. And a process of one's own to let it die in. */
#pragma once

#include "ledger.h"

struct load {
	struct ledger *ledger;
	struct store *store;
	uint32_t batches; /* the writers end after so many; 0: never */
	bool writers_only;
	bool refusals; /* writes and questions may be refused, with a sentence, and are tried again */
	/* Told before a batch is sent and after it was acknowledged; may be NULL. */
	void (*sent)(uint32_t number), (*acknowledged)(uint32_t number);
	_Atomic uint32_t taken;
	_Atomic bool done;
};

/* Until all batches are acknowledged. */
void load_run(struct load *load);
/* One round of maintenance, and a compaction of all samples. */
void load_maintain(struct load *load);

/* How a process ended. */
struct ending {
	bool exited, killed; /* neither: it died of itself */
	int status;	     /* exit status or signal */
	char said[1024];     /* the end of its standard error */
};

/* When a process is killed: so long after *begun rose above what it was, or after the start if NULL. */
struct killing {
	const _Atomic uint32_t *begun;
	uint64_t after_ns;
};

/* Runs the function in a process of its own, which then exits with 0, or is killed; one that hangs gets an
 * alarm. */
void run_process(void (*function)(void *), void *argument, const struct killing *killing,
		 struct ending *ret);

/* Opens the store, which has to take no longer than a start may; NULL and a problem if not. */
struct store *open_timed(struct ledger *ledger, const char *path);
