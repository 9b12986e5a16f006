#include "stats.h"

#include "base/metrics.h"
#include "refuse.h"

enum { CLASS_COUNT = 5, PROTOCOL_COUNT = 2 };

static struct metric connections =
	METRIC_GAUGE_INIT("cresset_net_connections", NULL, "Connections open now.");
static struct metric accepted =
	METRIC_COUNTER_INIT("cresset_net_accepted_total", NULL, "Connections accepted.");
static struct metric bytes_in =
	METRIC_COUNTER_INIT("cresset_net_bytes_total", "direction=\"in\"", "Bytes on the wire.");
static struct metric bytes_out =
	METRIC_COUNTER_INIT("cresset_net_bytes_total", "direction=\"out\"", "Bytes on the wire.");
static struct metric waiting =
	METRIC_GAUGE_INIT("cresset_net_requests_waiting", NULL, "Requests waiting for a worker.");
static struct metric running =
	METRIC_GAUGE_INIT("cresset_net_requests_running", NULL, "Requests in a handler.");

#define REQUESTS(protocol_, class_)                                             \
	METRIC_COUNTER_INIT("cresset_net_requests_total",                       \
			    "protocol=\"" protocol_ "\",status=\"" class_ "\"", \
			    "Requests answered, by protocol and class of status.")

static struct metric requests[PROTOCOL_COUNT][CLASS_COUNT] = {
	{REQUESTS("h1", "1xx"), REQUESTS("h1", "2xx"), REQUESTS("h1", "3xx"), REQUESTS("h1", "4xx"),
	 REQUESTS("h1", "5xx")},
	{REQUESTS("h2", "1xx"), REQUESTS("h2", "2xx"), REQUESTS("h2", "3xx"), REQUESTS("h2", "4xx"),
	 REQUESTS("h2", "5xx")},
};

void stats_register(void)
{
	struct metric *all[] = {&connections, &accepted, &bytes_in, &bytes_out, &waiting, &running};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		metric_register(all[i]);
	for (size_t p = 0; p < PROTOCOL_COUNT; p++)
		for (size_t c = 0; c < CLASS_COUNT; c++)
			metric_register(&requests[p][c]);
	refuse_register_metrics();
}

void stats_connection_opened(void)
{
	metric_add(&accepted, 1);
	metric_add(&connections, 1);
}

void stats_connection_closed(void)
{
	metric_add(&connections, -1);
}

void stats_bytes_in(size_t count)
{
	metric_add(&bytes_in, (int64_t)count);
}

void stats_bytes_out(size_t count)
{
	metric_add(&bytes_out, (int64_t)count);
}

void stats_request(int http_major, int http_status)
{
	int class = http_status / 100 - 1;

	if (class < 0 || class >= CLASS_COUNT)
		class = CLASS_COUNT - 1;
	metric_add(&requests[http_major == 2][class], 1);
}

void stats_waiting(int delta)
{
	metric_add(&waiting, delta);
}

void stats_running(int delta)
{
	metric_add(&running, delta);
}
