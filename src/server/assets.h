/* Private to server: the page, embedded while building (tools/embed.c). */
#pragma once

#include <stddef.h>

#include "net/net.h"

struct asset {
	const char *path; /* "/index.html" */
	const char *type; /* of content */
	const char *etag; /* in quotes */
	const unsigned char *gzip;
	size_t gzip_len;
};

extern const struct asset assets[];
extern const size_t asset_count;

/* "/" is "/index.html". 404 for what is not there; GET and HEAD only. */
net_handler assets_serve;
