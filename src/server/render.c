#include "server/render.h"

#include "base/clock.h"
#include "server/api.h"
#include "server/attime.h"
#include "server/flamebearer.h"
#include "server/pbjson.h"
#include "server/range.h"
#include "server/settings.h"
#include "server/stack_ask.h"

enum { STEP_MIN_S = 15, STEPS_WANTED = 1500, GROUPS_MAX = 1000 };

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the answer");
}

/* ---- parameters ---- */

struct render {
	const struct net_request *request;
	struct api_call call;
	struct api api; /* with the tenant's limits */
	struct settings *settings;
	int64_t now_ms;
};

static int begin(const struct api *api, const struct net_request *request, struct render *ret,
		 struct err *err)
{
	*ret = (struct render){
		.request = request,
		.call = {.api = api,
			 .arena = request->arena,
			 .cancelled = request->cancelled,
			 .utf8_names = api_accepts_utf8_names(request)},
		.now_ms = (int64_t)(clock_real_ns() / NS_PER_MS),
	};
	int rc = ingest_tenant(api->ingest, request, &ret->call.tenant, err);
	if (rc)
		return rc;
	ret->settings = api_of_tenant(api, ret->call.tenant, &ret->api);
	ret->call.api = &ret->api;
	return 0;
}

static struct str parameter(const struct render *r, const char *name, const char *other)
{
	struct str value = net_query_get(r->request, str_of(name));
	return value.ptr || !other ? value : net_query_get(r->request, str_of(other));
}

static int read_time(const struct render *r, const char *name, const char *fallback,
		     int64_t *ret_ms, struct err *err)
{
	struct str text = parameter(r, name, NULL);
	int rc = attime_parse(text.len ? text : str_of(fallback), r->now_ms, ret_ms, err);
	return rc ? err_wrap(err, "%s", name) : 0;
}

static int read_nodes(const struct render *r, uint64_t *ret, struct err *err)
{
	struct str text = parameter(r, "max-nodes", "maxNodes");
	int64_t nodes = 0;
	if (text.len > 0 && !str_to_i64(text, &nodes))
		return err_set(err, ERR_INVALID, "max-nodes: \"%.*s\" is no number",
			       STR_ARG(str_sub(text, 0, 32)));
	return stack_ask_nodes(&r->call, nodes, r->call.api->limits->flame_nodes_default, ret, err);
}

static int read_ask(const struct render *r, const char *query_name, const char *from_name,
		    const char *until_name, struct stack_ask *ret, struct err *err)
{
	struct str query = parameter(r, query_name, NULL), id, selector;
	int64_t from_ms, until_ms;
	*ret = (struct stack_ask){0};
	if (query.len == 0)
		return err_set(err, ERR_INVALID, "%s: which profile? send TYPE{label=\"value\"}",
			       query_name);
	api_split_query(query, &id, &selector);
	if (id.len == 0)
		return err_set(err, ERR_INVALID,
			       "%s: \"%.*s\" begins with no profile type; send "
			       "TYPE{label=\"value\"}, as "
			       "in process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name=\"a\"}",
			       query_name, STR_ARG(str_sub(query, 0, 200)));
	struct str type = arena_str(r->call.arena, id), text = arena_str(r->call.arena, selector);
	if (!type.ptr || !text.ptr)
		return no_memory(err);
	int rc = read_time(r, from_name, "now-1h", &from_ms, err);
	rc = rc ? rc : read_time(r, until_name, "now", &until_ms, err);
	rc = rc ? rc
		: api_range_read(&r->call, type.ptr, text.ptr, from_ms, until_ms, &ret->type,
				 &ret->range, err);
	ret->range.type = &ret->type;
	return rc ? rc : read_nodes(r, &ret->max_nodes, err);
}

/* ---- the timeline ---- */

static struct query_points points_of(const struct render *r, const struct stack_ask *ask,
				     struct flamebearer_timeline *timeline)
{
	int64_t span_s = (ask->range.end_ms - ask->range.start_ms) / 1000;
	int64_t step_s = span_s / STEPS_WANTED;
	timeline->step_s = step_s > STEP_MIN_S ? step_s : STEP_MIN_S;
	timeline->start_s = ask->range.start_ms / 1000;
	timeline->end_s = ask->range.end_ms / 1000;
	bool average = str_equal(parameter(r, "aggregation", NULL), STR("avg"));
	return (struct query_points){.step_s = (double)timeline->step_s,
				     .aggregation = average ? STORE_AVERAGE : STORE_SUM,
				     .limit = GROUPS_MAX};
}

static int find_points(const struct render *r, const struct stack_ask *ask,
		       const struct query_points *points, const struct flamebearer_timeline *line,
		       struct store_points **ret, size_t *ret_count, struct err *err)
{
	struct query_range range = ask->range;
	range.start_ms = line->start_s * 1000;
	range.end_ms = line->end_s * 1000;
	return query_series(r->call.api->store, &range, points, r->call.arena, ret, ret_count, err);
}

static void put_key(const struct store_points *points, struct buf *out)
{
	struct buf key = {0};
	for (size_t i = 0; i < points->label_count; i++) {
		if (i)
			buf_char(&key, ',');
		buf_str(&key, points->labels[i].value);
	}
	pbjson_text(buf_text(&key), out);
	buf_deinit(&key);
}

/* Every value of "groupBy" (several are several labels), and its line. */
static int put_groups(const struct render *r, const struct stack_ask *ask,
		      struct query_points points, struct flamebearer_timeline line, struct buf *out,
		      struct err *err)
{
	struct str list = parameter(r, "groupBy", NULL), one, *names;
	struct store_points *found;
	size_t count;
	names = arena_zalloc(r->call.arena, list.len + 1, sizeof(*names));
	if (!names)
		return no_memory(err);
	while (list.len > 0 && str_next(&list, ',', &one))
		if (str_trim(one).len > 0)
			names[points.group_count++] = str_trim(one);
	buf_cstr(out, ",\"groups\":");
	if (points.group_count == 0) {
		buf_cstr(out, "null");
		return 0;
	}
	points.group_by = names;
	int rc = api_check_count(points.group_count, API_NAMES_MAX, "groupBy", err);
	rc = rc ? rc : find_points(r, ask, &points, &line, &found, &count, err);
	buf_char(out, '{');
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (i)
			buf_char(out, ',');
		put_key(&found[i], out);
		buf_char(out, ':');
		line.points = &found[i];
		flamebearer_timeline(&line, out);
	}
	buf_char(out, '}');
	return rc;
}

static int put_timeline(const struct render *r, const struct stack_ask *ask, struct buf *out,
			struct err *err)
{
	struct flamebearer_timeline line = {0};
	struct query_points points = points_of(r, ask, &line);
	struct store_points *found;
	size_t count;
	int rc = find_points(r, ask, &points, &line, &found, &count, err);
	if (rc)
		return rc;
	line.points = count ? &found[0] : NULL;
	buf_cstr(out, ",\"timeline\":");
	flamebearer_timeline(&line, out);
	line.points = NULL;
	return put_groups(r, ask, points, line, out, err);
}

/* ---- render ---- */

static int put_json(const struct render *r, const struct stack_ask *ask,
		    const struct query_tree *whole, struct buf *out, struct err *err)
{
	struct query_tree tree;
	struct query_flame flame;
	const struct flamebearer_about about = {.type = &ask->type};
	int rc = query_tree_fold(r->call.arena, whole, ask->max_nodes, &tree, err);
	rc = rc ? rc : query_flame_encode(r->call.arena, &tree, &flame, err);
	if (rc)
		return rc;
	flamebearer_single(&flame, &about, out);
	rc = put_timeline(r, ask, out, err);
	buf_cstr(out, ",\"heatmap\":null,\"leftTicks\":0,\"rightTicks\":0}");
	return rc;
}

static int render(struct render *r, bool *ret_dot, struct buf *out, struct err *err)
{
	enum { DOT_NODES = 100 };
	struct stack_ask ask;
	struct query_tree whole;
	struct str format = parameter(r, "format", NULL);
	int rc = 0;
	*ret_dot = str_equal(format, STR("dot"));
	if (format.len > 0 && !*ret_dot && !str_equal(format, STR("json")))
		rc = err_set(err, ERR_INVALID, "format: \"%.*s\" is neither json nor dot",
			     STR_ARG(str_sub(format, 0, 32)));
	rc = rc ? rc : read_ask(r, "query", "from", "until", &ask, err);
	rc = rc ? rc : stack_ask_tree(&r->call, &ask, &whole, err);
	if (rc)
		return rc;
	if (!*ret_dot)
		return put_json(r, &ask, &whole, out, err);
	bool given = parameter(r, "max-nodes", "maxNodes").len > 0;
	return query_dot(r->call.arena, &whole, ask.type.id,
			 given ? (size_t)ask.max_nodes : DOT_NODES, out, err);
}

/* Takes out over. */
static void finish(const struct net_request *request, struct net_answer *answer, struct buf *out,
		   const char *type, int rc, struct err *err)
{
	rc = rc ? rc : buf_check(out, "the answer", err);
	if (rc) {
		buf_deinit(out);
		api_error(answer, err);
		return;
	}
	buf_deinit(&answer->body);
	answer->body = *out;
	answer->status = 200;
	net_answer_header(answer, STR("content-type"), str_of(type));
	net_answer_header(answer, STR("x-content-type-options"), STR("nosniff"));
	net_answer_gzip(request, answer);
}

void render_serve(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct err err = {0};
	struct buf out = {0};
	struct render r;
	bool dot = false;
	int rc = begin(user, request, &r, &err);
	rc = rc ? rc : render(&r, &dot, &out, &err);
	settings_put(r.settings);
	finish(request, answer, &out, dot ? "text/plain; charset=utf-8" : "application/json", rc,
	       &err);
}

/* ---- render-diff ---- */

static int render_diff(struct render *r, struct buf *out, struct err *err)
{
	struct stack_ask left, right;
	struct query_tree trees[2];
	struct query_diff diff;
	int rc = read_ask(r, "leftQuery", "leftFrom", "leftUntil", &left, err);
	rc = rc ? rc : read_ask(r, "rightQuery", "rightFrom", "rightUntil", &right, err);
	if (rc == 0 && !str_equal(left.type.id, right.type.id))
		rc = err_set(err, ERR_INVALID,
			     "leftQuery and rightQuery must have the same profile type");
	rc = rc ? rc : stack_ask_tree(&r->call, &left, &trees[0], err);
	rc = rc ? rc : stack_ask_tree(&r->call, &right, &trees[1], err);
	rc = rc ? rc
		: query_diff_encode(r->call.arena, &trees[0], &trees[1], left.max_nodes, &diff,
				    err);
	if (rc)
		return rc;
	const struct flamebearer_about about = {.type = &left.type};
	flamebearer_double(&diff, &about, out);
	buf_cstr(out, ",\"timeline\":null,\"groups\":null,\"heatmap\":null}");
	return 0;
}

void render_diff_serve(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct err err = {0};
	struct buf out = {0};
	struct render r;
	int rc = begin(user, request, &r, &err);
	rc = rc ? rc : render_diff(&r, &out, &err);
	settings_put(r.settings);
	finish(request, answer, &out, "application/json", rc, &err);
}

/* ---- label-values ---- */

static void put_texts(const struct str *texts, size_t count, struct buf *out)
{
	buf_char(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_char(out, ',');
		pbjson_text(texts[i], out);
	}
	buf_char(out, ']');
}

/* __name__ means the profile types there. */
static int label_values(struct render *r, struct buf *out, struct err *err)
{
	struct store_selection selection;
	struct str *values, label = parameter(r, "label", NULL);
	size_t count;
	if (label.len == 0)
		return err_set(err, ERR_INVALID, "label: which label's values?");
	struct query_range range = api_range_new(&r->call);
	if (str_equal(label, STR("__name__")))
		label = STR("__profile_type__");
	int rc = api_range_times(&r->call, 0, 0, &range, err);
	rc = rc ? rc : query_select(r->call.arena, &range, &selection, err);
	rc = rc ? rc
		: store_label_values(r->api.store, &selection, label, r->call.arena, &values,
				     &count, err);
	if (rc == 0)
		put_texts(values, count, out);
	return rc;
}

void render_label_values(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct err err = {0};
	struct buf out = {0};
	struct render r;
	int rc = begin(user, request, &r, &err);
	rc = rc ? rc : label_values(&r, &out, &err);
	settings_put(r.settings);
	finish(request, answer, &out, "application/json", rc, &err);
}
