/* The named parameters of bench-store. Each is given as NAME=VALUE and printed with
 * the figures, so that a figure can be had again. A preset is a row of such settings. */
#pragma once

#include <stdint.h>
#include <stdio.h>

struct params {
	const char *mode;   /* load, measure, replay, soak */
	const char *preset; /* the name in front of the figures, unless it is "mixed" */
	const char *dir;
	uint64_t keep;
	/* The generator. */
	uint64_t services, hosts, busy, series, stacks, functions, depth;
	double skew, churn, rate;
	uint64_t batch_s;
	const char *values; /* mixed, constant, random */
	const char *times;  /* batch, tick, random */
	uint64_t columns, spans;
	/* How much of it. */
	uint64_t samples;
	double days;
	uint64_t disk_bytes, start_s, clients, seed;
	/* The store. */
	uint64_t memory_bytes, settle_s;
	/* Replay and soak. */
	const char *file;
	uint64_t precision_ns;
	double minutes, limit;
	uint64_t queriers, retention_h;
};

/* Defaults, then the arguments in order; a preset counts where it stands. Ends the program with a
 * sentence when one is wrong. */
void params_parse(struct params *params, int argc, char **argv);
/* "# NAME=VALUE ...", all of them. */
void params_print(const struct params *params, FILE *out);
/* Copies of all as arguments for another run of this program, mode replaced; NULL at the end. */
char **params_arguments(const struct params *params, const char *program, const char *mode);

/* Streams of samples: one for each service, host and type. */
uint64_t params_instances(const struct params *params);
uint64_t params_samples_per_batch(const struct params *params); /* of one series */
/* How many batches of each instance make up the asked amount. */
uint64_t params_batches(const struct params *params);
