/* Benchmarks of the embedded store: prints "bench NAME VALUE UNIT" lines, and what they were
 * measured with as comments. bench-store --help lists the parameters.
 *
 *	bench-store                      10 M samples of a mixed load
 *	bench-store samples=1000000000   1 G of them
 *	bench-store preset=month
 *	bench-store mode=replay samples=10000000
 *	bench-store mode=soak minutes=30
 *
 * The store is written by this process and measured by a second one, so that what the first left in
 * memory does not count. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_load.h"
#include "store_measure.h"

extern char **environ;

static void measure_in_new_process(const struct params *params)
{
	char **arguments = params_arguments(params, "bench-store", "measure");
	pid_t pid;
	int status;
	fflush(stdout);
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ))
		fail("starting the measuring process failed");
	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail("the measuring process failed");
	for (char **a = arguments; *a; a++)
		free(*a);
	free(arguments);
}

static void write_and_measure(const struct params *params, const struct source *source,
			      const char *path)
{
	limits_run(params, params->dir);
	load_run(params, source, path);
	measure_in_new_process(params);
}

static void run(const struct params *params, const char *path)
{
	if (strcmp(params->mode, "load") == 0)
		write_and_measure(params, &source_generator, path);
	else if (strcmp(params->mode, "replay") == 0)
		write_and_measure(params, &source_replay, path);
	else if (strcmp(params->mode, "measure") == 0)
		measure_run(params, path);
	else if (strcmp(params->mode, "limits") == 0)
		limits_run(params, params->dir);
	else if (strcmp(params->mode, "columns") == 0)
		columns_run(params);
	else if (strcmp(params->mode, "soak") == 0)
		soak_run(params, path);
	else
		fail("no mode \"%s\" (load, replay, measure, limits, columns, soak)", params->mode);
}

int main(int argc, char **argv)
{
	char temp[] = "/tmp/cresset-bench-XXXXXX", path[512];
	struct params params;
	params_parse(&params, argc, argv);
	bool own = !*params.dir, measuring = strcmp(params.mode, "measure") == 0;
	if (own)
		params.dir = need(mkdtemp(temp));
	snprintf(path, sizeof(path), "%s/store", params.dir);
	if (!measuring)
		params_print(&params, stdout);
	if (!measuring && access(path, F_OK) == 0)
		fail("%s is there already: remove it, or ask for mode=measure", path);
	run(&params, path);
	if (measuring || params.keep)
		return 0;
	remove_tree(path);
	return own && rmdir(params.dir);
}
