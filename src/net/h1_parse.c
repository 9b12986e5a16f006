/* What llhttp leaves to us: the limits, the Host rule (RFC 9112 section 3.2),
 * no folded headers (section 5.2) and no message with both Content-Length and
 * Transfer-Encoding (section 6.1 allows to refuse it: request smuggling). */
#include <string.h>

#include "base/clock.h"
#include "h1_state.h"

static int refuse(struct h1 *h1, enum refusal reason)
{
	if (h1->refused == REFUSE_NONE)
		h1->refused = reason;
	return HPE_USER;
}

static int collect(struct h1 *h1, struct buf *into, const char *ptr, size_t len)
{
	if (into->len + len > h1->conn->host->limits.header_bytes)
		return refuse(h1, REFUSE_HEADER_SIZE);
	buf_append(into, ptr, len);
	return into->failed ? refuse(h1, REFUSE_MEMORY) : 0;
}

static int on_begin(llhttp_t *parser)
{
	struct h1 *h1 = parser->data;

	h1->since_ns = clock_mono_ns();
	h1->call = conn_call_begin(h1->conn);
	h1->host_seen = h1->host_twice = h1->in_body = false;
	h1->trailer_bytes = 0;
	h1->piece_input = 0;
	buf_clear(&h1->target);
	buf_clear(&h1->name);
	buf_clear(&h1->value);
	return h1->call ? 0 : refuse(h1, REFUSE_MEMORY);
}

static int on_target(llhttp_t *parser, const char *ptr, size_t len)
{
	struct h1 *h1 = parser->data;

	return collect(h1, &h1->target, ptr, len);
}

static int on_name(llhttp_t *parser, const char *ptr, size_t len)
{
	struct h1 *h1 = parser->data;

	return collect(h1, &h1->name, ptr, len);
}

/* A value comes in more than one piece when the input is cut inside of it, and when it is folded
 * over lines, which llhttp undoes without a word. A cut has the one piece at the very end of an
 * input and the next at the very start of the input after it. */
static bool is_cut(const struct h1 *h1, const char *ptr)
{
	return h1->piece_at_end && h1->piece_input + 1 == h1->input_number &&
	       ptr == h1->input_start;
}

/* Is there a line end in the white space just before at? Where that begins the input, the input
 * before it counts too. */
static bool line_end_before(const struct h1 *h1, const char *at)
{
	bool found = false;

	while (at > h1->input_start) {
		char c = *--at;
		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			return found;
		found |= c == '\n';
	}
	return found || h1->line_end_at_end;
}

static int on_value(llhttp_t *parser, const char *ptr, size_t len)
{
	struct h1 *h1 = parser->data;
	bool folded = h1->piece_input ? !is_cut(h1, ptr) : line_end_before(h1, ptr);

	if (folded && len > 0)
		return refuse(h1, REFUSE_MALFORMED);
	h1->piece_input = h1->input_number;
	h1->piece_at_end = ptr + len == h1->input_end;
	return collect(h1, &h1->value, ptr, len);
}

/* RFC 9110 section 5.6.2; llhttp lets blanks and empty names through. */
static bool is_token(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool alnum =
			(c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!alnum && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return name.len > 0;
}

/* Trailers of a chunked request may not add to its headers; nobody here wants them. */
static int drop_trailer(struct h1 *h1)
{
	h1->trailer_bytes += h1->name.len + h1->value.len + 32;
	buf_clear(&h1->name);
	buf_clear(&h1->value);
	return h1->trailer_bytes > H1_TRAILERS_MAX_BYTES ? refuse(h1, REFUSE_HEADER_SIZE) : 0;
}

static int on_header_done(llhttp_t *parser)
{
	struct h1 *h1 = parser->data;

	h1->piece_input = 0;
	if (h1->in_body)
		return drop_trailer(h1);
	struct str name = buf_text(&h1->name);
	struct str value = str_trim(buf_text(&h1->value));
	enum refusal reason = call_add_header(h1->call, name, value);
	if (str_equal_nocase(name, STR("host"))) {
		h1->host_twice = h1->host_seen;
		h1->host_seen = true;
	}
	if (!is_token(name))
		reason = REFUSE_MALFORMED;
	buf_clear(&h1->name);
	buf_clear(&h1->value);
	return reason == REFUSE_NONE ? 0 : refuse(h1, reason);
}

static bool is_well_formed(const struct h1 *h1)
{
	const llhttp_t *parser = &h1->parser;
	bool http_11 = parser->http_major == 1 && parser->http_minor == 1;

	if (parser->http_major != 1 || h1->host_twice || (http_11 && !h1->host_seen))
		return false;
	if (parser->method == HTTP_CONNECT)
		return false;
	return !(parser->flags & F_TRANSFER_ENCODING) ||
	       (http_11 && !(parser->flags & F_CONTENT_LENGTH));
}

static enum refusal take_request_line(struct h1 *h1)
{
	struct str target = buf_text(&h1->target);
	struct net_request *request = &h1->call->request;

	if (target.len == 0 || (target.ptr[0] != '/' && !str_equal(target, STR("*")) &&
				str_find(target, STR("://")) < 0))
		return REFUSE_MALFORMED;
	request->method = str_of(llhttp_method_name((llhttp_method_t)h1->parser.method));
	h1->head_only = h1->parser.method == HTTP_HEAD;
	return call_set_target(h1->call, target);
}

static bool body_follows(const llhttp_t *parser)
{
	return (parser->flags & F_CHUNKED) ||
	       ((parser->flags & F_CONTENT_LENGTH) && parser->content_length > 0);
}

static void answer_continue(struct h1 *h1)
{
	struct str expect = net_header_get(&h1->call->request, STR("expect"));

	if (expect.ptr && h1->parser.http_minor == 1 && h1->call->body_expected)
		buf_cstr(&h1->head, "HTTP/1.1 100 Continue\r\n\r\n");
}

static int64_t content_length(const llhttp_t *parser)
{
	if (!(parser->flags & F_CONTENT_LENGTH))
		return -1;
	return parser->content_length > INT64_MAX ? INT64_MAX : (int64_t)parser->content_length;
}

static int on_headers_done(llhttp_t *parser)
{
	struct h1 *h1 = parser->data;
	/* "Upgrade: h2c" is an offer that we do not take (RFC 9113 section 3.1 dropped it). */
	bool well_formed = is_well_formed(h1);
	parser->upgrade = 0;
	h1->in_body = true;
	enum refusal reason = take_request_line(h1);
	if (reason == REFUSE_NONE && !well_formed)
		reason = REFUSE_MALFORMED;
	if (reason != REFUSE_NONE)
		return refuse(h1, reason);
	h1->keep_alive = llhttp_should_keep_alive(parser);
	h1->call->body_expected = body_follows(parser);
	call_begin_body(h1->call, clock_mono_ns());
	reason = conn_call_check(h1->conn, h1->call, content_length(parser));
	if (reason != REFUSE_NONE) {
		/* The answer is there already. */
		h1->refused = reason;
		return HPE_USER;
	}
	answer_continue(h1);
	return 0;
}

static int on_body(llhttp_t *parser, const char *ptr, size_t len)
{
	struct h1 *h1 = parser->data;
	enum refusal reason = call_add_body(h1->call, ptr, len);

	h1->call->progress_ns = clock_mono_ns();
	return reason == REFUSE_NONE ? 0 : refuse(h1, reason);
}

static int on_message_done(llhttp_t *parser)
{
	struct h1 *h1 = parser->data;

	h1->message_complete = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_message_begin = on_begin,
	.on_url = on_target,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_header_value_complete = on_header_done,
	.on_headers_complete = on_headers_done,
	.on_body = on_body,
	.on_message_complete = on_message_done,
};

void h1_parser_init(struct h1 *h1)
{
	llhttp_init(&h1->parser, HTTP_REQUEST, &settings);
	h1->parser.data = h1;
}

void h1_parser_next(struct h1 *h1)
{
	h1->message_complete = false;
	llhttp_resume(&h1->parser);
}

size_t h1_parse(struct h1 *h1, const char *ptr, size_t len)
{
	h1->input_number++;
	h1->input_start = ptr;
	h1->input_end = ptr + len;
	llhttp_errno_t code = llhttp_execute(&h1->parser, ptr, len);

	h1->line_end_at_end = line_end_before(h1, h1->input_end);
	if (code == HPE_OK)
		return len;
	if (h1->message_complete && code == HPE_PAUSED)
		return (size_t)(llhttp_get_error_pos(&h1->parser) - ptr);
	if (h1->refused == REFUSE_NONE)
		h1->refused = REFUSE_MALFORMED;
	return len;
}
