/* Taking profiles in: OTLP over gRPC and HTTP, pprof by push.v1, Pyroscope's /ingest → batch → series →
 * relabel → store.
 *
 * The answer is sent after store_write() returned, so what is acknowledged is on
 * disk. A bad profile costs only itself: it is counted and named in
 * partial_success. docs/ingest.md has the conversion rules.
 *
 * An ingest is shared by all worker threads. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/net.h"
#include "profile/profile.h"
#include "server/relabel.h"
#include "store/engine.h"

/* The service's package and path as they were named over time; what comes is known by its bytes, since
 * senders of 1.3 were seen on the newer path. */
#define INGEST_GRPC_PATH_OF(version) \
	"/opentelemetry.proto.collector.profiles." version ".ProfilesService/Export"
#define INGEST_GRPC_PATH_V1	      INGEST_GRPC_PATH_OF("v1")
#define INGEST_GRPC_PATH_EXPERIMENTAL INGEST_GRPC_PATH_OF("v1experimental")
#define INGEST_GRPC_PATH	      INGEST_GRPC_PATH_OF("v1development")
#define INGEST_HTTP_PATH_EXPERIMENTAL "/v1experimental/profiles"
#define INGEST_HTTP_PATH	      "/v1development/profiles"
#define INGEST_LEGACY_PATH	      "/ingest" /* and behind /pyroscope */

/* 0 in a limit means none. */
struct ingest_config {
	/* Tenant from X-Scope-OrgID (refused without); else every profile is of "anonymous". */
	bool multitenancy;
	/* Without service.name the executable's name is the service (cresset up); else
	 * unknown_service:<process.executable.name>. Rules run after it. */
	bool default_service_from_executable;
	const struct relabel_rule_spec *rules; /* copied */
	size_t rule_count;
	/* Takes the place of the service name when nothing names a service; NULL: "unknown_service". */
	const char *unknown_service;

	size_t message_bytes;	   /* unpacked request, default 100 MiB: RESOURCE_EXHAUSTED / 413 */
	size_t json_bytes;	   /* the same for JSON, whose tree is large, default 16 MiB */
	uint32_t label_names;	   /* of one series, fixed ones included, default 128 */
	uint32_t label_name_bytes; /* default 1024 */
	uint32_t label_value_bytes; /* default 16384 */
	uint32_t stack_depth;	    /* frames nearest to the root beyond it are cut, default 4096 */
	uint32_t symbol_bytes;	    /* names and file names are cut, default 65535 */
	uint64_t reject_older_ns;   /* samples older than this are refused, default 0 */
	uint64_t reject_newer_ns; /* samples ahead of our clock by more are refused, default 1 h */
	/* Times are rounded down to a multiple, default 1 ms, in which all queries are asked (Pyroscope's
	 * API, int64 start and end); the rest of a nanosecond count would be most of a stored sample. */
	uint64_t time_precision_ns;
	uint64_t
		retry_ns; /* what RetryInfo and Retry-After tell a client at overload, default 5 s */

	/* Limits that Pyroscope has and we by default have not. */
	double rate_bytes, burst_bytes; /* of a tenant per second, by profile_size_bytes() */
	uint64_t profile_bytes;		/* one profile's, by the same */
	uint32_t profile_samples;	/* of one profile */
	uint32_t sample_labels;		/* attributes of one sample */
	uint32_t series;		/* of a tenant, new ones above it are refused */

	/* Set for one request by the settings; all may be NULL. */
	const struct relabel
		*built_in; /* Pyroscope's own rules, before the others or behind them */
	bool built_in_last;
	const struct relabel *sample_types;
	const struct usage_groups *groups;
	struct tenant_state *tenant_state;
	struct usage_tally *tally;
};

struct settings_box;
struct settings;

void ingest_config_default(struct ingest_config *config);

struct ingest;

/* ERR_INVALID names the relabelling rule that is wrong. The store must outlive the ingest. */
MUST_USE int ingest_create(const struct ingest_config *config, struct store *store,
			   struct ingest **ret, struct err *err);
void ingest_destroy(struct ingest *ingest); /* NULL is fine */
/* From now on limits and rules are those of the tenant in the present settings; of the config of ingest_create only
 * what is not a tenant's counts. Call it before the first request; the box must outlive the ingest. */
void ingest_use_settings(struct ingest *ingest, struct settings_box *settings);
/* The present settings, to be given back with settings_put(); NULL when there are none. */
struct settings *ingest_settings(const struct ingest *ingest);

/* Handlers for net_route rows; user is the struct ingest. Route the paths above to them with
 * method POST (other methods are answered 405). */
net_handler ingest_grpc;
net_handler ingest_http;
/* The answer of ingest_http to a request that may not come in: a Status in the request's encoding, repeated
 * after retry_ms if that is >= 0. False, and nothing done, when the content type is none of OTLP's. */
bool ingest_http_refuse(const struct net_request *request, const struct err *err, int64_t retry_ms,
			struct net_answer *answer);
net_handler ingest_legacy;

/* The largest request, unpacked. */
size_t ingest_message_bytes(const struct ingest *ingest);

/* What the attributes of a batch's resources are. */
enum ingest_naming {
	INGEST_ATTRIBUTES, /* OpenTelemetry's: profile types and service are worked out from them */
	/* The labels of a series as its sender wrote them, __name__ and service_name among them. Profile
	 * types are __name__ and the profile's own types, which keep their period type without a period;
	 * numbers of a sample that are no columns are no labels. */
	INGEST_LABELS,
};

struct ingest_result {
	uint64_t samples;	    /* stored */
	uint64_t rejected_profiles; /* with nothing of theirs stored */
	uint64_t rejected_samples;
	char reason[256];  /* the first one, "" if none */
	bool retry;	   /* after an error: the same may go well later (disk full, store busy) */
	uint64_t retry_ns; /* then: when; 0: the config's retry_ns */
};

/* The tenant of a request. ERR_UNAUTHENTICATED without a needed header, ERR_INVALID for an id with
 * bytes outside [a-zA-Z0-9!_.*'()-], "." or "..", or over 150 bytes. */
MUST_USE int ingest_tenant(const struct ingest *ingest, const struct net_request *request,
			   struct str *ret, struct err *err);
/* What a client is told after an error, in milliseconds; -1: trying again does not help. */
int64_t ingest_retry_ms(const struct ingest *ingest, const struct ingest_result *result);
/* Is a message (unpacked) within the tenant's limits.ingestion_body_limit_mb? ERR_LIMIT says the limit. */
MUST_USE int ingest_check_message(const struct ingest *ingest, struct str tenant, size_t len,
				  struct err *err);
/* Converts and writes; what every way of pushing profiles ends in. The batch passed profile_check().
 * Works in the arena. ERR_LIMIT (disk full, memory), ERR_IO, ERR_NOMEM: nothing was stored. */
MUST_USE int ingest_batch(struct ingest *ingest, struct str tenant, enum ingest_naming naming,
			  const struct profile_batch *batch, struct arena *arena,
			  struct ingest_result *result, struct err *err);
