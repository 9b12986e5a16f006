/* All services of the API. */
#include "server/services.h"

#include "server/debuginfo_api.h"

static const struct api_service *const services[] = {
	&api_querier, &api_settings, &api_recording_rules, &api_adhoc,
	&api_about,   &api_vcs,	     &api_debuginfo,	   &api_health,
};

const struct api_rpc *api_rpc_at(size_t index)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (index < services[i]->count)
			return &services[i]->rpcs[index];
		index -= services[i]->count;
	}
	return NULL;
}
