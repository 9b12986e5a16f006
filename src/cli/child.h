/* Child processes of `cresset up`, each in a role with fewer rights. */
#pragma once

#include <sys/types.h>

#include "base/err.h"

struct child_role {
	const char *name; /* "server" */
	/* Runs in the child: gives up rights, starts, calls child_ready(), waits for SIGTERM, stops. Returns the
	 * exit status; when it fails before it is ready, err says why. */
	int (*run)(void *user, int ready_fd, struct err *err);
	void *user;
};

enum { CHILD_NOTE_MAX = 1024 };

struct child {
	const char *name;
	pid_t pid;		   /* 0: not running */
	char note[CHILD_NOTE_MAX]; /* what child_ready() said */
};

/* Forks and waits until the child is ready or failed; the error is the child's own sentence. The child gets
 * SIGTERM when this process dies. Call before starting threads. */
MUST_USE int child_start(const struct child_role *role, struct child *ret, struct err *err);
/* In the child. */
void child_ready(int ready_fd, const char *note);
/* SIGTERM, and waits for its end. A child that is not running is fine. */
void child_stop(struct child *child);
