/* Any bytes as the header Authorization, and as a password's hash. Only who has a secret comes in. */
#include <assert.h>
#include <stdint.h>

#include "server/auth.h"
#include "server/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str roles[] = {{"read", 4}};

static struct auth *make(void)
{
	const struct server_grant grant = {.roles = {roles, 1}};
	struct server_user users[] = {
		{.password = STR("opensesame"), .grant = grant},
		{.password_hash = STR("$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
				      "pYKiUT6B3A2JaXPD2HP3PGVu0M7Sr7LiFK4AcaEhFRA"),
		 .grant = grant},
	};
	struct server_token tokens[] = {{.token = STR("token-0123456789"), .grant = grant}};
	struct str user_names[] = {STR("ali"), STR("baba")}, token_names[] = {STR("agent")};
	const struct server_auth config = {.users = {users, user_names, 2},
					   .tokens = {tokens, token_names, 1}};
	struct auth *auth = NULL;
	struct err err;

	int rc = auth_create(&config, false, &auth, &err);
	assert(rc == 0);
	return auth;
}

/* With AUTH_QUICK nothing is hashed: baba is never let in. */
static void check(const struct auth_identity *identity, struct str header)
{
	bool ali = str_equal(identity->name, STR("ali"));
	bool agent = str_equal(identity->name, STR("agent"));

	assert(ali || agent);
	if (agent && str_starts_with(header, STR("Bearer")))
		assert(str_find(header, STR("token-0123456789")) > 0);
	if (ali)
		assert(header.len >= strlen("Basic YWxpOm9wZW5zZXNhbWU"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct auth *auth;
	struct str header = str_make(data, size);
	struct auth_identity identity;
	struct secret_hash hash;
	bool later;
	struct err err;

	auth = auth ? auth : make();
	int rc = auth_identify(auth, header, AUTH_QUICK, &identity, &later, &err);
	if (rc == 0 && !later)
		check(&identity, header);
	assert(rc == 0 || rc == ERR_UNAUTHENTICATED);
	if (secret_hash_parse(header, &hash, &err) == 0)
		assert(hash.salt_len >= 8 && hash.parallel >= 1);
	return 0;
}
