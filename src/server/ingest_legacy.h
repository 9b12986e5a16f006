/* Private to server: a request of Pyroscope's /ingest (grafana.com/docs/pyroscope,
 * "Pyroscope server HTTP API"; what it leaves open is as pkg/ingester/pyroscope
 * of grafana/pyroscope has it). */
#pragma once

#include "server/ingest_sink.h"

enum legacy_format {
	LEGACY_GROUPS,
	LEGACY_LINES,
	LEGACY_TRIE,
	LEGACY_TREE,
	LEGACY_PPROF,
	LEGACY_SPEEDSCOPE,
	LEGACY_JFR,
};

struct legacy_label {
	struct str name, value;
};

/* Texts are views of the request or in its arena. */
struct legacy_request {
	struct str app; /* of name=app{tags} */
	struct legacy_label *tags;
	size_t tag_count;
	uint64_t from_ns, until_ns;
	int64_t rate_hz; /* 100 when not given; 0: values are no samples taken at a rate */
	struct str spy;	 /* "unknown" when not given */
	struct str units;
	enum legacy_format format;
	struct str content_type;
	struct str
		who; /* the sender's address without its port, and the query: part of what tells a retry */
};

/* All but the body. ERR_INVALID names the parameter. now_ns stands for times that are not given. */
MUST_USE int legacy_parse(const struct net_request *request, uint64_t now_ns,
			  struct legacy_request *ret, struct err *err);

/* ---- types (ingest_legacy_type.c) ---- */

struct legacy_type {
	struct str app; /* without the suffix that named the type */
	const char *name, *type, *unit;
	int64_t period_ns; /* of CPU time; 0: none. Values are multiplied by it */
};

/* What the numbers of a folded profile count: the part of the app's name behind its last dot tells, else
 * units. */
void legacy_type_of(const struct legacy_request *request, struct legacy_type *ret);
/* __name__ of a pprof, from its sample types. display gives a type's display-name, {NULL, 0} if it has none. */
const char *legacy_pprof_name(const struct profile_dict *dict, const struct profile *profiles,
			      size_t count, struct str (*display)(void *user, struct str type),
			      void *user);

/* ---- what is counted from the start of a program (ingest_delta.c) ---- */

/* Takes the values of before off those of now, by stack and attributes; what would be negative is left out.
 * Both are profiles of one batch. */
MUST_USE int legacy_subtract(struct arena *arena, struct profile *now, const struct profile *before,
			     struct err *err);
