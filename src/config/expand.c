/* References in values. A text is read from left to right; "${" opens a
 * reference, whose inside is expanded first (so the innermost goes first), and
 * what a reference gives is expanded in turn. Rounds, depth and size of a value
 * are bounded, since a variable may name itself. */
#include <stdlib.h>

#include "base/fd.h"
#include "config/tree.h"

enum {
	ROUNDS_MAX = 1000, /* as the Collector's confmap has it */
	NESTING_MAX = 100,
	VALUE_MAX_BYTES = CONFIG_FILE_MAX_BYTES,
};

struct expand {
	struct arena *arena;
	const struct config_env *env;
	const struct config_node *node; /* for errors */
	unsigned rounds;
	unsigned nesting;
	size_t bytes; /* made so far, by the whole tree */
	struct err *err;
};

/* What a reference stands for. */
struct found {
	struct str text;
	bool unset;
	bool is_text; /* not to be read as YAML */
};

static const char *get_env(const struct config_env *env, const char *name)
{
	return env && env->get ? env->get(env->data, name) : getenv(name);
}

static void warn_unset(const struct config_env *env, const struct config_node *node,
		       const char *name)
{
	struct err text = {0};

	if (!env || !env->warn)
		return;
	config_err(node, &text, ERR_NOT_FOUND,
		   "configuration references unset environment variable %s", name);
	env->warn(env->data, text.text);
}

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory to expand the configuration");
}

static bool is_env_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!letter && !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return name.len > 0;
}

/* ---- the schemes ---- */

/* NAME or NAME:-default */
static int resolve_env(struct expand *x, struct str rest, struct found *ret)
{
	ptrdiff_t dash = str_find(rest, STR(":-"));
	struct str name = arena_str(x->arena, dash < 0 ? rest : str_sub(rest, 0, (size_t)dash));

	if (!name.ptr)
		return no_memory(x->err);
	if (!is_env_name(name))
		return config_err(x->node, x->err, ERR_INVALID,
				  "environment variable \"%s\" has invalid name: must match regex "
				  "^[a-zA-Z_][a-zA-Z0-9_]*$",
				  name.ptr);
	const char *value = get_env(x->env, name.ptr);
	if (value) {
		ret->text = arena_str(x->arena, str_of(value));
		return ret->text.ptr ? 0 : no_memory(x->err);
	}
	if (dash >= 0) {
		ret->text = str_sub(rest, (size_t)dash + 2, rest.len);
		ret->is_text = ret->text.len == 0;
		return 0;
	}
	warn_unset(x->env, x->node, name.ptr);
	ret->unset = true;
	return 0;
}

static int resolve_file(struct expand *x, struct str rest, struct found *ret)
{
	struct str path = arena_str(x->arena, rest);
	struct buf text = {0};
	struct err why;

	if (!path.ptr)
		return no_memory(x->err);
	int code = fd_read_file(path.ptr, VALUE_MAX_BYTES, &text, &why);
	if (code)
		config_err(x->node, x->err, code, "%s", why.text);
	else
		ret->text = arena_str(x->arena, buf_text(&text));
	buf_deinit(&text);
	return code ? code : ret->text.ptr ? 0 : no_memory(x->err);
}

static int resolve_yaml(struct expand *x, struct str rest, struct found *ret)
{
	(void)x;
	ret->text = rest;
	return 0;
}

static const struct {
	struct str scheme;
	int (*resolve)(struct expand *x, struct str rest, struct found *ret);
} schemes[] = {
	{STR("env"), resolve_env},
	{STR("file"), resolve_file},
	{STR("yaml"), resolve_yaml},
};

/* uri is what stands between "${" and "}". */
static int resolve(struct expand *x, struct str uri, struct found *ret)
{
	ptrdiff_t colon = str_find_char(uri, ':');

	*ret = (struct found){.text = STR("")};
	if (++x->rounds > ROUNDS_MAX)
		return config_err(x->node, x->err, ERR_LIMIT, "too many recursive expansions");
	if (colon < 0 || str_starts_with(str_sub(uri, (size_t)colon, uri.len), STR(":-")))
		return resolve_env(x, uri, ret);
	struct str scheme = str_sub(uri, 0, (size_t)colon);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (str_equal(schemes[i].scheme, scheme))
			return schemes[i].resolve(x, str_sub(uri, (size_t)colon + 1, uri.len), ret);
	return config_err(x->node, x->err, ERR_INVALID,
			  "scheme \"%.*s\" is not supported for uri \"%.*s\"", STR_ARG(scheme),
			  STR_ARG(uri));
}

/* ---- text ---- */

/* Offset of the "}" that closes the "${" at from, or -1. */
static ptrdiff_t find_close(struct str text, size_t from)
{
	unsigned open = 0;

	for (size_t i = from; i < text.len; i++) {
		if (text.ptr[i] == '$' && i + 1 < text.len && text.ptr[i + 1] == '{') {
			open++;
			i++;
		} else if (text.ptr[i] == '}' && --open == 0) {
			return (ptrdiff_t)i;
		}
	}
	return -1;
}

static int expand_text(struct expand *x, struct str text, struct str *ret);

/* The text that the reference with this inside stands for. */
static int expand_reference(struct expand *x, struct str inside, struct buf *out)
{
	struct str uri = STR(""), value = STR("");
	struct found found = {.text = STR("")};
	int code = expand_text(x, inside, &uri);

	if (!code)
		code = resolve(x, uri, &found);
	if (!code)
		code = expand_text(x, found.text, &value);
	if (!code)
		buf_str(out, value);
	return code;
}

static int expand_pieces(struct expand *x, struct str text, struct buf *out)
{
	size_t i = 0;

	while (i < text.len) {
		struct str rest = str_sub(text, i, text.len);
		ptrdiff_t close = str_starts_with(rest, STR("${")) ? find_close(text, i) : -1;
		if (close >= 0) {
			struct str inside = str_sub(text, i + 2, (size_t)close - i - 2);
			int code = expand_reference(x, inside, out);
			if (code)
				return code;
			i = (size_t)close + 1;
		} else {
			buf_char(out, text.ptr[i]);
			i += str_starts_with(rest, STR("$$")) ? 2 : 1;
		}
	}
	return 0;
}

static int expand_text(struct expand *x, struct str text, struct str *ret)
{
	struct buf out = {.limit_bytes = VALUE_MAX_BYTES};

	if (str_find_char(text, '$') < 0) {
		*ret = text;
		return 0;
	}
	if (++x->nesting > NESTING_MAX)
		return config_err(x->node, x->err, ERR_LIMIT, "too many recursive expansions");
	int code = expand_pieces(x, text, &out);
	if (!code)
		code = buf_check(&out, "expanding the configuration", x->err);
	x->bytes += out.len;
	if (!code && x->bytes > VALUE_MAX_BYTES)
		code = config_err(x->node, x->err, ERR_LIMIT, "expands to more than %d bytes",
				  VALUE_MAX_BYTES);
	if (!code) {
		*ret = arena_str(x->arena, buf_text(&out));
		code = ret->ptr ? 0 : no_memory(x->err);
	}
	buf_deinit(&out);
	x->nesting--;
	return code;
}

/* ---- nodes ---- */

static int expand_node(struct expand *x, struct config_node *node);

/* As the Collector: text that is not YAML stays text. The places become the reference's. */
static void take_place(struct config_node *node, const struct config_node *place)
{
	node->file = place->file;
	node->line = place->line;
	node->column = place->column;
	for (size_t i = 0; i < node->count; i++) {
		node->entries[i].line = place->line;
		node->entries[i].column = place->column;
		take_place(node->entries[i].value, place);
	}
}

static int replace_whole(struct expand *x, struct config_node *node, const struct found *found)
{
	struct config_node place = *node;
	struct config_node *made = NULL;

	if (found->unset) {
		node->kind = CONFIG_NULL;
		node->text = STR("");
		return 0;
	}
	if (!found->is_text) {
		int code = config_parse(x->arena, place.file, found->text, &made, NULL);
		if (code == ERR_NOMEM)
			return no_memory(x->err);
	}
	if (made) {
		take_place(made, &place);
		*node = *made;
	} else {
		node->text = found->text;
		node->quoted = true;
	}
	x->bytes += found->text.len;
	if (x->bytes > VALUE_MAX_BYTES)
		return config_err(&place, x->err, ERR_LIMIT, "expands to more than %d bytes",
				  VALUE_MAX_BYTES);
	return expand_node(x, node);
}

static int expand_whole(struct expand *x, struct config_node *node)
{
	struct str inside = str_sub(node->text, 2, node->text.len - 3);
	struct str uri = STR("");
	struct found found = {.text = STR("")};
	int code = expand_text(x, inside, &uri);

	if (!code)
		code = resolve(x, uri, &found);
	return code ? code : replace_whole(x, node, &found);
}

static int expand_scalar(struct expand *x, struct config_node *node)
{
	struct str text = node->text;
	bool whole =
		str_starts_with(text, STR("${")) && find_close(text, 0) == (ptrdiff_t)text.len - 1;

	if (str_find_char(text, '$') < 0)
		return 0;
	if (whole)
		return expand_whole(x, node);
	/* Text with a reference inside is text, even when it then looks like a number. */
	node->quoted |= str_find(text, STR("${")) >= 0;
	return expand_text(x, text, &node->text);
}

static int expand_node(struct expand *x, struct config_node *node)
{
	int code = 0;

	if (++x->nesting > NESTING_MAX)
		return config_err(node, x->err, ERR_LIMIT, "too many recursive expansions");
	if (node->kind == CONFIG_SCALAR) {
		x->node = node;
		code = expand_scalar(x, node);
	}
	if (node->kind == CONFIG_MAP || node->kind == CONFIG_LIST)
		for (size_t i = 0; i < node->count && !code; i++)
			code = expand_node(x, node->entries[i].value);
	x->nesting--;
	return code;
}

static int expand_all(struct expand *x, struct config_node *node)
{
	int code = 0;

	if (node->kind == CONFIG_SCALAR) {
		x->rounds = 0;
		return expand_node(x, node);
	}
	for (size_t i = 0; i < node->count && !code; i++)
		code = expand_all(x, node->entries[i].value);
	return code;
}

int config_expand(struct arena *arena, struct config_node *root, const struct config_env *env,
		  struct err *err)
{
	struct expand x = {.arena = arena, .env = env, .err = err};

	return root ? expand_all(&x, root) : 0;
}

/* ---- Pyroscope's whole text ---- */

static int expand_plain_reference(struct str inside, const struct config_env *env, struct buf *out,
				  struct err *err)
{
	ptrdiff_t dash = str_find(inside, STR(":-"));
	struct str name = dash < 0 ? inside : str_sub(inside, 0, (size_t)dash);
	char text[256];

	if (!is_env_name(name) || name.len >= sizeof(text))
		return err_set(err, ERR_INVALID,
			       "environment variable \"%.*s\" has invalid name: must match regex "
			       "^[a-zA-Z_][a-zA-Z0-9_]*$",
			       STR_ARG(str_sub(name, 0, 100)));
	str_copy(text, sizeof(text), name);
	const char *value = get_env(env, text);
	if (value && *value)
		buf_cstr(out, value);
	else if (dash >= 0)
		buf_str(out, str_sub(inside, (size_t)dash + 2, inside.len));
	else if (!value)
		warn_unset(env, NULL, text);
	return 0;
}

static int expand_plain(struct str text, const struct config_env *env, struct buf *out,
			struct err *err)
{
	size_t i = 0;
	int code = 0;

	while (i < text.len && !code) {
		struct str rest = str_sub(text, i, text.len);
		ptrdiff_t close = str_starts_with(rest, STR("${")) ? str_find_char(rest, '}') : -1;
		if (close >= 0) {
			code = expand_plain_reference(str_sub(rest, 2, (size_t)close - 2), env, out,
						      err);
			i += (size_t)close + 1;
		} else if (str_starts_with(rest, STR("$${"))) {
			buf_cstr(out, "${");
			i += 3;
		} else {
			buf_char(out, text.ptr[i++]);
		}
	}
	return code;
}

int config_expand_text(struct arena *arena, struct str text, const struct config_env *env,
		       struct str *ret, struct err *err)
{
	struct buf out = {.limit_bytes = VALUE_MAX_BYTES};
	int code = expand_plain(text, env, &out, err);

	if (!code)
		code = buf_check(&out, "expanding the configuration", err);
	if (!code) {
		struct str copy = arena_str(arena, buf_text(&out));
		if (copy.ptr)
			*ret = copy;
		else
			code = no_memory(err);
	}
	buf_deinit(&out);
	return code;
}
