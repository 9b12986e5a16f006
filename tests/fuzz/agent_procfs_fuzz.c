/* Any bytes as each of the texts of /proc/PID, and as lists of CPUs and variables. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "agent/cpus.h"
#include "agent/procfs.h"

static void inside(struct str part, struct str whole)
{
	if (part.len > 0 && (part.ptr < whole.ptr || part.ptr + part.len > whole.ptr + whole.len))
		abort();
}

static void parse_maps(struct str text)
{
	struct str rest = text, line;
	struct proc_map map;
	while (str_next(&rest, '\n', &line)) {
		if (!proc_parse_map(line, &map))
			continue;
		inside(map.path, text);
		if (map.start >= map.end)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make(data, size), names[PROCESS_ENV_MAX];
	struct proc_stat stat;
	struct cpu_set cpus;
	uint32_t count = 0;
	char name[32], copy[512];
	parse_maps(text);
	if (proc_parse_stat(text, &stat))
		inside(stat.comm, text);
	struct str id = proc_container_id(text);
	if (id.len > CONTAINER_ID_MAX)
		abort();
	proc_service_name(text, name, sizeof(name));
	if (strlen(name) >= sizeof(name) || !str_is_utf8(str_of(name)))
		abort();
	kernel_thread_name(text, name, sizeof(name));
	inside(proc_environ_get(text, STR("PATH")), text);
	(void)!cpu_set_parse(text, &cpus, NULL);
	str_copy(copy, sizeof(copy), text);
	(void)!agent_env_names(copy, names, PROCESS_ENV_MAX, &count, NULL);
	if (count > PROCESS_ENV_MAX)
		abort();
	return 0;
}
