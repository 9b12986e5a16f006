/* Stacks of names with a number each, as /ingest of Pyroscope takes them. Pure
 * functions over bytes: no state, any thread.
 *
 * Each adds one struct profile to the scope that has samples only: what its
 * numbers count, and when, is not in the bytes but in the request, so the caller
 * fills in types and times. Frames are names without a file. */
#pragma once

#include "wire/sink.h"

/* "main;work;spin 12" a line: the number is behind the last space. Empty lines are passed over. ERR_INVALID
 * names the line. */
MUST_USE int wire_folded_groups(struct str text, struct wire_sink *sink,
				struct profile_scope *scope, struct profile **ret, struct err *err);
/* "main;work;spin" a line, each worth 1. */
MUST_USE int wire_folded_lines(struct str text, struct wire_sink *sink, struct profile_scope *scope,
			       struct profile **ret, struct err *err);
/* A radix tree over the bytes of folded stacks, depth first; a node is varint length, bytes, varint value,
 * varint number of children. */
MUST_USE int wire_folded_trie(struct str bytes, struct wire_sink *sink, struct profile_scope *scope,
			      struct profile **ret, struct err *err);
/* A tree of frames, depth first; a node is varint length, name, varint self, varint number of children. The
 * root's name is empty. */
MUST_USE int wire_folded_tree(struct str bytes, struct wire_sink *sink, struct profile_scope *scope,
			      struct profile **ret, struct err *err);
