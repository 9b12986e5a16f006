/* Fields of a protobuf message may come in any order, so samples, locations and
 * functions are written as they are met; only mappings (whose extent grows with
 * their addresses) and the string table wait for the end. Each distinct
 * content has one id: the packed numbers of a row serve as its key. */
#include "wire/pprof_write.h"

#include "base/strtab.h"
#include "wire/proto.h"

/* Numbers of proto/profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	PROFILE_TIME = 9,
	PROFILE_DURATION = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	TYPE_TYPE = 1,
	TYPE_UNIT = 2,
	SAMPLE_LOCATION = 1,
	SAMPLE_VALUE = 2,
	MAPPING_ID = 1,
	MAPPING_LIMIT = 3,
	MAPPING_FILENAME = 5,
	MAPPING_BUILD_ID = 6,
	MAPPING_HAS_FUNCTIONS = 7,
	MAPPING_HAS_FILENAMES = 8,
	MAPPING_HAS_LINES = 9,
	LOCATION_ID = 1,
	LOCATION_MAPPING = 2,
	LOCATION_ADDRESS = 3,
	LOCATION_LINE = 4,
	LINE_FUNCTION = 1,
	LINE_LINE = 2,
	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_SYSTEM_NAME = 3,
	FUNCTION_FILENAME = 4,
	FUNCTION_START_LINE = 5,
};

enum { ROWS_MAX = INT32_MAX, PAGE = 4096 };

struct mapping {
	uint32_t filename, build_id;
	uint64_t limit;
	bool unnamed, filenames, lines;
};

struct pprof_writer {
	struct arena *arena;
	struct buf *out;
	struct strtab *texts, *functions, *locations, *mappings;
	struct mapping *mapping_list; /* by id - 1 */
	size_t mapping_cap;
};

struct mapping_key {
	uint32_t filename, build_id;
};

struct function_key {
	uint32_t name, system_name, filename, pad;
	int64_t start_line;
};

struct location_key {
	uint32_t mapping, function;
	uint64_t address;
	int64_t line;
};

static int text(struct pprof_writer *w, struct str s, uint32_t *ret, struct err *err)
{
	return strtab_intern(w->texts, s, ret, err);
}

/* *ret_new: it was not there before. */
static int row(struct strtab *tab, const void *key, size_t bytes, uint32_t *ret, bool *ret_new,
	       struct err *err)
{
	uint32_t count = strtab_count(tab);
	int rc = strtab_intern(tab, str_make(key, bytes), ret, err);
	*ret_new = rc == 0 && strtab_count(tab) > count;
	return rc;
}

/* ---- begin ---- */

static int put_type(struct pprof_writer *w, uint32_t field, struct str type, struct str unit,
		    struct err *err)
{
	uint32_t type_id, unit_id;
	int rc = text(w, type, &type_id, err);
	rc = rc ? rc : text(w, unit, &unit_id, err);
	if (rc)
		return rc;
	size_t begin = pb_begin(w->out, field);
	pb_put_uint(w->out, TYPE_TYPE, type_id);
	pb_put_uint(w->out, TYPE_UNIT, unit_id);
	pb_end(w->out, begin);
	return 0;
}

static int make_tables(struct pprof_writer *w, struct err *err)
{
	int rc = strtab_create(w->arena, ROWS_MAX, &w->texts, err);
	rc = rc ? rc : strtab_create(w->arena, ROWS_MAX, &w->functions, err);
	rc = rc ? rc : strtab_create(w->arena, ROWS_MAX, &w->locations, err);
	return rc ? rc : strtab_create(w->arena, ROWS_MAX, &w->mappings, err);
}

int pprof_write_begin(struct arena *arena, const struct pprof_head *head, struct buf *out,
		      struct pprof_writer **ret, struct err *err)
{
	struct pprof_writer *w = arena_zalloc(arena, 1, sizeof(*w));
	if (!w)
		return err_set(err, ERR_NOMEM, "pprof: no memory");
	w->arena = arena;
	w->out = out;
	int rc = make_tables(w, err);
	rc = rc ? rc : put_type(w, PROFILE_SAMPLE_TYPE, head->sample_type, head->sample_unit, err);
	if (rc == 0 && head->period_type.len + head->period_unit.len > 0)
		rc = put_type(w, PROFILE_PERIOD_TYPE, head->period_type, head->period_unit, err);
	pb_put_int(out, PROFILE_TIME, head->time_ns);
	pb_put_int(out, PROFILE_DURATION, head->duration_ns);
	pb_put_int(out, PROFILE_PERIOD, head->period);
	*ret = w;
	return rc;
}

/* ---- frames ---- */

static int find_mapping(struct pprof_writer *w, const struct pprof_frame *frame, uint32_t *ret,
			struct err *err)
{
	struct mapping_key key;
	bool fresh;
	*ret = 0;
	if (frame->mapping.len + frame->build_id.len == 0)
		return 0;
	int rc = text(w, frame->mapping, &key.filename, err);
	rc = rc ? rc : text(w, frame->build_id, &key.build_id, err);
	rc = rc ? rc : row(w->mappings, &key, sizeof(key), ret, &fresh, err);
	if (rc || !fresh)
		return rc;
	struct mapping *list =
		arena_grow(w->arena, w->mapping_list, &w->mapping_cap, *ret, sizeof(*list));
	if (!list)
		return err_set(err, ERR_NOMEM, "pprof: no memory for a mapping");
	w->mapping_list = list;
	list[*ret - 1] = (struct mapping){.filename = key.filename, .build_id = key.build_id};
	return 0;
}

/* What pprof is told about a mapping: that it need not look for names there. */
static void note(struct pprof_writer *w, uint32_t mapping, const struct pprof_frame *frame)
{
	if (!mapping)
		return;
	struct mapping *m = &w->mapping_list[mapping - 1];
	m->unnamed |= frame->name.len == 0;
	m->filenames |= frame->filename.len > 0;
	m->lines |= frame->line > 0;
	if (frame->address >= m->limit)
		m->limit = frame->address + 1;
}

static void put_function(struct pprof_writer *w, uint32_t id, const struct function_key *key)
{
	size_t begin = pb_begin(w->out, PROFILE_FUNCTION);
	pb_put_uint(w->out, FUNCTION_ID, id);
	pb_put_uint(w->out, FUNCTION_NAME, key->name);
	pb_put_uint(w->out, FUNCTION_SYSTEM_NAME, key->system_name);
	pb_put_uint(w->out, FUNCTION_FILENAME, key->filename);
	pb_put_int(w->out, FUNCTION_START_LINE, key->start_line);
	pb_end(w->out, begin);
}

static int find_function(struct pprof_writer *w, const struct pprof_frame *frame, uint32_t *ret,
			 struct err *err)
{
	struct function_key key = {.start_line = frame->start_line};
	bool fresh = false;
	*ret = 0;
	if (frame->name.len == 0)
		return 0;
	int rc = text(w, frame->name, &key.name, err);
	rc = rc ? rc
		: text(w, frame->system_name.len ? frame->system_name : frame->name,
		       &key.system_name, err);
	rc = rc ? rc : text(w, frame->filename, &key.filename, err);
	rc = rc ? rc : row(w->functions, &key, sizeof(key), ret, &fresh, err);
	if (rc == 0 && fresh)
		put_function(w, *ret, &key);
	return rc;
}

static void put_location(struct pprof_writer *w, uint32_t id, const struct location_key *key)
{
	size_t begin = pb_begin(w->out, PROFILE_LOCATION);
	pb_put_uint(w->out, LOCATION_ID, id);
	pb_put_uint(w->out, LOCATION_MAPPING, key->mapping);
	pb_put_uint(w->out, LOCATION_ADDRESS, key->address);
	if (key->function) {
		size_t line = pb_begin(w->out, LOCATION_LINE);
		pb_put_uint(w->out, LINE_FUNCTION, key->function);
		pb_put_int(w->out, LINE_LINE, key->line);
		pb_end(w->out, line);
	}
	pb_end(w->out, begin);
}

int pprof_write_frame(struct pprof_writer *w, const struct pprof_frame *frame,
		      uint32_t *ret_location, struct err *err)
{
	struct location_key key = {.address = frame->address, .line = frame->line};
	bool fresh;
	int rc = find_mapping(w, frame, &key.mapping, err);
	rc = rc ? rc : find_function(w, frame, &key.function, err);
	rc = rc ? rc : row(w->locations, &key, sizeof(key), ret_location, &fresh, err);
	if (rc || !fresh)
		return rc;
	note(w, key.mapping, frame);
	put_location(w, *ret_location, &key);
	return 0;
}

/* ---- samples, end ---- */

void pprof_write_sample(struct pprof_writer *w, const uint32_t *locations, size_t count,
			int64_t value)
{
	size_t begin = pb_begin(w->out, PROFILE_SAMPLE);
	if (count > 0) {
		size_t list = pb_begin(w->out, SAMPLE_LOCATION);
		for (size_t i = 0; i < count; i++)
			pb_put_varint(w->out, locations[i]);
		pb_end(w->out, list);
	}
	size_t values = pb_begin(w->out, SAMPLE_VALUE);
	pb_put_varint(w->out, (uint64_t)value);
	pb_end(w->out, values);
	pb_end(w->out, begin);
}

static uint64_t whole_pages(uint64_t bytes)
{
	return bytes > UINT64_MAX - PAGE ? UINT64_MAX : (bytes + PAGE - 1) / PAGE * PAGE;
}

static void put_mapping(struct pprof_writer *w, uint32_t id, const struct mapping *mapping)
{
	size_t begin = pb_begin(w->out, PROFILE_MAPPING);
	pb_put_uint(w->out, MAPPING_ID, id);
	pb_put_uint(w->out, MAPPING_LIMIT, whole_pages(mapping->limit));
	pb_put_uint(w->out, MAPPING_FILENAME, mapping->filename);
	pb_put_uint(w->out, MAPPING_BUILD_ID, mapping->build_id);
	pb_put_uint(w->out, MAPPING_HAS_FUNCTIONS, !mapping->unnamed);
	pb_put_uint(w->out, MAPPING_HAS_FILENAMES, !mapping->unnamed && mapping->filenames);
	pb_put_uint(w->out, MAPPING_HAS_LINES, !mapping->unnamed && mapping->lines);
	pb_end(w->out, begin);
}

int pprof_write_end(struct pprof_writer *w, struct err *err)
{
	for (uint32_t id = 1; id < strtab_count(w->mappings); id++)
		put_mapping(w, id, &w->mapping_list[id - 1]);
	for (uint32_t id = 0; id < strtab_count(w->texts); id++)
		pb_put_bytes(w->out, PROFILE_STRING, strtab_get(w->texts, id));
	return buf_check(w->out, "pprof", err);
}
