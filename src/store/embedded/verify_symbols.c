/* Late symbols. The runs are walked once: each must decode and begin where the
 * one before it in its build id ends, or behind. After the last run of a build
 * id its record must be there and say as much as there is. Then the records are
 * walked, each of which must have runs. A build id is written in one batch, so
 * no interruption leaves one without the other. Texts lie in the runs: they
 * refer to nothing. */
#include <stdio.h>

#include "base/cursor.h"
#include "store/embedded/symbols.h"
#include "store/embedded/verify.h"

/* What mends any of this: an upload deletes every run of the build id and puts all anew. */
#define MEND "upload its symbols again"

enum { HASH_AT = 5, HASH_BYTES = 16, NAME_MAX_BYTES = 96 };

/* The build id whose runs are being walked. */
struct walk {
	struct verify_tenant *tenant;
	struct symbols_place place;
	uint64_t runs, ranges, bytes, end;
	bool unsure; /* a run could not be read */
};

struct build_id {
	char text[NAME_MAX_BYTES];
};

/* ---- which build id: keys hold a hash ---- */

static bool same_hash(struct hash128 a, struct hash128 b)
{
	return a.high == b.high && a.low == b.low;
}

static bool stands_right(const struct verify *verify, const struct store_symbols *record,
			 const struct symbols_place *place)
{
	return same_hash(dict_hash(verify->seed, record->build_id), place->hash);
}

/* The record of the place, when it can be read; texts are in value, which the caller frees in any case. */
static int read_record(struct verify *verify, const struct symbols_place *place,
		       struct rocks_value *value, struct store_symbols *ret, bool *ret_there,
		       bool *ret_sound, struct err *err)
{
	struct key key = symbols_record_key(place);
	int rc = rocks_get(verify->rocks, &verify->view, FAMILY_DICT, key_str(&key), value, err);
	*ret_there = !rc && value->bytes.ptr;
	*ret_sound = *ret_there && !symbols_record_get(value->bytes, ret, NULL) &&
		     stands_right(verify, ret, place);
	return rc;
}

/* The text is a string of the dictionary when a frame has that build id. */
static int find_text(struct verify_tenant *tenant, const struct symbols_place *place,
		     struct str *ret, struct err *err)
{
	struct verify *verify = tenant->verify;
	struct key key = key_hash(place->tenant, KEY_STRING, place->hash);
	struct verify_key content;
	bool known = false;
	uint32_t id = 0;
	int rc = dict_read_id(verify->rocks, &verify->view, &key, &id, err);
	if (!rc && id)
		rc = verify_key_of(tenant, VERIFY_STRINGS, id, &content, &known, err);
	if (!rc && known &&
	    str_equal(verify_key_str(&content), str_sub(key_str(&key), HASH_AT, HASH_BYTES)))
		rc = pages_string(&tenant->pages, id, ret, err);
	return rc;
}

static int name_of(struct verify_tenant *tenant, const struct symbols_place *place,
		   struct build_id *ret, struct err *err)
{
	struct rocks_value value = {0};
	struct store_symbols record;
	struct str text = {0};
	bool there, sound;
	int rc = read_record(tenant->verify, place, &value, &record, &there, &sound, err);
	if (sound)
		text = record.build_id;
	else if (!rc)
		rc = find_text(tenant, place, &text, err);
	if (text.len)
		str_copy(ret->text, sizeof(ret->text), text);
	else
		snprintf(ret->text, sizeof(ret->text), "with hash %016llx%016llx (no frame has it)",
			 (unsigned long long)place->hash.high, (unsigned long long)place->hash.low);
	rocks_value_free(&value);
	return verify_blames(rc) ? 0 : rc;
}

/* ---- the runs of a build id against its record ---- */

/* Of n functions no more than 2n ranges come; of some that lie at one place, fewer. */
static void compare(const struct walk *walk, const struct store_symbols *record)
{
	struct str build_id = str_sub(record->build_id, 0, NAME_MAX_BYTES);
	if (walk->bytes != record->size_bytes)
		verify_tenant_found(walk->tenant,
				    "late symbols of build id %.*s: the record says %llu bytes, "
				    "the "
				    "runs have %llu; " MEND,
				    STR_ARG(build_id), (unsigned long long)record->size_bytes,
				    (unsigned long long)walk->bytes);
	if (record->functions > STORE_SYMBOLS_MAX || walk->ranges > 2 * record->functions)
		verify_tenant_found(
			walk->tenant,
			"late symbols of build id %.*s: the record says %llu functions, "
			"which the %llu address ranges of the runs cannot come from; " MEND,
			STR_ARG(build_id), (unsigned long long)record->functions,
			(unsigned long long)walk->ranges);
}

static int miss_record(const struct walk *walk, struct err *err)
{
	struct build_id name;
	int rc = name_of(walk->tenant, &walk->place, &name, err);
	if (!rc)
		verify_tenant_found(walk->tenant,
				    "late symbols of build id %s: %llu runs have no record, so "
				    "they "
				    "name nothing; " MEND,
				    name.text, (unsigned long long)walk->runs);
	return rc;
}

/* What is wrong with the record itself is said where the records are walked. */
static int end_build_id(const struct walk *walk, struct err *err)
{
	struct store_symbols record;
	struct rocks_value value = {0};
	bool there, sound;
	if (walk->runs == 0)
		return 0;
	int rc = read_record(walk->tenant->verify, &walk->place, &value, &record, &there, &sound,
			     err);
	if (!rc && !there)
		rc = miss_record(walk, err);
	else if (sound && !walk->unsure)
		compare(walk, &record);
	rocks_value_free(&value);
	return verify_blames(rc) ? 0 : rc;
}

/* ---- runs ---- */

static struct symbols_place place_of(const struct verify_tenant *tenant, struct str key)
{
	struct cur in = cur_make(key.ptr, key.len);
	struct symbols_place place = {.tenant = tenant->id};
	cur_skip(&in, HASH_AT);
	place.hash.high = cur_u64be(&in);
	place.hash.low = cur_u64be(&in);
	return place;
}

static int malformed_run(struct walk *walk, uint64_t start, const struct err *why, struct err *err)
{
	struct build_id name;
	int rc = name_of(walk->tenant, &walk->place, &name, err);
	walk->unsure = true;
	if (!rc)
		verify_tenant_found(walk->tenant,
				    "late symbols of build id %s from address %llx on: %s; " MEND,
				    name.text, (unsigned long long)start, why->text);
	return rc;
}

static int overlap(const struct walk *walk, uint64_t start, struct err *err)
{
	struct build_id name;
	int rc = name_of(walk->tenant, &walk->place, &name, err);
	if (!rc)
		verify_tenant_found(walk->tenant,
				    "late symbols of build id %s: the run from address %llx on "
				    "overlaps the one before, which ends at %llx; " MEND,
				    name.text, (unsigned long long)start,
				    (unsigned long long)walk->end);
	return rc;
}

/* Ranges that decode are in order and do not overlap, and the key is the start of the first. */
static int check_run(struct walk *walk, uint64_t start, struct str value, struct err *err)
{
	struct symbol_range ranges[SYMBOLS_PER_RUN];
	size_t count = 0;
	struct err why;
	walk->runs++;
	walk->bytes += value.len;
	if (symbols_run_get(value, start, ranges, &count, &why))
		return malformed_run(walk, start, &why, err);
	int rc = start < walk->end ? overlap(walk, start, err) : 0;
	uint64_t end = ranges[count - 1].end;
	walk->ranges += count;
	walk->end = end > walk->end ? end : walk->end;
	return rc;
}

static int see_run(void *context, struct str key, struct str value, struct err *err)
{
	struct walk *walk = context;
	uint64_t start = 0;
	int rc = 0;
	if (!key_parse_symbol(key, &start)) {
		verify_tenant_found(walk->tenant,
				    "late symbols: the key has %zu bytes instead of 29", key.len);
		return 0;
	}
	struct symbols_place place = place_of(walk->tenant, key);
	if (walk->runs == 0 || !same_hash(place.hash, walk->place.hash)) {
		rc = end_build_id(walk, err);
		*walk = (struct walk){.tenant = walk->tenant, .place = place};
	}
	return rc ? rc : check_run(walk, start, value, err);
}

/* ---- records ---- */

static int has_runs(struct verify *verify, const struct symbols_place *place, bool *ret,
		    struct err *err)
{
	struct key from = key_hash(place->tenant, KEY_SYMBOL, place->hash), to = key_after(&from);
	struct rocks_iter iter;
	rocks_iter_open(&verify->view, FAMILY_DICT, &from, &to, true, &iter);
	*ret = rocks_iter_valid(&iter);
	int rc = rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	*ret = *ret || rc; /* who walked over the runs said what cannot be read */
	return verify_blames(rc) ? 0 : rc;
}

/* An upload does not replace what a newer cresset wrote. */
static int bad_record(struct verify_tenant *tenant, const struct symbols_place *place,
		      const struct err *why, bool newer, struct err *err)
{
	struct build_id name;
	int rc = name_of(tenant, place, &name, err);
	if (!rc)
		verify_tenant_found(tenant, "late symbols of build id %s: %s; %s", name.text,
				    why->text, newer ? "a newer cresset wrote it" : MEND);
	return rc;
}

static int misplaced_record(struct verify_tenant *tenant, const struct symbols_place *place,
			    struct str build_id, struct err *err)
{
	struct build_id name;
	int rc = name_of(tenant, place, &name, err);
	if (!rc)
		verify_tenant_found(tenant,
				    "late symbols of build id %s: the record there is that of "
				    "%.*s; " MEND,
				    name.text, STR_ARG(str_sub(build_id, 0, NAME_MAX_BYTES)));
	return rc;
}

static int see_record(void *context, struct str key, struct str value, struct err *err)
{
	struct verify_tenant *tenant = context;
	struct symbols_place place = place_of(tenant, key);
	struct store_symbols record;
	struct err why;
	bool there = true;
	if (key.len != HASH_AT + HASH_BYTES) {
		verify_tenant_found(tenant,
				    "record of late symbols: the key has %zu bytes instead of 21",
				    key.len);
		return 0;
	}
	int rc = symbols_record_get(value, &record, &why);
	if (rc)
		return bad_record(tenant, &place, &why, rc == ERR_UNSUPPORTED, err);
	if (!stands_right(tenant->verify, &record, &place))
		return misplaced_record(tenant, &place, record.build_id, err);
	rc = has_runs(tenant->verify, &place, &there, err);
	if (!rc && !there)
		verify_tenant_found(tenant,
				    "late symbols of build id %.*s: the record says %llu "
				    "functions, "
				    "but none is there; " MEND,
				    STR_ARG(str_sub(record.build_id, 0, NAME_MAX_BYTES)),
				    (unsigned long long)record.functions);
	return rc;
}

int verify_symbols(struct verify_tenant *tenant, struct err *err)
{
	struct walk walk = {.tenant = tenant};
	bool cut = false;
	int rc = verify_each_kind(tenant, FAMILY_DICT, KEY_SYMBOL, see_run, &walk, &cut, err);
	if (!rc && !cut)
		rc = end_build_id(&walk, err);
	return rc ? rc
		  : verify_each_kind(tenant, FAMILY_DICT, KEY_SYMBOLS, see_record, tenant, &cut,
				     err);
}
