/* What may go well later is tried again (Prometheus Remote-Write 1.0, "Retries &
 * Backoff": 5xx and 429); what the receiver refuses is not. */
#include "base/zip.h"
#include "server/rules_private.h"

enum { HEADERS = 6, SAID_MAX = 200 };

#define PAUSE_MAX_NS (30ull * NS_PER_S)

static size_t make_headers(const struct rules *rules, struct str tenant, struct net_header *headers)
{
	const struct net_header fixed[] = {
		{STR("content-type"), STR("application/x-protobuf")},
		{STR("content-encoding"), STR("snappy")},
		{STR("x-prometheus-remote-write-version"), STR("0.1.0")},
		{STR("x-scope-orgid"), tenant},
	};
	size_t count = sizeof(fixed) / sizeof(fixed[0]);
	memcpy(headers, fixed, sizeof(fixed));
	if (rules->target.authorization.len > 0)
		headers[count++] =
			(struct net_header){STR("authorization"), rules->target.authorization};
	return count;
}

/* The receiver's first line says what it did not like. */
static int say(const struct net_reply *reply, struct err *err)
{
	struct str body = buf_text(&reply->body), line;
	int code = reply->http_status == 429 || reply->http_status >= 500 ? ERR_BUSY : ERR_INVALID;
	if (!str_next(&body, '\n', &line))
		line = STR("");
	line = str_sub(line, 0, SAID_MAX);
	return err_set(err, code, "the receiver answered %d: %.*s", reply->http_status,
		       STR_ARG(line));
}

static enum rules_sent post(struct rules *rules, const struct net_client_request *request,
			    uint64_t *ret_pause_ns, struct err *err)
{
	struct net_reply reply;
	enum rules_sent sent = RULES_SENT;
	int rc = net_client_send(rules->client, request, &reply, err);

	if (rc == ERR_CANCELLED)
		sent = RULES_SEND_STOPPED;
	else if (rc)
		sent = RULES_SEND_UNREACHABLE;
	else if (reply.http_status / 100 != 2)
		sent = say(&reply, err) == ERR_BUSY ? RULES_SEND_BUSY : RULES_SEND_REJECTED;
	if (reply.retry_after_ms > 0)
		*ret_pause_ns = (uint64_t)reply.retry_after_ms * NS_PER_MS;
	net_reply_deinit(&reply);
	return sent;
}

static bool is_for_later(enum rules_sent sent)
{
	return sent == RULES_SEND_BUSY || sent == RULES_SEND_UNREACHABLE;
}

static enum rules_sent try_once(struct rules *rules, const struct net_client_request *request,
				const struct rules_tries *tries, uint64_t *ret_pause_ns,
				struct err *err)
{
	struct err unmarked;
	if (tries->mark && tries->mark(tries->user, true, err))
		return RULES_SEND_UNMARKED;
	enum rules_sent sent = post(rules, request, ret_pause_ns, err);
	if (tries->mark && (is_for_later(sent) || sent == RULES_SEND_STOPPED))
		(void)tries->mark(tries->user, false, &unmarked);
	return sent;
}

static enum rules_sent try_all(struct rules *rules, const struct net_client_request *request,
			       const struct rules_tries *tries, struct err *err)
{
	uint64_t pause_ns = rules->config.pause_ns;

	for (unsigned i = 1;; i++) {
		uint64_t this_pause_ns = pause_ns;
		enum rules_sent sent = try_once(rules, request, tries, &this_pause_ns, err);
		if (!is_for_later(sent) || i >= tries->max)
			return sent;
		if (this_pause_ns > PAUSE_MAX_NS)
			this_pause_ns = PAUSE_MAX_NS;
		if (rules_wait(rules, clock_mono_ns() + this_pause_ns))
			return RULES_SEND_STOPPED;
		pause_ns *= 2;
	}
}

enum rules_sent rules_send(struct rules *rules, struct str tenant,
			   const struct rules_request *request, const struct rules_tries *tries,
			   struct err *err)
{
	struct net_header headers[HEADERS];
	struct buf packed = {0};
	enum rules_sent sent = RULES_SEND_BUSY;

	if (zip_snappy(buf_text(&request->body), &packed, err) == 0) {
		const struct net_client_request post_request = {.method = "POST",
								.path = rules->target.path,
								.headers = headers,
								.header_count =
									make_headers(rules, tenant,
										     headers),
								.body = buf_text(&packed)};
		sent = try_all(rules, &post_request, tries, err);
	}
	buf_deinit(&packed);
	return sent;
}
