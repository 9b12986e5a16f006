/* The rows of the older layouts are interned: each profile of 1.3 to 1.5 brings its
 * own tables, which are mostly the same, and index 0 of the batch is not theirs. */
#include <assert.h>

#include "base/map.h"
#include "wire/old.h"

void *old_grow(struct decoder *dec, void *array, size_t *cap, size_t need, size_t elem_bytes)
{
	if (array)
		return arena_grow(dec->arena, array, cap, need, elem_bytes);
	*cap = need;
	return arena_zalloc(dec->arena, need, elem_bytes);
}

int old_rows_add(struct decoder *dec, struct old_rows *rows, uint32_t more, size_t row_bytes,
		 const char *what, void **ret, struct err *err)
{
	char *grown = rows->items;

	if (++dec->rows > dec->limits->rows)
		return err_set(err, ERR_LIMIT, "%s: more than %llu rows in the tables", what,
			       (unsigned long long)dec->limits->rows);
	if (rows->count == rows->cap)
		grown = old_grow(dec, rows->items, &rows->cap,
				 rows->count + (more ? (size_t)more : 1), row_bytes);
	if (!grown)
		return decoder_no_memory(err);
	rows->items = grown;
	*ret = memset(grown + rows->count++ * row_bytes, 0, row_bytes);
	return 0;
}

static int make_map(struct decoder *dec, uint32_t count, struct old_map *map, struct err *err)
{
	map->to = arena_zalloc(dec->arena, count, sizeof(*map->to));
	map->count = count;
	return map->to ? 0 : decoder_no_memory(err);
}

static int add_strings(struct decoder *dec, const struct old_rows *rows, struct old_map *map,
		       struct err *err)
{
	const struct str *views = rows->items;
	int rc = make_map(dec, rows->count, map, err);

	for (uint32_t i = 0; i < rows->count && !rc; i++) {
		struct str text = views[i];
		if (!str_is_utf8(text))
			text = decoder_text(dec->arena, text);
		rc = text.ptr || text.len == 0 ? profile_string(dec->batch, text, &map->to[i], err)
					       : decoder_no_memory(err);
	}
	return rc;
}

/* ---- attributes ---- */

/* Key → unit, both strings of the batch. */
static int note_units(const struct old_tables *tables, const struct old_rows *rows,
		      struct map *units, struct err *err)
{
	const struct old_unit *raw = rows->items;
	int rc = 0;

	for (uint32_t i = 0; i < rows->count && !rc; i++) {
		uint32_t key = old_index(&tables->strings, raw[i].key);
		uint32_t unit = old_index(&tables->strings, raw[i].unit);
		if (key != INDEX_BAD && unit != INDEX_BAD)
			rc = map_put(units, key, unit, err);
	}
	return rc;
}

static int add_attribute(struct decoder *dec, const struct key_value *pair, const struct map *units,
			 uint32_t *ret, struct err *err)
{
	struct str unit = STR("");
	const uint64_t *found;
	uint32_t key;
	int rc = profile_string(dec->batch, pair->key, &key, err);

	found = rc ? NULL : map_get(units, key);
	if (found)
		unit = profile_str(&dec->batch->dict, (uint32_t)*found);
	return rc ? rc : profile_attribute(dec->batch, pair->key, &pair->value, unit, ret, err);
}

static int add_attributes(struct decoder *dec, const struct old_dict *raw,
			  struct old_tables *tables, struct err *err)
{
	__attribute__((cleanup(map_deinit))) struct map units = {0};
	const struct key_value *pairs = raw->attributes.items;
	int rc = make_map(dec, raw->attributes.count, &tables->attributes, err);

	rc = rc ? rc : note_units(tables, &raw->units, &units, err);
	for (uint32_t i = 0; i < raw->attributes.count && !rc; i++)
		rc = add_attribute(dec, &pairs[i], &units, &tables->attributes.to[i], err);
	return rc;
}

int old_attrs(struct decoder *dec, const struct old_tables *tables, struct index_list *list,
	      uint32_t extra, struct err *err)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		uint32_t attr = old_index(&tables->attributes, list->items[i]);
		if (attr != 0) /* an attribute without key and value */
			list->items[kept++] = attr;
	}
	list->count = kept;
	if (extra == 0)
		return 0;
	uint32_t *grown =
		old_grow(dec, list->items, &list->cap, kept + (size_t)extra, sizeof(*grown));
	if (!grown)
		return decoder_no_memory(err);
	list->items = grown;
	return 0;
}

int old_attr_add(struct decoder *dec, struct index_list *list, struct str key,
		 const struct value *value, struct str unit, struct err *err)
{
	uint32_t attr;
	int rc = profile_attribute(dec->batch, key, value, unit, &attr, err);

	assert(list->count < list->cap);
	if (!rc)
		list->items[list->count++] = attr;
	return rc;
}

/* What was a field and is now an attribute (semantic conventions, "pprof"): only what is set. */
static int add_flag(struct decoder *dec, struct index_list *list, const char *key, uint64_t set,
		    struct err *err)
{
	const struct value yes = {.kind = VALUE_BOOL, .number = 1};

	return set ? old_attr_add(dec, list, str_of(key), &yes, STR(""), err) : 0;
}

static int add_name(struct decoder *dec, const struct old_tables *tables, struct index_list *list,
		    const char *key, uint64_t string, struct err *err)
{
	struct value value = {.kind = VALUE_STRING};

	if (string == 0) /* not set, whatever the table begins with */
		return 0;
	value.text = profile_str(&dec->batch->dict, old_index(&tables->strings, string));
	return value.text.len ? old_attr_add(dec, list, str_of(key), &value, STR(""), err) : 0;
}

/* ---- rows ---- */

enum { MAPPING_EXTRA = 5, LOCATION_EXTRA = 2 };

/* A's own build id: the linker's, or a hash of the file, which has the name of the only one that was ever
 * sent so. */
static const char *build_id_key(const struct old_mapping *raw)
{
	return raw->build_id_kind == 1 ? "process.executable.build_id.htlhash"
				       : "process.executable.build_id.gnu";
}

static int mapping_attrs(struct decoder *dec, const struct old_tables *tables,
			 struct old_mapping *raw, struct err *err)
{
	struct index_list *list = &raw->attrs;
	bool more = raw->build_id || raw->has_functions || raw->has_filenames ||
		    raw->has_line_numbers || raw->has_inline_frames;
	int rc = old_attrs(dec, tables, list, more ? MAPPING_EXTRA : 0, err);

	rc = rc ? rc : add_name(dec, tables, list, build_id_key(raw), raw->build_id, err);
	rc = rc ? rc : add_flag(dec, list, "pprof.mapping.has_functions", raw->has_functions, err);
	rc = rc ? rc : add_flag(dec, list, "pprof.mapping.has_filenames", raw->has_filenames, err);
	rc = rc ? rc
		: add_flag(dec, list, "pprof.mapping.has_line_numbers", raw->has_line_numbers, err);
	return rc ? rc
		  : add_flag(dec, list, "pprof.mapping.has_inline_frames", raw->has_inline_frames,
			     err);
}

static int add_mappings(struct decoder *dec, const struct old_rows *rows, struct old_tables *tables,
			struct err *err)
{
	struct old_mapping *raw = rows->items;
	int rc = make_map(dec, rows->count, &tables->mappings, err);

	for (uint32_t i = 0; i < rows->count && !rc; i++) {
		rc = mapping_attrs(dec, tables, &raw[i], err);
		if (rc)
			break;
		struct profile_mapping row = {
			.memory_start = raw[i].memory_start,
			.memory_limit = raw[i].memory_limit,
			.file_offset = raw[i].file_offset,
			.filename = old_index(&tables->strings, raw[i].filename),
			.attrs = raw[i].attrs.items,
			.attr_count = raw[i].attrs.count,
		};
		rc = profile_mapping(dec->batch, &row, &tables->mappings.to[i], err);
	}
	return rc;
}

static int add_functions(struct decoder *dec, const struct old_rows *rows,
			 struct old_tables *tables, struct err *err)
{
	const struct old_function *raw = rows->items;
	int rc = make_map(dec, rows->count, &tables->functions, err);

	for (uint32_t i = 0; i < rows->count && !rc; i++) {
		struct profile_function row = {
			.name = old_index(&tables->strings, raw[i].name),
			.system_name = old_index(&tables->strings, raw[i].system_name),
			.filename = old_index(&tables->strings, raw[i].filename),
			.start_line = (int64_t)raw[i].start_line,
		};
		rc = profile_function(dec->batch, &row, &tables->functions.to[i], err);
	}
	return rc;
}

static int add_links(struct decoder *dec, const struct old_rows *rows, struct old_tables *tables,
		     struct err *err)
{
	const struct profile_link *raw = rows->items;
	int rc = make_map(dec, rows->count, &tables->links, err);

	for (uint32_t i = 0; i < rows->count && !rc; i++)
		rc = profile_link(dec->batch, &raw[i], &tables->links.to[i], err);
	return rc;
}

static uint32_t mapping_of(const struct old_tables *tables, const struct old_location *raw)
{
	if (!raw->mapping.set && (!tables->first_mapping || tables->mappings.count == 0))
		return 0;
	return old_index(&tables->mappings, raw->mapping.value);
}

static int make_lines(struct decoder *dec, const struct old_tables *tables,
		      const struct old_rows *rows, const struct profile_line **ret, struct err *err)
{
	const struct old_line *raw = rows->items;
	struct profile_line *lines = arena_zalloc(dec->arena, rows->count, sizeof(*lines));

	if (!lines)
		return decoder_no_memory(err);
	for (uint32_t i = 0; i < rows->count; i++)
		lines[i] = (struct profile_line){
			.function = old_index(&tables->functions, raw[i].function),
			.line = (int64_t)raw[i].line,
			.column = (int64_t)raw[i].column,
		};
	*ret = lines;
	return 0;
}

static int location_attrs(struct decoder *dec, const struct old_tables *tables,
			  struct old_location *raw, struct err *err)
{
	struct index_list *list = &raw->attrs;
	bool more = raw->type || raw->is_folded;
	int rc = old_attrs(dec, tables, list, more ? LOCATION_EXTRA : 0, err);

	rc = rc ? rc : add_name(dec, tables, list, "profile.frame.type", raw->type, err);
	return rc ? rc : add_flag(dec, list, "pprof.location.is_folded", raw->is_folded, err);
}

static int add_location(struct decoder *dec, const struct old_tables *tables,
			struct old_location *raw, uint32_t *ret, struct err *err)
{
	struct profile_location row = {
		.mapping = mapping_of(tables, raw),
		.address = raw->address,
		.line_count = raw->lines.count,
	};
	int rc = location_attrs(dec, tables, raw, err);

	if (!rc && row.line_count)
		rc = make_lines(dec, tables, &raw->lines, &row.lines, err);
	row.attrs = raw->attrs.items;
	row.attr_count = raw->attrs.count;
	return rc ? rc : profile_location(dec->batch, &row, ret, err);
}

static int add_locations(struct decoder *dec, const struct old_rows *rows,
			 struct old_tables *tables, struct err *err)
{
	struct old_location *raw = rows->items;
	int rc = make_map(dec, rows->count, &tables->locations, err);

	for (uint32_t i = 0; i < rows->count && !rc; i++)
		rc = add_location(dec, tables, &raw[i], &tables->locations.to[i], err);
	return rc;
}

int old_tables_make(struct decoder *dec, const struct old_dict *raw, bool first_mapping,
		    struct old_tables *ret, struct err *err)
{
	int rc = add_strings(dec, &raw->strings, &ret->strings, err);

	ret->first_mapping = first_mapping;
	rc = rc ? rc : add_attributes(dec, raw, ret, err);
	rc = rc ? rc : add_mappings(dec, &raw->mappings, ret, err);
	rc = rc ? rc : add_functions(dec, &raw->functions, ret, err);
	rc = rc ? rc : add_links(dec, &raw->links, ret, err);
	return rc ? rc : add_locations(dec, &raw->locations, ret, err);
}
