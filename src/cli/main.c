/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static const struct command commands[] = {
	{"up", "profile this host: agent and server together (the default)", cmd_up},
	{"agent", "sample this host and send profiles on, as an OpenTelemetry Collector",
	 cmd_agent},
	{"server", "store profiles and answer queries, as a Pyroscope server", cmd_server},
	{"query", "print a flame graph of a server in the terminal", cmd_query},
	{"store", "back up, restore, verify and measure the profiles on disk", cmd_store},
	{"symbols", "give a server names for frames that have none", cmd_symbols},
	{"doctor", "say what works on this host and what does not", cmd_doctor},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_help(void)
{
	printf("Cresset shows what burns CPU on a Linux host, as flame graphs.\n\n"
	       "Usage: cresset [COMMAND] [OPTIONS]\n\nCommands:\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].summary);
	printf("\n`cresset COMMAND --help` says more about one; `cresset --version` prints the "
	       "version.\n"
	       "Start with `cresset up` as root, then open http://127.0.0.1:4040.\n\n"
	       "Exit status: 0 done; 1 failed, one line on stderr says why; 2 wrong usage.\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static bool is_help(const char *text)
{
	return strcmp(text, "--help") == 0 || strcmp(text, "-help") == 0 ||
	       strcmp(text, "-h") == 0 || strcmp(text, "help") == 0;
}

static bool is_version(const char *text)
{
	return strcmp(text, "--version") == 0 || strcmp(text, "-version") == 0 ||
	       strcmp(text, "-v") == 0 || strcmp(text, "version") == 0;
}

/* Whoever starts us with a closed stdin, stdout or stderr must not get our log lines into the first files
 * that we open. */
static void hold_standard_fds(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int run(int argc, char **argv)
{
	if (argc < 2 || (argv[1][0] == '-' && !is_help(argv[1]) && !is_version(argv[1])))
		return cmd_up(argc, argv);
	const struct command *command = find_command(argv[1]);
	if (command)
		return command->run(argc - 1, argv + 1);
	if (is_help(argv[1]) && argc > 2 && (command = find_command(argv[2])) != NULL) {
		char *ask[] = {argv[2], (char[]){"--help"}, NULL};
		return command->run(2, ask);
	}
	if (is_help(argv[1])) {
		print_help();
		return CLI_OK;
	}
	if (is_version(argv[1])) {
		cli_print_version();
		return CLI_OK;
	}
	fprintf(stderr, "cresset: there is no command \"%s\"; `cresset --help` lists them\n",
		argv[1]);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	hold_standard_fds();
	int status = run(argc, argv);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (status == CLI_OK)
		fprintf(stderr, "cresset: writing to stdout: %s\n", strerror(errno));
	return status ? status : CLI_FAILED;
}
