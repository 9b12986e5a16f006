#include "server.h"

#include <signal.h>

#include "base/clock.h"
#include "base/mem.h"
#include "limits_fill.h"
#include "link.h"
#include "stats.h"

static void on_wake_from_worker(void *user)
{
	struct net_server *server = user;

	uv_async_send(&server->wake);
}

static bool dispatch(void *user, struct call *call)
{
	struct net_server *server = user;

	if (call->route->on_loop) {
		call_run(call);
		conn_answered(call->conn, call);
		return true;
	}
	if (!pool_put(server->pool, call))
		return false;
	server->calls_out++;
	return true;
}

static void take_answers(struct net_server *server)
{
	struct call *call = pool_take(server->pool);

	while (call) {
		struct call *next = call->queue_next;
		struct conn *conn = call->conn;
		server->calls_out--;
		if (conn) {
			conn_answered(conn, call);
			link_mark(link_of(conn));
		} else {
			call_destroy(call);
		}
		call = next;
	}
	link_pump_marked(server);
}

static void on_tick(uv_timer_t *timer);

static void begin_stop(struct net_server *server)
{
	server->stopping = true;
	server->stop_deadline_ns = clock_mono_ns() + server->host.limits.graceful_ns;
	server_start_ticking(server);
	listener_close_all(server);
	link_drain_all(server);
}

/* The loop ends when no handle is left. */
static void end_if_quiet(struct net_server *server)
{
	if (!server->stopping || server->closing || server->links || server->calls_out)
		return;
	server->closing = true;
	uv_close((uv_handle_t *)&server->timer, NULL);
	uv_close((uv_handle_t *)&server->wake, NULL);
}

/* Connections hold on to the context that they were made with. */
static void take_tls(struct net_server *server, struct tls_context *next)
{
	if (!next)
		return;
	tls_context_destroy(server->tls);
	server->tls = next;
}

static void on_wake(uv_async_t *async)
{
	struct net_server *server = async->data;

	take_answers(server);
	pthread_mutex_lock(&server->lock);
	bool stop = server->stop_asked && !server->stopping;
	struct tls_context *next = server->next_tls;
	server->next_tls = NULL;
	pthread_mutex_unlock(&server->lock);
	take_tls(server, next);
	if (stop)
		begin_stop(server);
	listener_adopt_incoming(server);
	end_if_quiet(server);
}

static void on_tick(uv_timer_t *timer)
{
	struct net_server *server = timer->data;
	uint64_t now_ns = clock_mono_ns();

	link_tick_all(server, now_ns);
	if (server->stopping && !server->aborted && now_ns >= server->stop_deadline_ns) {
		server->aborted = true;
		link_abort_all(server);
	}
	/* A server without connections sleeps. */
	if (!server->links && !server->stopping)
		uv_timer_stop(timer);
	end_if_quiet(server);
}

void server_start_ticking(struct net_server *server)
{
	if (!uv_is_active((uv_handle_t *)&server->timer))
		uv_timer_start(&server->timer, on_tick, SERVER_TICK_MS, SERVER_TICK_MS);
}

static void *run(void *user)
{
	struct net_server *server = user;

	uv_run(&server->loop, UV_RUN_DEFAULT);
	return NULL;
}

static int start_thread(struct net_server *server)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int code = pthread_create(&server->thread, NULL, run, server);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return code;
}

static struct net_server *create(const struct net_server_config *config)
{
	struct net_server *server = mem_zalloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->host.limits = config->limits;
	limits_fill(&server->host.limits);
	server->host.budget.limit_bytes = server->host.limits.buffered_bytes;
	server->host.routes = config->routes;
	server->host.route_count = config->route_count;
	server->host.gate = config->gate;
	server->host.gate_user = config->gate_user;
	server->host.dispatch = dispatch;
	server->host.user = server;
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->adopted, NULL);
	return server;
}

/* Everything but the loop and its thread. */
static void destroy(struct net_server *server)
{
	pool_destroy(server->pool);
	tls_context_destroy(server->tls);
	tls_context_destroy(server->next_tls);
	buf_deinit(&server->plain);
	pthread_cond_destroy(&server->adopted);
	pthread_mutex_destroy(&server->lock);
	mem_free(server);
}

static int init_loop(struct net_server *server, struct err *err)
{
	int code = uv_loop_init(&server->loop);

	if (code)
		return err_set(err, ERR_IO, "event loop: %s", uv_strerror(code));
	code = uv_async_init(&server->loop, &server->wake, on_wake);
	if (code) {
		uv_loop_close(&server->loop);
		return err_set(err, ERR_IO, "event loop: %s", uv_strerror(code));
	}
	uv_timer_init(&server->loop, &server->timer);
	server->wake.data = server;
	server->timer.data = server;
	return 0;
}

static void deinit_loop(struct net_server *server)
{
	server->stopping = true;
	listener_close_all(server);
	end_if_quiet(server);
	uv_run(&server->loop, UV_RUN_DEFAULT);
	uv_loop_close(&server->loop);
}

static int listen_first(struct net_server *server, const char *listen, struct err *err)
{
	struct addr_listener addr;
	struct listener *listener;
	int code = addr_listen(listen, &addr, err);

	if (code)
		return code;
	code = listener_create(server, &addr, &listener, err);
	if (code)
		return code;
	str_copy(server->address, sizeof(server->address), str_of(addr.text));
	int result = listener_adopt(listener);
	return result ? err_set(err, ERR_IO, "listening on %s: %s", listen, uv_strerror(result))
		      : 0;
}

static int start_parts(struct net_server *server, const struct net_server_config *config,
		       struct err *err)
{
	const struct net_limits *limits = &server->host.limits;
	int code = listen_first(server, config->listen, err);

	if (!code)
		code = pool_create(limits->workers, limits->queue, on_wake_from_worker, server,
				   &server->pool, err);
	if (code)
		return code;
	code = start_thread(server);
	return code ? err_set_errno(err, code, "starting the network thread") : 0;
}

int net_server_start(const struct net_server_config *config, struct net_server **ret,
		     struct err *err)
{
	struct net_server *server = create(config);
	int code = 0;

	if (!server)
		return err_set(err, ERR_NOMEM, "server: no memory");
	stats_register();
	if (config->tls)
		code = tls_context_create(config->tls, &server->tls, err);
	server->has_tls = server->tls != NULL;
	if (!code)
		code = init_loop(server, err);
	if (code) {
		destroy(server);
		return code;
	}
	code = start_parts(server, config, err);
	if (code) {
		deinit_loop(server);
		destroy(server);
		return code;
	}
	*ret = server;
	return 0;
}

const char *net_server_address(const struct net_server *server)
{
	return server->address;
}

int net_server_set_tls(struct net_server *server, const struct net_tls_config *tls, struct err *err)
{
	struct tls_context *context, *unused;

	if (!server->has_tls)
		return err_set(err, ERR_INVALID, "TLS can be switched on only by a restart");
	int code = tls_context_create(tls, &context, err);
	if (code)
		return code;
	pthread_mutex_lock(&server->lock);
	unused = server->next_tls;
	server->next_tls = context;
	uv_async_send(&server->wake);
	pthread_mutex_unlock(&server->lock);
	tls_context_destroy(unused);
	return 0;
}

void net_server_stop(struct net_server *server)
{
	if (!server)
		return;
	pthread_mutex_lock(&server->lock);
	server->stop_asked = true;
	uv_async_send(&server->wake);
	pthread_mutex_unlock(&server->lock);
	pthread_join(server->thread, NULL);
	uv_loop_close(&server->loop);
	destroy(server);
}
