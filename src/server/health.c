/* grpc.health.v1.Health (grpc/grpc, doc/health-checking.md): who is answered at
 * all is answered SERVING, since the listener is the last thing that starts. */
#include "server/services.h"

#include "health.pb-c.h"

/* "/SERVICE/Method" */
static bool is_of(struct str service, const char *path)
{
	struct str rest = str_sub(str_of(path), 1, SIZE_MAX);
	return str_starts_with(rest, service) && rest.ptr[service.len] == '/';
}

static bool is_served(struct str service)
{
	const struct api_rpc *rpc;
	if (service.len == 0 || is_of(service, INGEST_GRPC_PATH) ||
	    is_of(service, INGEST_GRPC_PATH_EXPERIMENTAL) || is_of(service, INGEST_GRPC_PATH_V1) ||
	    is_of(service, api_push.path))
		return true;
	for (size_t i = 0; (rpc = api_rpc_at(i)) != NULL; i++)
		if (is_of(service, rpc->path))
			return true;
	return false;
}

static int check(const struct api_call *call, const ProtobufCMessage *message,
		 ProtobufCMessage *response, struct err *err)
{
	const Grpc__Health__V1__HealthCheckRequest *in = (const void *)message;
	Grpc__Health__V1__HealthCheckResponse *out = (void *)response;
	(void)call;
	if (!is_served(str_of(in->service)))
		return err_set(err, ERR_NOT_FOUND, "there is no service \"%.200s\" here",
			       in->service);
	out->status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
	return 0;
}

API_SECONDS(check_seconds, "health.Check");

static const struct api_rpc rpcs[] = {
	{.path = "/grpc.health.v1.Health/Check",
	 .request = &grpc__health__v1__health_check_request__descriptor,
	 .response = &grpc__health__v1__health_check_response__descriptor,
	 .method = check,
	 .seconds = &check_seconds,
	 .no_tenant = true},
};

const struct api_service api_health = {rpcs, sizeof(rpcs) / sizeof(rpcs[0])};
