/* A naive store in memory: a list of samples, each with its labels and its
 * whole stack, and every question answered by looking at all of them. It shares
 * no code with the engine. Vocabularies are small, so that things meet. */
#pragma once

#include "help.h"

enum {
	MODEL_TENANTS = 2,
	MODEL_FRAMES = 24,
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
	unsigned tenant, series; /* series: which label set */
	struct model_labels labels;
	unsigned depth;
	unsigned frames[MODEL_DEPTH]; /* root first */
	uint64_t time_ns;
	int64_t value;
	uint32_t pid, tid, thread_name, span;
	int32_t cpu;
};

struct model {
	struct model_sample *samples;
	size_t count, cap;
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
void model_free(struct model *model);

extern const struct str model_tenants[MODEL_TENANTS];

/* Answers as text, a sorted line each; the engine's answer is brought into the same form. */
void model_merge(const struct model *model, const struct store_selection *selection, char **ret);
void model_points(const struct model *model, const struct store_selection *selection,
		  uint64_t step_ns, const struct str *group_by, size_t group_count, char **ret);
void model_label_names(const struct model *model, const struct store_selection *selection,
		       char **ret);
void model_label_values(const struct model *model, const struct store_selection *selection,
			struct str name, char **ret);
void model_series(const struct model *model, const struct store_selection *selection,
		  const struct str *names, size_t name_count, char **ret);

/* Sorted, distinct lines as one text, to be freed. */
struct lines {
	char **list;
	size_t count, cap;
};
void lines_add(struct lines *lines, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *lines_text(struct lines *lines);
/* One frame as text: all of its content. */
void frame_text(const struct store_frame *frame, char *ret, size_t cap);
