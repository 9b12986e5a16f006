/* The schema of the key "auth". It is ours: Pyroscope has no authentication. */
#include "server/auth.h"
#include "server/config_flags.h"

enum { NAMES_MAX = 1000 };

#define SECRET(struct_, key_, help_)                                                              \
	{                                                                                         \
		.key = #key_, .type = CONFIG_STRING, CONFIG_FIELD(struct_, key_), .secret = true, \
		.help = (help_)                                                                   \
	}

#define GRANT(struct_)                                                                      \
	{.key = "tenants",                                                                  \
	 .type = CONFIG_STRINGS,                                                            \
	 CONFIG_FIELD(struct_, grant.tenants),                                              \
	 .help = "tenants that may be acted for; none: any"},                               \
	{                                                                                   \
		.key = "roles", .type = CONFIG_STRINGS, CONFIG_FIELD(struct_, grant.roles), \
		.required = true, .help = "what may be done: write, read, admin"            \
	}

static int check_grant(const struct server_grant *grant, struct err *err)
{
	unsigned roles;
	return auth_roles_parse(&grant->roles, &roles, err);
}

/* ---- users ---- */

static const struct config_row user_rows[] = {
	SECRET(server_user, password, "the password itself, for ${ENV}"),
	{.key = "password_file",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_user, password_file),
	 .help = "file with the password"},
	SECRET(server_user, password_hash,
	       "scrypt hash of the password, from `cresset server hash-password`"),
	GRANT(server_user),
};

static int check_user(const void *target, struct err *err)
{
	const struct server_user *user = target;
	if ((user->password.len > 0) + (user->password_file.len > 0) +
		    (user->password_hash.len > 0) !=
	    1)
		return err_set(err, ERR_INVALID,
			       "needs one of password_hash, password_file and password");
	return check_grant(&user->grant, err);
}

static const struct config_schema user_schema =
	CONFIG_SCHEMA("users", server_user, user_rows, .check = check_user);

/* ---- tokens ---- */

static const struct config_row token_rows[] = {
	SECRET(server_token, token, "the token itself, for ${ENV}"),
	{.key = "token_file",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_token, token_file),
	 .help = "file with the token"},
	SECRET(server_token, token_hash, "sha256: and the hexadecimal SHA-256 of the token"),
	GRANT(server_token),
};

static int check_token(const void *target, struct err *err)
{
	const struct server_token *token = target;
	if ((token->token.len > 0) + (token->token_file.len > 0) + (token->token_hash.len > 0) != 1)
		return err_set(err, ERR_INVALID, "needs one of token_hash, token_file and token");
	return check_grant(&token->grant, err);
}

static const struct config_schema token_schema =
	CONFIG_SCHEMA("tokens", server_token, token_rows, .check = check_token);

/* ---- the whole ---- */

static const char *const metrics_choices[] = {"read", "open", "admin", NULL};

static const struct config_row auth_rows[] = {
	{.key = "users",
	 .type = CONFIG_NAMED,
	 CONFIG_FIELD(server_auth, users),
	 .section = &user_schema,
	 .max = NAMES_MAX,
	 .help = "who logs in with a name and a password"},
	{.key = "tokens",
	 .type = CONFIG_NAMED,
	 CONFIG_FIELD(server_auth, tokens),
	 .section = &token_schema,
	 .max = NAMES_MAX,
	 .help = "programs that send Authorization: Bearer"},
	{.key = "metrics",
	 .type = CONFIG_ENUM,
	 CONFIG_FIELD(server_auth, metrics),
	 .fallback = "read",
	 .choices = metrics_choices,
	 .help = "who may read /metrics: open is everybody, the others a role"},
};

const struct config_schema server_auth_schema = CONFIG_SCHEMA("auth", server_auth, auth_rows);
