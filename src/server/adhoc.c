/* adhocprofiles.v1.AdHocProfileService: files that somebody uploads to look at.
 * Of each are kept its bytes (ID.profile) and a small message about it (ID.meta).
 * An id begins with the time, so that names sort by age. */
#include "server/services.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "adhocprofiles.pb-c.h"
#include "base/base64.h"
#include "server/adhoc_decode.h"
#include "server/flamebearer.h"
#include "server/pbjson.h"
#include "server/stack_ask.h"
#include "server/tenant_message.h"

enum {
	PROFILES_MAX = 100, /* of a tenant */
	UPLOAD_MAX_BYTES = 16 * 1024 * 1024,
	META_MAX_BYTES = 64 * 1024,
	NAME_MAX_BYTES = 1024,
	ID_LEN = 28, /* hexadecimal: 12 of time, 16 by chance */
};

static struct metric dropped =
	METRIC_COUNTER_INIT("cresset_adhoc_dropped_total", NULL,
			    "Uploaded profiles that were deleted to make room for newer ones");

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the profile");
}

/* ---- ids and files ---- */

static bool is_id(struct str id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!strchr("0123456789abcdef", id.ptr[i]))
			return false;
	return id.len == ID_LEN;
}

static int new_id(char id[ID_LEN + 1], int64_t now_ms, struct err *err)
{
	uint64_t chance;
	if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		return err_set(err, ERR_IO, "the kernel gives no random numbers");
	snprintf(id, ID_LEN + 1, "%012llx%016llx", (unsigned long long)now_ms & 0xffffffffffff,
		 (unsigned long long)chance);
	return 0;
}

static void file_name(char name[64], struct str id, const char *kind)
{
	snprintf(name, 64, "adhoc/%.*s.%s", STR_ARG(str_sub(id, 0, ID_LEN)), kind);
}

typedef Adhocprofiles__V1__AdHocProfilesProfileMeta adhoc_meta;

static int by_name(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* Ids, the oldest first. */
static int list_ids(const struct api_call *call, struct str **ret, size_t *ret_count,
		    struct err *err)
{
	struct str *names;
	size_t count, kept = 0;
	int rc = tenant_files_list(call->api->files, call->tenant, "adhoc", call->arena, &names,
				   &count, err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct str id = str_sub(names[i], 0, ID_LEN);
		if (is_id(id) && str_equal(str_sub(names[i], ID_LEN, SIZE_MAX), STR(".meta")))
			names[kept++] = id;
	}
	if (rc == 0 && kept > 0)
		qsort(names, kept, sizeof(*names), by_name);
	*ret = names;
	*ret_count = rc ? 0 : kept;
	return rc;
}

static int remove_files(const struct api_call *call, struct str id, struct err *err)
{
	char name[64];
	file_name(name, id, "meta");
	int rc = tenant_file_remove(call->api->files, call->tenant, name, err);
	file_name(name, id, "profile");
	return rc ? rc : tenant_file_remove(call->api->files, call->tenant, name, err);
}

static int make_room(const struct api_call *call, struct err *err)
{
	struct str *ids;
	size_t count;
	int rc = list_ids(call, &ids, &count, err);
	for (size_t i = 0; rc == 0 && i + PROFILES_MAX <= count; i++) {
		rc = remove_files(call, ids[i], err);
		metric_add(&dropped, rc == 0);
	}
	return rc;
}

static int keep(const struct api_call *call, const adhoc_meta *meta, struct str bytes,
		struct err *err)
{
	char name[64];
	pthread_mutex_lock(&call->api->files->lock);
	int rc = make_room(call, err);
	file_name(name, str_of(meta->id), "profile");
	rc = rc ? rc : tenant_file_write(call->api->files, call->tenant, name, bytes, err);
	file_name(name, str_of(meta->id), "meta");
	rc = rc ? rc : tenant_message_write(call, name, META_MAX_BYTES, &meta->base, err);
	pthread_mutex_unlock(&call->api->files->lock);
	return rc;
}

static int find(const struct api_call *call, const char *id, adhoc_meta **ret_meta,
		struct str *ret_bytes, struct err *err)
{
	char name[64];
	struct buf bytes;
	if (!is_id(str_of(id)))
		return err_set(err, ERR_NOT_FOUND, "no profile has the id \"%.64s\"", id);
	file_name(name, str_of(id), "profile");
	buf_init(&bytes, 0);
	int rc = tenant_file_read(call->api->files, call->tenant, name, UPLOAD_MAX_BYTES, &bytes,
				  err);
	if (rc == ERR_NOT_FOUND)
		rc = err_set(err, ERR_NOT_FOUND, "no profile has the id \"%.64s\"", id);
	*ret_bytes = arena_str(call->arena, buf_text(&bytes));
	buf_deinit(&bytes);
	if (rc == 0 && !ret_bytes->ptr)
		rc = no_memory(err);
	file_name(name, str_of(id), "meta");
	return rc ? rc
		  : tenant_message_read(
			    call, name, META_MAX_BYTES,
			    &adhocprofiles__v1__ad_hoc_profiles_profile_meta__descriptor,
			    (ProtobufCMessage **)ret_meta, err);
}

/* ---- answers ---- */

static int type_names(struct arena *arena, const struct adhoc_profile *profiles, size_t count,
		      char ***ret, size_t *ret_count, struct err *err)
{
	*ret = arena_zalloc(arena, count + 1, sizeof(char *));
	if (!*ret)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		(*ret)[i] = api_text(arena, profiles[i].type.sample_type);
		if (!(*ret)[i])
			return no_memory(err);
	}
	*ret_count = count;
	return 0;
}

static int max_nodes(const struct api_call *call, bool given, int64_t nodes, uint64_t *ret,
		     struct err *err)
{
	return stack_ask_nodes(call, given ? nodes : 0, call->api->limits->flame_nodes_default, ret,
			       err);
}

/* Takes text over. */
static int take_text(struct arena *arena, struct buf *text, char **ret, struct err *err)
{
	buf_char(text, '}');
	int rc = buf_check(text, "the profile", err);
	*ret = rc ? NULL : api_text(arena, buf_text(text));
	buf_deinit(text);
	return rc || *ret ? rc : no_memory(err);
}

struct view {
	const char *type;
	bool has_nodes;
	int64_t nodes;
};

static int show(const struct api_call *call, const adhoc_meta *meta, struct str bytes,
		const struct view *view, Adhocprofiles__V1__AdHocProfilesGetResponse *out,
		struct err *err)
{
	struct adhoc_profile *profiles;
	struct query_tree tree;
	struct query_flame flame;
	size_t count, at;
	uint64_t nodes;
	int rc = max_nodes(call, view->has_nodes, view->nodes, &nodes, err);
	rc = rc ? rc : adhoc_decode(call->arena, bytes, view->type, &profiles, &count, &at, err);
	rc = rc ? rc : query_tree_fold(call->arena, &profiles[at].tree, nodes, &tree, err);
	rc = rc ? rc : query_flame_encode(call->arena, &tree, &flame, err);
	rc = rc ? rc
		: type_names(call->arena, profiles, count, &out->profile_types,
			     &out->n_profile_types, err);
	if (rc)
		return rc;
	const struct flamebearer_about about = {.type = &profiles[at].type};
	struct buf text = {0};
	flamebearer_single(&flame, &about, &text);
	out->id = meta->id;
	out->name = meta->name;
	out->uploaded_at = meta->uploaded_at;
	out->profile_type = out->profile_types[at];
	return take_text(call->arena, &text, &out->flamebearer_profile, err);
}

/* ---- methods ---- */

static int upload(const struct api_call *call, const ProtobufCMessage *message,
		  ProtobufCMessage *response, struct err *err)
{
	const Adhocprofiles__V1__AdHocProfilesUploadRequest *in = (const void *)message;
	const struct view view = {NULL, in->max_nodes_set_case != 0, in->max_nodes};
	struct str text = str_of(in->profile);
	adhoc_meta meta = ADHOCPROFILES__V1__AD_HOC_PROFILES_PROFILE_META__INIT;
	char *id = arena_alloc(call->arena, ID_LEN + 1);
	uint8_t *bytes = arena_alloc(call->arena, base64_decoded_max(text.len));
	size_t len;
	if (!id || !bytes)
		return no_memory(err);
	if (text.len == 0 || !base64_get(text, bytes, &len))
		return err_set(err, ERR_INVALID, "profile: send the file in base64");
	if (len > UPLOAD_MAX_BYTES || strlen(in->name) > NAME_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "a profile has at most %d MiB, its name %d bytes",
			       UPLOAD_MAX_BYTES >> 20, NAME_MAX_BYTES);
	meta.name = in->name;
	meta.uploaded_at = (int64_t)(clock_real_ns() / NS_PER_MS);
	meta.id = id;
	int rc = new_id(id, meta.uploaded_at, err);
	/* What cannot be shown is not kept. */
	rc = rc ? rc : show(call, &meta, str_make(bytes, len), &view, (void *)response, err);
	return rc ? rc : keep(call, &meta, str_make(bytes, len), err);
}

static int get(const struct api_call *call, const ProtobufCMessage *message,
	       ProtobufCMessage *response, struct err *err)
{
	const Adhocprofiles__V1__AdHocProfilesGetRequest *in = (const void *)message;
	const struct view view = {in->profile_type_set_case ? in->profile_type : NULL,
				  in->max_nodes_set_case != 0, in->max_nodes};
	adhoc_meta *meta;
	struct str bytes;
	int rc = find(call, in->id, &meta, &bytes, err);
	return rc ? rc : show(call, meta, bytes, &view, (void *)response, err);
}

static int list(const struct api_call *call, const ProtobufCMessage *message,
		ProtobufCMessage *response, struct err *err)
{
	Adhocprofiles__V1__AdHocProfilesListResponse *out = (void *)response;
	struct str *ids;
	size_t count;
	(void)message;
	pthread_mutex_lock(&call->api->files->lock);
	int rc = list_ids(call, &ids, &count, err);
	out->profiles = arena_zalloc(call->arena, count + 1, sizeof(void *));
	if (rc == 0 && !out->profiles)
		rc = no_memory(err);
	while (rc == 0 && count-- > 0) {
		char name[64];
		file_name(name, ids[count], "meta");
		rc = tenant_message_read(
			call, name, META_MAX_BYTES,
			&adhocprofiles__v1__ad_hoc_profiles_profile_meta__descriptor,
			(ProtobufCMessage **)&out->profiles[out->n_profiles++], err);
	}
	pthread_mutex_unlock(&call->api->files->lock);
	return rc;
}

static int read_side(const struct api_call *call, const char *id, const char *type,
		     struct adhoc_profile **ret, size_t *ret_count, size_t *ret_at, struct err *err)
{
	adhoc_meta *meta;
	struct str bytes;
	int rc = find(call, id, &meta, &bytes, err);
	return rc ? rc : adhoc_decode(call->arena, bytes, type, ret, ret_count, ret_at, err);
}

static int diff(const struct api_call *call, const ProtobufCMessage *message,
		ProtobufCMessage *response, struct err *err)
{
	const Adhocprofiles__V1__AdHocProfilesDiffRequest *in = (const void *)message;
	Adhocprofiles__V1__AdHocProfilesDiffResponse *out = (void *)response;
	struct adhoc_profile *left, *right;
	struct query_diff diff;
	size_t left_count, right_count, left_at, right_at;
	uint64_t nodes;
	int rc = max_nodes(call, in->max_nodes_set_case != 0, in->max_nodes, &nodes, err);
	rc = rc ? rc
		: read_side(call, in->left_id, in->profile_type_set_case ? in->profile_type : NULL,
			    &left, &left_count, &left_at, err);
	if (rc)
		return rc;
	rc = type_names(call->arena, left, left_count, &out->profile_types, &out->n_profile_types,
			err);
	rc = rc ? rc
		: read_side(call, in->right_id, out->profile_types[left_at], &right, &right_count,
			    &right_at, err);
	rc = rc ? rc
		: query_diff_encode(call->arena, &left[left_at].tree, &right[right_at].tree, nodes,
				    &diff, err);
	if (rc)
		return rc;
	const struct flamebearer_about about = {.type = &left[left_at].type};
	struct buf text = {0};
	flamebearer_double(&diff, &about, &text);
	return take_text(call->arena, &text, &out->flamebearer_profile, err);
}

API_SECONDS(upload_seconds, "adhocprofiles.Upload");
API_SECONDS(get_seconds, "adhocprofiles.Get");
API_SECONDS(list_seconds, "adhocprofiles.List");
API_SECONDS(diff_seconds, "adhocprofiles.Diff");

#define ADHOC "/adhocprofiles.v1.AdHocProfileService/"

static const struct api_rpc rpcs[] = {
	{.path = ADHOC "Upload",
	 .request = &adhocprofiles__v1__ad_hoc_profiles_upload_request__descriptor,
	 .response = &adhocprofiles__v1__ad_hoc_profiles_get_response__descriptor,
	 .method = upload,
	 .seconds = &upload_seconds,
	 .body_bytes = UPLOAD_MAX_BYTES / 3 * 4 + META_MAX_BYTES},
	API_RPC(ADHOC "Get", adhocprofiles__v1__ad_hoc_profiles_get_request,
		adhocprofiles__v1__ad_hoc_profiles_get_response, get, get_seconds),
	API_RPC(ADHOC "List", adhocprofiles__v1__ad_hoc_profiles_list_request,
		adhocprofiles__v1__ad_hoc_profiles_list_response, list, list_seconds),
	API_RPC(ADHOC "Diff", adhocprofiles__v1__ad_hoc_profiles_diff_request,
		adhocprofiles__v1__ad_hoc_profiles_diff_response, diff, diff_seconds),
};

const struct api_service api_adhoc = {rpcs, sizeof(rpcs) / sizeof(rpcs[0])};
