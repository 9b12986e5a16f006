/* Where decoders of single profiles put what they read: into a scope of a batch
 * that the caller made. Several may fill one batch (a push holds many profiles),
 * so limits hold for all of them together, and equal stacks are there once. */
#pragma once

#include "wire/wire.h"

/* What a decoder adds has no series of its own: labels are attributes of the scope's resource. Until it
 * returns 0 it adds no profile; rows of the dictionary that it made before a complaint stay, unused. */
struct wire_sink {
	struct profile_batch *batch;
	const struct wire_limits *limits;
	uint64_t samples, rows, parts; /* taken from the limits so far */
	size_t unpacked_bytes;	       /* of profiles that came packed, all together */
};
