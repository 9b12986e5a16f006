/* Private to server: the small pages for machines. */
#pragma once

#include "net/net.h"

net_handler pages_ready;
net_handler pages_metrics;
net_handler pages_buildinfo;
/* 404 with a sentence: there is no such thing here. */
net_handler pages_pprof;
