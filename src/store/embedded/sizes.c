/* Bytes by part: RocksDB knows what the tables of each family take; the rest of
 * the directory is its logs and its own records. */
#include <stdio.h>
#include <string.h>

#include "store/embedded/answer.h"
#include "store/embedded/control.h"

enum { MIB = 1024 * 1024, OPEN_FILES_MAX = 64 };

static const struct {
	enum rocks_family family;
	const char *name;
} families[] = {
	{FAMILY_SAMPLES, "samples"},	{FAMILY_ROLLUPS, "sums"},
	{FAMILY_DICT, "dictionary"},	{FAMILY_IDS, "dictionary index"},
	{FAMILY_SERIES, "series"},	{FAMILY_RECENT, "recent requests"},
	{FAMILY_META, "tenants, days"},
};

static void add_part(struct store_measured *sizes, const char *name, uint64_t bytes)
{
	sizes->parts[sizes->part_count++] = (struct store_part){name, bytes};
}

static int measure(struct rocks *rocks, const char *path, struct store_measured *sizes,
		   struct err *err)
{
	uint64_t known = 0;
	int rc = stats_read(rocks, &sizes->totals, err);
	for (size_t i = 0; !rc && i < sizeof(families) / sizeof(families[0]); i++) {
		uint64_t bytes = rocks_family_bytes(rocks, families[i].family);
		add_part(sizes, families[i].name, bytes);
		known += bytes;
	}
	uint64_t log, all;
	directory_bytes(path, &all, &log);
	sizes->totals.disk_bytes = all;
	add_part(sizes, "log", log);
	known += log;
	add_part(sizes, "other", all > known ? all - known : 0);
	return rc;
}

static int open_and_measure(const struct lease *lease, struct store_measured *sizes,
			    struct err *err)
{
	char path[PLACE_MAX + 8];
	const struct rocks_limits limits = {.block_cache_bytes = 8 * MIB,
					    .write_buffer_bytes = 8 * MIB,
					    .open_files_max = OPEN_FILES_MAX};
	struct rocks *rocks = NULL;
	snprintf(path, sizeof(path), "%s/db", lease->path);
	int rc = rocks_open(path, &limits, true, &rocks, err);
	rc = rc ? rc : measure(rocks, path, sizes, err);
	rocks_close(rocks);
	return rc;
}

int store_measure(const char *path, struct store_measured *ret, struct err *err)
{
	struct lease lease = {.lock_fd = -1, .control_fd = -1};
	struct store_measured sizes = {0};
	int rc = lease_take(path, &lease, err);
	if (rc)
		return rc;
	rc = open_and_measure(&lease, &sizes, err);
	rc = lease_check(&lease, rc, err);
	lease_end(&lease);
	if (!rc)
		*ret = sizes;
	return rc;
}
