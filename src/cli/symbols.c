/* SPDX-License-Identifier: Apache-2.0
 *
 * `cresset symbols`: names for frames that a server has without one, sent after the profiles. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/zip.h"
#include "cli/cli.h"
#include "cli/login.h"
#include "net/net.h"

static const char symbols_usage[] =
	"Usage: cresset symbols upload [OPTIONS] FILE...\n"
	"       cresset symbols list [OPTIONS]\n"
	"       cresset symbols delete [OPTIONS] BUILDID...\n\n"
	"Sends the symbols of ELF files (an executable, a library, a debug file) to a\n"
	"server, which from then on names the frames of their build ids: in what is\n"
	"stored, and in what comes. The list shows what the server has, and the build\n"
	"ids whose frames still lack names.\n";

enum {
	FILE_MAX_BYTES = 512 * 1024 * 1024,
	GZIP_LEVEL = 4,
	BUSY_TRIES = 60,
	NAMES_MAX = 4096,
	WHEN_BYTES = 24,
};

#define SYMBOLS_PATH "/api/v1/symbols"

struct symbols_args {
	const char *url, *build_id;
	struct login_args login;
	const char *names[NAMES_MAX]; /* files, build ids */
	size_t name_count, too_many;
};

static void take_name(void *user, const char *text)
{
	struct symbols_args *args = user;
	if (args->name_count < NAMES_MAX)
		args->names[args->name_count++] = text;
	else
		args->too_many++;
}

/* ---- one call ---- */

static int open_client(const struct symbols_args *args, struct arena *arena,
		       struct net_client **ret, struct err *err)
{
	struct login login;
	struct net_client_config config = {.endpoint = args->url,
					   .insecure = true,
					   .timeout_ns = 600ULL * NS_PER_S,
					   .user_agent = "cresset-symbols/" CRESSET_VERSION};
	int rc = cli_login(&args->login, arena, &login, &config, err);
	return rc ? rc : net_client_create(&config, ret, err);
}

/* The server's sentence is in its JSON. */
static int say_refused(const struct symbols_args *args, const struct net_reply *reply,
		       struct err *err)
{
	struct str text = buf_text(&reply->body);
	json_t *answer = json_loadb(text.ptr, text.len, 0, NULL);
	const char *message = json_string_value(json_object_get(answer, "message"));
	if (message)
		err_set(err, ERR_INVALID, "%s", message);
	else
		err_set(err, ERR_INVALID, "%s answered %d: %.*s", args->url, reply->http_status,
			STR_ARG(str_sub(str_trim(text), 0, 500)));
	json_decref(answer);
	return ERR_INVALID;
}

/* Another upload may be going on: 503 with Retry-After. */
static int call(const struct symbols_args *args, struct net_client *client, const char *method,
		const char *path, struct str body, json_t **ret, struct err *err)
{
	struct net_reply reply = {0};
	int rc = 0;
	for (unsigned tries = 0; tries < BUSY_TRIES; tries++) {
		net_reply_deinit(&reply);
		rc = net_client_http(client, method, path,
				     body.len ? "application/octet-stream" : NULL, body, &reply,
				     err);
		if (rc || reply.http_status != 503 || reply.retry_after_ms < 0)
			break;
		clock_sleep_until_ns(clock_mono_ns() + NS_PER_S);
	}
	if (!rc && reply.http_status != 200)
		rc = say_refused(args, &reply, err);
	if (!rc) {
		*ret = json_loadb(buf_text(&reply.body).ptr, reply.body.len, 0, NULL);
		if (!*ret)
			rc = err_set(err, ERR_INVALID, "%s did not answer in JSON", args->url);
	}
	net_reply_deinit(&reply);
	return rc;
}

/* ---- upload ---- */

static int read_packed(const char *path, struct buf *ret, struct err *err)
{
	struct buf file = {0};
	int rc = fd_read_file(path, FILE_MAX_BYTES, &file, err);
	if (rc == ERR_LIMIT)
		rc = err_set(err, ERR_LIMIT,
			     "%s is larger than %d MiB; symbols alone are enough: "
			     "objcopy --strip-debug %s SMALLER",
			     path, FILE_MAX_BYTES >> 20, path);
	rc = rc ? rc : zip_gzip(buf_text(&file), GZIP_LEVEL, ret, err);
	buf_deinit(&file);
	return rc;
}

/* What may stand in a query as it is. */
static bool is_plain(const char *text)
{
	return text[strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "-_.~")] == '\0';
}

static int make_path(const struct symbols_args *args, struct arena *arena, const char **ret,
		     struct err *err)
{
	*ret = SYMBOLS_PATH;
	if (!args->build_id)
		return 0;
	if (!is_plain(args->build_id))
		return err_set(err, ERR_INVALID, "--build-id=%s is no build id", args->build_id);
	*ret = arena_printf(arena, SYMBOLS_PATH "?build_id=%s", args->build_id).ptr;
	return *ret ? 0 : err_set(err, ERR_NOMEM, "no memory for a URL");
}

static int upload_file(const struct symbols_args *args, struct net_client *client,
		       const char *query, const char *path, struct err *err)
{
	struct buf packed = {0};
	json_t *answer = NULL;
	int rc = read_packed(path, &packed, err);
	if (!rc) {
		rc = call(args, client, "POST", query, buf_text(&packed), &answer, err);
		if (rc)
			err_wrap(err, "%s", path);
	}
	buf_deinit(&packed);
	if (rc)
		return rc;
	printf("%s  %s  %" JSON_INTEGER_FORMAT " functions%s\n",
	       json_string_value(json_object_get(answer, "buildId")), path,
	       json_integer_value(json_object_get(answer, "functions")),
	       json_is_true(json_object_get(answer, "replaced")) ? ", replaced" : "");
	json_decref(answer);
	return 0;
}

static int upload(const struct symbols_args *args, struct net_client *client, struct arena *arena,
		  struct err *err)
{
	const char *query = NULL;
	if (args->name_count == 0)
		return err_set(err, ERR_INVALID, "upload needs the name of a file");
	if (args->build_id && args->name_count > 1)
		return err_set(err, ERR_INVALID, "--build-id goes with one file");
	int rc = make_path(args, arena, &query, err);
	for (size_t i = 0; !rc && i < args->name_count; i++)
		rc = upload_file(args, client, query, args->names[i], err);
	return rc;
}

/* ---- list ---- */

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));
	return text ? text : "";
}

/* Names of mappings are what some process chose: control characters do not reach the terminal. */
static void print_text(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void print_when(int64_t ms, char ret[WHEN_BYTES])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	if (!gmtime_r(&seconds, &tm) || !strftime(ret, WHEN_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm))
		ret[0] = '\0';
}

static int list(const struct symbols_args *args, struct net_client *client, struct err *err)
{
	json_t *answer = NULL, *row;
	char when[WHEN_BYTES];
	size_t i;
	int rc = call(args, client, "GET", SYMBOLS_PATH, STR(""), &answer, err);
	if (rc)
		return rc;
	printf("%-40s %10s  %-20s  %s\n", "build id", "functions", "since", "from");
	json_array_foreach(json_object_get(answer, "symbols"), i, row)
	{
		print_when(json_integer_value(json_object_get(row, "timeMs")), when);
		print_text(text_of(row, "buildId"));
		printf("%*s %10" JSON_INTEGER_FORMAT "  %-20s  ",
		       (int)(40 - strnlen(text_of(row, "buildId"), 40)), "",
		       json_integer_value(json_object_get(row, "functions")), when);
		print_text(text_of(row, "source"));
		putchar('\n');
	}
	if (json_array_size(json_object_get(answer, "missing")))
		printf("\n%-40s %10s  %s\n", "missing build id", "frames", "file");
	json_array_foreach(json_object_get(answer, "missing"), i, row)
	{
		print_text(text_of(row, "buildId"));
		printf("%*s %10" JSON_INTEGER_FORMAT "  ",
		       (int)(40 - strnlen(text_of(row, "buildId"), 40)), "",
		       json_integer_value(json_object_get(row, "frames")));
		print_text(text_of(row, "mapping"));
		putchar('\n');
	}
	json_decref(answer);
	return 0;
}

/* ---- delete ---- */

static int delete (const struct symbols_args *args, struct net_client *client, struct arena *arena,
		   struct err *err)
{
	int rc = args->name_count ? 0 : err_set(err, ERR_INVALID, "delete needs a build id");
	for (size_t i = 0; !rc && i < args->name_count; i++) {
		json_t *answer = NULL;
		const char *path = arena_printf(arena, SYMBOLS_PATH "/%s", args->names[i]).ptr;
		if (!path)
			return err_set(err, ERR_NOMEM, "no memory for a URL");
		if (!is_plain(args->names[i]))
			return err_set(err, ERR_INVALID, "\"%s\" is no build id", args->names[i]);
		rc = call(args, client, "DELETE", path, STR(""), &answer, err);
		json_decref(answer);
	}
	return rc;
}

/* ---- the command ---- */

static int run_action(const char *action, const struct symbols_args *args, struct arena *arena,
		      struct err *err)
{
	struct net_client *client = NULL;
	int rc = open_client(args, arena, &client, err);
	if (rc)
		return rc;
	if (strcmp(action, "upload") == 0)
		rc = upload(args, client, arena, err);
	else if (strcmp(action, "list") == 0)
		rc = list(args, client, err);
	else
		rc = delete (args, client, arena, err);
	net_client_destroy(client);
	return rc;
}

static bool is_action(const char *text)
{
	return strcmp(text, "upload") == 0 || strcmp(text, "list") == 0 ||
	       strcmp(text, "delete") == 0;
}

/* The action is argv[1]: with it gone the rest is options and names. */
static int check_usage(int argc, char **argv, const struct symbols_args *args)
{
	if (argc < 2 || !is_action(argv[1])) {
		fprintf(stderr, "cresset symbols: say upload, list or delete; --help explains\n");
		return CLI_USAGE;
	}
	if (args->too_many) {
		fprintf(stderr, "cresset symbols: more than %d names\n", NAMES_MAX);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "list") == 0 && args->name_count > 0) {
		fprintf(stderr, "cresset symbols: list takes no names, \"%s\" is one\n",
			args->names[0]);
		return CLI_USAGE;
	}
	return CLI_OK;
}

int cmd_symbols(int argc, char **argv)
{
	static struct symbols_args args = {.url = "http://127.0.0.1:4040"};
	const struct option_row rows[] = {
		{"server", "URL", args.url, "where to send and ask", &args.url, NULL, NULL},
		{"url", "URL", NULL, "the same", &args.url, NULL, NULL},
		{"build-id", "ID", NULL, "upload: of a file that has none, as the list shows it",
		 &args.build_id, NULL, NULL},
		LOGIN_OPTIONS(args.login),
		{NULL, NULL, NULL, NULL, NULL, take_name, &args},
	};
	bool action = argc > 1 && is_action(argv[1]);
	int rc = cli_options("symbols", symbols_usage, rows, sizeof(rows) / sizeof(rows[0]),
			     argc - action, argv + action);
	rc = rc ? rc : check_usage(argc, argv, &args);
	if (rc)
		return rc < 0 ? CLI_OK : rc;
	struct arena arena;
	struct err err = {0};
	arena_init(&arena, 0);
	rc = run_action(argv[1], &args, &arena, &err);
	arena_deinit(&arena);
	return rc ? cli_fail("symbols", &err) : CLI_OK;
}
