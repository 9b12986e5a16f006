/* Private to wire: AnyValue (opentelemetry-proto common.proto) to and from struct value. */
#pragma once

#include "wire/decode.h"
#include "wire/proto.h"

/* An AnyValue message; strings are copied. Arrays and maps become their JSON text. */
MUST_USE int any_decode(struct decoder *dec, struct str message, struct value *ret,
			struct err *err);
/* A KeyValue message: key or key_strindex, and value. key "" when neither names one. */
MUST_USE int any_decode_pair(struct decoder *dec, struct str message, struct key_value *ret,
			     struct err *err);

/* value as field number of the message being written; nothing for VALUE_NONE. */
void any_put(struct buf *buf, uint32_t number, const struct value *value);
/* A KeyValue as field number. */
void any_put_pair(struct buf *buf, uint32_t number, const struct key_value *pair);
