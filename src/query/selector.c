/* PromQL's label selectors (prometheus.io, "Querying basics", time series
 * selectors; string literals as in Go; quoted names as of Prometheus 3). A
 * recursive descent over bytes; positions in errors count bytes from 1. */
#include "query/query.h"

#include "query/literal.h"

struct parser {
	struct arena *arena;
	struct str text;
	size_t at;
	struct store_matcher *matchers;
	size_t count, cap;
	struct err *err;
};

static int fail(struct parser *p, const char *expected)
{
	if (p->at >= p->text.len)
		return err_set(p->err, ERR_INVALID,
			       "selector, character %zu: expected %s, but the text ends", p->at + 1,
			       expected);
	return err_set(p->err, ERR_INVALID, "selector, character %zu: expected %s, not \"%c\"",
		       p->at + 1, expected, p->text.ptr[p->at]);
}

static char peek(const struct parser *p)
{
	return p->at < p->text.len ? p->text.ptr[p->at] : '\0';
}

static void skip_space(struct parser *p)
{
	while (p->at < p->text.len && strchr(" \t\r\n", p->text.ptr[p->at]) && peek(p) != '\0')
		p->at++;
}

static bool take(struct parser *p, char c)
{
	skip_space(p);
	if (p->at >= p->text.len || peek(p) != c)
		return false;
	p->at++;
	return true;
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'' || c == '`';
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* PromQL has no '.' in a bare name and no ':' in a label's; both are clear enough to take, and spare
 * dotted attribute names their quotes. */
static bool is_name_char(char c)
{
	return is_name_start(c) || (c >= '0' && c <= '9') || c == '.' || c == ':';
}

static struct str take_bare_name(struct parser *p)
{
	size_t start = p->at;
	if (is_name_start(peek(p)))
		while (p->at < p->text.len && is_name_char(peek(p)))
			p->at++;
	return str_sub(p->text, start, p->at - start);
}

static int take_string(struct parser *p, struct str *ret)
{
	return query_literal(p->arena, p->text, &p->at, ret, p->err);
}

static int add(struct parser *p, enum match_op op, struct str name, struct str value)
{
	if (p->count == QUERY_MATCHERS_MAX)
		return err_set(p->err, ERR_LIMIT, "selector: more than %d matchers",
			       QUERY_MATCHERS_MAX);
	struct store_matcher *grown =
		arena_grow(p->arena, p->matchers, &p->cap, p->count + 1, sizeof(*grown));
	if (!grown)
		return err_set(p->err, ERR_NOMEM, "selector: no memory for a matcher");
	p->matchers = grown;
	p->matchers[p->count++] = (struct store_matcher){op, name, value};
	return 0;
}

static int take_op(struct parser *p, enum match_op *ret)
{
	static const struct {
		const char *text;
		enum match_op op;
	} ops[] = {
		{"=~", MATCH_REGEX},
		{"!=", MATCH_NOT_EQUAL},
		{"!~", MATCH_NOT_REGEX},
		{"=", MATCH_EQUAL},
	};

	skip_space(p);
	struct str rest = str_sub(p->text, p->at, SIZE_MAX);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct str text = str_of(ops[i].text);
		if (!str_starts_with(rest, text))
			continue;
		p->at += text.len;
		*ret = ops[i].op;
		return 0;
	}
	return fail(p, "one of = != =~ !~");
}

/* A label's name, bare or quoted; *ret_quoted tells which. */
static int take_name(struct parser *p, struct str *ret, bool *ret_quoted)
{
	skip_space(p);
	*ret_quoted = is_quote(peek(p));
	if (!*ret_quoted) {
		*ret = take_bare_name(p);
		return ret->len > 0 ? 0 : fail(p, "a label name or \"}\"");
	}
	size_t start = p->at;
	int rc = take_string(p, ret);
	if (rc == 0 && (ret->len == 0 || !str_is_utf8(*ret)))
		return err_set(p->err, ERR_INVALID,
			       "selector, character %zu: a label name must be text and not empty",
			       start + 1);
	return rc;
}

static bool ends_item(struct parser *p)
{
	skip_space(p);
	return peek(p) == ',' || peek(p) == '}';
}

static int take_matcher(struct parser *p)
{
	struct str name, value;
	bool quoted;
	enum match_op op = MATCH_EQUAL;

	int rc = take_name(p, &name, &quoted);
	if (rc)
		return rc;
	if (quoted && ends_item(p)) /* {"up"} is up{} */
		return add(p, MATCH_EQUAL, STR("__name__"), name);
	rc = take_op(p, &op);
	if (rc)
		return rc;
	skip_space(p);
	if (!is_quote(peek(p)))
		return fail(p, "a string in quotes");
	rc = take_string(p, &value);
	return rc ? rc : add(p, op, name, value);
}

static int take_matchers(struct parser *p)
{
	while (!take(p, '}')) {
		int rc = take_matcher(p);
		if (rc)
			return rc;
		if (take(p, ','))
			continue;
		if (!take(p, '}'))
			return fail(p, "\",\" or \"}\"");
		break;
	}
	return 0;
}

static int parse(struct parser *p)
{
	skip_space(p);
	struct str metric = take_bare_name(p);
	int rc = metric.len > 0 ? add(p, MATCH_EQUAL, STR("__name__"), metric) : 0;
	if (rc)
		return rc;
	if (take(p, '{'))
		rc = take_matchers(p);
	if (rc)
		return rc;
	skip_space(p);
	if (p->at < p->text.len)
		return fail(p, p->text.len && metric.len == 0 && p->count == 0 && p->at == 0
				       ? "\"{\""
				       : "the end");
	return 0;
}

int query_parse_selector(struct arena *arena, struct str text, struct query_selector *ret,
			 struct err *err)
{
	if (text.len > QUERY_SELECTOR_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "selector: longer than %d bytes",
			       QUERY_SELECTOR_MAX_BYTES);
	struct parser p = {.arena = arena, .text = text, .err = err};
	int rc = parse(&p);
	if (rc)
		return rc;
	*ret = (struct query_selector){p.matchers, p.count};
	return 0;
}
