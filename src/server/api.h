/* Private to server: the query API. A handler is a function from request to
 * answer, so tests call it without sockets. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "net/net.h"
#include "query/query.h"
#include "server/ingest.h"
#include "server/server.h"

struct api {
	struct store *store;
	const struct ingest *ingest;	    /* knows the tenant of a request */
	const struct server_limits *limits; /* of who is asking, while a method runs */
};

/* One request on its way through a method. */
struct api_call {
	const struct api *api;
	struct arena *arena; /* of the request: messages and results live there */
	struct str tenant;
	const _Atomic int *cancelled;
	bool utf8_names; /* the client said that it can read label names that are no identifiers */
};

typedef int api_method(const struct api_call *call, const ProtobufCMessage *request,
		       ProtobufCMessage *response, struct err *err);

struct api_rpc {
	const char *path; /* "/querier.v1.QuerierService/LabelNames" */
	const ProtobufCMessageDescriptor *request, *response;
	api_method *method;
	struct histogram *seconds;
};

/* What a route of the query API has as user. */
struct api_endpoint {
	const struct api *api;
	const struct api_rpc *rpc;
};

extern const struct api_rpc api_querier[];
extern const size_t api_querier_count;

enum { API_BODY_MAX_BYTES = 4 * 1024 * 1024 };

/* Any method, any content type: Connect (JSON, protobuf) and gRPC are served, others refused as their
 * protocol asks. user is an api_endpoint. */
net_handler api_serve;
/* For paths that nothing else serves. */
net_handler api_not_found;

/* Status of err_info and {"code":...,"message":...} (Connect protocol, "Error end-stream"). */
void api_error(struct net_answer *answer, const struct err *err);
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
