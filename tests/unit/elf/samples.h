/* Shared by the tests of elf/: the sample programs and what other tools say about a file. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "elf/elf.h"

#define SAMPLE(name) SAMPLES "/sample-" name
#define LIBC_PATH    "/lib/x86_64-linux-gnu/libc.so.6"

static inline int open_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: cannot open", path);
	return fd;
}

/* The handle and its descriptor, which the caller closes. */
static inline struct elf_file *open_elf(const char *path, int *ret_fd)
{
	struct elf_file *file = NULL;
	struct err err = {0};

	*ret_fd = open_path(path);
	if (elf_open(*ret_fd, &file, &err))
		fail_msg("%s: %s", path, err.text);
	return file;
}

static inline struct elf_symbols *load_symbols(const char *path)
{
	struct elf_symbols *symbols = NULL;
	struct err err = {0};
	int fd;
	struct elf_file *file = open_elf(path, &fd);

	if (elf_symbols_load(file, 0, &symbols, &err))
		fail_msg("%s: %s", path, err.text);
	elf_close(file);
	close(fd);
	return symbols;
}

/* Loads the functions of a file, each allocation failing once in its turn; returns how many did. */
static inline unsigned load_short_of_memory(const char *path)
{
	int rc = ERR_NOMEM, fd;
	struct elf_file *file = open_elf(path, &fd);
	unsigned failed = 0;

	for (uint64_t nth = 1; rc; nth++) {
		struct elf_symbols *symbols = NULL;
		mem_fail_nth(nth);
		rc = elf_symbols_load(file, 0, &symbols, NULL);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		failed += rc != 0;
		elf_symbols_free(symbols);
	}
	elf_close(file);
	close(fd);
	return failed;
}

/* The functions of that name; fails the test when there is none. */
static inline struct elf_symbol symbol_named(const struct elf_symbols *symbols, const char *name)
{
	for (uint32_t i = 0; i < elf_symbols_count(symbols); i++) {
		struct elf_symbol s = elf_symbols_at(symbols, i);
		if (str_equal(s.name, str_of(name)))
			return s;
	}
	fail_msg("no function %s", name);
	return (struct elf_symbol){{NULL, 0}, 0, 0};
}

/* First line that a command prints, without its newline. */
static inline void command_line(const char *command, char *ret, size_t cap)
{
	FILE *pipe = popen(command, "r");

	assert_non_null(pipe);
	if (!fgets(ret, (int)cap, pipe))
		ret[0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	pclose(pipe);
}

/* A file with these bytes, already unlinked. */
static inline int temp_file(const void *bytes, size_t len)
{
	char path[] = "/tmp/cresset-elf-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(pwrite(fd, bytes, len, 0), (ssize_t)len);
	return fd;
}

static inline void assert_text(struct str text, const char *expected)
{
	if (!str_equal(text, str_of(expected)))
		fail_msg("\"%.*s\", not \"%s\"", STR_ARG(text), expected);
}
