/* The only door to stored profiles. Two kinds of engine stand behind it
 * (embedded RocksDB; ClickHouse); callers see only this.
 *
 * Words: a tenant owns series; a series is a profile type and a sorted set of
 * labels; a frame is one function (or one unnamed address) of a stack; a stack
 * is a path in a tree of frames: a node has a parent node and a frame, node 0
 * is the root above every stack; a sample names one node (its leaf).
 *
 * Threads: every function may be called from any thread. Reads see a
 * consistent snapshot and never wait for writes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* ---- what is written ---- */

/* One frame as the batch knows it. Identity is its whole content. */
struct store_frame {
	struct str name;	/* "" when no symbol is known */
	struct str system_name; /* mangled, if it differs, or "" */
	struct str filename;
	struct str kind;     /* profile.frame.type: "native", "kernel", "cpython" ... */
	struct str mapping;  /* file name of the mapping: "libc.so.6" */
	struct str build_id; /* hex: GNU build id if known, else htlhash, else "" */
	uint64_t address; /* in the ELF file; kept only for frames without a name (0 otherwise) */
	int64_t line, start_line;
};

/* A node of the batch's own stack tree; parents come before children; node 0 is the root. */
struct store_node {
	uint32_t parent;
	uint32_t frame; /* index into frames */
};

struct store_label {
	struct str name, value;
};

/* Columns that are not series (never multiply series). Strings are indices into the batch's strings. */
struct store_sample {
	uint64_t time_ns; /* since 1970 */
	int64_t value;
	uint32_t node;
	uint32_t pid, tid;    /* 0: unknown */
	uint32_t thread_name; /* index into strings, 0 = "" */
	int32_t cpu;	      /* -1: unknown */
	uint32_t span;	      /* index into spans + 1, 0 = none */
};

struct store_span {
	uint8_t trace_id[16], span_id[8];
};

struct store_series {
	const struct store_label
		*labels; /* sorted by name, no duplicates; with __profile_type__ and its parts */
	size_t label_count;
	const struct store_sample *samples; /* any order */
	size_t sample_count;
};

/* One request's worth: durable and visible as a whole or not at all. */
struct store_batch {
	struct str tenant;
	struct str identity; /* what tells it from another request with the same samples, or "" */
	const struct str *strings; /* [0] = "" */
	size_t string_count;
	const struct store_frame *frames;
	size_t frame_count;
	const struct store_node *nodes; /* [0] = {0, 0}, the root, whose frame means nothing */
	size_t node_count;
	const struct store_span *spans;
	size_t span_count;
	const struct store_series *series;
	size_t series_count;
};

/* ---- what is asked ---- */

enum match_op {
	MATCH_EQUAL,
	MATCH_NOT_EQUAL,
	MATCH_REGEX,
	MATCH_NOT_REGEX
}; /* PromQL, regex anchored */

struct store_matcher {
	enum match_op op;
	struct str name, value;
};

/* What a client gets to ask for one profile again: the samples of one series at one time. Says where they
 * are, so no index is kept; of another tenant, or made up, it selects nothing. */
struct store_profile_id {
	uint8_t bytes[16];
};

/* Series whose labels satisfy all matchers (an absent label has the value ""), in [start, end) of time.
 * Matchers on the sample columns (thread.id, thread.name, cpu.logical_number, process.pid, span_id,
 * trace_id; with '_' for '.' too) select samples instead of series. */
struct store_selection {
	struct str tenant;
	const struct store_matcher *matchers;
	size_t matcher_count;
	uint64_t start_ns, end_ns;
	const _Atomic int *cancelled; /* may be NULL */
	size_t memory_limit_bytes;    /* 0: the store's default, what all queries may take */
	uint64_t deadline_ns;	      /* of the monotonic clock; then ERR_TIMEOUT; 0: none */
	/* Only samples of these profiles; none: all. */
	const struct store_profile_id *profiles;
	size_t profile_count;
	/* Only samples whose stacks begin (root first) with functions of these names, as
	 * store_frame_name tells them. Not for labels. */
	const struct str *call_sites;
	size_t call_site_count;
};

/* A merged stack tree: parents before children, node 0 the root. Only nodes with samples at or below. */
struct store_tree {
	uint32_t node_count, frame_count;
	const uint32_t *parent;
	const uint32_t *frame;		  /* node -> frames */
	const int64_t *self;		  /* sum of values whose leaf is this node */
	const struct store_frame *frames; /* strings in the arena */
};

struct store_point {
	uint64_t time_ns;
	double value;
};

struct store_points {
	const struct store_label *labels; /* of group_by, absent ones left out */
	size_t label_count;
	struct store_point *points; /* by time; empty steps left out */
	size_t point_count;
};

/* SUM adds up all values of a step, modulo 2^64. AVERAGE divides that by the number of seconds of the
 * step that have any: a gauge that was read four times in a step gives its mean, not four times itself.
 * (Where a step has no whole seconds, or all steps more than a million: of its equal parts, a second or
 * longer.) */
enum store_aggregation { STORE_SUM, STORE_AVERAGE };

struct store_points_options {
	uint64_t step_ns;
	enum store_aggregation aggregation;
	const struct str *group_by; /* labels and sample columns; none: one series without labels */
	size_t group_count;
	uint64_t limit; /* only the largest by the sum of their points; 0: all */
};

/* A function: frames of one name and file. A frame without a name counts by system name and file, else by
 * mapping and address. */
struct store_function {
	struct str name, filename; /* name "": see mapping */
	struct str mapping;	   /* of a frame without a name, else "" */
	uint64_t address;
	int64_t self;
	int64_t total; /* recursion counted once */
};

enum store_top_order { STORE_BY_SELF, STORE_BY_TOTAL };

struct store_top_options {
	enum store_top_order order; /* largest first */
	uint64_t limit;		    /* 0: all */
};

struct store_top {
	const struct store_function *functions;
	size_t count;
	int64_t total; /* of all samples */
};

enum { STORE_HEATMAP_ROWS = 20 };

struct store_heatmap_options {
	uint64_t step_ns;
	const struct str *group_by;
	size_t group_count;
	uint64_t limit; /* only the groups whose values have the largest sums; 0: all */
};

/* How many samples with a value of each row lie in (time - step, time]. */
struct store_slot {
	uint64_t time_ns;
	uint64_t counts[STORE_HEATMAP_ROWS];
};

struct store_heatmap_group {
	const struct store_label *labels; /* absent ones left out */
	size_t label_count;
	const struct store_slot *slots; /* by time; empty ones left out */
	size_t slot_count;
};

/* Rows are equal parts of [min, max], the smallest and largest value of all groups; a value on the border
 * of two belongs to the upper, max to the last; when all values are the same, to the first. */
struct store_heatmap {
	int64_t min, max;
	double row_min[STORE_HEATMAP_ROWS];
	const struct store_heatmap_group *groups; /* by labels */
	size_t group_count;
};

struct store_labels {
	const struct store_label *labels;
	size_t label_count;
};

/* What is counted: profiles (the samples of one series at one time, added up), or those samples of a
 * profile that belong to one span; samples without a span are then left out. */
enum store_unit { STORE_PROFILES, STORE_SPANS };

struct store_tally_options {
	uint64_t step_ns;
	const struct str *group_by;
	size_t group_count;
	enum store_unit unit;
	bool largest; /* of each group and step only the largest value */
};

/* One of those that were counted: the earliest. */
struct store_exemplar {
	uint64_t time_ns;
	uint32_t series; /* index into store_tallies.series */
	struct store_profile_id profile;
	struct store_span span; /* STORE_SPANS only, else zeros */
};

/* So many of one value in (time - step, time]. */
struct store_tally {
	uint64_t time_ns;
	int64_t value;
	uint64_t count;
	struct store_exemplar exemplar;
};

struct store_tally_group {
	const struct store_label *labels; /* absent ones left out */
	size_t label_count;
	const struct store_tally *tallies; /* by time, then value */
	size_t tally_count;
};

struct store_tallies {
	const struct store_tally_group *groups; /* by labels */
	size_t group_count;
	const struct store_labels *series; /* of the exemplars, whole */
	size_t series_count;
};

/* What a question would read. */
struct store_analysis {
	uint64_t series, blocks, samples;
	uint64_t bytes; /* of the blocks, as stored before compression */
};

/* When a tenant's first and last samples are from; 0 and 0: there are none. */
struct store_extent {
	uint64_t oldest_ns, newest_ns;
};

struct store_stats {
	uint64_t samples, disk_bytes;
	uint64_t series, frames, nodes, strings; /* what is there, not what ever was */
	uint64_t oldest_ns, newest_ns;		 /* 0: empty */
};

/* ---- how long things stay ---- */

/* For one tenant, in place of the store's own. */
struct store_override {
	struct str tenant;
	uint64_t age_ns;     /* 0: for ever */
	uint64_t size_bytes; /* on the disk; 0: only the store's limit holds */
};

/* Whole days (UTC) go, the oldest first: those that ended age_ns ago; and, while the store is larger than it
 * may be, the oldest day of a tenant that is over its own limit, else the oldest day of all. Today's stays
 * whatever its size. */
struct store_retention {
	uint64_t age_ns;     /* 0: for ever */
	uint64_t size_bytes; /* of the whole store on the disk; 0: any */
	double size_share; /* the same as a part (0 to 1) of the file system; the smaller limit holds */
	/* With a limit of size, days go also while less than both of these is free on the file system, or
	 * so little that writes would soon be refused. 0: only the latter. */
	uint64_t free_bytes;
	double free_share;
	const struct store_override *overrides;
	size_t override_count;
};

/* What lies on the disk, by part, as far as it has left memory and the log. */
struct store_sizes {
	uint64_t samples_bytes, rollups_bytes;
	uint64_t dictionary_bytes; /* strings, frames, stacks by id */
	uint64_t ids_bytes;	   /* their ids by content */
	uint64_t series_bytes;	   /* labels, postings, days */
	uint64_t other_bytes;	   /* counters, totals, requests of the last minutes */
	bool busy;		   /* files are being written out or merged right now */
};

/* ---- the engine ---- */

struct store;

struct store_options {
	const char *path;      /* directory of the embedded engine */
	uint64_t memory_bytes; /* caches, buffers and queries together; 0: default 256 MiB */
	struct store_retention retention; /* copied; all 0: everything stays for ever */
	uint64_t group_commit_ns;	  /* how long a commit may wait for company; default 2 ms */
	bool manual_maintenance;	  /* nothing in the background: only store_maintain() */
};

/* Opens or creates; refuses a newer format and a directory in use, saying what to do. */
MUST_USE int store_open(const struct store_options *options, struct store **ret, struct err *err);
/* Ends running writes first. NULL is fine. */
void store_close(struct store *store);

/* Returns 0 only after the batch is on disk (synced). A batch with the same content and identity as one
 * written in the last minutes (a client's retry) is acknowledged and not counted twice. ERR_INVALID (a bad index),
 * ERR_LIMIT (disk full: retry later), ERR_IO. */
MUST_USE int store_write(struct store *store, const struct store_batch *batch, struct err *err);

/* Does now what else is done in the background once a minute, as of now_ns: drops what is too old, and the
 * like. Answers do not change, but for what was dropped. Waits for a running round. */
MUST_USE int store_maintain(struct store *store, uint64_t now_ns, struct err *err);

/* From the next round on. What retention points to is copied. ERR_NOMEM: all is as before. */
MUST_USE int store_set_retention(struct store *store, const struct store_retention *retention,
				 struct err *err);

/* Results are in the arena. */
MUST_USE int store_merge(struct store *store, const struct store_selection *selection,
			 struct arena *arena, struct store_tree *ret, struct err *err);
/* The point at t covers (t - step, t]; start and end as in Pyroscope's SelectSeries: points at start,
 * start+step .. <= end. Sorted by labels. */
MUST_USE int store_points(struct store *store, const struct store_selection *selection,
			  const struct store_points_options *options, struct arena *arena,
			  struct store_points **ret, size_t *ret_count, struct err *err);
/* Functions with values on them or below, largest first, then by the other sum, name, file, mapping and
 * address. Sums are modulo 2^64. */
MUST_USE int store_top(struct store *store, const struct store_selection *selection,
		       const struct store_top_options *options, struct arena *arena,
		       struct store_top *ret, struct err *err);
/* Times as in store_points. */
MUST_USE int store_heatmap(struct store *store, const struct store_selection *selection,
			   const struct store_heatmap_options *options, struct arena *arena,
			   struct store_heatmap *ret, struct err *err);
MUST_USE int store_label_names(struct store *store, const struct store_selection *selection,
			       struct arena *arena, struct str **ret, size_t *ret_count,
			       struct err *err);
MUST_USE int store_label_values(struct store *store, const struct store_selection *selection,
				struct str name, struct arena *arena, struct str **ret,
				size_t *ret_count, struct err *err);
/* Distinct label sets, reduced to the given names when name_count > 0; sorted. */
MUST_USE int store_series_labels(struct store *store, const struct store_selection *selection,
				 const struct str *names, size_t name_count, struct arena *arena,
				 struct store_labels **ret, size_t *ret_count, struct err *err);
/* Times as in store_points; distinct values are kept apart, so memory grows with them. */
MUST_USE int store_tally(struct store *store, const struct store_selection *selection,
			 const struct store_tally_options *options, struct arena *arena,
			 struct store_tallies *ret, struct err *err);
/* Reads the heads of all blocks. */
MUST_USE int store_analyze(struct store *store, const struct store_selection *selection,
			   struct store_analysis *ret, struct err *err);
MUST_USE int store_extent(struct store *store, struct str tenant, struct store_extent *ret,
			  struct err *err);
/* What a frame is called: its name, else its system name, else "mapping+0xaddress", else "[unknown]". The
 * frame's own text or the arena's; {NULL, 0} without memory. */
struct str store_frame_name(struct arena *arena, const struct store_frame *frame);
MUST_USE int store_stats(struct store *store, struct store_stats *ret, struct err *err);
MUST_USE int store_sizes(struct store *store, struct store_sizes *ret, struct err *err);

/* ---- care: copies, checks, sizes ---- */

/* What is acknowledged before the call, as a store of its own in DIRECTORY/checkpoints/NAME: hard links,
 * made in some ms. It goes when it is dropped, or when the store is opened next. */
MUST_USE int store_checkpoint(struct store *store, const char *name, struct err *err);
MUST_USE int store_checkpoint_drop(struct store *store, const char *name, struct err *err);

/* The functions below take the directory of a store that may or may not be in use by any process: when
 * it is, they ask that process for a checkpoint and look at that. */

struct store_copy {
	const char *from;   /* directory of a store */
	const char *to;	    /* the directory that appears, whole, at the end; must not be there */
	const char *within; /* where in `to` the copy of the store lies: "store", or "" */
	const _Atomic int *cancelled;					       /* may be NULL */
	void (*progress)(void *user, uint64_t done_bytes, uint64_t all_bytes); /* may be NULL */
	void *user;
};

struct store_copied {
	uint64_t bytes, files;
};

/* The copy is made as TO.partial, synced, and then renamed; what an interrupted one left there is taken
 * away by the next. ERR_EXISTS, ERR_BUSY, ERR_NOT_FOUND, ERR_UNSUPPORTED (a newer format), ERR_LIMIT. */
MUST_USE int store_copy(const struct store_copy *options, struct store_copied *ret,
			struct err *err);

struct store_verified {
	uint64_t tenants, days, series, postings, marks;
	uint64_t blocks, samples, samples_all; /* all: as the totals of the days say */
	uint64_t sum_blocks, sums; /* sums: sets of sums (of an hour or day) against samples */
	uint64_t entries, ids;	   /* of the dictionary; of the way back to it */
	uint64_t bytes, took_ns;   /* of keys and values, as they are after decompression */
	uint64_t findings, findings_said;
};

struct store_verify {
	const char *path;
	uint64_t memory_bytes;	      /* 0: 64 MiB; and beside it some bits an id */
	const _Atomic int *cancelled; /* may be NULL */
	/* One sentence; of findings of one kind only the first 20. */
	void (*found)(void *user, const char *sentence);
	void (*progress)(void *user, const struct store_verified *so_far); /* may be NULL */
	void *user;
};

/* Reads everything and checks every rule of the format. 0 when all was looked at: is ret->findings 0
 * too, then all is well. ERR_CORRUPT: the database cannot even be opened. */
MUST_USE int store_verify(const struct store_verify *options, struct store_verified *ret,
			  struct err *err);

struct store_part {
	const char *name;
	uint64_t disk_bytes;
};

enum { STORE_PARTS_MAX = 12 };

struct store_measured {
	struct store_part parts[STORE_PARTS_MAX];
	size_t part_count;
	struct store_stats totals;
};

/* What takes how much of the disk, without reading it. */
MUST_USE int store_measure(const char *path, struct store_measured *ret, struct err *err);

/* ---- names that come after the frames (docs/symbols.md) ---- */

enum {
	STORE_SYMBOLS_MAX = 4 * 1000 * 1000,	     /* functions of one build id */
	STORE_SYMBOLS_BYTES_MAX = 128 * 1024 * 1024, /* their stored form before compression */
	STORE_SYMBOL_TEXT_MAX = 65535,		     /* bytes of one name */
	STORE_BUILD_ID_MAX = 256,
	STORE_SYMBOLS_SOURCE_MAX = 64,
};

/* One function of an executable file. */
struct store_symbol {
	uint64_t start;		/* address in the ELF file */
	uint64_t size;		/* 0: to the next start; the last one 4 KiB */
	struct str name;	/* as people read it (demangled); not empty */
	struct str system_name; /* mangled, if it differs, or "" */
	struct str filename;	/* or "" */
};

struct store_symbols {
	struct str build_id;
	struct str source; /* "upload", "debuginfod" */
	uint64_t time_ns;  /* when they came, since 1970 */
	uint64_t functions;
	uint64_t size_bytes; /* stored form before compression */
};

struct store_missing {
	struct str build_id;
	struct str mapping; /* file name of one of its frames */
	uint64_t frames;    /* without a name */
};

/* Names for frames of a build id that have none, in all that is stored and all that will come: from now on
 * answers hold them, and nothing is rewritten. Replaces what the build id had before, whole; durable when it
 * returns. Functions in any order; where they overlap, the one that starts last counts, and the first given of
 * those that start at one place. *ret_replaced (may be NULL): the build id had some. The tenant is made when it
 * is new. ERR_INVALID (no build id, no function, one without a name, a text that is too long), ERR_LIMIT, ERR_IO. */
MUST_USE int store_symbols_put(struct store *store, struct str tenant, struct str build_id,
			       struct str source, const struct store_symbol *symbols, size_t count,
			       bool *ret_replaced, struct err *err);
/* ERR_NOT_FOUND: the build id has none. */
MUST_USE int store_symbols_delete(struct store *store, struct str tenant, struct str build_id,
				  struct err *err);
/* ERR_NOT_FOUND: the build id has none. */
MUST_USE int store_symbols_get(struct store *store, struct str tenant, struct str build_id,
			       struct arena *arena, struct store_symbols *ret, struct err *err);
/* Sorted by build id. */
MUST_USE int store_symbols_list(struct store *store, struct str tenant, struct arena *arena,
				struct store_symbols **ret, size_t *ret_count, struct err *err);
/* The build ids of frames that have no name, and no symbols here; most frames first. Reads the frames with
 * ids from *from_frame on (NULL: all), and sets it to where the next call goes on. */
MUST_USE int store_symbols_missing(struct store *store, struct str tenant, uint32_t *from_frame,
				   struct arena *arena, struct store_missing **ret,
				   size_t *ret_count, struct err *err);
/* For what is kept beside the store, on its disk: ERR_LIMIT when so little is left that it takes no profiles either. */
MUST_USE int store_check_room(struct store *store, struct err *err);
/* Every tenant that ever wrote, sorted. */
MUST_USE int store_tenants(struct store *store, struct arena *arena, struct str **ret,
			   size_t *ret_count, struct err *err);
