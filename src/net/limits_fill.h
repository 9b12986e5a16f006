/* Private to net. */
#pragma once

#include "net.h"

/* Puts the default where a field is 0. */
void limits_fill(struct net_limits *limits);
