/* Functions by address, of which later ones cover earlier ones: an array of
 * parts that never overlap, in address order, 16 bytes each.
 *
 * New functions gather in the order in which they came. Settling lays them over
 * the array: two arrays without overlaps are laid over each other in one walk,
 * and the new ones are made such an array by halves, as merge sort does. */
#include "elf/perfmap.h"

#include <string.h>

#include "base/mem.h"
#include "elf/symtab.h"

enum {
	PENDING_MAX = 1 << 16,
	LOOK_BACK_MAX = 1024,
};

struct part {
	uint64_t start;
	uint32_t size;
	uint32_t name; /* offset in text */
};

struct parts {
	struct part *list;
	size_t count, cap;
};

struct code_map {
	struct parts settled;
	struct parts pending; /* as they came */
	char *text;	      /* each name ends with NUL */
	size_t text_len, text_cap;
	size_t limit_bytes;
};

int code_map_create(size_t limit_bytes, struct code_map **ret, struct err *err)
{
	struct code_map *map = mem_zalloc(1, sizeof(*map));

	if (!map)
		return err_set(err, ERR_NOMEM, "no memory for names of compiled code");
	map->limit_bytes = limit_bytes < UINT32_MAX ? limit_bytes : UINT32_MAX;
	*ret = map;
	return 0;
}

void code_map_destroy(struct code_map *map)
{
	if (!map)
		return;
	mem_free(map->settled.list);
	mem_free(map->pending.list);
	mem_free(map->text);
	mem_free(map);
}

/* What the map would take with one more name of that length. */
static size_t bytes_with(const struct code_map *map, size_t name_len)
{
	/* A part laid over another can leave two pieces of that. */
	size_t parts = map->settled.count + 2 * (map->pending.count + 1);

	return sizeof(*map) + parts * sizeof(struct part) + map->text_len + name_len + 1;
}

static int add_name(struct code_map *map, struct str name, uint32_t *ret, struct err *err)
{
	char *text = mem_grow(map->text, &map->text_cap, map->text_len + name.len + 1, 1);

	if (!text)
		return err_set(err, ERR_NOMEM, "no memory for names of compiled code");
	map->text = text;
	*ret = (uint32_t)map->text_len;
	name_copy_clean(text + map->text_len, name);
	text[map->text_len + name.len] = '\0';
	map->text_len += name.len + 1;
	return 0;
}

static struct str cut(struct str name)
{
	size_t len = CODE_NAME_MAX;

	if (name.len <= CODE_NAME_MAX)
		return name;
	while (len > CODE_NAME_MAX - 4 && ((uint8_t)name.ptr[len] & 0xc0) == 0x80)
		len--;
	return str_sub(name, 0, len);
}

int code_map_add(struct code_map *map, uint64_t start, uint64_t size, struct str name,
		 struct err *err)
{
	struct part part = {.start = start, .size = (uint32_t)size};

	if (size == 0 || size > UINT32_MAX || start > UINT64_MAX - size || name.len == 0)
		return 0;
	int rc = map->pending.count == PENDING_MAX ? code_map_settle(map, err) : 0;
	if (rc)
		return rc;
	name = cut(name);
	if (bytes_with(map, name.len) > map->limit_bytes)
		return err_set(err, ERR_LIMIT, "names of compiled code: more than %zu bytes",
			       map->limit_bytes);
	struct part *list = mem_grow(map->pending.list, &map->pending.cap, map->pending.count + 1,
				     sizeof(*list));
	if (!list)
		return err_set(err, ERR_NOMEM, "no memory for compiled code");
	map->pending.list = list;
	rc = add_name(map, name, &part.name, err);
	if (!rc)
		list[map->pending.count++] = part;
	return rc;
}

static uint64_t end_of(const struct part *part)
{
	return part->start + part->size;
}

static void put(struct parts *out, uint64_t start, uint64_t end, uint32_t name)
{
	if (start < end)
		out->list[out->count++] = (struct part){start, (uint32_t)(end - start), name};
}

/* What of one lower part is not covered; *at is the first part above that is not put yet. */
static void put_uncovered(struct parts *out, const struct part *lower, const struct parts *above,
			  size_t *at)
{
	uint64_t start = lower->start, end = end_of(lower);
	const struct part *list = above->list;

	for (; *at < above->count && end_of(&list[*at]) <= start; (*at)++)
		out->list[out->count++] = list[*at];
	while (*at < above->count && list[*at].start < end) {
		put(out, start, list[*at].start, lower->name);
		if (end_of(&list[*at]) > end)
			return; /* it may cover the next one, too */
		start = end_of(&list[*at]);
		out->list[out->count++] = list[(*at)++];
	}
	put(out, start, end, lower->name);
}

static int lay_over(const struct parts *lower, const struct parts *above, struct parts *ret,
		    struct err *err)
{
	struct parts out = {.cap = lower->count + 2 * above->count};
	size_t at = 0;

	out.list = mem_alloc((out.cap ? out.cap : 1) * sizeof(*out.list));
	if (!out.list)
		return err_set(err, ERR_NOMEM, "no memory to put compiled code in order");
	for (size_t i = 0; i < lower->count; i++)
		put_uncovered(&out, &lower->list[i], above, &at);
	for (; at < above->count; at++)
		out.list[out.count++] = above->list[at];
	*ret = out;
	return 0;
}

static bool is_in_order(const struct part *list, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (list[i].start < end_of(&list[i - 1]))
			return false;
	return true;
}

/* Depth: the logarithm of PENDING_MAX. */
static int put_in_order(const struct part *list, size_t count, struct parts *ret, struct err *err)
{
	struct parts early = {0}, late = {0};
	static const struct parts none;

	if (is_in_order(list, count)) {
		const struct parts all = {.list = (struct part *)(uintptr_t)list, .count = count};
		return lay_over(&none, &all, ret, err);
	}
	int rc = put_in_order(list, count / 2, &early, err);
	if (!rc)
		rc = put_in_order(list + count / 2, count - count / 2, &late, err);
	if (!rc)
		rc = lay_over(&early, &late, ret, err);
	mem_free(early.list);
	mem_free(late.list);
	return rc;
}

int code_map_settle(struct code_map *map, struct err *err)
{
	struct parts fresh = {0}, all = {0};

	if (map->pending.count == 0)
		return 0;
	int rc = put_in_order(map->pending.list, map->pending.count, &fresh, err);
	if (!rc)
		rc = lay_over(&map->settled, &fresh, &all, err);
	mem_free(fresh.list);
	if (rc)
		return rc;
	struct part *fitting = mem_realloc(all.list, all.count * sizeof(*fitting));
	mem_free(map->settled.list);
	mem_free(map->pending.list);
	map->settled = all;
	if (fitting) {
		map->settled.list = fitting;
		map->settled.cap = all.count;
	}
	map->pending = (struct parts){0};
	return 0;
}

static struct elf_symbol symbol_of(const struct code_map *map, const struct part *part)
{
	return (struct elf_symbol){
		.name = str_of(map->text + part->name),
		.start = part->start,
		.size = part->size,
	};
}

bool code_map_find(const struct code_map *map, uint64_t address, struct elf_symbol *ret)
{
	size_t low = 0, high = map->settled.count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (map->settled.list[mid].start <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0 || address >= end_of(&map->settled.list[low - 1]))
		return false;
	*ret = symbol_of(map, &map->settled.list[low - 1]);
	return true;
}

bool code_map_find_new(const struct code_map *map, uint64_t address, struct elf_symbol *ret)
{
	size_t n = map->pending.count;

	for (size_t i = n; i > 0 && n - i < LOOK_BACK_MAX; i--) {
		const struct part *part = &map->pending.list[i - 1];
		if (address >= part->start && address < end_of(part)) {
			*ret = symbol_of(map, part);
			return true;
		}
	}
	return code_map_find(map, address, ret);
}

uint32_t code_map_count(const struct code_map *map)
{
	return (uint32_t)map->settled.count;
}

size_t code_map_bytes(const struct code_map *map)
{
	return sizeof(*map) + (map->settled.cap + map->pending.cap) * sizeof(struct part) +
	       map->text_cap;
}
