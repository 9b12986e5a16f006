/* The server: takes profiles in (OTLP), keeps them in a store, answers queries
 * with Pyroscope's API (Connect and gRPC, protobuf and JSON) and serves the page.
 *
 * Its configuration is Pyroscope's: the single-binary keys and flags are
 * honoured, what only a cluster needs is accepted with one warning each. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "config/config.h"
#include "server/relabel.h"

/* ---- configuration: defaults, then the file, then the flags ---- */

struct server_tls {
	struct str cert_file, key_file, client_ca_file, client_auth_type;
};

/* Key "server". */
struct server_http {
	struct str address; /* "" and 0.0.0.0: every address */
	uint16_t port;
	uint32_t connections; /* 0: net's default */
	int64_t read_timeout_ns, idle_timeout_ns, graceful_ns;
	uint64_t message_bytes; /* gRPC messages; 0: default */
	struct server_tls tls;
	int log_level; /* enum log_level */
	int log_format;
};

enum server_log_format { SERVER_LOG_LOGFMT, SERVER_LOG_JSON };

/* Key "limits". 0 means no limit, or the server's own generous default. */
struct server_limits {
	double ingestion_body_mb;
	uint32_t label_names, label_name_bytes, label_value_bytes, symbol_bytes, stack_depth;
	int64_t reject_older_ns, reject_newer_ns;
	int64_t query_length_ns, query_lookback_ns;
	int64_t flame_nodes_default, flame_nodes_max;
	int64_t retention_ns, blocks_retention_ns;
	struct str retention_size;	    /* "50%", "10GiB" or "0" */
	struct config_items retention_rows; /* of struct server_retention_row, by tenant */
	struct config_items relabel_rules;  /* of struct server_relabel_row */
};

/* What is not given is as for everybody. */
struct server_retention_row {
	bool has_period;
	int64_t period_ns;
	uint64_t size_bytes;
};

struct server_relabel_row {
	struct str action, regex, separator, target_label, replacement;
	struct config_strings source_labels;
	uint64_t modulus;
};

struct server_config {
	struct server_http http;
	struct server_limits limits;
	struct str
		data_path; /* "": storage.filesystem.dir, else ./data; the store is in its "store" */
	struct str storage_backend, storage_dir;
	int64_t group_commit_ns;   /* of the store; 0: no waiting */
	uint64_t memory_bytes;	   /* of the store; 0: its default */
	int64_t time_precision_ns; /* of stored samples; 0: default */
	double free_gib,
		free_share; /* of its disk: while less than both is free, days are dropped */
	bool free_ignored;
	struct str target;
	struct str
		debuginfod_url; /* where symbols of frames without names are fetched; "": nowhere */
	bool multitenancy;
	bool disable_push; /* accepted: the server never profiles itself */
	bool reporting;	   /* accepted: the server never calls home */

	/* Only flags. */
	struct str file;
	bool expand_env, help, version, modules;

	/* Only callers (cresset up). */
	const char *unix_socket; /* one more listener, "unix:/path"; NULL: none */
	bool service_from_executable;
	uint64_t debuginfod_interval_ns; /* between looks for such frames; 0: 30 s */
};

MUST_USE int server_config_default(struct arena *arena, struct server_config *ret, struct err *err);
/* Everything is in the arena. argv without the program's and command's names. warn is told what works
 * but deserves a word; may be NULL. ERR_INVALID "FILE:LINE: field ... (did you mean ...?)" or
 * "flag provided but not defined: -x". */
MUST_USE int server_config_load(struct arena *arena, int argc, char *const *argv,
				void (*warn)(void *data, const char *text), void *data,
				struct server_config *ret, struct err *err);
/* The flags, for -help. */
void server_config_help(struct buf *out);

/* ---- the server ---- */

struct server;

/* Opens the store, binds, serves. config (and its arena) must outlive the server. Errors name the
 * address, path or key and what to do. */
MUST_USE int server_start(const struct server_config *config, struct server **ret, struct err *err);
/* "127.0.0.1:4040" as bound; lives as long as the server. */
const char *server_address(const struct server *server);
/* Lets running requests end, then closes the store. NULL is fine. */
void server_stop(struct server *server);
