/* Who wants to read a whole store needs it to hold still. When nobody has it
 * open we keep it so by holding its lock; else its owner makes us a checkpoint. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "store/embedded/control.h"

/* A checkpoint writes out what is in memory, at most some hundred MiB. */
enum { ANSWER_TIMEOUT_S = 120, ANSWER_MAX = 2048 };

static int need_store(const char *directory, struct err *err)
{
	char path[PLACE_MAX];
	struct stat st;
	if ((size_t)snprintf(path, sizeof(path), "%s/db", directory) >= sizeof(path))
		return err_set(err, ERR_INVALID, "%.64s...: the path is too long", directory);
	if (stat(path, &st))
		return errno == ENOENT
			       ? err_set(err, ERR_NOT_FOUND, "there is no store in %s", directory)
			       : err_set_errno(err, errno, "looking at %s", path);
	return 0;
}

/* ---- the owner ---- */

static int read_line(int fd, char *line, size_t cap, struct err *err)
{
	size_t len = 0;
	while (len + 1 < cap) {
		ssize_t got = read(fd, line + len, cap - 1 - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(err, errno == EAGAIN ? ETIMEDOUT : errno,
					     "waiting for an answer");
		if (got == 0)
			return err_set(err, ERR_IO, "it hung up without an answer");
		len += (size_t)got;
		line[len] = 0;
		char *end = strchr(line, '\n');
		if (end) {
			*end = 0;
			return 0;
		}
	}
	return err_set(err, ERR_IO, "its answer is longer than %zu bytes", cap);
}

static int ask(int fd, const char *request, struct err *err)
{
	char answer[ANSWER_MAX];
	const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	size_t len = strlen(request);
	if (send(fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		return err_set_errno(err, errno, "asking it");
	int rc = read_line(fd, answer, sizeof(answer), err);
	if (rc || strcmp(answer, "ok") == 0 || strncmp(answer, "ok ", 3) == 0)
		return rc;
	const char *why = strncmp(answer, "error ", 6) == 0 ? answer + 6 : answer;
	return err_set(err, ERR_IO, "%s", why);
}

static int ask_checkpoint(const char *directory, struct lease *lease, struct err *err)
{
	char name[CHECKPOINT_NAME_MAX], request[CHECKPOINT_NAME_MAX + 32];
	snprintf(name, sizeof(name), "%d-%llu", (int)getpid(), (unsigned long long)clock_mono_ns());
	snprintf(request, sizeof(request), "checkpoint %s\n", name);
	int rc = ask(lease->control_fd, request, err);
	if (rc)
		return err_wrap(err, "the process that has the store %s open made no checkpoint",
				directory);
	int need = snprintf(lease->path, sizeof(lease->path), "%s/checkpoints/%s", directory, name);
	return (size_t)need < sizeof(lease->path)
		       ? 0
		       : err_set(err, ERR_INVALID, "%.64s...: the path is too long", directory);
}

static int lease_of_owner(const char *directory, const struct err *busy, struct lease *lease,
			  struct err *err)
{
	struct err why;
	int rc = control_connect(directory, &lease->control_fd, &why);
	if (rc)
		return err_set(err, ERR_BUSY, "%s (it cannot be asked for a checkpoint: %s)",
			       busy->text, why.text);
	return ask_checkpoint(directory, lease, err);
}

/* ---- taking ---- */

/* On a medium that nobody can write to, nobody has it open for writing. */
static bool cannot_change(const char *directory)
{
	return access(directory, W_OK) && errno == EROFS;
}

int lease_take(const char *directory, struct lease *ret, struct err *err)
{
	struct err busy;
	struct lease lease = {.lock_fd = -1, .control_fd = -1};
	int rc = need_store(directory, err);
	rc = rc ? rc : format_read_file(directory, err);
	if (rc)
		return rc;
	snprintf(lease.path, sizeof(lease.path), "%s", directory);
	rc = cannot_change(directory) ? 0 : directory_lock(directory, &lease.lock_fd, &busy);
	if (rc == ERR_BUSY)
		rc = lease_of_owner(directory, &busy, &lease, err);
	else if (rc)
		err_set(err, rc, "%s", busy.text);
	if (rc) {
		lease_end(&lease);
		return rc;
	}
	*ret = lease;
	return 0;
}

void lease_end(struct lease *lease)
{
	fd_close(&lease->control_fd); /* its owner drops the checkpoint */
	fd_close(&lease->lock_fd);
}

int lease_check(const struct lease *lease, int rc, struct err *err)
{
	char byte;
	if (lease->control_fd < 0)
		return rc;
	ssize_t got = recv(lease->control_fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return rc;
	return err_set(err, ERR_BUSY,
		       "the process that has the store open stopped meanwhile; try again");
}
