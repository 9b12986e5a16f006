/* Samples with the same stack, thread, thread name and CPU are one sample with
 * several timestamps. Identity is compared in full: the key of a sample is
 * interned as bytes, so that no two are ever mixed up by a hash. */
#include "agent/batch.h"

#include <string.h>

#include "agent/stack_ends.h"
#include "base/mem.h"
#include "bpf/sampler.h"

enum {
	LIMIT_BYTES = 64 << 20,
	KEYS_MAX = 1 << 22,
	LOCATIONS_MAX = SAMPLER_KERNEL_FRAMES_MAX + SAMPLER_USER_FRAMES_MAX + 1,
};

static const uint32_t NO_SAMPLE = UINT32_MAX;

struct sample_key {
	uint32_t resource, stack, tid, cpu;
	char comm[16];
};

struct batch_maker {
	const struct batch_options *options;
	struct processes *processes;
	struct symbolizer symbolizer;
	struct arena arena;
	struct profile_batch *batch; /* NULL: no sample in this window yet */
	struct process **window;     /* by resource: whom it describes; NULL: not whole */
	size_t window_cap;
	struct strtab *keys; /* struct sample_key */
	uint32_t *sample_of; /* by id of the key: index of the sample in its profile */
	size_t sample_of_cap;
	uint32_t number; /* of this window, never 0 */
	uint64_t samples;
	uint64_t first_ns, last_ns; /* realtime */
};

int batch_maker_create(const struct batch_options *options, struct files *files,
		       struct processes *processes, struct kallsyms *kernel,
		       struct batch_maker **ret, struct err *err)
{
	struct batch_maker *maker = mem_zalloc(1, sizeof(*maker));
	if (!maker)
		return err_set(err, ERR_NOMEM, "batches: no memory");
	maker->options = options;
	maker->processes = processes;
	maker->symbolizer =
		(struct symbolizer){.files = files, .processes = processes, .kernel = kernel};
	arena_init(&maker->arena, options->limit_bytes ? options->limit_bytes : LIMIT_BYTES);
	maker->number = 1;
	*ret = maker;
	return 0;
}

void batch_maker_destroy(struct batch_maker *maker)
{
	if (!maker)
		return;
	symbolizer_deinit(&maker->symbolizer);
	arena_deinit(&maker->arena);
	mem_free(maker);
}

void batch_reset(struct batch_maker *maker)
{
	arena_reset(&maker->arena);
	maker->batch = NULL;
	maker->window = NULL;
	maker->keys = NULL;
	maker->sample_of = NULL;
	maker->window_cap = maker->sample_of_cap = 0;
	maker->samples = maker->first_ns = maker->last_ns = 0;
	maker->number++;
}

uint64_t batch_samples(const struct batch_maker *maker)
{
	return maker->samples;
}

void batch_get_symbol_counts(const struct batch_maker *maker, uint64_t *ret_named,
			     uint64_t *ret_unnamed)
{
	*ret_named = maker->symbolizer.named;
	*ret_unnamed = maker->symbolizer.unnamed;
}

uint32_t batch_wait_lines(struct batch_maker *maker, uint64_t until_ns)
{
	return symbolizer_wait(&maker->symbolizer, until_ns);
}

int batch_lines_fd(const struct batch_maker *maker)
{
	return symbolizer_fd(&maker->symbolizer);
}

void batch_get_lines_stats(const struct batch_maker *maker, struct lines_stats *ret)
{
	*ret = (struct lines_stats){0};
	if (maker->symbolizer.lines)
		lines_get_stats(maker->symbolizer.lines, ret);
}

static int begin(struct batch_maker *maker, struct err *err)
{
	struct profile_batch *batch;
	int rc = profile_batch_create(&maker->arena, &batch, err);
	if (rc == 0)
		rc = strtab_create(&maker->arena, KEYS_MAX, &maker->keys, err);
	if (rc == 0)
		rc = symbolizer_begin(&maker->symbolizer, batch, err);
	if (rc == 0)
		maker->batch = batch;
	else
		batch_reset(maker);
	return rc;
}

/* ---- resources ---- */

static int fill_profile(struct profile_batch *batch, struct profile *profile, uint64_t period_ns,
			struct err *err)
{
	struct value_type *sample = &profile->sample_type, *period = &profile->period_type;
	int rc = profile_string(batch, STR("samples"), &sample->type, err);
	if (rc == 0)
		rc = profile_string(batch, STR("count"), &sample->unit, err);
	if (rc == 0)
		rc = profile_string(batch, STR("cpu"), &period->type, err);
	if (rc == 0)
		rc = profile_string(batch, STR("nanoseconds"), &period->unit, err);
	profile->period = (int64_t)period_ns;
	return rc;
}

/* Resource, scope and profile of a process; their attributes come when the window is finished, since
 * some are read from /proc only after its first sample. */
static int add_resource(struct batch_maker *maker, struct process *process, struct err *err)
{
	struct profile_batch *batch = maker->batch;
	struct profile_resource *resource;
	struct profile_scope *scope;
	struct profile *profile;
	size_t index = batch->resource_count;
	struct process **window = arena_grow(&maker->arena, maker->window, &maker->window_cap,
					     index + 1, sizeof(*window));
	if (!window)
		return err_set(err, ERR_NOMEM, "batch: no memory for a process");
	maker->window = window;
	int rc = profile_resource_add(batch, &resource, err);
	if (rc)
		return rc;
	window[index] = NULL;
	rc = profile_scope_add(batch, resource, &scope, err);
	if (rc == 0)
		rc = profile_add(batch, scope, &profile, err);
	if (rc == 0)
		rc = fill_profile(batch, profile, maker->options->period_ns, err);
	if (rc)
		return rc;
	scope->name = STR("cresset");
	scope->version = STR(CRESSET_VERSION);
	window[index] = process;
	process->batch = maker->number;
	process->resource = (uint32_t)index;
	return 0;
}

/* Strings of a profile are UTF-8; what the kernel tells of processes may be any bytes. */
static struct str clean_text(char *text)
{
	if (!str_is_utf8(str_of(text))) {
		for (char *c = text; *c; c++)
			*c = (unsigned char)*c < 0x80 ? *c : '?';
	}
	return str_of(text);
}

static int text_attr(struct batch_maker *maker, struct profile_resource *resource, const char *key,
		     const char *text, struct err *err)
{
	char copy[PROCESS_TEXT_MAX + 1];
	if (!text || !*text)
		return 0;
	str_copy(copy, sizeof(copy), str_of(text));
	struct value value = {.kind = VALUE_STRING, .text = clean_text(copy)};
	return profile_resource_attr(maker->batch, resource, str_of(key), &value, err);
}

static int env_attrs(struct batch_maker *maker, struct profile_resource *resource,
		     const struct identity *identity, struct err *err)
{
	const struct processes_options *options = maker->options->processes;
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < options->env_count; i++) {
		struct str key = arena_printf(&maker->arena, "process.environment_variable.%.*s",
					      STR_ARG(options->env_names[i]));
		if (!key.ptr)
			return err_set(err, ERR_NOMEM, "batch: no memory for an attribute");
		rc = text_attr(maker, resource, key.ptr, identity->env[i], err);
	}
	return rc;
}

static int resource_attrs(struct batch_maker *maker, struct profile_resource *resource,
			  const struct process *process, struct err *err)
{
	const struct identity *identity = process->identity;
	struct value pid = {.kind = VALUE_INT, .number = process->pid};
	char name[256];
	process_name(process, name, sizeof(name));
	int rc = profile_resource_attr(maker->batch, resource, STR("process.pid"), &pid, err);
	if (rc == 0)
		rc = text_attr(maker, resource, "process.executable.name", name, err);
	if (rc == 0)
		rc = text_attr(maker, resource, "process.executable.path", identity->exe_path, err);
	if (rc == 0)
		rc = text_attr(maker, resource, "container.id", identity->container_id, err);
	if (rc == 0)
		rc = text_attr(maker, resource, "service.name", identity->service_name, err);
	return rc ? rc : env_attrs(maker, resource, identity, err);
}

/* ---- samples ---- */

static int add_kernel_frames(struct batch_maker *maker, const struct sample *sample,
			     uint32_t *locations, uint32_t *count, struct err *err)
{
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < sample->kernel_count; i++) {
		rc = symbolizer_kernel(&maker->symbolizer, sample->kernel[i], i == 0,
				       &locations[*count], err);
		(*count)++;
	}
	return rc;
}

/* A return address outside of every executable mapping is none: there the walk was led astray. */
static int add_user_frames(struct batch_maker *maker, struct process *process,
			   const struct user_stack *stack, uint32_t *locations, uint32_t *count,
			   enum unwind_end *ret_end, struct err *err)
{
	*ret_end = stack->end;
	for (uint32_t i = 0; i < stack->count; i++) {
		bool mapped, exact = stack->frames[i] & UNWIND_FRAME_EXACT;
		int rc = symbolizer_user(&maker->symbolizer, process,
					 stack->frames[i] & ~UNWIND_FRAME_EXACT, exact, &mapped,
					 &locations[*count], err);
		if (rc)
			return rc;
		if (!mapped) {
			*ret_end = UNWIND_END_NO_MAPPING;
			*count += i == 0;
			return 0;
		}
		(*count)++;
	}
	return 0;
}

/* What is missing at the root is said there. */
static int add_end(struct batch_maker *maker, const struct sample *sample, enum unwind_end end,
		   uint32_t *locations, uint32_t *count, struct err *err)
{
	const char *note = stack_end_note(end);
	if (sample->flags & SAMPLER_KERNEL_THREAD)
		note = NULL;
	if (!note && *count == 0)
		note = "[no stack]";
	return note ? symbolizer_note(&maker->symbolizer, note, &locations[(*count)++], err) : 0;
}

static int make_stack(struct batch_maker *maker, struct process *process,
		      const struct sample *sample, const struct user_stack *stack, uint32_t *ret,
		      struct err *err)
{
	uint32_t locations[LOCATIONS_MAX], count = 0;
	enum unwind_end end;
	int rc = add_kernel_frames(maker, sample, locations, &count, err);
	if (rc == 0)
		rc = add_user_frames(maker, process, stack, locations, &count, &end, err);
	if (rc == 0)
		rc = add_end(maker, sample, end, locations, &count, err);
	return rc ? rc : profile_stack(maker->batch, locations, count, ret, err);
}

static int sample_attr(struct batch_maker *maker, struct profile_sample *row, struct str key,
		       const struct value *value, struct err *err)
{
	uint32_t attr;
	int rc = profile_attribute(maker->batch, key, value, STR(""), &attr, err);
	return rc ? rc : profile_sample_attr(maker->batch, row, attr, err);
}

static int new_sample(struct batch_maker *maker, struct profile *profile, uint32_t stack,
		      const struct sample *sample, struct err *err)
{
	struct profile_sample *row;
	char comm[sizeof(sample->comm)];
	memcpy(comm, sample->comm, sizeof(comm));
	struct value tid = {.kind = VALUE_INT, .number = sample->tid};
	struct value name = {.kind = VALUE_STRING, .text = clean_text(comm)};
	struct value cpu = {.kind = VALUE_INT, .number = sample->cpu};
	int rc = profile_sample_add(maker->batch, profile, &row, err);
	if (rc)
		return rc;
	row->stack = stack;
	rc = sample_attr(maker, row, STR("thread.id"), &tid, err);
	if (rc == 0 && name.text.len > 0)
		rc = sample_attr(maker, row, STR("thread.name"), &name, err);
	return rc ? rc : sample_attr(maker, row, STR("cpu.logical_number"), &cpu, err);
}

/* The row of samples like this one, new or not. */
static int find_sample(struct batch_maker *maker, uint32_t resource, uint32_t stack,
		       const struct sample *sample, struct profile_sample **ret, struct err *err)
{
	struct profile *profile = &maker->batch->resources[resource].scopes[0].profiles[0];
	struct sample_key key = {resource, stack, sample->tid, sample->cpu, {0}};
	uint32_t known = strtab_count(maker->keys), id;
	memcpy(key.comm, sample->comm, sizeof(key.comm));
	uint32_t *sample_of = arena_grow(&maker->arena, maker->sample_of, &maker->sample_of_cap,
					 (size_t)known + 1, sizeof(*sample_of));
	if (!sample_of)
		return err_set(err, ERR_NOMEM, "batch: no memory for a sample");
	maker->sample_of = sample_of;
	int rc = strtab_intern(maker->keys, str_make(&key, sizeof(key)), &id, err);
	if (rc)
		return rc;
	if (id == known)
		sample_of[id] = NO_SAMPLE;
	if (sample_of[id] == NO_SAMPLE) {
		uint32_t index = (uint32_t)profile->sample_count;
		rc = new_sample(maker, profile, stack, sample, err);
		if (rc)
			return rc;
		sample_of[id] = index;
	}
	*ret = &profile->samples[sample_of[id]];
	return 0;
}

static void note_time(struct batch_maker *maker, uint64_t time_ns)
{
	if (maker->samples++ == 0 || time_ns < maker->first_ns)
		maker->first_ns = time_ns;
	if (time_ns > maker->last_ns)
		maker->last_ns = time_ns;
}

int batch_add(struct batch_maker *maker, struct process *process, const struct sample *sample,
	      const struct user_stack *user, int64_t clock_offset_ns, struct err *err)
{
	struct profile_sample *row = NULL;
	uint32_t stack = 0;
	uint64_t time_ns = sample->time_ns + (uint64_t)clock_offset_ns;
	processes_want_identity(maker->processes, process);
	int rc = maker->batch ? 0 : begin(maker, err);
	if (rc == 0 && process->batch != maker->number)
		rc = add_resource(maker, process, err);
	if (rc == 0)
		rc = make_stack(maker, process, sample, user, &stack, err);
	if (rc == 0)
		rc = find_sample(maker, process->resource, stack, sample, &row, err);
	if (rc == 0)
		rc = profile_sample_time(maker->batch, row, time_ns, err);
	if (rc == 0)
		note_time(maker, time_ns);
	return rc;
}

/* ---- the end of the window ---- */

static void set_times(struct batch_maker *maker, struct profile *profile, uint64_t start_ns,
		      uint64_t end_ns)
{
	/* Every timestamp is within [time, time + duration), whatever the clocks did. */
	profile->time_ns = maker->first_ns < start_ns ? maker->first_ns : start_ns;
	uint64_t limit_ns = end_ns > maker->last_ns ? end_ns : maker->last_ns + 1;
	profile->duration_ns = limit_ns - profile->time_ns;
}

/* A sample for which memory ran out half-way has no time; it is taken out. */
static void drop_unfinished(struct profile *profile)
{
	size_t kept = 0;
	for (size_t i = 0; i < profile->sample_count; i++) {
		if (profile->samples[i].time_count > 0)
			profile->samples[kept++] = profile->samples[i];
	}
	profile->sample_count = kept;
}

/* The same for a resource. */
static bool resource_is_whole(const struct batch_maker *maker, size_t i)
{
	return maker->window[i] &&
	       maker->batch->resources[i].scopes[0].profiles[0].sample_count > 0;
}

int batch_finish(struct batch_maker *maker, uint64_t start_ns, uint64_t end_ns,
		 struct profile_batch **ret, struct err *err)
{
	struct profile_batch *batch = maker->samples > 0 ? maker->batch : NULL;
	size_t kept = 0;
	if (batch)
		symbolizer_finish(&maker->symbolizer);
	for (size_t i = 0; batch && i < batch->resource_count; i++) {
		struct profile_resource *resource = &batch->resources[i];
		if (maker->window[i])
			drop_unfinished(&resource->scopes[0].profiles[0]);
		if (!resource_is_whole(maker, i))
			continue;
		int rc = resource_attrs(maker, resource, maker->window[i], err);
		if (rc)
			return rc;
		set_times(maker, &resource->scopes[0].profiles[0], start_ns, end_ns);
		batch->resources[kept++] = *resource;
	}
	if (batch)
		batch->resource_count = kept;
	*ret = batch;
	return 0;
}
