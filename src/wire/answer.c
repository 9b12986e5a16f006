/* ExportProfilesServiceResponse {1 partial_success {1 rejected_profiles, 2 error_message}}
 * (profiles_service.proto) and google.rpc.Status {1 code, 2 message, 3 details} with a
 * google.rpc.RetryInfo {1 retry_delay {1 seconds, 2 nanos}} in an Any {1 type_url, 2 value}. */
#include "base/clock.h"
#include "wire/json.h"
#include "wire/proto.h"
#include "wire/wire.h"

#define RETRY_INFO_TYPE "type.googleapis.com/google.rpc.RetryInfo"

enum { MS_PER_S = 1000 };

static void put_response(const struct wire_partial *partial, struct buf *out)
{
	size_t begin = pb_begin(out, 1);

	pb_put_uint(out, 1, partial->rejected_profiles);
	pb_put_text(out, 2, partial->message);
	pb_end(out, begin);
}

/* 64-bit numbers are text in JSON (protobuf.dev, "ProtoJSON Format"). */
static void put_response_json(const struct wire_partial *partial, struct buf *out)
{
	buf_printf(out, "{\"partialSuccess\":{\"rejectedProfiles\":\"%llu\",\"errorMessage\":",
		   (unsigned long long)partial->rejected_profiles);
	json_put_text(out, partial->message);
	buf_cstr(out, "}}");
}

int wire_otlp_response(enum wire_encoding encoding, const struct wire_partial *partial,
		       struct buf *out, struct err *err)
{
	bool empty = partial->rejected_profiles == 0 && partial->message.len == 0;

	if (empty && encoding == WIRE_JSON)
		buf_cstr(out, "{}");
	else if (!empty && encoding == WIRE_JSON)
		put_response_json(partial, out);
	else if (!empty)
		put_response(partial, out);
	return buf_check(out, "answer", err);
}

static void get_partial(struct cur c, struct wire_partial *ret, bool *bad)
{
	struct pb_field field;

	while (pb_next(&c, &field)) {
		if (field.number == 1 && field.type == PB_VARINT)
			ret->rejected_profiles = field.value;
		else if (field.number == 2 && field.type == PB_LEN)
			ret->message = field.bytes;
	}
	*bad |= !cur_ok(&c);
}

int wire_otlp_response_decode(struct str bytes, struct wire_partial *ret, struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct pb_field field;
	bool bad = false;

	*ret = (struct wire_partial){0};
	while (pb_next(&c, &field))
		if (field.number == 1 && field.type == PB_LEN)
			get_partial(pb_message(&field), ret, &bad);
	if (bad || !cur_ok(&c))
		return err_set(err, ERR_INVALID, "ExportProfilesServiceResponse: malformed");
	return 0;
}

static void put_retry(int64_t retry_ms, struct buf *out)
{
	size_t any = pb_begin(out, 3);

	pb_put_text(out, 1, STR(RETRY_INFO_TYPE));
	size_t info = pb_begin(out, 2);
	size_t delay = pb_begin(out, 1);
	pb_put_int(out, 1, retry_ms / MS_PER_S);
	pb_put_int(out, 2, retry_ms % MS_PER_S * NS_PER_MS);
	pb_end(out, delay);
	pb_end(out, info);
	pb_end(out, any);
}

static void put_status(int grpc_code, struct str message, int64_t retry_ms, struct buf *out)
{
	pb_put_int(out, 1, grpc_code);
	pb_put_text(out, 2, message);
	if (retry_ms >= 0)
		put_retry(retry_ms, out);
}

static void put_status_json(int grpc_code, struct str message, int64_t retry_ms, struct buf *out)
{
	buf_printf(out, "{\"code\":%d,\"message\":", grpc_code);
	json_put_text(out, message);
	if (retry_ms >= 0)
		buf_printf(out,
			   ",\"details\":[{\"@type\":\"" RETRY_INFO_TYPE
			   "\",\"retryDelay\":\"%lld.%03llds\"}]",
			   (long long)(retry_ms / MS_PER_S), (long long)(retry_ms % MS_PER_S));
	buf_char(out, '}');
}

int wire_status(enum wire_encoding encoding, int grpc_code, struct str message, int64_t retry_ms,
		struct buf *out, struct err *err)
{
	if (encoding == WIRE_JSON)
		put_status_json(grpc_code, message, retry_ms, out);
	else
		put_status(grpc_code, message, retry_ms, out);
	return buf_check(out, "answer", err);
}
