/* Private to rules*.c. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "net/net.h"
#include "server/rule.h"
#include "server/rules.h"

/* ---- rules_target.c: where they go ---- */

struct rules_target {
	const char *endpoint;	  /* https://host:9090 */
	const char *path;	  /* with the query */
	struct str authorization; /* "Basic ..." or "" */
};

/* In the arena. The sentence of ERR_INVALID shows no password. */
MUST_USE int rules_target_parse(struct arena *arena, struct str address, struct rules_target *ret,
				struct err *err);

struct rules {
	struct rules_config config;
	struct store *store;
	struct tenant_files *files;
	struct settings_box *settings;
	struct arena arena; /* of the target */
	struct rules_target target;
	struct net_client *client;
	pthread_t thread;
	bool running;
	_Atomic int stop; /* set under the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

/* Until then, or until everything stops; true: it does. */
bool rules_wait(struct rules *rules, uint64_t until_mono_ns);

/* ---- rules_evaluate.c: what they give ---- */

struct rules_request {
	struct buf body; /* a WriteRequest, not packed */
	size_t series;
};

/* The series of a tenant and an interval, in pieces that a receiver likes. */
struct rules_requests {
	struct arena *arena;
	struct rules_request *list;
	size_t count, cap;
	size_t series, bytes;
};

void rules_requests_deinit(struct rules_requests *requests);

struct rules_span {
	struct store *store;
	struct str tenant;
	uint64_t start_ns, end_ns; /* [start, end) */
	const _Atomic int *cancelled;
	struct arena *arena;
};

/* Adds the rule's series. ERR_LIMIT: there are too many, what was added stays; the store's errors. */
MUST_USE int rules_evaluate(const struct rules_span *span, const struct rule *rule,
			    struct rules_requests *out, struct err *err);

/* ---- rules_send.c: how they get there ---- */

enum rules_sent {
	RULES_SENT,
	RULES_SEND_REJECTED,
	RULES_SEND_BUSY,	/* every try was answered with 429 or 5xx */
	RULES_SEND_UNREACHABLE, /* there was no answer */
	RULES_SEND_STOPPED,
	RULES_SEND_UNMARKED /* nothing was sent, since mark failed */
};

struct rules_tries {
	unsigned max;
	/* NULL: none. Called before each try (true), and after each that was not answered or not
	 * accepted, but may be later (false). Not 0 before a try: there is none. */
	int (*mark)(void *user, bool sending, struct err *err);
	void *user;
};

/* err says why it is not RULES_SENT. */
enum rules_sent rules_send(struct rules *rules, struct str tenant,
			   const struct rules_request *request, const struct rules_tries *tries,
			   struct err *err);
