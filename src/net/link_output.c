#include "link_state.h"
#include "stats.h"

/* Clear bytes of the connection into link->out, through TLS where there is TLS. False: hopeless. */
static bool fill(struct link *link)
{
	struct buf *plain = &link->server->plain;

	buf_clear(&link->out);
	if (!link->tls) {
		conn_output(&link->conn, &link->out, LINK_WRITE_BYTES);
		return !link->out.failed;
	}
	buf_clear(plain);
	conn_output(&link->conn, plain, LINK_WRITE_BYTES);
	if (plain->failed || (plain->len > 0 && !tls_write(link->tls, plain->ptr, plain->len)))
		return false;
	tls_drain(link->tls, &link->out);
	return !link->out.failed;
}

static void on_written(uv_write_t *request, int status)
{
	struct link *link = request->data;

	link->writing = false;
	if (link->closed)
		return;
	if (status < 0)
		link_close(link);
	else
		link_pump(link);
}

/* What the kernel takes at once, and a request for the rest; patient: all by the request, so that
 * other connections get their turn. */
static void send_out(struct link *link, bool patient)
{
	uv_buf_t bytes = uv_buf_init(link->out.ptr, (unsigned)link->out.len);
	int sent = patient ? UV_EAGAIN : uv_try_write(&link->uv.stream, &bytes, 1);

	if (sent == UV_EAGAIN)
		sent = 0;
	if (sent < 0) {
		link_close(link);
		return;
	}
	stats_bytes_out(link->out.len);
	if ((size_t)sent == link->out.len)
		return;
	bytes = uv_buf_init(link->out.ptr + sent, (unsigned)(link->out.len - (size_t)sent));
	link->write.data = link;
	link->writing = uv_write(&link->write, &link->uv.stream, &bytes, 1, on_written) == 0;
	if (!link->writing)
		link_close(link);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
	struct link *link = request->data;

	if (!link->closed && (status < 0 || link->input_ended))
		link_close(link);
}

static bool tls_is_over(const struct link *link)
{
	return link->tls && tls_state(link->tls) == TLS_FAILED;
}

/* Closing with unread bytes would reset the connection and could take the answer with it (RFC 9112
 * section 9.6): shut down our side, and read on for a while. */
static void finish(struct link *link)
{
	if (link->tls && !link->notified) {
		link->notified = true;
		tls_close_notify(link->tls);
		buf_clear(&link->out);
		tls_drain(link->tls, &link->out);
		if (link->out.len > 0 && !link->out.failed) {
			send_out(link, false);
			if (link->closed || link->writing)
				return;
		}
	}
	link->lingering = true;
	link->lingering_since_ns = clock_mono_ns();
	link->shutdown.data = link;
	if (uv_shutdown(&link->shutdown, &link->uv.stream, on_shutdown) != 0)
		link_close(link);
}

static void send_all(struct link *link)
{
	for (int i = 0; !link->writing && !link->closed; i++) {
		if (!fill(link)) {
			link->conn.failed = true;
			return;
		}
		if (link->out.len == 0)
			return;
		send_out(link, i >= LINK_WRITES_MAX);
	}
}

void link_pump(struct link *link)
{
	if (link->closed)
		return;
	if (!link->lingering)
		send_all(link);
	if (link->closed)
		return;
	if (link->conn.failed) {
		link_close(link);
		return;
	}
	if (!link->writing && !link->lingering) {
		buf_deinit(&link->out);
		if (tls_is_over(link)) {
			refuse_count(REFUSE_TLS);
			link_close(link);
			return;
		}
		if (conn_is_done(&link->conn))
			finish(link);
	}
	if (!link->closed)
		link_set_reading(link);
}

void link_mark(struct link *link)
{
	if (link->marked)
		return;
	link->marked = true;
	link->marked_next = link->server->marked;
	link->server->marked = link;
}

/* A link that is closed meanwhile is there until the loop turns, and its pump does nothing. */
void link_pump_marked(struct net_server *server)
{
	while (server->marked) {
		struct link *link = server->marked;
		server->marked = link->marked_next;
		link->marked = false;
		link_pump(link);
	}
}
