/* Tables of a pprof become rows of the batch. */
#include "wire/pprof_read.h"

/* Addresses below are where files are loaded that cannot be loaded elsewhere. */
#define FIXED_LOAD_END UINT64_C(0x100000000)

/* ---- ids ---- */

static int ids_init(struct pprof_reader *r, struct pprof_ids *ids, const char *what, size_t count,
		    struct err *err)
{
	int rc = intake_rows(r->sink, count, err);

	ids->what = what;
	ids->dense_count = rc ? 0 : 2 * (uint64_t)count + 1;
	ids->dense = arena_zalloc(r->arena, ids->dense_count, sizeof(*ids->dense));
	return rc ? rc : ids->dense ? 0 : intake_no_memory(err);
}

static bool ids_get(const struct pprof_ids *ids, uint64_t id, uint32_t *ret)
{
	const uint64_t *row;

	if (id < ids->dense_count) {
		*ret = ids->dense[id] - 1;
		return ids->dense[id] > 0;
	}
	row = map_get(&ids->sparse, id);
	*ret = row ? (uint32_t)*row : 0;
	return row;
}

int pprof_find(const struct pprof_ids *ids, uint64_t id, uint32_t *ret, struct err *err)
{
	if (ids_get(ids, id, ret))
		return 0;
	return err_set(err, ERR_INVALID, "pprof: there is no %s with id %llu", ids->what,
		       (unsigned long long)id);
}

static int ids_put(struct pprof_ids *ids, uint64_t id, uint32_t row, struct err *err)
{
	uint32_t other;

	if (id == 0 || ids_get(ids, id, &other))
		return err_set(err, ERR_INVALID, "pprof: %s id %llu %s", ids->what,
			       (unsigned long long)id, id ? "is there twice" : "is not allowed");
	if (id >= ids->dense_count)
		return map_put(&ids->sparse, id, row, err);
	ids->dense[id] = row + 1;
	return 0;
}

void pprof_dict_deinit(struct pprof_reader *r)
{
	map_deinit(&r->mappings.sparse);
	map_deinit(&r->functions.sparse);
	map_deinit(&r->locations.sparse);
}

/* ---- rows ---- */

static int add_string(struct pprof_reader *r, struct str text, struct err *err)
{
	return intake_string(r->sink, text, &r->strings[r->string_count++], err);
}

/* GNU build ids are hex digits; Go's are four hashes with slashes between. */
static int add_build_id(struct pprof_reader *r, struct str id, struct profile_mapping *mapping,
			uint32_t *attr, struct err *err)
{
	const struct value value = {.kind = VALUE_STRING, .text = id};
	struct str key = str_find_char(id, '/') >= 0 ? STR("process.executable.build_id.go")
						     : STR("process.executable.build_id.gnu");

	if (id.len == 0)
		return 0;
	mapping->attrs = attr;
	mapping->attr_count = 1;
	return profile_attribute(r->sink->batch, key, &value, STR(""), attr, err);
}

static int add_mapping(struct pprof_reader *r, struct str bytes, struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct profile_mapping mapping = {0};
	uint64_t id = 0, build_id = 0;
	uint32_t attr, row;
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number == 1)
			id = field.value;
		else if (field.number == 2)
			mapping.memory_start = field.value;
		else if (field.number == 3)
			mapping.memory_limit = field.value;
		else if (field.number == 4)
			mapping.file_offset = field.value;
		else if (field.number == 5)
			rc = pprof_string(r, field.value, &mapping.filename, err);
		else if (field.number == 6)
			build_id = field.value;
	}
	if (!rc && !cur_ok(&c))
		rc = pprof_malformed("Mapping", err);
	rc = rc ? rc : add_build_id(r, pprof_text(r, build_id), &mapping, &attr, err);
	rc = rc ? rc : profile_mapping(r->sink->batch, &mapping, &row, err);
	return rc ? rc : ids_put(&r->mappings, id, row, err);
}

static int put_function(struct pprof_reader *r, uint64_t id, uint32_t row, struct err *err)
{
	if (id != 0)
		return ids_put(&r->functions, id, row, err);
	r->unnumbered[r->unnumbered_count++] = row;
	return 0;
}

static int add_function(struct pprof_reader *r, struct str bytes, struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct profile_function function = {0};
	struct pb_field field;
	uint64_t id = 0;
	uint32_t row;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number == 1)
			id = field.value;
		else if (field.number == 2)
			rc = pprof_string(r, field.value, &function.name, err);
		else if (field.number == 3)
			rc = pprof_string(r, field.value, &function.system_name, err);
		else if (field.number == 4)
			rc = pprof_string(r, field.value, &function.filename, err);
		else if (field.number == 5)
			function.start_line = (int64_t)field.value;
	}
	if (!rc && !cur_ok(&c))
		rc = pprof_malformed("Function", err);
	rc = rc ? rc : profile_function(r->sink->batch, &function, &row, err);
	return rc ? rc : put_function(r, id, row, err);
}

static uint64_t location_id(struct str bytes)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct pb_field field;
	uint64_t id = 0;

	while (pb_next(&c, &field))
		if (field.number == 1)
			id = field.value;
	return id;
}

static int number_function(struct pprof_reader *r, struct str location, struct err *err)
{
	return ids_put(&r->functions, location_id(location), r->unnumbered[--r->unnumbered_count],
		       err);
}

static void turn_round(uint32_t *rows, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		uint32_t other = rows[i];
		rows[i] = rows[count - 1 - i];
		rows[count - 1 - i] = other;
	}
}

/* Pyroscope's .NET profiler of 2023 gave no function an id, and one to each location, in the same order
 * (pyroscope, og/convert/pprof). */
static int number_functions(struct pprof_reader *r, struct err *err)
{
	if (r->unnumbered_count == 0)
		return 0;
	if (r->unnumbered_count != r->counts[PPROF_LOCATION] ||
	    r->unnumbered_count != r->counts[PPROF_FUNCTION])
		return err_set(err, ERR_INVALID, "pprof: a function has no id");
	turn_round(r->unnumbered, r->unnumbered_count);
	return pprof_each(r, PPROF_LOCATION, number_function, err);
}

static int add_line(struct pprof_reader *r, struct str bytes, uint32_t *count, struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct profile_line *lines =
		arena_grow(r->arena, r->lines, &r->line_cap, *count + (size_t)1, sizeof(*lines));
	struct profile_line line = {0};
	struct pb_field field;
	uint64_t function = 0;
	int rc = 0;

	if (!lines)
		return intake_no_memory(err);
	r->lines = lines;
	while (pb_next(&c, &field)) {
		if (field.number == 1)
			function = field.value;
		else if (field.number == 2)
			line.line = (int64_t)field.value;
		else if (field.number == 3)
			line.column = (int64_t)field.value;
	}
	if (!cur_ok(&c))
		return pprof_malformed("Line", err);
	if (function == 0) /* a line that names nothing */
		return 0;
	rc = pprof_find(&r->functions, function, &line.function, err);
	if (!rc)
		lines[(*count)++] = line;
	return rc;
}

static uint64_t file_address(const struct profile_mapping *mapping, uint64_t address)
{
	bool inside = address >= mapping->memory_start && address < mapping->memory_limit;

	if (!inside || address < FIXED_LOAD_END)
		return address;
	return address - mapping->memory_start + mapping->file_offset;
}

static int add_location(struct pprof_reader *r, struct str bytes, struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct profile_location location = {0};
	uint64_t id = 0, mapping = 0;
	struct pb_field field;
	uint32_t row;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number == 1)
			id = field.value;
		else if (field.number == 2)
			mapping = field.value;
		else if (field.number == 3)
			location.address = field.value;
		else if (field.number == 4)
			rc = add_line(r, field.bytes, &location.line_count, err);
	}
	if (!rc && !cur_ok(&c))
		rc = pprof_malformed("Location", err);
	if (!rc && mapping != 0)
		rc = pprof_find(&r->mappings, mapping, &location.mapping, err);
	if (rc)
		return rc;
	location.lines = location.line_count ? r->lines : NULL;
	location.address =
		file_address(&r->sink->batch->dict.mappings[location.mapping], location.address);
	rc = profile_location(r->sink->batch, &location, &row, err);
	return rc ? rc : ids_put(&r->locations, id, row, err);
}

int pprof_dict(struct pprof_reader *r, struct err *err)
{
	int rc = intake_rows(r->sink, r->counts[PPROF_STRING], err);

	if (rc)
		return rc;
	r->strings = arena_zalloc(r->arena, r->counts[PPROF_STRING], sizeof(*r->strings));
	r->unnumbered = arena_zalloc(r->arena, r->counts[PPROF_FUNCTION], sizeof(*r->unnumbered));
	if (!r->strings || !r->unnumbered)
		return intake_no_memory(err);
	rc = pprof_each(r, PPROF_STRING, add_string, err);
	rc = rc ? rc : ids_init(r, &r->mappings, "mapping", r->counts[PPROF_MAPPING], err);
	rc = rc ? rc : ids_init(r, &r->functions, "function", r->counts[PPROF_FUNCTION], err);
	rc = rc ? rc : ids_init(r, &r->locations, "location", r->counts[PPROF_LOCATION], err);
	rc = rc ? rc : pprof_each(r, PPROF_MAPPING, add_mapping, err);
	rc = rc ? rc : pprof_each(r, PPROF_FUNCTION, add_function, err);
	rc = rc ? rc : number_functions(r, err);
	return rc ? rc : pprof_each(r, PPROF_LOCATION, add_location, err);
}
