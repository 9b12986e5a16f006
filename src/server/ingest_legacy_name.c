/* The query of a request to /ingest. */
#include "server/attime.h"
#include "server/ingest_legacy.h"

enum { TAGS_MAX = 1024, DEFAULT_RATE_HZ = 100 };

/* ---- name=app{tag=value,...} ---- */

static int add_tag(struct arena *arena, struct legacy_request *ret, size_t *cap, struct str pair,
		   struct err *err)
{
	ptrdiff_t equals = str_find_char(pair, '=');
	struct legacy_label *grown;

	if (str_trim(pair).len == 0)
		return 0;
	if (equals < 0)
		return err_set(err, ERR_INVALID, "name: tag \"%.*s\" has no value",
			       STR_ARG(str_sub(pair, 0, 100)));
	if (ret->tag_count == TAGS_MAX)
		return err_set(err, ERR_LIMIT, "name: more than %d tags", TAGS_MAX);
	grown = arena_grow(arena, ret->tags, cap, ret->tag_count + 1, sizeof(*grown));
	if (!grown)
		return err_set(err, ERR_NOMEM, "no memory for the tags of a request");
	ret->tags = grown;
	grown[ret->tag_count++] =
		(struct legacy_label){str_trim(str_sub(pair, 0, (size_t)equals)),
				      str_trim(str_sub(pair, (size_t)equals + 1, pair.len))};
	return 0;
}

static int parse_name(struct arena *arena, struct str name, struct legacy_request *ret,
		      struct err *err)
{
	ptrdiff_t brace = str_find_char(name, '{');
	ptrdiff_t end = str_find_char(name, '}');
	struct str tags = STR(""), pair;
	size_t cap = 0;
	int rc = 0;

	ret->app = str_trim(brace < 0 ? name : str_sub(name, 0, (size_t)brace));
	if (ret->app.len == 0)
		return err_set(err, ERR_INVALID,
			       "name: send the application's, as in name=app.cpu{env=staging}");
	if (brace >= 0 && end < brace)
		return err_set(err, ERR_INVALID, "name: there is no } behind the tags");
	if (brace >= 0)
		tags = str_sub(name, (size_t)brace + 1, (size_t)(end - brace - 1));
	while (!rc && str_next(&tags, ',', &pair))
		rc = add_tag(arena, ret, &cap, pair, err);
	return rc;
}

/* ---- times ---- */

static int get_time(const struct net_request *request, const char *name, uint64_t now_ns,
		    uint64_t *ret, struct err *err)
{
	struct str text = net_query_get(request, str_of(name));
	int rc = 0;

	*ret = now_ns;
	if (text.len > 0)
		rc = attime_parse_ns(str_trim(text), now_ns, ret, err);
	if (rc)
		err_wrap(err, "%s", name);
	return rc;
}

/* ---- the rest ---- */

static int parse_format(const struct net_request *request, struct legacy_request *ret,
			struct err *err)
{
	static const struct {
		const char *name;
		enum legacy_format format;
	} rows[] = {
		{"groups", LEGACY_GROUPS},
		{"folded", LEGACY_GROUPS},
		{"collapsed", LEGACY_GROUPS},
		{"lines", LEGACY_LINES},
		{"trie", LEGACY_TRIE},
		{"tree", LEGACY_TREE},
		{"pprof", LEGACY_PPROF},
		{"jfr", LEGACY_JFR},
		{"speedscope", LEGACY_SPEEDSCOPE},
	};
	struct str format = net_query_get(request, STR("format"));

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_equal(format, str_of(rows[i].name))) {
			ret->format = rows[i].format;
			return 0;
		}
	if (format.len > 0)
		return err_set(err, ERR_INVALID,
			       "format: \"%.*s\" is not known; there are groups, lines, trie, "
			       "tree, "
			       "pprof, jfr and speedscope",
			       STR_ARG(str_sub(format, 0, 60)));
	if (str_starts_with(ret->content_type, STR("binary/octet-stream+trie")))
		ret->format = LEGACY_TRIE;
	else if (str_starts_with(ret->content_type, STR("binary/octet-stream+tree")))
		ret->format = LEGACY_TREE;
	else if (str_starts_with(ret->content_type, STR("multipart/form-data")))
		ret->format = LEGACY_PPROF;
	return 0;
}

static struct str given_or(struct str text, struct str fallback)
{
	return text.len > 0 ? text : fallback;
}

/* As in Pyroscope, what is no number is the default. */
static int64_t parse_rate(const struct net_request *request)
{
	int64_t rate;

	if (!str_to_i64(net_query_get(request, STR("sampleRate")), &rate) || rate < 0)
		return DEFAULT_RATE_HZ;
	return rate;
}

/* Idle replicas of a service send the same bytes for the same seconds, each from its own address. */
static struct str who_sends(const struct net_request *request)
{
	struct str host = net_peer_host(request->peer);
	struct str who =
		arena_printf(request->arena, "%.*s?%.*s", STR_ARG(host), STR_ARG(request->query));
	return who.ptr ? who : request->query;
}

int legacy_parse(const struct net_request *request, uint64_t now_ns, struct legacy_request *ret,
		 struct err *err)
{
	int rc;

	*ret = (struct legacy_request){
		.rate_hz = parse_rate(request),
		.spy = given_or(net_query_get(request, STR("spyName")), STR("unknown")),
		.units = net_query_get(request, STR("units")),
		.content_type = net_header_get(request, STR("content-type")),
		.who = who_sends(request),
	};
	rc = parse_name(request->arena, net_query_get(request, STR("name")), ret, err);
	rc = rc ? rc : get_time(request, "from", now_ns, &ret->from_ns, err);
	rc = rc ? rc : get_time(request, "until", now_ns, &ret->until_ns, err);
	return rc ? rc : parse_format(request, ret, err);
}
