/* Private to server: what is remembered of a tenant between requests, for the
 * limits that count over time. Outlives reloads. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct tenant_states;
struct tenant_state;

struct tenant_states *tenant_states_create(void); /* NULL: no memory */
void tenant_states_destroy(struct tenant_states *states);
/* Made when it is not there; it lives as long as the states. Above 10,000 tenants (or without memory) all others
 * share one. */
struct tenant_state *tenant_state_get(struct tenant_states *states, struct str tenant);

/* A bucket of burst bytes into which rate bytes flow each second. What is larger than the burst passes when the bucket is
 * full, and is owed then. False: *ret_wait_ns tells when it would pass. */
bool tenant_take_bytes(struct tenant_state *state, double rate, double burst, double bytes,
		       uint64_t now_ns, uint64_t *ret_wait_ns);
/* At most count requests in a period. */
bool tenant_take_request(struct tenant_state *state, uint64_t count, uint64_t period_ns,
			 uint64_t now_ns);
/* Is a series (by the hash of its labels) one of the max that were seen within the last half to full hour? A new one
 * becomes one while there is room. Without memory it is let through. */
bool tenant_take_series(struct tenant_state *state, uint64_t hash, uint64_t max, uint64_t now_ns);
