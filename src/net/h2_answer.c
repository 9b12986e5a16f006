#include <string.h>

#include "base/clock.h"
#include "date.h"
#include "h2_state.h"
#include "stats.h"

/* :status, date, content-length and whatever an answer may hold. */
enum { HEADERS_MAX = 3 + 24 + 8, TEXT_MAX = 24 };

struct header_list {
	nghttp2_nv items[HEADERS_MAX];
	size_t count;
};

static void put(struct header_list *list, struct str name, struct str value)
{
	if (list->count == HEADERS_MAX)
		return;
	/* nghttp2 copies both (no NO_COPY flag) and only reads them. */
	list->items[list->count++] = (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name.ptr,
		.value = (uint8_t *)(uintptr_t)(value.ptr ? value.ptr : ""),
		.namelen = name.len,
		.valuelen = value.len,
	};
}

static void put_all(struct header_list *list, const struct net_header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put(list, headers[i].name, headers[i].value);
}

static struct str number(char *out, uint64_t value)
{
	size_t at = TEXT_MAX;

	do {
		out[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	return (struct str){out + at, TEXT_MAX - at};
}

static void submit_trailers(struct h2 *h2, const struct call *call)
{
	struct header_list list = {.count = 0};

	put_all(&list, call->answer.trailers, call->answer.trailer_count);
	if (nghttp2_submit_trailer(h2->session, call->stream_id, list.items, list.count) != 0)
		h2->conn->failed = true;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t cap,
			 uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct call *call = source->ptr;
	struct str body = call_answer_body(call);
	size_t left = body.len - call->sent_bytes;
	size_t len = left < cap ? left : cap;

	(void)session;
	(void)stream_id;
	if (len)
		memcpy(out, body.ptr + call->sent_bytes, len);
	call->sent_bytes += len;
	call->progress_ns = clock_mono_ns();
	if (len == left) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (call->answer.trailer_count > 0) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			submit_trailers(user, call);
		}
	}
	return (ssize_t)len;
}

static bool has_no_body(const struct call *call)
{
	int status = call->answer.status;

	return call_answer_body(call).len == 0 || status == 204 || status == 304 ||
	       str_equal(call->request.method, STR("HEAD"));
}

/* Without a body the trailers go with the headers in one frame: gRPC's Trailers-Only. */
void h2_submit_answer(struct h2 *h2, struct call *call)
{
	struct header_list list = {.count = 0};
	char status[TEXT_MAX], length[TEXT_MAX], date[DATE_BYTES];
	bool no_body = has_no_body(call);
	nghttp2_data_provider body = {.source.ptr = call, .read_callback = read_body};

	call->progress_ns = clock_mono_ns();
	stats_request(2, call->answer.status);
	put(&list, STR(":status"), number(status, (uint64_t)call->answer.status));
	put_all(&list, call->answer.headers, call->answer.header_count);
	put(&list, STR("date"), date_now(date));
	if (call->answer.trailer_count == 0 && call->answer.status != 204)
		put(&list, STR("content-length"), number(length, call_answer_body(call).len));
	if (no_body)
		put_all(&list, call->answer.trailers, call->answer.trailer_count);
	if (nghttp2_submit_response(h2->session, call->stream_id, list.items, list.count,
				    no_body ? NULL : &body) != 0)
		h2->conn->failed = true;
}

void h2_submit_continue(struct h2 *h2, int32_t stream_id)
{
	struct header_list list = {.count = 0};

	put(&list, STR(":status"), STR("100"));
	if (nghttp2_submit_headers(h2->session, NGHTTP2_FLAG_NONE, stream_id, NULL, list.items,
				   list.count, NULL) != 0)
		h2->conn->failed = true;
}
