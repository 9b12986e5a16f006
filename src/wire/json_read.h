/* Private to wire: reading a JSON tree as protobuf's JSON mapping (ProtoJSON) has
 * it. Sticky: the first complaint stays in the reader, later reads give zero. */
#pragma once

#include <jansson.h>

#include "wire/decode.h"

struct json_reader {
	struct decoder *dec;
	int rc;
	struct err *err;
};

/* A member by its lowerCamelCase name, or as the .proto spells it; NULL if absent or null. */
json_t *jr_member(const json_t *object, const char *name);
/* The same, an array or absent; its length. */
json_t *jr_list(struct json_reader *r, const json_t *object, const char *name, size_t *ret_count);

uint64_t jr_u64(struct json_reader *r, const json_t *object, const char *name);
int64_t jr_i64(struct json_reader *r, const json_t *object, const char *name);
/* An index: out of 32 bits becomes one that no table has. */
uint32_t jr_index(struct json_reader *r, const json_t *object, const char *name);
/* An index into the string table as sent, made the interned one. */
uint32_t jr_string_index(struct json_reader *r, const json_t *object, const char *name);
/* A copy in the arena; "" if absent. */
struct str jr_text(struct json_reader *r, const json_t *object, const char *name);
/* A list of indices into the arena. */
const uint32_t *jr_indices(struct json_reader *r, const json_t *object, const char *name,
			   uint32_t *ret_count);
uint64_t jr_number(struct json_reader *r, const json_t *json, const char *name, bool is_signed);
/* An id of len bytes in hex (OTLP/JSON) or base64 (ProtoJSON); zeros and false when absent or of another
 * length. */
bool jr_id(struct json_reader *r, const json_t *object, const char *name, uint8_t *ret, size_t len);
struct str jr_bytes(struct json_reader *r, const json_t *object, const char *name);
/* An AnyValue object. */
struct value jr_any(struct json_reader *r, const json_t *object);
/* A copy; {NULL, 0} and a complaint without memory. */
struct str jr_copy(struct json_reader *r, struct str text);
void jr_complain(struct json_reader *r, const char *name, const char *expected);
void jr_out_of_memory(struct json_reader *r);
