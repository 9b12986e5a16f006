/* Java Flight Recorder's files (chunk format 2: openjdk/jdk, src/hotspot/share/jfr
 * and jdk.jfr.internal.consumer; async-profiler writes the same), read. Pure
 * functions over bytes: no state, any thread. */
#pragma once

#include "wire/sink.h"

/* What its profiles are called is as Pyroscope does (grafana/jfr-parser, pprof/pprof.go). */
struct wire_jfr_profile {
	const char *name; /* "process_cpu", the first part of the profile type */
	size_t profile;	  /* its index in the scope */
};

struct wire_jfr {
	const struct wire_jfr_profile *profiles;
	size_t profile_count;
	struct str
		event; /* what async-profiler was told to sample ("itimer", "wall"), "" if it does not say */
};

/* Adds struct profiles with their types, without times, to the scope: CPU and wall time (samples x 1 s /
 * rate_hz, which is above 0), allocations (in a new TLAB, outside, sampled, by malloc), monitors waited for,
 * parked threads, live objects; counts and what they amount to are two profiles. Waiting is nanoseconds,
 * whatever the file's ticks are. Equal stacks of one thread and context are one sample. Attributes: thread.id,
 * thread.name, span_id, and the labels of a context.
 *
 * labels is Pyroscope's LabelsSnapshot (protobuf), or "". bytes may be gzip, and several chunks.
 * ERR_INVALID names what is wrong and where; ERR_LIMIT, ERR_NOMEM. */
MUST_USE int wire_jfr_decode(struct str bytes, struct str labels, int64_t rate_hz,
			     struct wire_sink *sink, struct profile_scope *scope,
			     struct wire_jfr *ret, struct err *err);
