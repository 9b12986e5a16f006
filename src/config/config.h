/* Configuration: YAML to a tree, a tree to a C struct by a table of rows, and
 * command lines by the same rows.
 *
 *	parse → (merge, set) → expand → decode            collector files
 *	expand text → parse → decode → flags              Pyroscope files
 *
 * A tree keeps file, line and column of every node, so that each complaint can
 * say where. One row describes one key once: type, place in the struct, default,
 * range, unit, help, flag; parsing, checking, --help and the reference page all
 * come from it. Everything lives in the caller's arena. One thread per arena. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* ---- the tree ------------------------------------------------------------ */

enum config_kind { CONFIG_NULL, CONFIG_SCALAR, CONFIG_LIST, CONFIG_MAP };

struct config_node;

/* A map's pair or a list's item (whose key is {NULL, 0}). */
struct config_entry {
	struct str key; /* NUL-terminated */
	uint32_t line;	/* of the key, from 1 */
	uint32_t column;
	struct config_node *value; /* never NULL */
};

struct config_node {
	enum config_kind kind;
	bool quoted; /* a scalar in quotes or a block: text, whatever it looks like */
	uint32_t line;
	uint32_t column;
	const char *file;
	struct str text;	      /* of a scalar, NUL-terminated */
	struct config_entry *entries; /* of a list or map, in the order of the file */
	size_t count;
};

/* What one document may take, aliases counted as often as they are used. */
enum {
	CONFIG_DEPTH_MAX = 64,
	CONFIG_NODES_MAX = 200 * 1000,
	CONFIG_FILE_MAX_BYTES = 8 * 1024 * 1024,
	CONFIG_ANCHORS_MAX = 1000,
	CONFIG_MERGED_KEYS_MAX = 2000, /* of a map that uses << */
};

/* One YAML document; an empty one is a CONFIG_NULL node. Merge keys (<<) work. ERR_INVALID
 * "FILE:LINE:COLUMN: why" (syntax, duplicate key with both places, a second document, an unknown or
 * cyclic alias), ERR_LIMIT, ERR_NOMEM. file names the source in errors and is copied. */
MUST_USE int config_parse(struct arena *arena, const char *file, struct str text,
			  struct config_node **ret, struct err *err);
/* The same from a file; ERR_NOT_FOUND, ERR_DENIED, ERR_IO name it. */
MUST_USE int config_parse_file(struct arena *arena, const char *path, struct config_node **ret,
			       struct err *err);

/* The value of a key of a map, or NULL (also when node is NULL or no map). */
struct config_node *config_get(const struct config_node *node, const char *key);
/* By path, parts separated by sep: config_get_path(root, "service::pipelines", "::"). */
struct config_node *config_get_path(const struct config_node *node, const char *path,
				    const char *sep);
/* Sets err to "FILE:LINE: <sentence>" of the node; returns code. */
int config_err(const struct config_node *node, struct err *err, int code, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* Keys that hold "::" become nested maps, deeply ("a::b: 1" is "a: {b: 1}"), as the Collector does.
 * ERR_INVALID when that collides with another key. */
MUST_USE int config_split_keys(struct arena *arena, struct config_node *root, struct err *err);
/* Puts over on top of *base (either may be NULL or CONFIG_NULL): maps merge deeply, lists and
 * scalars are replaced, an explicit null erases. */
MUST_USE int config_merge(struct arena *arena, struct config_node **base, struct config_node *over,
			  struct err *err);
/* --set: "a.b.c=value", the value read as YAML, merged on top. */
MUST_USE int config_set(struct arena *arena, struct config_node **base, const char *assignment,
			struct err *err);
/* The tree as YAML. Values of keys that name a secret (password, token, key_pem, headers …) are
 * shown as [REDACTED] when redact. */
void config_print(const struct config_node *root, bool redact, struct buf *out);

/* ---- environment --------------------------------------------------------- */

struct config_env {
	/* The value of a variable or NULL; a NULL function means getenv(3). */
	const char *(*get)(void *data, const char *name);
	/* Told "environment variable X is not set" and the like; may be NULL. */
	void (*warn)(void *data, const char *text);
	void *data;
};

/* Collector style, in all values of a tree: ${VAR} and ${env:VAR}, ${env:VAR:-text}, ${file:path},
 * ${yaml:text}, nested, innermost first; $$ is $. A reference that is the whole value is read as
 * YAML (so it may be a number, list or map), one inside text gives its text; an unset variable is
 * null or empty, and warned about. ERR_INVALID, ERR_LIMIT "too many recursive expansions". env may
 * be NULL; a NULL root has nothing to expand. */
MUST_USE int config_expand(struct arena *arena, struct config_node *root,
			   const struct config_env *env, struct err *err);
/* Pyroscope style (-config.expand-env), on the whole text before parsing: ${VAR} and
 * ${VAR:-default}, which also stands in for an empty variable; an unset one is empty; $${ is ${. A
 * bare $ stays, since regular expressions and $1 need it. */
MUST_USE int config_expand_text(struct arena *arena, struct str text, const struct config_env *env,
				struct str *ret, struct err *err);

/* ---- values -------------------------------------------------------------- */

/* Go's durations: 300ms, 1h2m3.5s, 0, with ns us µs ms s m h, and d w y as Prometheus has them. */
bool config_to_duration(struct str text, int64_t *ret_ns);
/* 1h2m3s, the way that Go prints it. */
void config_put_duration(struct buf *out, int64_t ns);
/* 4096, 4KB, 4KiB, 4Ki, 1.5GiB: K M G T are powers of 1000, Ki Mi Gi Ti of 1024. */
bool config_to_size(struct str text, uint64_t *ret_bytes);
/* true false (YAML 1.2), any case. */
bool config_to_bool(struct str text, bool *ret);

/* ---- schema -------------------------------------------------------------- */

enum config_type {
	CONFIG_BOOL,	   /* bool */
	CONFIG_INT,	   /* int16_t int32_t int64_t, by the field's size */
	CONFIG_UINT,	   /* uint16_t uint32_t uint64_t */
	CONFIG_FLOAT,	   /* double */
	CONFIG_STRING,	   /* struct str, NUL-terminated */
	CONFIG_DURATION,   /* int64_t, nanoseconds */
	CONFIG_SIZE,	   /* uint64_t, bytes */
	CONFIG_ENUM,	   /* int or an enum: the index into choices */
	CONFIG_STRINGS,	   /* struct config_strings; a scalar is split at commas */
	CONFIG_STRING_MAP, /* struct config_pairs; also a list of {name, value} */
	CONFIG_SECTION,	   /* the struct of .section, embedded */
	CONFIG_SECTIONS,   /* struct config_items: a list of .section */
	CONFIG_NAMED,	   /* struct config_items: a map from a name to .section */
	CONFIG_TREE,	   /* const struct config_node *, to be read by the owner; NULL if absent */
	CONFIG_CUSTOM,	   /* .decode does it */
	CONFIG_IGNORED,	   /* known, of no effect here (anything below it too), and warned about */
};

struct config_strings {
	struct str *items;
	size_t count;
};

struct config_pair {
	struct str key;
	struct str value;
};

struct config_pairs {
	struct config_pair *items;
	size_t count;
};

/* count structs of the section's size, one after the other; names[i] only for CONFIG_NAMED. */
struct config_items {
	void *items;
	struct str *names;
	size_t count;
};

/* How the sentences look. */
enum config_style {
	CONFIG_COLLECTOR, /* FILE:LINE: key "a::b": unknown (did you mean "c"?) */
	CONFIG_PYROSCOPE, /* FILE:LINE: field "b" not found in "a" (did you mean "c"?) */
};

struct config_decoder {
	struct arena *arena;
	enum config_style style;
	const char *root; /* path of what is decoded, "exporters::otlp_grpc", or NULL */
	/* Told what works but deserves a word ("FILE:LINE: ..."); may be NULL. */
	void (*warn)(void *data, const char *text);
	void *data;
};

struct config_schema;

struct config_row {
	const char *key; /* dots lead into maps: "tls.insecure" */
	enum config_type type;
	size_t offset; /* these two by CONFIG_FIELD */
	size_t size;
	const char *fallback; /* the default as one would write it; NULL: zero, empty, absent */
	double min, max;      /* both 0: any. Durations in seconds, lists by their count */
	const char *unit;     /* "Hz", for the help */
	const char *help;     /* one line */
	const char *const *choices; /* CONFIG_ENUM: NULL-terminated */
	const struct config_schema *section;
	int (*decode)(struct config_decoder *dec, const struct config_node *node, void *field,
		      struct err *err);
	const char *flag;	/* name on the command line, without dashes; NULL: none. That of a
				 * CONFIG_SECTION is put in front of the flags of its rows */
	const char *flag_alias; /* another one, "v" */
	bool required;
	bool secret;		/* never printed */
	bool flag_only;		/* not a key of the file; key names it in help */
	bool has_presence;	/* by CONFIG_PRESENCE */
	size_t presence_offset; /* a bool that becomes true when the key is there and not null */
};

/* In a row: where the value goes. */
#define CONFIG_FIELD(struct_, field_) \
	.offset = offsetof(struct struct_, field_), .size = sizeof(((struct struct_ *)0)->field_)
/* In a row: a bool of the same struct that says whether the key was given, even as {}. It is set
 * before the value is decoded, so a section's own "enabled: false" can take it back. */
#define CONFIG_PRESENCE(struct_, field_) \
	.has_presence = true, .presence_offset = offsetof(struct struct_, field_)

struct config_schema {
	const char *name; /* "limits", for sentences and docs; may be NULL */
	const char *help;
	size_t size; /* of the struct that the rows fill */
	const struct config_row *rows;
	size_t row_count;
	/* What no single row can say ("cert_file without key_file"); may be NULL. The sentence names
	 * the keys; file and line of the section are put in front. */
	int (*check)(const void *target, struct err *err);
};

#define CONFIG_SCHEMA(name_, struct_, rows_, ...)                                 \
	{                                                                         \
		.name = (name_), .size = sizeof(struct struct_), .rows = (rows_), \
		.row_count = sizeof(rows_) / sizeof((rows_)[0]), __VA_ARGS__      \
	}

/* Fills target with the defaults of every row, sections included. A default that does not parse is
 * our own mistake and asserts. ERR_NOMEM. */
MUST_USE int config_defaults(const struct config_schema *schema, struct arena *arena, void *target,
			     struct err *err);
/* Puts what the tree says over what is in target (call config_defaults first). node may be NULL or
 * CONFIG_NULL: nothing given. ERR_INVALID "FILE:LINE: key "x": why (expected ...)". */
MUST_USE int config_decode(struct config_decoder *dec, const struct config_schema *schema,
			   const struct config_node *node, void *target, struct err *err);

/* A struct as the tree of keys and values that it would be read from; values of rows that are secret are [REDACTED].
 * What the rows ignore is left out. ERR_NOMEM. */
MUST_USE int config_show(const struct config_schema *schema, struct arena *arena,
			 const void *target, struct config_node **ret, struct err *err);
/* The part of such a tree (a map) that differs from another one of the same schema. ERR_NOMEM. */
MUST_USE int config_diff(struct arena *arena, const struct config_node *now,
			 const struct config_node *before, struct config_node **ret,
			 struct err *err);
/* An empty map, and one more key of a map, for trees of one's own making. ERR_NOMEM. */
MUST_USE int config_map_create(struct arena *arena, struct config_node **ret, struct err *err);
MUST_USE int config_map_add(struct arena *arena, struct config_node *map, struct str key,
			    struct config_node *value, struct err *err);
/* Calls each with the path ("limits.max_query_length") and value (NULL: no more there) of what differs. ERR_NOMEM. */
MUST_USE int config_differences(struct arena *arena, const struct config_node *now,
				const struct config_node *before,
				void (*each)(void *user, struct str path,
					     const struct config_node *value),
				void *user, struct err *err);

/* ---- command line -------------------------------------------------------- */

/* Go's flag rules for the rows that have a flag, sections included: -x=v, -x v, --x, a bool without
 * value, "--" ends the flags. A list flag given twice adds up. Only target's fields that are named
 * change, so it may run before the file (to learn its name) and again after it (flags win).
 * Arguments that are no flags go to *ret_rest; with ret_rest NULL they are an error.
 * ERR_INVALID: flag provided but not defined: -x (did you mean -y?). */
MUST_USE int config_flags(const struct config_schema *schema, struct arena *arena, void *target,
			  int argc, char *const *argv, struct config_strings *ret_rest,
			  struct err *err);

/* ---- help and docs ------------------------------------------------------- */

/* The flags, one paragraph each, in the order of the rows; dashes is "-" or "--". */
void config_help_flags(const struct config_schema *schema, const char *dashes, struct buf *out);
/* The keys as a Markdown table: key, type, default, what it is. */
void config_help_keys(const struct config_schema *schema, struct buf *out);
/* The one of count names that is likely meant by text, or NULL. */
const char *config_suggest(struct str text, const char *const *names, size_t count);
