/* Private to server: symbols that arrive after the profiles, over HTTP
 * (docs/symbols.md). Answers are JSON; tenants are told apart as for profiles. */
#pragma once

#include <pthread.h>

#include "server/ingest.h"

#define SYMBOLS_API_PATH "/api/v1/symbols"

struct symbols_api {
	struct store *store;
	const struct ingest *ingest; /* knows the tenant of a request */
	pthread_mutex_t upload; /* a file is large: one at a time, others are told to come again */
};

void symbols_api_init(struct symbols_api *api, struct store *store, const struct ingest *ingest);

/* POST: an ELF file, as it is or packed with gzip or zstd. GET: the list. user is the struct symbols_api. */
net_handler symbols_api_upload;
net_handler symbols_api_list;
/* DELETE SYMBOLS_API_PATH/BUILDID */
net_handler symbols_api_delete;
