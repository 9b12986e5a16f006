/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "cli/cli.h"

/* One byte says which: ready, or failed with a code and a sentence. */
enum { SAY_READY = 'R', SAY_FAILED = 'F' };

/* Stopping takes the agent a last try to send, the server its open requests (10 s) and a flush. */
enum { STOP_SIGNAL = SIGUSR1, STOP_SECONDS = 40 };

static void say(int fd, char what, int code, const char *text)
{
	char line[CHILD_NOTE_MAX + 16];
	int len = snprintf(line, sizeof(line), "%c%4d%.*s", what, code, CHILD_NOTE_MAX - 1, text);
	(void)!write(fd, line, (size_t)len);
}

void child_ready(int ready_fd, const char *note)
{
	say(ready_fd, SAY_READY, 0, note);
}

static _Noreturn void run_child(const struct child_role *role, int ready_fd, pid_t parent)
{
	struct err err = {0};
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, STOP_SIGNAL, 0, 0, 0);
	if (getppid() != parent)
		_exit(CLI_FAILED);
	int status = role->run(role->user, ready_fd, &err);
	if (status != CLI_OK && err.code)
		say(ready_fd, SAY_FAILED, err.code, err.text);
	_exit(status);
}

/* Something to read (true), or a SIGINT or SIGTERM for us, which stays pending (false). */
static bool wait_word(int fd)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	FD_AUTO int signals = signalfd(-1, &set, SFD_CLOEXEC);
	struct pollfd wait[] = {{.fd = fd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	while (poll(wait, 2, -1) < 0 && errno == EINTR)
		;
	return !(wait[1].revents & POLLIN) || (wait[0].revents & POLLIN);
}

/* What the child said, up to its ready or its end. */
static size_t listen_to(int fd, char *line, size_t cap)
{
	ssize_t got = 0;
	do
		got = read(fd, line, cap - 1);
	while (got < 0 && errno == EINTR);
	line[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

static int hear(const struct child_role *role, int fd, struct child *child, struct err *err)
{
	char line[CHILD_NOTE_MAX + 16];
	int code = 0, status = 0;
	if (!wait_word(fd)) {
		/* Not ready, so it holds nothing that a kill could lose. */
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
		child->pid = 0;
		return err_set(err, ERR_CANCELLED, "stopped while the %s was starting", role->name);
	}
	size_t len = listen_to(fd, line, sizeof(line));
	if (len >= 5 && line[0] == SAY_READY) {
		str_copy(child->note, sizeof(child->note), str_of(line + 5));
		return 0;
	}
	waitpid(child->pid, &status, 0);
	child->pid = 0;
	if (WIFSIGNALED(status))
		return err_set(err, ERR_INTERNAL, "the %s was ended by signal %d (%s) at its start",
			       role->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (len >= 5 && sscanf(line + 1, "%4d", &code) == 1)
		return err_set(err, code, "%s", line + 5);
	return err_set(err, ERR_INTERNAL, "the %s ended before it was ready", role->name);
}

int child_start(const struct child_role *role, struct child *ret, struct err *err)
{
	int ends[2];
	*ret = (struct child){.name = role->name};
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_set_errno(err, errno, "starting the %s: pipe", role->name);
	FD_AUTO int read_end = ends[0];
	FD_AUTO int write_end = ends[1];
	pid_t parent = getpid();
	fflush(NULL);
	ret->pid = fork();
	if (ret->pid < 0) {
		ret->pid = 0;
		return err_set_errno(err, errno, "starting the %s: fork", role->name);
	}
	if (ret->pid == 0) {
		fd_close(&read_end);
		run_child(role, write_end, parent);
	}
	fd_close(&write_end);
	return hear(role, read_end, ret, err);
}

void child_stop(struct child *child)
{
	if (child->pid <= 0)
		return;
	kill(child->pid, STOP_SIGNAL);
	uint64_t deadline_ns = clock_mono_ns() + (uint64_t)STOP_SECONDS * NS_PER_S;
	while (waitpid(child->pid, NULL, WNOHANG) == 0) {
		if (clock_mono_ns() > deadline_ns) {
			log_error("up", "a process did not stop, killing it",
				  "process=%s after_s=%d", child->name, STOP_SECONDS);
			kill(child->pid, SIGKILL);
			waitpid(child->pid, NULL, 0);
			break;
		}
		clock_sleep_until_ns(clock_mono_ns() + 5 * NS_PER_MS);
	}
	child->pid = 0;
}

void child_wait_stop(void)
{
	sigset_t set;
	int sig = 0;
	sigemptyset(&set);
	sigaddset(&set, STOP_SIGNAL);
	while (sigwait(&set, &sig) != 0)
		;
}
