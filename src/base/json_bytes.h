/* What a tree of JSON values takes in memory, told from the text before it is
 * read: three bytes ("{},") can stand for some 300. The sizes are those of
 * jansson 2.14 with glibc, rounded up; a text that is no JSON gets some number. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum {
	JSON_OBJECT_BYTES = 256, /* the object and its first eight buckets */
	JSON_ARRAY_BYTES = 160,	 /* the array and its first eight slots */
	JSON_VALUE_BYTES = 64,	 /* a scalar, or a key, with its slot */
	/* Enough for some 12 MiB of the densest text that a sender of profiles makes. */
	JSON_TREE_MAX_BYTES = 128 * 1024 * 1024,
};

static inline size_t json_tree_bytes(struct str text)
{
	size_t bytes = JSON_VALUE_BYTES;
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '"')
			quoted = !quoted;
		else if (quoted)
			i += c == '\\';
		else if (c == '{')
			bytes += JSON_OBJECT_BYTES;
		else if (c == '[')
			bytes += JSON_ARRAY_BYTES;
		else if (c == ',' || c == ':')
			bytes += JSON_VALUE_BYTES;
	}
	return bytes;
}
