/* LabelNames, LabelValues and Series of querier.v1.QuerierService. */
#include "server/querier_private.h"

#include "querier.pb-c.h"
#include "server/labels_reply.h"
#include "server/range.h"

static int add_names(const struct api_call *call, const struct query_range *range, void *user,
		     struct err *err)
{
	struct store_selection selection;
	struct str *names;
	size_t count;

	int rc = query_select(call->arena, range, &selection, err);
	if (rc == 0)
		rc = store_label_names(call->api->store, &selection, call->arena, &names, &count,
				       err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct str name =
			call->utf8_names ? names[i] : api_legacy_name(call->arena, names[i]);
		if (name.ptr)
			rc = texts_add(user, name, err);
	}
	return rc;
}

int querier_label_names(const struct api_call *call, const ProtobufCMessage *message,
			ProtobufCMessage *response, struct err *err)
{
	const Types__V1__LabelNamesRequest *in = (const void *)message;
	Types__V1__LabelNamesResponse *out = (void *)response;
	struct texts names = {.arena = call->arena};

	int rc = api_each_selector(call, in->matchers, in->n_matchers, in->start, in->end,
				   add_names, &names, err);
	return rc ? rc : texts_take(&names, &out->names, &out->n_names, err);
}

struct value_list {
	struct texts texts;
	struct str name;
};

static int add_values(const struct api_call *call, const struct query_range *range, void *user,
		      struct err *err)
{
	struct value_list *list = user;
	struct store_selection selection;
	struct str *values;
	size_t count;

	int rc = query_select(call->arena, range, &selection, err);
	if (rc == 0)
		rc = store_label_values(call->api->store, &selection, list->name, call->arena,
					&values, &count, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = texts_add(&list->texts, values[i], err);
	return rc;
}

int querier_label_values(const struct api_call *call, const ProtobufCMessage *message,
			 ProtobufCMessage *response, struct err *err)
{
	const Types__V1__LabelValuesRequest *in = (const void *)message;
	Types__V1__LabelValuesResponse *out = (void *)response;
	struct value_list list = {.texts = {.arena = call->arena}, .name = str_of(in->name)};

	if (list.name.len == 0)
		return err_set(err, ERR_INVALID, "name: which label's values?");
	int rc = api_each_selector(call, in->matchers, in->n_matchers, in->start, in->end,
				   add_values, &list, err);
	return rc ? rc : texts_take(&list.texts, &out->names, &out->n_names, err);
}

/* ---- Series ---- */

struct series_list {
	struct label_sets sets;
	const struct str *names;
	size_t name_count;
};

static int add_series(const struct api_call *call, const struct query_range *range, void *user,
		      struct err *err)
{
	struct series_list *list = user;
	struct store_selection selection;
	struct store_labels *sets;
	size_t count;

	int rc = query_select(call->arena, range, &selection, err);
	if (rc == 0)
		rc = store_series_labels(call->api->store, &selection, list->names,
					 list->name_count, call->arena, &sets, &count, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = label_sets_add(&list->sets, &sets[i], err);
	return rc;
}

int querier_series(const struct api_call *call, const ProtobufCMessage *message,
		   ProtobufCMessage *response, struct err *err)
{
	const Querier__V1__SeriesRequest *in = (const void *)message;
	Querier__V1__SeriesResponse *out = (void *)response;
	struct series_list list = {.sets = {.arena = call->arena},
				   .names = api_strings(call->arena, in->label_names,
							in->n_label_names),
				   .name_count = in->n_label_names};

	if (!list.names)
		return err_set(err, ERR_NOMEM, "no memory for the answer");
	int rc = api_check_count(list.name_count, API_NAMES_MAX, "label_names", err);
	if (rc)
		return rc;
	rc = api_each_selector(call, in->matchers, in->n_matchers, in->start, in->end, add_series,
			       &list, err);
	return rc ? rc
		  : label_sets_take(&list.sets, !call->utf8_names, &out->labels_set,
				    &out->n_labels_set, err);
}
