/* The stacks of a running Go program whose depths are known: every one is
 * followed by its rules to the root, with the right number of frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "elf/elf.h"
#include "elf/gopcln.h"
#include "unwind/unwind.h"

enum {
	STACKS = 1500, /* to be seen in threads that run */
	ROUNDS_MAX = 100000,
	FRAMES_MAX = 1200,
	DEEP = 1001, /* frames of main.deep below main.main */
	SHALLOW = 11,
};

struct target {
	pid_t pid;
	int fd;
	struct elf_file *file;
	struct go_lines *lines;
	struct unwind_rows *rows;
	uint64_t start, end, bias; /* of its code */
	unsigned stacks, deep, shallow, switched, elsewhere;
	char wrong
		[512]; /* the first stack that is not right; the program is stopped before the test fails */
};

struct frame {
	uint64_t pc, sp, fp;
	bool exact;
};

/* ---- the program ------------------------------------------------------- */

static void find_code(struct target *t)
{
	char line[512], path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", t->pid);
	FILE *maps = fopen(path, "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end, offset;
		char rights[8];
		if (sscanf(line, "%lx-%lx %7s %lx", &start, &end, rights, &offset) != 4 ||
		    rights[2] != 'x' || !strstr(line, "/gostacks"))
			continue;
		t->start = start;
		t->end = end;
		assert_true(elf_bias(t->file, start, offset, &t->bias));
	}
	fclose(maps);
}

static void start_program(struct target *t, const char *path)
{
	struct err err = {0};
	struct timespec moment = {.tv_nsec = 1000000};

	memset(t, 0, sizeof(*t));
	t->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (t->fd < 0 || elf_open(t->fd, &t->file, &err) ||
	    go_lines_open(t->file, 0, &t->lines, &err) ||
	    unwind_compile(t->file, NULL, NULL, &t->rows, &err))
		fail_msg("%s: %s", path, err.text);
	t->pid = fork();
	if (t->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	assert_true(t->pid > 0);
	for (unsigned i = 0; i < 10000 && !t->end; i++) {
		find_code(t);
		nanosleep(&moment, NULL);
	}
	assert_true(t->end > 0);
}

static void stop_program(struct target *t)
{
	kill(t->pid, SIGKILL);
	(void)waitpid(t->pid, NULL, __WALL);
	unwind_rows_free(t->rows);
	go_lines_free(t->lines);
	elf_close(t->file);
	close(t->fd);
}

/* ---- walking ----------------------------------------------------------- */

static bool peek(const struct target *t, uint64_t address, void *dst, size_t len)
{
	struct iovec local = {dst, len},
		     remote = {(void *)address, len}; /* NOLINT: an address there */

	return process_vm_readv(t->pid, &local, 1, &remote, 1, 0) == (ssize_t)len;
}

/* As bpf/unwind_step.h does. False: no rule that can be followed. */
static bool step(struct target *t, const struct unwind_rule *rule, struct frame *f)
{
	enum { FP = 10, SP = 15, PC = 16, REGISTERS = 23 }; /* asm/sigcontext.h */
	uint64_t cfa = f->sp + (uint64_t)(int64_t)rule->cfa_offset, registers[REGISTERS];

	if (rule->cfa == UNWIND_CFA_SIGNAL) {
		if (!peek(t, cfa, registers, sizeof(registers)))
			return false;
		*f = (struct frame){registers[PC], registers[SP], registers[FP], true};
		return true;
	}
	if (rule->cfa == UNWIND_CFA_FRAME)
		cfa = f->fp + 16;
	else if (rule->cfa != UNWIND_CFA_SP)
		return false;
	if ((rule->fp == UNWIND_FP_AT_CFA || rule->cfa == UNWIND_CFA_FRAME) &&
	    !peek(t, cfa - 16, &f->fp, 8))
		return false;
	f->sp = cfa;
	f->exact = false;
	return peek(t, cfa - 8, &f->pc, 8);
}

static struct str function_at(const struct target *t, const struct frame *f)
{
	struct go_line rows[GO_LINES_ROWS_MAX];
	size_t count;

	if (!go_lines_find(t->lines, f->pc - t->bias - !f->exact, rows, GO_LINES_ROWS_MAX, &count))
		return STR("?");
	return rows[count - 1].system_name;
}

static void is_wrong(struct target *t, const struct str *names, size_t count, const char *why)
{
	if (t->wrong[0])
		return;
	snprintf(t->wrong, sizeof(t->wrong), "%s: %zu frames from %.*s to %.*s", why, count,
		 STR_ARG(names[0]), STR_ARG(names[count - 1]));
}

/* What must be below main.leaf: so many calls of main.deep, and who calls it. */
static bool depth_is_right(struct target *t, const struct str *names, size_t count, size_t leaf)
{
	size_t at = leaf + 1;

	while (at < count && str_equal(names[at], STR("main.deep")))
		at++;
	size_t depth = at - leaf - 1;
	if (count - at < 2 || !str_equal(names[count - 1], STR("runtime.goexit")))
		return false;
	if (str_equal(names[at], STR("main.main"))) {
		t->deep++;
		return depth == DEEP && str_equal(names[at + 1], STR("runtime.main"));
	}
	t->shallow++;
	return depth == SHALLOW && str_equal(names[at], STR("main.shallow"));
}

static void check_names(struct target *t, const struct str *names, size_t count)
{
	bool switched = false;

	t->stacks++;
	for (size_t i = 0; i < count; i++) {
		switched |= str_equal(names[i], STR("runtime.systemstack"));
		if (!str_equal(names[i], STR("main.leaf")))
			continue;
		t->switched += switched;
		if (!depth_is_right(t, names, count, i))
			is_wrong(t, names, count, "another depth");
		return;
	}
}

static void walk(struct target *t, const struct user_regs_struct *regs)
{
	static struct str names[FRAMES_MAX];
	struct frame f = {regs->rip, regs->rsp, regs->rbp, true};
	struct unwind_rule rule = {0};
	size_t count = 0;

	/* The vDSO, the dynamic linker and the kernel's page of calls have no rules here. */
	if (f.pc < t->start || f.pc >= t->end) {
		t->elsewhere++;
		return;
	}
	do {
		names[count++] = function_at(t, &f);
		rule = unwind_rows_find(t->rows, f.pc - t->bias - !f.exact);
		if (rule.cfa == UNWIND_CFA_END) {
			check_names(t, names, count);
			return;
		}
	} while (count < FRAMES_MAX && step(t, &rule, &f) && f.pc >= t->start && f.pc < t->end);
	/* The signal came while the thread was in the vDSO. */
	if (rule.cfa == UNWIND_CFA_SIGNAL && f.exact && (f.pc < t->start || f.pc >= t->end)) {
		t->elsewhere++;
		return;
	}
	/* A thread that was made just now has a stack, but nothing on it yet. */
	if (!str_equal(names[0], STR("runtime.clone")))
		is_wrong(t, names, count, "no way on");
}

/* ---- stopping threads -------------------------------------------------- */

static bool is_running(pid_t pid, pid_t tid)
{
	char path[64], line[256] = "";

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	const char *state = strrchr(line, ')');
	return state && strlen(state) > 2 && state[2] == 'R';
}

/* False: this host does not let us. */
static bool look_at(struct target *t, pid_t tid)
{
	struct user_regs_struct regs;
	int status, signal = 0;

	if (!is_running(t->pid, tid))
		return true;
	if (ptrace(PTRACE_SEIZE, tid, 0, 0))
		return errno == ESRCH;
	ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
		return true;
	if (status >> 16 == 0) /* a signal of its own came first */
		signal = WSTOPSIG(status);
	if (!ptrace(PTRACE_GETREGS, tid, 0, &regs))
		walk(t, &regs);
	ptrace(PTRACE_DETACH, tid, 0, signal);
	return true;
}

static bool look_at_all(struct target *t)
{
	char path[64];
	bool allowed = true;

	snprintf(path, sizeof(path), "/proc/%d/task", t->pid);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e && allowed; e = readdir(dir))
		if (e->d_name[0] != '.')
			allowed = look_at(t, (pid_t)strtol(e->d_name, NULL, 10));
	closedir(dir);
	return allowed;
}

static void watch(const char *path)
{
	struct timespec pause = {.tv_nsec = 100000};
	struct target t;
	bool allowed = true;

	start_program(&t, path);
	for (unsigned i = 0; i < ROUNDS_MAX && allowed && t.stacks < STACKS && !t.wrong[0]; i++) {
		allowed = look_at_all(&t);
		/* Not in step with the program. */
		pause.tv_nsec = 20000 + (long)(i * 7919 % 1000) * 500;
		nanosleep(&pause, NULL);
	}
	stop_program(&t);
	if (!allowed) {
		printf("SKIP: no right to stop a process\n");
		skip();
	}
	printf("%s: %u stacks to the root, %u of %d frames, %u shallow, %u of them on two stacks; "
	       "%u elsewhere\n",
	       path, t.stacks, t.deep, DEEP, t.shallow, t.switched, t.elsewhere);
	assert_string_equal(t.wrong, "");
	assert_true(t.stacks >= STACKS);
	assert_true(t.deep > 0);
}

static void every_stack_of_a_go_program_leads_to_its_root(void **state)
{
	(void)state;
	watch(GO_STACKS "/gostacks");
}

static void every_stack_of_a_stripped_position_independent_one_too(void **state)
{
	(void)state;
	watch(GO_STACKS "/gostacks-pie");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_stack_of_a_go_program_leads_to_its_root),
		cmocka_unit_test(every_stack_of_a_stripped_position_independent_one_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
