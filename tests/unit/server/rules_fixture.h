/* Recording rules, and a receiver that the test itself is: a server on loopback that
 * answers what it is told to, and writes down what it takes as
 * "name{labels} value @milliseconds", a line a sample. */
#pragma once

#include "api_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/rules.h"
#include "wire/proto.h"

#define RULES "/settings.v1.RecordingRulesService/"
/* What is stored lies in the minute that ends here. */
#define END_S  1700000040ull
#define NOW_NS ((END_S + 31) * NS_PER_S)
#define MINUTE (60ull * NS_PER_S)

enum { ANSWER_HANGS = -1 };

struct rules_fixture {
	struct fixture *f;
	struct server_config config;
	struct settings_box *settings;
	struct rules *rules;
	struct net_server *receiver;
	pthread_mutex_t lock;
	/* Guarded by lock. */
	struct buf taken;   /* of requests answered with 200 */
	char texts[5][128]; /* of the last: tenant, content type, encoding, authorization, path */
	int statuses[8], status_count; /* of the next answers; then 200 */
	int asked;
	uint64_t mark; /* what was noted while the last request was under way */
	uint64_t pause_ns;
};

static struct rules_fixture r;

/* ---- the receiver ---- */

static struct str text_at(struct cur *c, uint32_t number)
{
	struct pb_field field;
	struct cur copy = *c;
	while (pb_next(&copy, &field))
		if (field.number == number)
			return field.bytes;
	return STR("");
}

static void put_series(struct cur series, struct buf *out)
{
	struct buf labels = {0};
	struct pb_field field, part;
	double value = 0;
	int64_t time_ms = 0;

	while (pb_next(&series, &field)) {
		struct cur inner = pb_message(&field);
		struct str name = text_at(&inner, 1), text = text_at(&inner, 2);
		if (field.number == 1 && str_equal(name, STR("__name__")))
			buf_str(out, text);
		else if (field.number == 1)
			buf_printf(&labels, "%s%.*s=%.*s", labels.len ? "," : "", STR_ARG(name),
				   STR_ARG(text));
		while (field.number == 2 && pb_next(&inner, &part)) {
			if (part.number == 1)
				memcpy(&value, &part.value, sizeof(value));
			else
				time_ms = (int64_t)part.value;
		}
	}
	buf_printf(out, "{%.*s} %g @%lld\n", STR_ARG(buf_text(&labels)), value, (long long)time_ms);
	buf_deinit(&labels);
}

static void take(const struct net_request *request, struct buf *out)
{
	struct buf plain = {0};
	struct pb_field field;

	assert_int_equal(zip_unsnappy(request->body, 16 << 20, &plain, NULL), 0);
	struct cur c = cur_make(plain.ptr, plain.len);
	while (pb_next(&c, &field))
		put_series(pb_message(&field), out);
	assert_true(cur_ok(&c));
	buf_deinit(&plain);
}

/* Up to when the tenant's rules were evaluated. */
static uint64_t noted(void)
{
	struct buf text = {0};
	uint64_t mark = 0;
	if (tenant_file_read(&r.f->files, STR("anonymous"), "recording_rules.done", 64, &text,
			     NULL) == 0)
		assert_true(str_to_u64(str_trim(buf_text(&text)), &mark));
	buf_deinit(&text);
	return mark;
}

static void serve(void *user, const struct net_request *request, struct net_answer *answer)
{
	(void)user;
	pthread_mutex_lock(&r.lock);
	int status = r.asked < r.status_count ? r.statuses[r.asked] : 200;
	const struct str seen[] = {net_header_get(request, STR("x-scope-orgid")),
				   net_header_get(request, STR("content-type")),
				   net_header_get(request, STR("content-encoding")),
				   net_header_get(request, STR("authorization")), request->path};
	for (size_t i = 0; i < 5; i++)
		str_copy(r.texts[i], sizeof(r.texts[i]), seen[i]);
	r.asked++;
	r.mark = status == 503 ? noted() : 0;
	if (status == 200)
		take(request, &r.taken);
	pthread_mutex_unlock(&r.lock);
	while (status == ANSWER_HANGS && !atomic_load(request->cancelled))
		usleep(1000);
	net_answer_text(answer, status == ANSWER_HANGS ? 500 : status, "as told\nmore");
}

static void start_receiver(void)
{
	static struct net_route route = {.method = "POST", .path = "/*", .handler = serve};
	struct net_server_config config = {.listen = "127.0.0.1:0",
					   .routes = &route,
					   .route_count = 1};
	net_limits_default(&config.limits);
	config.limits.graceful_ns = NS_PER_MS;
	assert_int_equal(net_server_start(&config, &r.receiver, &r.f->err), 0);
}

static int asked(void)
{
	pthread_mutex_lock(&r.lock);
	int count = r.asked;
	pthread_mutex_unlock(&r.lock);
	return count;
}

static void assert_taken(const char *want)
{
	pthread_mutex_lock(&r.lock);
	struct str got = buf_text(&r.taken);
	if (!str_equal(got, str_of(want)))
		fail_msg("%.*s\nwanted\n%s", STR_ARG(got), want);
	buf_clear(&r.taken);
	pthread_mutex_unlock(&r.lock);
}

#define ANSWER(...)                                                      \
	do {                                                             \
		const int statuses_[] = {__VA_ARGS__};                   \
		memcpy(r.statuses, statuses_, sizeof(statuses_));        \
		r.status_count = (int)(sizeof(statuses_) / sizeof(int)); \
		r.asked = 0;                                             \
	} while (0)

/* ---- the rest ---- */

static void must(int rc)
{
	if (rc)
		fail_msg("%s", r.f->err.text);
}

static void open_rules(const char *userinfo, const char *path, uint64_t interval_ns,
		       uint64_t delay_ns)
{
	char url[128];
	snprintf(url, sizeof(url), "http://%s%s%s", userinfo, net_server_address(r.receiver), path);
	const struct rules_config config = {.address = str_of(url),
					    .interval_ns = interval_ns,
					    .delay_ns = delay_ns,
					    .pause_ns = r.pause_ns};
	must(rules_create(&config, r.f->store, &r.f->files, r.settings, &r.rules, &r.f->err));
}

static int open_all(void **state)
{
	int rc = set_up(state);
	r = (struct rules_fixture){.f = *state, .pause_ns = NS_PER_MS};
	pthread_mutex_init(&r.lock, NULL);
	must(server_config_default(&r.f->arena, &r.config, &r.f->err));
	must(settings_open(&r.config, &r.settings, &r.f->err));
	start_receiver();
	open_rules("", "/api/v1/push", 0, 30ull * NS_PER_S);
	return rc;
}

static int close_all(void **state)
{
	rules_destroy(r.rules);
	net_server_stop(r.receiver);
	settings_close(r.settings);
	buf_deinit(&r.taken);
	pthread_mutex_destroy(&r.lock);
	return tear_down(state);
}

static void restart(void)
{
	rules_destroy(r.rules);
	open_rules("", "/api/v1/push", 0, 30ull * NS_PER_S);
}

#define TYPE_MATCHER(type_) "\"{__profile_type__=\\\"" type_ "\\\"}\""

static struct str make_rule(const char *fields)
{
	char body[2048];
	snprintf(body, sizeof(body), "{%s}", fields);
	r.f->request.header_count = 0;
	add_header(r.f, STR("content-type"), STR("application/json"));
	call(r.f, RULES "UpsertRecordingRule", str_of(body));
	struct str got = arena_str(&r.f->arena, buf_text(&r.f->answer.body));
	if (r.f->answer.status != 200)
		fail_msg("%.*s", STR_ARG(got));
	return str_sub(got, (size_t)str_find(got, STR("\"id\":\"")) + 6, 10);
}

/* With the id of a rule. */
#define LINE(format_, id_) (arena_printf(&r.f->arena, format_, STR_ARG(id_)).ptr)

static struct str make_plain_rule(void)
{
	return make_rule("\"metricName\":\"cpu\",\"matchers\":[" TYPE_MATCHER(
		CPU) "],\"groupBy\":[\"service_name\"]");
}
