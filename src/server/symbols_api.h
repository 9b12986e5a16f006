/* Private to server: symbols that arrive after the profiles, over HTTP
 * (docs/symbols.md). Answers are JSON; tenants are told apart as for profiles. */
#pragma once

#include <pthread.h>

#include "server/ingest.h"
#include "server/symbols_elf.h"

#define SYMBOLS_API_PATH "/api/v1/symbols"

struct symbols_api {
	struct store *store;
	const struct ingest *ingest; /* knows the tenant of a request */
	pthread_mutex_t upload; /* a file is large: one at a time, others are told to come again */
};

void symbols_api_init(struct symbols_api *api, struct store *store, const struct ingest *ingest);

/* What became of a file that was sent. */
struct symbols_take {
	struct str wanted; /* the build id that the frames have; or "" */
	struct symbols_file file;
	bool replaced; /* the build id had symbols before */
	int status;    /* what to answer to an error where its code does not say it; 0: it does */
	bool retry;    /* the same may go well in a second */
};

/* The request's body, an ELF file as it is or packed with gzip or zstd: its functions are stored for the tenant.
 * Counts what became of it. */
MUST_USE int symbols_api_take(struct symbols_api *api, const struct net_request *request,
			      struct str tenant, struct symbols_take *take, struct err *err);

/* POST: an ELF file, as it is or packed with gzip or zstd. GET: the list. user is the struct symbols_api. */
net_handler symbols_api_upload;
net_handler symbols_api_list;
/* DELETE SYMBOLS_API_PATH/BUILDID */
net_handler symbols_api_delete;
