/* Shared by the tests of late symbols: a store, this very test program as a file
 * and its symbols cut off and kept aside, and a frame of it that has no name. */
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
#include "elf/elf.h"
#include "server/symbols_elf.h"
#include "store/engine.h"

struct fixture {
	char path[64];
	struct buf whole, debug; /* ELF files with symbols */
	char build_id[2 * ELF_BUILD_ID_MAX + 1];
	struct store *store;
	struct arena arena;
	struct err err;
};

/* The function whose name comes late. */
void late_function(void);

/* Where the program's first byte is in memory; its address in the file is 0 (position-independent). */
extern const char __ehdr_start[];

static inline uint64_t late_address(void)
{
	return (uint64_t)((uintptr_t)late_function - (uintptr_t)__ehdr_start);
}

static inline void must(struct fixture *f, int rc)
{
	if (rc)
		fail_msg("%s", f->err.text);
}

static inline void run_shell(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static inline void read_file(struct fixture *f, const char *name, struct buf *ret)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	must(f, fd_read_file(path, SYMBOLS_FILE_MAX, ret, &f->err));
}

static inline void cut_program(struct fixture *f)
{
	struct elf_file *file;
	char command[512];
	snprintf(command, sizeof(command),
		 "cd %s && cp /proc/%d/exe whole && objcopy --strip-debug whole small && "
		 "objcopy --only-keep-debug small debug",
		 f->path, (int)getpid());
	run_shell(command);
	read_file(f, "small", &f->whole);
	read_file(f, "debug", &f->debug);
	must(f, elf_open_memory(f->whole.ptr, f->whole.len, &file, &f->err));
	snprintf(f->build_id, sizeof(f->build_id), "%s", elf_info(file)->build_id);
	elf_close(file);
	assert_true(f->build_id[0]);
}

static inline void open_fixture(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	arena_init(&f->arena, 0);
	snprintf(f->path, sizeof(f->path), "/tmp/cresset-symbols-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	cut_program(f);
	char path[80];
	snprintf(path, sizeof(path), "%s/store", f->path);
	const struct store_options options = {.path = path, .memory_bytes = 8 << 20};
	must(f, store_open(&options, &f->store, &f->err));
}

static inline int close_fixture(struct fixture *f)
{
	char command[128];
	store_close(f->store);
	buf_deinit(&f->whole);
	buf_deinit(&f->debug);
	arena_deinit(&f->arena);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	return system(command);
}

/* One sample in a frame without a name. */
static inline void write_unnamed(struct fixture *f, const char *tenant, const char *build_id,
				 uint64_t address)
{
	static unsigned number;
	char identity[32];
	snprintf(identity, sizeof(identity), "%u", number++);
	const struct store_frame frame = {.kind = STR("native"),
					  .mapping = STR("/bin/late"),
					  .build_id = str_of(build_id),
					  .address = address};
	const struct store_node nodes[] = {{0, 0}, {0, 0}};
	const struct store_sample sample = {.time_ns = clock_real_ns(),
					    .value = 1,
					    .node = 1,
					    .cpu = -1};
	const struct store_label label = {STR("service_name"), STR("late")};
	const struct store_series series = {&label, 1, &sample, 1};
	const struct str strings[] = {STR("")};
	const struct store_batch batch = {.tenant = str_of(tenant),
					  .identity = str_of(identity),
					  .strings = strings,
					  .string_count = 1,
					  .frames = &frame,
					  .frame_count = 1,
					  .nodes = nodes,
					  .node_count = 2,
					  .series = &series,
					  .series_count = 1};
	must(f, store_write(f->store, &batch, &f->err));
}

/* What the frame is called in an answer now. */
static inline struct str name_of(struct fixture *f, const char *tenant, const char *build_id,
				 uint64_t address)
{
	const struct store_selection all = {.tenant = str_of(tenant), .end_ns = UINT64_MAX};
	struct store_tree tree;
	must(f, store_merge(f->store, &all, &f->arena, &tree, &f->err));
	for (uint32_t i = 0; i < tree.frame_count; i++)
		if (tree.frames[i].address == address &&
		    str_equal(tree.frames[i].build_id, str_of(build_id)))
			return tree.frames[i].name;
	fail_msg("no frame of build id %s", build_id);
	return STR("");
}
