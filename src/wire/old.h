/* Private to wire: the layouts of OTLP profiles up to 1.7 (A, B, C, D).
 *
 * What they have in common, and later ones have not: a stack is a slice of the
 * profile's location_indices; a profile has several sample types, and a sample
 * a value for each; index 0 is a row like any other. They differ in where their
 * tables are and in their numbers. So each is a set of tables in old_fields.c;
 * one reader for protobuf (otlp_old.c) and one for JSON (json_old.c) follow them
 * into the structs below, which have room for what any of them says; and
 * old_tables.c and old_profile.c make the batch of it, whatever the layout and
 * the encoding was.
 *
 * Source: opentelemetry-proto, profiles/v1experimental/pprofextended.proto of
 * 1.3 and profiles/v1development/profiles.proto of 1.4 to 1.7. */
#pragma once

#include "wire/decode.h"

/* ---- what was read, with indices as sent ---- */

struct old_rows {
	void *items;
	uint32_t count;
	size_t cap;
};

struct old_numbers {
	uint64_t *items;
	uint32_t count;
	size_t cap;
};

struct old_optional {
	uint64_t value;
	bool set;
};

/* Messages that are read one by one, later. */
struct old_later {
	const void *where;
	size_t size; /* at least as many values are in them */
	uint64_t count;
};

struct old_mapping {
	uint64_t memory_start, memory_limit, file_offset, filename;
	uint64_t build_id, build_id_kind; /* A */
	uint64_t has_functions, has_filenames, has_line_numbers, has_inline_frames;
	struct index_list attrs;
};

struct old_line {
	uint64_t function, line, column;
};

struct old_location {
	struct old_optional mapping;
	uint64_t address, is_folded, type /* A, a string */;
	struct old_rows lines;
	struct index_list attrs;
};

struct old_function {
	uint64_t name, system_name, filename, start_line;
};

struct old_unit {
	uint64_t key, unit;
};

struct old_label { /* A */
	uint64_t key, text, number, unit;
};

struct old_value_type {
	uint64_t type, unit;
};

struct old_dict {
	struct old_rows mappings, locations, functions, units;
	struct old_rows links;	    /* struct profile_link */
	struct old_rows attributes; /* struct key_value */
	struct old_rows strings;    /* struct str, views */
};

struct old_sample {
	uint64_t start, length;
	struct index_list locations; /* A, instead of the two */
	struct old_numbers values, times;
	struct index_list attrs;
	struct old_rows labels;
	struct old_optional link;
};

struct old_profile {
	struct old_dict dict; /* A, B */
	struct old_rows sample_types;
	struct old_value_type period_type;
	struct old_later samples;
	struct index_list locations; /* location_indices */
	uint64_t time_ns, duration_ns, period, dropped_attributes;
	uint64_t start_ns, end_ns;	   /* A, of the container */
	uint64_t drop_frames, keep_frames; /* A, strings */
	struct index_list comments, attrs;
	struct old_rows pairs; /* A and 1.4: attributes in the profile itself */
	struct str original_format, original_payload;
	uint8_t profile_id[16];
};

/* ---- how to read it ---- */

enum old_kind {
	OLD_NONE,
	OLD_NUMBER,  /* varint → uint64_t */
	OLD_BOOL,    /* the same; true and false in JSON */
	OLD_ENUM,    /* the same; BUILD_ID_BINARY_HASH is 1 in JSON */
	OLD_PRESENT, /* varint → struct old_optional */
	OLD_FIXED,   /* fixed64 → uint64_t */
	OLD_INDICES, /* → struct index_list */
	OLD_NUMBERS, /* varints → struct old_numbers */
	OLD_SIGNED,  /* the same; may be negative in JSON */
	OLD_TEXT,    /* → struct str */
	OLD_BYTES,   /* → struct str */
	OLD_ID8,     /* → uint8_t[8]; another length is no id */
	OLD_ID16,
	OLD_STRINGS, /* → struct old_rows of views */
	OLD_PAIRS,   /* KeyValue → struct old_rows of struct key_value */
	OLD_ROW,     /* a message, read into the struct at the offset */
	OLD_ROWS,    /* messages → struct old_rows */
	OLD_LATER,   /* messages → struct old_later */
};

struct old_message;

struct old_field {
	const char *name; /* in JSON */
	uint8_t kind;	  /* enum old_kind */
	uint16_t offset;
	const struct old_message *inner;
};

struct old_message {
	const char *what;
	const struct old_field *fields; /* by number */
	uint32_t count, row_bytes;
};

struct old_layout {
	const struct old_message *request; /* into struct old_dict; NULL: tables are in profiles */
	const struct old_message *profile; /* into struct old_profile */
	const struct old_message *sample;
	/* Numbers have no presence (A): a location without a mapping_index is of the first mapping. */
	bool first_mapping;
};

/* NULL for E and F. */
const struct old_layout *old_layout_of(enum wire_layout layout);

/* As arena_grow, but a new array has exactly need elements. */
void *old_grow(struct decoder *dec, void *array, size_t *cap, size_t need, size_t elem_bytes);
/* Zeroed room for one row more; when there is none left, for as many as more says. Counts it as a row
 * of the dictionary. */
MUST_USE int old_rows_add(struct decoder *dec, struct old_rows *rows, uint32_t more,
			  size_t row_bytes, const char *what, void **ret, struct err *err);

/* ---- what to make of it ---- */

/* Index as sent → index in the batch. */
struct old_map {
	uint32_t *to;
	uint32_t count;
};

static inline uint32_t old_index(const struct old_map *map, uint64_t index)
{
	return index < map->count ? map->to[index] : (uint32_t)INDEX_BAD;
}

struct old_tables {
	struct old_map strings, mappings, locations, functions, links, attributes;
	bool first_mapping;
};

/* Interns all rows into the batch. The lists in raw are used up. */
MUST_USE int old_tables_make(struct decoder *dec, const struct old_dict *raw, bool first_mapping,
			     struct old_tables *ret, struct err *err);
/* Attribute indices as sent, made those of the batch; room for extra more in cap. */
MUST_USE int old_attrs(struct decoder *dec, const struct old_tables *tables,
		       struct index_list *list, uint32_t extra, struct err *err);
/* Adds an attribute to a list that has room. */
MUST_USE int old_attr_add(struct decoder *dec, struct index_list *list, struct str key,
			  const struct value *value, struct str unit, struct err *err);

struct old_job;
typedef int old_sample_fn(struct old_job *job, struct old_sample *sample, struct err *err);
/* Calls fn for each of the samples until a code is not 0. */
typedef int old_each_fn(void *user, const struct old_later *samples, old_sample_fn *fn,
			struct old_job *job, struct err *err);

/* A profile for each of its sample types, at the end of scope. One that cannot be understood is reported,
 * and no error. */
MUST_USE int old_profile_add(struct decoder *dec, struct profile_scope *scope,
			     struct old_profile *raw, old_each_fn *each, void *user,
			     struct err *err);
