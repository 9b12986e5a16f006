/* SPDX-License-Identifier: Apache-2.0
 *
 * `cresset agent`: the Collector's command line on our pipeline. */
#include <stdio.h>

#include "base/log.h"
#include "cli/cli.h"
#include "collect/collect.h"

static const char agent_usage[] =
	"Usage: cresset agent --config=FILE [OPTIONS]\n\n"
	"Samples every process of this host and sends the profiles on, configured as an\n"
	"OpenTelemetry Collector with the `profiling` receiver and the `otlp_grpc` exporter:\n\n"
	"  receivers:\n    profiling:\n      samples_per_second: 97\n"
	"  exporters:\n    otlp_grpc:\n      endpoint: 127.0.0.1:4040\n      tls:\n"
	"        insecure: true\n"
	"  service:\n    pipelines:\n      profiles:\n        receivers: [profiling]\n"
	"        exporters: [otlp_grpc]\n\n"
	"docs/agent.md has every key.\n";

enum { LIST_MAX = 64 };

struct text_list {
	const char *items[LIST_MAX];
	size_t count;
	bool overflow;
};

static void list_add(void *user, const char *text)
{
	struct text_list *list = user;
	if (list->count < LIST_MAX)
		list->items[list->count++] = text;
	else
		list->overflow = true;
}

static int run_agent(const struct collect_options *options)
{
	struct collect *collect = NULL;
	struct err err = {0};
	if (collect_load(options, &collect, &err))
		return cli_fail("agent", &err);
	int rc = collect_start(collect, &err);
	if (!rc) {
		log_info("agent", "everything is ready, running", "");
		log_info("agent", "stopping", "signal=%d", cli_wait_stop("agent"));
	}
	collect_stop(collect);
	return rc ? cli_fail("agent", &err) : CLI_OK;
}

int cmd_agent(int argc, char **argv)
{
	struct text_list configs = {0}, sets = {0}, gates = {0};
	const struct option_row rows[] = {
		{"config", "FILE", NULL,
		 "where the configuration is: a path, or file:PATH, env:NAME, yaml:TEXT; may be "
		 "given more than once, later ones win",
		 NULL, list_add, &configs},
		{"set", "KEY=VALUE", NULL,
		 "sets one key, as receivers.profiling.samples_per_second=19", NULL, list_add,
		 &sets},
		{"feature-gates", "LIST", NULL,
		 "feature gates to turn on (NAME, +NAME) or off (-NAME); profiles pipelines "
		 "need service.profilesSupport",
		 NULL, list_add, &gates},
	};
	int rc =
		cli_options("agent", agent_usage, rows, sizeof(rows) / sizeof(rows[0]), argc, argv);
	if (rc)
		return rc < 0 ? CLI_OK : rc;
	if (configs.overflow || sets.overflow || gates.overflow) {
		fprintf(stderr, "cresset agent: an option was given more than %d times\n",
			LIST_MAX);
		return CLI_USAGE;
	}
	cli_block_signals();
	return run_agent(&(struct collect_options){configs.items, configs.count, sets.items,
						   sets.count, gates.items, gates.count});
}
