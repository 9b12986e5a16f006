#include "base/clock.h"
#include "h2_state.h"

enum { MICRO = 1000000 };

void h2_guard_init(struct h2_guard *guard, uint64_t now_ns)
{
	guard->tokens_micro = (uint64_t)H2_FLOOD_BURST * MICRO;
	guard->refilled_ns = now_ns;
}

bool h2_guard_take(struct h2_guard *guard, uint64_t now_ns)
{
	uint64_t most = (uint64_t)H2_FLOOD_BURST * MICRO;
	uint64_t passed_us = (now_ns - guard->refilled_ns) / NS_PER_US;

	/* H2_FLOOD_PER_S a second is as many millionths a microsecond. */
	if (passed_us > most / H2_FLOOD_PER_S)
		guard->tokens_micro = most;
	else
		guard->tokens_micro += passed_us * H2_FLOOD_PER_S;
	if (guard->tokens_micro > most)
		guard->tokens_micro = most;
	guard->refilled_ns += passed_us * NS_PER_US;
	if (guard->tokens_micro < MICRO)
		return false;
	guard->tokens_micro -= MICRO;
	return true;
}
