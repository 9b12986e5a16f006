#include "link.h"

#include <stddef.h>
#include <stdio.h>
#include <netdb.h>

#include "base/mem.h"
#include "link_state.h"
#include "stats.h"

struct link *link_of(struct conn *conn)
{
	return (struct link *)(void *)((char *)conn - offsetof(struct link, conn));
}

static void on_closed(uv_handle_t *handle)
{
	struct link *link = handle->data;

	tls_destroy(link->tls);
	buf_deinit(&link->out);
	mem_free(link);
}

static void on_refused_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

void link_close(struct link *link)
{
	if (link->closed)
		return;
	link->closed = true;
	if (link->prev)
		link->prev->next = link->next;
	else
		link->server->links = link->next;
	if (link->next)
		link->next->prev = link->prev;
	link->server->link_count--;
	conn_deinit(&link->conn);
	stats_connection_closed();
	uv_close(&link->uv.handle, on_closed);
}

static void set_peer(struct link *link)
{
	struct sockaddr_storage peer;
	int len = sizeof(peer);
	char host[48], port[8];

	if (link->is_unix) {
		str_copy(link->conn.peer, sizeof(link->conn.peer), STR("unix"));
		return;
	}
	uv_tcp_nodelay(&link->uv.tcp, 1);
	if (uv_tcp_getpeername(&link->uv.tcp, (struct sockaddr *)&peer, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&peer, (socklen_t)len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return;
	bool v6 = peer.ss_family == AF_INET6;
	snprintf(link->conn.peer, sizeof(link->conn.peer), "%s%s%s:%s", v6 ? "[" : "", host,
		 v6 ? "]" : "", port);
}

/* The clear bytes of the connection, however they came. */
static void take_clear(struct link *link, const char *ptr, size_t len)
{
	if (!link->lingering)
		conn_input(&link->conn, ptr, len);
}

static void follow_alpn(struct link *link)
{
	if (link->alpn_done || tls_state(link->tls) == TLS_HANDSHAKE ||
	    tls_state(link->tls) == TLS_FAILED)
		return;
	link->alpn_done = true;
	enum tls_alpn alpn = tls_alpn(link->tls);
	if (alpn == TLS_ALPN_H2)
		conn_use_http2(&link->conn);
	else if (alpn == TLS_ALPN_H1)
		conn_use_http1(&link->conn);
}

static void end_input(struct link *link)
{
	if (link->input_ended)
		return;
	link->input_ended = true;
	conn_input_end(&link->conn);
}

static void take_encrypted(struct link *link, const char *ptr, size_t len)
{
	char clear[16 * 1024];

	if (!tls_feed(link->tls, ptr, len)) {
		refuse_count(REFUSE_MEMORY);
		link->conn.failed = true;
		return;
	}
	for (;;) {
		size_t got = tls_read(link->tls, clear, sizeof(clear));
		follow_alpn(link);
		if (got == 0)
			break;
		take_clear(link, clear, got);
	}
	if (tls_state(link->tls) == TLS_ENDED)
		end_input(link);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct link *link = handle->data;

	(void)suggested;
	/* Used up before on_read returns, so that one buffer serves all. */
	*ret = uv_buf_init(link->server->read_bytes, SERVER_READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *bytes)
{
	struct link *link = stream->data;

	if (len == 0 || link->closed)
		return;
	if (len < 0 && (len != UV_EOF || link->lingering)) {
		link_close(link);
		return;
	}
	if (len == UV_EOF) {
		end_input(link);
	} else {
		stats_bytes_in((size_t)len);
		if (link->tls && !link->lingering)
			take_encrypted(link, bytes->base, (size_t)len);
		else
			take_clear(link, bytes->base, (size_t)len);
	}
	link_pump(link);
}

/* Only wanted bytes are read: the rest waits in the kernel and slows the client down. */
void link_set_reading(struct link *link)
{
	bool wanted = link->lingering || (!link->input_ended && conn_wants_input(&link->conn));

	if (wanted == link->reading)
		return;
	link->reading = wanted;
	if (!wanted)
		uv_read_stop(&link->uv.stream);
	else if (uv_read_start(&link->uv.stream, on_alloc, on_read) != 0)
		link_close(link);
}

static void insert(struct net_server *server, struct link *link)
{
	link->next = server->links;
	if (link->next)
		link->next->prev = link;
	server->links = link;
	server->link_count++;
	server_start_ticking(server);
	stats_connection_opened();
}

static int init_handle(struct net_server *server, struct link *link)
{
	if (link->is_unix)
		return uv_pipe_init(&server->loop, &link->uv.pipe, 0);
	return uv_tcp_init(&server->loop, &link->uv.tcp);
}

static void start(struct net_server *server, struct link *link)
{
	conn_init(&link->conn, &server->host, server->tls != NULL);
	set_peer(link);
	link->opened_ns = link->conn.opened_ns;
	insert(server, link);
	if (server->tls && !(link->tls = tls_create(server->tls))) {
		refuse_count(REFUSE_MEMORY);
		link->conn.failed = true;
	}
	link_pump(link);
}

void link_accept(struct net_server *server, uv_stream_t *listener, bool is_unix)
{
	struct link *link = mem_zalloc(1, sizeof(*link));

	if (!link) {
		refuse_count(REFUSE_MEMORY);
		return;
	}
	link->server = server;
	link->is_unix = is_unix;
	if (init_handle(server, link) != 0) {
		mem_free(link);
		return;
	}
	link->uv.handle.data = link;
	bool accepted = uv_accept(listener, &link->uv.stream) == 0;
	if (!accepted || server->link_count >= server->host.limits.connections) {
		refuse_count(REFUSE_CONNECTIONS);
		uv_close(&link->uv.handle, on_refused_closed);
		return;
	}
	start(server, link);
}

static void tick(struct link *link, uint64_t now_ns)
{
	const struct net_limits *limits = &link->server->host.limits;
	size_t unwritten = uv_stream_get_write_queue_size(&link->uv.stream);

	if (link->tls && !link->alpn_done && now_ns - link->opened_ns > limits->header_timeout_ns) {
		refuse_count(REFUSE_TLS);
		link->conn.failed = true;
	}
	if (!link->writing || unwritten != link->unwritten_bytes) {
		link->unwritten_bytes = unwritten;
		link->write_since_ns = now_ns;
	} else if (now_ns - link->write_since_ns > limits->body_timeout_ns) {
		refuse_count(REFUSE_SLOW_READER);
		link->conn.failed = true;
	}
	if (link->lingering && now_ns - link->lingering_since_ns > LINK_LINGER_NS)
		link_close(link);
	if (link->closed)
		return;
	conn_tick(&link->conn, now_ns);
	link_pump(link);
}

void link_tick_all(struct net_server *server, uint64_t now_ns)
{
	struct link *next;

	for (struct link *link = server->links; link; link = next) {
		next = link->next;
		tick(link, now_ns);
	}
}

void link_drain_all(struct net_server *server)
{
	struct link *next;

	for (struct link *link = server->links; link; link = next) {
		next = link->next;
		conn_drain(&link->conn);
		link_pump(link);
	}
}

void link_abort_all(struct net_server *server)
{
	while (server->links)
		link_close(server->links);
}
