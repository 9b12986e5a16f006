/* Private to server: what config.c and its neighbours share. */
#pragma once

#include "server/server.h"

/* Flags whose value is YAML: lists of rules. */
enum { SERVER_YAML_FLAGS = 3 };

struct server_args {
	char **items;
	int count;
	const char *yaml[SERVER_YAML_FLAGS]; /* the last one given of each, or NULL */
};

/* Puts those over the configuration. ERR_INVALID names the flag. */
MUST_USE int server_args_yaml(const struct config_decoder *dec, const struct server_args *args,
			      struct server_config *config, struct err *err);

/* Takes out the flags that only a cluster needs (with their values), each with one warning. */
MUST_USE int server_args_split(const struct config_decoder *dec, int argc, char *const *argv,
			       struct server_args *ret, struct err *err);

extern const struct config_schema server_config_schema;
/* Key "limits", also that of one tenant in the runtime configuration. */
extern const struct config_schema server_limits_schema;
/* A row of "limits.recording_rules" (config_rules.c). */
extern const struct config_schema server_rule_schema;
/* Key "auth". */
extern const struct config_schema server_auth_schema;

/* A row for a key that is known and does nothing here. */
#define IGNORED(key_)                                 \
	{                                             \
		.key = (key_), .type = CONFIG_IGNORED \
	}

/* The schema's own check of server.http_tls_config, for what flags made of it. */
MUST_USE int server_tls_check(const void *tls, struct err *err);

/* "20GiB", "50%" or "0"; of the two results one is 0. ERR_INVALID. */
MUST_USE int server_retention_size(struct str text, uint64_t *ret_bytes, double *ret_share,
				   struct err *err);

/* A row of the file as relabel.h wants it; views into the row. */
struct relabel_rule_spec server_relabel_spec(const struct server_relabel_row *row);
