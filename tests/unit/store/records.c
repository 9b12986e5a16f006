#include "records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "help.h"
#include "store/embedded/varint.h"

struct rocks *records_open(const char *store_path)
{
	const struct rocks_limits limits = {.block_cache_bytes = 1 << 20,
					    .write_buffer_bytes = 4 << 20,
					    .open_files_max = 64};
	struct rocks *rocks = NULL;
	char path[256];
	struct err err;
	snprintf(path, sizeof(path), "%s/db", store_path);
	must(rocks_open(path, &limits, false, &rocks, &err), &err);
	return rocks;
}

static struct str copy_of(struct str bytes)
{
	char *copy = malloc(bytes.len + 1);
	assert_non_null(copy);
	if (bytes.len)
		memcpy(copy, bytes.ptr, bytes.len);
	return (struct str){copy, bytes.len};
}

struct str record_get(struct rocks *rocks, enum rocks_family family, const struct key *key)
{
	struct rocks_value value;
	struct str copy = {0};
	struct err err;
	must(rocks_get(rocks, NULL, family, key_str(key), &value, &err), &err);
	if (value.bytes.ptr)
		copy = copy_of(value.bytes);
	rocks_value_free(&value);
	return copy;
}

static void write_batch(struct rocks *rocks, rocksdb_writebatch_t *batch)
{
	struct err err;
	must(rocks_write_synced(rocks, batch, &err), &err);
	rocksdb_writebatch_destroy(batch);
}

void record_put(struct rocks *rocks, enum rocks_family family, const struct key *key,
		struct str value)
{
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	rocks_put(rocks, batch, family, key_str(key), value);
	write_batch(rocks, batch);
}

void record_delete(struct rocks *rocks, enum rocks_family family, const struct key *key)
{
	struct str value = record_get(rocks, family, key);
	assert_non_null(value.ptr);
	free((char *)value.ptr);
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	rocks_delete(rocks, batch, family, key_str(key));
	write_batch(rocks, batch);
}

struct key record_first(struct rocks *rocks, enum rocks_family family, const struct key *from,
			struct str *ret_value)
{
	struct rocks_view view;
	struct rocks_iter iter;
	struct key end = {.len = KEY_MAX}, key = {0};
	memset(end.bytes, 0xff, sizeof(end.bytes));
	rocks_view_open(rocks, &view);
	rocks_iter_open(&view, family, from, &end, false, &iter);
	assert_true(rocks_iter_valid(&iter));
	struct str bytes = rocks_iter_key(&iter);
	key.len = bytes.len;
	memcpy(key.bytes, bytes.ptr, bytes.len);
	*ret_value = copy_of(rocks_iter_value(&iter));
	rocks_iter_close(&iter);
	rocks_view_close(&view);
	return key;
}

void put_numbers(struct rocks *rocks, enum rocks_family family, const struct key *key,
		 bool versioned, const uint64_t *numbers, size_t count)
{
	struct buf out = {0};
	if (versioned)
		buf_char(&out, 1);
	for (size_t i = 0; i < count; i++)
		uleb_append(&out, numbers[i]);
	record_put(rocks, family, key, buf_text(&out));
	buf_deinit(&out);
}

void put_id(struct rocks *rocks, enum key_kind kind, uint64_t content, uint32_t id)
{
	struct key key = key_hash(TENANT, kind, (struct hash128){content, content});
	put_numbers(rocks, FAMILY_IDS, &key, false, (const uint64_t[]){id}, 1);
}

void put_u32(struct rocks *rocks, const struct key *key, uint32_t number)
{
	struct key value = {0};
	key_u32(&value, number);
	record_put(rocks, FAMILY_META, key, key_str(&value));
}

/* ---- findings ---- */

static void add_finding(void *user, const char *sentence)
{
	struct findings *findings = user;
	assert_null(strchr(sentence, '\n'));
	int len = snprintf(findings->text + findings->len, sizeof(findings->text) - findings->len,
			   "%s\n", sentence);
	assert_true(findings->len + (size_t)len < sizeof(findings->text));
	findings->len += (size_t)len;
}

void findings_of(const char *store_path, struct findings *ret)
{
	struct store_verify options = {.path = store_path,
				       .memory_bytes = 1,
				       .found = add_finding,
				       .user = ret};
	struct err err;
	ret->len = 0;
	ret->text[0] = 0;
	must(store_verify(&options, &ret->verified, &err), &err);
}

void expect_finding(const char *store_path, unsigned count, const char *text)
{
	struct findings *findings = calloc(1, sizeof(*findings));
	findings_of(store_path, findings);
	if (!strstr(findings->text, text) || (count && findings->verified.findings != count)) {
		print_message("%s", findings->text);
		fail_msg("%llu findings instead of %u with \"%s\"",
			 (unsigned long long)findings->verified.findings, count, text);
	}
	free(findings);
}

void expect_no_finding(const char *store_path)
{
	struct findings *findings = calloc(1, sizeof(*findings));
	findings_of(store_path, findings);
	if (findings->verified.findings) {
		print_message("%s", findings->text);
		fail_msg("%llu findings", (unsigned long long)findings->verified.findings);
	}
	free(findings);
}

/* ---- damage ---- */

void make_store(const char *path)
{
	struct store *store = open_store(path);
	for (unsigned i = 0; i < HOURS; i++) {
		struct tiny_batch tiny;
		struct err err;
		tiny_batch(&tiny, i, NOW_NS + i * HOUR_NS);
		must(store_write(store, &tiny.batch, &err), &err);
	}
	store_close(store);
}

static void play_damage(const char *path, const struct damage *damage)
{
	struct rocks *rocks = records_open(path);
	damage->make(rocks);
	rocks_close(rocks);
	expect_finding(path, damage->count, damage->sentence);
}

void play_damages(const struct damage *list, size_t count)
{
	char path[64], one[96], command[320];
	temp_directory(path);
	snprintf(one, sizeof(one), "%s/one", path);
	snprintf(command, sizeof(command), "rm -rf '%s/one' && cp -a '%s/whole' '%s/one'", path,
		 path, path);
	char whole[96];
	snprintf(whole, sizeof(whole), "%s/whole", path);
	make_store(whole);
	expect_no_finding(whole);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(system(command), 0);
		play_damage(one, &list[i]);
	}
	remove_directory(path);
}
