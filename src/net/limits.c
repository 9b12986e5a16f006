#include "base/clock.h"
#include "limits_fill.h"

static const struct net_limits defaults = {
	.body_bytes = (size_t)100 << 20,
	.header_bytes = (size_t)64 << 10,
	.header_count = 100,
	.connections = 12000,
	.streams_per_connection = 100,
	.buffered_bytes = (size_t)512 << 20,
	.header_timeout_ns = (uint64_t)10 * NS_PER_S,
	.body_timeout_ns = (uint64_t)30 * NS_PER_S,
	.body_rate = 500,
	.idle_timeout_ns = (uint64_t)120 * NS_PER_S,
	.graceful_ns = (uint64_t)10 * NS_PER_S,
	.workers = 4,
	.queue = 1024,
	.request_memory_bytes = (size_t)1 << 30,
};

void net_limits_default(struct net_limits *limits)
{
	*limits = defaults;
}

static void fill_size(size_t *field, size_t value)
{
	if (*field == 0)
		*field = value;
}

static void fill_u32(uint32_t *field, uint32_t value)
{
	if (*field == 0)
		*field = value;
}

static void fill_u64(uint64_t *field, uint64_t value)
{
	if (*field == 0)
		*field = value;
}

void limits_fill(struct net_limits *limits)
{
	fill_size(&limits->body_bytes, defaults.body_bytes);
	fill_size(&limits->header_bytes, defaults.header_bytes);
	fill_size(&limits->buffered_bytes, defaults.buffered_bytes);
	fill_size(&limits->request_memory_bytes, defaults.request_memory_bytes);
	fill_u32(&limits->header_count, defaults.header_count);
	fill_u32(&limits->connections, defaults.connections);
	fill_u32(&limits->streams_per_connection, defaults.streams_per_connection);
	fill_u32(&limits->body_rate, defaults.body_rate);
	fill_u32(&limits->workers, defaults.workers);
	fill_u32(&limits->queue, defaults.queue);
	fill_u64(&limits->header_timeout_ns, defaults.header_timeout_ns);
	fill_u64(&limits->body_timeout_ns, defaults.body_timeout_ns);
	fill_u64(&limits->idle_timeout_ns, defaults.idle_timeout_ns);
	fill_u64(&limits->graceful_ns, defaults.graceful_ns);
}
