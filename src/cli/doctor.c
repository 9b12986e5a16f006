/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "agent/agent.h"
#include "cli/cli.h"

static const char doctor_usage[] =
	"Usage: cresset doctor\n\n"
	"Says what Cresset needs of this host, what is there, and how to get the rest.\n"
	"Exit status 0: `cresset up` and `cresset agent` can run here; 1: something is missing.\n";

static const char *mark(const struct agent_requirement *row)
{
	if (row->ok)
		return "ok     ";
	return row->required ? "MISSING" : "note   ";
}

int cmd_doctor(int argc, char **argv)
{
	int rc = cli_options("doctor", doctor_usage, NULL, 0, argc, argv);
	if (rc)
		return rc < 0 ? CLI_OK : rc;
	struct agent_requirement rows[AGENT_REQUIREMENT_MAX];
	struct agent_config config;
	bool all = false;
	agent_config_init(&config);
	size_t count = agent_check(&config, rows, AGENT_REQUIREMENT_MAX, &all);
	printf("cresset %s\n", CRESSET_VERSION);
	for (size_t i = 0; i < count; i++)
		printf("  %s  %-24s %s\n", mark(&rows[i]), rows[i].name, rows[i].text);
	printf(all ? "This host can be profiled: start with `cresset up`.\n"
		   : "This host cannot be profiled yet; the rows marked MISSING say what to do.\n");
	return all ? CLI_OK : CLI_FAILED;
}
