/* Private to server: recording rules, evaluated and sent to Prometheus. A thread
 * of its own takes the rules of every tenant (kept and configured) once in an
 * interval for the interval that has ended, adds up the samples that a rule
 * selects, by the labels that it groups by, and posts the sums as one sample of a
 * series each (Prometheus Remote-Write 1.0). Labels are Pyroscope's
 * (pkg/metrics/observer.go): __name__, profiles_rule_id, those of group_by that are
 * there, external_labels. */
#pragma once

#include "base/metrics.h"
#include "server/settings.h"
#include "server/tenant_files.h"
#include "store/engine.h"

struct rules;

/* What is 0 has a default. */
struct rules_config {
	struct str address;   /* http[s]://[USER:PASSWORD@]HOST[:PORT]/PATH */
	uint64_t interval_ns; /* 1 minute; intervals begin at multiples of it since 1970 */
	uint64_t delay_ns;    /* after its end, for samples that come late; 0: none */
	uint64_t pause_ns;    /* before the second try of a request, doubled each time; 500 ms */
	uint64_t timeout_ns;  /* of a request; 10 s */
};

bool rules_are_on(const struct server_rules *config);
/* ERR_INVALID names the key. */
MUST_USE int rules_check_config(const struct server_rules *config, struct err *err);

/* The address is copied; the others must outlive it. ERR_INVALID, ERR_NOMEM. */
MUST_USE int rules_create(const struct rules_config *config, struct store *store,
			  struct tenant_files *files, struct settings_box *settings,
			  struct rules **ret, struct err *err);
MUST_USE int rules_start(struct rules *rules, struct err *err);
/* What the thread does in each interval, at a time since 1970: everything that is due, for every tenant. */
void rules_round(struct rules *rules, uint64_t now_ns);
/* Ends what is under way, and the thread. NULL is fine. */
void rules_destroy(struct rules *rules);

extern struct metric rules_evaluations, rules_series_sent, rules_series_dropped,
	rules_intervals_skipped, rules_last_success;

/* Why something was not sent, or not yet. */
enum rules_failure {
	RULES_BAD_RULE,	   /* what is kept is no rule any more */
	RULES_QUERY,	   /* the store did not answer in time or memory */
	RULES_LIMIT,	   /* more series than a tenant may have */
	RULES_REJECTED,	   /* the receiver said no, and would say it again */
	RULES_UNAVAILABLE, /* the receiver did not answer, or asked for patience, to the last try */
	RULES_STATE,	   /* a tenant's files could not be read or written */
	RULES_FAILURES
};

extern struct metric rules_failures[RULES_FAILURES];
