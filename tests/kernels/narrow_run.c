#include "narrow_run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stacks.h"

enum { RUN_US = 1000 * 1000 };

pid_t narrow_run(const char *directory)
{
	char path[4096];
	int status = -1;
	snprintf(path, sizeof(path), "%s/narrow", directory);
	pid_t pid = fork();
	if (pid == 0) {
		execl(path, "narrow", NULL);
		_exit(127);
	}
	if (pid < 0)
		return 0;
	usleep(RUN_US);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		return 0;
	return pid;
}

static bool is_right(const struct stack *stack)
{
	return stack->count == 2 && !strcmp(stack->process, "narrow") &&
	       !strcmp(stack->frames[0].file, "narrow") &&
	       !strcmp(stack->frames[1].name, "[32-bit process]");
}

void narrow_count(pid_t pid, const struct stacks *stacks, uint64_t *ret_all, uint64_t *ret_right)
{
	*ret_all = *ret_right = 0;
	for (size_t i = 0; i < stacks->count; i++) {
		const struct stack *stack = &stacks->rows[i];
		/* Between fork and exec it is a copy of this program. */
		if (stack->pid != pid || strcmp(stack->process, "narrow"))
			continue;
		*ret_all += stack->events;
		if (is_right(stack))
			*ret_right += stack->events;
		else
			stack_print(stack);
	}
}
