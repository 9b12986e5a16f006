/* Child processes of `cresset up`, each in a role with fewer rights. */
#pragma once

#include <sys/types.h>

#include "base/err.h"

struct child_role {
	const char *name; /* "server" */
	/* Runs in the child: gives up rights, starts, calls child_ready() and child_wait_stop(), stops. Returns
	 * the exit status; when it fails before it is ready, err says why. */
	int (*run)(void *user, int ready_fd, struct err *err);
	void *user;
};

enum { CHILD_NOTE_MAX = 1024 };

struct child {
	const char *name;
	pid_t pid;		   /* 0: not running */
	char note[CHILD_NOTE_MAX]; /* what child_ready() said */
};

/* Forks and waits until the child is ready or failed; the error is the child's own sentence. ERR_CANCELLED: a
 * SIGINT or SIGTERM came meanwhile (it stays pending), and the child is gone. Call before
 * starting threads, with signals blocked (cli_block_signals). A terminal or a service manager may signal the
 * whole group, so children are deaf to SIGINT and SIGTERM: this process decides who stops when. When it dies,
 * they stop. */
MUST_USE int child_start(const struct child_role *role, struct child *ret, struct err *err);
/* In the child. */
void child_ready(int ready_fd, const char *note);
/* In the child: returns when child_stop() was called, or the parent is gone. */
void child_wait_stop(void);
/* Tells it to stop, and waits for its end; one that does not end in 40 s is killed. A child that is not running is fine. */
void child_stop(struct child *child);
