/* Which role a route needs. Routes are many and written in many places; what
 * they are for is said here in one, and what is not said needs admin. */
#include "server/auth.h"

struct row {
	const char *method; /* NULL: any */
	const char *prefix; /* of the path; the first row that fits counts */
	unsigned roles;
};

static const struct row rows[] = {
	{NULL, "/ready", AUTH_OPEN},
	{NULL, "/grpc.health.v1.Health/", AUTH_OPEN},

	{NULL, "/opentelemetry.proto.collector.profiles.", AUTH_WRITE},
	{NULL, "/v1development/profiles", AUTH_WRITE},
	{NULL, "/v1experimental/profiles", AUTH_WRITE},
	{NULL, "/push.v1.PusherService/", AUTH_WRITE},
	{NULL, "/ingest", AUTH_WRITE},
	{NULL, "/pyroscope/ingest", AUTH_WRITE},
	{NULL, "/debuginfo.v1alpha1.DebuginfoService/Delete", AUTH_ADMIN},
	{NULL, "/debuginfo.v1alpha1.DebuginfoService/List", AUTH_READ},
	{NULL, "/debuginfo.v1alpha1.DebuginfoService/", AUTH_WRITE},
	{"POST", "/api/v1/symbols", AUTH_WRITE},
	{"GET", "/api/v1/symbols", AUTH_READ},
	{NULL, "/api/v1/symbols", AUTH_ADMIN},

	{NULL, "/querier.v1.QuerierService/", AUTH_READ},
	{NULL, "/pyroscope/render", AUTH_READ},
	{NULL, "/render", AUTH_READ},
	{NULL, "/pyroscope/label", AUTH_READ},
	{NULL, "/label-values", AUTH_READ},
	{NULL, "/api/v1/profiles", AUTH_READ},
	{NULL, "/adhocprofiles.v1.AdHocProfileService/Upload", AUTH_WRITE},
	{NULL, "/adhocprofiles.v1.AdHocProfileService/", AUTH_READ},
	{NULL, "/settings.v1.SettingsService/Get", AUTH_READ},
	{NULL, "/settings.v1.RecordingRulesService/Get", AUTH_READ},
	{NULL, "/settings.v1.RecordingRulesService/List", AUTH_READ},
	{NULL, "/settings.v1.", AUTH_ADMIN},
	{NULL, "/vcs.v1.VCSService/", AUTH_READ},
	{NULL, "/capabilities.v1.FeatureFlagsService/", AUTH_READ},
	{NULL, "/version.v1.Version/", AUTH_READ},
	{NULL, "/status.v1.StatusService/", AUTH_READ},
	{NULL, "/api/v1/status/buildinfo", AUTH_READ},
	{NULL, "/api/v1/tenant_limits", AUTH_READ},
	{NULL, "/api/swagger.json", AUTH_READ},
	{NULL, "/assets/", AUTH_READ},
	{NULL, "/favicon", AUTH_READ},
	{NULL, "/ui", AUTH_READ},
	{NULL, "/explore", AUTH_READ},
	{NULL, "/comparison", AUTH_READ},

	{NULL, "/api/v1/status/config", AUTH_ADMIN},
	{NULL, "/runtime_config", AUTH_ADMIN},
	{NULL, "/debug/", AUTH_ADMIN},
};

unsigned auth_role_of(const char *method, const char *path, int metrics)
{
	struct str text = str_of(path);

	if (str_equal(text, STR("/")))
		return AUTH_READ;
	if (str_equal(text, STR("/*"))) /* says only that there is nothing */
		return AUTH_ANY;
	if (str_equal(text, STR("/metrics")))
		return metrics == SERVER_METRICS_OPEN	 ? AUTH_OPEN
		       : metrics == SERVER_METRICS_ADMIN ? AUTH_ADMIN
							 : AUTH_READ;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_starts_with(text, str_of(rows[i].prefix)) &&
		    (!rows[i].method || strcmp(rows[i].method, method) == 0))
			return rows[i].roles;
	return AUTH_ADMIN;
}

static const struct {
	const char *name;
	unsigned bit;
} names[] = {{"write", AUTH_WRITE}, {"read", AUTH_READ}, {"admin", AUTH_ADMIN}};

int auth_roles_parse(const struct config_strings *list, unsigned *ret, struct err *err)
{
	*ret = 0;
	for (size_t i = 0; i < list->count; i++) {
		unsigned bit = 0;
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			if (str_equal(list->items[i], str_of(names[k].name)))
				bit = names[k].bit;
		if (bit == 0)
			return err_set(err, ERR_INVALID,
				       "\"%.*s\" is no role (they are write, read and admin)",
				       STR_ARG(str_sub(list->items[i], 0, 60)));
		*ret |= bit;
	}
	if (*ret == 0)
		return err_set(err, ERR_INVALID, "roles names none of write, read and admin");
	return 0;
}

const char *auth_roles_text(unsigned roles)
{
	if (roles == AUTH_ANY)
		return "write, read or admin";
	if (roles & AUTH_WRITE)
		return "write or admin";
	return roles & AUTH_READ ? "read or admin" : "admin";
}
