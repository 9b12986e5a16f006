#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

/* stderr goes to a file of its own while a test looks at it. */
static char text[1 << 20];
static int saved_fd;
static FILE *file;

static void capture(void)
{
	file = tmpfile();
	saved_fd = dup(STDERR_FILENO);
	dup2(fileno(file), STDERR_FILENO);
}

static const char *captured(void)
{
	dup2(saved_fd, STDERR_FILENO);
	close(saved_fd);
	rewind(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static int defaults(void **state)
{
	(void)state;
	log_set_level(LOG_INFO);
	log_set_json(0);
	return 0;
}

static void a_line_has_time_level_room_message_and_fields(void **state)
{
	(void)state;
	capture();
	log_warn("agent", "ring buffer full", "lost=%d", 12);
	log_info("server", "ready", "");
	const char *got = captured();
	int year, tail = 0;
	assert_int_equal(sscanf(got, "ts=%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ %n", &year, &tail), 1);
	assert_true(year >= 2024);
	assert_true(strncmp(got + tail,
			    "level=warn room=agent msg=\"ring buffer full\" lost=12\nts=", 55) ==
		    0);
	assert_true(str_ends_with(str_of(got), STR(" level=info room=server msg=\"ready\"\n")));
}

static void levels_below_the_set_one_are_silent(void **state)
{
	enum log_level level = LOG_INFO;

	(void)state;
	capture();
	log_debug("x", "not shown", "");
	assert_true(log_parse_level("ERROR", &level));
	log_set_level(level);
	log_warn("x", "not shown either", "");
	log_error("x", "shown", "");
	assert_non_null(strstr(captured(), "msg=\"shown\""));
	assert_null(strstr(text, "not shown"));
}

static void an_unknown_level_is_refused(void **state)
{
	enum log_level level = LOG_WARN;

	(void)state;
	assert_false(log_parse_level("loud", &level));
	assert_false(log_parse_level("", &level));
	assert_int_equal(level, LOG_WARN);
}

static void nobody_forges_a_line(void **state)
{
	(void)state;
	capture();
	log_info("agent", "name \"q\"\nts=1", "comm=%s", "evil\nlevel=error\x1b[31m");
	const char *got = captured();
	assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
	assert_non_null(strstr(got, "msg=\"name \\\"q\\\"\\nts=1\""));
	assert_non_null(strstr(got, "comm=evil\\nlevel=error\\u001b[31m"));
}

static void json_has_one_object_a_line(void **state)
{
	(void)state;
	log_set_json(1);
	capture();
	log_info("net", "listening", "addr=127.0.0.1:4040 path=" LOG_Q " n=%d", "/a b\\\"c", 3);
	const char *got = captured();
	assert_true(str_starts_with(str_of(got), STR("{\"ts\":\"20")));
	assert_non_null(
		strstr(got, "\"level\":\"info\",\"room\":\"net\",\"msg\":\"listening\","
			    "\"addr\":\"127.0.0.1:4040\",\"path\":\"/a b\\\"c\",\"n\":\"3\"}\n"));
}

static void a_line_too_long_is_cut_but_ended(void **state)
{
	static char blob[10000];

	(void)state;
	memset(blob, 'a', sizeof(blob) - 1);
	capture();
	log_info("x", "long", "v=%s", blob);
	log_info("x", blob, "");
	log_info("x", "next", "");
	const char *got = captured();
	assert_true(strlen(got) < 2 * 4096 + 200);
	assert_non_null(strstr(got, "a\nts="));
	assert_true(str_ends_with(str_of(got), STR("msg=\"next\"\n")));
}

static void outside_text_keeps_its_quotes_inside_the_value(void **state)
{
	static char blob[4000];

	(void)state;
	capture();
	log_warn("x", "m", "why=" LOG_Q " n=1", LOG_TEXT("key \"a\\b\": no"));
	assert_non_null(strstr(captured(), "why=\"key \\\"a\\\\b\\\": no\" n=1\n"));
	memset(blob, '"', sizeof(blob) - 1);
	struct log_text cut;
	size_t len = strlen(log_escape(&cut, blob));
	assert_true(len < sizeof(cut.text) && len > sizeof(cut.text) - 4);
	assert_int_equal(len % 2, 0);
}

static void *log_many(void *arg)
{
	for (int i = 0; i < 500; i++)
		log_info("thread", "one of many lines", "id=%d", *(int *)arg);
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	pthread_t threads[4];
	int ids[4] = {0, 1, 2, 3};
	size_t lines = 0;

	(void)state;
	capture();
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, &ids[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	struct str rest = str_of(captured());
	struct str line;
	while (str_next(&rest, '\n', &line)) {
		if (line.len == 0)
			continue;
		assert_true(str_starts_with(line, STR("ts=")));
		assert_int_equal(str_find(line, STR("msg=\"one of many lines\" id=")),
				 (ptrdiff_t)line.len - 28);
		lines++;
	}
	assert_int_equal(lines, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_has_time_level_room_message_and_fields, defaults),
		cmocka_unit_test_setup(levels_below_the_set_one_are_silent, defaults),
		cmocka_unit_test_setup(an_unknown_level_is_refused, defaults),
		cmocka_unit_test_setup(nobody_forges_a_line, defaults),
		cmocka_unit_test_setup(json_has_one_object_a_line, defaults),
		cmocka_unit_test_setup(a_line_too_long_is_cut_but_ended, defaults),
		cmocka_unit_test_setup(outside_text_keeps_its_quotes_inside_the_value, defaults),
		cmocka_unit_test_setup(lines_of_threads_do_not_mix, defaults),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
