#include "server/pages.h"

#include "base/metrics.h"

void pages_ready(void *user, const struct net_request *request, struct net_answer *answer)
{
	(void)user;
	(void)request;
	net_answer_text(answer, 200, "ready");
}

void pages_metrics(void *user, const struct net_request *request, struct net_answer *answer)
{
	(void)user;
	answer->status = 200;
	metrics_render(&answer->body);
	net_answer_header(answer, STR("content-type"),
			  STR("text/plain; version=0.0.4; charset=utf-8"));
	net_answer_gzip(request, answer);
}

/* As Prometheus and Pyroscope answer it; clients look at data.version. */
void pages_buildinfo(void *user, const struct net_request *request, struct net_answer *answer)
{
	(void)user;
	(void)request;
	answer->status = 200;
	buf_cstr(&answer->body,
		 "{\"status\":\"success\",\"data\":{\"version\":\"" CRESSET_VERSION
		 "\",\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\","
		 "\"goVersion\":\"\",\"application\":\"cresset\"}}");
	net_answer_header(answer, STR("content-type"), STR("application/json"));
}

void pages_pprof(void *user, const struct net_request *request, struct net_answer *answer)
{
	(void)user;
	(void)request;
	net_answer_text(answer, 404,
			"this server does not profile itself: run `cresset agent` beside it, which "
			"profiles every process of the host, this one too");
}
