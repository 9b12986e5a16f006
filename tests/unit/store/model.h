/* A naive store in memory: a list of samples, each with its labels and its
 * whole stack, and every question answered by looking at all of them. It shares
 * no code with the engine. Vocabularies are small, so that things meet; texts
 * are static, so that two that are the same have the same address.
 *
 * Files: model.c (what is stored), model_names.c (names that come later),
 * model_select.c (which samples a question means), model_answer.c and
 * model_points.c (the answers). model_symbols.c asks the engine, too. */
#pragma once

#include "help.h"

enum {
	MODEL_TENANTS = 2,
	MODEL_FRAMES = 32,
	MODEL_BUILD_IDS = 3,
	MODEL_SYMBOLS = 6,
	MODEL_SPANS = 6,
	MODEL_DEPTH = 6,
	MODEL_LABELS = 8,
	MODEL_THREAD_NAMES = 4,
	TEXT_MAX = 4096,
};

struct model_labels {
	unsigned count;
	struct store_label list[MODEL_LABELS]; /* sorted; static texts */
};

struct model_sample {
	unsigned tenant, series; /* series: into the model's */
	struct model_labels labels;
	unsigned depth;
	unsigned frames[MODEL_DEPTH];	 /* root first */
	unsigned paths[MODEL_DEPTH + 1]; /* ids of the stack's beginnings, by length */
	uint64_t time_ns;
	int64_t value;
	uint32_t pid, tid, thread_name, span;
	int32_t cpu;
};

/* Samples with the same labels, without the empty ones. */
struct model_series {
	unsigned tenant;
	struct model_labels labels;
};

/* Functions of a build id; count 0: there are none. */
struct model_symbols {
	struct store_symbol list[MODEL_SYMBOLS];
	size_t count;
	struct str source;
};

struct model {
	struct model_sample *samples;
	size_t count, cap;
	struct model_series *series;
	size_t series_count, series_cap;
	struct model_symbols symbols[MODEL_TENANTS][MODEL_BUILD_IDS];
};

/* A batch and the memory it points into. */
struct model_batch {
	struct store_batch batch;
	struct model_sample *samples;
	size_t sample_count;
	struct store_series series[4];
	struct model_labels labels[4];
	struct store_sample rows[4][64];
	struct store_node nodes[4 * 64 * MODEL_DEPTH + 1];
	struct model_sample copies[4 * 64];
};

void model_random_batch(struct random *random, struct model_batch *ret);
void model_add(struct model *model, const struct model_batch *batch);
/* What the retention drops. */
void model_drop(struct model *model, unsigned tenant, uint64_t before_ns);
void model_free(struct model *model);

extern const struct str model_tenants[MODEL_TENANTS];
extern const struct store_frame *model_frames;
extern const struct str model_thread_names[MODEL_THREAD_NAMES];
extern struct store_span model_spans[MODEL_SPANS];

/* Sorted, distinct lines (or all in their order) as one text, to be freed. */
struct lines {
	char *bytes;
	size_t used, room;
	size_t *starts, count, cap;
};
void lines_add(struct lines *lines, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *lines_text(struct lines *lines);
char *lines_in_order(struct lines *lines);

/* ---- stacks ---- */

/* Each beginning of a stack has a number; 0 is the empty one. */
unsigned model_path(unsigned parent, unsigned frame);
unsigned model_path_count(void);
/* As text, its frames with all of their content. */
void model_path_text(unsigned path, char ret[TEXT_MAX]);
/* The one of the frames, named as they are now, with that content; or MODEL_FRAMES. */
unsigned model_frame_of(const struct store_frame named[MODEL_FRAMES],
			const struct store_frame *frame);

/* ---- names that come later ---- */

extern const struct str model_build_ids[MODEL_BUILD_IDS];
void model_random_symbols(struct random *random, unsigned build_id, struct model_symbols *ret);
/* Does any of them have one? */
bool model_has_address(const struct model_symbols *symbols);
unsigned model_tenant_of(struct str tenant);
/* The build id whose symbols may name that frame, or MODEL_BUILD_IDS. */
unsigned model_late_build_id(const struct store_frame *frame);
/* All frames as the tenant's answers have them. */
void model_name_frames(const struct model *model, struct str tenant,
		       struct store_frame ret[MODEL_FRAMES]);

/* In the engine and in the model: some are put or deleted; the lists are the same. */
void model_change_symbols(struct random *random, struct store *store, struct model *model);
void model_compare_symbols(struct store *store, const struct model *model, struct str tenant,
			   struct arena *arena);

/* ---- which samples ---- */

/* What a name means, found out once per question. */
struct model_name {
	struct str name;
	int word; /* a sample field, or 0 */
};

struct model_question {
	const struct model *model;
	const struct store_selection *selection;
	struct model_name matchers[8];
	bool *series; /* whose labels match, and the tenant */
};

void question_begin(struct model_question *q, const struct model *model,
		    const struct store_selection *selection);
void question_end(struct model_question *q);
struct model_name model_name_of(struct str name);
/* The sample's own value, else its series' label, else "". Static. */
const char *model_value(const struct model_question *q, const struct model_sample *s,
			const struct model_name *name);
const char *model_label(const struct model_series *series, struct str name);
/* Do all matchers take it? In [start, end)? */
bool model_selected(const struct model_question *q, const struct model_sample *s);
bool model_in_range(const struct model_question *q, const struct model_sample *s);
/* "name=value," for each that is there; returns the end. */
char *model_group_text(const struct model_question *q, const struct model_sample *s,
		       const struct model_name *names, size_t count, char *at);

/* ---- answers: as text, a line each; the engine's answer is brought into the same form ---- */

/* Sums by path, and which paths are in the answer. To be freed. */
struct model_tree {
	size_t path_count;
	int64_t *sums;
	bool *there;
	size_t there_count;
};
void model_merge(const struct model *model, const struct store_selection *selection,
		 struct model_tree *ret);
void model_points(const struct model *model, const struct store_selection *selection,
		  const struct store_points_options *options, char **ret);
/* In order. */
void model_top(const struct model *model, const struct store_selection *selection,
	       const struct store_top_options *options, char **ret);
void model_heatmap(const struct model *model, const struct store_selection *selection,
		   const struct store_heatmap_options *options, char **ret);
void model_label_names(const struct model *model, const struct store_selection *selection,
		       char **ret);
void model_label_values(const struct model *model, const struct store_selection *selection,
			struct str name, char **ret);
void model_series(const struct model *model, const struct store_selection *selection,
		  const struct str *names, size_t name_count, char **ret);
