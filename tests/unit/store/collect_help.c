#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/mem.h"
#include "collect_help.h"
#include "store/embedded/answer.h"
#include "store/embedded/embedded.h"
#include "store/embedded/gauges.h"
#include "store/embedded/maintenance.h"
#include "store/embedded/times.h"

struct store *open_manual(const char *path)
{
	struct store_options options = {.path = path,
					.memory_bytes = 8 * MIB,
					.manual_maintenance = true,
					.retention = {.age_ns = DAY_NS}};
	struct store *store;
	struct err err;
	must(store_open(&options, &store, &err), &err);
	return store;
}

int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	temp_directory(f->path);
	f->store = open_manual(f->path);
	*state = f;
	return 0;
}

int tear_down(void **state)
{
	struct fixture *f = *state;
	store_close(f->store);
	verify_clean(f->path);
	remove_directory(f->path);
	free(f);
	return 0;
}

/* ---- a service: its own functions below one that all have ---- */

/* main -> run_N -> leaf_N_0 ... */
void make_service(struct service *s, unsigned number, uint64_t time_ns)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "svc%u", number);
	snprintf(s->thread, sizeof(s->thread), "thread%u", number);
	s->label = (struct store_label){STR("service_name"), str_of(s->name)};
	s->strings[0] = STR("");
	s->strings[1] = str_of(s->thread);
	s->frames[0] = (struct store_frame){.name = STR("main"), .kind = STR("native")};
	s->nodes[1] = (struct store_node){0, 0};
	for (unsigned i = 0; i <= LEAVES; i++) {
		snprintf(s->texts[i], sizeof(s->texts[i]), i ? "leaf_%u_%u" : "run_%u", number, i);
		s->frames[i + 1] = (struct store_frame){.name = str_of(s->texts[i]),
							.kind = STR("native"),
							.filename = str_of(s->texts[0])};
		s->nodes[i + 2] = (struct store_node){i ? 2 : 1, i + 1};
	}
	for (unsigned i = 0; i < LEAVES; i++)
		s->samples[i] = (struct store_sample){.time_ns = time_ns + i,
						      .value = 1,
						      .node = 3 + i,
						      .thread_name = 1,
						      .cpu = -1};
	s->series = (struct store_series){&s->label, 1, s->samples, LEAVES};
	s->batch = (struct store_batch){.tenant = STR("t"),
					.strings = s->strings,
					.string_count = 2,
					.frames = s->frames,
					.frame_count = LEAVES + 2,
					.nodes = s->nodes,
					.node_count = LEAVES + 3,
					.series = &s->series,
					.series_count = 1};
}

void write_service(struct store *store, unsigned number, uint64_t time_ns)
{
	struct service service;
	struct err err;
	make_service(&service, number, time_ns);
	must(store_write(store, &service.batch, &err), &err);
}

void maintain(struct store *store, unsigned day)
{
	struct err err;
	must(store_maintain(store, FIRST_NS + day * DAY_NS, &err), &err);
}

struct store_stats stats_of(struct store *store)
{
	struct store_stats stats;
	struct err err;
	must(store_stats(store, &stats, &err), &err);
	return stats;
}

/* The service's total; every name in its tree must be one of its own. */
int64_t total_of_service(struct store *store, unsigned number)
{
	char name[16], suffix[24];
	snprintf(name, sizeof(name), "svc%u", number);
	snprintf(suffix, sizeof(suffix), "_%u", number);
	struct store_matcher matcher = {MATCH_EQUAL, STR("service_name"), str_of(name)};
	struct store_selection all = {.tenant = STR("t"),
				      .matchers = &matcher,
				      .matcher_count = 1,
				      .end_ns = UINT64_MAX};
	struct store_tree tree;
	struct arena arena = {0};
	struct err err;
	int64_t total = 0;
	must(store_merge(store, &all, &arena, &tree, &err), &err);
	for (uint32_t i = 0; i < tree.node_count; i++)
		total += tree.self[i];
	for (uint32_t i = 1; i < tree.node_count; i++) {
		const struct store_frame *frame = &tree.frames[tree.frame[i]];
		unsigned of = number, leaf = 0;
		char text[64];
		snprintf(text, sizeof(text), "%.*s", STR_ARG(frame->name));
		bool good = strcmp(text, "main") == 0 || sscanf(text, "leaf_%u_%u", &of, &leaf) ||
			    sscanf(text, "run_%u", &of);
		if (!good || of != number || !str_equal(frame->kind, STR("native")))
			fail_msg("service %u has a frame \"%s\"", number, text);
		if (leaf)
			assert_int_equal(tree.self[i] * LEAVES, total);
	}
	arena_deinit(&arena);
	return total;
}

size_t count_values(struct store *store, struct str label)
{
	struct store_selection all = {.tenant = STR("t"), .end_ns = UINT64_MAX};
	struct arena arena = {0};
	struct str *values;
	size_t count;
	struct err err;
	must(store_label_values(store, &all, label, &arena, &values, &count, &err), &err);
	arena_deinit(&arena);
	return count;
}

/* ---- the dictionary, read naively ---- */

struct dictionary {
	bool strings[IDS_MAX], frames[IDS_MAX], nodes[IDS_MAX], series[IDS_MAX];
	struct frame_row frame_rows[IDS_MAX];
	struct node_row node_rows[IDS_MAX];
	size_t counts[USED_KINDS], listed[USED_KINDS];
};

static void read_run(struct dictionary *d, enum key_kind kind, uint32_t first, struct str bytes)
{
	static struct str texts[STRINGS_PER_PAGE];
	struct err err;
	size_t count;
	assert_true(first + 1024 < IDS_MAX);
	if (kind == KEY_STRING) {
		must(run_get_strings(bytes, texts, STRINGS_PER_PAGE, &count, &err), &err);
		for (size_t i = 0; i < count; i++) {
			assert_false(d->strings[first + i]);
			d->strings[first + i] = texts[i].len > 0;
			d->counts[USED_STRING] += texts[i].len > 0;
		}
	} else if (kind == KEY_FRAME) {
		static const struct frame_row none;
		must(run_get_frames(bytes, d->frame_rows + first, FRAMES_PER_PAGE, &count, &err),
		     &err);
		for (size_t i = first; i < first + count; i++) {
			assert_false(d->frames[i]);
			d->frames[i] = memcmp(&d->frame_rows[i], &none, sizeof(none)) != 0;
			d->counts[USED_FRAME] += d->frames[i];
		}
	} else if (kind == KEY_NODE) {
		must(run_get_nodes(bytes, first, d->node_rows + first, NODES_PER_PAGE, &count,
				   &err),
		     &err);
		for (size_t i = first; i < first + count; i++) {
			assert_false(d->nodes[i]);
			d->nodes[i] = d->node_rows[i].frame != 0;
			d->counts[USED_NODE] += d->nodes[i];
		}
	}
}

static enum used_kind used_of(enum key_kind kind)
{
	return kind == KEY_STRING  ? USED_STRING
	       : kind == KEY_FRAME ? USED_FRAME
	       : kind == KEY_NODE  ? USED_NODE
				   : USED_SERIES;
}

static void read_family(struct dictionary *d, const struct rocks_view *view,
			enum rocks_family family)
{
	struct key from = {0}, to = key_after(&from);
	struct rocks_iter iter;
	rocks_iter_open(view, family, &from, &to, false, &iter);
	for (; rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		struct str key = rocks_iter_key(&iter);
		enum key_kind kind = (enum key_kind)key.ptr[4];
		uint32_t id = key_part(key, 0);
		if (family == FAMILY_DICT)
			read_run(d, kind, id, rocks_iter_value(&iter));
		else if (family == FAMILY_IDS)
			d->listed[used_of(kind)]++;
		else if (kind == KEY_SERIES) {
			d->series[id] = true;
			d->counts[USED_SERIES]++;
		}
	}
	rocks_iter_close(&iter);
}

static void check_references(struct dictionary *d, const struct rocks_view *view)
{
	struct key from = {0}, to = key_after(&from);
	struct rocks_iter iter;
	for (uint32_t i = 0; i < IDS_MAX; i++) {
		if (d->nodes[i]) {
			assert_true(d->frames[d->node_rows[i].frame]);
			assert_true(!d->node_rows[i].parent || d->nodes[d->node_rows[i].parent]);
		}
		for (unsigned s = 0; d->frames[i] && s < FRAME_STRINGS; s++)
			assert_true(!d->frame_rows[i].strings[s] ||
				    d->strings[d->frame_rows[i].strings[s]]);
	}
	rocks_iter_open(view, FAMILY_SERIES, &from, &to, false, &iter);
	for (; rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		struct str key = rocks_iter_key(&iter);
		if (key.ptr[4] == KEY_POSTING) {
			assert_true(d->strings[key_part(key, 0)]);
			assert_true(d->strings[key_part(key, 1)]);
			assert_true(d->series[key_part(key, 2)]);
		}
		if (key.ptr[4] == KEY_DAY)
			assert_true(d->series[key_part(key, 1)]);
	}
	rocks_iter_close(&iter);
}

/* Everything that is referred to is there, under the id that its content leads to, and counted. */
void check_dictionary(struct store *store)
{
	struct dictionary *d = calloc(1, sizeof(*d));
	struct store_stats stats = stats_of(store);
	struct rocks_view view;
	rocks_view_open(store->rocks, &view);
	read_family(d, &view, FAMILY_DICT);
	read_family(d, &view, FAMILY_SERIES);
	read_family(d, &view, FAMILY_IDS);
	check_references(d, &view);
	rocks_view_close(&view);
	for (unsigned i = 0; i < USED_KINDS; i++)
		assert_int_equal(d->counts[i], d->listed[i]);
	assert_int_equal(stats.strings, d->counts[USED_STRING]);
	assert_int_equal(stats.frames, d->counts[USED_FRAME]);
	assert_int_equal(stats.nodes, d->counts[USED_NODE]);
	assert_int_equal(stats.series, d->counts[USED_SERIES]);
	free(d);
}
