/* Private to the embedded engine: how another program gets at a store that is
 * in use. The process that has it open listens at DIRECTORY/control; `cresset
 * store` asks there for a checkpoint, which is a store of its own made of hard
 * links: nobody changes it, and it lives as long as the connection does. The
 * lines: docs/formats/embedded-store.md, "The control socket". */
#pragma once

#include "store/embedded/embedded.h"

enum { PLACE_MAX = 4096, CHECKPOINT_NAME_MAX = 64 };

struct control;

/* Its own thread. Not being able to listen is no reason not to open: *ret is NULL then, and the log
 * says that a backup needs the store to be closed. */
MUST_USE int control_start(struct store *store, struct control **ret, struct err *err);
/* NULL is fine. Drops the checkpoints that connections still hold. */
void control_stop(struct control *control);
/* Connects a stream socket to DIRECTORY/control, or binds and listens there. ERR_NOT_FOUND: nobody listens. */
MUST_USE int control_connect(const char *directory, int *ret_fd, struct err *err);
MUST_USE int control_listen(const char *directory, int *ret_fd, struct err *err);

/* checkpoint.c. Letters, digits, '.', '_' and '-', the first of them no '.'. */
bool checkpoint_name_ok(struct str name);
/* DIRECTORY/checkpoints/NAME, which must not be there, becomes a store with everything that was
 * acknowledged before the call. */
MUST_USE int checkpoint_take(struct store *store, const char *name, struct err *err);
MUST_USE int checkpoint_drop(const char *directory, const char *name, struct err *err);
/* What a process that was killed has left. */
void checkpoint_drop_all(const char *directory);

/* lease.c: a directory of a store that nobody changes until the lease ends: the store's own, whose lock
 * we hold; or, when it is in use, a checkpoint of it. */
struct lease {
	char path[PLACE_MAX];
	int lock_fd, control_fd; /* -1: none */
};

/* ERR_UNSUPPORTED: a newer format; ERR_NOT_FOUND: no store there; ERR_BUSY: in use, and no checkpoint is to be had. */
MUST_USE int lease_take(const char *directory, struct lease *ret, struct err *err);
/* A zeroed one with both descriptors -1 is fine, and twice too. */
void lease_end(struct lease *lease);
/* After all is read: rc; or ERR_BUSY when the checkpoint's owner has gone, and perhaps files with it. */
MUST_USE int lease_check(const struct lease *lease, int rc, struct err *err);
