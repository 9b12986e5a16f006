#include "load.h"

#include <bpf/libbpf.h>
#include <sampler.skel.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/err.h"

/* Bits of log_level (include/linux/bpf_verifier.h): the path that failed, and figures. */
enum { LOG_PATH = 1, LOG_STATS = 4 };
enum { LOG_BYTES = 15 << 20, LOG_LINES_SHOWN = 40, PROGRAMS_MAX = 16 };

static char *logs[PROGRAMS_MAX];

static int keep_quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

PRINTF_LIKE(2, 0)
static int show(enum libbpf_print_level level, const char *format, va_list args)
{
	return level <= LIBBPF_INFO ? vprintf(format, args) : 0;
}

/* "processed 4712 insns (limit 1000000) max_states_per_insn ..." ends every log. */
static long instructions_of(const char *log)
{
	const char *last = NULL, *next = log;
	while ((next = strstr(next, "processed ")))
		last = next++;
	return last ? strtol(last + strlen("processed "), NULL, 10) : -1;
}

static void show_end(const char *log)
{
	size_t len = strlen(log), lines = 0;
	while (len > 0 && lines <= LOG_LINES_SHOWN)
		lines += log[--len] == '\n';
	for (const char *line = log + len; *line;) {
		size_t n = strcspn(line, "\n");
		printf("#   %.*s\n", (int)n, line);
		line += n + (line[n] == '\n');
	}
}

static struct sampler_bpf *open_object(int log_level)
{
	struct sampler_bpf *skel = sampler_bpf__open();
	struct bpf_program *program;
	size_t i = 0;
	if (!skel)
		return NULL;
	bpf_object__for_each_program(program, skel->obj)
	{
		if (i == PROGRAMS_MAX)
			abort();
		if (!logs[i])
			logs[i] = malloc(LOG_BYTES);
		if (!logs[i])
			abort();
		logs[i][0] = '\0';
		(void)bpf_program__set_log_level(program, (uint32_t)log_level);
		(void)bpf_program__set_log_buf(program, logs[i++], LOG_BYTES);
	}
	return skel;
}

/* Loads again with all of the verifier's words, and shows the last ones of the program that failed. */
static void explain(void)
{
	(void)libbpf_set_print(show);
	struct sampler_bpf *skel = open_object(LOG_PATH | LOG_STATS);
	struct bpf_program *program;
	size_t i = 0;
	if (!skel)
		return;
	(void)sampler_bpf__load(skel);
	bpf_object__for_each_program(program, skel->obj)
	{
		if (bpf_program__fd(program) < 0)
			show_end(logs[i]);
		i++;
	}
	sampler_bpf__destroy(skel);
}

static bool judge(const struct bpf_program *program, const char *log)
{
	long instructions = instructions_of(log);
	bool good = instructions > 0 && instructions <= VERIFIER_INSTRUCTIONS_MAX;
	printf("%sok load %s: %ld instructions verified, at most %d allowed\n", good ? "" : "not ",
	       bpf_program__name(program), instructions, VERIFIER_INSTRUCTIONS_MAX);
	return good;
}

bool load_all(void)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY}, before;
	struct bpf_program *program;
	bool good = true;
	size_t i = 0;
	(void)getrlimit(RLIMIT_MEMLOCK, &before);
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	(void)libbpf_set_print(keep_quiet);
	struct sampler_bpf *skel = open_object(LOG_STATS);
	int rc = skel ? sampler_bpf__load(skel) : -1;
	if (rc) {
		printf("not ok load: %s\n", strerror(-rc));
		explain();
		good = false;
	} else {
		bpf_object__for_each_program(program, skel->obj) good =
			judge(program, logs[i++]) && good;
	}
	sampler_bpf__destroy(skel);
	for (i = 0; i < PROGRAMS_MAX; i++)
		free(logs[i]);
	memset(logs, 0, sizeof(logs));
	/* What the agent raises itself, where the kernel counts BPF memory as locked. */
	(void)setrlimit(RLIMIT_MEMLOCK, &before);
	return good;
}
