/* Private to net: the room's metrics (process-wide, any thread). */
#pragma once

#include <stddef.h>

/* Shows every metric with 0 before anything happened. */
void stats_register(void);
void stats_connection_opened(void);
void stats_connection_closed(void);
void stats_bytes_in(size_t count);
void stats_bytes_out(size_t count);
/* One answered request. */
void stats_request(int http_major, int http_status);
void stats_waiting(int delta); /* requests in the workers' queue */
void stats_running(int delta); /* requests in a handler */
