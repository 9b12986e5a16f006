/* SPDX-License-Identifier: Apache-2.0
 *
 * `cresset server`: Pyroscope's command line on our server. */
#include "server/server.h"

#include <stdio.h>

#include "base/log.h"
#include "cli/cli.h"

static void warn(void *data, const char *text)
{
	(void)data;
	log_warn("server", "configuration", "what=" LOG_Q, LOG_TEXT(text));
}

static void print_help(void)
{
	struct buf out;
	buf_init(&out, 0);
	server_config_help(&out);
	printf("Usage: cresset server [-config.file=FILE] [FLAGS]\n\n"
	       "Stores profiles and answers queries on one port, with Pyroscope's configuration "
	       "file and\n"
	       "flags. The page is at http://HOST:4040/.\n\nFlags:\n%.*s",
	       STR_ARG(buf_text(&out)));
	buf_deinit(&out);
}

static int serve(const struct server_config *config, struct err *err)
{
	struct server *server = NULL;
	int rc = server_start(config, &server, err);
	if (rc)
		return rc;
	log_info("server", "everything is ready, serving", "address=%s", server_address(server));
	log_info("server", "stopping", "signal=%d", cli_wait_stop("server"));
	server_stop(server);
	return 0;
}

static int load_and_serve(struct arena *arena, int argc, char **argv, struct err *err)
{
	struct server_config config;
	int rc = server_config_load(arena, argc - 1, argv + 1, warn, NULL, &config, err);
	if (rc)
		return rc;
	if (config.help) {
		print_help();
		return 0;
	}
	if (config.version) {
		cli_print_version();
		return 0;
	}
	if (config.modules) {
		printf("all\n");
		return 0;
	}
	log_set_level((enum log_level)config.http.log_level);
	log_set_json(config.http.log_format == SERVER_LOG_JSON);
	cli_block_signals();
	return serve(&config, err);
}

int cmd_server(int argc, char **argv)
{
	struct arena arena;
	struct err err = {0};
	arena_init(&arena, 0);
	int rc = load_and_serve(&arena, argc, argv, &err);
	arena_deinit(&arena);
	return rc ? cli_fail("server", &err) : CLI_OK;
}
