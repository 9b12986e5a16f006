#include "server/debuginfo_api.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "debuginfo.pb-c.h"

enum {
	UPLOADS_MAX = 1024,
	BUILD_ID_MIN = 2, /* hexadecimal digits, as Pyroscope has it */
	BUILD_ID_MAX = 40,
	STALE_S = 7 * 60, /* Pyroscope: upload-stale-period and two minutes */
};

/* EMPTY is the slot's; REFUSED a file that names nothing, which need not come again and again. */
enum state { EMPTY, UPLOADING, TAKEN, REFUSED };

struct upload {
	enum state state;
	char build_id[BUILD_ID_MAX + 1];
	uint64_t tenant_hash, since_ns; /* of the monotonic clock */
};

struct debuginfo_api {
	struct symbols_api *symbols;
	pthread_mutex_t lock; /* of uploads */
	struct upload uploads[UPLOADS_MAX];
};

int debuginfo_api_create(struct symbols_api *symbols, struct debuginfo_api **ret, struct err *err)
{
	struct debuginfo_api *api = mem_zalloc(1, sizeof(*api));
	if (!api)
		return err_set(err, ERR_NOMEM, "no memory for the uploads of debug files");
	api->symbols = symbols;
	pthread_mutex_init(&api->lock, NULL);
	*ret = api;
	return 0;
}

void debuginfo_api_destroy(struct debuginfo_api *api)
{
	if (!api)
		return;
	pthread_mutex_destroy(&api->lock);
	mem_free(api);
}

/* ---- uploads under way; under lock ---- */

static bool is_stale(const struct upload *upload, uint64_t now_ns)
{
	return upload->state != REFUSED && now_ns - upload->since_ns > (uint64_t)STALE_S * NS_PER_S;
}

static struct upload *find(struct debuginfo_api *api, struct str tenant, const char *build_id)
{
	uint64_t hash = str_hash(tenant);
	for (size_t i = 0; i < UPLOADS_MAX; i++) {
		struct upload *upload = &api->uploads[i];
		if (upload->state != EMPTY && upload->tenant_hash == hash &&
		    strcmp(upload->build_id, build_id) == 0)
			return upload;
	}
	return NULL;
}

/* A free slot, or one that nobody will ask for; of several that one which has been there longest. NULL: all are
 * under way. */
static struct upload *free_slot(struct debuginfo_api *api, uint64_t now_ns)
{
	struct upload *best = NULL;
	for (size_t i = 0; i < UPLOADS_MAX; i++) {
		struct upload *upload = &api->uploads[i];
		if (upload->state == EMPTY)
			return upload;
		if ((upload->state == REFUSED || is_stale(upload, now_ns)) &&
		    (!best || upload->since_ns < best->since_ns))
			best = upload;
	}
	return best;
}

static size_t held_by(const struct debuginfo_api *api, uint64_t tenant_hash)
{
	size_t count = 0;
	for (size_t i = 0; i < UPLOADS_MAX; i++)
		count += api->uploads[i].state != EMPTY &&
			 api->uploads[i].tenant_hash == tenant_hash;
	return count;
}

/* When all slots are under way: the oldest of the tenant that has most, so that one who asks for ever more
 * keeps no other from asking. NULL: no tenant has more than this one would have. */
static struct upload *slot_of_most(struct debuginfo_api *api, struct str tenant)
{
	size_t most = held_by(api, str_hash(tenant)) + 1;
	struct upload *best = NULL;
	for (size_t i = 0; i < UPLOADS_MAX; i++) {
		struct upload *upload = &api->uploads[i];
		size_t held = best && upload->tenant_hash == best->tenant_hash
				      ? most
				      : held_by(api, upload->tenant_hash);
		if (held > most || (best && held == most && upload->since_ns < best->since_ns)) {
			best = upload;
			most = held;
		}
	}
	return best;
}

/* Returns why it is not wanted, or NULL: it is, and under way from now on. *ret_reason: why it is. */
static const char *begin(struct debuginfo_api *api, struct str tenant, const char *build_id,
			 const char **ret_reason)
{
	uint64_t now_ns = clock_mono_ns();
	struct upload *upload = find(api, tenant, build_id);
	*ret_reason = "it is not known here yet";
	if (upload && upload->state == REFUSED)
		return "a file with this build id came already and names no function";
	if (upload && !is_stale(upload, now_ns))
		return "another upload of it is under way";
	if (upload)
		*ret_reason = "an earlier upload of it was not finished";
	else
		upload = free_slot(api, now_ns);
	if (!upload)
		upload = slot_of_most(api, tenant);
	if (!upload)
		return "too many uploads are under way; ask again later";
	*upload = (struct upload){.state = UPLOADING,
				  .tenant_hash = str_hash(tenant),
				  .since_ns = now_ns};
	str_copy(upload->build_id, sizeof(upload->build_id), str_of(build_id));
	return NULL;
}

static enum state state_of(struct debuginfo_api *api, struct str tenant, const char *build_id)
{
	pthread_mutex_lock(&api->lock);
	const struct upload *upload = find(api, tenant, build_id);
	enum state state = upload ? upload->state : EMPTY;
	pthread_mutex_unlock(&api->lock);
	return state;
}

static void set_state(struct debuginfo_api *api, struct str tenant, const char *build_id,
		      enum state state)
{
	pthread_mutex_lock(&api->lock);
	struct upload *upload = find(api, tenant, build_id);
	if (upload)
		upload->state = state;
	pthread_mutex_unlock(&api->lock);
}

/* ---- build ids ---- */

/* In lower case, as frames have them. */
static int read_build_id(struct str text, char ret[BUILD_ID_MAX + 1], struct err *err)
{
	bool good = text.len >= BUILD_ID_MIN && text.len <= BUILD_ID_MAX;
	for (size_t i = 0; i < text.len && good; i++) {
		char c = text.ptr[i];
		char low = c >= 'A' && c <= 'F' ? (char)(c + 'a' - 'A') : c;
		good = (low >= '0' && low <= '9') || (low >= 'a' && low <= 'f');
		ret[i] = low;
	}
	if (!good)
		return err_set(err, ERR_INVALID,
			       "gnu_build_id \"%.*s\" is none: %d to %d hexadecimal digits",
			       STR_ARG(str_sub(text, 0, 60)), BUILD_ID_MIN, BUILD_ID_MAX);
	ret[text.len] = 0;
	return 0;
}

/* ---- the calls ---- */

static bool is_known(const struct api_call *call, const char *build_id)
{
	struct store_symbols known;
	struct err ignored;
	return store_symbols_get(call->api->store, call->tenant, str_of(build_id), call->arena,
				 &known, &ignored) == 0;
}

static int should_upload(const struct api_call *call, const ProtobufCMessage *message,
			 ProtobufCMessage *response, struct err *err)
{
	const Debuginfo__V1alpha1__ShouldInitiateUploadRequest *in = (const void *)message;
	Debuginfo__V1alpha1__ShouldInitiateUploadResponse *out = (void *)response;
	struct debuginfo_api *api = call->api->debuginfo;
	const char *why = "its names are known already", *reason = "";
	char build_id[BUILD_ID_MAX + 1];
	if (!in->file)
		return err_set(err, ERR_INVALID, "file: which one?");
	if (in->file->type != DEBUGINFO__V1ALPHA1__FILE_METADATA__TYPE__TYPE_EXECUTABLE_FULL &&
	    in->file->type != DEBUGINFO__V1ALPHA1__FILE_METADATA__TYPE__TYPE_EXECUTABLE_NO_TEXT)
		return err_set(err, ERR_INVALID,
			       "file.type must be TYPE_EXECUTABLE_FULL or TYPE_EXECUTABLE_NO_TEXT");
	int rc = read_build_id(str_of(in->file->gnu_build_id), build_id, err);
	if (rc)
		return rc;
	if (!is_known(call, build_id)) {
		pthread_mutex_lock(&api->lock);
		why = begin(api, call->tenant, build_id, &reason);
		pthread_mutex_unlock(&api->lock);
	}
	out->should_initiate_upload = why == NULL;
	out->reason = api_text(call->arena, str_of(why ? why : reason));
	return out->reason ? 0 : err_set(err, ERR_NOMEM, "no memory for the answer");
}

static int upload_finished(const struct api_call *call, const ProtobufCMessage *message,
			   ProtobufCMessage *response, struct err *err)
{
	const Debuginfo__V1alpha1__UploadFinishedRequest *in = (const void *)message;
	char build_id[BUILD_ID_MAX + 1];
	(void)response;
	int rc = read_build_id(str_of(in->gnu_build_id), build_id, err);
	if (rc)
		return rc;
	switch (state_of(call->api->debuginfo, call->tenant, build_id)) {
	case TAKEN:
		set_state(call->api->debuginfo, call->tenant, build_id, EMPTY);
		return 0;
	case REFUSED:
		return 0;
	case UPLOADING:
		return err_set(err, ERR_PRECONDITION, "no file came for build id %s", build_id);
	case EMPTY:
		break;
	}
	return err_set(err, ERR_NOT_FOUND, "no upload of build id %s is under way", build_id);
}

static Google__Protobuf__Timestamp *timestamp(struct arena *arena, uint64_t time_ns)
{
	Google__Protobuf__Timestamp *time = arena_zalloc(arena, 1, sizeof(*time));
	if (!time)
		return NULL;
	google__protobuf__timestamp__init(time);
	time->seconds = (int64_t)(time_ns / NS_PER_S);
	time->nanos = (int32_t)(time_ns % NS_PER_S);
	return time;
}

static Debuginfo__V1alpha1__ObjectMetadata *object_of(struct arena *arena,
						      const struct store_symbols *symbols)
{
	Debuginfo__V1alpha1__ObjectMetadata *object = arena_zalloc(arena, 1, sizeof(*object));
	Debuginfo__V1alpha1__FileMetadata *file = arena_zalloc(arena, 1, sizeof(*file));
	if (!object || !file)
		return NULL;
	debuginfo__v1alpha1__object_metadata__init(object);
	debuginfo__v1alpha1__file_metadata__init(file);
	file->gnu_build_id = api_text(arena, symbols->build_id);
	object->file = file;
	object->state = DEBUGINFO__V1ALPHA1__OBJECT_METADATA__STATE__STATE_UPLOADED;
	object->started_at = timestamp(arena, symbols->time_ns);
	object->finished_at = object->started_at;
	object->size_bytes = (int64_t)symbols->size_bytes;
	return file->gnu_build_id && object->started_at ? object : NULL;
}

static int list(const struct api_call *call, const ProtobufCMessage *message,
		ProtobufCMessage *response, struct err *err)
{
	Debuginfo__V1alpha1__ListDebuginfoResponse *out = (void *)response;
	struct store_symbols *symbols;
	size_t count;
	(void)message;
	int rc = store_symbols_list(call->api->store, call->tenant, call->arena, &symbols, &count,
				    err);
	if (rc)
		return rc;
	out->object = arena_zalloc(call->arena, count + 1, sizeof(*out->object));
	for (size_t i = 0; out->object && i < count; i++) {
		out->object[i] = object_of(call->arena, &symbols[i]);
		if (!out->object[i])
			return err_set(err, ERR_NOMEM, "no memory for the answer");
	}
	out->n_object = count;
	return out->object ? 0 : err_set(err, ERR_NOMEM, "no memory for the answer");
}

static int delete (const struct api_call *call, const ProtobufCMessage *message,
		   ProtobufCMessage *response, struct err *err)
{
	const Debuginfo__V1alpha1__DeleteDebuginfoRequest *in = (const void *)message;
	char build_id[BUILD_ID_MAX + 1];
	(void)response;
	int rc = read_build_id(str_of(in->gnu_build_id), build_id, err);
	if (rc)
		return rc;
	set_state(call->api->debuginfo, call->tenant, build_id, EMPTY);
	rc = store_symbols_delete(call->api->store, call->tenant, str_of(build_id), err);
	return rc == ERR_NOT_FOUND ? 0 : rc; /* as in Pyroscope: it is not there afterwards */
}

API_SECONDS(should_seconds, "debuginfo.ShouldInitiateUpload");
API_SECONDS(finished_seconds, "debuginfo.UploadFinished");
API_SECONDS(list_seconds, "debuginfo.ListDebuginfo");
API_SECONDS(delete_seconds, "debuginfo.DeleteDebuginfo");

#define SERVICE "/debuginfo.v1alpha1.DebuginfoService/"

static const struct api_rpc debuginfo_rpcs[] = {
	API_RPC(SERVICE "ShouldInitiateUpload", debuginfo__v1alpha1__should_initiate_upload_request,
		debuginfo__v1alpha1__should_initiate_upload_response, should_upload,
		should_seconds),
	API_RPC(SERVICE "UploadFinished", debuginfo__v1alpha1__upload_finished_request,
		debuginfo__v1alpha1__upload_finished_response, upload_finished, finished_seconds),
	API_RPC(SERVICE "ListDebuginfo", debuginfo__v1alpha1__list_debuginfo_request,
		debuginfo__v1alpha1__list_debuginfo_response, list, list_seconds),
	API_RPC(SERVICE "DeleteDebuginfo", debuginfo__v1alpha1__delete_debuginfo_request,
		debuginfo__v1alpha1__delete_debuginfo_response, delete, delete_seconds),
};

const struct api_service api_debuginfo = {debuginfo_rpcs,
					  sizeof(debuginfo_rpcs) / sizeof(debuginfo_rpcs[0])};

/* ---- the file itself ---- */

static int take(struct debuginfo_api *api, const struct net_request *request,
		struct symbols_take *taken, struct err *err)
{
	struct str text =
		str_sub(request->path, sizeof(DEBUGINFO_UPLOAD_PATH) - 1, request->path.len);
	char build_id[BUILD_ID_MAX + 1];
	struct str tenant;
	int rc = ingest_tenant(api->symbols->ingest, request, &tenant, err);
	rc = rc ? rc : read_build_id(text, build_id, err);
	if (rc)
		return rc;
	if (state_of(api, tenant, build_id) != UPLOADING) {
		taken->status = 412;
		return err_set(err, ERR_PRECONDITION,
			       "no upload of build id %s is under way; ask ShouldInitiateUpload "
			       "first",
			       build_id);
	}
	taken->wanted = str_of(build_id);
	rc = symbols_api_take(api->symbols, request, tenant, taken, err);
	if (rc == 0)
		set_state(api, tenant, build_id, TAKEN);
	else if (rc == ERR_INVALID)
		set_state(api, tenant, build_id, REFUSED);
	return rc;
}

void debuginfo_api_upload(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct symbols_take taken = {0};
	struct err err;
	int rc = take(user, request, &taken, &err);
	if (rc)
		net_answer_error(answer, &err);
	else
		answer->status = 200;
	if (taken.status)
		answer->status = taken.status;
	if (taken.retry)
		net_answer_header(answer, STR("retry-after"), STR("1"));
}
