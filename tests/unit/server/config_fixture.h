/* A configuration file and flags, and what was warned of. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "server/retention.h"
#include "server/server.h"

#define UNUSED __attribute__((unused))

struct fixture {
	struct arena arena;
	struct server_config config;
	struct err err;
	struct buf warnings;
	char path[64];
	char flag[96];
};

UNUSED static int set_up(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 0);
	snprintf(f.path, sizeof(f.path), "/tmp/cresset-config-XXXXXX");
	int fd = mkstemp(f.path);
	assert_true(fd >= 0);
	close(fd);
	snprintf(f.flag, sizeof(f.flag), "-config.file=%s", f.path);
	*state = &f;
	return 0;
}

UNUSED static int tear_down(void **state)
{
	struct fixture *f = *state;
	buf_deinit(&f->warnings);
	arena_deinit(&f->arena);
	return unlink(f->path);
}

UNUSED static void write_file(struct fixture *f, const char *text)
{
	assert_int_equal(fd_replace_file(f->path, text, strlen(text), NULL), 0);
}

UNUSED static void warn(void *data, const char *text)
{
	struct fixture *f = data;
	buf_cstr(&f->warnings, text);
	buf_char(&f->warnings, '\n');
}

UNUSED static int load(struct fixture *f, char **argv)
{
	int argc = 0;
	while (argv[argc])
		argc++;
	return server_config_load(&f->arena, argc, argv, warn, f, &f->config, &f->err);
}

#define LOAD(f, ...) load(f, (char *[]){__VA_ARGS__, NULL})

UNUSED static void must(struct fixture *f, int rc)
{
	if (rc)
		fail_msg("%s", f->err.text);
}

UNUSED static void assert_str(struct str got, const char *want)
{
	assert_string_equal(got.len ? got.ptr : "", want);
}

UNUSED static bool warned(const struct fixture *f, const char *text)
{
	return str_find(buf_text(&f->warnings), str_of(text)) >= 0;
}
