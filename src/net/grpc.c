/* gRPC over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md): a message travels as one flag
 * byte (packed or not), its length in four bytes, and its bytes. */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/cursor.h"
#include "base/zip.h"
#include "grpc_status.h"
#include "net.h"
#include "unpack.h"

enum { FRAME_BYTES = 5, STATUS_MAX = 16, GZIP_MIN_BYTES = 1024, GZIP_LEVEL = 5 };

bool net_is_grpc(const struct net_request *request)
{
	struct str type = net_header_get(request, STR("content-type"));
	struct str grpc = STR("application/grpc");

	if (!type.ptr || !str_starts_with(type, grpc))
		return false;
	return type.len == grpc.len || type.ptr[grpc.len] == '+' || type.ptr[grpc.len] == ';';
}

static int read_frame(struct str body, uint8_t *ret_packed, struct str *ret, struct err *err)
{
	struct cur c = cur_make(body.ptr, body.len);
	uint8_t flag = cur_u8(&c);
	uint32_t len = cur_u32be(&c);
	struct str message = cur_bytes(&c, len);

	if (!cur_ok(&c))
		return err_set(err, ERR_INVALID, "gRPC message: cut short at %zu bytes", body.len);
	if (cur_left(&c) > 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "gRPC message: a unary method takes one message, more came");
	if (flag > 1)
		return err_set(err, ERR_INVALID, "gRPC message: flag byte is %u", flag);
	*ret_packed = flag;
	*ret = message;
	return 0;
}

int net_grpc_message(const struct net_request *request, size_t limit_bytes, struct str *ret,
		     struct err *err)
{
	struct str message, encoding = net_header_get(request, STR("grpc-encoding"));
	uint8_t packed = 0;
	int code = read_frame(request->body, &packed, &message, err);

	if (code)
		return code;
	if (packed && (encoding.len == 0 || str_equal(encoding, STR("identity"))))
		return err_set(err, ERR_INTERNAL,
			       "gRPC message: flagged as packed, but grpc-encoding names nothing");
	if (packed) {
		code = unpack(request->arena, encoding, message, limit_bytes, ret, err);
		return code ? err_wrap(err, "gRPC message") : 0;
	}
	if (message.len > limit_bytes)
		return err_set(err, ERR_LIMIT, "gRPC message: larger than %zu bytes", limit_bytes);
	*ret = message;
	return 0;
}

static void put_frame(struct buf *body, bool packed, struct str message)
{
	uint32_t len = (uint32_t)message.len;
	const char head[FRAME_BYTES] = {(char)packed, (char)(len >> 24), (char)(len >> 16),
					(char)(len >> 8), (char)len};

	if (message.len > UINT32_MAX) {
		body->failed = ERR_LIMIT;
		return;
	}
	if (buf_reserve(body, sizeof(head) + message.len)) {
		buf_append(body, head, sizeof(head));
		buf_str(body, message);
	}
}

static void begin_answer(struct net_answer *answer)
{
	answer->status = 200;
	answer->header_count = 0;
	answer->trailer_count = 0;
	answer->scratch_len = 0;
	net_answer_header(answer, STR("content-type"), STR("application/grpc"));
	net_answer_header(answer, STR("grpc-accept-encoding"), STR("identity,gzip,zstd,snappy"));
}

void net_grpc_answer(struct net_answer *answer, struct str message)
{
	begin_answer(answer);
	buf_clear(&answer->body);
	put_frame(&answer->body, false, message);
	net_answer_trailer(answer, STR("grpc-status"), STR("0"));
}

static bool accepts_gzip(const struct net_request *request)
{
	struct str rest = net_header_get(request, STR("grpc-accept-encoding")), name;

	while (rest.ptr && str_next(&rest, ',', &name))
		if (str_equal(str_trim(name), STR("gzip")))
			return true;
	return false;
}

void net_grpc_answer_gzip(const struct net_request *request, struct net_answer *answer,
			  struct str message)
{
	struct buf packed = {0};

	net_grpc_answer(answer, message);
	if (message.len > GZIP_MIN_BYTES && accepts_gzip(request) &&
	    zip_gzip(message, GZIP_LEVEL, &packed, NULL) == 0 && packed.len < message.len) {
		buf_clear(&answer->body);
		put_frame(&answer->body, true, buf_text(&packed));
		net_answer_header(answer, STR("grpc-encoding"), STR("gzip"));
	}
	buf_deinit(&packed);
}

/* The rest of the answer's scratch room. */
static char *scratch(struct net_answer *answer, size_t *ret_cap)
{
	*ret_cap = sizeof(answer->scratch) - answer->scratch_len;
	return answer->scratch + answer->scratch_len;
}

static struct str keep(struct net_answer *answer, size_t len)
{
	struct str text = {answer->scratch + answer->scratch_len, len};

	answer->scratch_len += len;
	return text;
}

static struct str status_text(struct net_answer *answer, int status)
{
	size_t cap;
	char *out = scratch(answer, &cap);

	return keep(answer, (size_t)snprintf(out, cap, "%d", status));
}

static void add_details(struct net_answer *answer, int status, struct str message, int64_t retry_ms)
{
	struct buf details = {0}, text = {0};
	size_t cap;
	char *out = scratch(answer, &cap);

	grpc_status_encode(status, message, retry_ms, &details);
	base64_put(&text, buf_text(&details), false); /* -bin headers go without padding */
	if (!details.failed && !text.failed && text.len <= cap) {
		memcpy(out, text.ptr, text.len);
		net_answer_trailer(answer, STR("grpc-status-details-bin"), keep(answer, text.len));
	}
	buf_deinit(&text);
	buf_deinit(&details);
}

void net_grpc_error(struct net_answer *answer, const struct err *err, int64_t retry_ms)
{
	int status = err_info(err->code)->grpc_status;
	struct str message = str_of(err->text);
	size_t cap;

	begin_answer(answer);
	buf_clear(&answer->body);
	answer->static_body = (struct str){NULL, 0};
	net_answer_trailer(answer, STR("grpc-status"), status_text(answer, status));
	char *out = scratch(answer, &cap);
	/* The details need what base64 makes of the message: leave it room. */
	size_t len = grpc_message_encode(message, out, cap - cap / 3);
	net_answer_trailer(answer, STR("grpc-message"), keep(answer, len));
	if (retry_ms >= 0)
		add_details(answer, status, message, retry_ms);
}
