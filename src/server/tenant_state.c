#include "server/tenant_state.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

enum { TENANTS_MAX = 10000 };

static const uint64_t series_turn_ns = 1800ull * NS_PER_S;

struct tenant_state {
	pthread_mutex_t lock;
	double owed;	       /* bytes in the bucket that are gone; flows back */
	uint64_t filled_at_ns; /* when owed was worked out */
	uint64_t requests, requests_since_ns;
	/* Series of this half hour and of the one before; one is in one of them only. */
	struct map now, before;
	uint64_t turned_at_ns;
};

struct tenant_states {
	pthread_mutex_t lock;
	struct map
		by_name; /* hash of the name -> state: tenants with equal hashes would share limits */
	struct tenant_state others;
};

static void init(struct tenant_state *state)
{
	pthread_mutex_init(&state->lock, NULL);
}

static void deinit(struct tenant_state *state)
{
	map_deinit(&state->now);
	map_deinit(&state->before);
	pthread_mutex_destroy(&state->lock);
}

struct tenant_states *tenant_states_create(void)
{
	struct tenant_states *states = mem_zalloc(1, sizeof(*states));
	if (!states)
		return NULL;
	pthread_mutex_init(&states->lock, NULL);
	init(&states->others);
	return states;
}

void tenant_states_destroy(struct tenant_states *states)
{
	size_t pos = 0;
	uint64_t key, *value;

	if (!states)
		return;
	while (map_next(&states->by_name, &pos, &key, &value)) {
		struct tenant_state *state = (struct tenant_state *)(uintptr_t)*value;
		deinit(state);
		mem_free(state);
	}
	map_deinit(&states->by_name);
	deinit(&states->others);
	pthread_mutex_destroy(&states->lock);
	mem_free(states);
}

static struct tenant_state *make(struct tenant_states *states, uint64_t key)
{
	struct tenant_state *state;
	struct err err;

	if (states->by_name.count >= TENANTS_MAX)
		return &states->others;
	state = mem_zalloc(1, sizeof(*state));
	if (!state || map_put(&states->by_name, key, (uintptr_t)state, &err)) {
		mem_free(state);
		return &states->others;
	}
	init(state);
	return state;
}

struct tenant_state *tenant_state_get(struct tenant_states *states, struct str tenant)
{
	uint64_t key = str_hash(tenant), *found;
	struct tenant_state *state;

	pthread_mutex_lock(&states->lock);
	found = map_get(&states->by_name, key);
	state = found ? (struct tenant_state *)(uintptr_t)*found : make(states, key);
	pthread_mutex_unlock(&states->lock);
	return state;
}

/* ---- bytes ---- */

bool tenant_take_bytes(struct tenant_state *state, double rate, double burst, double bytes,
		       uint64_t now_ns, uint64_t *ret_wait_ns)
{
	pthread_mutex_lock(&state->lock);
	double passed_s = (double)(now_ns - state->filled_at_ns) / NS_PER_S;
	state->owed -= rate * passed_s;
	if (state->filled_at_ns == 0 || state->owed < 0)
		state->owed = 0;
	state->filled_at_ns = now_ns;
	double needed = bytes < burst ? bytes : burst;
	double missing = state->owed + needed - burst;
	bool fine = missing <= 0;
	if (fine)
		state->owed += bytes;
	else
		*ret_wait_ns = (uint64_t)(missing / rate * NS_PER_S) + 1;
	pthread_mutex_unlock(&state->lock);
	return fine;
}

/* ---- requests ---- */

bool tenant_take_request(struct tenant_state *state, uint64_t count, uint64_t period_ns,
			 uint64_t now_ns)
{
	pthread_mutex_lock(&state->lock);
	if (state->requests_since_ns == 0 || now_ns - state->requests_since_ns >= period_ns) {
		state->requests_since_ns = now_ns;
		state->requests = 0;
	}
	bool fine = state->requests < count;
	state->requests += fine;
	pthread_mutex_unlock(&state->lock);
	return fine;
}

/* ---- series ---- */

static void turn(struct tenant_state *state, uint64_t now_ns)
{
	if (state->turned_at_ns && now_ns - state->turned_at_ns < series_turn_ns)
		return;
	bool long_ago = now_ns - state->turned_at_ns >= 2 * series_turn_ns;
	map_deinit(&state->before);
	state->before = state->now;
	state->now = (struct map){0};
	if (long_ago)
		map_clear(&state->before);
	state->turned_at_ns = now_ns;
}

bool tenant_take_series(struct tenant_state *state, uint64_t hash, uint64_t max, uint64_t now_ns)
{
	bool fine = true;
	struct err err;

	pthread_mutex_lock(&state->lock);
	turn(state, now_ns);
	if (!map_get(&state->now, hash)) {
		bool known = map_remove(&state->before, hash, NULL);
		fine = known || state->now.count + state->before.count < max;
		if (fine)
			(void)!map_put(&state->now, hash, 1, &err);
	}
	pthread_mutex_unlock(&state->lock);
	return fine;
}
