/* Private to server: lists of texts and label sets on their way into messages. */
#pragma once

#include "server/api.h"
#include "types.pb-c.h"

/* Gathers; taken sorted and each once. */
struct texts {
	struct arena *arena;
	struct str *items;
	size_t count, cap;
};

MUST_USE int texts_add(struct texts *texts, struct str text, struct err *err);
MUST_USE int texts_take(struct texts *texts, char ***ret, size_t *ret_count, struct err *err);

struct label_sets {
	struct arena *arena;
	struct store_labels *items;
	size_t count, cap;
};

MUST_USE int label_sets_add(struct label_sets *sets, const struct store_labels *set,
			    struct err *err);
/* legacy: names as api_legacy_name() tells them, those without are left out. */
MUST_USE int label_sets_take(struct label_sets *sets, bool legacy, Types__V1__Labels ***ret,
			     size_t *ret_count, struct err *err);
MUST_USE int labels_reply(struct arena *arena, const struct store_labels *labels, bool legacy,
			  Types__V1__LabelPair ***ret, size_t *ret_count, struct err *err);
