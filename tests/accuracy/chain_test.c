/* The suite's own judgement, over stacks that are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chain.h"

enum { FRAMES_MAX = 64, ENTRY = 0x1000, THREAD_ROOT = 0x77 };

static struct stacks stacks;

static int setup(void **state)
{
	(void)state;
	stacks_init(&stacks);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stacks_deinit(&stacks);
	return 0;
}

static uint32_t string(struct str text)
{
	uint32_t id;
	struct err err;
	assert_int_equal(strtab_intern(stacks.strings, text, &id, &err), 0);
	return id;
}

/* "a;b;;d" -> frames of the program; the third has no name. */
static uint32_t make_frames(const char *names, struct stacks_frame *frames)
{
	struct str rest = str_of(names), name;
	uint32_t count = 0;
	while (str_next(&rest, ';', &name))
		frames[count++] = (struct stacks_frame){.name = string(name),
							.file = string(STR("program")),
							.address = ENTRY + 1};
	return count;
}

static struct chain_story parse(const char *text)
{
	struct chain_story story;
	struct str line;
	assert_true(chain_story_parse(strdup(text), &story, &line));
	return story;
}

static bool is_right(const char *chain, const char *names, bool stripped)
{
	const struct chain_judge judge = {&stacks, "program", stripped, ENTRY, THREAD_ROOT};
	struct stacks_frame frames[FRAMES_MAX];
	char line[512] = "chain id;";
	struct chain_story story = parse(strcat(line, chain));
	bool right = chain_matches(&judge, &story.chains[0], frames, make_frames(names, frames));
	chain_story_free(&story);
	return right;
}

static bool is_whole(const char *chain, const char *names)
{
	const struct chain_judge judge = {&stacks, "program", false, ENTRY, THREAD_ROOT};
	struct stacks_frame frames[FRAMES_MAX];
	char line[512] = "chain id;";
	struct chain_story story = parse(strcat(line, chain));
	bool whole = chain_is_whole(&judge, &story.chains[0], frames, make_frames(names, frames));
	chain_story_free(&story);
	return whole;
}

static void a_stack_is_right_when_every_frame_is(void **state)
{
	(void)state;
	assert_true(is_right("burn;f;main", "burn;f;main", false));
	assert_false(is_right("burn;f;main", "burn;main", false));
	assert_false(is_right("burn;f;main", "burn;f;f;main", false));
	assert_false(is_right("burn;f;main", "burn;f", false));
	assert_false(is_right("burn;f;main", "burn;;main", false));
	assert_true(is_right("burn;f;main", "burn;;main", true));
	assert_true(is_right("burn;f|g;main", "burn;g;main", false));
	assert_true(is_right("~gen;main", "generic<int>;main", false));
}

static void repetitions_are_counted(void **state)
{
	(void)state;
	assert_true(is_right("r*3;main", "r;r;r;main", false));
	assert_false(is_right("r*3;main", "r;r;main", false));
	assert_false(is_right("r*3;main", "r;r;r;r;main", false));
}

static void any_frame_is_not_an_excuse(void **state)
{
	(void)state;
	assert_true(is_right("burn;*;main", "burn;main", false));
	assert_true(is_right("burn;*;main", "burn;x;;y;main", false));
	assert_true(is_right("burn;*", "burn;x", false));
	assert_false(is_right("burn;*", "burn;x;[broken: no unwind information]", false));
	assert_false(is_right("burn;?", "burn;[truncated: 1024 frames]", false));
}

static void roots_are_known_by_their_names(void **state)
{
	(void)state;
	assert_true(is_right("main;@process", "main;;__libc_start_main;_start", false));
	assert_false(is_right("main;@process", "main;;__libc_start_main", false));
	assert_false(is_right("main;@process", "main;other;_start", false));
	assert_true(is_right("main;@thread", "main;start_thread;clone3", false));
	assert_false(is_right("main;@thread", "main;start_thread", false));
	assert_true(is_right("main;@context", "main;__start_context", false));
	assert_true(is_whole("main;@process", "whatever;_start"));
	assert_false(is_whole("main;@process", "main;"));
	assert_false(is_whole("main;@process", "main;[broken: x];_start"));
	assert_true(is_whole("main;goexit", "x;goexit"));
	assert_false(is_whole("main;goexit", "x"));
}

static void unnamed_roots_are_known_by_their_addresses(void **state)
{
	(void)state;
	assert_true(is_right("main;@process", "main;", true));
	const struct chain_judge elsewhere = {&stacks, "program", true, ENTRY + 2, THREAD_ROOT};
	struct stacks_frame frames[FRAMES_MAX];
	struct chain_story story = parse("chain id;main;@process\nchain id;main;@thread");
	uint32_t count = make_frames("main;", frames);
	assert_false(chain_matches(&elsewhere, &story.chains[0], frames, count));
	assert_false(chain_matches(&elsewhere, &story.chains[1], frames, count));
	frames[count - 1].address = THREAD_ROOT;
	assert_true(chain_matches(&elsewhere, &story.chains[1], frames, count));
	chain_story_free(&story);
}

static void a_story_is_chains_and_windows_and_nothing_else(void **state)
{
	struct chain_story story =
		parse("chain one;a;b\nchain one;a;b\nwindow 7 8 one 100 200\n\nchain two;c");
	struct str line;
	(void)state;
	assert_int_equal(story.chain_count, 2);
	assert_int_equal(story.window_count, 1);
	assert_int_equal(story.windows[0].pid, 7);
	assert_int_equal(story.windows[0].tid, 8);
	assert_string_equal(story.windows[0].id, "one");
	assert_int_equal(story.windows[0].end_ns, 200);
	chain_story_free(&story);
	static const char *const bad[] = {"hello",	  "chain",	  "chain one",
					  "chain one;;b", "window 1 2 x", "window 1 2 x 3 y"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_false(chain_story_parse(strdup(bad[i]), &story, &line));
		chain_story_free(&story);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_stack_is_right_when_every_frame_is, setup,
						teardown),
		cmocka_unit_test_setup_teardown(repetitions_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(any_frame_is_not_an_excuse, setup, teardown),
		cmocka_unit_test_setup_teardown(roots_are_known_by_their_names, setup, teardown),
		cmocka_unit_test_setup_teardown(unnamed_roots_are_known_by_their_addresses, setup,
						teardown),
		cmocka_unit_test(a_story_is_chains_and_windows_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
