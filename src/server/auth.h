/* Private to server: who is asking, and what may they do.
 *
 * An auth is made from the configuration's key "auth" and does not change; a
 * reload makes another one. Secrets are kept as digests only. Any thread. */
#pragma once

#include "net/net.h"
#include "server/server.h"

/* Bits. Admin may do everything. */
enum auth_role { AUTH_WRITE = 1, AUTH_READ = 2, AUTH_ADMIN = 4 };
enum { AUTH_OPEN = 0, AUTH_ANY = AUTH_WRITE | AUTH_READ | AUTH_ADMIN };

/* "write, read" -> bits. ERR_INVALID names what is no role. */
MUST_USE int auth_roles_parse(const struct config_strings *names, unsigned *ret, struct err *err);
/* "read or admin" */
const char *auth_roles_text(unsigned roles);
/* The roles of which one is needed for a route (auth_roles.c): AUTH_OPEN for everybody; what the table does not
 * know needs admin. */
unsigned auth_role_of(const char *method, const char *path, int metrics);

struct auth;

/* Reads the files. multitenancy: whether tenants mean anything. ERR_INVALID, ERR_NOT_FOUND name the user or
 * token and the file. */
MUST_USE int auth_create(const struct server_auth *config, bool multitenancy, struct auth **ret,
			 struct err *err);
void auth_destroy(struct auth *auth); /* NULL is fine */
/* Nobody is configured: everybody may do everything. NULL is off too. */
bool auth_is_on(const struct auth *auth);
int auth_metrics(const struct auth *auth);

struct auth_identity {
	struct str name; /* of the user or token; lives as long as the auth */
	unsigned roles;
	const struct str *tenants; /* count 0: any */
	size_t tenant_count;
};

enum auth_depth {
	AUTH_QUICK, /* never blocks: *ret_later tells that only AUTH_THOROUGH knows */
	AUTH_THOROUGH,
};

/* Reads a value of the header Authorization ({NULL, 0}: there was none). ERR_UNAUTHENTICATED: none, malformed, or
 * nobody's; the sentence never says what of a credential was wrong. ERR_BUSY: too many passwords are being
 * checked. */
MUST_USE int auth_identify(struct auth *auth, struct str authorization, enum auth_depth depth,
			   struct auth_identity *ret, bool *ret_later, struct err *err);
/* May the identity do what needs one of roles? ERR_DENIED says which role is missing. */
MUST_USE int auth_permit(const struct auth_identity *identity, unsigned roles, struct err *err);
/* The tenant to act for when the request names wanted ("": none): {NULL, 0} when the identity has no single one.
 * ERR_DENIED when wanted is not the identity's. */
MUST_USE int auth_tenant(const struct auth_identity *identity, struct str wanted, struct str *ret,
			 struct err *err);
