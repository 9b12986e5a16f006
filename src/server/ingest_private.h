/* Private to server: what the files of ingest share. */
#pragma once

#include "server/ingest.h"
#include "server/senders.h"

struct ingest {
	struct ingest_config config;
	struct relabel *relabel;
	struct store *store;
	struct senders *senders;
	struct settings_box *settings; /* NULL: config and relabel are everybody's */
};
