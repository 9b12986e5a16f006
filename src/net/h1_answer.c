#include <stdio.h>
#include <time.h>

#include "date.h"
#include "h1_state.h"
#include "status.h"

static void put_header(struct buf *out, struct str name, struct str value)
{
	buf_str(out, name);
	buf_cstr(out, ": ");
	buf_str(out, value);
	buf_cstr(out, "\r\n");
}

/* RFC 9110 section 8.6: neither 1xx nor 204 carries a length; 304 may leave it out. */
static bool has_length(int status)
{
	return status != 204 && status != 304;
}

void h1_put_head(struct h1 *h1)
{
	const struct net_answer *answer = &h1->call->answer;
	struct buf *out = &h1->head;

	buf_printf(out, "HTTP/1.1 %d %s\r\n", answer->status, status_reason(answer->status));
	for (size_t i = 0; i < answer->header_count; i++)
		put_header(out, answer->headers[i].name, answer->headers[i].value);
	char date[DATE_BYTES];
	put_header(out, STR("date"), date_now(date));
	if (has_length(answer->status))
		buf_printf(out, "content-length: %zu\r\n", call_answer_body(h1->call).len);
	if (!h1->keep_alive)
		buf_cstr(out, "connection: close\r\n");
	else if (h1->parser.http_minor == 0)
		buf_cstr(out, "connection: keep-alive\r\n");
	buf_cstr(out, "\r\n");
}
