/* capabilities.v1.FeatureFlagsService, version.v1.Version, status.v1.StatusService and vcs.v1.VCSService:
 * what the server can do, and what it cannot. */
#include "server/services.h"

#include "feature_flags.pb-c.h"
#include "server/pbjson.h"
#include "status.pb-c.h"
#include "vcs.pb-c.h"
#include "version.pb-c.h"

/* ---- feature flags ---- */

static const struct flag {
	const char *name;
	bool enabled;
	const char *description;
} flags[] = {
	{"v2StorageLayer", true,
	 "The store answers every question itself: exemplars, heat maps, functions"},
	{"pyroscopeRuler", false, "Recording rules are evaluated and sent to Prometheus"},
	{"pyroscopeRulerFunctions", false, "The same of rules about one function"},
	{"utf8LabelNames", true,
	 "Label names keep their dots for clients that accept allow-utf8-labelnames=true"},
};

static int get_feature_flags(const struct api_call *call, const ProtobufCMessage *message,
			     ProtobufCMessage *response, struct err *err)
{
	enum { COUNT = sizeof(flags) / sizeof(flags[0]) };
	Capabilities__V1__GetFeatureFlagsResponse *out = (void *)response;
	Capabilities__V1__FeatureFlag *all = arena_zalloc(call->arena, COUNT, sizeof(*all));
	(void)message;
	out->feature_flags = arena_zalloc(call->arena, COUNT, sizeof(void *));
	if (!all || !out->feature_flags)
		return err_set(err, ERR_NOMEM, "no memory for the answer");
	for (size_t i = 0; i < COUNT; i++) {
		capabilities__v1__feature_flag__init(&all[i]);
		all[i].name = api_text(call->arena, str_of(flags[i].name));
		all[i].description = api_text(call->arena, str_of(flags[i].description));
		all[i].enabled = flags[i].enabled ||
				 (call->api->rules_evaluated &&
				  str_starts_with(str_of(flags[i].name), STR("pyroscopeRuler")));
		out->feature_flags[i] = &all[i];
		if (!all[i].name || !all[i].description)
			return err_set(err, ERR_NOMEM, "no memory for the answer");
	}
	out->n_feature_flags = COUNT;
	return 0;
}

/* ---- version ---- */

static int version(const struct api_call *call, const ProtobufCMessage *message,
		   ProtobufCMessage *response, struct err *err)
{
	(void)call;
	(void)message;
	(void)err;
	((Version__V1__VersionResponse *)response)->querierapi = 1;
	return 0;
}

/* ---- build ---- */

static int build_info(const struct api_call *call, const ProtobufCMessage *message,
		      ProtobufCMessage *response, struct err *err)
{
	Status__V1__GetBuildInfoResponse *out = (void *)response;
	(void)message;
	out->status = api_text(call->arena, STR("success"));
	out->data = (Status__V1__GetBuildInfoData *)
		pbmsg_new(call->arena, &status__v1__get_build_info_data__descriptor);
	if (out->data)
		out->data->version = api_text(call->arena, STR(CRESSET_VERSION));
	if (!out->status || !out->data || !out->data->version)
		return err_set(err, ERR_NOMEM, "no memory for the answer");
	return 0;
}

API_SECONDS(flags_seconds, "capabilities.GetFeatureFlags");
API_SECONDS(version_seconds, "version.Version");
API_SECONDS(build_seconds, "status.GetBuildInfo");

static const struct api_rpc about_rpcs[] = {
	API_RPC("/capabilities.v1.FeatureFlagsService/GetFeatureFlags",
		capabilities__v1__get_feature_flags_request,
		capabilities__v1__get_feature_flags_response, get_feature_flags, flags_seconds),
	API_RPC("/version.v1.Version/Version", version__v1__version_request,
		version__v1__version_response, version, version_seconds),
	API_RPC("/status.v1.StatusService/GetBuildInfo", status__v1__get_build_info_request,
		status__v1__get_build_info_response, build_info, build_seconds),
};

const struct api_service api_about = {about_rpcs, sizeof(about_rpcs) / sizeof(about_rpcs[0])};

/* ---- source code ---- */

static int no_repository(const struct api_call *call, const ProtobufCMessage *message,
			 ProtobufCMessage *response, struct err *err)
{
	(void)call;
	(void)message;
	(void)response;
	return err_set(err, ERR_UNSUPPORTED,
		       "this server reads no source code: there is no access to GitHub in it");
}

API_SECONDS(vcs_seconds, "vcs");

#define VCS_RPC(name_)                                                                  \
	API_RPC("/vcs.v1.VCSService/" name_, vcs__v1__vcsrequest, vcs__v1__vcsresponse, \
		no_repository, vcs_seconds)

static const struct api_rpc vcs_rpcs[] = {
	VCS_RPC("GithubApp"), VCS_RPC("GithubLogin"), VCS_RPC("GithubRefresh"),
	VCS_RPC("GetFile"),   VCS_RPC("GetCommit"),   VCS_RPC("GetCommits"),
};

const struct api_service api_vcs = {vcs_rpcs, sizeof(vcs_rpcs) / sizeof(vcs_rpcs[0])};
