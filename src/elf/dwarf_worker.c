#include "elf/dwarf_worker.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "elf/dwarf_file.h"
#include "elf/dwarf_message.h"

enum {
	EXIT_DONE = 0, /* nothing wrong: idle, or worked long enough */
	EXIT_CONFINE = 1,
	EXIT_PEER = 2,
	/* Above this much memory for files, those not used for longest are closed, to be read again when
	 * asked for; above the other one, even the last one is. */
	KEEP_BYTES = 32 << 20,
	KEEP_LAST_BYTES = 128 << 20,
};

/* After so much work the worker ends, and with it whatever libdw may have leaked. */
static const uint64_t cpu_enough_ns = 30ULL * NS_PER_S;

struct slot {
	struct dwarf_fds fds;
	struct dwarf_file *file; /* NULL: not read (any more) */
	uint32_t used;		 /* by which request */
};

struct worker {
	int sock;
	uint64_t idle_ns;
	size_t base_bytes; /* in use from the start: what the agent had */
	struct slot slots[DWARF_SLOTS];
	struct dwarf_request request;
	struct buf message;
};

static uint64_t cpu_ns(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- messages ---- */

static void send_message(struct worker *worker, enum dwarf_answer_kind kind)
{
	struct iovec part = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	dwarf_answer_end(&worker->message, kind, cpu_ns());
	if (worker->message.failed)
		_exit(EXIT_PEER);
	part = (struct iovec){worker->message.ptr, worker->message.len};
	while (sendmsg(worker->sock, &message, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			_exit(EXIT_PEER);
	dwarf_answer_begin(&worker->message, worker->request.number);
}

static void close_slot(struct slot *slot)
{
	dwarf_file_close(slot->file);
	slot->file = NULL;
	fd_close(&slot->fds.debug);
	fd_close(&slot->fds.alt);
}

static void take_fds(struct worker *worker, struct msghdr *message)
{
	struct slot *slot = &worker->slots[worker->request.slot];
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	int fds[2] = {-1, -1};

	if (control && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(control),
		       control->cmsg_len >= CMSG_LEN(2 * sizeof(int)) ? 2 * sizeof(int)
								      : sizeof(int));
	close_slot(slot);
	slot->fds = (struct dwarf_fds){fds[0], fds[1]};
}

/* False: nothing to do for long. */
static bool take_request(struct worker *worker)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec part = {&worker->request, sizeof(worker->request)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct pollfd wait = {.fd = worker->sock, .events = POLLIN};

	if (poll(&wait, 1, (int)(worker->idle_ns / NS_PER_MS)) == 0)
		return false;
	ssize_t got = recvmsg(worker->sock, &message, MSG_CMSG_CLOEXEC);
	if (got < (ssize_t)offsetof(struct dwarf_request, vaddrs))
		_exit(EXIT_PEER); /* the agent is gone */
	if (worker->request.file_count > 0)
		take_fds(worker, &message);
	return true;
}

/* ---- work ---- */

static bool read_file(struct slot *slot, struct err *err)
{
	return slot->file || dwarf_file_open(&slot->fds, &slot->file, err) == 0;
}

static void answer(struct worker *worker)
{
	const struct dwarf_request *request = &worker->request;
	struct slot *slot = &worker->slots[request->slot];
	struct dwarf_row rows[DWARF_ROWS_MAX];
	struct err err = {0};

	dwarf_answer_begin(&worker->message, request->number);
	if (!read_file(slot, &err)) {
		close_slot(slot);
		dwarf_answer_why(&worker->message, str_of(err.text));
		send_message(worker, DWARF_ANSWER_BAD);
		return;
	}
	for (uint32_t i = 0; i < request->count; i++) {
		uint32_t count = dwarf_file_find(slot->file, request->vaddrs[i], rows);
		while (!dwarf_answer_add(&worker->message, i, rows, count))
			send_message(worker, DWARF_ANSWER_MORE);
	}
	send_message(worker, DWARF_ANSWER_LAST);
}

static size_t bytes_in_use(void)
{
	struct mallinfo2 now = mallinfo2();

	return now.uordblks + now.hblkhd;
}

/* The file that is read and was not used for longest. */
static struct slot *oldest_file(struct worker *worker)
{
	struct slot *oldest = NULL;

	for (size_t i = 0; i < DWARF_SLOTS; i++) {
		struct slot *slot = &worker->slots[i];
		if (slot->file && (!oldest || slot->used < oldest->used))
			oldest = slot;
	}
	return oldest;
}

static void save_memory(struct worker *worker)
{
	struct slot *last = &worker->slots[worker->request.slot], *oldest;
	bool closed = false;

	last->used = worker->request.number;
	while ((oldest = oldest_file(worker))) {
		size_t bytes = bytes_in_use(), keep = KEEP_BYTES;
		if (oldest == last)
			keep = KEEP_LAST_BYTES;
		if (bytes < worker->base_bytes + keep)
			break;
		dwarf_file_close(oldest->file);
		oldest->file = NULL;
		closed = true;
	}
	if (closed)
		(void)malloc_trim(0);
}

/* A fault ends this process, whatever handlers the other one has; a Ctrl-C is for the other one. */
static void set_signals(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
	sigset_t all;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		(void)signal(faults[i], SIG_DFL);
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
}

_Noreturn void dwarf_worker_run(int sock, const struct dwarf_worker_limits *limits, pid_t parent)
{
	static struct worker worker;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(EXIT_PEER);
	(void)prctl(PR_SET_NAME, "cresset-dwarf", 0, 0, 0);
	set_signals();
	/* The agent's thread may be in a hurry; this is not. */
	(void)setpriority(PRIO_PROCESS, 0, 0);
	worker.idle_ns = limits->idle_ns;
	worker.sock = dwarf_confine(sock, limits);
	if (worker.sock < 0)
		_exit(EXIT_CONFINE);
	for (size_t i = 0; i < DWARF_SLOTS; i++)
		worker.slots[i].fds = (struct dwarf_fds){-1, -1};
	buf_init(&worker.message, 0);
	worker.base_bytes = bytes_in_use();
	while (cpu_ns() < cpu_enough_ns && take_request(&worker)) {
		answer(&worker);
		save_memory(&worker);
	}
	_exit(EXIT_DONE);
}
