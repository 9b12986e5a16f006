#include "store/embedded/unsettled.h"

#include <string.h>

#include "base/mem.h"

void unsettled_deinit(struct unsettled *unsettled)
{
	mem_free(unsettled->days);
	idmap_deinit(&unsettled->noted);
	memset(unsettled, 0, sizeof(*unsettled));
}

/* ---- days ---- */

/* Where (day, tenant) stands, or belongs. */
static size_t place_of(const struct unsettled *unsettled, uint32_t day, uint32_t tenant)
{
	size_t low = 0, high = unsettled->day_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct unsettled_day *at = &unsettled->days[middle];
		if (at->day < day || (at->day == day && at->tenant < tenant))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct unsettled_day *unsettled_find(const struct unsettled *unsettled, uint32_t day,
				     uint32_t tenant)
{
	size_t place = place_of(unsettled, day, tenant);
	return place < unsettled->day_count ? &unsettled->days[place] : NULL;
}

struct unsettled_day *unsettled_entry(const struct unsettled *unsettled, uint32_t day,
				      uint32_t tenant)
{
	struct unsettled_day *at = unsettled_find(unsettled, day, tenant);
	return at && at->day == day && at->tenant == tenant ? at : NULL;
}

void unsettled_add(struct unsettled *unsettled, uint32_t tenant, uint32_t day, uint32_t hours)
{
	size_t place = place_of(unsettled, day, tenant);
	struct unsettled_day *entry = unsettled_entry(unsettled, day, tenant);
	if (entry) {
		entry->hours |= hours;
		return;
	}
	struct unsettled_day *days = mem_grow(unsettled->days, &unsettled->day_cap,
					      unsettled->day_count + 1, sizeof(*days));
	if (!days) {
		unsettled->incomplete = true;
		return;
	}
	unsettled->days = days;
	memmove(&days[place + 1], &days[place], (unsettled->day_count - place) * sizeof(*days));
	days[place] = (struct unsettled_day){.day = day, .tenant = tenant, .hours = hours};
	unsettled->day_count++;
}

void unsettled_sweep(struct unsettled *unsettled)
{
	size_t kept = 0;
	for (size_t i = 0; i < unsettled->day_count; i++) {
		const struct unsettled_day *at = &unsettled->days[kept];
		unsettled->days[kept] = unsettled->days[i];
		kept += at->hours || at->taken || at->dead_bytes;
	}
	unsettled->day_count = kept;
}

/* ---- the watch ---- */

void unsettled_watch(struct unsettled *unsettled, uint32_t tenant, uint32_t day, uint32_t hours,
		     bool keep)
{
	if (!keep) {
		idmap_clear(&unsettled->noted);
		atomic_store(&unsettled->lost, false);
	}
	unsettled->watching = true;
	unsettled->tenant = tenant;
	unsettled->day = day;
	unsettled->hours = hours;
}

void unsettled_unwatch(struct unsettled *unsettled)
{
	unsettled->watching = false;
	idmap_clear(&unsettled->noted);
}

static struct id_key noted_key(const struct unsettled *unsettled, uint32_t series)
{
	return id_key_pair(unsettled->tenant, KEY_DAY, unsettled->day, series);
}

uint32_t unsettled_noted(const struct unsettled *unsettled, uint32_t series)
{
	return idmap_get(&unsettled->noted, noted_key(unsettled, series));
}

void unsettled_note(struct unsettled *unsettled, uint32_t series, uint32_t bits)
{
	struct id_key key = noted_key(unsettled, series);
	if (idmap_put(&unsettled->noted, key, bits | idmap_get(&unsettled->noted, key), NULL))
		atomic_store(&unsettled->lost, true);
}
