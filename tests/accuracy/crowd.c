#include "crowd.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { WORDS_MAX = 16 };

static void run_shell(const char *command, char *const *words)
{
	char *argv[WORDS_MAX + 4] = {"sh", "-c", (char *)command};
	for (int i = 0; i < WORDS_MAX && words[i]; i++)
		argv[3 + i] = words[i];
	int null = open("/dev/null", O_RDWR);
	setpgid(0, 0);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (!getenv("REAL_VERBOSE"))
		dup2(null, STDERR_FILENO);
	execv("/bin/sh", argv);
	_exit(127);
}

bool crowd_start(struct crowd *crowd, const char *command, char *const *words, uint64_t end_ns)
{
	*crowd = (struct crowd){.start_ns = clock_mono_ns(), .end_ns = end_ns};
	pid_t pid = fork();
	if (pid == 0)
		run_shell(command, words);
	if (pid < 0)
		return false;
	setpgid(pid, pid); /* whoever is first */
	crowd->group = pid;
	return true;
}

/* The process group in /proc/PID/stat, after the name, which may hold anything. */
static pid_t group_of(pid_t pid)
{
	char path[64], text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	if (file)
		fclose(file);
	text[len] = '\0';
	const char *end = strrchr(text, ')');
	int group = 0;
	return end && sscanf(end + 1, " %*c %*d %d", &group) == 1 ? group : 0;
}

bool crowd_has(const struct crowd *crowd, int64_t pid)
{
	for (size_t i = 0; i < crowd->count; i++) {
		if (crowd->pids[i] == pid)
			return true;
	}
	return false;
}

void crowd_look(struct crowd *crowd, struct images *images)
{
	DIR *directory = opendir("/proc");
	for (struct dirent *entry = NULL; directory && (entry = readdir(directory));) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		if (pid == 0 || group_of(pid) != crowd->group)
			continue;
		if (!crowd_has(crowd, pid) && crowd->count < CROWD_PIDS_MAX)
			crowd->pids[crowd->count++] = pid;
		images_look_at(images, pid);
	}
	if (directory)
		closedir(directory);
}

bool crowd_stop(struct crowd *crowd)
{
	int status;
	bool ended = waitpid(crowd->group, &status, WNOHANG) == crowd->group;
	kill(-crowd->group, SIGKILL);
	if (!ended)
		waitpid(crowd->group, &status, 0);
	crowd->group = 0;
	return !ended;
}
