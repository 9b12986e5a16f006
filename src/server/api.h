/* Private to server: the query API. A handler is a function from request to
 * answer, so tests call it without sockets. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "net/net.h"
#include "query/query.h"
#include "server/ingest.h"
#include "server/server.h"

struct tenant_files;
struct debuginfo_api;
struct settings;

struct api {
	struct store *store;
	struct ingest *ingest;		    /* knows the tenant of a request, and takes pushes */
	const struct server_limits *limits; /* of who is asking, while a method runs */
	struct tenant_files *files;	    /* small things that are kept for a tenant */
	struct debuginfo_api *debuginfo;    /* uploads under way */
	bool rules_evaluated;		    /* recording rules are, not only kept */
};

/* One request on its way through a method. */
struct api_call {
	const struct api *api;
	struct arena *arena; /* of the request: messages and results live there */
	struct str tenant;
	const _Atomic int *cancelled;
	uint64_t deadline_ns; /* of the monotonic clock; 0: none */
	bool utf8_names; /* the client said that it can read label names that are no identifiers */
	/* A method that fails may say that the same call can go well later; -1: not. */
	int64_t *retry_ms;
};

typedef int api_method(const struct api_call *call, const ProtobufCMessage *request,
		       ProtobufCMessage *response, struct err *err);

struct api_rpc {
	const char *path; /* "/querier.v1.QuerierService/LabelNames" */
	const ProtobufCMessageDescriptor *request, *response;
	api_method *method;
	struct histogram *seconds;
	size_t body_bytes; /* most that a request may have; 0: API_BODY_MAX_BYTES */
	bool no_tenant;	   /* it is about the server, and asked without X-Scope-OrgID too */
};

/* What a route of the query API has as user. */
struct api_endpoint {
	const struct api *api;
	const struct api_rpc *rpc;
	size_t body_bytes; /* largest message; 0: api_body_bytes() of the method */
};

/* A row of a service's table; request and response as protoc-c spells them, without __descriptor. */
#define API_RPC(path_, request_, response_, method_, seconds_)                                     \
	{                                                                                          \
		.path = (path_), .request = &request_##__descriptor,                               \
		.response = &response_##__descriptor, .method = (method_), .seconds = &(seconds_), \
		.body_bytes = 0, .no_tenant = false                                                \
	}

struct api_service {
	const struct api_rpc *rpcs;
	size_t count;
};

extern const struct api_service api_querier;
extern const struct api_rpc api_push; /* push.v1.PusherService/Push */

/* Every service, and the methods of all, in a fixed order; NULL past the last. */
const struct api_rpc *api_rpc_at(size_t index);

/* The time that a method takes. */
#define API_SECONDS(name_, method_)                                               \
	static struct histogram name_ =                                           \
		HISTOGRAM_INIT("cresset_query_seconds", "method=\"" method_ "\"", \
			       "Time to answer calls of the query API", 100 * NS_PER_US)

enum { API_BODY_MAX_BYTES = 4 * 1024 * 1024 };

/* The api with the limits that hold for the tenant now; what is returned (may be NULL) is kept with
 * settings_put() while ret is in use. */
struct settings *api_of_tenant(const struct api *api, struct str tenant, struct api *ret);
size_t api_body_bytes(const struct api_rpc *rpc);
/* Any method, any content type: Connect, gRPC and gRPC-web (JSON, protobuf) are served, others refused as
 * their protocol asks. user is an api_endpoint. */
net_handler api_serve;
/* For paths that nothing else serves. */
net_handler api_not_found;

/* Status of err_info and {"code":...,"message":...} (Connect protocol, "Error end-stream"). */
void api_error(struct net_answer *answer, const struct err *err);
/* "Retry-After: seconds", rounded up (RFC 9110, section 10.2.3); nothing when retry_ms is negative. */
void api_retry_after(struct arena *arena, struct net_answer *answer, int64_t retry_ms);
/* A NUL-terminated copy that is UTF-8 (bytes that are not become U+FFFD), as protobuf asks of strings.
 * NULL without memory. */
char *api_text(struct arena *arena, struct str text);

/* ---- label names (names.c) ---- */

/* [a-zA-Z_][a-zA-Z0-9_]* */
bool api_is_legacy_name(struct str name);
/* The name that a client which knows only such names is told: dots are underscores. {NULL, 0}: it has
 * none and stays hidden; or no memory. */
struct str api_legacy_name(struct arena *arena, struct str name);
/* Accept: ...; allow-utf8-labelnames=true */
bool api_accepts_utf8_names(const struct net_request *request);
