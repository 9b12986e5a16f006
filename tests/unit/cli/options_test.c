/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "cli/cli.h"

static const char *listen_on, *force;
static int times;

static void count(void *user, const char *text)
{
	(void)user;
	times += (int)strlen(text);
}

static const struct option_row rows[] = {
	{"listen", "HOST:PORT", "127.0.0.1:4040", "where the page is", &listen_on, NULL, NULL},
	{"force", NULL, NULL, "a flag", &force, NULL, NULL},
	{"config", "FILE", NULL,
	 "where the configuration is: a path, or file:PATH, env:NAME, yaml:TEXT; may be given more "
	 "than once, later ones win",
	 NULL, count, NULL},
};

static char said[8192];

/* Runs cli_options() with both outputs going to said. */
static int parse(int argc, char **argv)
{
	FILE *file = tmpfile();
	fflush(NULL);
	int out = dup(1), err = dup(2);
	dup2(fileno(file), 1);
	dup2(fileno(file), 2);
	listen_on = force = NULL;
	times = 0;
	int rc = cli_options("up", "Usage: up", rows, 3, argc, argv);
	fflush(NULL);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	rewind(file);
	said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
	fclose(file);
	return rc;
}

#define PARSE(...)                                                           \
	parse((int)(sizeof((char *[]){"up", __VA_ARGS__}) / sizeof(char *)), \
	      (char *[]){"up", __VA_ARGS__, NULL})

static void values_come_behind_a_sign_or_as_the_next_word(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--listen=:1"), CLI_OK);
	assert_string_equal(listen_on, ":1");
	assert_int_equal(PARSE("-listen", ":2", "--force"), CLI_OK);
	assert_string_equal(listen_on, ":2");
	assert_non_null(force);
	assert_int_equal(PARSE("--listen="), CLI_OK);
	assert_string_equal(listen_on, "");
	assert_int_equal(PARSE("--listen=a=b"), CLI_OK);
	assert_string_equal(listen_on, "a=b");
	assert_int_equal(PARSE("--config=a", "--config", "bcd"), CLI_OK);
	assert_int_equal(times, 4);
}

static void wrong_usage_is_named_on_one_line(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--listne=:1"), CLI_USAGE);
	assert_non_null(strstr(said, "did you mean --listen?"));
	assert_int_equal(PARSE("--zzz"), CLI_USAGE);
	assert_null(strstr(said, "did you mean"));
	assert_int_equal(PARSE("--listen"), CLI_USAGE);
	assert_non_null(strstr(said, "--listen needs a value, as in --listen=HOST:PORT"));
	assert_int_equal(PARSE("--force=yes"), CLI_USAGE);
	assert_non_null(strstr(said, "takes no value"));
	assert_int_equal(PARSE("word"), CLI_USAGE);
	assert_int_equal(PARSE("-"), CLI_USAGE);
	assert_int_equal(PARSE("--"), CLI_USAGE);
	assert_int_equal(str_find_char(str_of(said), '\n'), (ptrdiff_t)strlen(said) - 1);
}

static void help_fits_a_terminal_of_80_columns(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--listen=x", "-h"), -1);
	struct str rest = str_of(said), line;
	while (str_next(&rest, '\n', &line))
		assert_true(line.len <= 80);
	assert_non_null(strstr(said, "where the page is (default 127.0.0.1:4040)\n"));
	assert_non_null(strstr(said, "later ones win"));
}

static void every_command_knows_its_version(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--version"), -1);
	assert_string_equal(said, "cresset " CRESSET_VERSION "\n");
	assert_int_equal(PARSE("--listen", "--version"), CLI_OK);
	assert_string_equal(listen_on, "--version");
}

static void words_go_to_the_row_without_a_name_where_there_is_one(void **state)
{
	const char *url = NULL;
	const struct option_row with_words[] = {
		{"url", "URL", NULL, "a place", &url, NULL, NULL},
		{NULL, NULL, NULL, NULL, NULL, count, NULL},
	};
	char *argv[] = {"symbols", "one", "--url", "three", "seven", NULL};
	(void)state;
	times = 0;
	assert_int_equal(cli_options("symbols", "", with_words, 2, 5, argv), CLI_OK);
	assert_string_equal(url, "three");
	assert_int_equal(times, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_behind_a_sign_or_as_the_next_word),
		cmocka_unit_test(wrong_usage_is_named_on_one_line),
		cmocka_unit_test(help_fits_a_terminal_of_80_columns),
		cmocka_unit_test(every_command_knows_its_version),
		cmocka_unit_test(words_go_to_the_row_without_a_name_where_there_is_one),
	};
	return cmocka_run_group_tests_name("cli/options", tests, NULL, NULL);
}
