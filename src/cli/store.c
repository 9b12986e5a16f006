/* SPDX-License-Identifier: Apache-2.0
 *
 * `cresset store`: what somebody does who looks after a store: docs/store.md. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/store_look.h"
#include "cli/store_place.h"
#include "store/engine.h"

static const char store_usage[] =
	"Usage: cresset store COMMAND [OPTIONS]\n\n"
	"Looks after the profiles on disk. All commands work while a server uses them.\n\n"
	"Commands:\n"
	"  backup   copy them to a new directory\n"
	"  restore  copy a backup into an empty data directory\n"
	"  verify   read everything and check every rule of the format\n"
	"  stats    what takes how much of the disk\n\n"
	"`cresset store COMMAND --help` says more about one.\n";

static const char backup_usage[] =
	"Usage: cresset store backup --to=DIR [OPTIONS]\n\n"
	"Copies the profiles to a new directory, which appears when all of it is on disk. "
	"Everything\n"
	"that was acknowledged before it began is in it. A server that uses them goes on "
	"meanwhile.\n"
	"The copy is a data directory as any other: `cresset server` can open it.\n";

static const char restore_usage[] =
	"Usage: cresset store restore --from=DIR [OPTIONS]\n\n"
	"Copies a backup into a data directory that is empty or not there. A server that is then\n"
	"started on it has what the backup has.\n";

/* ---- copying ---- */

static void show_copy(void *user, uint64_t done_bytes, uint64_t all_bytes)
{
	(void)user;
	store_progress("%s of %s copied", SIZE(done_bytes), SIZE(all_bytes));
}

static int copy(const char *command, struct store_copy options, const char *done, struct err *err)
{
	struct store_copied copied;
	uint64_t start_ns = clock_mono_ns();
	options.cancelled = &store_cancelled;
	options.progress = show_copy;
	store_catch_signals();
	int rc = store_copy(&options, &copied, err);
	store_progress_end();
	if (rc)
		return cli_fail(command, err);
	printf("%s %s to %s: %s in %llu files, %.1f s\n", done, options.from, options.to,
	       SIZE(copied.bytes), (unsigned long long)copied.files,
	       (double)(clock_mono_ns() - start_ns) / 1e9);
	return CLI_OK;
}

static int need_option(const char *command, const char *name, const char *value)
{
	if (value && *value)
		return CLI_OK;
	fprintf(stderr, "cresset %s: --%s=DIR is needed\n", command, name);
	return CLI_USAGE;
}

static int run_backup(int argc, char **argv)
{
	const char *data_dir = "/var/lib/cresset", *to = NULL;
	char from[PLACE_MAX];
	const struct option_row rows[] = {
		{"data-dir", "DIR", data_dir, "where the profiles are", &data_dir, NULL, NULL},
		{"to", "DIR", NULL, "where the copy shall be; must not be there", &to, NULL, NULL},
	};
	struct err err = {0};
	int rc = cli_options("store backup", backup_usage, rows, sizeof(rows) / sizeof(rows[0]),
			     argc, argv);
	if (rc)
		return rc < 0 ? CLI_OK : rc;
	rc = need_option("store backup", "to", to);
	if (rc)
		return rc;
	if (store_find(data_dir, from, &err))
		return cli_fail("store backup", &err);
	return copy("store backup", (struct store_copy){.from = from, .to = to, .within = "store"},
		    "copied", &err);
}

static int restore_places(const char *from_dir, const char *data_dir, char from[PLACE_MAX],
			  char to[PLACE_MAX], struct err *err)
{
	int rc = store_find(from_dir, from, err);
	rc = rc ? rc : store_need_empty(data_dir, err);
	if (!rc && snprintf(to, PLACE_MAX, "%s/store", data_dir) >= PLACE_MAX)
		rc = err_set(err, ERR_INVALID, "%.64s...: the path is too long", data_dir);
	return rc;
}

static int run_restore(int argc, char **argv)
{
	const char *data_dir = "/var/lib/cresset", *from_dir = NULL;
	char from[PLACE_MAX], to[PLACE_MAX];
	const struct option_row rows[] = {
		{"from", "DIR", NULL, "the backup", &from_dir, NULL, NULL},
		{"data-dir", "DIR", data_dir, "the data directory to fill", &data_dir, NULL, NULL},
	};
	struct err err = {0};
	int rc = cli_options("store restore", restore_usage, rows, sizeof(rows) / sizeof(rows[0]),
			     argc, argv);
	if (rc)
		return rc < 0 ? CLI_OK : rc;
	rc = need_option("store restore", "from", from_dir);
	if (rc)
		return rc;
	if (restore_places(from_dir, data_dir, from, to, &err))
		return cli_fail("store restore", &err);
	return copy("store restore", (struct store_copy){.from = from, .to = to, .within = ""},
		    "copied", &err);
}

/* ---- commands ---- */

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"backup", run_backup},
	{"restore", run_restore},
	{"verify", store_look_verify},
	{"stats", store_look_stats},
};

static bool asks_help(const char *text)
{
	return strcmp(text, "--help") == 0 || strcmp(text, "-help") == 0 ||
	       strcmp(text, "-h") == 0 || strcmp(text, "help") == 0;
}

int cmd_store(int argc, char **argv)
{
	if (argc > 1 && asks_help(argv[1])) {
		printf("%s", store_usage);
		return CLI_OK;
	}
	if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)) {
		cli_print_version();
		return CLI_OK;
	}
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, argv[1]) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (argc > 1)
		fprintf(stderr,
			"cresset store: there is no command \"%s\"; there are backup, restore, "
			"verify, "
			"stats\n",
			argv[1]);
	else
		fprintf(stderr,
			"cresset store: give a command: backup, restore, verify or stats\n");
	return CLI_USAGE;
}
