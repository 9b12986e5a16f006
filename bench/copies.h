/* A recording sent again and again, as if many hosts had run the recorded load, each with many copies of
 * its services. A copy is told apart by host.name and by a number behind the executable's name, and is
 * varied: each event of the recording comes as often as dice say (Poisson with a mean of 1) at a time a
 * little off, so that no two hosts hold the same bytes. Of one client; a thread each. */
#pragma once

#include "base/arena.h"
#include "profile/profile.h"
#include "recording.h"
#include "store_params.h"
#include "wire/wire.h"

struct copies {
	const struct params *params;
	const struct recording *recording;
	uint64_t first_ns, span_ns;	/* of the recording */
	uint64_t state, instance, turn; /* turn: request of the recording, counted on over rounds */
	unsigned number;
	struct wire_limits limits;
};

/* The recording (params->file) is opened by the first client and shared; not thread-safe. Ends the program
 * with a sentence when something is wrong. */
void copies_open(struct copies *copies, const struct params *params, unsigned client);
/* The next request as it was recorded. */
struct str copies_bytes(const struct copies *copies);
struct profile_batch *copies_decode(struct copies *copies, struct arena *arena);
/* Makes it another host's, and goes on to the next. Returns the time of its start. */
uint64_t copies_vary(struct copies *copies, struct profile_batch *batch, struct arena *arena);
