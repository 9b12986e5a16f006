#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "link.h"
#include "server.h"

struct listener {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	struct net_server *server;
	struct listener *next;
	struct addr_listener addr;
	bool done;  /* adopted, or failed to be; guarded by the server's lock */
	int result; /* a libuv code */
};

int listener_create(struct net_server *server, const struct addr_listener *addr,
		    struct listener **ret, struct err *err)
{
	struct listener *listener = mem_zalloc(1, sizeof(*listener));

	if (!listener)
		return err_set(err, ERR_NOMEM, "listening on %s: no memory", addr->text);
	listener->server = server;
	listener->addr = *addr;
	*ret = listener;
	return 0;
}

static void remove_file(const struct listener *listener)
{
	struct str path = addr_unix_path(str_of(listener->addr.text));

	if (path.ptr)
		unlink(path.ptr);
}

void listener_destroy(struct listener *listener)
{
	if (!listener)
		return;
	remove_file(listener);
	fd_close(&listener->addr.fd);
	mem_free(listener);
}

static void on_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

static void on_connection(uv_stream_t *stream, int status)
{
	struct listener *listener = stream->data;

	/* Out of descriptors, say: the client waits in the backlog, or was closed by libuv. */
	if (status < 0)
		refuse_count(REFUSE_CONNECTIONS);
	else
		link_accept(listener->server, stream, listener->addr.is_unix);
}

static int open_handle(struct listener *listener)
{
	uv_loop_t *loop = &listener->server->loop;
	int code;

	if (listener->addr.is_unix)
		code = uv_pipe_init(loop, &listener->uv.pipe, 0);
	else
		code = uv_tcp_init(loop, &listener->uv.tcp);
	if (code)
		return code;
	listener->uv.handle.data = listener;
	if (listener->addr.is_unix)
		return uv_pipe_open(&listener->uv.pipe, listener->addr.fd);
	return uv_tcp_open(&listener->uv.tcp, listener->addr.fd);
}

int listener_adopt(struct listener *listener)
{
	struct net_server *server = listener->server;
	int code = open_handle(listener);

	listener->next = server->listeners;
	server->listeners = listener;
	if (!code)
		code = uv_listen(&listener->uv.stream, 1024, on_connection);
	return code;
}

void listener_close_all(struct net_server *server)
{
	while (server->listeners) {
		struct listener *listener = server->listeners;
		server->listeners = listener->next;
		remove_file(listener);
		uv_close(&listener->uv.handle, on_closed);
	}
}

void listener_adopt_incoming(struct net_server *server)
{
	pthread_mutex_lock(&server->lock);
	while (server->incoming) {
		struct listener *listener = server->incoming;
		server->incoming = listener->next;
		listener->result = server->stopping ? UV_ECANCELED : listener_adopt(listener);
		listener->done = true;
	}
	pthread_cond_broadcast(&server->adopted);
	pthread_mutex_unlock(&server->lock);
}

static int wait_for(struct net_server *server, struct listener *listener)
{
	pthread_mutex_lock(&server->lock);
	int result = UV_ECANCELED;
	if (!server->stop_asked) {
		listener->next = server->incoming;
		server->incoming = listener;
		uv_async_send(&server->wake);
		while (!listener->done)
			pthread_cond_wait(&server->adopted, &server->lock);
		result = listener->result;
	}
	pthread_mutex_unlock(&server->lock);
	return result;
}

int net_server_listen(struct net_server *server, const char *listen, struct err *err)
{
	struct addr_listener addr;
	struct listener *listener;
	int code = addr_listen(listen, &addr, err);

	if (code)
		return code;
	code = listener_create(server, &addr, &listener, err);
	if (code) {
		fd_close(&addr.fd);
		return code;
	}
	int result = wait_for(server, listener);
	if (result == 0)
		return 0;
	if (result == UV_ECANCELED)
		listener_destroy(listener);
	return err_set(err, ERR_IO, "listening on %s: %s", addr.text, uv_strerror(result));
}
