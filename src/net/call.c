#include "call.h"

#include "base/clock.h"

#include "base/mem.h"

struct call *call_create(const struct net_limits *limits, struct call_budget *budget)
{
	struct call *call = mem_zalloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->limits = limits;
	call->budget = budget;
	call->body_limit_bytes = limits->body_bytes;
	arena_init(&call->arena, limits->request_memory_bytes);
	call->request.arena = &call->arena;
	call->request.cancelled = &call->cancelled;
	call->request.path = call->request.query = call->request.method = STR("");
	call->request.peer = STR("");
	return call;
}

void call_destroy(struct call *call)
{
	if (!call)
		return;
	call->budget->used_bytes -= call->charged_bytes;
	buf_deinit(&call->body);
	buf_deinit(&call->answer.body);
	arena_deinit(&call->arena);
	mem_free(call);
}

enum refusal call_set_text(struct call *call, struct str text, struct str *ret)
{
	struct str copy = arena_str(&call->arena, text);

	if (!copy.ptr)
		return REFUSE_MEMORY;
	*ret = copy;
	return REFUSE_NONE;
}

/* An array entry costs memory too: as HPACK (RFC 7541 section 4.1) each counts 32 bytes more. */
static bool header_fits(struct call *call, size_t name_len, size_t value_len)
{
	call->header_bytes += name_len + value_len + 32;
	return call->header_bytes <= call->limits->header_bytes &&
	       call->request.header_count < call->limits->header_count;
}

static void lower(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] + ('a' - 'A'));
}

enum refusal call_add_header(struct call *call, struct str name, struct str value)
{
	if (!header_fits(call, name.len, value.len))
		return REFUSE_HEADER_SIZE;
	size_t count = call->request.header_count;
	struct net_header *all =
		arena_grow(&call->arena, call->headers, &call->header_cap, count + 1, sizeof(*all));
	if (!all)
		return REFUSE_MEMORY;
	call->headers = all;
	char *name_copy = arena_copy(&call->arena, name.ptr, name.len);
	struct str value_copy = arena_str(&call->arena, value);
	if (!name_copy || !value_copy.ptr)
		return REFUSE_MEMORY;
	lower(name_copy, name.len);
	all[count] = (struct net_header){{name_copy, name.len}, value_copy};
	call->request.headers = all;
	call->request.header_count = count + 1;
	return REFUSE_NONE;
}

static struct str without_origin(struct str target)
{
	ptrdiff_t scheme = str_find(target, STR("://"));

	if (target.len == 0 || target.ptr[0] == '/' || scheme < 0)
		return target;
	struct str rest = str_sub(target, (size_t)scheme + 3, target.len);
	ptrdiff_t slash = str_find_char(rest, '/');
	return slash < 0 ? STR("/") : str_sub(rest, (size_t)slash, rest.len);
}

enum refusal call_set_target(struct call *call, struct str target)
{
	struct str copy;
	enum refusal reason = call_set_text(call, without_origin(target), &copy);

	if (reason != REFUSE_NONE)
		return reason;
	ptrdiff_t mark = str_find_char(copy, '?');
	call->request.path = mark < 0 ? copy : str_sub(copy, 0, (size_t)mark);
	call->request.query = mark < 0 ? STR("") : str_sub(copy, (size_t)mark + 1, copy.len);
	return REFUSE_NONE;
}

/* The budget is charged for what the buffer really takes, before it takes it. */
static enum refusal grow_body(struct call *call, size_t need)
{
	size_t cap = call->body.cap ? call->body.cap : 4096;

	while (cap < need)
		cap *= 2;
	if (cap > call->body_limit_bytes + 64)
		cap = call->body_limit_bytes + 64;
	if (call->budget->used_bytes + (cap - call->charged_bytes) > call->budget->limit_bytes)
		return REFUSE_BUFFERED_BYTES;
	if (!buf_reserve(&call->body, cap - 1 - call->body.len))
		return REFUSE_MEMORY;
	size_t now = call->body.cap > cap ? call->body.cap : cap;
	call->budget->used_bytes += now - call->charged_bytes;
	call->charged_bytes = now;
	return REFUSE_NONE;
}

enum refusal call_add_body(struct call *call, const void *ptr, size_t len)
{
	if (len > call->body_limit_bytes - call->body.len)
		return REFUSE_BODY_SIZE;
	size_t need = call->body.len + len + 1;
	if (need > call->body.cap) {
		enum refusal reason = grow_body(call, need);
		if (reason != REFUSE_NONE)
			return reason;
	}
	buf_append(&call->body, ptr, len);
	return call->body.failed ? REFUSE_MEMORY : REFUSE_NONE;
}

void call_begin_body(struct call *call, uint64_t now_ns)
{
	call->progress_ns = now_ns;
	call->body_since_ns = now_ns;
}

bool call_body_late(const struct call *call, uint64_t now_ns)
{
	const struct net_limits *limits = call->limits;
	uint64_t got = call->body.len + call->discarded_bytes;
	uint64_t earned_ns = got * (NS_PER_S / limits->body_rate);
	if (now_ns < call->progress_ns)
		return false;
	return now_ns - call->progress_ns > limits->body_timeout_ns ||
	       now_ns - call->body_since_ns > limits->body_timeout_ns + earned_ns;
}

void call_seal(struct call *call)
{
	call->body_expected = false;
	call->request.body = buf_text(&call->body);
}

struct str call_answer_body(const struct call *call)
{
	if (call->answer.static_body.len > 0)
		return call->answer.static_body;
	return buf_text(&call->answer.body);
}

void call_refuse(struct call *call, enum refusal reason)
{
	buf_deinit(&call->answer.body);
	call->answer = (struct net_answer){0};
	refuse_answer(reason, &call->request, call->limits, call->body_limit_bytes, &call->answer);
}

/* An answer whose body ran out of memory must not look whole. */
static void check_body(struct call *call)
{
	struct err err;

	if (buf_check(&call->answer.body, "answer", &err) == 0)
		return;
	buf_deinit(&call->answer.body);
	call->answer = (struct net_answer){0};
	if (net_is_grpc(&call->request))
		net_grpc_error(&call->answer, &err, -1);
	else
		net_answer_text(&call->answer, 500, "%s", err.text);
}

void call_run(struct call *call)
{
	call->route->handler(call->route->user, &call->request, &call->answer);
	check_body(call);
	if (call->answer.status < 200 || call->answer.status > 999)
		call->answer.status = 500;
}
