/* Private to server: samples that were not stored, by reason, as metrics under
 * our name and under Pyroscope's. */
#pragma once

#include <stdint.h>

enum discard {
	DISCARD_BAD_PROFILE,   /* an index or shape that means nothing */
	DISCARD_NO_TYPE,       /* no sample_type */
	DISCARD_RELABEL,       /* a keep or drop rule: wanted, so not reported to the sender */
	DISCARD_RELABEL_LIMIT, /* a rule's regular expression took too many steps */
	DISCARD_LABEL_NAMES,
	DISCARD_LABEL_NAME_LENGTH,
	DISCARD_LABEL_VALUE_LENGTH,
	DISCARD_TIME,
	DISCARD_NEGATIVE,
	DISCARD_RATE,	  /* limits.ingestion_rate_mb: the request is refused */
	DISCARD_QUOTA,	  /* limits.ingestion_limit */
	DISCARD_SAMPLING, /* limits.distributor_sampling: wanted, as DISCARD_RELABEL */
	DISCARD_PROFILE_SIZE,
	DISCARD_PROFILE_SAMPLES,
	DISCARD_SAMPLE_LABELS,
	DISCARD_SERIES,
	DISCARDS,
};

/* "label_name_too_long" */
const char *discard_reason(enum discard reason);
void discard_count(enum discard reason, uint64_t samples);
/* Shows all counters with 0. */
void discard_register(void);
