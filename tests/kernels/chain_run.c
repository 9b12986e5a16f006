#include "chain_run.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WRONG_SHOWN = 5 };

/* ---- running ---- */

static void read_expected(struct chain *chain, FILE *from)
{
	char line[256];
	while (fgets(line, sizeof(line), from) && strcmp(line, "go\n")) {
		struct chain_frame *frame = &chain->expected[chain->expected_count];
		if (chain->expected_count == CHAIN_FRAMES_MAX ||
		    sscanf(line, "%47s %" SCNx64, frame->file, &frame->vaddr) != 2)
			break;
		chain->expected_count++;
	}
}

static pid_t start(const struct chain *chain, const char *directory, int out)
{
	char path[4096], depth[16];
	snprintf(path, sizeof(path), "%s/chain", directory);
	snprintf(depth, sizeof(depth), "%d", chain->depth);
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(out, 1);
		execl(path, "chain", chain->mode, chain->seconds, depth, NULL);
		_exit(127);
	}
	return pid;
}

bool chain_run(struct chain *chain, const char *directory)
{
	int ends[2], status = -1;
	if (pipe2(ends, O_CLOEXEC))
		abort();
	chain->pid = start(chain, directory, ends[1]);
	close(ends[1]);
	FILE *from = fdopen(ends[0], "r");
	if (!from)
		abort();
	read_expected(chain, from);
	fclose(from);
	return waitpid(chain->pid, &status, 0) == chain->pid && status == 0;
}

/* ---- judging ---- */

static const char *leaf_of(const struct chain *chain)
{
	return strcmp(chain->mode, "kernel") ? "burn" : "ask_kernel";
}

/* The name of the program's own frame number i, leaf first and libc's left out; NULL: no such frame. */
static const char *own_name(const struct chain *chain, size_t i)
{
	static const char *const first[] = {"inner", "middle", "compare"};
	static const char *const last[] = {"run", "main", "_start"};
	const size_t depth = (size_t)chain->depth;
	if (i == 0)
		return leaf_of(chain);
	if (i <= 3)
		return first[i - 1];
	if (i < 4 + depth)
		return "descend";
	return i < 7 + depth ? last[i - 4 - depth] : NULL;
}

static bool has_name(const struct stack_frame *frame, const char *name)
{
	return name && !strcmp(frame->name, name);
}

/* Leaf, inner, and from there on what the program said; with names where it is its own code. */
static bool is_right(const struct chain *chain, const struct stack *stack)
{
	size_t own = 2;
	if (strcmp(stack->process, "chain") || stack->count != chain->expected_count + 2 ||
	    !has_name(&stack->frames[1], own_name(chain, 1)))
		return false;
	for (size_t i = 0; i < chain->expected_count; i++) {
		const struct chain_frame *expected = &chain->expected[i];
		const struct stack_frame *frame = &stack->frames[i + 2];
		if (frame->address != expected->vaddr - 1 || strcmp(frame->file, expected->file))
			return false;
		if (!strcmp(frame->file, "chain") && !has_name(frame, own_name(chain, own++)))
			return false;
	}
	return own_name(chain, own) == NULL;
}

/* "[truncated: ...]", "[broken: ...]" */
static bool says_that_it_is_not_whole(const struct stack *stack)
{
	const char *last = stack->frames[stack->count - 1].name;
	return !strncmp(last, "[truncated", 10) || !strncmp(last, "[broken", 7);
}

static void count_stack(const struct chain *chain, const struct stack *stack,
			struct chain_tally *tally)
{
	tally->all += stack->events;
	tally->in_kernel += stack->kernel_frames > 0 ? stack->events : 0;
	tally->no_build_id += stack->frames[0].has_build_id ? 0 : stack->events;
	tally->kernel_frames += stack->kernel_frames;
	tally->kernel_unnamed += stack->kernel_frames - stack->kernel_named;
	if (is_right(chain, stack)) {
		tally->right += stack->events;
		return;
	}
	if (says_that_it_is_not_whole(stack))
		tally->marked += stack->events;
	if (tally->shown++ < WRONG_SHOWN)
		stack_print(stack);
}

void chain_count(const struct chain *chain, const struct stacks *stacks, struct chain_tally *tally)
{
	for (size_t i = 0; i < stacks->count; i++) {
		const struct stack *stack = &stacks->rows[i];
		if (stack->pid == chain->pid && stack->count > 0 &&
		    has_name(&stack->frames[0], leaf_of(chain)))
			count_stack(chain, stack, tally);
	}
}

void chain_explain(const struct chain *chain, const struct stacks *stacks)
{
	size_t shown = 0;
	printf("#   not seen: process %d\n", (int)chain->pid);
	for (size_t i = 0; i < stacks->count && shown < WRONG_SHOWN; i++) {
		if (stacks->rows[i].pid == chain->pid) {
			stack_print(&stacks->rows[i]);
			shown++;
		}
	}
}
