#include "help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

uint64_t random_u64(struct random *random)
{
	/* splitmix64 */
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint32_t random_below(struct random *random, uint32_t limit)
{
	return (uint32_t)(random_u64(random) % limit);
}

void temp_directory(char path[64])
{
	const char *base = getenv("TMPDIR");
	snprintf(path, 64, "%.40s/cresset-store-XXXXXX", base && *base ? base : "/tmp");
	assert_non_null(mkdtemp(path));
}

void remove_directory(const char *path)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	assert_int_equal(system(command), 0);
}

void must(int rc, const struct err *err)
{
	if (rc)
		fail_msg("%s", err->text);
}

struct store *open_store(const char *path)
{
	struct store_options options = {.path = path,
					.memory_bytes = 64 << 20,
					.manual_maintenance = true};
	struct store *store = NULL;
	struct err err;
	must(store_open(&options, &store, &err), &err);
	return store;
}

static void print_finding(void *user, const char *sentence)
{
	(void)user;
	print_message("  %s\n", sentence);
}

void verify_clean(const char *path)
{
	struct store_verify options = {.path = path, .found = print_finding};
	struct store_verified verified;
	struct err err;
	must(store_verify(&options, &verified, &err), &err);
	if (verified.findings)
		fail_msg("%s: %llu findings", path, (unsigned long long)verified.findings);
}

unsigned env_number(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);
	return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

void tiny_batch(struct tiny_batch *tiny, unsigned number, uint64_t time_ns)
{
	*tiny = (struct tiny_batch){
		.frames = {{.name = STR("main"), .kind = STR("native")},
			   {.name = STR("work"), .kind = STR("native")}},
		.nodes = {{0, 0}, {0, 0}, {1, 1}},
		.strings = {STR("")},
	};
	snprintf(tiny->value, sizeof(tiny->value), "%u", number);
	tiny->labels[0] = (struct store_label){STR("batch"), str_of(tiny->value)};
	tiny->labels[1] = (struct store_label){STR("service_name"), STR("s")};
	for (unsigned i = 0; i < 4; i++)
		tiny->samples[i] = (struct store_sample){
			.time_ns = time_ns + i * 1000000ull,
			.value = 1,
			.node = 1 + i % 2,
			.tid = i,
			.cpu = -1,
		};
	tiny->series = (struct store_series){tiny->labels, 2, tiny->samples, 4};
	tiny->batch = (struct store_batch){
		.tenant = STR("t"),
		.strings = tiny->strings,
		.string_count = 1,
		.frames = tiny->frames,
		.frame_count = 2,
		.nodes = tiny->nodes,
		.node_count = 3,
		.series = &tiny->series,
		.series_count = 1,
	};
}

int64_t total_of(struct store *store)
{
	struct store_selection all = {.tenant = STR("t"), .end_ns = UINT64_MAX};
	struct store_tree tree;
	struct arena arena;
	struct err err;
	int64_t total = 0;
	arena_init(&arena, 0);
	must(store_merge(store, &all, &arena, &tree, &err), &err);
	for (uint32_t i = 0; i < tree.node_count; i++)
		total += tree.self[i];
	arena_deinit(&arena);
	return total;
}
