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

/* Of each pair of file and text at most one is given. */
struct server_tls {
	struct str cert_file, key_file, client_ca_file;
	struct str cert, key, client_ca; /* PEM */
	struct str client_auth_type;	 /* RequireAndVerifyClientCert ... */
};

/* Key "server". */
struct server_http {
	struct str address; /* "" and 0.0.0.0: every address */
	uint16_t port;
	uint32_t connections; /* 0: net's default */
	int64_t read_timeout_ns, idle_timeout_ns, graceful_ns;
	int64_t header_timeout_ns; /* 0: net's default */
	uint32_t streams;	   /* HTTP/2, of one connection; 0: net's default */
	uint64_t message_bytes;	   /* gRPC messages; 0: default */
	struct str path_prefix;	   /* "/cresset" in front of every path, or "" */
	struct server_tls tls, grpc_tls;
	struct str tls_cipher_suites, tls_min_version; /* "VersionTLS12" */
	int log_level;				       /* enum log_level */
	int log_format;
};

enum server_log_format { SERVER_LOG_LOGFMT, SERVER_LOG_JSON };

enum server_rules_position { SERVER_RULES_FIRST, SERVER_RULES_LAST, SERVER_RULES_DISABLED };

/* Key "limits.ingestion_limit": a quota that somebody else keeps account of. */
struct server_ingestion_limit {
	struct str period_type;
	uint64_t period_limit_mb;
	int64_t reset_time_s; /* since 1970 */
	bool reached;
	uint64_t sampled_requests; /* that are let through all the same, per sampled_period_ns */
	int64_t sampled_period_ns;
	struct config_items usage_groups; /* of struct server_group_limit */
};

struct server_group_limit {
	uint64_t period_limit_mb;
	bool reached;
};

struct server_group_sampling {
	double probability;
};

/* Of "limits.recording_rules": what settings.v1.RecordingRule has. */
struct server_rule_row {
	struct str id, metric_name, profile_type;
	struct config_strings matchers, group_by;
	struct config_pairs external_labels;
	struct str function, metric_type;
	int64_t generation; /* these two are accepted */
	bool provisioned;
};

/* Keys "recording_rules" and "compaction_worker.metrics_exporter". */
struct server_rules {
	bool enabled, exporter_enabled; /* either */
	struct str remote_write_address;
	int64_t interval_ns, delay_ns;
};

/* Key "limits". 0 means no limit, or the server's own generous default. */
struct server_limits {
	double ingestion_rate_mb, ingestion_burst_mb;
	struct server_ingestion_limit ingestion_limit;
	uint64_t profile_bytes;
	uint32_t profile_samples, sample_labels;
	uint32_t local_series, global_series;
	int rules_position;		       /* enum server_rules_position */
	struct config_items sample_type_rules; /* of struct server_relabel_row */
	struct config_pairs usage_groups;      /* name, selector */
	struct config_items sampling;	       /* of struct server_group_sampling, by usage group */
	bool names_as_sent;		       /* accepted: they always are */
	double ingestion_body_mb;
	uint32_t label_names, label_name_bytes, label_value_bytes, symbol_bytes, stack_depth;
	int64_t reject_older_ns, reject_newer_ns;
	int64_t query_length_ns, query_lookback_ns;
	int64_t flame_nodes_default, flame_nodes_max;
	int64_t retention_ns, blocks_retention_ns;
	struct str retention_size;	     /* "50%", "10GiB" or "0" */
	struct config_items retention_rows;  /* of struct server_retention_row, by tenant */
	struct config_items relabel_rules;   /* of struct server_relabel_row */
	struct config_items recording_rules; /* of struct server_rule_row */
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

/* Key "auth": who may do what. Of each group of secrets exactly one is given; files are read at the start and
 * on reload, a last line end is not part of the secret. */
struct server_grant {
	struct config_strings tenants; /* none: any */
	struct config_strings roles;   /* of write, read, admin */
};

struct server_user {
	struct str password, password_file, password_hash;
	struct server_grant grant;
};

struct server_token {
	struct str token, token_file, token_hash;
	struct server_grant grant;
};

struct server_auth {
	struct config_items users;  /* of struct server_user, by name */
	struct config_items tokens; /* of struct server_token, by name */
	int metrics;		    /* enum server_metrics_access */
};

enum server_metrics_access { SERVER_METRICS_READ, SERVER_METRICS_OPEN, SERVER_METRICS_ADMIN };

struct server_config {
	struct server_http http;
	struct server_auth auth;
	struct server_limits limits;
	struct server_rules rules;
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
	struct config_strings runtime_files; /* limits of single tenants, read anew while running */
	int64_t runtime_period_ns;
	int64_t shutdown_delay_ns; /* the program's: between the signal to stop and stopping */
	bool multitenancy;
	bool disable_push; /* accepted: the server never profiles itself */
	bool reporting;	   /* accepted: the server never calls home */

	/* Only flags. */
	struct str file;
	bool expand_env, help, version, modules;
	bool wrong_usage; /* of a load that failed: the flags are wrong, not the file */

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

/* What auth.users.NAME.password_hash takes, of a password. ERR_NOMEM, ERR_IO. */
MUST_USE int server_hash_password(struct str password, struct buf *out, struct err *err);

/* ---- the server ---- */

struct server;

/* Opens the store, binds, serves. config (and its arena) must outlive the server. Errors name the
 * address, path or key and what to do. */
MUST_USE int server_start(const struct server_config *config, struct server **ret, struct err *err);
/* "127.0.0.1:4040" as bound; lives as long as the server. */
const char *server_address(const struct server *server);
/* Where the store is; lives as long as the server. */
const char *server_store_path(const struct server *server);
/* Takes what can change of a configuration read anew: limits and rules, users and tokens, certificates, the runtime
 * file, the log's level. The arena that the configuration lies in is taken over (*arena is empty then). report gets the
 * keys, split at commas, whose change needs a restart. An error names the key or file, and all is as before. */
MUST_USE int server_reload(struct server *server, struct arena *arena,
			   const struct server_config *config, struct buf *report, struct err *err);
/* Lets running requests end, then closes the store. NULL is fine. */
void server_stop(struct server *server);
