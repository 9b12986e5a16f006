/* The agent against a worker that a file has taken over: here the worker is a
 * list of messages, in place of dwarf_process.c. */
#include "samples.h"

#include "elf/dwarf.h"
#include "elf/dwarf_process.h"

/* ---- the worker ---- */

/* What it answers to each request. */
struct lie {
	const char *what;
	uint32_t indexes[4], count;
	uint32_t number_off; /* added to the number of the request */
	enum dwarf_answer_kind kind;
	uint32_t bad; /* files given up for it */
};

static const struct lie *lie;
static struct buf waiting_message;

int dwarf_process_start(struct dwarf_process *process, const struct dwarf_worker_limits *limits,
			struct err *err)
{
	(void)limits;
	(void)err;
	process->pid = 1;
	return 0;
}

enum dwarf_end dwarf_process_stop(struct dwarf_process *process)
{
	buf_clear(&waiting_message);
	process->pid = 0;
	return DWARF_END_FAILED;
}

int dwarf_process_send(struct dwarf_process *process, const struct dwarf_request *request,
		       const struct dwarf_fds *fds, struct err *err)
{
	const struct dwarf_row row = {STR("f"), STR("f"), STR("/f.c"), 1, 1, 1};

	(void)process;
	(void)fds;
	(void)err;
	dwarf_answer_begin(&waiting_message, request->number + lie->number_off);
	for (uint32_t i = 0; i < lie->count; i++)
		assert_true(dwarf_answer_add(&waiting_message, lie->indexes[i], &row, 1));
	dwarf_answer_end(&waiting_message, lie->kind, 0);
	return 0;
}

int dwarf_process_receive(struct dwarf_process *process, void *bytes, size_t cap, size_t *ret_len,
			  struct err *err)
{
	(void)process;
	(void)err;
	if (waiting_message.len == 0)
		return ERR_BUSY;
	assert_true(waiting_message.len <= cap);
	memcpy(bytes, waiting_message.ptr, waiting_message.len);
	*ret_len = waiting_message.len;
	buf_clear(&waiting_message);
	return 0;
}

/* ---- the agent ---- */

static uint32_t told_rows, told_bad;

static bool open_file(void *ctx, uint64_t file, struct dwarf_fds *ret)
{
	(void)ctx;
	(void)file;
	*ret = (struct dwarf_fds){0, -1};
	return true;
}

static void take_rows(void *ctx, uint64_t file, uint64_t vaddr, const struct dwarf_row *rows,
		      uint32_t count)
{
	(void)ctx;
	(void)file;
	(void)vaddr;
	(void)rows;
	told_rows += count;
}

static void take_bad(void *ctx, uint64_t file, const char *why)
{
	(void)ctx;
	(void)file;
	(void)why;
	told_bad++;
}

static const struct lie lies[] = {
	{"the truth", {0, 1, 2}, 3, 0, DWARF_ANSWER_LAST, 0},
	{"nothing", {0}, 0, 0, DWARF_ANSWER_LAST, 1},
	{"less than was asked", {0, 2}, 2, 0, DWARF_ANSWER_LAST, 1},
	{"the same twice", {0, 1, 1}, 3, 0, DWARF_ANSWER_LAST, 1},
	{"more than was asked", {0, 1, 2, 3}, 4, 0, DWARF_ANSWER_LAST, 1},
	{"an answer to something else", {0, 1, 2}, 3, 1, DWARF_ANSWER_LAST, 1},
};

static void no_address_is_waited_for_for_ever_whatever_the_worker_says(void **state)
{
	static const struct dwarf_ops ops = {open_file, take_rows, take_bad};
	const struct dwarf_options options = {.ops = &ops};

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct dwarf *dwarf;
		lie = &lies[i];
		told_rows = told_bad = 0;
		assert_int_equal(dwarf_create(&options, &dwarf, NULL), 0);
		for (uint64_t vaddr = 1; vaddr <= 3; vaddr++)
			assert_int_equal(dwarf_ask(dwarf, 1, vaddr, NULL), 0);
		assert_int_equal(dwarf_pump(dwarf, 0), 0);
		if (told_bad != lie->bad)
			fail_msg("%s: %u files given up", lie->what, told_bad);
		assert_true(told_bad || told_rows == 3);
		dwarf_destroy(dwarf);
	}
	buf_deinit(&waiting_message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_address_is_waited_for_for_ever_whatever_the_worker_says),
	};
	buf_init(&waiting_message, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
