/* Private to server: a recording rule, ready to be evaluated, whether a tenant
 * keeps it (settings.v1.RecordingRulesService) or the configuration has it
 * (limits.recording_rules). Fields as in Pyroscope's settings.v1.RecordingRule. */
#pragma once

#include "query/query.h"
#include "server/api.h"
#include "setting.pb-c.h"

enum { RULES_MAX = 1000 }; /* that a tenant may keep, and that the configuration may give it */

struct rule_label {
	struct str name, value;
};

struct rule {
	struct str id;		/* may be empty in the configuration */
	struct str metric_name; /* of Prometheus */
	const struct store_matcher *matchers;
	size_t matcher_count;
	const struct str *group_by;
	size_t group_count;
	const struct rule_label *labels; /* of every series, whatever it is made of */
	size_t label_count;
	struct str function; /* only stacks with a function of this name; "": all */
};

/* Views into the row or message, the rest in the arena. ERR_INVALID says what is wrong with it. */
MUST_USE int rule_of_row(struct arena *arena, const struct server_rule_row *row, struct rule *ret,
			 struct err *err);
MUST_USE int rule_of_message(struct arena *arena, const Settings__V1__RecordingRule *message,
			     struct rule *ret, struct err *err);

/* The profile type that the matchers name; never empty. */
struct str rule_type(const struct rule *rule);

/* The rules that the call's tenant keeps; of the call only api->files, arena and tenant are looked at. */
MUST_USE int recording_rules_read(const struct api_call *call,
				  Settings__V1__RecordingRulesFile **ret, struct err *err);
