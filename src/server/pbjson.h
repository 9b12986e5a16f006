/* Private to server: messages of proto/ in both encodings, through the
 * descriptors that protoc-c makes, so that one description serves protobuf and
 * JSON (the canonical JSON mapping of proto3, protobuf.dev "ProtoJSON").
 *
 * In: field names as in the .proto or in lowerCamelCase, 64-bit numbers as
 * numbers or strings, enums by name or number, bytes as base64 (both
 * alphabets), null for "not set", unknown fields ignored. Out: lowerCamelCase,
 * 64-bit numbers as strings, zero values left out, enums by name. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { PBJSON_DEPTH_MAX = 32 };

/* The message is the arena's (never free it with protobuf_c_...). ERR_INVALID names the field. */
MUST_USE int pbjson_decode(struct arena *arena, const ProtobufCMessageDescriptor *type,
			   struct str text, ProtobufCMessage **ret, struct err *err);
/* Sticky errors of buf; text that is not UTF-8 gets U+FFFD in place of the bad bytes. */
void pbjson_encode(const ProtobufCMessage *message, struct buf *out);

/* A JSON string, quotes included. */
void pbjson_text(struct str text, struct buf *out);

/* The same in protobuf's binary encoding. */
MUST_USE int pbmsg_decode(struct arena *arena, const ProtobufCMessageDescriptor *type,
			  struct str bytes, ProtobufCMessage **ret, struct err *err);
void pbmsg_encode(const ProtobufCMessage *message, struct buf *out);

/* An empty message of the type, NULL without memory. */
ProtobufCMessage *pbmsg_new(struct arena *arena, const ProtobufCMessageDescriptor *type);
/* Bytes that one element of the field takes in a message's struct or array. */
size_t pbmsg_element_bytes(ProtobufCType type);
/* The JSON name of a field (at most cap - 1 characters, NUL-terminated): '_' goes, and what follows it
 * is a capital. */
void pbjson_name(const char *name, char *ret, size_t cap);
