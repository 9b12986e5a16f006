/* The headers that say to a server who we are and for which tenant we ask. */
#pragma once

#include "base/arena.h"
#include "net/net.h"

/* What the options of a client program say. */
struct login_args {
	const char *token_file, *tenant;
	const char *ca_file, *cert_file, *key_file; /* of TLS; PEM */
};

/* Rows for cli_options. */
#define LOGIN_OPTIONS(args)                                                                      \
	{"tenant",	 "NAME", NULL, "whose profiles (of a server with tenants)",              \
	 &(args).tenant, NULL,	 NULL},                                                          \
		{"token-file",                                                                   \
		 "FILE",                                                                         \
		 NULL,                                                                           \
		 "token to log in with; else $CRESSET_TOKEN, or $CRESSET_USER as NAME:PASSWORD", \
		 &(args).token_file,                                                             \
		 NULL,                                                                           \
		 NULL},                                                                          \
		{"ca-file",	  "FILE", NULL, "whom to trust (https), PEM",                    \
		 &(args).ca_file, NULL,	  NULL},                                                 \
		{"cert-file",	    "FILE", NULL, "our certificate (https), PEM",                \
		 &(args).cert_file, NULL,   NULL},                                               \
	{                                                                                        \
		"key-file", "FILE", NULL, "its key, PEM", &(args).key_file, NULL, NULL           \
	}

struct login {
	struct net_header headers[2];
	size_t count;
};

/* Puts them, and the headers (kept in login), into config. A token from the file, else from the environment's
 * CRESSET_TOKEN, else name and password from its CRESSET_USER (NAME:PASSWORD), else none. Texts are in the arena, or the
 * args' own. */
MUST_USE int cli_login(const struct login_args *args, struct arena *arena, struct login *login,
		       struct net_client_config *config, struct err *err);
