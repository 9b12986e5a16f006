/* A shell command that is kept busy for a while, with all processes that it
 * starts: a process group, killed at the end. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "images.h"

enum { CROWD_PIDS_MAX = 4096 };

struct crowd {
	pid_t group; /* 0: not running */
	uint64_t start_ns, end_ns;
	pid_t pids[CROWD_PIDS_MAX]; /* seen in the group so far */
	size_t count;
};

/* Runs `sh -c COMMAND` with the words as $0, $1, ... (NULL-terminated). */
bool crowd_start(struct crowd *crowd, const char *command, char *const *words, uint64_t end_ns);
/* Takes note of who is in the group now, and of what they have mapped. */
void crowd_look(struct crowd *crowd, struct images *images);
/* Kills and waits. True: the command had not ended by itself. */
bool crowd_stop(struct crowd *crowd);
bool crowd_has(const struct crowd *crowd, int64_t pid);
