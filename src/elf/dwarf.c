/* One request is on its way at a time: up to 256 addresses of one file. Which
 * file a failure is put down to is then plain, but for memory, which earlier
 * files may have eaten: a request that made an old worker die is tried once
 * more with a fresh one. */
#include "elf/dwarf.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "elf/dwarf_message.h"
#include "elf/dwarf_process.h"

static const int64_t default_memory_bytes = 384LL << 20;
static const uint64_t default_request_ns = 10ULL * NS_PER_S;
static const uint64_t default_idle_ns = 30ULL * NS_PER_S;
static const uint64_t default_burst_ns = 3ULL * NS_PER_S;

enum {
	CPU_PART = 10,	   /* one of so many is the worker's for long */
	FREE_FAILURES = 3, /* in a row; after that each costs a pause, doubled every time */
	PAUSES_MAX = 6,	   /* doublings: 64 s */
};

struct wait {
	uint64_t file, vaddr;
};

struct slot {
	uint64_t file;
	uint64_t used; /* 0: empty; else the number of the last request that used it */
};

struct dwarf {
	struct dwarf_options options;
	struct dwarf_worker_limits limits;
	struct wait *queue;
	size_t queue_count, queue_cap;
	struct dwarf_process process;
	struct slot slots[DWARF_SLOTS];
	uint32_t served; /* requests that this worker answered */
	uint32_t failures;
	uint64_t paused_until_ns;
	/* CPU time that may be spent still; as of when, and of how much spent. */
	int64_t credit_ns;
	uint64_t credit_at_ns, credit_spent_ns;

	/* The request on its way. */
	bool active;
	bool sent;  /* else it must be, perhaps to a fresh worker */
	bool again; /* it was sent to another worker already */
	uint64_t file, sent_ns;
	struct dwarf_request request;
	bool answered[DWARF_REQUEST_MAX];

	uint8_t message[DWARF_MESSAGE_MAX];
	struct dwarf_stats stats;
};

int dwarf_create(const struct dwarf_options *options, struct dwarf **ret, struct err *err)
{
	struct dwarf *dwarf = mem_zalloc(1, sizeof(*dwarf));

	if (!dwarf)
		return err_set(err, ERR_NOMEM, "DWARF: no memory");
	dwarf->options = *options;
	if (options->request_ns == 0)
		dwarf->options.request_ns = default_request_ns;
	dwarf->limits.idle_ns = options->idle_ns ? options->idle_ns : default_idle_ns;
	dwarf->limits.memory_bytes =
		options->memory_bytes ? options->memory_bytes : default_memory_bytes;
	if (options->burst_ns == 0)
		dwarf->options.burst_ns = default_burst_ns;
	dwarf->credit_ns = (int64_t)dwarf->options.burst_ns;
	dwarf->credit_at_ns = clock_mono_ns();
	dwarf->process.sock = -1;
	*ret = dwarf;
	return 0;
}

static enum dwarf_end stop_worker(struct dwarf *dwarf)
{
	for (size_t i = 0; i < DWARF_SLOTS; i++)
		dwarf->slots[i] = (struct slot){0};
	return dwarf_process_stop(&dwarf->process);
}

void dwarf_destroy(struct dwarf *dwarf)
{
	if (!dwarf)
		return;
	(void)stop_worker(dwarf);
	mem_free(dwarf->queue);
	mem_free(dwarf);
}

/* ---- the queue ---- */

static uint32_t waiting(const struct dwarf *dwarf)
{
	return (uint32_t)dwarf->queue_count + (dwarf->active ? dwarf->request.count : 0);
}

int dwarf_ask(struct dwarf *dwarf, uint64_t file, uint64_t vaddr, struct err *err)
{
	if (dwarf->queue_count >= DWARF_QUEUE_MAX)
		return err_set(err, ERR_LIMIT, "DWARF: %d addresses wait", DWARF_QUEUE_MAX);
	struct wait *queue =
		mem_grow(dwarf->queue, &dwarf->queue_cap, dwarf->queue_count + 1, sizeof(*queue));
	if (!queue)
		return err_set(err, ERR_NOMEM, "DWARF: no memory for an address");
	dwarf->queue = queue;
	queue[dwarf->queue_count++] = (struct wait){file, vaddr};
	dwarf->stats.asked++;
	return 0;
}

static void drop_file(struct dwarf *dwarf, uint64_t file)
{
	size_t kept = 0;

	for (size_t i = 0; i < dwarf->queue_count; i++)
		if (dwarf->queue[i].file != file)
			dwarf->queue[kept++] = dwarf->queue[i];
	dwarf->queue_count = kept;
}

static int compare_vaddrs(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Takes addresses of the file that waits longest; in order, for locality. */
static void fill_request(struct dwarf *dwarf)
{
	struct dwarf_request *request = &dwarf->request;
	size_t kept = 0;

	dwarf->file = dwarf->queue[0].file;
	request->count = 0;
	for (size_t i = 0; i < dwarf->queue_count; i++) {
		struct wait wait = dwarf->queue[i];
		if (wait.file == dwarf->file && request->count < DWARF_REQUEST_MAX)
			request->vaddrs[request->count++] = wait.vaddr;
		else
			dwarf->queue[kept++] = wait;
	}
	dwarf->queue_count = kept;
	qsort(request->vaddrs, request->count, sizeof(uint64_t), compare_vaddrs);
	dwarf->active = true;
	dwarf->sent = dwarf->again = false;
}

/* ---- files that fail ---- */

static void give_up_file(struct dwarf *dwarf, const char *why)
{
	dwarf->active = false;
	drop_file(dwarf, dwarf->file);
	dwarf->stats.bad_files++;
	dwarf->options.ops->bad(dwarf->options.ctx, dwarf->file, why);
}

static void note_failure(struct dwarf *dwarf)
{
	if (++dwarf->failures <= FREE_FAILURES)
		return;
	uint32_t doublings = dwarf->failures - FREE_FAILURES - 1;
	if (doublings > PAUSES_MAX)
		doublings = PAUSES_MAX;
	dwarf->paused_until_ns = clock_mono_ns() + ((uint64_t)NS_PER_S << doublings);
}

/* It is gone, or sent what no worker of ours sends. */
static void worker_failed(struct dwarf *dwarf, bool its_fault)
{
	uint32_t served = dwarf->served;
	enum dwarf_end end = stop_worker(dwarf);

	if (!dwarf->active)
		return;
	/* It had worked long enough just when we asked; or it may have been another file's fault. */
	if (!its_fault && !dwarf->again && (end == DWARF_END_DONE || served > 0)) {
		dwarf->again = true;
		dwarf->sent = false;
		return;
	}
	dwarf->stats.crashed++;
	note_failure(dwarf);
	give_up_file(dwarf, "reading it ended the process that did");
}

static void worker_timed_out(struct dwarf *dwarf)
{
	(void)stop_worker(dwarf);
	dwarf->stats.timed_out++;
	note_failure(dwarf);
	give_up_file(dwarf, "reading it took too long");
}

/* ---- asking ---- */

/* Some files take seconds to read, and each time again when they are larger than what is kept. */
static bool has_credit(struct dwarf *dwarf)
{
	uint64_t now_ns = clock_mono_ns();
	uint64_t spent_ns = dwarf->process.ended_cpu_ns + dwarf->process.cpu_ns;

	dwarf->credit_ns += (int64_t)((now_ns - dwarf->credit_at_ns) / CPU_PART);
	if (dwarf->credit_ns > (int64_t)dwarf->options.burst_ns)
		dwarf->credit_ns = (int64_t)dwarf->options.burst_ns;
	/* Less than before: nobody could say what a worker that ended had used. */
	if (spent_ns > dwarf->credit_spent_ns)
		dwarf->credit_ns -= (int64_t)(spent_ns - dwarf->credit_spent_ns);
	dwarf->credit_at_ns = now_ns;
	dwarf->credit_spent_ns = spent_ns;
	return dwarf->credit_ns >= 0;
}

static bool have_worker(struct dwarf *dwarf)
{
	if (dwarf->process.pid)
		return true;
	uint64_t now_ns = clock_mono_ns();
	if (now_ns < dwarf->paused_until_ns)
		return false;
	if (dwarf_process_start(&dwarf->process, &dwarf->limits, NULL)) {
		dwarf->paused_until_ns = now_ns + NS_PER_S;
		return false;
	}
	dwarf->served = 0;
	dwarf->stats.spawned++;
	return true;
}

/* The slot that has the file, or the one used least recently. */
static uint32_t find_slot(const struct dwarf *dwarf)
{
	uint32_t oldest = 0;

	for (uint32_t i = 0; i < DWARF_SLOTS; i++) {
		const struct slot *slot = &dwarf->slots[i];
		if (slot->used && slot->file == dwarf->file)
			return i;
		if (slot->used < dwarf->slots[oldest].used)
			oldest = i;
	}
	return oldest;
}

static void send_request(struct dwarf *dwarf)
{
	const struct dwarf_ops *ops = dwarf->options.ops;
	struct dwarf_request *request = &dwarf->request;
	struct dwarf_fds fds = {-1, -1};
	uint32_t at = find_slot(dwarf);
	struct slot *slot = &dwarf->slots[at];
	bool known = slot->used && slot->file == dwarf->file;

	if (!known && !ops->open(dwarf->options.ctx, dwarf->file, &fds)) {
		give_up_file(dwarf, "it cannot be opened");
		return;
	}
	request->slot = at;
	request->number++;
	request->file_count = known ? 0 : fds.alt < 0 ? 1 : 2;
	dwarf->sent_ns = clock_mono_ns();
	if (dwarf_process_send(&dwarf->process, request, known ? NULL : &fds, NULL)) {
		worker_failed(dwarf, false);
		return;
	}
	*slot = (struct slot){dwarf->file, request->number};
	memset(dwarf->answered, 0, sizeof(dwarf->answered));
	dwarf->sent = true;
}

/* ---- answers ---- */

static void end_request(struct dwarf *dwarf)
{
	dwarf->active = false;
	dwarf->served++;
	dwarf->failures = 0;
}

/* An address that nobody answers would be waited for as long as the agent lives. */
static bool all_answered(const struct dwarf *dwarf)
{
	for (uint32_t i = 0; i < dwarf->request.count; i++)
		if (!dwarf->answered[i])
			return false;
	return true;
}

/* False: no message of a worker that is itself. */
static bool take_message(struct dwarf *dwarf, size_t len)
{
	struct cur message = cur_make(dwarf->message, len);
	struct dwarf_row rows[DWARF_ROWS_MAX];
	struct dwarf_answer answer;
	uint32_t index, count;

	if (!dwarf->active || !dwarf_answer_read(&message, &answer) ||
	    answer.number != dwarf->request.number)
		return false;
	dwarf->process.cpu_ns = answer.cpu_ns;
	if (answer.kind == DWARF_ANSWER_BAD) {
		char why[DWARF_TEXT_MAX + 1];
		str_copy(why, sizeof(why), answer.why);
		dwarf->slots[dwarf->request.slot] = (struct slot){0};
		end_request(dwarf);
		give_up_file(dwarf, why);
		return true;
	}
	while (dwarf_answer_next(&message, &index, rows, &count)) {
		if (index >= dwarf->request.count || dwarf->answered[index])
			return false;
		dwarf->answered[index] = true;
		dwarf->stats.answered++;
		dwarf->options.ops->rows(dwarf->options.ctx, dwarf->file,
					 dwarf->request.vaddrs[index], rows, count);
	}
	if (!cur_ok(&message))
		return false;
	if (answer.kind != DWARF_ANSWER_LAST)
		return true;
	if (!all_answered(dwarf))
		return false;
	end_request(dwarf);
	return true;
}

/* Everything that has come, up to the end of the request. */
static void receive(struct dwarf *dwarf)
{
	size_t len = 0;
	int rc = 0;

	while (rc == 0 && dwarf->active) {
		rc = dwarf_process_receive(&dwarf->process, dwarf->message, sizeof(dwarf->message),
					   &len, NULL);
		if (rc == 0 && !take_message(dwarf, len)) {
			worker_failed(dwarf, true);
			return;
		}
	}
	if (rc == ERR_IO)
		worker_failed(dwarf, false);
	else if (rc == ERR_BUSY && clock_mono_ns() - dwarf->sent_ns > dwarf->options.request_ns)
		worker_timed_out(dwarf);
}

/* ---- moving on ---- */

/* True: a request is on its way. */
static bool keep_asking(struct dwarf *dwarf)
{
	while (!(dwarf->active && dwarf->sent)) {
		if ((!dwarf->active && dwarf->queue_count == 0) || !has_credit(dwarf) ||
		    !have_worker(dwarf))
			return false;
		if (!dwarf->active)
			fill_request(dwarf);
		send_request(dwarf);
	}
	return true;
}

static bool wait_for_answer(struct dwarf *dwarf, uint64_t until_ns)
{
	uint64_t now_ns = clock_mono_ns();
	uint64_t limit_ns = dwarf->sent_ns + dwarf->options.request_ns + NS_PER_MS;

	if (now_ns >= until_ns)
		return false;
	if (limit_ns > until_ns)
		limit_ns = until_ns;
	struct pollfd wait = {.fd = dwarf->process.sock, .events = POLLIN};
	uint64_t ns = limit_ns > now_ns ? limit_ns - now_ns : 0;
	(void)poll(&wait, 1, (int)((ns + NS_PER_MS - 1) / NS_PER_MS));
	return true;
}

/* One that waited in vain for long has ended. */
static void reap_idle(struct dwarf *dwarf)
{
	uint8_t byte;
	size_t len;

	if (dwarf->process.pid && !dwarf->active &&
	    dwarf_process_receive(&dwarf->process, &byte, 1, &len, NULL) != ERR_BUSY)
		(void)stop_worker(dwarf);
}

uint32_t dwarf_pump(struct dwarf *dwarf, uint64_t wait_until_ns)
{
	reap_idle(dwarf);
	while (keep_asking(dwarf)) {
		receive(dwarf);
		if (dwarf->active && dwarf->sent && !wait_for_answer(dwarf, wait_until_ns))
			break;
	}
	return waiting(dwarf);
}

int dwarf_fd(const struct dwarf *dwarf)
{
	return dwarf->process.sock;
}

void dwarf_get_stats(const struct dwarf *dwarf, struct dwarf_stats *ret)
{
	*ret = dwarf->stats;
	ret->worker_cpu_ns = dwarf->process.ended_cpu_ns + dwarf->process.cpu_ns;
	ret->worker = dwarf->process.pid;
	ret->waiting = waiting(dwarf);
}
