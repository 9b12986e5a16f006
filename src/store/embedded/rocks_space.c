#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "store/embedded/rocks.h"

/* ---- giving space back ---- */

void rocks_suggest_rewrite(struct rocks *rocks, enum rocks_family family, const struct key *from,
			   const struct key *to)
{
	char *said = NULL;
	if (!rocks->no_compaction)
		rocksdb_suggest_compact_range_cf(rocks->db, rocks->family[family], from->bytes,
						 from->len, to->bytes, to->len, &said);
	rocksdb_free(said);
}

static bool level_is_empty(const struct rocks *rocks, enum rocks_family family, unsigned level)
{
	char property[64];
	snprintf(property, sizeof(property), "rocksdb.num-files-at-level%u", level);
	char *files = rocksdb_property_value_cf(rocks->db, rocks->family[family], property);
	bool empty = files && strcmp(files, "0") == 0;
	rocksdb_free(files);
	return empty;
}

bool rocks_is_flat(const struct rocks *rocks, enum rocks_family family)
{
	enum { LEVELS = 7 }; /* rocksdb/advanced_options.h, num_levels */
	bool flat = true;
	for (unsigned level = 1; level < LEVELS && flat; level++)
		flat = level_is_empty(rocks, family, level);
	return flat;
}

int rocks_checkpoint(struct rocks *rocks, const char *path, struct err *err)
{
	char *said = NULL;
	rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(rocks->db, &said);
	if (checkpoint && !said)
		rocksdb_checkpoint_create(checkpoint, path, 0, &said);
	if (checkpoint)
		rocksdb_checkpoint_object_destroy(checkpoint);
	return rocks_error(said, "making a checkpoint of the database", err);
}

/* Without force the lowest level is left as it is, and so is what was deleted there while a view
 * was open. */
void rocks_compact(struct rocks *rocks, enum rocks_family family, const struct key *from,
		   const struct key *to)
{
	enum { FORCE_OPTIMIZED = 3 }; /* rocksdb/options.h, BottommostLevelCompaction */
	if (rocks->no_compaction)
		return;
	rocksdb_compactoptions_t *options = rocksdb_compactoptions_create();
	rocksdb_compactoptions_set_exclusive_manual_compaction(options, 0);
	rocksdb_compactoptions_set_bottommost_level_compaction(options, FORCE_OPTIMIZED);
	rocksdb_compact_range_cf_opt(rocks->db, rocks->family[family], options, from->bytes,
				     from->len, to->bytes, to->len);
	rocksdb_compactoptions_destroy(options);
}

void rocks_stop_compacting(struct rocks *rocks)
{
	rocksdb_disable_manual_compaction(rocks->db);
}

uint64_t rocks_sequence(const struct rocks *rocks)
{
	return rocksdb_get_latest_sequence_number(rocks->db);
}

static uint64_t number_of(const struct rocks *rocks, enum rocks_family family, const char *property)
{
	uint64_t value = 0;
	if (rocksdb_property_int_cf(rocks->db, rocks->family[family], property, &value))
		return 0;
	return value;
}

uint64_t rocks_oldest_view(const struct rocks *rocks)
{
	return number_of(rocks, FAMILY_META, "rocksdb.oldest-snapshot-sequence");
}

uint64_t rocks_family_bytes(const struct rocks *rocks, enum rocks_family family)
{
	return number_of(rocks, family, "rocksdb.live-sst-files-size");
}

uint64_t rocks_table_bytes(const struct rocks *rocks)
{
	uint64_t total = 0;
	for (unsigned i = 0; i < FAMILY_COUNT; i++)
		total += rocks_family_bytes(rocks, (enum rocks_family)i);
	return total;
}

bool rocks_busy(const struct rocks *rocks)
{
	uint64_t busy = number_of(rocks, FAMILY_META, "rocksdb.num-running-compactions") +
			number_of(rocks, FAMILY_META, "rocksdb.num-running-flushes");
	for (unsigned i = 0; i < FAMILY_COUNT; i++)
		busy += number_of(rocks, (enum rocks_family)i, "rocksdb.compaction-pending") +
			number_of(rocks, (enum rocks_family)i, "rocksdb.mem-table-flush-pending");
	return busy > 0;
}

int rocks_range_bytes(const struct rocks *rocks, enum rocks_family family, const struct key *from,
		      const struct key *to, uint64_t *ret, struct err *err)
{
	const char *starts[] = {from->bytes}, *ends[] = {to->bytes};
	char *said = NULL;
	*ret = 0;
	rocksdb_approximate_sizes_cf(rocks->db, rocks->family[family], 1, starts, &from->len, ends,
				     &to->len, ret, &said);
	return rocks_error(said, "measuring files", err);
}

/* ---- memory ---- */

size_t rocks_cache_bytes(const struct rocks *rocks)
{
	return rocksdb_cache_get_usage(rocks->cache);
}

size_t rocks_write_buffer_bytes(const struct rocks *rocks)
{
	uint64_t total = 0;
	for (unsigned i = 0; i < FAMILY_COUNT; i++)
		total += number_of(rocks, (enum rocks_family)i, "rocksdb.cur-size-all-mem-tables");
	return total;
}
