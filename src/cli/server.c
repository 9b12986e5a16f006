/* SPDX-License-Identifier: Apache-2.0
 *
 * `cresset server`: Pyroscope's command line on our server. */
#include "server/server.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
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
	printf("Usage: cresset server [-config.file=FILE] [FLAGS]\n"
	       "       cresset server hash-password\n\n"
	       "Stores profiles and answers queries on one port, with Pyroscope's configuration "
	       "file and\n"
	       "flags. The page is at http://HOST:4040/. SIGHUP reads the file again. "
	       "hash-password "
	       "reads a\n"
	       "password from standard input and prints what stands as password_hash in the "
	       "file.\n\nFlags:\n%.*s",
	       STR_ARG(buf_text(&out)));
	buf_deinit(&out);
}

/* ---- serving ---- */

struct serving {
	struct server *server;
	int argc;
	char **argv;
};

/* The same command line again: the file may say something else now. */
static void reload(void *user)
{
	const struct serving *serving = user;
	struct server_config config;
	struct buf report = {0};
	struct arena arena;
	struct err err = {0};

	arena_init(&arena, 0);
	int rc =
		server_config_load(&arena, serving->argc, serving->argv, warn, NULL, &config, &err);
	if (rc == 0)
		rc = server_reload(serving->server, &arena, &config, &report, &err);
	if (rc)
		log_error("server", "SIGHUP: the configuration stays as it was", "why=" LOG_Q,
			  LOG_TEXT(err.text));
	else
		log_info("server", "SIGHUP: the configuration was read again", "%s", "");
	if (rc == 0 && report.len > 0) {
		buf_char(&report, '\0');
		log_warn("server", "SIGHUP: some changes need a restart", "keys=" LOG_Q,
			 LOG_TEXT(report.ptr));
	}
	buf_deinit(&report);
	arena_deinit(&arena);
}

static int serve(const struct server_config *config, int argc, char **argv, struct err *err)
{
	struct serving serving = {NULL, argc, argv};
	int rc = server_start(config, &serving.server, err);
	if (rc)
		return rc;
	log_info("server", "everything is ready, serving", "address=%s store=" LOG_Q,
		 server_address(serving.server), LOG_TEXT(server_store_path(serving.server)));
	int sig = cli_wait_stop_or_reload(reload, &serving);
	if (config->shutdown_delay_ns > 0) {
		log_info("server", "stopping after shutdown_delay", "signal=%d", sig);
		clock_sleep_until_ns(clock_mono_ns() + (uint64_t)config->shutdown_delay_ns);
	}
	log_info("server", "stopping", "signal=%d", sig);
	server_stop(serving.server);
	return 0;
}

/* What asks for text instead of a server. */
static bool answer_question(const struct server_config *config)
{
	if (config->help)
		print_help();
	else if (config->version)
		cli_print_version();
	else if (config->modules)
		printf("all\n");
	return config->help || config->version || config->modules;
}

static int load_and_serve(struct arena *arena, int argc, char **argv, bool *ret_wrong_usage,
			  struct err *err)
{
	struct server_config config;
	int rc = server_config_load(arena, argc, argv, warn, NULL, &config, err);
	*ret_wrong_usage = rc && config.wrong_usage;
	if (rc || answer_question(&config))
		return rc;
	log_set_level((enum log_level)config.http.log_level);
	log_set_json(config.http.log_format == SERVER_LOG_JSON);
	cli_block_signals();
	return serve(&config, argc, argv, err);
}

/* ---- hash-password ---- */

/* One line, not shown while it is typed. */
static int read_password(struct str *ret, char *space, size_t cap, struct err *err)
{
	struct termios before, silent;
	bool typed = tcgetattr(STDIN_FILENO, &before) == 0;

	if (typed) {
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		fprintf(stderr, "Password: ");
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	}
	bool read = fgets(space, (int)cap, stdin) != NULL;
	if (typed) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	*ret = str_of(read ? space : "");
	if (str_ends_with(*ret, STR("\n")))
		ret->len--;
	if (ret->len == 0)
		return err_set(err, ERR_INVALID, "there is no password on standard input");
	return 0;
}

static const char hash_usage[] = "Usage: cresset server hash-password\n\n"
				 "Reads a password from standard input (a terminal does not show "
				 "it) and prints what stands\n"
				 "as auth.users.NAME.password_hash in the server's file.\n";

static int hash_password(struct err *err)
{
	char space[1024];
	struct buf text = {0};
	struct str password;

	int rc = read_password(&password, space, sizeof(space), err);
	rc = rc ? rc : server_hash_password(password, &text, err);
	if (rc == 0)
		printf("%.*s\n", STR_ARG(buf_text(&text)));
	buf_deinit(&text);
	memset(space, 0, sizeof(space));
	return rc;
}

static int cmd_hash_password(int argc, char **argv)
{
	struct err err = {0};
	int rc = cli_options("server hash-password", hash_usage, NULL, 0, argc, argv);
	if (rc)
		return rc < 0 ? CLI_OK : rc;
	rc = hash_password(&err);
	return rc ? cli_fail("server hash-password", &err) : CLI_OK;
}

int cmd_server(int argc, char **argv)
{
	struct arena arena;
	struct err err = {0};
	bool wrong_usage = false;

	if (argc > 1 && strcmp(argv[1], "hash-password") == 0)
		return cmd_hash_password(argc - 1, argv + 1);
	arena_init(&arena, 0);
	int rc = load_and_serve(&arena, argc - 1, argv + 1, &wrong_usage, &err);
	arena_deinit(&arena);
	if (rc == 0)
		return CLI_OK;
	cli_fail("server", &err);
	return wrong_usage ? CLI_USAGE : CLI_FAILED;
}
