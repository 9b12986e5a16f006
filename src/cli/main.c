/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct command commands[] = {
	{"up", "profile this host: agent and server together (the default)", cmd_up},
	{"agent", "sample this host and send profiles on, as an OpenTelemetry Collector",
	 cmd_agent},
	{"server", "store profiles and answer queries, as a Pyroscope server", cmd_server},
	{"query", "print a flame graph of a server in the terminal", cmd_query},
	{"doctor", "say what works on this host and what does not", cmd_doctor},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_help(void)
{
	printf("Cresset shows what burns CPU on a Linux host, as flame graphs.\n\n"
	       "Usage: cresset [COMMAND] [OPTIONS]\n\nCommands:\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].summary);
	printf("\n`cresset COMMAND --help` says more about one. Start with `cresset up` as root, "
	       "then\n"
	       "open http://127.0.0.1:4040.\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static bool is_any(const char *text, const char *a, const char *b, const char *c)
{
	return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

int main(int argc, char **argv)
{
	if (argc < 2 || (argv[1][0] == '-' && !is_any(argv[1], "--help", "-h", "-help") &&
			 !is_any(argv[1], "--version", "-version", "-v")))
		return cmd_up(argc, argv);
	if (is_any(argv[1], "--help", "-h", "help") || strcmp(argv[1], "-help") == 0) {
		print_help();
		return CLI_OK;
	}
	if (is_any(argv[1], "--version", "-version", "version") || strcmp(argv[1], "-v") == 0) {
		printf("cresset %s\n", CRESSET_VERSION);
		return CLI_OK;
	}
	const struct command *command = find_command(argv[1]);
	if (!command) {
		fprintf(stderr,
			"cresset: there is no command \"%s\"; `cresset --help` lists them\n",
			argv[1]);
		return CLI_USAGE;
	}
	return command->run(argc - 1, argv + 1);
}
