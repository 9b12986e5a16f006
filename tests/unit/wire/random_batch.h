/* Random but valid batches, and a digest of their content that does not depend
 * on how dictionaries are ordered. */
#pragma once

#include "profile/profile.h"

struct random {
	uint64_t state;
};

uint64_t random_next(struct random *random);
/* 0 .. below-1 */
uint32_t random_below(struct random *random, uint32_t below);

/* The unit of an attribute goes with its key. shape: 0 timestamps only, 1 one value, 2 value per timestamp, 3 mixed. */
struct profile_batch *random_batch(struct arena *arena, uint64_t seed, uint32_t samples, int shape);

struct digest {
	uint64_t content; /* sum over events of a hash of all that belongs to the event */
	uint64_t events;
	uint64_t total;
	uint64_t profiles;
};

/* Order of samples, of dictionary rows and how a sample's events are grouped make no difference, nor
 * whether an event is said to count 1. */
struct digest digest_batch(const struct profile_batch *batch);
