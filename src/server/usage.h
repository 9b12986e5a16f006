/* Private to server: usage groups (limits.distributor_usage_groups): named sets
 * of series, chosen by a selector, that are counted, sampled or refused together.
 * A group's name may hold ${labels.NAME}: then each value of that label is a
 * group. Immutable once made; any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "server/relabel.h"
#include "server/server.h"

enum { USAGE_GROUPS_MAX = 50 }; /* of a tenant, as in Pyroscope */

struct usage_groups;

/* Only looks: selectors, names. ERR_INVALID names the group. */
MUST_USE int usage_check(const struct server_limits *limits, struct err *err);
/* *ret is NULL when no groups are configured. */
MUST_USE int usage_create(const struct server_limits *limits, struct usage_groups **ret,
			  struct err *err);
void usage_destroy(struct usage_groups *groups); /* NULL is fine */

/* What is known of one series: bit i is group i, in the order of the configuration. */
struct usage_match {
	uint64_t groups;
	double probability; /* of being stored, 0 to 1 */
	bool refused;	    /* the quota of one of its groups is used up */
};

struct usage_match usage_match(const struct usage_groups *groups,
			       const struct relabel_labels *labels);

/* What one request brought, by group; counted when it is stored. Lives in the request's arena. */
struct usage_tally;
MUST_USE int usage_tally_create(const struct usage_groups *groups, struct arena *arena,
				struct usage_tally **ret, struct err *err);
/* labels: for the groups whose names depend on them. NULL tally is fine. */
void usage_tally_add(struct usage_tally *tally, uint64_t matched,
		     const struct relabel_labels *labels, uint64_t stored, uint64_t discarded);
/* cresset_usage_group_samples_total and ..._discarded_samples_total{tenant,usage_group}; what is in no group is in
 * "other". */
void usage_tally_count(const struct usage_tally *tally, struct str tenant);
