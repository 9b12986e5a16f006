#include "elf/dwarf_process.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

int dwarf_process_start(struct dwarf_process *process, const struct dwarf_worker_limits *limits,
			struct err *err)
{
	int pair[2];
	pid_t self = getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_set_errno(err, errno, "DWARF worker: its socket");
	pid_t pid = fork();
	if (pid == 0)
		dwarf_worker_run(pair[1], limits, self);
	int error = errno;
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return err_set_errno(err, error, "DWARF worker: fork");
	}
	process->pid = pid;
	process->sock = pair[0];
	process->cpu_ns = 0;
	return 0;
}

static uint64_t used_ns(const struct rusage *usage)
{
	const struct timeval *user = &usage->ru_utime, *system = &usage->ru_stime;

	return (uint64_t)(user->tv_sec + system->tv_sec) * NS_PER_S +
	       (uint64_t)(user->tv_usec + system->tv_usec) * NS_PER_US;
}

enum dwarf_end dwarf_process_stop(struct dwarf_process *process)
{
	struct rusage usage = {0};
	int status = 0;

	if (process->pid == 0)
		return DWARF_END_DONE;
	fd_close(&process->sock);
	/* One that ended by itself is a zombie, to which a signal does nothing. */
	(void)kill(process->pid, SIGKILL);
	pid_t reaped;
	do
		reaped = wait4(process->pid, &status, 0, &usage);
	while (reaped < 0 && errno == EINTR);
	/* Somebody else may reap children: then its last answer is what is known. */
	process->ended_cpu_ns += reaped > 0 ? used_ns(&usage) : process->cpu_ns;
	process->pid = 0;
	process->cpu_ns = 0;
	return reaped > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? DWARF_END_DONE
									   : DWARF_END_FAILED;
}

static void attach_fds(struct msghdr *message, void *control, size_t cap,
		       const struct dwarf_fds *fds)
{
	int list[2] = {fds->debug, fds->alt};
	size_t bytes = (fds->alt < 0 ? 1 : 2) * sizeof(int);

	message->msg_control = control;
	message->msg_controllen = cap;
	struct cmsghdr *head = CMSG_FIRSTHDR(message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(head), list, bytes);
	message->msg_controllen = CMSG_SPACE(bytes);
}

int dwarf_process_send(struct dwarf_process *process, const struct dwarf_request *request,
		       const struct dwarf_fds *fds, struct err *err)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	struct iovec part = {(void *)request, offsetof(struct dwarf_request, vaddrs) +
						      request->count * sizeof(uint64_t)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (fds)
		attach_fds(&message, &control, sizeof(control), fds);
	ssize_t sent;
	do
		sent = sendmsg(process->sock, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? err_set(err, ERR_IO, "DWARF worker: it is gone") : 0;
}

int dwarf_process_receive(struct dwarf_process *process, void *bytes, size_t cap, size_t *ret_len,
			  struct err *err)
{
	ssize_t got;

	do
		got = recv(process->sock, bytes, cap, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return ERR_BUSY;
	if (got <= 0)
		return err_set(err, ERR_IO, "DWARF worker: it is gone");
	*ret_len = (size_t)got;
	return 0;
}
