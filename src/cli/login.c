/* SPDX-License-Identifier: Apache-2.0
 *
 * Who we are to a server that asks. Secrets come from a file or the environment, since a command line is for all to see. */
#include "cli/login.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/fd.h"

enum { TOKEN_FILE_MAX = 64 * 1024 };

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory to log in");
}

static int read_token(const char *path, struct arena *arena, struct str *ret, struct err *err)
{
	struct buf text = {0};
	int rc = fd_read_file(path, TOKEN_FILE_MAX, &text, err);
	if (rc == 0) {
		*ret = arena_str(arena, str_trim(buf_text(&text)));
		rc = ret->ptr ? 0 : no_memory(err);
	}
	buf_deinit(&text);
	return rc ? err_wrap(err, "--token-file") : 0;
}

static int make_basic(struct str pair, struct arena *arena, struct str *ret, struct err *err)
{
	struct buf text = {0};
	if (str_find_char(pair, ':') < 0)
		return err_set(err, ERR_INVALID, "CRESSET_USER is not of the form NAME:PASSWORD");
	base64_put(&text, pair, true);
	*ret = arena_printf(arena, "Basic %.*s", STR_ARG(buf_text(&text)));
	int rc = buf_check(&text, "CRESSET_USER", err);
	buf_deinit(&text);
	return rc == 0 && !ret->ptr ? no_memory(err) : rc;
}

static int authorization(const char *token_file, struct arena *arena, struct str *ret,
			 struct err *err)
{
	const char *user = getenv("CRESSET_USER"), *token = getenv("CRESSET_TOKEN");
	struct str text = str_of(token);
	int rc = 0;

	*ret = STR("");
	if (token_file)
		rc = read_token(token_file, arena, &text, err);
	else if ((!token || !*token) && user && *user)
		return make_basic(str_of(user), arena, ret, err);
	if (rc || text.len == 0)
		return rc;
	*ret = arena_printf(arena, "Bearer %.*s", STR_ARG(text));
	return ret->ptr ? 0 : no_memory(err);
}

int cli_login(const struct login_args *args, struct arena *arena, struct login *login,
	      struct net_client_config *config, struct err *err)
{
	struct str text;
	int rc = authorization(args->token_file, arena, &text, err);

	login->count = 0;
	if (rc == 0 && text.len > 0)
		login->headers[login->count++] = (struct net_header){STR("authorization"), text};
	if (rc == 0 && args->tenant)
		login->headers[login->count++] =
			(struct net_header){STR("x-scope-orgid"), str_of(args->tenant)};
	config->headers = login->headers;
	config->header_count = login->count;
	config->ca_file = args->ca_file;
	config->cert_file = args->cert_file;
	config->key_file = args->key_file;
	return rc;
}
