/* Who a process is: its executable, container, and what it calls itself.
 * Counted by reference (see processes.h). One thread. */
#pragma once

#include "agent/processes.h"
#include "base/buf.h"

/* All unknown, one reference; NULL when there is no memory. */
struct identity *identity_create(void);
struct identity *identity_ref(struct identity *identity);
void identity_unref(struct identity *identity); /* NULL is fine */
/* For a process that runs another program now: all the same, but the executable unknown. */
struct identity *identity_inherit(const struct identity *parent);
/* No memory: as it was. */
void identity_set_exe(struct identity *identity, struct str path);
/* From /proc; what cannot be read is taken from known. NULL when there is no memory, or the process
 * is gone. scratch is the caller's. */
struct identity *identity_read(const struct processes_options *options, uint32_t pid,
			       const struct identity *known, struct buf *scratch);
