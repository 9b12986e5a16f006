/* Loads the sampler's BPF programs one object at a time, with the verifier's figures. */
#pragma once

#include <stdbool.h>

/* What no program may exceed; the verifier's own limit is a million (BPF_COMPLEXITY_LIMIT_INSNS). */
enum { VERIFIER_INSTRUCTIONS_MAX = 200 * 1000 };

/* Prints one line a program: "ok load NAME: N instructions" or "not ok", then with the end of the
 * verifier's log. False: at least one "not ok". */
bool load_all(void);
