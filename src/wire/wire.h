/* The formats of the outside: OTLP profiles as protobuf (each layout that was
 * ever shipped is recognised; see layout.c) and as JSON, and the small messages
 * that answer them. Pure functions over bytes: no state, any thread.
 *
 * Decoded batches are made of copies in the caller's arena. Nothing outside a
 * table is ever reached through a batch that came from here: a profile with a
 * bad index is left out and reported. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "profile/profile.h"

/* ---- layouts ---- */

/* Field numbers of OTLP profiles changed six times under one package name; a letter stands for the
 * releases of opentelemetry-proto that share them. */
enum wire_layout {
	WIRE_LAYOUT_NONE, /* nothing in the bytes tells: no profiles at all */
	WIRE_LAYOUT_A,	  /* 1.3 */
	WIRE_LAYOUT_B,	  /* 1.4, 1.5 */
	WIRE_LAYOUT_C,	  /* 1.6, only files: its requests had no tables */
	WIRE_LAYOUT_D,	  /* 1.7 */
	WIRE_LAYOUT_E1,	  /* 1.8 */
	WIRE_LAYOUT_E2,	  /* 1.9 */
	WIRE_LAYOUT_F,	  /* 1.10, 1.11 */
	WIRE_LAYOUT_COUNT,
};

/* "1.10"; "none" for WIRE_LAYOUT_NONE. */
const char *wire_layout_name(enum wire_layout layout);
/* Looks at an ExportProfilesServiceRequest, or a ProfilesData file, without decoding it. Malformed bytes give what was clear up to
 * there; the decoder says what is wrong with them. */
enum wire_layout wire_otlp_recognise(struct str request);

/* ---- decoding ---- */

struct wire_limits {
	size_t message_bytes; /* default 256 MiB */
	uint64_t samples;     /* of one request, default 16 M */
	/* Of all tables, default 16 M. Up to 1.7 also how many indices stacks may take more than once. */
	uint64_t rows;
	uint64_t parts;	      /* resources, scopes and profiles together, default 256 K */
	uint32_t value_depth; /* arrays in maps in arrays, default 32 */
};

void wire_limits_default(struct wire_limits *limits);

struct wire_report {
	enum wire_layout layout;
	uint64_t profiles, samples;  /* in the batch */
	uint64_t rejected_profiles;  /* left out for a bad index or shape */
	uint64_t rejected_samples;   /* theirs */
	uint64_t dropped_attributes; /* resource or scope attributes without a key */
	char reason[256];	     /* why the first profile was rejected, "" if none was */
};

/* An ExportProfilesServiceRequest or a ProfilesData file of any layout. Up to 1.7 a profile has several
 * sample types: each becomes a profile of its own (so a bad one may count once for each), and they share
 * stacks and timestamps. What had fields then and has attributes now is an attribute: labels, build_id,
 * the type of a frame, pprof.location.is_folded, pprof.mapping.has_*, pprof.profile.comment, .drop_frames
 * and .keep_frames. Of a sample's values and timestamps old_profile.c says what they count.
 * ERR_INVALID: malformed; ERR_LIMIT, ERR_NOMEM. */
MUST_USE int wire_otlp_decode(struct str bytes, struct arena *arena,
			      const struct wire_limits *limits, struct profile_batch **ret,
			      struct wire_report *report, struct err *err);
/* The same as JSON, told apart by names. 64-bit numbers as text or number, ids in hex or base64, enums by
 * name or number, names in lowerCamelCase or as in the .proto; unknown ones are passed over. The layout
 * reported is F for 1.9 and later, E1 for 1.8. */
MUST_USE int wire_otlp_decode_json(struct str text, struct arena *arena,
				   const struct wire_limits *limits, struct profile_batch **ret,
				   struct wire_report *report, struct err *err);

/* ---- encoding, layout F ---- */

struct wire_request {
	struct str bytes; /* valid during the call */
	uint64_t profiles, samples, events;
};

/* Takes one finished request; a code other than 0 ends the encoding with it. */
typedef int wire_request_fn(void *user, const struct wire_request *request, struct err *err);

/* The batch as one ExportProfilesServiceRequest, appended. Its dictionary holds what samples refer to and
 * nothing else. The batch must pass profile_check(). ERR_NOMEM, ERR_LIMIT (of the buffer). */
MUST_USE int wire_otlp_encode(const struct profile_batch *batch, struct buf *out, struct err *err);
/* The same as several requests of at most limit_bytes each, every one complete in itself. A sample with
 * many events is cut between events; an event that does not fit by itself is left out and counted in
 * *ret_dropped_events. */
MUST_USE int wire_otlp_split(const struct profile_batch *batch, size_t limit_bytes,
			     wire_request_fn *each, void *user, uint64_t *ret_dropped_events,
			     struct err *err);

/* ---- answers ---- */

enum wire_encoding { WIRE_PROTO, WIRE_JSON };

struct wire_partial {
	uint64_t rejected_profiles;
	struct str message; /* 0 rejected and a message is a warning */
};

/* An ExportProfilesServiceResponse; without rejects and message it is empty ("{}" in JSON). */
MUST_USE int wire_otlp_response(enum wire_encoding encoding, const struct wire_partial *partial,
				struct buf *out, struct err *err);
/* What an exporter gets back (protobuf); message is a view. */
MUST_USE int wire_otlp_response_decode(struct str bytes, struct wire_partial *ret, struct err *err);
/* A google.rpc.Status, the body of an HTTP failure ("OTLP/HTTP, Failures" of the OTLP specification).
 * retry_ms >= 0 adds google.rpc.RetryInfo. */
MUST_USE int wire_status(enum wire_encoding encoding, int grpc_code, struct str message,
			 int64_t retry_ms, struct buf *out, struct err *err);
