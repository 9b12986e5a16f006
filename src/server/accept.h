/* Private to server. */
#pragma once

#include "net/net.h"

/* May the answer be packed with gzip? */
bool accept_gzip(const struct net_request *request);
