#include "base/base64.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/zip.h"
#include "client_state.h"
#include "grpc_status.h"

enum { FRAME_BYTES = 5, GRPC_UNKNOWN = 2 };

/* grpc/doc/http-grpc-status-mapping.md. */
static int grpc_of_http(int http_status)
{
	switch (http_status) {
	case 400:
		return 13;
	case 401:
		return 16;
	case 403:
		return 7;
	case 404:
		return 12;
	case 429:
	case 502:
	case 503:
	case 504:
		return 14;
	default:
		return GRPC_UNKNOWN;
	}
}

/* RFC 9110 section 10.2.3: seconds, or a date. */
static int64_t retry_after_ms(struct str value)
{
	char text[64];
	uint64_t seconds;

	if (str_to_u64(value, &seconds))
		return seconds > INT32_MAX ? -1 : (int64_t)seconds * 1000;
	str_copy(text, sizeof(text), value);
	time_t when = curl_getdate(text, NULL);
	if (when < 0)
		return -1;
	int64_t left_s = (int64_t)when - (int64_t)(clock_real_ns() / NS_PER_S);
	return left_s > 0 ? left_s * 1000 : 0;
}

/* 100 Continue, then the answer itself: only the last counts. */
static void begin_answer(struct client_call *call)
{
	call->reply->grpc_status = -1;
	call->reply->grpc_message[0] = '\0';
	call->reply->retry_after_ms = -1;
	call->packed_grpc = false;
	buf_clear(&call->details);
}

/* What does not read as base64 counts as no details. */
static void take_details(struct client_call *call, struct str value)
{
	buf_clear(&call->details);
	if (!buf_reserve(&call->details, base64_decoded_max(value.len)) ||
	    !base64_get(value, call->details.ptr, &call->details.len))
		buf_clear(&call->details);
}

static void take_header(struct client_call *call, struct str name, struct str value)
{
	struct net_reply *reply = call->reply;
	uint64_t number;

	if (str_equal_nocase(name, STR("grpc-status")) && str_to_u64(value, &number))
		reply->grpc_status = number > 16 ? GRPC_UNKNOWN : (int)number;
	else if (str_equal_nocase(name, STR("grpc-message")))
		grpc_message_decode(value, reply->grpc_message, sizeof(reply->grpc_message));
	else if (str_equal_nocase(name, STR("grpc-encoding")))
		call->packed_grpc = str_equal(value, STR("gzip"));
	else if (str_equal_nocase(name, STR("retry-after")))
		reply->retry_after_ms = retry_after_ms(value);
	else if (str_equal_nocase(name, STR("grpc-status-details-bin")))
		take_details(call, value);
}

size_t client_on_header(char *ptr, size_t size, size_t count, void *user)
{
	struct client_call *call = user;
	struct str line = str_trim((struct str){ptr, size * count});
	ptrdiff_t colon = str_find_char(line, ':');

	if (str_starts_with(line, STR("HTTP/")))
		begin_answer(call);
	else if (colon > 0)
		take_header(call, str_sub(line, 0, (size_t)colon),
			    str_trim(str_sub(line, (size_t)colon + 1, line.len)));
	return size * count;
}

size_t client_on_body(char *ptr, size_t size, size_t count, void *user)
{
	struct client_call *call = user;

	buf_append(&call->reply->body, ptr, size * count);
	if (!call->reply->body.failed)
		return size * count;
	call->too_large = true;
	return 0;
}

static int replace_body(struct client_call *call, struct str message, bool packed, struct err *err)
{
	struct buf plain = {.limit_bytes = call->reply->body.limit_bytes};
	int code = 0;

	if (packed)
		code = zip_gunzip(message, plain.limit_bytes, &plain, err);
	else
		buf_str(&plain, message);
	if (!code)
		code = buf_check(&plain, "gRPC answer", err);
	if (code) {
		buf_deinit(&plain);
		return err_wrap(err, "gRPC answer");
	}
	buf_deinit(&call->reply->body);
	call->reply->body = plain;
	return 0;
}

static int unframe(struct client_call *call, struct err *err)
{
	struct str body = buf_text(&call->reply->body);
	struct cur c = cur_make(body.ptr, body.len);
	uint8_t flag = cur_u8(&c);
	struct str message = cur_bytes(&c, cur_u32be(&c));

	if (!cur_ok(&c) || flag > 1 || cur_left(&c) > 0)
		return err_set(err, ERR_IO,
			       "gRPC answer: %zu bytes that are not one message; is this a gRPC "
			       "server?",
			       body.len);
	if (flag == 1 && !call->packed_grpc)
		return err_set(err, ERR_IO, "gRPC answer: packed, but not with gzip");
	return replace_body(call, message, flag == 1, err);
}

int client_finish_grpc(struct client_call *call, struct err *err)
{
	struct net_reply *reply = call->reply;

	if (reply->grpc_status < 0 && reply->http_status != 200)
		reply->grpc_status = grpc_of_http(reply->http_status);
	if (call->details.len > 0) {
		int64_t ms = grpc_status_retry_ms(buf_text(&call->details));
		if (ms >= 0)
			reply->retry_after_ms = ms;
	}
	if (reply->grpc_status == 0)
		return unframe(call, err);
	buf_clear(&reply->body);
	return 0;
}

void net_reply_deinit(struct net_reply *reply)
{
	buf_deinit(&reply->body);
}
