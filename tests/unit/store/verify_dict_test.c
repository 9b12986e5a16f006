/* Damage of the dictionary, the ids, the series and the records of tenants, made
 * by hand in a sound store, and the sentence that the verification has for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "records.h"
#include "store/embedded/run.h"

/* ---- dictionary ---- */

static void delete_run(struct rocks *rocks, enum key_kind kind)
{
	struct key key = key_kind_u32(TENANT, kind, 1);
	record_delete(rocks, FAMILY_DICT, &key);
}

static void no_strings(struct rocks *rocks)
{
	delete_run(rocks, KEY_STRING);
}

static void no_frames(struct rocks *rocks)
{
	delete_run(rocks, KEY_FRAME);
}

static void no_nodes(struct rocks *rocks)
{
	delete_run(rocks, KEY_NODE);
}

static void put_nodes(struct rocks *rocks, uint32_t first, const struct node_row *nodes,
		      size_t count)
{
	struct key key = key_kind_u32(TENANT, KEY_NODE, first);
	struct buf out = {0};
	run_put_nodes(&out, nodes, count, first);
	record_put(rocks, FAMILY_DICT, &key, buf_text(&out));
	buf_deinit(&out);
}

static void node_is_its_own_parent(struct rocks *rocks)
{
	put_nodes(rocks, 1, (const struct node_row[]){{0, 1}, {2, 2}}, 2);
}

static void node_of_no_frame(struct rocks *rocks)
{
	put_nodes(rocks, 1, (const struct node_row[]){{0, 1}, {1, 3}}, 2);
}

static void node_of_another_parent(struct rocks *rocks)
{
	put_nodes(rocks, 1, (const struct node_row[]){{0, 1}, {0, 2}}, 2);
}

static void node_twice(struct rocks *rocks)
{
	put_nodes(rocks, 2, (const struct node_row[]){{1, 2}}, 1);
}

static void node_past_the_counter(struct rocks *rocks)
{
	put_nodes(rocks, 3, (const struct node_row[]){{2, 2}}, 1);
}

static void collected_parent(struct rocks *rocks)
{
	put_nodes(rocks, 1, (const struct node_row[]){{0, 0}, {1, 2}}, 2);
}

/* Frames 1 and 2 are main and work: names 1 and 3, kind 2. */
static void put_frames(struct rocks *rocks, struct frame_row second)
{
	const struct frame_row frames[] = {{.strings = {1, 0, 0, 2}}, second};
	struct key key = key_kind_u32(TENANT, KEY_FRAME, 1);
	struct buf out = {0};
	run_put_frames(&out, frames, 2);
	record_put(rocks, FAMILY_DICT, &key, buf_text(&out));
	buf_deinit(&out);
}

static void frame_of_no_string(struct rocks *rocks)
{
	put_frames(rocks, (struct frame_row){.strings = {3, 0, 88, 2}});
}

static void frame_with_name_and_address(struct rocks *rocks)
{
	put_frames(rocks, (struct frame_row){.strings = {3, 0, 0, 2}, .address = 1});
}

static void frame_with_another_line(struct rocks *rocks)
{
	put_frames(rocks, (struct frame_row){.strings = {3, 0, 0, 2}, .line = 1});
}

static void run_key_too_short(struct rocks *rocks)
{
	struct key key = key_kind(TENANT, KEY_STRING);
	record_put(rocks, FAMILY_DICT, &key, STR("x"));
}

static void run_of_strings_cut(struct rocks *rocks)
{
	struct key key = key_kind_u32(TENANT, KEY_STRING, 1);
	struct str value = record_get(rocks, FAMILY_DICT, &key);
	record_put(rocks, FAMILY_DICT, &key, str_sub(value, 0, value.len - 1));
	free((char *)value.ptr);
}

static void unknown_dictionary(struct rocks *rocks)
{
	struct key key = key_kind_u32(TENANT, (enum key_kind)'z', 1);
	record_put(rocks, FAMILY_DICT, &key, STR("x"));
}

/* ---- ids ---- */

static void orphan_string_id(struct rocks *rocks)
{
	put_id(rocks, KEY_STRING, 7, 500);
}

static void orphan_series_id(struct rocks *rocks)
{
	put_id(rocks, KEY_SERIES, 7, 500);
}

static void second_string_id(struct rocks *rocks)
{
	put_id(rocks, KEY_STRING, 7, 1);
}

static void malformed_id(struct rocks *rocks)
{
	struct key key = key_hash(TENANT, KEY_FRAME, (struct hash128){7, 7});
	record_put(rocks, FAMILY_IDS, &key, STR("\1\1"));
}

static void no_id_of(struct rocks *rocks, enum key_kind kind)
{
	struct key from = key_kind(TENANT, kind);
	struct str value;
	struct key key = record_first(rocks, FAMILY_IDS, &from, &value);
	record_delete(rocks, FAMILY_IDS, &key);
	free((char *)value.ptr);
}

static void no_string_id(struct rocks *rocks)
{
	no_id_of(rocks, KEY_STRING);
}

static void no_frame_id(struct rocks *rocks)
{
	no_id_of(rocks, KEY_FRAME);
}

static void no_node_id(struct rocks *rocks)
{
	no_id_of(rocks, KEY_NODE);
}

static void no_series_id(struct rocks *rocks)
{
	no_id_of(rocks, KEY_SERIES);
}

static void unknown_id(struct rocks *rocks)
{
	put_id(rocks, (enum key_kind)'z', 7, 1);
}

/* ---- series ---- */

static void posting_without_series(struct rocks *rocks)
{
	struct key key = key_posting(TENANT, 4, 5, 99);
	record_put(rocks, FAMILY_SERIES, &key, STR(""));
}

static void posting_without_label(struct rocks *rocks)
{
	struct key key = key_posting(TENANT, 1, 2, 2);
	record_put(rocks, FAMILY_SERIES, &key, STR(""));
}

static void posting_with_a_value(struct rocks *rocks)
{
	struct key key = key_posting(TENANT, 1, 2, 2);
	record_put(rocks, FAMILY_SERIES, &key, STR("x"));
}

static void series_without_posting(struct rocks *rocks)
{
	struct key from = key_kind(TENANT, KEY_POSTING);
	struct str value;
	struct key key = record_first(rocks, FAMILY_SERIES, &from, &value);
	record_delete(rocks, FAMILY_SERIES, &key);
	free((char *)value.ptr);
}

static void series_gone(struct rocks *rocks)
{
	struct key key = key_kind_u32(TENANT, KEY_SERIES, 2);
	record_delete(rocks, FAMILY_SERIES, &key);
}

/* Of series 1: batch (string 4) = "0" (5), service_name (6) = "s" (7). */
static void put_labels(struct rocks *rocks, const uint64_t *numbers, size_t count)
{
	struct key key = key_kind_u32(TENANT, KEY_SERIES, 1);
	put_numbers(rocks, FAMILY_SERIES, &key, true, numbers, count);
}

static void label_of_no_string(struct rocks *rocks)
{
	put_labels(rocks, (const uint64_t[]){2, 4, 55, 6, 7}, 5);
}

static void labels_out_of_order(struct rocks *rocks)
{
	put_labels(rocks, (const uint64_t[]){2, 6, 7, 4, 5}, 5);
}

static void labels_cut(struct rocks *rocks)
{
	put_labels(rocks, (const uint64_t[]){2, 4, 5, 6}, 4);
}

static void series_past_the_counter(struct rocks *rocks)
{
	struct key key = key_kind_u32(TENANT, KEY_SERIES, 77);
	put_numbers(rocks, FAMILY_SERIES, &key, true, (const uint64_t[]){0}, 1);
}

static void unknown_in_series(struct rocks *rocks)
{
	struct key key = key_kind_u32(TENANT, (enum key_kind)'z', 1);
	record_put(rocks, FAMILY_SERIES, &key, STR("x"));
}

/* ---- meta ---- */

static void no_counters(struct rocks *rocks)
{
	struct key key = key_meta_tenant(META_COUNTERS, TENANT);
	record_delete(rocks, FAMILY_META, &key);
}

static void malformed_counters(struct rocks *rocks)
{
	struct key key = key_meta_tenant(META_COUNTERS, TENANT);
	record_put(rocks, FAMILY_META, &key, STR("\1"));
}

static void counters_of_nobody(struct rocks *rocks)
{
	struct key key = key_meta_tenant(META_COUNTERS, 9);
	put_numbers(rocks, FAMILY_META, &key, true, (const uint64_t[]){1, 1, 1, 1, 1}, 5);
}

static void second_tenant_of_a_number(struct rocks *rocks)
{
	struct key key = key_meta(META_TENANT);
	key_u8(&key, 'u');
	put_u32(rocks, &key, TENANT);
}

static void tenant_past_the_count(struct rocks *rocks)
{
	struct key key = key_meta(META_TENANTS);
	put_u32(rocks, &key, 0);
}

static void entries_of_nobody(struct rocks *rocks)
{
	struct key key = key_kind_u32(5, KEY_STRING, 1);
	record_put(rocks, FAMILY_DICT, &key, STR("x"));
}

static void unknown_record(struct rocks *rocks)
{
	struct key key = key_meta((enum key_kind)'z');
	record_put(rocks, FAMILY_META, &key, STR("x"));
}

static void malformed_request(struct rocks *rocks)
{
	struct key key = key_recent_minute(7);
	record_put(rocks, FAMILY_RECENT, &key, STR(""));
}

static const struct damage damages[] = {
	{no_strings, 0, "frame 1: its name is string 1, which is not in the dictionary"},
	{no_strings, 0,
	 "series 1: the name of a label is string 4, which is not in the dictionary"},
	{no_strings, 0, "the family ids has an entry for string 1, which is not there"},
	{no_frames, 0, "node 2: its frame 2 is not in the dictionary"},
	{no_nodes, 0, "has node 1, which is not in the dictionary"},
	{node_is_its_own_parent, 1, "the parent of node 2 is not older than it"},
	{node_of_no_frame, 0, "node 2: its frame 3 is not in the dictionary"},
	{node_of_another_parent, 1, "node 2 has 1 entries in the family ids for another content"},
	{node_twice, 0, "node 2 stands in two runs of the dictionary"},
	{node_past_the_counter, 0, "node 3 is in the dictionary, but the next one is to be 3"},
	{collected_parent, 0, "node 2: its parent 1 is not in the dictionary"},
	{frame_of_no_string, 1, "frame 2: its file is string 88, which is not in the dictionary"},
	{frame_with_name_and_address, 0, "frame 2 has both a name and an address"},
	{frame_with_another_line, 1, "frame 2 has 1 entries in the family ids for another content"},
	{run_key_too_short, 1, "a run of strings has a malformed key"},
	{run_of_strings_cut, 1, "run of strings from 1 on: dictionary run: malformed"},
	{unknown_dictionary, 1,
	 "the dictionary has an entry of a kind that this cresset does not know: 0x7a"},
	{orphan_string_id, 1, "the family ids has an entry for string 500, which is not there"},
	{orphan_series_id, 1, "the family ids has an entry for series 500, which is not there"},
	{second_string_id, 1, "string 1 has 1 entries in the family ids for another content"},
	{malformed_id, 1, "an entry of the family ids for a frame is malformed"},
	{no_string_id, 1, "has no entry in the family ids"},
	{no_frame_id, 1, "has no entry in the family ids"},
	{no_node_id, 1, "node 1 has no entry in the family ids"},
	{no_series_id, 1, "has no entry in the family ids"},
	{unknown_id, 1,
	 "the family ids has an entry of a kind that this cresset does not know: 0x7a"},
	{posting_without_series, 1,
	 "a posting (strings 4 = 5) leads to series 99, which is not there"},
	{posting_without_label, 1,
	 "a posting (strings 1 = 2) leads to series 2, which does not have that label"},
	{posting_with_a_value, 1, "a posting is malformed"},
	{series_without_posting, 1, "has no posting, so queries for it miss the series"},
	{series_gone, 0, "there are samples of series 2 on day 20410, which is not there"},
	{series_gone, 0, "leads to series 2, which is not there"},
	{series_gone, 0, "the family ids has an entry for series 2, which is not there"},
	{label_of_no_string, 0, "series 1: the value of a label is string 55, which is not in the"},
	{labels_out_of_order, 0, "series 1: label batch is out of order or twice"},
	{labels_cut, 1, "series 1: labels: malformed"},
	{series_past_the_counter, 0, "series 77 is there, but the next one is to be 5"},
	{unknown_in_series, 1,
	 "the family series has an entry of a kind that this cresset does not know"},
	{no_counters, 1, "tenant \"t\": its counters are missing"},
	{malformed_counters, 1, "tenant \"t\": counters of a tenant: cut short"},
	{counters_of_nobody, 1, "there are counters of a tenant that is not there"},
	{second_tenant_of_a_number, 1, "tenants \"t\" and \"u\" have the same number 1"},
	{tenant_past_the_count, 1, "its number 1 is above the number of tenants, 0"},
	{entries_of_nobody, 1, "family dict: there are entries of tenant 5, which is not there"},
	{unknown_record, 1, "there is a record of a kind that this cresset does not know: 0x7a"},
	{malformed_request, 1, "a remembered request is malformed"},
};

static void every_damage_has_its_sentence(void **state)
{
	(void)state;
	play_damages(damages, sizeof(damages) / sizeof(damages[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_damage_has_its_sentence)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
