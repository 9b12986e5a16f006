/* Private to server: pages about the configuration, as YAML. No secret is shown. */
#pragma once

#include "server/ingest.h"
#include "server/settings.h"

struct status {
	struct settings_box *settings;
	const struct ingest *ingest; /* knows the tenant of a request */
};

net_handler status_config;	   /* GET /api/v1/status/config */
net_handler status_config_diff;	   /* .../diff: what differs from the defaults */
net_handler status_config_default; /* .../default */
net_handler status_runtime; /* GET /runtime_config, ?mode=diff: what differs from everybody's */
net_handler status_tenant_limits; /* GET /api/v1/tenant_limits */
