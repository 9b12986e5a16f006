/* settings.v1.SettingsService: texts by name, kept for a tenant. */
#include "server/services.h"

#include <stdlib.h>

#include "server/pbjson.h"
#include "server/tenant_message.h"
#include "setting.pb-c.h"

enum {
	SETTINGS_MAX = 1000,
	NAME_BYTES_MAX = 256,
	FILE_BYTES_MAX = 4 * 1024 * 1024,
};

static const char FILE_NAME[] = "settings.pb";

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the settings");
}

static int load(const struct api_call *call, Settings__V1__SettingsFile **ret, struct err *err)
{
	return tenant_message_read(call, FILE_NAME, FILE_BYTES_MAX,
				   &settings__v1__settings_file__descriptor,
				   (ProtobufCMessage **)ret, err);
}

static int save(const struct api_call *call, const Settings__V1__SettingsFile *file,
		struct err *err)
{
	return tenant_message_write(call, FILE_NAME, FILE_BYTES_MAX, &file->base, err);
}

static size_t find(const Settings__V1__SettingsFile *file, const char *name)
{
	for (size_t i = 0; i < file->n_settings; i++)
		if (strcmp(file->settings[i]->name, name) == 0)
			return i;
	return file->n_settings;
}

static int check_name(const char *name, struct err *err)
{
	size_t len = strlen(name);
	if (len == 0 || len > NAME_BYTES_MAX)
		return err_set(err, ERR_INVALID, "a setting's name has 1 to %d bytes",
			       NAME_BYTES_MAX);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const Settings__V1__Setting *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

/* ---- Get ---- */

static int get(const struct api_call *call, const ProtobufCMessage *message,
	       ProtobufCMessage *response, struct err *err)
{
	Settings__V1__GetSettingsResponse *out = (void *)response;
	Settings__V1__SettingsFile *file;
	(void)message;
	pthread_mutex_lock(&call->api->files->lock);
	int rc = load(call, &file, err);
	pthread_mutex_unlock(&call->api->files->lock);
	if (rc)
		return rc;
	out->settings = file->settings;
	out->n_settings = file->n_settings;
	return 0;
}

/* ---- Set ---- */

static int put(const struct api_call *call, Settings__V1__Setting *setting,
	       Settings__V1__SettingsFile *file, struct err *err)
{
	size_t at = find(file, setting->name);
	if (at < file->n_settings) {
		if (file->settings[at]->modifiedat > setting->modifiedat)
			return err_set(err, ERR_EXISTS,
				       "the setting \"%.64s\" was changed meanwhile (modifiedAt "
				       "%lld)",
				       setting->name, (long long)file->settings[at]->modifiedat);
		file->settings[at] = setting;
		return 0;
	}
	if (file->n_settings >= SETTINGS_MAX)
		return err_set(err, ERR_LIMIT, "a tenant has at most %d settings", SETTINGS_MAX);
	Settings__V1__Setting **grown =
		arena_zalloc(call->arena, file->n_settings + 1, sizeof(*grown));
	if (!grown)
		return no_memory(err);
	if (file->n_settings > 0)
		memcpy(grown, file->settings, file->n_settings * sizeof(*grown));
	grown[file->n_settings++] = setting;
	file->settings = grown;
	qsort(grown, file->n_settings, sizeof(*grown), by_name);
	return 0;
}

static int set(const struct api_call *call, const ProtobufCMessage *message,
	       ProtobufCMessage *response, struct err *err)
{
	const Settings__V1__SetSettingsRequest *in = (const void *)message;
	Settings__V1__SetSettingsResponse *out = (void *)response;
	Settings__V1__SettingsFile *file;
	if (!in->setting)
		return err_set(err, ERR_INVALID, "setting: which one?");
	int rc = check_name(in->setting->name, err);
	if (rc)
		return rc;
	if (in->setting->modifiedat <= 0)
		in->setting->modifiedat = (int64_t)(clock_real_ns() / NS_PER_MS);
	pthread_mutex_lock(&call->api->files->lock);
	rc = load(call, &file, err);
	rc = rc ? rc : put(call, in->setting, file, err);
	rc = rc ? rc : save(call, file, err);
	pthread_mutex_unlock(&call->api->files->lock);
	out->setting = in->setting;
	return rc;
}

/* ---- Delete ---- */

/* What is not there is deleted already. */
static int drop(const struct api_call *call, const char *name, struct err *err)
{
	Settings__V1__SettingsFile *file;
	int rc = load(call, &file, err);
	size_t at = rc ? 0 : find(file, name);
	if (rc || at == file->n_settings)
		return rc;
	memmove(file->settings + at, file->settings + at + 1,
		(file->n_settings - at - 1) * sizeof(*file->settings));
	file->n_settings--;
	return save(call, file, err);
}

static int remove_one(const struct api_call *call, const ProtobufCMessage *message,
		      ProtobufCMessage *response, struct err *err)
{
	const Settings__V1__DeleteSettingsRequest *in = (const void *)message;
	(void)response;
	int rc = check_name(in->name, err);
	if (rc)
		return rc;
	pthread_mutex_lock(&call->api->files->lock);
	rc = drop(call, in->name, err);
	pthread_mutex_unlock(&call->api->files->lock);
	return rc;
}

API_SECONDS(get_seconds, "settings.Get");
API_SECONDS(set_seconds, "settings.Set");
API_SECONDS(delete_seconds, "settings.Delete");

#define SETTINGS "/settings.v1.SettingsService/"

static const struct api_rpc rpcs[] = {
	API_RPC(SETTINGS "Get", settings__v1__get_settings_request,
		settings__v1__get_settings_response, get, get_seconds),
	API_RPC(SETTINGS "Set", settings__v1__set_settings_request,
		settings__v1__set_settings_response, set, set_seconds),
	API_RPC(SETTINGS "Delete", settings__v1__delete_settings_request,
		settings__v1__delete_settings_response, remove_one, delete_seconds),
};

const struct api_service api_settings = {rpcs, sizeof(rpcs) / sizeof(rpcs[0])};
