/* Shared by the tests that kill, cut and starve the store: numbered batches,
 * and a ledger of what became of each, in memory that outlives a process that
 * dies. The content of a batch follows from its number alone, so that it can
 * be sent again after a crash, and checked sample for sample.
 *
 * Any thread, any process that inherited the ledger. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "help.h"

enum { LEDGER_MAX = 1 << 17, PROBLEM_MAX = 512 };

/* In the order in which they are gone through. What was once seen in the store has to stay. */
enum ledger_state { BATCH_UNSENT, BATCH_SENT, BATCH_SEEN, BATCH_ACKNOWLEDGED };

struct ledger {
	_Atomic uint32_t next;		   /* the first number that nobody took */
	_Atomic uint32_t retry;		   /* below: outstanding numbers were given out again */
	uint32_t retry_end;		   /* the numbers of earlier processes */
	_Atomic uint32_t queries, refused; /* answers that were checked; writes that were refused */
	_Atomic uint64_t slowest_ns;	   /* start */
	_Atomic uint8_t state[LEDGER_MAX];
	char problem[PROBLEM_MAX]; /* the first thing that was wrong */
	_Atomic int problems;
};

/* Zeroed, shared with the processes forked later. */
struct ledger *ledger_create(void);
void ledger_destroy(struct ledger *ledger);
/* In a new process: numbers that were sent and not acknowledged are given out once more. */
void ledger_begin(struct ledger *ledger);
/* Stands in front of the problems of this thread: "at the end: ". */
extern _Thread_local const char *ledger_when;
/* Says what is wrong, once; the next ones are only counted. */
void ledger_problem(struct ledger *ledger, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct numbered;
/* Makes batches; one a thread. */
struct numbered *numbered_create(void);
void numbered_destroy(struct numbered *numbered);
/* Of 4 to 40 samples, every sixteenth of up to 2,000. */
const struct store_batch *numbered_batch(struct numbered *numbered, uint32_t number);

/* The next number to be sent; it is marked as sent. */
uint32_t ledger_take(struct ledger *ledger);
void ledger_acknowledge(struct ledger *ledger, uint32_t number);

/* Every acknowledged or seen batch is in the store once and whole, every other once and whole or not
 * at all, an unsent one not at all, and the stacks' sums are those of the batches that are there.
 * True if so; false with *ret = a code when the store refused the question (err says why); a wrong
 * answer is a problem of the ledger. `seen`, or NULL: a ledger in which what is there is marked. */
bool ledger_check(struct ledger *ledger, struct store *store, struct ledger *seen, int *ret,
		  struct err *err);
/* An err for the reader: a sentence in one line that is not empty and not cut. */
void ledger_check_sentence(struct ledger *ledger, int code, const struct err *err);
