/* Sums made by hand, the slow and simple way, for tests of those who read them. */
#pragma once

#include "help.h"

/* Of the closed store in that directory: each hour of each series gets minute sums, hour sums, both or
 * neither, and each day a day sum or none, as the random numbers have it; some hours stay pending. */
void sum_by_hand(const char *path, struct random *random);
/* Everything gets all sums, and no hour stays pending; raw_gone: then the samples are deleted. */
void sum_all_by_hand(const char *path, bool raw_gone);
