/* Relabelling rules as Prometheus defines them (relabel_config), the eleven
 * actions that Pyroscope's limits.ingestion_relabeling_rules takes. They run on
 * the labels of a series as they were sent, dotted names and all.
 *
 * Compiled rules are immutable, so any thread may apply them; a label list
 * belongs to its caller. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "store/engine.h"

/* One row of the configuration, defaults filled in (relabel_rule_default). */
struct relabel_rule_spec {
	struct str
		action; /* replace keep drop keepequal dropequal hashmod labelmap labeldrop labelkeep
			      lowercase uppercase; any case */
	struct str regex; /* anchored at both ends */
	const struct str *source_labels;
	size_t source_count;
	struct str separator;
	struct str target_label;
	struct str replacement; /* $1, ${1}, ${name}; $$ is a dollar */
	uint64_t modulus;
};

/* replace, (.*), ;, $1 */
void relabel_rule_default(struct relabel_rule_spec *spec);

struct relabel;

/* Compiles rules, run in this order. ERR_INVALID says which rule (from 1) and what is wrong with it;
 * ERR_NOMEM. No rules are fine too. */
MUST_USE int relabel_create(const struct relabel_rule_spec *specs, size_t count,
			    struct relabel **ret, struct err *err);
void relabel_destroy(struct relabel *relabel); /* NULL is fine */

/* Labels in any order, names unique; an empty value is an absent label. All memory is the arena's. */
struct relabel_labels {
	struct arena *arena;
	struct store_label *items;
	size_t count, cap;
};

/* The value, or "". */
struct str relabel_get(const struct relabel_labels *labels, struct str name);
/* Adds or replaces; value "" removes. The texts must live as long as the arena. ERR_NOMEM. */
MUST_USE int relabel_set(struct relabel_labels *labels, struct str name, struct str value,
			 struct err *err);

/* *ret_keep tells whether a keep or drop rule let the series live. ERR_LIMIT when a regular
 * expression took too many steps, ERR_NOMEM. */
MUST_USE int relabel_apply(const struct relabel *relabel, struct relabel_labels *labels,
			   bool *ret_keep, struct err *err);
