/* Private to server: the limits and rules of one tenant, ready for use. */
#pragma once

#include "server/ingest.h"
#include "server/server.h"

struct policy {
	struct server_limits limits;
	struct ingest_config ingest;  /* its rules are compiled in relabel */
	struct relabel *relabel;      /* the rules of the configuration */
	struct relabel *built_in;     /* Pyroscope's own; NULL: disabled */
	struct relabel *sample_types; /* keep and drop by sample type; NULL: none */
	struct usage_groups *groups;  /* NULL: none */
};

struct policy_tenant {
	struct str name;
	struct policy policy;
};

/* limits are copied; what they point to must outlive the policy. ERR_INVALID says which rule is wrong. */
MUST_USE int policy_init(struct policy *policy, const struct server_config *config,
			 const struct server_limits *limits, struct err *err);
/* The largest message, unpacked, of a tenant with these limits; fallback: when nothing is configured. */
size_t policy_message_bytes(const struct server_config *config, const struct server_limits *limits,
			    size_t fallback);
void policy_deinit(struct policy *policy); /* a zeroed one is fine */
