#include "server/ingest_discard.h"

#include "base/metrics.h"

#define HELP "Samples that were received but not stored"
#define COUNTERS(reason_)                                                                        \
	{                                                                                        \
		METRIC_COUNTER_INIT("cresset_discarded_samples_total", "reason=\"" reason_ "\"", \
				    HELP),                                                       \
			METRIC_COUNTER_INIT("pyroscope_discarded_samples_total",                 \
					    "reason=\"" reason_ "\"", HELP)                      \
	}

/* Names that Pyroscope has too are spelled as there. */
static const char *const reasons[DISCARDS] = {
	[DISCARD_BAD_PROFILE] = "invalid_profile",
	[DISCARD_NO_TYPE] = "missing_sample_type",
	[DISCARD_RELABEL] = "dropped_by_relabel_rules",
	[DISCARD_RELABEL_LIMIT] = "relabel_regex_limit",
	[DISCARD_LABEL_NAMES] = "max_label_names_per_series",
	[DISCARD_LABEL_NAME_LENGTH] = "label_name_too_long",
	[DISCARD_LABEL_VALUE_LENGTH] = "label_value_too_long",
	[DISCARD_TIME] = "not_in_ingestion_window",
	[DISCARD_NEGATIVE] = "negative_value",
	[DISCARD_RATE] = "rate_limited",
	[DISCARD_QUOTA] = "ingest_limit_reached",
	[DISCARD_SAMPLING] = "dropped_by_sampling_rules",
	[DISCARD_PROFILE_SIZE] = "profile_size_limit",
	[DISCARD_PROFILE_SAMPLES] = "samples_limit",
	[DISCARD_SAMPLE_LABELS] = "sample_labels_limit",
	[DISCARD_SERIES] = "series_limit",
};

static struct metric counters[DISCARDS][2] = {
	[DISCARD_BAD_PROFILE] = COUNTERS("invalid_profile"),
	[DISCARD_NO_TYPE] = COUNTERS("missing_sample_type"),
	[DISCARD_RELABEL] = COUNTERS("dropped_by_relabel_rules"),
	[DISCARD_RELABEL_LIMIT] = COUNTERS("relabel_regex_limit"),
	[DISCARD_LABEL_NAMES] = COUNTERS("max_label_names_per_series"),
	[DISCARD_LABEL_NAME_LENGTH] = COUNTERS("label_name_too_long"),
	[DISCARD_LABEL_VALUE_LENGTH] = COUNTERS("label_value_too_long"),
	[DISCARD_TIME] = COUNTERS("not_in_ingestion_window"),
	[DISCARD_NEGATIVE] = COUNTERS("negative_value"),
	[DISCARD_RATE] = COUNTERS("rate_limited"),
	[DISCARD_QUOTA] = COUNTERS("ingest_limit_reached"),
	[DISCARD_SAMPLING] = COUNTERS("dropped_by_sampling_rules"),
	[DISCARD_PROFILE_SIZE] = COUNTERS("profile_size_limit"),
	[DISCARD_PROFILE_SAMPLES] = COUNTERS("samples_limit"),
	[DISCARD_SAMPLE_LABELS] = COUNTERS("sample_labels_limit"),
	[DISCARD_SERIES] = COUNTERS("series_limit"),
};

const char *discard_reason(enum discard reason)
{
	return reasons[reason];
}

void discard_count(enum discard reason, uint64_t samples)
{
	for (int i = 0; i < 2; i++)
		metric_add(&counters[reason][i], (int64_t)samples);
}

void discard_register(void)
{
	for (int reason = 0; reason < DISCARDS; reason++)
		for (int i = 0; i < 2; i++)
			metric_register(&counters[reason][i]);
}
