/* settings.v1.RecordingRulesService: rules are kept for a tenant, by id. */
#include "server/services.h"

#include <sys/random.h>

#include "server/pbjson.h"
#include "server/rule.h"
#include "server/tenant_message.h"

enum { FILE_BYTES_MAX = 4 * 1024 * 1024, ID_BYTES = 10 };

static const char FILE_NAME[] = "recording_rules.pb";

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the recording rules");
}

static int load(const struct api_call *call, Settings__V1__RecordingRulesFile **ret,
		struct err *err)
{
	return tenant_message_read(call, FILE_NAME, FILE_BYTES_MAX,
				   &settings__v1__recording_rules_file__descriptor,
				   (ProtobufCMessage **)ret, err);
}

static int save(const struct api_call *call, const Settings__V1__RecordingRulesFile *file,
		struct err *err)
{
	return tenant_message_write(call, FILE_NAME, FILE_BYTES_MAX, &file->base, err);
}

/* ERR_NOT_FOUND. */
static int find(const Settings__V1__RecordingRulesFile *file, const char *id, size_t *ret,
		struct err *err)
{
	for (size_t i = 0; i < file->n_rules; i++)
		if (strcmp(file->rules[i]->id, id) == 0) {
			*ret = i;
			return 0;
		}
	return err_set(err, ERR_NOT_FOUND, "no recording rule has the id \"%.64s\"", id);
}

/* ---- reading ---- */

int recording_rules_read(const struct api_call *call, Settings__V1__RecordingRulesFile **ret,
			 struct err *err)
{
	pthread_mutex_lock(&call->api->files->lock);
	int rc = load(call, ret, err);
	pthread_mutex_unlock(&call->api->files->lock);
	return rc;
}

static int list(const struct api_call *call, const ProtobufCMessage *message,
		ProtobufCMessage *response, struct err *err)
{
	Settings__V1__ListRecordingRulesResponse *out = (void *)response;
	Settings__V1__RecordingRulesFile *file;
	(void)message;
	int rc = recording_rules_read(call, &file, err);
	if (rc)
		return rc;
	out->rules = file->rules;
	out->n_rules = file->n_rules;
	return 0;
}

static int get(const struct api_call *call, const ProtobufCMessage *message,
	       ProtobufCMessage *response, struct err *err)
{
	const Settings__V1__GetRecordingRuleRequest *in = (const void *)message;
	Settings__V1__RecordingRulesFile *file;
	size_t at;
	int rc = recording_rules_read(call, &file, err);
	rc = rc ? rc : find(file, in->id, &at, err);
	if (rc == 0)
		((Settings__V1__GetRecordingRuleResponse *)response)->rule = file->rules[at];
	return rc;
}

/* ---- what a rule must be ---- */

/* *ret_type: the profile type that the matchers name. */
static int check(const struct api_call *call, const Settings__V1__UpsertRecordingRuleRequest *in,
		 struct str *ret_type, struct err *err)
{
	Settings__V1__RecordingRule message = SETTINGS__V1__RECORDING_RULE__INIT;
	struct rule rule;

	message.metric_name = in->metric_name;
	message.matchers = in->matchers;
	message.n_matchers = in->n_matchers;
	message.group_by = in->group_by;
	message.n_group_by = in->n_group_by;
	message.external_labels = in->external_labels;
	message.n_external_labels = in->n_external_labels;
	message.stacktrace_filter = in->stacktrace_filter;
	int rc = rule_of_message(call->arena, &message, &rule, err);
	if (rc == 0)
		*ret_type = rule_type(&rule);
	return rc;
}

/* ---- changing ---- */

static char *new_id(struct arena *arena)
{
	uint8_t bytes[ID_BYTES];
	char *id = arena_alloc(arena, ID_BYTES + 1);
	if (!id || getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return NULL;
	for (size_t i = 0; i < ID_BYTES; i++)
		id[i] = (char)('a' + bytes[i] % 26);
	id[ID_BYTES] = '\0';
	return id;
}

static int append(const struct api_call *call, Settings__V1__RecordingRulesFile *file, size_t *ret,
		  struct err *err)
{
	if (file->n_rules >= RULES_MAX)
		return err_set(err, ERR_LIMIT, "a tenant has at most %d recording rules",
			       RULES_MAX);
	Settings__V1__RecordingRule **grown =
		arena_zalloc(call->arena, file->n_rules + 1, sizeof(*grown));
	if (!grown)
		return no_memory(err);
	if (file->n_rules > 0)
		memcpy(grown, file->rules, file->n_rules * sizeof(*grown));
	file->rules = grown;
	*ret = file->n_rules++;
	return 0;
}

static int fill(const struct api_call *call, const Settings__V1__UpsertRecordingRuleRequest *in,
		struct str type, int64_t generation, Settings__V1__RecordingRule **ret,
		struct err *err)
{
	Settings__V1__RecordingRule *rule =
		(Settings__V1__RecordingRule *)pbmsg_new(call->arena,
							 &settings__v1__recording_rule__descriptor);
	if (!rule)
		return no_memory(err);
	rule->id = in->id[0] ? in->id : new_id(call->arena);
	rule->metric_name = in->metric_name;
	rule->profile_type = api_text(call->arena, type);
	rule->matchers = in->matchers;
	rule->n_matchers = in->n_matchers;
	rule->group_by = in->group_by;
	rule->n_group_by = in->n_group_by;
	rule->external_labels = in->external_labels;
	rule->n_external_labels = in->n_external_labels;
	rule->stacktrace_filter = in->stacktrace_filter;
	rule->generation = generation;
	*ret = rule;
	return rule->id && rule->profile_type ? 0 : no_memory(err);
}

static int put(const struct api_call *call, const Settings__V1__UpsertRecordingRuleRequest *in,
	       struct str type, Settings__V1__RecordingRule **ret, struct err *err)
{
	Settings__V1__RecordingRulesFile *file;
	size_t at = 0;
	int64_t generation = 1;
	int rc = load(call, &file, err);
	if (rc)
		return rc;
	rc = in->id[0] ? find(file, in->id, &at, err) : append(call, file, &at, err);
	if (rc == 0 && in->id[0]) {
		generation = file->rules[at]->generation + 1;
		if (in->generation != file->rules[at]->generation)
			rc = err_set(err, ERR_EXISTS,
				     "the rule was changed meanwhile: its generation is %lld",
				     (long long)file->rules[at]->generation);
	}
	rc = rc ? rc : fill(call, in, type, generation, ret, err);
	if (rc)
		return rc;
	file->rules[at] = *ret;
	return save(call, file, err);
}

static int upsert(const struct api_call *call, const ProtobufCMessage *message,
		  ProtobufCMessage *response, struct err *err)
{
	const Settings__V1__UpsertRecordingRuleRequest *in = (const void *)message;
	Settings__V1__UpsertRecordingRuleResponse *out = (void *)response;
	struct str type = STR("");
	int rc = check(call, in, &type, err);
	if (rc)
		return rc;
	pthread_mutex_lock(&call->api->files->lock);
	rc = put(call, in, type, &out->rule, err);
	pthread_mutex_unlock(&call->api->files->lock);
	return rc;
}

static int drop(const struct api_call *call, const char *id, struct err *err)
{
	Settings__V1__RecordingRulesFile *file;
	size_t at = 0;
	int rc = load(call, &file, err);
	rc = rc ? rc : find(file, id, &at, err);
	if (rc)
		return rc;
	memmove(file->rules + at, file->rules + at + 1,
		(file->n_rules - at - 1) * sizeof(*file->rules));
	file->n_rules--;
	return save(call, file, err);
}

static int remove_one(const struct api_call *call, const ProtobufCMessage *message,
		      ProtobufCMessage *response, struct err *err)
{
	const Settings__V1__DeleteRecordingRuleRequest *in = (const void *)message;
	(void)response;
	pthread_mutex_lock(&call->api->files->lock);
	int rc = drop(call, in->id, err);
	pthread_mutex_unlock(&call->api->files->lock);
	return rc;
}

API_SECONDS(get_seconds, "settings.GetRecordingRule");
API_SECONDS(list_seconds, "settings.ListRecordingRules");
API_SECONDS(upsert_seconds, "settings.UpsertRecordingRule");
API_SECONDS(delete_seconds, "settings.DeleteRecordingRule");

#define RULES "/settings.v1.RecordingRulesService/"

static const struct api_rpc rpcs[] = {
	API_RPC(RULES "GetRecordingRule", settings__v1__get_recording_rule_request,
		settings__v1__get_recording_rule_response, get, get_seconds),
	API_RPC(RULES "ListRecordingRules", settings__v1__list_recording_rules_request,
		settings__v1__list_recording_rules_response, list, list_seconds),
	API_RPC(RULES "UpsertRecordingRule", settings__v1__upsert_recording_rule_request,
		settings__v1__upsert_recording_rule_response, upsert, upsert_seconds),
	API_RPC(RULES "DeleteRecordingRule", settings__v1__delete_recording_rule_request,
		settings__v1__delete_recording_rule_response, remove_one, delete_seconds),
};

const struct api_service api_recording_rules = {rpcs, sizeof(rpcs) / sizeof(rpcs[0])};
