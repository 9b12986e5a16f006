/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 and HTTP/2 by hand: what a library would put right must go out wrong. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "hostile.h"

enum { NO_STATUS = -1, HEADERS_MAX = 24, REPLY_MAX_BYTES = 64 << 20 };

const char *target_address;

void die(const char *what)
{
	printf("not ok - the client itself failed: %s: %s\n", what, strerror(errno));
	exit(1);
}

int dial(void)
{
	const char *colon = strrchr(target_address, ':');
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(colon + 1)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* False when the other side does not listen any more. */
static bool write_some(int fd, struct str bytes, size_t *sent)
{
	ssize_t n = send(fd, bytes.ptr + *sent, bytes.len - *sent, MSG_NOSIGNAL);
	if (n > 0)
		*sent += (size_t)n;
	return n >= 0 || errno == EAGAIN;
}

/* False at the end. */
static bool read_some(int fd, struct buf *got)
{
	char piece[65536];
	ssize_t n = recv(fd, piece, sizeof(piece), 0);
	if (n > 0 && got->len < REPLY_MAX_BYTES)
		buf_append(got, piece, (size_t)n);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

void pump(int fd, struct str bytes, bool half_close, int hang_ms, struct buf *got, bool *hung)
{
	size_t sent = 0;
	bool writes = true;

	*hung = false;
	for (;;) {
		if (writes && sent == bytes.len) {
			writes = false;
			if (half_close)
				shutdown(fd, SHUT_WR);
		}
		struct pollfd poll_fd = {fd, (short)(writes ? POLLIN | POLLOUT : POLLIN), 0};
		int ready = poll(&poll_fd, 1, hang_ms);
		*hung = ready == 0;
		if (ready <= 0)
			return;
		if ((poll_fd.revents & POLLOUT) && !write_some(fd, bytes, &sent))
			writes = false;
		if ((poll_fd.revents & (POLLIN | POLLHUP | POLLERR)) && !read_some(fd, got))
			return;
	}
}

static size_t content_length(struct str head)
{
	static const struct str name = {"\r\ncontent-length: ", 18};
	ptrdiff_t at = str_find(head, name);
	return at < 0 ? SIZE_MAX : strtoul(head.ptr + at + name.len, NULL, 10);
}

/* The first answer; interim ones (1xx) are stepped over. */
static void parse_http1(const struct buf *got, struct reply *ret)
{
	struct str rest = buf_text(got);
	ptrdiff_t end;
	size_t len = SIZE_MAX;

	while (str_starts_with(rest, STR("HTTP/1.1 ")) &&
	       (end = str_find(rest, STR("\r\n\r\n"))) >= 0) {
		ret->status = atoi(rest.ptr + 9);
		len = content_length(str_sub(rest, 0, (size_t)end + 2));
		rest = str_sub(rest, (size_t)end + 4, SIZE_MAX);
		if (ret->status >= 200)
			break;
	}
	buf_str(&ret->body, str_sub(rest, 0, len));
}

void talk(struct str bytes, bool half_close, struct reply *ret)
{
	struct buf got = {0};
	uint64_t start_ns = clock_mono_ns();
	int fd = dial();

	*ret = (struct reply){.grpc_status = NO_STATUS};
	if (fd >= 0) {
		pump(fd, bytes, half_close, HANG_MS, &got, &ret->hung);
		close(fd);
	}
	ret->took_ns = clock_mono_ns() - start_ns;
	parse_http1(&got, ret);
	buf_deinit(&got);
}

void ask_text(const struct ask *ask, struct buf *out)
{
	buf_printf(out, "%s %s HTTP/1.1\r\nHost: cresset\r\nConnection: close\r\n", ask->method,
		   ask->path);
	if (ask->type)
		buf_printf(out, "Content-Type: %s\r\n", ask->type);
	if (ask->body.len > 0 || strcmp(ask->method, "POST") == 0)
		buf_printf(out, "Content-Length: %zu\r\n", ask->body.len);
	buf_printf(out, "%s\r\n", ask->headers ? ask->headers : "");
	buf_str(out, ask->body);
}

/* ---- HTTP/2: nghttp2 keeps the windows; the content is ours ---- */

struct exchange {
	struct reply *reply;
	struct str body;
	size_t sent;
	bool done;
	nghttp2_nv headers[HEADERS_MAX];
	size_t header_count;
	char names[HEADERS_MAX][64];
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *user)
{
	struct exchange *exchange = user;
	struct str n = str_make(name, name_len);
	char text[32];

	(void)session, (void)frame, (void)flags;
	str_copy(text, sizeof(text), str_make(value, value_len));
	if (str_equal(n, STR(":status")))
		exchange->reply->status = atoi(text);
	else if (str_equal(n, STR("grpc-status")))
		exchange->reply->grpc_status = atoi(text);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *ptr,
		   size_t len, void *user)
{
	struct exchange *exchange = user;

	(void)session, (void)flags, (void)stream;
	buf_append(&exchange->reply->body, ptr, len);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
	struct exchange *exchange = user;

	(void)session, (void)stream, (void)code;
	exchange->done = true;
	return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *into, size_t room,
			 uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct exchange *exchange = user;
	struct str piece = str_sub(exchange->body, exchange->sent, room);

	(void)session, (void)stream, (void)source;
	memcpy(into, piece.ptr, piece.len);
	exchange->sent += piece.len;
	if (exchange->sent == exchange->body.len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)piece.len;
}

static void add_header(struct exchange *exchange, struct str name, struct str value)
{
	char *kept = exchange->names[exchange->header_count];
	if (exchange->header_count == HEADERS_MAX)
		return;
	str_copy(kept, sizeof(exchange->names[0]), name);
	for (char *c = kept; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	exchange->headers[exchange->header_count++] =
		(nghttp2_nv){(uint8_t *)kept, (uint8_t *)(uintptr_t)value.ptr, strlen(kept),
			     value.len, 0};
}

static void add_headers(struct exchange *exchange, const struct ask *ask)
{
	struct str rest = str_of(ask->headers), line, name;

	add_header(exchange, STR(":method"), str_of(ask->method));
	add_header(exchange, STR(":scheme"), STR("http"));
	add_header(exchange, STR(":path"), str_of(ask->path));
	add_header(exchange, STR(":authority"), STR("cresset"));
	if (ask->type)
		add_header(exchange, STR("content-type"), str_of(ask->type));
	add_header(exchange, STR("te"), STR("trailers"));
	while (str_next(&rest, '\n', &line))
		if (str_next(&line, ':', &name) && line.ptr)
			add_header(exchange, name, str_trim(line));
}

static nghttp2_session *new_session(struct exchange *exchange)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		die("nghttp2");
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	if (nghttp2_session_client_new(&session, callbacks, exchange) != 0)
		die("nghttp2");
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

/* False when there is nothing more to be had. */
static bool step(nghttp2_session *session, int fd, struct buf *out, size_t *sent, bool *hung)
{
	const uint8_t *bytes;
	char piece[65536];
	ssize_t len = 0;

	if (*sent == out->len) {
		buf_clear(out);
		*sent = 0;
		while (out->len < sizeof(piece) &&
		       (len = nghttp2_session_mem_send(session, &bytes)) > 0)
			buf_append(out, bytes, (size_t)len);
	}
	bool writes = *sent < out->len;
	struct pollfd poll_fd = {fd, (short)(writes ? POLLIN | POLLOUT : POLLIN), 0};
	int ready = poll(&poll_fd, 1, HANG_MS);
	*hung = ready == 0;
	if (ready <= 0)
		return false;
	if ((poll_fd.revents & POLLOUT) && !write_some(fd, buf_text(out), sent))
		*sent = out->len;
	if (!(poll_fd.revents & (POLLIN | POLLHUP | POLLERR)))
		return true;
	len = recv(fd, piece, sizeof(piece), 0);
	if (len < 0 && errno == EAGAIN)
		return true;
	return len > 0 && nghttp2_session_mem_recv(session, (uint8_t *)piece, (size_t)len) >= 0;
}

static void ask_http2(const struct ask *ask, struct reply *ret)
{
	struct exchange exchange = {.reply = ret, .body = ask->body};
	nghttp2_session *session = new_session(&exchange);
	nghttp2_data_provider provider = {.read_callback = read_body};
	struct buf out = {0};
	size_t sent = 0;
	uint64_t start_ns = clock_mono_ns();
	int fd = dial();

	*ret = (struct reply){.grpc_status = NO_STATUS};
	add_headers(&exchange, ask);
	nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0);
	nghttp2_submit_request(session, NULL, exchange.headers, exchange.header_count,
			       ask->body.ptr ? &provider : NULL, NULL);
	while (fd >= 0 && !exchange.done && step(session, fd, &out, &sent, &ret->hung))
		;
	ret->took_ns = clock_mono_ns() - start_ns;
	nghttp2_session_del(session);
	buf_deinit(&out);
	if (fd >= 0)
		close(fd);
}

void ask_send(const struct ask *ask, struct reply *ret)
{
	struct buf text = {0};

	if (ask->h2) {
		ask_http2(ask, ret);
		return;
	}
	ask_text(ask, &text);
	talk(buf_text(&text), false, ret);
	buf_deinit(&text);
}

void reply_deinit(struct reply *reply)
{
	buf_deinit(&reply->body);
}
