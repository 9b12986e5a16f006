/* Clients that write into the store. Where their requests come from is a source. */
#pragma once

#include <stdbool.h>

#include "store_tools.h"

struct sent {
	uint64_t samples;
	uint64_t bytes;	  /* of the request as it came over the wire; 0: it never was one */
	uint64_t ack_ns;  /* from the finished request to its acknowledgement */
	uint64_t time_ns; /* simulated */
};

struct source {
	void *(*open)(const struct params *params, unsigned client);
	/* The client's next request. False: it has none left, and nothing was written. */
	bool (*send)(void *state, struct store *store, struct sent *ret);
	void (*close)(void *state);
};

extern const struct source source_generator, source_replay;

/* Writes everything that the parameters ask for into a new store there and prints the ingest's figures. */
void load_run(const struct params *params, const struct source *source, const char *path);
