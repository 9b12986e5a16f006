/* SPDX-License-Identifier: Apache-2.0
 *
 * `cresset query`: one SelectMergeStacktraces call, printed for a person or a pipe. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/flame.h"
#include "net/net.h"

static const char query_usage[] =
	"Usage: cresset query [OPTIONS]\n\n"
	"Prints where the CPU time of a service (or of everything) went.\n"
	"Times are seconds since 1970, or relative to now: now, -15m, -24h, -7d.\n";

struct query_args {
	const char *server, *service, *selector, *type, *from, *until, *format, *rows, *max_nodes;
};

/* "-15m" -> now - 15 min. */
static bool parse_relative(struct str text, uint64_t now_ms, int64_t *ret_ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
	uint64_t number = 0;
	if (text.len < 3 || !str_to_u64(str_sub(text, 1, text.len - 2), &number) || number > 1000000)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (text.ptr[text.len - 1] == units[i].unit) {
			*ret_ms = (int64_t)now_ms - (int64_t)number * units[i].ms;
			return true;
		}
	return false;
}

static int parse_time(const char *what, const char *value, int64_t *ret_ms, struct err *err)
{
	struct str text = str_of(value);
	uint64_t now_ms = clock_real_ns() / NS_PER_MS, seconds = 0;
	if (str_starts_with(text, STR("now-")))
		text = str_sub(text, 3, text.len);
	if (str_equal(text, STR("now"))) {
		*ret_ms = (int64_t)now_ms;
		return 0;
	}
	if (text.len && text.ptr[0] == '-' && parse_relative(text, now_ms, ret_ms))
		return 0;
	if (str_to_u64(text, &seconds) && seconds < 100000000000ULL) {
		*ret_ms = (int64_t)seconds * 1000;
		return 0;
	}
	return err_set(err, ERR_INVALID,
		       "--%s=%s is no time: give seconds since 1970, now, or -15m, -3h, -7d", what,
		       value);
}

/* {service_name="NAME"} with the name quoted for a selector. */
static struct str service_selector(struct arena *arena, const char *service)
{
	struct str out = arena_str(arena, STR(""));
	for (const char *c = service; *c; c++)
		out = arena_printf(arena, "%.*s%s%c", STR_ARG(out), *c == '"' || *c == '\\' ? "\\" : "",
				   *c);
	return arena_printf(arena, "{service_name=\"%.*s\"}", STR_ARG(out));
}

static int make_request(const struct query_args *args, struct arena *arena, char **ret, struct err *err)
{
	int64_t from_ms = 0, until_ms = 0;
	uint64_t max_nodes = 0;
	int rc = parse_time("from", args->from, &from_ms, err);
	if (!rc)
		rc = parse_time("until", args->until, &until_ms, err);
	if (rc)
		return rc;
	if (from_ms >= until_ms)
		return err_set(err, ERR_INVALID, "--from=%s does not lie before --until=%s", args->from,
			       args->until);
	if (!str_to_u64(str_of(args->max_nodes), &max_nodes) || max_nodes == 0)
		return err_set(err, ERR_INVALID, "--max-nodes=%s is not a number above 0",
			       args->max_nodes);
	struct str selector = str_of(args->selector);
	if (args->service)
		selector = service_selector(arena, args->service);
	json_t *body = json_pack("{s:s, s:s%, s:I, s:I, s:I}", "profileTypeID", args->type,
				 "labelSelector", selector.ptr, selector.len, "start",
				 (json_int_t)from_ms, "end", (json_int_t)until_ms, "maxNodes",
				 (json_int_t)max_nodes);
	*ret = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (!*ret)
		return err_set(err, ERR_INVALID, "the selector or profile type is not UTF-8 text");
	return 0;
}

static int ask(const struct query_args *args, const char *request, json_t **ret, struct err *err)
{
	struct net_client_config config = {.endpoint = args->server,
					   .insecure = true,
					   .timeout_ns = 60ULL * NS_PER_S,
					   .user_agent = "cresset-query/" CRESSET_VERSION};
	struct net_client *client = NULL;
	int rc = net_client_create(&config, &client, err);
	if (rc)
		return rc;
	struct net_reply reply = {0};
	rc = net_client_http(client, "POST",
			     "/querier.v1.QuerierService/SelectMergeStacktraces",
			     "application/json", str_of(request), &reply, err);
	if (!rc && reply.http_status != 200)
		rc = err_set(err, ERR_INVALID, "%s answered %d: %.*s", args->server,
			     reply.http_status, STR_ARG(str_sub(buf_text(&reply.body), 0, 500)));
	if (!rc) {
		*ret = json_loadb(buf_text(&reply.body).ptr, reply.body.len, 0, NULL);
		if (!*ret)
			rc = err_set(err, ERR_INVALID, "%s did not answer in JSON", args->server);
	}
	net_reply_deinit(&reply);
	net_client_destroy(client);
	return rc;
}

/* The third part of name:sample_type:sample_unit:period_type:period_unit. */
static struct str type_unit(struct str type)
{
	struct str part = STR("");
	for (int i = 0; i < 3 && str_next(&type, ':', &part); i++)
		;
	return part;
}

static int print_answer(const struct query_args *args, const json_t *answer, struct arena *arena,
			struct err *err)
{
	struct flame flame;
	uint64_t rows = 0;
	int rc = flame_parse(json_object_get(answer, "flamegraph"), arena, &flame, err);
	if (rc)
		return rc;
	if (flame.node_count <= 1)
		return err_set(err, ERR_NOT_FOUND,
			       "no samples match between --from=%s and --until=%s (a wider range, "
			       "another --service, or is the agent running?)",
			       args->from, args->until);
	if (str_equal(str_of(args->format), STR("folded")))
		return flame_print_folded(&flame, arena, stdout, err);
	if (!str_to_u64(str_of(args->rows), &rows))
		return err_set(err, ERR_INVALID, "--rows=%s is not a number", args->rows);
	return flame_print_top(&flame, arena, type_unit(str_of(args->type)), rows, stdout, err);
}

static int run_query(const struct query_args *args, struct arena *arena, struct err *err)
{
	struct str format = str_of(args->format);
	if (!str_equal(format, STR("top")) && !str_equal(format, STR("folded")))
		return err_set(err, ERR_INVALID, "--format=%s: there are top and folded",
			       args->format);
	char *request = NULL;
	json_t *answer = NULL;
	int rc = make_request(args, arena, &request, err);
	if (!rc)
		rc = ask(args, request, &answer, err);
	if (!rc)
		rc = print_answer(args, answer, arena, err);
	json_decref(answer);
	free(request);
	return rc;
}

int cmd_query(int argc, char **argv)
{
	struct query_args args = {.server = "http://127.0.0.1:4040",
				  .selector = "{}",
				  .type = "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
				  .from = "-15m",
				  .until = "now",
				  .format = "top",
				  .rows = "30",
				  .max_nodes = "1000000"};
	const struct option_row rows[] = {
		{"server", "URL", args.server, "where to ask", &args.server, NULL, NULL},
		{"service", "NAME", NULL, "only this service", &args.service, NULL, NULL},
		{"selector", "SEL", "{}", "a label selector, as {service_name=\"x\",thread_name=~\"y.*\"}",
		 &args.selector, NULL, NULL},
		{"profile-type", "ID", args.type, "what to count", &args.type, NULL, NULL},
		{"from", "TIME", "-15m", "begin of the range", &args.from, NULL, NULL},
		{"until", "TIME", "now", "end of the range", &args.until, NULL, NULL},
		{"format", "top|folded", "top", "a table, or one stack a line", &args.format, NULL, NULL},
		{"rows", "N", "30", "rows of the table", &args.rows, NULL, NULL},
		{"max-nodes", "N", args.max_nodes, "smallest bars beyond this become \"other\"",
		 &args.max_nodes, NULL, NULL},
	};
	int rc = cli_options("query", query_usage, rows, sizeof(rows) / sizeof(rows[0]), argc, argv);
	if (rc)
		return rc < 0 ? CLI_OK : rc;
	struct arena arena;
	struct err err = {0};
	arena_init(&arena, 0);
	rc = run_query(&args, &arena, &err);
	arena_deinit(&arena);
	return rc ? cli_fail("query", &err) : CLI_OK;
}
