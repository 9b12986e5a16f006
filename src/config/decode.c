/* A tree over a table of rows into a struct. The walk follows the tree, not the
 * table, so that every key of the file is either placed or complained about. */
#include <assert.h>
#include <stdio.h>

#include "config/scalar.h"

/* Where the walk is, as a list that lives on the stack and is read only for a complaint. */
struct place {
	const struct place *up;
	struct str key;
};

/* One struct being filled. */
struct fill {
	struct config_decoder *dec;
	const struct config_schema *schema;
	const struct place *place;
	char *target;
	bool *seen; /* by row */
	struct err *err;
};

static const char *separator(const struct config_decoder *dec)
{
	return dec->style == CONFIG_COLLECTOR ? "::" : ".";
}

static void put_place(const struct config_decoder *dec, const struct place *place, struct buf *out)
{
	if (!place) {
		if (dec->root)
			buf_cstr(out, dec->root);
		return;
	}
	put_place(dec, place->up, out);
	if (out->len > 0 && (place->key.len == 0 || place->key.ptr[0] != '['))
		buf_cstr(out, separator(dec));
	buf_str(out, place->key);
}

/* FILE:LINE: key "a::b": <what err says> */
static int wrap_place(const struct config_decoder *dec, const struct place *place,
		      const struct config_node *node, struct err *err, int code)
{
	struct buf path = {0};

	if (!err)
		return code;
	put_place(dec, place, &path);
	if (path.len > 0)
		err_wrap(err, "key \"%.*s\"", STR_ARG(buf_text(&path)));
	if (node && node->line > 0)
		err_wrap(err, "%s:%u", node->file, node->line);
	buf_deinit(&path);
	return code;
}

static int refuse(const struct fill *f, const struct place *place, const struct config_node *node,
		  const char *why)
{
	err_set(f->err, ERR_INVALID, "%s", why);
	return wrap_place(f->dec, place, node, f->err, ERR_INVALID);
}

static void warn(const struct fill *f, const struct place *place, const struct config_node *node,
		 const char *what)
{
	struct err text = {0};

	if (!f->dec->warn)
		return;
	err_set(&text, ERR_INVALID, "%s", what);
	wrap_place(f->dec, place, node, &text, 0);
	f->dec->warn(f->dec->data, text.text);
}

/* ---- unknown keys ---- */

/* The part of a row's key that stands at the depth of prefix: "tls.insecure" under "" is "tls". */
static struct str key_part(const struct config_row *row, struct str prefix)
{
	struct str key = str_of(row->key);

	if (row->flag_only || !str_starts_with(key, prefix))
		return (struct str){NULL, 0};
	key = str_sub(key, prefix.len, key.len);
	ptrdiff_t dot = str_find_char(key, '.');
	return dot < 0 ? key : str_sub(key, 0, (size_t)dot);
}

/* NUL-terminated names of what may stand there; *ret_count of them. */
static const char **known_keys(const struct fill *f, struct str prefix, size_t *ret_count)
{
	const char **names = arena_alloc(f->dec->arena, f->schema->row_count * sizeof(char *));

	*ret_count = 0;
	for (size_t i = 0; names && i < f->schema->row_count; i++) {
		struct str part = key_part(&f->schema->rows[i], prefix);
		struct str copy = part.ptr ? arena_str(f->dec->arena, part) : part;
		if (copy.ptr)
			names[(*ret_count)++] = copy.ptr;
	}
	return names;
}

static int unknown_key(const struct fill *f, const struct place *place, struct str prefix,
		       const struct config_entry *entry)
{
	size_t count;
	const char **names = known_keys(f, prefix, &count);
	const char *meant = names ? config_suggest(entry->key, names, count) : NULL;
	struct buf where = {0}, hint = {0};
	const char *file = entry->value->file;

	put_place(f->dec, place->up, &where);
	if (meant)
		buf_printf(&hint, " (did you mean \"%s\"?)", meant);
	if (f->dec->style == CONFIG_PYROSCOPE)
		err_set(f->err, ERR_INVALID, "%s:%u: field \"%.*s\" not found in \"%.*s\"%.*s",
			file, entry->line, STR_ARG(entry->key),
			STR_ARG(where.len ? buf_text(&where) : STR("the configuration")),
			STR_ARG(buf_text(&hint)));
	else
		err_set(f->err, ERR_INVALID, "%s:%u: key \"%.*s%s%.*s\": unknown%.*s", file,
			entry->line, STR_ARG(buf_text(&where)), where.len ? "::" : "",
			STR_ARG(entry->key), STR_ARG(buf_text(&hint)));
	buf_deinit(&where);
	buf_deinit(&hint);
	return ERR_INVALID;
}

/* ---- values ---- */

static int decode_struct(struct config_decoder *dec, const struct config_schema *schema,
			 const struct place *place, const struct config_node *node, void *target,
			 struct err *err);

static int decode_text(const struct fill *f, const struct config_row *row,
		       const struct place *place, const struct config_node *node)
{
	enum config_source source = f->dec->style == CONFIG_COLLECTOR ? CONFIG_FROM_COLLECTOR_YAML
								      : CONFIG_FROM_PYROSCOPE_YAML;
	bool is_number = row->type == CONFIG_BOOL || row->type == CONFIG_INT ||
			 row->type == CONFIG_UINT || row->type == CONFIG_FLOAT;
	int64_t bare;

	if (node->kind != CONFIG_SCALAR) {
		struct buf expected = {0};
		config_put_expected(row, &expected);
		err_set(f->err, ERR_INVALID, "is a %s (expected %.*s)",
			node->kind == CONFIG_MAP ? "map" : "list", STR_ARG(buf_text(&expected)));
		buf_deinit(&expected);
		return wrap_place(f->dec, place, node, f->err, ERR_INVALID);
	}
	if (is_number && node->quoted)
		return refuse(f, place, node,
			      row->type == CONFIG_BOOL
				      ? "is text in quotes (expected true or false)"
				      : "is text in quotes (expected a number)");
	int code = config_scalar_set(row, f->dec->arena, node->text, source,
				     f->target + row->offset, f->err);
	if (code)
		return wrap_place(f->dec, place, node, f->err, code);
	if (row->type == CONFIG_DURATION && str_to_i64(node->text, &bare) && bare != 0)
		warn(f, place, node, "a number without a unit counts nanoseconds");
	return 0;
}

static struct place item_place(const struct place *up, size_t index, char *text, size_t cap)
{
	int len = snprintf(text, cap, "[%zu]", index);

	return (struct place){up, str_make(text, (size_t)len)};
}

static int decode_strings(const struct fill *f, const struct config_row *row,
			  const struct place *place, const struct config_node *node)
{
	struct config_strings list = {NULL, 0};
	int code = 0;

	if (node->kind != CONFIG_LIST)
		return decode_text(f, row, place, node);
	for (size_t i = 0; i < node->count && !code; i++) {
		const struct config_node *item = node->entries[i].value;
		if (item->kind == CONFIG_LIST || item->kind == CONFIG_MAP)
			return refuse(f, place, item, "has an item that is no text");
		code = config_strings_add(f->dec->arena, &list, item->text, f->err);
	}
	if (!code)
		code = config_count_check(row, list.count, f->err);
	if (code)
		return wrap_place(f->dec, place, node, f->err, code);
	*(struct config_strings *)(f->target + row->offset) = list;
	return 0;
}

/* Key and value of one entry of a map, or of one {name, value} of a list. */
static bool pair_of(const struct config_node *node, size_t i, struct str *ret_key,
		    struct str *ret_value)
{
	const struct config_node *item = node->entries[i].value;

	if (node->kind == CONFIG_MAP) {
		*ret_key = node->entries[i].key;
		*ret_value = item->text;
		return item->kind == CONFIG_SCALAR || item->kind == CONFIG_NULL;
	}
	const struct config_node *name = config_get(item, "name");
	const struct config_node *value = config_get(item, "value");
	if (!name || name->kind != CONFIG_SCALAR || !value || item->count != 2)
		return false;
	*ret_key = name->text;
	*ret_value = value->text;
	return value->kind == CONFIG_SCALAR || value->kind == CONFIG_NULL;
}

static int decode_pairs(const struct fill *f, const struct config_row *row,
			const struct place *place, const struct config_node *node)
{
	struct config_pairs pairs = {NULL, 0};
	int code = 0;

	if (node->kind == CONFIG_SCALAR)
		return refuse(f, place, node, "is text (expected a map of texts)");
	for (size_t i = 0; i < node->count && !code; i++) {
		struct str key, value;
		if (!pair_of(node, i, &key, &value))
			return refuse(f, place, node->entries[i].value,
				      "has an entry that is no text (expected a map of texts)");
		code = config_pairs_add(f->dec->arena, &pairs, key, value, f->err);
	}
	if (!code)
		code = config_count_check(row, pairs.count, f->err);
	if (code)
		return wrap_place(f->dec, place, node, f->err, code);
	*(struct config_pairs *)(f->target + row->offset) = pairs;
	return 0;
}

static int decode_item(const struct fill *f, const struct config_row *row,
		       const struct place *place, const struct config_node *node, char *item)
{
	int code = config_defaults(row->section, f->dec->arena, item, f->err);

	return code ? code : decode_struct(f->dec, row->section, place, node, item, f->err);
}

/* CONFIG_SECTIONS and CONFIG_NAMED: as many structs as there are items. */
static int decode_items(const struct fill *f, const struct config_row *row,
			const struct place *place, const struct config_node *node)
{
	bool named = row->type == CONFIG_NAMED;
	size_t size = row->section->size;
	struct config_items items = {NULL, NULL, node->count};

	if (node->kind != (named ? CONFIG_MAP : CONFIG_LIST))
		return refuse(f, place, node,
			      named ? "is not a map (expected a map of maps)"
				    : "is not a list (expected a list of maps)");
	int code = config_count_check(row, node->count, f->err);
	if (code)
		return wrap_place(f->dec, place, node, f->err, code);
	items.items = arena_zalloc(f->dec->arena, node->count, size);
	items.names = arena_zalloc(f->dec->arena, node->count, sizeof(*items.names));
	if (!items.items || !items.names)
		return err_set(f->err, ERR_NOMEM, "no memory for the configuration");
	for (size_t i = 0; i < node->count; i++) {
		char text[32];
		struct place at = item_place(place, i, text, sizeof(text));
		items.names[i] = named ? node->entries[i].key : STR("");
		if (named)
			at.key = node->entries[i].key;
		code = decode_item(f, row, &at, node->entries[i].value,
				   (char *)items.items + i * size);
		if (code)
			return code;
	}
	*(struct config_items *)(f->target + row->offset) = items;
	return 0;
}

static int decode_custom(const struct fill *f, const struct config_row *row,
			 const struct place *place, const struct config_node *node)
{
	int code = row->decode(f->dec, node, f->target + row->offset, f->err);

	return code ? wrap_place(f->dec, place, node, f->err, code) : 0;
}

static int decode_value(const struct fill *f, const struct config_row *row,
			const struct place *place, const struct config_node *node)
{
	switch (row->type) {
	case CONFIG_STRINGS:
		return decode_strings(f, row, place, node);
	case CONFIG_STRING_MAP:
		return decode_pairs(f, row, place, node);
	case CONFIG_SECTION:
		return decode_struct(f->dec, row->section, place, node, f->target + row->offset,
				     f->err);
	case CONFIG_SECTIONS:
	case CONFIG_NAMED:
		return decode_items(f, row, place, node);
	case CONFIG_TREE:
		*(const struct config_node **)(f->target + row->offset) = node;
		return 0;
	case CONFIG_CUSTOM:
		return decode_custom(f, row, place, node);
	case CONFIG_IGNORED:
		warn(f, place, node, "has no effect here");
		return 0;
	case CONFIG_BOOL:
	case CONFIG_INT:
	case CONFIG_UINT:
	case CONFIG_FLOAT:
	case CONFIG_STRING:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
	case CONFIG_ENUM:
		break;
	}
	return decode_text(f, row, place, node);
}

/* ---- the walk ---- */

static ptrdiff_t find_row(const struct config_schema *schema, struct str key)
{
	for (size_t i = 0; i < schema->row_count; i++)
		if (!schema->rows[i].flag_only && str_equal(str_of(schema->rows[i].key), key))
			return (ptrdiff_t)i;
	return -1;
}

static bool is_prefix(const struct config_schema *schema, struct str prefix)
{
	for (size_t i = 0; i < schema->row_count; i++)
		if (!schema->rows[i].flag_only &&
		    str_starts_with(str_of(schema->rows[i].key), prefix))
			return true;
	return false;
}

/* A null leaves the default, and the key counts as not given. */
static int decode_known(const struct fill *f, size_t index, const struct place *place,
			const struct config_node *node)
{
	const struct config_row *row = &f->schema->rows[index];

	if (node->kind == CONFIG_NULL)
		return 0;
	f->seen[index] = true;
	if (row->has_presence)
		*(bool *)(f->target + row->presence_offset) = true;
	return decode_value(f, row, place, node);
}

/* Every key of a map that stands at prefix ("", "tls."). */
static int decode_map(const struct fill *f, struct str prefix, const struct place *up,
		      const struct config_node *node)
{
	int code = 0;

	if (node->kind == CONFIG_NULL)
		return 0;
	if (node->kind != CONFIG_MAP)
		return refuse(f, up, node, "is not a map (expected keys and values below it)");
	for (size_t i = 0; i < node->count && !code; i++) {
		const struct config_entry *entry = &node->entries[i];
		struct place place = {up, entry->key};
		struct str full = arena_printf(f->dec->arena, "%.*s%.*s.", STR_ARG(prefix),
					       STR_ARG(entry->key));
		if (!full.ptr)
			return err_set(f->err, ERR_NOMEM, "no memory for the configuration");
		ptrdiff_t row = find_row(f->schema, str_sub(full, 0, full.len - 1));
		if (row >= 0)
			code = decode_known(f, (size_t)row, &place, entry->value);
		else if (is_prefix(f->schema, full))
			code = decode_map(f, full, &place, entry->value);
		else
			code = unknown_key(f, &place, prefix, entry);
	}
	return code;
}

static int check_required(const struct fill *f, const struct config_node *node)
{
	for (size_t i = 0; i < f->schema->row_count; i++) {
		const struct config_row *row = &f->schema->rows[i];
		struct place place = {f->place, str_of(row->key)};
		if (row->required && !f->seen[i])
			return refuse(f, &place, node, "is required and was not given");
	}
	return 0;
}

static int decode_struct(struct config_decoder *dec, const struct config_schema *schema,
			 const struct place *place, const struct config_node *node, void *target,
			 struct err *err)
{
	struct fill f = {dec, schema, place, target, NULL, err};
	int code;

	f.seen = arena_zalloc(dec->arena, schema->row_count, sizeof(*f.seen));
	if (!f.seen)
		return err_set(err, ERR_NOMEM, "no memory for the configuration");
	code = node ? decode_map(&f, STR(""), place, node) : 0;
	if (!code)
		code = check_required(&f, node);
	if (code || !schema->check)
		return code;
	code = schema->check(target, err);
	return code ? wrap_place(dec, place, node, err, code) : 0;
}

int config_decode(struct config_decoder *dec, const struct config_schema *schema,
		  const struct config_node *node, void *target, struct err *err)
{
	return decode_struct(dec, schema, NULL, node, target, err);
}

static int default_of(const struct config_row *row, struct arena *arena, char *field,
		      struct err *err)
{
	int code;

	if (row->type == CONFIG_SECTION)
		return config_defaults(row->section, arena, field, err);
	if (!config_is_scalar(row->type) || !row->fallback) {
		if (row->type == CONFIG_STRING)
			*(struct str *)(void *)field = STR("");
		return 0;
	}
	code = config_scalar_set(row, arena, str_of(row->fallback), CONFIG_FROM_DEFAULT, field,
				 err);
	assert(code != ERR_INVALID);
	return code;
}

int config_defaults(const struct config_schema *schema, struct arena *arena, void *target,
		    struct err *err)
{
	int code = 0;

	memset(target, 0, schema->size);
	for (size_t i = 0; i < schema->row_count && !code; i++)
		code = default_of(&schema->rows[i], arena, (char *)target + schema->rows[i].offset,
				  err);
	return code;
}
