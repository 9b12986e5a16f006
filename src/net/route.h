/* Private to net: from method and path to the route. */
#pragma once

#include "call.h"

/* Finds the call's route. REFUSE_NONE, REFUSE_PATH, or REFUSE_METHOD with *ret_allow naming the
 * methods that this path takes, in the call's arena. */
enum refusal route_find(const struct net_route *routes, size_t count, struct call *call,
			struct str *ret_allow);
