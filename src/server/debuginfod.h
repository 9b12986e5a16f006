/* Private to server: symbols from a debuginfod server (elfutils' debuginfod(8),
 * "WEBAPI"): GET URL/buildid/ID/debuginfo, else /executable, for build ids of
 * frames that have no name. A thread of its own, so that neither profiles nor
 * queries ever wait for it. Off unless an URL is configured. */
#pragma once

#include "base/metrics.h"
#include "net/net.h"
#include "server/symbols_elf.h"
#include "store/engine.h"

/* A time that is 0 means its default. */
struct debuginfod_config {
	const char *url;      /* "https://debuginfod.example.org"; copied */
	uint64_t interval_ns; /* between looks for build ids without symbols, default 30 s */
	uint64_t retry_ns;    /* after "not found", doubled each time, default 1 h, at most 24 h */
	uint64_t
		pause_ns; /* after the server failed, doubled each time, default 1 min, at most 1 h */
	uint64_t timeout_ns; /* of one request, default 2 min */
	size_t file_bytes;   /* largest answer, default SYMBOLS_PACKED_MAX */
};

struct debuginfod;

/* Starts the thread. ERR_INVALID: not an http:// or https:// URL. The store must outlive it. */
MUST_USE int debuginfod_start(const struct debuginfod_config *config, struct store *store,
			      struct debuginfod **ret, struct err *err);
/* Breaks off a running download, joins. NULL is fine. */
void debuginfod_stop(struct debuginfod *debuginfod);

/* ---- debuginfod_fetch.c: one build id ---- */

enum fetch_result {
	FETCH_FOUND,	 /* ret holds its functions */
	FETCH_NOT_FOUND, /* the server does not know it */
	FETCH_UNUSABLE,	 /* what came is too large, broken, or has no functions */
	FETCH_FAILED,	 /* the server cannot be reached, or fails */
	FETCH_CANCELLED,
	FETCH_RESULTS,
};

extern struct metric debuginfod_fetches[FETCH_RESULTS], debuginfod_waiting;

/* Could be one that a debuginfod knows: 16 to 128 hex digits, lower case, an even number. */
bool fetch_is_build_id(struct str build_id);
/* In the arena. why: the reason of anything but FETCH_FOUND. */
enum fetch_result fetch_symbols(struct net_client *client, struct str build_id, struct arena *arena,
				struct symbols_file *ret, struct err *why);
