/* How the query API says no. */
#include "server/api.h"

#include "server/pbjson.h"
#include "server/speech.h"

void api_error(struct net_answer *answer, const struct err *err)
{
	const struct err_info *info = err_info(err->code);

	answer->status = info->http_status;
	buf_clear(&answer->body);
	buf_printf(&answer->body, "{\"code\":\"%s\",\"message\":", info->connect_code);
	pbjson_text(str_of(err->text), &answer->body);
	buf_char(&answer->body, '}');
	net_answer_header(answer, STR("content-type"), STR("application/json"));
	net_answer_header(answer, STR("x-content-type-options"), STR("nosniff"));
}

void api_retry_after(struct arena *arena, struct net_answer *answer, int64_t retry_ms)
{
	struct str text;

	if (retry_ms < 0)
		return;
	text = arena_printf(arena, "%lld", (long long)((retry_ms + 999) / 1000));
	if (text.ptr)
		net_answer_header(answer, STR("retry-after"), text);
}

void api_not_found(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct err err;
	struct speech speech = speech_of(request);

	(void)user;
	bool rpc = str_equal(request->method, STR("POST")) && speech.protocol != PROTOCOL_NONE;
	err_set(&err, rpc ? ERR_UNSUPPORTED : ERR_NOT_FOUND, "%.*s: there is no such %s here",
		STR_ARG(str_sub(request->path, 0, 200)), rpc ? "method" : "page");
	speech_error(&speech, request, answer, &err, -1);
}
