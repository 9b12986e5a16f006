/* SPDX-License-Identifier: Apache-2.0
 *
 * `cresset query`: one SelectMergeStacktraces call, printed for a person or a pipe. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/login.h"
#include "cli/query_read.h"
#include "net/net.h"
#include "query/query.h"

static const char query_usage[] =
	"Usage: cresset query [OPTIONS]\n\n"
	"Prints where the CPU time of a service (or of everything) went.\n"
	"Times are seconds since 1970, or relative to now: now, -15m, -24h, -7d.\n";

struct query_args {
	const char *server, *service, *selector, *type, *from, *until, *format, *rows, *max_nodes;
	struct login_args login;
};

static int make_request(const struct query_args *args, struct arena *arena, char **ret,
			struct err *err)
{
	int64_t from_ms = 0, until_ms = 0;
	uint64_t max_nodes = 0, now_ms = clock_real_ns() / NS_PER_MS;
	int rc = query_parse_time("from", args->from, now_ms, &from_ms, err);
	if (!rc)
		rc = query_parse_time("until", args->until, now_ms, &until_ms, err);
	if (rc)
		return rc;
	if (from_ms >= until_ms)
		return err_set(err, ERR_INVALID, "--from=%s does not lie before --until=%s",
			       args->from, args->until);
	if (!str_to_u64(str_of(args->max_nodes), &max_nodes) || max_nodes == 0 ||
	    max_nodes > INT64_MAX)
		return err_set(err, ERR_INVALID, "--max-nodes=%s is not a number above 0",
			       args->max_nodes);
	struct str selector = str_of(args->selector);
	if (args->service && args->selector)
		return err_set(err, ERR_INVALID,
			       "--service and --selector exclude each other; a selector may hold "
			       "service_name=\"...\"");
	if (!args->selector)
		selector = args->service ? query_service_selector(arena, args->service) : STR("{}");
	if (!selector.ptr)
		return err_set(err, ERR_NOMEM, "selector: no memory");
	json_t *body =
		json_pack("{s:s, s:s%, s:I, s:I, s:I}", "profileTypeID", args->type,
			  "labelSelector", selector.ptr, selector.len, "start", (json_int_t)from_ms,
			  "end", (json_int_t)until_ms, "maxNodes", (json_int_t)max_nodes);
	*ret = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (!*ret)
		return err_set(err, ERR_INVALID, "the selector or profile type is not UTF-8 text");
	return 0;
}

static int ask(const struct query_args *args, const char *request, struct arena *arena,
	       json_t **ret, struct err *err)
{
	struct login login;
	struct net_client_config config = {.endpoint = args->server,
					   .insecure = true,
					   .timeout_ns = 60ULL * NS_PER_S,
					   .user_agent = "cresset-query/" CRESSET_VERSION};
	struct net_client *client = NULL;
	int rc = cli_login(&args->login, arena, &login, &config, err);
	rc = rc ? rc : net_client_create(&config, &client, err);
	if (rc)
		return rc;
	struct net_reply reply = {0};
	rc = net_client_http(client, "POST", "/querier.v1.QuerierService/SelectMergeStacktraces",
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

/* ---- printing ---- */

static void print_amount(int64_t amount, bool is_time)
{
	double value = (double)amount;
	if (is_time)
		printf(value >= 1e9 ? "%8.2f s " : "%8.1f ms", value / (value >= 1e9 ? 1e9 : 1e6));
	else
		printf("%11.0f", value);
}

/* Names are what some process chose: control characters do not reach the terminal. */
static void print_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];
		putchar(c < 0x20 || c == 0x7f ? '?' : c);
	}
	putchar('\n');
}

static int print_top(const struct query_tree *tree, struct arena *arena, struct str unit,
		     uint64_t rows, struct err *err)
{
	struct query_function *top = NULL;
	size_t count = 0;
	bool is_time = str_equal(unit, STR("nanoseconds"));
	double whole = tree->nodes[0].total > 0 ? (double)tree->nodes[0].total : 1;
	int rc = query_top(arena, tree, &top, &count, err);
	if (rc)
		return rc;
	printf("%11s %7s %11s %7s  %s\n", "self", "", "total", "", "function");
	for (size_t i = 0; i < count && i < rows; i++) {
		print_amount(top[i].self, is_time);
		printf(" %6.2f%% ", 100 * (double)top[i].self / whole);
		print_amount(top[i].total, is_time);
		printf(" %6.2f%%  ", 100 * (double)top[i].total / whole);
		print_name(top[i].name);
	}
	return 0;
}

static int print_folded(const struct query_tree *tree, struct arena *arena, struct err *err)
{
	struct buf out;
	buf_init(&out, 0);
	int rc = query_folded(arena, tree, &out, err);
	if (!rc)
		rc = buf_check(&out, "folded stacks", err);
	if (!rc)
		fwrite(out.ptr, 1, out.len, stdout);
	buf_deinit(&out);
	return rc;
}

static int print_answer(const struct query_args *args, const json_t *answer, struct arena *arena,
			struct err *err)
{
	struct query_flame flame;
	struct query_tree tree;
	struct query_type type;
	uint64_t rows = 0;
	int rc = query_parse_type(str_of(args->type), &type, err);
	if (!rc)
		rc = query_read_flame(json_object_get(answer, "flamegraph"), arena, &flame, err);
	if (!rc && flame.total == 0)
		rc = err_set(err, ERR_NOT_FOUND,
			     "no samples match between --from=%s and --until=%s (a wider range, "
			     "another --service, or is the agent running?)",
			     args->from, args->until);
	if (!rc)
		rc = query_flame_decode(arena, &flame, &tree, err);
	if (!rc && !str_to_u64(str_of(args->rows), &rows))
		rc = err_set(err, ERR_INVALID, "--rows=%s is not a number", args->rows);
	if (rc)
		return rc;
	if (str_equal(str_of(args->format), STR("folded")))
		return print_folded(&tree, arena, err);
	return print_top(&tree, arena, type.sample_unit, rows, err);
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
		rc = ask(args, request, arena, &answer, err);
	if (!rc)
		rc = print_answer(args, answer, arena, err);
	json_decref(answer);
	free(request);
	return rc;
}

int cmd_query(int argc, char **argv)
{
	struct query_args args = {.server = "http://127.0.0.1:4040",
				  .type = "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
				  .from = "-15m",
				  .until = "now",
				  .format = "top",
				  .rows = "30",
				  .max_nodes = "1000000"};
	const struct option_row rows[] = {
		{"server", "URL", args.server, "where to ask", &args.server, NULL, NULL},
		{"service", "NAME", NULL, "only this service", &args.service, NULL, NULL},
		{"selector", "SEL", "{}",
		 "a label selector, as {service_name=\"x\",thread_name=~\"y.*\"}", &args.selector,
		 NULL, NULL},
		{"profile-type", "ID", args.type, "what to count", &args.type, NULL, NULL},
		{"from", "TIME", "-15m", "begin of the range", &args.from, NULL, NULL},
		{"until", "TIME", "now", "end of the range", &args.until, NULL, NULL},
		{"format", "top|folded", "top", "a table, or one stack a line", &args.format, NULL,
		 NULL},
		{"rows", "N", "30", "rows of the table", &args.rows, NULL, NULL},
		{"max-nodes", "N", args.max_nodes, "smallest bars beyond this become \"other\"",
		 &args.max_nodes, NULL, NULL},
		LOGIN_OPTIONS(args.login),
	};
	int rc =
		cli_options("query", query_usage, rows, sizeof(rows) / sizeof(rows[0]), argc, argv);
	if (rc)
		return rc < 0 ? CLI_OK : rc;
	struct arena arena;
	struct err err = {0};
	arena_init(&arena, 0);
	rc = run_query(&args, &arena, &err);
	arena_deinit(&arena);
	return rc ? cli_fail("query", &err) : CLI_OK;
}
