/* Private to net: google.rpc.Status with one google.rpc.RetryInfo, the bytes of
 * the grpc-status-details-bin trailer (google/rpc/status.proto, error_details.proto). */
#pragma once

#include "base/buf.h"

/* Appends. */
void grpc_status_encode(int grpc_status, struct str message, int64_t retry_ms, struct buf *out);
/* The retry delay in it, or -1: none, or bytes that are no such message. */
int64_t grpc_status_retry_ms(struct str details);
/* Percent-encoding of grpc-message (PROTOCOL-HTTP2.md: printable ASCII but '%' goes as it is).
 * Writes at most cap bytes, never a part of an escape; the length. */
size_t grpc_message_encode(struct str text, char *out, size_t cap);
/* Always NUL-terminated; broken escapes stay as they are. */
void grpc_message_decode(struct str text, char *out, size_t cap);
