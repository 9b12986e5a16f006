/* For each tenant with rules a small file says up to when they were evaluated.
 * It is written before the first request of an interval leaves, so that a crash
 * then leaves a gap and never sends an interval twice; and put back when that was
 * not accepted, so that it is tried again, in the next rounds too, for some
 * intervals.
 * The file is read and written here alone, hence without the files' lock. */
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "server/rules_private.h"

enum {
	CATCH_UP_MAX = 10, /* intervals */
	TRIES = 5,
	MARK_BYTES_MAX = 64,
	REPLY_BYTES = 64 * 1024,
	ARENA_BYTES = 64 * 1024 * 1024, /* rules of a tenant, and their series, each */
};

#define INTERVAL_NS (60ull * NS_PER_S)
#define PAUSE_NS    (500ull * NS_PER_MS)
#define TIMEOUT_NS  (10ull * NS_PER_S)

static const char MARK_NAME[] = "recording_rules.done";

/* ---- metrics ---- */

#define FAILURES      "cresset_rules_failures_total"
#define FAILURES_HELP "What of recording rules was not evaluated or sent, by reason"
#define FAILURE_COUNT(reason_) \
	METRIC_COUNTER_INIT(FAILURES, "reason=\"" reason_ "\"", FAILURES_HELP)

struct metric rules_failures[RULES_FAILURES] = {
	[RULES_BAD_RULE] = FAILURE_COUNT("bad_rule"),
	[RULES_QUERY] = FAILURE_COUNT("query"),
	[RULES_LIMIT] = FAILURE_COUNT("limit"),
	[RULES_REJECTED] = FAILURE_COUNT("rejected"),
	[RULES_UNAVAILABLE] = FAILURE_COUNT("unavailable"),
	[RULES_STATE] = FAILURE_COUNT("state"),
};
struct metric rules_evaluations =
	METRIC_COUNTER_INIT("cresset_rules_evaluations_total", NULL,
			    "Recording rules evaluated, each once an interval");
struct metric rules_series_sent =
	METRIC_COUNTER_INIT("cresset_rules_series_sent_total", NULL,
			    "Series of recording rules that Prometheus took, one sample each");
struct metric rules_series_dropped =
	METRIC_COUNTER_INIT("cresset_rules_series_dropped_total", NULL,
			    "Series of recording rules that were given up");
struct metric rules_intervals_skipped =
	METRIC_COUNTER_INIT("cresset_rules_intervals_skipped_total", NULL,
			    "Intervals of a tenant that were too long ago to be made up for");
struct metric rules_last_success =
	METRIC_GAUGE_INIT("cresset_rules_last_success_timestamp_seconds", NULL,
			  "When Prometheus last took series of recording rules");

static void register_metrics(void)
{
	for (size_t i = 0; i < RULES_FAILURES; i++)
		metric_register(&rules_failures[i]);
	metric_register(&rules_evaluations);
	metric_register(&rules_series_sent);
	metric_register(&rules_series_dropped);
	metric_register(&rules_intervals_skipped);
	metric_register(&rules_last_success);
}

/* ---- a round ---- */

struct round {
	struct rules *rules;
	struct str tenant;
	uint64_t now_ns;
	const struct rule *list;
	size_t count;
	unsigned tries;
	bool unreachable; /* the receiver, for everybody */
	bool said;	  /* one line a round; the rest is counted */
};

static bool is_stopped(const struct rules *rules)
{
	return atomic_load(&rules->stop) != 0;
}

static void fail(struct round *round, enum rules_failure why, struct str rule,
		 const struct err *err)
{
	metric_add(&rules_failures[why], 1);
	log_line(round->said ? LOG_DEBUG : LOG_WARN, "server", "recording rules",
		 "tenant=%.*s rule=" LOG_Q " why=" LOG_Q, STR_ARG(round->tenant),
		 LOG_TEXT(rule.len ? rule.ptr : ""), LOG_TEXT(err->text));
	round->said = true;
}

/* ---- marks ---- */

/* 0: there is none. */
static int read_mark(const struct round *round, uint64_t *ret, struct err *err)
{
	struct buf text = {0};
	int rc = tenant_file_read(round->rules->files, round->tenant, MARK_NAME, MARK_BYTES_MAX,
				  &text, err);
	*ret = 0;
	if (rc == 0 && !str_to_u64(str_trim(buf_text(&text)), ret))
		rc = err_set(err, ERR_CORRUPT, "the tenant's file %s is damaged", MARK_NAME);
	buf_deinit(&text);
	return rc == ERR_NOT_FOUND || rc == ERR_CORRUPT ? 0 : rc;
}

static int write_mark(const struct round *round, uint64_t end_ns, struct err *err)
{
	char text[MARK_BYTES_MAX];
	int len = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)end_ns);
	return tenant_file_write(round->rules->files, round->tenant, MARK_NAME,
				 str_make(text, (size_t)len), err);
}

/* ---- sending ---- */

static void count_sent(const struct rules_request *request)
{
	metric_add(&rules_series_sent, (int64_t)request->series);
	metric_set(&rules_last_success, (int64_t)(clock_real_ns() / NS_PER_S));
}

static void give_up(const struct rules_requests *requests, size_t from)
{
	for (size_t i = from; i < requests->count; i++)
		metric_add(&rules_series_dropped, (int64_t)requests->list[i].series);
}

/* One interval on its way. */
struct sending {
	struct round *round;
	const struct rules_requests *requests;
	uint64_t before_ns, end_ns;
	bool marked;
};

/* A mark that cannot be taken back stands: what it stands for is not sent any more. */
static int mark(void *user, bool on, struct err *err)
{
	struct sending *sending = user;
	int rc = write_mark(sending->round, on ? sending->end_ns : sending->before_ns, err);
	if (rc == 0)
		sending->marked = on;
	if (rc)
		fail(sending->round, RULES_STATE, STR(""), err);
	return rc;
}

static void say_later(struct round *round, enum rules_sent sent, const struct err *err)
{
	if (sent != RULES_SEND_BUSY && sent != RULES_SEND_UNREACHABLE)
		return;
	fail(round, RULES_UNAVAILABLE, STR(""), err);
	round->tries = 1;
	round->unreachable = sent == RULES_SEND_UNREACHABLE;
}

/* Sets marked unless nothing of it was answered, and it may go well later. */
static void send_all(struct sending *sending)
{
	const struct rules_requests *requests = sending->requests;
	struct round *round = sending->round;
	struct rules_tries tries = {round->tries, mark, sending};
	struct err err = {0};

	for (size_t i = 0; i < requests->count; i++, tries.mark = NULL) {
		enum rules_sent sent =
			rules_send(round->rules, round->tenant, &requests->list[i], &tries, &err);
		if (sent == RULES_SENT) {
			count_sent(&requests->list[i]);
			continue;
		}
		if (sent == RULES_SEND_REJECTED) {
			metric_add(&rules_series_dropped, (int64_t)requests->list[i].series);
			fail(round, RULES_REJECTED, STR(""), &err);
			continue;
		}
		say_later(round, sent, &err);
		if (sending->marked)
			give_up(requests, i);
		return;
	}
}

/* ---- an interval of a tenant ---- */

static void evaluate(struct round *round, const struct rules_span *span,
		     struct rules_requests *requests)
{
	for (size_t i = 0; i < round->count && !is_stopped(round->rules); i++) {
		struct err err = {0};
		int rc = rules_evaluate(span, &round->list[i], requests, &err);
		if (rc && is_stopped(round->rules))
			return;
		metric_add(&rules_evaluations, 1);
		if (rc)
			fail(round, rc == ERR_LIMIT ? RULES_LIMIT : RULES_QUERY, round->list[i].id,
			     &err);
	}
}

/* False: it is still to be done. */
static bool send_marked(struct round *round, const struct rules_requests *requests,
			uint64_t before_ns, uint64_t end_ns)
{
	struct sending sending = {round, requests, before_ns, end_ns, false};
	struct err err;

	if (is_stopped(round->rules))
		return false;
	if (requests->count == 0)
		return mark(&sending, true, &err) == 0;
	send_all(&sending);
	return sending.marked;
}

static bool do_interval(struct round *round, uint64_t end_ns)
{
	struct arena arena;
	uint64_t start_ns = end_ns - round->rules->config.interval_ns;
	struct rules_requests requests = {.arena = &arena};
	const struct rules_span span = {.store = round->rules->store,
					.tenant = round->tenant,
					.start_ns = start_ns,
					.end_ns = end_ns,
					.cancelled = &round->rules->stop,
					.arena = &arena};

	arena_init(&arena, ARENA_BYTES);
	evaluate(round, &span, &requests);
	bool done = send_marked(round, &requests, start_ns, end_ns);
	rules_requests_deinit(&requests);
	arena_deinit(&arena);
	return done;
}

/* The end of the last interval that was done; *ret_due: of the last one that can be. A mark far ahead is from
 * a clock that was wrong. */
static uint64_t begin_at(const struct round *round, uint64_t mark_ns, uint64_t *ret_due)
{
	const struct rules_config *config = &round->rules->config;
	uint64_t length_ns = config->interval_ns, most_ns = CATCH_UP_MAX * length_ns;
	uint64_t due_ns = (round->now_ns - config->delay_ns) / length_ns * length_ns;

	*ret_due = due_ns;
	mark_ns = mark_ns / length_ns * length_ns;
	if (mark_ns == 0 || mark_ns > due_ns + most_ns)
		return due_ns - length_ns;
	if (mark_ns + most_ns >= due_ns)
		return mark_ns;
	metric_add(&rules_intervals_skipped, (int64_t)((due_ns - most_ns - mark_ns) / length_ns));
	return due_ns - most_ns;
}

static void do_due(struct round *round)
{
	uint64_t mark_ns, due_ns;
	struct err err;

	if (read_mark(round, &mark_ns, &err)) {
		fail(round, RULES_STATE, STR(""), &err);
		return;
	}
	uint64_t at_ns = begin_at(round, mark_ns, &due_ns);
	while (at_ns < due_ns && do_interval(round, at_ns + round->rules->config.interval_ns))
		at_ns += round->rules->config.interval_ns;
}

/* ---- the rules of a tenant ---- */

static void add_kept(struct round *round, const Settings__V1__RecordingRulesFile *file,
		     struct arena *arena, struct rule *list, size_t *count)
{
	for (size_t i = 0; i < file->n_rules; i++) {
		struct err err = {0};
		if (rule_of_message(arena, file->rules[i], &list[*count], &err))
			fail(round, RULES_BAD_RULE, str_of(file->rules[i]->id), &err);
		else
			(*count)++;
	}
}

static void add_configured(struct round *round, const struct config_items *rows,
			   struct arena *arena, struct rule *list, size_t *count)
{
	const struct server_rule_row *row = rows->items;
	for (size_t i = 0; i < rows->count; i++) {
		struct err err = {0};
		if (rule_of_row(arena, &row[i], &list[*count], &err))
			fail(round, RULES_BAD_RULE, row[i].id, &err);
		else
			(*count)++;
	}
}

static int gather(struct round *round, const struct settings *settings, struct arena *arena,
		  struct err *err)
{
	const struct api api = {.files = round->rules->files};
	const struct api_call call = {.api = &api, .arena = arena, .tenant = round->tenant};
	const struct config_items *rows =
		&settings_policy(settings, round->tenant)->limits.recording_rules;
	Settings__V1__RecordingRulesFile *file;
	struct rule *list;
	size_t count = 0;

	int rc = recording_rules_read(&call, &file, err);
	if (rc)
		return rc;
	list = arena_zalloc(arena, file->n_rules + rows->count + 1, sizeof(*list));
	if (!list)
		return err_set(err, ERR_NOMEM, "no memory for the recording rules");
	add_kept(round, file, arena, list, &count);
	add_configured(round, rows, arena, list, &count);
	round->list = list;
	round->count = count;
	return 0;
}

static void do_tenant(struct round *round)
{
	struct settings *settings = settings_get(round->rules->settings);
	struct arena arena;
	struct err err = {0};

	arena_init(&arena, ARENA_BYTES);
	if (gather(round, settings, &arena, &err))
		fail(round, RULES_STATE, STR(""), &err);
	else if (round->count > 0)
		do_due(round);
	arena_deinit(&arena);
	settings_put(settings);
}

void rules_round(struct rules *rules, uint64_t now_ns)
{
	struct round round = {.rules = rules, .now_ns = now_ns, .tries = TRIES};
	struct str *tenants = NULL;
	struct arena arena;
	struct err err = {0};
	size_t count = 0;

	arena_init(&arena, ARENA_BYTES);
	if (store_tenants(rules->store, &arena, &tenants, &count, &err))
		fail(&round, RULES_QUERY, STR(""), &err);
	for (size_t i = 0; i < count && !round.unreachable && !is_stopped(rules); i++) {
		round.tenant = tenants[i];
		do_tenant(&round);
	}
	arena_deinit(&arena);
}

/* ---- the thread ---- */

bool rules_wait(struct rules *rules, uint64_t until_mono_ns)
{
	struct timespec at = {.tv_sec = (time_t)(until_mono_ns / NS_PER_S),
			      .tv_nsec = (long)(until_mono_ns % NS_PER_S)};
	pthread_mutex_lock(&rules->lock);
	while (!is_stopped(rules) && clock_mono_ns() < until_mono_ns)
		(void)pthread_cond_timedwait(&rules->wake, &rules->lock, &at);
	pthread_mutex_unlock(&rules->lock);
	return is_stopped(rules);
}

/* When the next interval has ended and its delay is over. */
static uint64_t pause_ns(const struct rules *rules)
{
	uint64_t length_ns = rules->config.interval_ns;
	uint64_t into_ns = (clock_real_ns() - rules->config.delay_ns) % length_ns;
	return length_ns - into_ns;
}

static void *run(void *user)
{
	struct rules *rules = user;
	do
		rules_round(rules, clock_real_ns());
	while (!rules_wait(rules, clock_mono_ns() + pause_ns(rules)));
	return NULL;
}

static void set_defaults(struct rules_config *config)
{
	config->address = (struct str){NULL, 0}; /* the target has what is needed of it */
	config->interval_ns = config->interval_ns ? config->interval_ns : INTERVAL_NS;
	config->pause_ns = config->pause_ns ? config->pause_ns : PAUSE_NS;
	config->timeout_ns = config->timeout_ns ? config->timeout_ns : TIMEOUT_NS;
}

static int open_target(struct rules *rules, struct str address, struct err *err)
{
	int rc = rules_target_parse(&rules->arena, address, &rules->target, err);
	const struct net_client_config client = {.endpoint = rules->target.endpoint,
						 .timeout_ns = rules->config.timeout_ns,
						 .reply_bytes = REPLY_BYTES,
						 .user_agent = "cresset/" CRESSET_VERSION};
	rc = rc ? rc : net_client_create(&client, &rules->client, err);
	return rc ? err_wrap(err, "compaction_worker.metrics_exporter.remote_write_address") : 0;
}

int rules_create(const struct rules_config *config, struct store *store, struct tenant_files *files,
		 struct settings_box *settings, struct rules **ret, struct err *err)
{
	struct rules *rules = mem_zalloc(1, sizeof(*rules));
	pthread_condattr_t attr;

	if (!rules)
		return err_set(err, ERR_NOMEM, "no memory for the recording rules");
	rules->config = *config;
	rules->store = store;
	rules->files = files;
	rules->settings = settings;
	arena_init(&rules->arena, 0);
	pthread_mutex_init(&rules->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&rules->wake, &attr);
	pthread_condattr_destroy(&attr);
	set_defaults(&rules->config);
	register_metrics();
	int rc = open_target(rules, config->address, err);
	if (rc) {
		rules_destroy(rules);
		return rc;
	}
	*ret = rules;
	return 0;
}

int rules_start(struct rules *rules, struct err *err)
{
	int failed = pthread_create(&rules->thread, NULL, run, rules);
	if (failed)
		return err_set_errno(err, failed, "starting the thread of the recording rules");
	rules->running = true;
	return 0;
}

void rules_destroy(struct rules *rules)
{
	if (!rules)
		return;
	pthread_mutex_lock(&rules->lock);
	atomic_store(&rules->stop, 1);
	pthread_cond_signal(&rules->wake);
	pthread_mutex_unlock(&rules->lock);
	if (rules->running) {
		net_client_cancel(rules->client);
		pthread_join(rules->thread, NULL);
	}
	net_client_destroy(rules->client);
	pthread_cond_destroy(&rules->wake);
	pthread_mutex_destroy(&rules->lock);
	arena_deinit(&rules->arena);
	mem_free(rules);
}
