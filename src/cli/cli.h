/* The programs behind the one binary: one file a sub-command, each with
 * run(argc, argv), where argv[0] is the sub-command's name. They return an exit
 * status: 0, 1 (failed; one line on stderr said why) or 2 (wrong usage). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

int cmd_up(int argc, char **argv);
int cmd_agent(int argc, char **argv);
int cmd_server(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_store(int argc, char **argv);
int cmd_symbols(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

/* A long option: "--name=VALUE", "--name VALUE", or "--name" for a flag (also with one dash). */
struct option_row {
	const char *name;    /* "listen"; NULL: takes the arguments that are no options */
	const char *arg;     /* "HOST:PORT", or NULL for a flag */
	const char *initial; /* what help says about the default, or NULL */
	const char *help;
	const char **value; /* gets the text; flags get "" */
	/* Or: each occurrence is handed here instead. */
	void (*each)(void *user, const char *text);
	void *user;
};

/* Takes the options off argv. Returns CLI_OK; or CLI_USAGE after saying what is wrong with which option
 * and the nearest one that exists; or -1 after --help or --version was answered (the caller returns 0). */
int cli_options(const char *command, const char *usage, const struct option_row *rows,
		size_t row_count, int argc, char **argv);

void cli_print_version(void);
/* "cresset COMMAND: <sentence>" on stderr; returns CLI_FAILED. */
int cli_fail(const char *command, const struct err *err);

/* Blocks SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGPIPE and SIGUSR1 in this thread (and those it starts), to be
 * taken by cli_wait_stop() and the like. */
void cli_block_signals(void);
/* Returns the SIGINT or SIGTERM that came. A SIGHUP, which asks the programs whose place we take to read their
 * configuration again, is answered with a warning. */
int cli_wait_stop(const char *room);
/* The same, calling reload at each SIGHUP. */
int cli_wait_stop_or_reload(void (*reload)(void *user), void *user);
