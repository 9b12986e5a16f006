/* A configuration with a row of every type, for the tests of decode, flags and help. */
#pragma once

#include "config/config.h"

struct rule {
	struct str regex;
	int action;
	struct config_strings source_labels;
};

struct tls {
	bool insecure;
	struct str cert_file;
	struct str key_file;
};

struct queue {
	bool enabled;
	uint32_t size;
};

struct shape {
	struct str endpoint;
	bool verbose;
	int32_t offset;
	uint16_t port;
	uint64_t big;
	double ratio;
	int64_t timeout_ns;
	uint64_t limit_bytes;
	int level;
	struct config_strings names;
	struct config_pairs headers;
	struct tls tls;
	bool queue_given;
	struct queue queue;
	struct config_items rules;
	struct config_items tenants;
	const struct config_node *tree;
	uint32_t custom;
	struct str config_file;
	struct str token;
	bool keepalive_given;
	int64_t keepalive_ns;
};

extern const struct config_schema shape_schema;
