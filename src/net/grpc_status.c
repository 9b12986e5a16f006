#include "grpc_status.h"

#include "base/cursor.h"

static const struct str retry_info_type = {"type.googleapis.com/google.rpc.RetryInfo", 40};

/* Protobuf keys: field number << 3 | wire type (0 varint, 2 bytes). */
enum {
	STATUS_CODE = 1 << 3 | 0,
	STATUS_MESSAGE = 2 << 3 | 2,
	STATUS_DETAILS = 3 << 3 | 2,
	ANY_TYPE_URL = 1 << 3 | 2,
	ANY_VALUE = 2 << 3 | 2,
	RETRY_INFO_DELAY = 1 << 3 | 2,
	DURATION_SECONDS = 1 << 3 | 0,
	DURATION_NANOS = 2 << 3 | 0,
};

static void put_varint(struct buf *out, uint64_t value)
{
	while (value >= 0x80) {
		buf_char(out, (char)(value | 0x80));
		value >>= 7;
	}
	buf_char(out, (char)value);
}

static void put_bytes(struct buf *out, int key, struct str bytes)
{
	put_varint(out, (uint64_t)key);
	put_varint(out, bytes.len);
	buf_str(out, bytes);
}

static void put_number(struct buf *out, int key, uint64_t value)
{
	if (value == 0)
		return;
	put_varint(out, (uint64_t)key);
	put_varint(out, value);
}

static void put_retry_info(struct buf *out, int64_t retry_ms)
{
	struct buf duration = {0}, info = {0}, any = {0};

	put_number(&duration, DURATION_SECONDS, (uint64_t)retry_ms / 1000);
	put_number(&duration, DURATION_NANOS, (uint64_t)retry_ms % 1000 * 1000000);
	put_bytes(&info, RETRY_INFO_DELAY, buf_text(&duration));
	put_bytes(&any, ANY_TYPE_URL, retry_info_type);
	put_bytes(&any, ANY_VALUE, buf_text(&info));
	put_bytes(out, STATUS_DETAILS, buf_text(&any));
	if (duration.failed || info.failed || any.failed)
		out->failed = ERR_NOMEM;
	buf_deinit(&duration);
	buf_deinit(&info);
	buf_deinit(&any);
}

void grpc_status_encode(int grpc_status, struct str message, int64_t retry_ms, struct buf *out)
{
	put_number(out, STATUS_CODE, (uint64_t)grpc_status);
	if (message.len)
		put_bytes(out, STATUS_MESSAGE, message);
	if (retry_ms >= 0)
		put_retry_info(out, retry_ms);
}

static void skip_field(struct cur *c, uint64_t key)
{
	switch (key & 7) {
	case 0:
		(void)cur_uleb(c);
		break;
	case 1:
		cur_skip(c, 8);
		break;
	case 2:
		cur_skip(c, cur_uleb(c));
		break;
	case 5:
		cur_skip(c, 4);
		break;
	default:
		c->bad = true;
	}
}

/* The first bytes field with this key, from here on. */
static bool next_bytes(struct cur *c, int wanted, struct cur *ret)
{
	while (cur_left(c) > 0) {
		uint64_t key = cur_uleb(c);
		if (key == (uint64_t)wanted) {
			*ret = cur_sub(c, cur_uleb(c));
			return cur_ok(c);
		}
		skip_field(c, key);
	}
	return false;
}

static int64_t duration_ms(struct cur c)
{
	uint64_t seconds = 0, nanos = 0;

	while (cur_left(&c) > 0) {
		uint64_t key = cur_uleb(&c);
		if (key == DURATION_SECONDS)
			seconds = cur_uleb(&c);
		else if (key == DURATION_NANOS)
			nanos = cur_uleb(&c);
		else
			skip_field(&c, key);
	}
	if (!cur_ok(&c) || seconds > INT32_MAX || nanos >= 1000000000)
		return -1;
	return (int64_t)(seconds * 1000 + nanos / 1000000);
}

static int64_t any_retry_ms(struct cur any)
{
	struct cur again = any, type, value, delay;

	if (!next_bytes(&any, ANY_TYPE_URL, &type) ||
	    !str_equal(str_make(type.start, cur_left(&type)), retry_info_type) ||
	    !next_bytes(&again, ANY_VALUE, &value))
		return -1;
	/* An empty RetryInfo is a delay of nothing. */
	return next_bytes(&value, RETRY_INFO_DELAY, &delay) ? duration_ms(delay) : 0;
}

int64_t grpc_status_retry_ms(struct str details)
{
	struct cur c = cur_make(details.ptr, details.len);
	struct cur any;

	while (next_bytes(&c, STATUS_DETAILS, &any)) {
		int64_t ms = any_retry_ms(any);
		if (ms >= 0)
			return ms;
	}
	return -1;
}

size_t grpc_message_encode(struct str text, char *out, size_t cap)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		bool plain = c >= 0x20 && c <= 0x7e && c != '%';
		if (cap - len < (plain ? 1U : 3U))
			break;
		if (plain) {
			out[len++] = (char)c;
			continue;
		}
		out[len++] = '%';
		out[len++] = hex[c >> 4];
		out[len++] = hex[c & 15];
	}
	return len;
}

void grpc_message_decode(struct str text, char *out, size_t cap)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len && len + 1 < cap; i++) {
		char c = text.ptr[i];
		if (c == '%' && text.len - i > 2) {
			int high = str_hex_digit(text.ptr[i + 1]),
			    low = str_hex_digit(text.ptr[i + 2]);
			if (high >= 0 && low >= 0) {
				c = (char)(high << 4 | low);
				i += 2;
			}
		}
		out[len++] = c;
	}
	out[len] = '\0';
}
