/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "config/config.h"

enum { OPTIONS_MAX = 32 }; /* more than any command has */

/* Help is laid out for a terminal of 80 columns. */
enum { HELP_INDENT = 31, HELP_COLUMNS = 80 };

/* text behind column HELP_INDENT, broken between words. */
static void print_wrapped(const char *text, size_t column)
{
	for (const char *word = text + strspn(text, " "); *word; word += strspn(word, " ")) {
		size_t len = strcspn(word, " ");
		bool first = column == HELP_INDENT;
		if (!first && column + 1 + len > HELP_COLUMNS) {
			printf("\n%*s", HELP_INDENT, "");
			column = HELP_INDENT;
			first = true;
		}
		printf("%s%.*s", first ? "" : " ", (int)len, word);
		column += len + !first;
		word += len;
	}
	printf("\n");
}

static void print_row(const char *left, const char *help, const char *initial)
{
	char text[512];
	snprintf(text, sizeof(text), initial ? "%s (default %s)" : "%s", help, initial);
	printf("  %-28s ", left);
	if (strlen(left) > HELP_INDENT - 3)
		printf("\n%*s", HELP_INDENT, "");
	print_wrapped(text, HELP_INDENT);
}

static void print_usage(const char *usage, const struct option_row *rows, size_t row_count)
{
	printf("%s\nOptions:\n", usage);
	for (size_t i = 0; i < row_count; i++) {
		char left[64];
		if (!rows[i].name)
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", rows[i].name, rows[i].arg ? "=" : "",
			 rows[i].arg ? rows[i].arg : "");
		print_row(left, rows[i].help, rows[i].initial);
	}
	print_row("--help", "this text", NULL);
	print_row("--version", "the version", NULL);
}

static const struct option_row *find_row(const struct option_row *rows, size_t row_count,
					 struct str name)
{
	for (size_t i = 0; i < row_count; i++)
		if (rows[i].name && str_equal(str_of(rows[i].name), name))
			return &rows[i];
	return NULL;
}

/* The one for arguments that are no options, or NULL. */
static const struct option_row *find_plain_row(const struct option_row *rows, size_t row_count)
{
	for (size_t i = 0; i < row_count; i++)
		if (!rows[i].name)
			return &rows[i];
	return NULL;
}

static int say_unknown(const char *command, const struct option_row *rows, size_t row_count,
		       struct str name)
{
	const char *names[OPTIONS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < row_count && count < OPTIONS_MAX; i++)
		if (rows[i].name)
			names[count++] = rows[i].name;
	const char *best = config_suggest(name, names, count);
	fprintf(stderr, "cresset %s: there is no option --%.*s", command, STR_ARG(name));
	if (best)
		fprintf(stderr, " (did you mean --%s?)", best);
	fprintf(stderr, "; --help lists them\n");
	return CLI_USAGE;
}

static void store_value(const struct option_row *row, const char *text)
{
	if (row->each)
		row->each(row->user, text);
	else
		*row->value = text;
}

static int say_value(const char *command, const struct option_row *row, bool wanted)
{
	fprintf(stderr,
		wanted ? "cresset %s: --%s needs a value, as in --%s=%s\n"
		       : "cresset %s: --%s takes no value\n",
		command, row->name, row->name, row->arg ? row->arg : "");
	return CLI_USAGE;
}

static int take_plain(const char *command, const struct option_row *row, const char *text)
{
	if (row) {
		store_value(row, text);
		return CLI_OK;
	}
	fprintf(stderr, "cresset %s: \"%s\" is not an option; --help lists them\n", command, text);
	return CLI_USAGE;
}

/* One argument (and the next one, if it is its value). Moves *at past what it took. */
static int take_option(const char *command, const struct option_row *rows, size_t row_count,
		       int argc, char **argv, int *at)
{
	const char *text = argv[*at];
	if (text[0] != '-' || text[1] == '\0')
		return take_plain(command, find_plain_row(rows, row_count), argv[(*at)++]);
	struct str rest = str_of(text + (text[1] == '-' ? 2 : 1)), name;
	bool with_value = str_find_char(rest, '=') >= 0;
	(void)str_next(&rest, '=', &name);
	const struct option_row *row = find_row(rows, row_count, name);
	if (!row)
		return say_unknown(command, rows, row_count, name);
	if (!row->arg && with_value)
		return say_value(command, row, false);
	if (row->arg && !with_value && *at + 1 >= argc)
		return say_value(command, row, true);
	if (row->arg && !with_value)
		(*at)++;
	store_value(row, !row->arg ? "" : with_value ? name.ptr + name.len + 1 : argv[*at]);
	(*at)++;
	return CLI_OK;
}

static bool asks_help(const char *text)
{
	return strcmp(text, "--help") == 0 || strcmp(text, "-help") == 0 || strcmp(text, "-h") == 0;
}

static bool asks_version(const char *text)
{
	return strcmp(text, "--version") == 0 || strcmp(text, "-version") == 0 ||
	       strcmp(text, "-v") == 0;
}

void cli_print_version(void)
{
	printf("cresset %s\n", CRESSET_VERSION);
}

int cli_options(const char *command, const char *usage, const struct option_row *rows,
		size_t row_count, int argc, char **argv)
{
	for (int at = 1; at < argc;) {
		if (asks_help(argv[at])) {
			print_usage(usage, rows, row_count);
			return -1;
		}
		if (asks_version(argv[at])) {
			cli_print_version();
			return -1;
		}
		int rc = take_option(command, rows, row_count, argc, argv, &at);
		if (rc != CLI_OK)
			return rc;
	}
	return CLI_OK;
}

int cli_fail(const char *command, const struct err *err)
{
	fprintf(stderr, "cresset %s: %s\n", command, err->text);
	return CLI_FAILED;
}

static void stop_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
}

void cli_block_signals(void)
{
	sigset_t set;
	stop_signals(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int cli_wait_stop_or_reload(void (*reload)(void *user), void *user)
{
	sigset_t set;
	int sig = 0;
	stop_signals(&set);
	sigaddset(&set, SIGHUP);
	while (sigwait(&set, &sig) != 0 || sig == SIGHUP)
		if (sig == SIGHUP)
			reload(user);
	return sig;
}

static void refuse_reload(void *user)
{
	log_warn(user, "SIGHUP: a configuration is read at the start only; restart", "");
}

int cli_wait_stop(const char *room)
{
	return cli_wait_stop_or_reload(refuse_reload, (void *)room);
}
