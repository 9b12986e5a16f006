#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/cresset-proc-XXXXXX";

static void run(const char *command)
{
	if (system(command))
		abort();
}

const char *fixture_make(void)
{
	strcpy(root, "/tmp/cresset-proc-XXXXXX");
	if (!mkdtemp(root))
		abort();
	return root;
}

void fixture_remove(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	run(command);
}

void fixture_file(uint32_t pid, const char *name, const char *text, int len)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%u", root, pid);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%u/%s", root, pid, name);
	FILE *file = fopen(path, "w");
	size_t size = len < 0 ? strlen(text) : (size_t)len;
	if (!file || fwrite(text, 1, size, file) != size || fclose(file))
		abort();
}

static void stat_file(uint32_t pid, uint32_t parent, const char *comm, unsigned flags)
{
	char text[256];
	snprintf(text, sizeof(text), "%u (%s) S %u 0 0 0 -1 %u 0 0 0 0 0 0 0 0 20 0 1 0 100 0\n",
		 pid, comm, parent, flags);
	fixture_file(pid, "stat", text, -1);
}

void fixture_process(uint32_t pid, uint32_t parent, const char *comm, const char *exe,
		     const char *maps, const char *env, int env_len)
{
	char path[256];
	stat_file(pid, parent, comm, 0);
	fixture_file(pid, "maps", maps, -1);
	fixture_file(pid, "cgroup", "0::/user.slice\n", -1);
	if (env)
		fixture_file(pid, "environ", env, env_len);
	snprintf(path, sizeof(path), "%s/%u/exe", root, pid);
	unlink(path);
	if (symlink(exe, path))
		abort();
}

void fixture_kernel_thread(uint32_t pid, const char *comm)
{
	stat_file(pid, 2, comm, 0x00200000);
}

void fixture_gone(uint32_t pid)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s/%u'", root, pid);
	run(command);
}
