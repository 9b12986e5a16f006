/* Private to client*.c. */
#pragma once

#include <curl/curl.h>
#include <stdatomic.h>

#include "net.h"

struct client_endpoint {
	bool tls;
	bool is_loopback;
	const char *url;	/* "https://host:4317/base", without a '/' at the end */
	const char *unix_path;	/* or NULL */
	const char *connect_to; /* where to connect when server_name stands in the URL, or NULL */
};

/* What the config says, in the arena. ERR_INVALID, ERR_NOMEM. */
MUST_USE int client_endpoint_parse(const struct net_client_config *config, struct arena *arena,
				   struct client_endpoint *ret, struct err *err);

/* gRPC in clear text speaks HTTP/2 from the first byte, HTTP does not: connections of the one are
 * of no use for the other, so each kind has its own pool of them. */
enum client_kind { CLIENT_HTTP, CLIENT_GRPC, CLIENT_KIND_COUNT };

struct net_client {
	CURL *easy;
	CURLM *multis[CLIENT_KIND_COUNT];
	struct arena arena; /* of the config's copies */
	struct net_client_config config;
	struct client_endpoint endpoint;
	_Atomic int cancelled;
	bool connected; /* a gRPC connection should be there */
};

struct client_call {
	struct net_client *client;
	enum client_kind kind;
	struct net_reply *reply;
	struct buf details; /* grpc-status-details-bin, decoded */
	bool packed_grpc;   /* grpc-encoding: gzip */
	bool too_large;
	bool reuse_only, wanted_socket; /* see post_grpc() */
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
};

/* client_reply.c: what curl hands out, and what becomes of it. */
size_t client_on_header(char *ptr, size_t size, size_t count, void *user);
size_t client_on_body(char *ptr, size_t size, size_t count, void *user);
/* Takes the message out of its frame, fills in what the headers said. */
MUST_USE int client_finish_grpc(struct client_call *call, struct err *err);
