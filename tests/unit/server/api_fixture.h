/* The query API from bytes to bytes, on the real store; no sockets. What is
 * stored: service "shop" with CPU time (main 1, main;work 20, main;work;libfoo.so+0x1234 30,
 * main;other_name 5) and "till" with 1000 ns off the CPU, all within 20 s. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/zip.h"
#include "server/api.h"
#include "server/tenant_files.h"

#define UNUSED __attribute__((unused))
#define CPU    "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
#define OFF    "off_cpu:off_cpu:nanoseconds::"

struct fixture {
	char path[64];
	struct store *store;
	struct ingest *ingest;
	struct server_limits limits;
	struct api api;
	struct tenant_files files;
	struct arena arena;
	struct err err;
	struct net_header headers[8];
	struct net_request request;
	struct net_answer answer;
};

/* ---- what is stored ---- */

static const struct store_frame frames[] = {
	{.name = STR("main")},
	{.name = STR("work")},
	{.name = STR("other_name")},
	{.mapping = STR("/lib/libfoo.so"), .address = 0x1234},
};

/* main; main;work; main;work;libfoo.so+0x1234; main;other_name */
static const struct store_node nodes[] = {{0, 0}, {0, 0}, {1, 1}, {2, 3}, {1, 2}};

UNUSED static void put(struct fixture *f, const struct store_label *labels, size_t label_count,
		       const struct store_sample *samples, size_t sample_count)
{
	const struct str strings[] = {STR(""), STR("worker")};
	const struct store_series series = {labels, label_count, samples, sample_count};
	const struct store_batch batch = {
		.tenant = STR("anonymous"),
		.strings = strings,
		.string_count = 2,
		.frames = frames,
		.frame_count = 4,
		.nodes = nodes,
		.node_count = 5,
		.series = &series,
		.series_count = 1,
	};
	if (store_write(f->store, &batch, &f->err))
		fail_msg("%s", f->err.text);
}

UNUSED static struct store_sample sample(int after_s, uint32_t node, int64_t value, uint32_t tid)
{
	return (struct store_sample){.time_ns = (uint64_t)(1700000000 + after_s) * NS_PER_S,
				     .value = value,
				     .node = node,
				     .tid = tid,
				     .pid = 7,
				     .thread_name = 1,
				     .cpu = -1};
}

UNUSED static void put_everything(struct fixture *f)
{
	const struct store_label shop[] = {
		{STR("__name__"), STR("process_cpu")},
		{STR("__profile_type__"), STR(CPU)},
		{STR("process.executable.name"), STR("shopd")},
		{STR("service_name"), STR("shop")},
	};
	const struct store_sample shop_samples[] = {sample(1, 3, 30, 100), sample(2, 2, 20, 101),
						    sample(12, 4, 5, 100), sample(12, 1, 1, 100)};
	const struct store_label till[] = {
		{STR("__name__"), STR("off_cpu")},
		{STR("__profile_type__"), STR(OFF)},
		{STR("service_name"), STR("till")},
	};
	const struct store_sample till_samples[] = {sample(3, 1, 1000, 200)};
	put(f, shop, 4, shop_samples, 4);
	put(f, till, 3, till_samples, 1);
}

/* ---- asking ---- */

UNUSED static int set_up(void **state)
{
	static struct fixture f;
	struct ingest_config ingest;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 0);
	snprintf(f.path, sizeof(f.path), "/tmp/cresset-api-XXXXXX");
	assert_non_null(mkdtemp(f.path));
	const struct store_options options = {.path = f.path};
	ingest_config_default(&ingest);
	if (store_open(&options, &f.store, &f.err) ||
	    ingest_create(&ingest, f.store, &f.ingest, &f.err))
		fail_msg("%s", f.err.text);
	f.limits.flame_nodes_default = 8192;
	f.limits.flame_nodes_max = 1048576;
	tenant_files_init(&f.files, str_of(f.path));
	f.api = (struct api){.store = f.store,
			     .ingest = f.ingest,
			     .limits = &f.limits,
			     .files = &f.files};
	f.request = (struct net_request){.method = STR("POST"),
					 .headers = f.headers,
					 .arena = &f.arena,
					 .http_major = 1};
	put_everything(&f);
	*state = &f;
	return 0;
}

UNUSED static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];
	buf_deinit(&f->answer.body);
	ingest_destroy(f->ingest);
	store_close(f->store);
	arena_deinit(&f->arena);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	return system(command);
}

UNUSED static void add_header(struct fixture *f, struct str name, struct str value)
{
	f->headers[f->request.header_count++] = (struct net_header){name, value};
}

UNUSED static struct str header(const struct fixture *f, const char *name)
{
	for (size_t i = 0; i < f->answer.header_count; i++)
		if (str_equal(f->answer.headers[i].name, str_of(name)))
			return f->answer.headers[i].value;
	return STR("");
}

UNUSED static void call(struct fixture *f, const char *method, struct str body)
{
	struct api_endpoint endpoint = {.api = &f->api};
	const struct api_rpc *rpc;
	char path[128];

	snprintf(path, sizeof(path), "%s%s", method[0] == '/' ? "" : "/querier.v1.QuerierService/",
		 method);
	for (size_t i = 0; (rpc = api_rpc_at(i)) != NULL; i++)
		if (strcmp(rpc->path, path) == 0)
			endpoint.rpc = rpc;
	assert_non_null(endpoint.rpc);
	f->request.path = str_of(path);
	f->request.body = body;
	buf_deinit(&f->answer.body);
	memset(&f->answer, 0, sizeof(f->answer));
	api_serve(&endpoint, &f->request, &f->answer);
}

UNUSED static void assert_answer(struct fixture *f, int status, const char *want)
{
	struct str got = buf_text(&f->answer.body);
	if (f->answer.status != status || !str_equal(got, str_of(want)))
		fail_msg("%d %.*s\nwanted %d %s", f->answer.status, STR_ARG(got), status, want);
}

UNUSED static void ask(struct fixture *f, const char *method, const char *body, int status,
		       const char *want)
{
	f->request.header_count = 0;
	add_header(f, STR("content-type"), STR("application/json"));
	call(f, method, str_of(body));
	assert_answer(f, status, want);
}

#define RANGE "\"start\":\"1700000000000\",\"end\":\"1700000020000\""
