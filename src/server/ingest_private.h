/* Private to server: what the files of ingest share. */
#pragma once

#include "server/ingest.h"

struct ingest {
	struct ingest_config config;
	struct relabel *relabel;
	struct store *store;
	struct settings_box *settings; /* NULL: config and relabel are everybody's */
};
