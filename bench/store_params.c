#include "store_params.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "store_tools.h"

enum kind { TEXT, NUMBER, REAL };

struct row {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *help;
};

#define ROW(kind, field, help)                                     \
	{                                                          \
#field, kind, offsetof(struct params, field), help \
	}

static const struct row rows[] = {
	ROW(TEXT, mode, "load (write, then measure), measure, replay, soak, limits, columns"),
	ROW(TEXT, dir, "where the store is made; \"\": a directory below /tmp"),
	ROW(NUMBER, keep, "1: leave the store there"),
	ROW(NUMBER, services, "services"),
	ROW(NUMBER, hosts, "instances of each service"),
	ROW(NUMBER, busy, "times as many instances of the first service"),
	ROW(NUMBER, series, "series of each instance: 7 of 10 hold CPU time, the others bytes"),
	ROW(NUMBER, stacks, "stacks of each service"),
	ROW(NUMBER, functions, "functions of each service"),
	ROW(NUMBER, depth, "frames of a stack"),
	ROW(REAL, skew, "a stack's place is u to this power, u even in 0..1"),
	ROW(REAL, churn, "share of the stacks that are replaced each hour"),
	ROW(REAL, rate, "samples per second of each series"),
	ROW(NUMBER, batch_s, "seconds of samples in a request"),
	ROW(TEXT, values, "mixed (by type), constant, random"),
	ROW(TEXT, times, "batch (one time for all), tick (a timer's), random"),
	ROW(NUMBER, columns, "1: process, thread, thread's name and CPU of each sample"),
	ROW(NUMBER, spans, "1: a span of its own for each sample"),
	ROW(NUMBER, samples, "samples in all, unless days or disk_bytes say otherwise"),
	ROW(REAL, days, "length of the simulated time"),
	ROW(NUMBER, disk_bytes, "write until the store takes this much"),
	ROW(NUMBER, start_s, "simulated time of the first sample, since 1970"),
	ROW(NUMBER, clients, "writers at once"),
	ROW(NUMBER, seed, "of the random numbers"),
	ROW(NUMBER, memory_bytes, "the store's memory; 0: its default"),
	ROW(NUMBER, settle_s, "how long the store may take to settle before it is measured"),
	ROW(TEXT, file, "replay: the recording"),
	ROW(NUMBER, precision_ns,
	    "replay: times are rounded down to a multiple, as store.time_precision says"),
	ROW(REAL, minutes, "soak: how long"),
	ROW(REAL, limit, "soak: samples per second of all clients; 0: as fast as they are taken"),
	ROW(NUMBER, queriers, "soak: threads that ask"),
	ROW(NUMBER, retention_h, "soak: hours of simulated time that are kept; 0: all"),
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), SETTINGS_MAX = 24 };

static const struct {
	const char *name;
	const char *settings[SETTINGS_MAX];
} presets[] = {
	{"mixed", {"services=4",
		   "hosts=1",
		   "busy=1",
		   "series=10",
		   "stacks=20000",
		   "functions=400",
		   "depth=12",
		   "skew=3",
		   "churn=0",
		   "rate=50",
		   "batch_s=10",
		   "values=mixed",
		   "times=batch",
		   "columns=0",
		   "spans=0",
		   "samples=10000000",
		   "days=0",
		   "disk_bytes=0",
		   "start_s=1700000000",
		   "clients=4"}},
	/* Six services on 32 hosts with 8 CPUs; what a sampler sees of one process in 5 s. */
	{"fleet",
	 {"services=6", "hosts=32", "series=1", "stacks=300", "functions=200", "depth=20",
	  "rate=97", "batch_s=5", "values=constant", "samples=10000000"}},
	/* A busy service on 20 hosts and five others on 4, for 30 days. */
	{"month",
	 {"services=6", "hosts=4", "busy=5", "series=1", "stacks=5000", "churn=0.01", "rate=1",
	  "batch_s=600", "days=30", "values=constant"}},
	{"wide",
	 {"services=20", "hosts=4", "series=2", "stacks=20000", "values=random", "times=random",
	  "columns=1", "spans=1", "disk_bytes=10000000000"}},
};

enum { PRESETS = sizeof(presets) / sizeof(presets[0]) };

static void set(struct params *params, const char *setting);

static void apply_preset(struct params *params, const char *name)
{
	for (size_t i = 0; i < PRESETS; i++) {
		if (strcmp(presets[i].name, name) != 0)
			continue;
		params->preset = presets[i].name;
		for (const char *const *s = presets[i].settings; *s; s++)
			set(params, *s);
		return;
	}
	if (strcmp(name, "replay") == 0) {
		params->preset = "replay"; /* of the process that measures one */
		return;
	}
	fail("no preset \"%s\" (mixed, fleet, month, wide)", name);
}

static const struct row *find_row(const char *setting)
{
	for (size_t i = 0; i < ROWS; i++) {
		size_t len = strlen(rows[i].name);
		if (strncmp(rows[i].name, setting, len) == 0 && setting[len] == '=')
			return &rows[i];
	}
	return NULL;
}

static void set(struct params *params, const char *setting)
{
	const struct row *row = find_row(setting);
	const char *value = strchr(setting, '=');
	char *end = NULL;
	if (strncmp(setting, "preset=", 7) == 0) {
		apply_preset(params, setting + 7);
		return;
	}
	if (!row)
		fail("\"%s\" is no parameter; --help lists them", setting);
	void *field = (char *)params + row->offset;
	value++;
	if (row->kind == TEXT)
		*(const char **)field = value;
	else if (row->kind == NUMBER)
		*(uint64_t *)field = strtoull(value, &end, 10);
	else
		*(double *)field = strtod(value, &end);
	if (end && (*end || end == value))
		fail("\"%s\": a number is missing", setting);
}

static void help(void)
{
	printf("bench-store [preset=mixed|fleet|month|wide] [NAME=VALUE...]\n");
	for (size_t i = 0; i < ROWS; i++)
		printf("  %-13s %s\n", rows[i].name, rows[i].help);
	exit(0);
}

static void check_params(const struct params *params)
{
	const uint64_t counts[] = {params->services, params->hosts,   params->busy,
				   params->series,   params->stacks,  params->functions,
				   params->depth,    params->batch_s, params->clients,
				   params->seed};
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (counts[i] == 0 || counts[i] > 10 * 1000 * 1000)
			fail("services, hosts, busy, series, stacks, functions, depth, batch_s, "
			     "clients "
			     "and seed are 1 to 10,000,000");
	if (params_samples_per_batch(params) == 0)
		fail("rate x batch_s is less than one sample");
	if (params->clients > CLIENTS_MAX)
		fail("clients: at most %d", CLIENTS_MAX);
}

void params_parse(struct params *params, int argc, char **argv)
{
	*params = (struct params){.mode = "load",
				  .dir = "",
				  .seed = 1,
				  .settle_s = 120,
				  .file = "bench/data/mixed.otlp.xz",
				  .precision_ns = 1000000,
				  .minutes = 30,
				  .queriers = 1,
				  .retention_h = 48};
	apply_preset(params, "mixed");
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0)
			help();
		else
			set(params, argv[i]);
	check_params(params);
	/* Its figures must not stand for the generator's. */
	if (strcmp(params->mode, "replay") == 0)
		params->preset = "replay";
}

static int print_row(const struct params *params, const struct row *row, char *to, size_t size)
{
	const void *field = (const char *)params + row->offset;
	if (row->kind == TEXT)
		return snprintf(to, size, "%s=%s", row->name, *(const char *const *)field);
	if (row->kind == NUMBER)
		return snprintf(to, size, "%s=%ju", row->name,
				(uintmax_t) * (const uint64_t *)field);
	return snprintf(to, size, "%s=%g", row->name, *(const double *)field);
}

void params_print(const struct params *params, FILE *out)
{
	char text[256];
	fprintf(out, "# preset=%s", params->preset);
	for (size_t i = 0; i < ROWS; i++) {
		print_row(params, &rows[i], text, sizeof(text));
		fprintf(out, " %s", text);
	}
	fprintf(out, "\n");
}

char **params_arguments(const struct params *params, const char *program, const char *mode)
{
	struct params changed = *params;
	char **arguments = need(calloc(ROWS + 3, sizeof(*arguments)));
	char text[600];
	size_t count = 0;
	changed.mode = mode;
	arguments[count++] = need(strdup(program));
	snprintf(text, sizeof(text), "preset=%s", params->preset);
	arguments[count++] = need(strdup(text));
	for (size_t i = 0; i < ROWS; i++) {
		print_row(&changed, &rows[i], text, sizeof(text));
		arguments[count++] = need(strdup(text));
	}
	return arguments;
}

uint64_t params_instances(const struct params *params)
{
	return (params->services - 1 + params->busy) * params->hosts;
}

uint64_t params_samples_per_batch(const struct params *params)
{
	return (uint64_t)(params->rate * (double)params->batch_s);
}

uint64_t params_batches(const struct params *params)
{
	uint64_t each = params->series * params_samples_per_batch(params);
	if (params->disk_bytes)
		return UINT64_MAX;
	if (params->days > 0)
		return (uint64_t)(params->days * 86400) / params->batch_s;
	uint64_t batches = params->samples / (each * params_instances(params));
	return batches ? batches : 1;
}
