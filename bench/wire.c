/* Benchmarks of the way in: OTLP bytes of one 5 s batch of a busy host, encoded,
 * decoded, and decoded and converted to the store's rows. Prints
 * "bench NAME VALUE UNIT" lines; the load is what the generator's constants say:
 * processes x samples with one timestamp and three attributes each, as the agent
 * and the OpenTelemetry eBPF profiler send them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "server/ingest_convert.h"
#include "wire/wire.h"

enum {
	PROCESSES = 100,
	SAMPLES = 20000,
	STACKS_PER_PROCESS = 120,
	DEPTH = 30,
	THREADS = 8,
	RUN_NS = 400 * 1000 * 1000,
};

struct generator {
	uint64_t state;
	struct profile_batch *batch;
	uint32_t locations[600];
	uint32_t stacks[STACKS_PER_PROCESS];
};

static void must(int rc)
{
	if (rc)
		abort();
}

static uint32_t below(struct generator *g, uint32_t limit)
{
	g->state = g->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((g->state >> 33) % limit);
}

static uint32_t attribute(struct generator *g, const char *key, enum value_kind kind,
			  struct str text, int64_t number)
{
	struct value value = {.kind = kind, .text = text, .number = number};
	uint32_t at;

	must(profile_attribute(g->batch, str_of(key), &value, STR(""), &at, NULL));
	return at;
}

static void make_locations(struct generator *g)
{
	enum { LOCATIONS = sizeof(g->locations) / sizeof(g->locations[0]), LIBRARIES = 20 };
	char name[64];

	for (uint32_t i = 0; i < LOCATIONS; i++) {
		struct profile_mapping mapping = {.memory_start = (i % LIBRARIES) << 20,
						  .memory_limit = (i % LIBRARIES + 1) << 20};
		struct profile_function function = {0};
		struct profile_line line = {.line = 10};
		uint32_t kind = attribute(g, "profile.frame.type", VALUE_STRING, STR("native"), 0);
		struct profile_location row = {.address = 0x1000 + i * 16,
					       .line_count = 1,
					       .lines = &line,
					       .attr_count = 1,
					       .attrs = &kind};
		snprintf(name, sizeof(name), "library_%u.so.6", i % LIBRARIES);
		must(profile_string(g->batch, str_of(name), &mapping.filename, NULL));
		must(profile_mapping(g->batch, &mapping, &row.mapping, NULL));
		snprintf(name, sizeof(name), "namespace::klass_%u::method_%u(int)", i % 40, i);
		must(profile_string(g->batch, str_of(name), &function.name, NULL));
		must(profile_function(g->batch, &function, &line.function, NULL));
		must(profile_location(g->batch, &row, &g->locations[i], NULL));
	}
}

static void make_stacks(struct generator *g)
{
	uint32_t locations[DEPTH];

	for (uint32_t s = 0; s < STACKS_PER_PROCESS; s++) {
		for (uint32_t i = 0; i < DEPTH; i++)
			locations[i] = g->locations[i < DEPTH / 3 ? below(g, 600) : i * 20 + s % 3];
		must(profile_stack(g->batch, locations, DEPTH, &g->stacks[s], NULL));
	}
}

static void add_sample(struct generator *g, struct profile *profile, uint32_t process,
		       uint64_t time_ns)
{
	uint32_t thread = below(g, THREADS);
	struct profile_sample *sample;

	must(profile_sample_add(g->batch, profile, &sample, NULL));
	sample->stack = g->stacks[below(g, STACKS_PER_PROCESS)];
	must(profile_sample_time(g->batch, sample, time_ns, NULL));
	must(profile_sample_attr(g->batch, sample,
				 attribute(g, "thread.id", VALUE_INT, STR(""),
					   process * 100 + thread),
				 NULL));
	must(profile_sample_attr(g->batch, sample,
				 attribute(g, "thread.name", VALUE_STRING,
					   thread ? STR("worker") : STR("main"), 0),
				 NULL));
	must(profile_sample_attr(g->batch, sample,
				 attribute(g, "cpu.logical_number", VALUE_INT, STR(""),
					   below(g, 16)),
				 NULL));
}

static void add_process(struct generator *g, uint32_t process)
{
	const struct value pid = {.kind = VALUE_INT, .number = 1000 + process};
	char name[32];
	struct value executable = {.kind = VALUE_STRING};
	struct profile_resource *resource;
	struct profile_scope *scope;
	struct profile *profile;

	executable.text.len = (size_t)snprintf(name, sizeof(name), "daemon_%u", process);
	executable.text.ptr = name;
	must(profile_resource_add(g->batch, &resource, NULL));
	must(profile_resource_attr(g->batch, resource, STR("process.pid"), &pid, NULL));
	must(profile_resource_attr(g->batch, resource, STR("process.executable.name"), &executable,
				   NULL));
	must(profile_scope_add(g->batch, resource, &scope, NULL));
	must(profile_add(g->batch, scope, &profile, NULL));
	must(profile_string(g->batch, STR("samples"), &profile->sample_type.type, NULL));
	must(profile_string(g->batch, STR("count"), &profile->sample_type.unit, NULL));
	must(profile_string(g->batch, STR("cpu"), &profile->period_type.type, NULL));
	must(profile_string(g->batch, STR("nanoseconds"), &profile->period_type.unit, NULL));
	profile->period = NS_PER_S / 97;
	profile->time_ns = clock_real_ns();
	make_stacks(g);
	for (uint32_t i = 0; i < SAMPLES / PROCESSES; i++)
		add_sample(g, profile, process, profile->time_ns + i * NS_PER_MS);
}

static struct profile_batch *make_batch(struct arena *arena)
{
	struct generator g = {.state = 1};

	must(profile_batch_create(arena, &g.batch, NULL));
	make_locations(&g);
	for (uint32_t process = 0; process < PROCESSES; process++)
		add_process(&g, process);
	return g.batch;
}

static void print_rate(const char *name, double amount, uint64_t start_ns, uint64_t rounds,
		       const char *unit)
{
	double seconds = (double)(clock_mono_ns() - start_ns) / 1e9;

	printf("bench %s %.4g %s\n", name, amount * (double)rounds / seconds, unit);
}

static void bench_build(void)
{
	uint64_t start_ns = clock_mono_ns(), rounds = 0;
	struct arena arena;

	arena_init(&arena, 0);
	for (; clock_mono_ns() - start_ns < RUN_NS; rounds++) {
		(void)make_batch(&arena);
		arena_reset(&arena);
	}
	print_rate("profile.build", SAMPLES, start_ns, rounds, "samples/s");
	arena_deinit(&arena);
}

static void bench_encode(const struct profile_batch *batch, struct buf *buf)
{
	uint64_t start_ns = clock_mono_ns(), rounds = 0;

	for (; clock_mono_ns() - start_ns < RUN_NS; rounds++) {
		buf_clear(buf);
		must(wire_otlp_encode(batch, buf, NULL));
	}
	print_rate("wire.encode", (double)buf->len / 1e6, start_ns, rounds, "MB/s");
}

static void bench_decode(struct str bytes)
{
	uint64_t start_ns = clock_mono_ns(), rounds = 0;
	struct wire_limits limits;
	struct wire_report report;
	struct profile_batch *batch;
	struct arena arena;

	wire_limits_default(&limits);
	arena_init(&arena, 0);
	for (; clock_mono_ns() - start_ns < RUN_NS; rounds++) {
		must(wire_otlp_decode(bytes, &arena, &limits, &batch, &report, NULL));
		arena_reset(&arena);
	}
	print_rate("wire.decode", (double)bytes.len / 1e6, start_ns, rounds, "MB/s");
	arena_deinit(&arena);
}

/* Everything between the bytes and the store. */
static void bench_convert(struct str bytes)
{
	uint64_t start_ns = clock_mono_ns(), rounds = 0;
	struct ingest_config config;
	struct ingest_result result = {0};
	struct store_batch rows = {0};
	struct relabel *relabel;
	struct wire_limits limits;
	struct wire_report report;
	struct profile_batch *batch;
	struct arena arena;

	ingest_config_default(&config);
	wire_limits_default(&limits);
	must(relabel_create(NULL, 0, &relabel, NULL));
	arena_init(&arena, 0);
	for (; clock_mono_ns() - start_ns < RUN_NS; rounds++) {
		must(wire_otlp_decode(bytes, &arena, &limits, &batch, &report, NULL));
		const struct ingest_rules rules = {&config, relabel, INGEST_ATTRIBUTES};
		must(ingest_convert(&rules, batch, clock_real_ns(), &arena, &rows, &result, NULL));
		arena_reset(&arena);
	}
	print_rate("ingest.decode_convert", SAMPLES, start_ns, rounds, "samples/s");
	arena_deinit(&arena);
	relabel_destroy(relabel);
}

int main(void)
{
	struct arena arena;
	struct buf buf;

	arena_init(&arena, 0);
	buf_init(&buf, 0);
	struct profile_batch *batch = make_batch(&arena);
	bench_build();
	bench_encode(batch, &buf);
	printf("bench wire.bytes_per_sample %.4g B\n", (double)buf.len / SAMPLES);
	bench_decode(buf_text(&buf));
	bench_convert(buf_text(&buf));
	buf_deinit(&buf);
	arena_deinit(&arena);
	return 0;
}
