/* Private to elf/: the worker as the agent sees it: a process and a socket. */
#pragma once

#include "elf/dwarf_message.h"
#include "elf/dwarf_worker.h"

struct dwarf_process {
	pid_t pid;	       /* 0: none */
	int sock;	       /* -1 */
	uint64_t cpu_ns;       /* as of its last answer */
	uint64_t ended_cpu_ns; /* of those that ended */
};

enum dwarf_end { DWARF_END_DONE, DWARF_END_FAILED };

MUST_USE int dwarf_process_start(struct dwarf_process *process,
				 const struct dwarf_worker_limits *limits, struct err *err);
/* Reaps it, killing it first if it lives, and says how it ended by itself. */
enum dwarf_end dwarf_process_stop(struct dwarf_process *process);
/* ERR_IO: it is gone. fds may be NULL. */
MUST_USE int dwarf_process_send(struct dwarf_process *process, const struct dwarf_request *request,
				const struct dwarf_fds *fds, struct err *err);
/* Bytes of a message; ERR_BUSY: none now; ERR_IO: it is gone. */
MUST_USE int dwarf_process_receive(struct dwarf_process *process, void *bytes, size_t cap,
				   size_t *ret_len, struct err *err);
