/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/gates.h"

#include "base/str.h"

/* The Collector's own (v0.159.0, `otelcol featuregate`). */
static const char *const other_gates[] = {
	"confmap.enableMergeAppendOption", "pkg.exporterhelper.queueBatchEnabled",
	"pdata.useProtoPooling",	   "receiverhelper.newReceiverMetrics",
	"service.AllowNoPipelines",	   "service.partialReload",
	"service.partialReloadReceivers",  "telemetry.newPipelineTelemetry",
};

static bool is_other(struct str name)
{
	for (size_t i = 0; i < sizeof(other_gates) / sizeof(other_gates[0]); i++)
		if (str_equal(str_of(other_gates[i]), name))
			return true;
	return false;
}

static int set_gate(struct str text, struct gates *gates, struct err *err)
{
	bool on = text.len == 0 || text.ptr[0] != '-';
	if (text.len && (text.ptr[0] == '-' || text.ptr[0] == '+'))
		text = str_sub(text, 1, text.len - 1);
	if (str_equal(text, STR("service.profilesSupport")))
		gates->profiles = on;
	else if (!is_other(text))
		return err_set(err, ERR_INVALID,
			       "no such feature gate \"%.*s\" (the one that matters is "
			       "service.profilesSupport)",
			       STR_ARG(text));
	return 0;
}

int gates_parse(const char *const *lists, size_t count, struct gates *ret, struct err *err)
{
	*ret = (struct gates){0};
	for (size_t i = 0; i < count; i++) {
		struct str rest = str_of(lists[i]), part;
		while (str_next(&rest, ',', &part)) {
			int rc = str_trim(part).len ? set_gate(str_trim(part), ret, err) : 0;
			if (rc)
				return rc;
		}
	}
	return 0;
}
