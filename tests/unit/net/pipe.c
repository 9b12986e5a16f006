#include "pipe.h"

#include "base/clock.h"
#include "net/limits_fill.h"

static void answer_hello(void *user, const struct net_request *request, struct net_answer *answer)
{
	(void)user;
	(void)request;
	net_answer_text(answer, 200, "hello");
}

static void answer_echo(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct str body;
	struct err err;

	(void)user;
	if (net_body(request, 10000, &body, &err)) {
		net_answer_error(answer, &err);
		return;
	}
	(void)net_query_get(request, STR("q"));
	answer->status = 200;
	buf_str(&answer->body, body);
	net_answer_gzip(request, answer);
}

static void answer_grpc(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct str message;
	struct err err;

	(void)user;
	if (net_grpc_message(request, 10000, &message, &err))
		net_grpc_error(answer, &err, 100);
	else
		net_grpc_answer(answer, message);
}

static const struct net_route routes[] = {
	{.method = "GET", .path = "/hello", .handler = answer_hello, .on_loop = true},
	{.method = "POST", .path = "/echo", .handler = answer_echo},
	{.method = "POST", .path = "/grpc", .handler = answer_grpc},
	{.method = "*", .path = "/any/*", .handler = answer_echo},
};

static bool dispatch(void *user, struct call *call)
{
	struct pipe *pipe = user;

	if (pipe->workers && !call->route->on_loop) {
		call->queue_next = pipe->waiting;
		pipe->waiting = call;
		return true;
	}
	call_run(call);
	conn_answered(call->conn, call);
	return true;
}

void pipe_init(struct pipe *pipe)
{
	*pipe = (struct pipe){0};
	pipe->host.limits.body_bytes = 20000;
	pipe->host.limits.header_bytes = 2000;
	pipe->host.limits.header_count = 20;
	pipe->host.limits.streams_per_connection = 10;
	limits_fill(&pipe->host.limits);
	pipe->host.budget.limit_bytes = 50000;
	pipe->host.routes = routes;
	pipe->host.route_count = sizeof(routes) / sizeof(routes[0]);
	pipe->host.dispatch = dispatch;
	pipe->host.user = pipe;
	conn_init(&pipe->conn, &pipe->host, false);
}

void pipe_pull(struct pipe *pipe)
{
	size_t before;

	do {
		before = pipe->out.len;
		conn_output(&pipe->conn, &pipe->out, 1000);
	} while (pipe->out.len > before && !pipe->conn.failed);
}

bool pipe_feed(struct pipe *pipe, const void *ptr, size_t len)
{
	conn_input(&pipe->conn, ptr, len);
	pipe_pull(pipe);
	return !conn_is_done(&pipe->conn);
}

void pipe_work(struct pipe *pipe)
{
	while (pipe->waiting) {
		struct call *call = pipe->waiting;
		pipe->waiting = call->queue_next;
		call_run(call);
		if (call->conn)
			conn_answered(call->conn, call);
		else
			call_destroy(call);
	}
}

void pipe_deinit(struct pipe *pipe)
{
	conn_deinit(&pipe->conn);
	pipe_work(pipe);
	buf_deinit(&pipe->out);
}
