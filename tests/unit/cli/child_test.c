/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/child.h"
#include "cli/cli.h"

static int start(int (*run)(void *user, int ready_fd, struct err *err), struct child *child,
		 struct err *err)
{
	const struct child_role role = {"tester", run, NULL};
	return child_start(&role, child, err);
}

static int run_well(void *user, int ready_fd, struct err *err)
{
	(void)user;
	(void)err;
	child_ready(ready_fd, "a note");
	child_wait_stop();
	return CLI_OK;
}

static void a_child_is_ready_then_stops(void **state)
{
	(void)state;
	struct child child;
	struct err err = {0};
	assert_int_equal(start(run_well, &child, &err), 0);
	assert_string_equal(child.note, "a note");
	assert_int_equal(kill(child.pid, 0), 0);
	pid_t pid = child.pid;
	child_stop(&child);
	assert_int_equal(kill(pid, 0), -1);
	child_stop(&child); /* twice is fine */
}

static int run_badly(void *user, int ready_fd, struct err *err)
{
	(void)user;
	(void)ready_fd;
	(void)err_set(err, ERR_DENIED, "not \"here\"");
	return CLI_FAILED;
}

static void a_child_that_fails_says_why(void **state)
{
	(void)state;
	struct child child;
	struct err err = {0};
	assert_int_equal(start(run_badly, &child, &err), ERR_DENIED);
	assert_string_equal(err.text, "not \"here\"");
	assert_int_equal(child.pid, 0);
}

static int run_killed(void *user, int ready_fd, struct err *err)
{
	(void)user;
	(void)ready_fd;
	(void)err;
	kill(getpid(), SIGKILL);
	return CLI_OK;
}

static void a_child_killed_at_its_start_is_named_with_the_signal(void **state)
{
	(void)state;
	struct child child;
	struct err err = {0};
	assert_int_equal(start(run_killed, &child, &err), ERR_INTERNAL);
	assert_non_null(strstr(err.text, "tester was ended by signal 9"));
}

static int run_without_end(void *user, int ready_fd, struct err *err)
{
	(void)user;
	(void)ready_fd;
	(void)err;
	kill(getppid(), SIGTERM); /* somebody loses patience */
	alarm(30);		  /* not for ever after all, if nobody ends it */
	pause();
	return CLI_FAILED;
}

static void a_stop_does_not_wait_for_a_child_that_starts(void **state)
{
	(void)state;
	struct child child;
	struct err err = {0};
	sigset_t set;
	int sig = 0;
	assert_int_equal(start(run_without_end, &child, &err), ERR_CANCELLED);
	assert_int_equal(child.pid, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigpending(&set);
	assert_true(sigismember(&set, SIGTERM)); /* still to be seen by the caller */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigwait(&set, &sig);
}

int main(void)
{
	cli_block_signals();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_is_ready_then_stops),
		cmocka_unit_test(a_child_that_fails_says_why),
		cmocka_unit_test(a_child_killed_at_its_start_is_named_with_the_signal),
		cmocka_unit_test(a_stop_does_not_wait_for_a_child_that_starts),
	};
	return cmocka_run_group_tests_name("cli/child", tests, NULL, NULL);
}
