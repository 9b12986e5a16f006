/* SPDX-License-Identifier: Apache-2.0
 *
 * `cresset store verify` and `cresset store stats`. */
#include "cli/store_look.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/store_place.h"
#include "store/engine.h"

static const char verify_usage[] =
	"Usage: cresset store verify [OPTIONS]\n\n"
	"Reads every byte of the profiles on disk and checks every rule of the format: blocks, "
	"sums,\n"
	"references, indexes, totals. A line for each finding (of many of one kind the first 20),\n"
	"then a summary. Nothing is changed; a server that uses them goes on meanwhile.\n"
	"Exit status 1 when anything was found.\n";

static const char stats_usage[] = "Usage: cresset store stats [OPTIONS]\n\n"
				  "Prints what takes how much of the disk.\n";

typedef unsigned long long ull;

/* ---- verify ---- */

static void print_finding(void *user, const char *sentence)
{
	(void)user;
	store_progress_end();
	printf("%s\n", sentence);
}

static void show_verify(void *user, const struct store_verified *v)
{
	(void)user;
	store_progress("%llu of %llu samples, %s checked, %llu findings", (ull)v->samples,
		       (ull)v->samples_all, SIZE(v->bytes), (ull)v->findings);
}

static void print_summary(const char *path, const struct store_verified *v)
{
	printf("checked %s: tenants %llu, days %llu, series %llu, blocks %llu, samples %llu, "
	       "sets of sums %llu, dictionary entries %llu, %s in %.1f s\n",
	       path, (ull)v->tenants, (ull)v->days, (ull)v->series, (ull)v->blocks, (ull)v->samples,
	       (ull)v->sums, (ull)v->entries, SIZE(v->bytes), (double)v->took_ns / 1e9);
	if (v->findings > v->findings_said)
		printf("%llu more findings of the kinds above are not shown\n",
		       (ull)(v->findings - v->findings_said));
	if (v->findings)
		printf("findings: %llu\n", (ull)v->findings);
	else
		printf("no findings\n");
}

static int verify(const char *data_dir, struct err *err)
{
	char path[PLACE_MAX];
	struct store_verified verified;
	struct store_verify options = {.path = path,
				       .cancelled = &store_cancelled,
				       .found = print_finding,
				       .progress = show_verify};
	store_catch_signals();
	int rc = store_find(data_dir, path, err);
	rc = rc ? rc : store_verify(&options, &verified, err);
	store_progress_end();
	if (rc)
		return rc;
	print_summary(path, &verified);
	if (verified.findings)
		return err_set(err, ERR_CORRUPT, "%s is damaged: %llu findings", path,
			       (ull)verified.findings);
	return 0;
}

int store_look_verify(int argc, char **argv)
{
	const char *data_dir = "/var/lib/cresset";
	const struct option_row rows[] = {
		{"data-dir", "DIR", data_dir, "where the profiles are", &data_dir, NULL, NULL},
	};
	struct err err = {0};
	int rc = cli_options("store verify", verify_usage, rows, sizeof(rows) / sizeof(rows[0]),
			     argc, argv);
	if (rc)
		return rc < 0 ? CLI_OK : rc;
	return verify(data_dir, &err) ? cli_fail("store verify", &err) : CLI_OK;
}

/* ---- stats ---- */

static void print_time(const char *what, uint64_t time_ns)
{
	char text[64];
	struct tm tm = {0};
	time_t seconds = (time_t)(time_ns / NS_PER_S);
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	printf("%-17s %s\n", what, text);
}

static void print_sizes(const struct store_measured *sizes)
{
	const struct store_stats *totals = &sizes->totals;
	printf("%-17s %12s %12s\n", "part", "on disk", "per sample");
	for (size_t i = 0; i < sizes->part_count; i++) {
		const struct store_part *part = &sizes->parts[i];
		printf("%-17s %12s", part->name, SIZE(part->disk_bytes));
		if (totals->samples)
			printf(" %10.3f B", (double)part->disk_bytes / (double)totals->samples);
		printf("\n");
	}
	printf("%-17s %12s\n\n", "all", SIZE(totals->disk_bytes));
	printf("%-17s %llu\n%-17s %llu\n%-17s %llu\n%-17s %llu\n", "samples", (ull)totals->samples,
	       "series", (ull)totals->series, "frames", (ull)totals->frames, "stack nodes",
	       (ull)totals->nodes);
	if (totals->newest_ns) {
		print_time("oldest sample", totals->oldest_ns);
		print_time("newest sample", totals->newest_ns);
	}
}

int store_look_stats(int argc, char **argv)
{
	const char *data_dir = "/var/lib/cresset";
	char path[PLACE_MAX];
	struct store_measured sizes;
	const struct option_row rows[] = {
		{"data-dir", "DIR", data_dir, "where the profiles are", &data_dir, NULL, NULL},
	};
	struct err err = {0};
	int rc = cli_options("store stats", stats_usage, rows, sizeof(rows) / sizeof(rows[0]), argc,
			     argv);
	if (rc)
		return rc < 0 ? CLI_OK : rc;
	rc = store_find(data_dir, path, &err);
	rc = rc ? rc : store_measure(path, &sizes, &err);
	if (rc)
		return cli_fail("store stats", &err);
	print_sizes(&sizes);
	return CLI_OK;
}
