/* pprof profiles (github.com/google/pprof, proto/profile.proto), read. Pure
 * functions over bytes: no state, any thread. */
#pragma once

#include "wire/sink.h"

struct wire_pprof_about {
	struct str default_sample_type; /* "" if none */
	struct str drop_frames,
		keep_frames; /* expressions for who shows it; nothing is left out here */
	const struct str *comments;
	size_t comment_count;
	uint64_t
		samples; /* that the bytes hold; set as far as they could be counted on errors too */
};

/* Adds one struct profile for each sample type to the scope. Samples share stacks and attributes; one whose
 * value of a type is 0 is left out of that type. Bytes may be gzip (magic 1f 8b), limits->message_bytes
 * bounds them unpacked. Texts of about are in the batch's arena.
 *
 * Labels become attributes: strings of their own, numbers VALUE_INT with their unit. A build id becomes the
 * mapping's attribute process.executable.build_id.gnu (or .go when it is one of Go's, which have slashes).
 * An address within its mapping becomes one of the file, unless it lies below 4 GiB, where only files live
 * that are loaded at their own addresses. Times of before 1971 count as none: some senders wrote microseconds.
 *
 * ERR_INVALID names what is wrong: malformed bytes, an id or index that is not there, a sample with another
 * number of values than there are types, no sample type. ERR_LIMIT, ERR_NOMEM. */
MUST_USE int wire_pprof_decode(struct str bytes, struct wire_sink *sink,
			       struct profile_scope *scope, struct wire_pprof_about *about,
			       struct err *err);
