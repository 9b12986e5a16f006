/* Private to server: the series of one batch. Labels are made here: attributes,
 * service name, fixed labels, relabelling, limits. */
#pragma once

#include "profile/profile.h"
#include "server/ingest_convert.h"
#include "server/ingest_discard.h"
#include "server/ingest_type.h"
#include "server/usage.h"

struct series_set {
	struct arena *arena;
	const struct ingest_config *config;
	const struct relabel *relabel;
	enum ingest_naming naming;
	struct strtab *keys; /* labels as bytes → series + 1 */
	struct series *list;
	size_t count, cap;
	struct usage_match usage; /* of the series that was found last */
};

struct series {
	const struct store_label *labels;
	size_t label_count;
	struct store_sample *samples;
	size_t sample_count, sample_cap;
	uint64_t hash;	    /* of its labels */
	bool seen, refused; /* one more than the tenant may have; known once it was seen */
};

MUST_USE int series_set_init(struct series_set *set, struct arena *arena,
			     const struct ingest_rules *rules, struct err *err);

/* Labels that a resource and its scope give to each of their series: attributes that are no columns, the
 * first of a name. Not all of them when they are more than any series may have: series_find refuses those. */
MUST_USE int series_base_labels(struct arena *arena, const struct ingest_config *config,
				const struct profile_resource *resource,
				const struct profile_scope *scope, struct relabel_labels *ret,
				struct err *err);

enum { SERIES_DISCARDED = -1 };

/* The series of base labels and sample attributes; SERIES_DISCARDED with the reason when rules or limits
 * refuse it. */
MUST_USE int series_find(struct series_set *set, const struct relabel_labels *base,
			 const struct profile_dict *dict, const uint32_t *attrs,
			 uint32_t attr_count, const struct profile_type *type, int64_t *ret_series,
			 enum discard *ret_reason, struct err *err);
/* Before the first sample of a series: is it one more than the tenant may have? */
bool series_is_refused(struct series_set *set, int64_t series);
/* Room for more samples; then series_push. */
MUST_USE int series_reserve(struct series_set *set, int64_t series, size_t more, struct err *err);

static inline void series_push(struct series_set *set, int64_t series,
			       const struct store_sample *sample)
{
	struct series *to = &set->list[series];

	to->samples[to->sample_count++] = *sample;
}

/* Series with samples. */
MUST_USE int series_show(const struct series_set *set, struct store_batch *batch, struct err *err);
