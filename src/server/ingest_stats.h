/* Private to server: what every way of taking profiles in counts. */
#pragma once

#include "base/metrics.h"

extern struct metric ingest_failures; /* requests answered with an error */
extern struct metric ingest_bytes;    /* unpacked */
extern struct histogram ingest_seconds;
