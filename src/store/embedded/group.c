/* Groups are told apart by what their names say as text, wherever that comes
 * from: a thread id in a sample and the same number in a label are one group.
 * So a label that stands in for a sample field is read as that field. */
#include <stdio.h>
#include <string.h>

#include "store/embedded/answer.h"

enum part_kind { PART_ABSENT, PART_STRING, PART_NUMBER, PART_SPAN, PART_TRACE };

int groups_init(struct groups *groups, struct query *query, const struct str *names, size_t count,
		struct err *err)
{
	*groups = (struct groups){.query = query, .name_count = count};
	groups->names = query_alloc(query, count + 1, sizeof(*groups->names), err);
	groups->base = query_alloc(query, count + 1, sizeof(*groups->base), err);
	groups->parts = query_alloc(query, count + 1, sizeof(*groups->parts), err);
	int rc = groups->names && groups->base && groups->parts ? 0 : ERR_LIMIT;
	for (size_t i = 0; !rc && i < count; i++) {
		rc = query_wanted(query, names[i], &groups->names[i], err);
		groups->field_count += groups->names[i].field != FIELD_NONE;
	}
	return rc;
}

void groups_deinit(struct groups *groups)
{
	map_deinit(&groups->by_hash);
	map_deinit(&groups->by_series);
}

/* ---- finding a group ---- */

static int add_group(struct groups *groups, const struct group_part *parts, uint32_t next,
		     uint64_t hash, uint32_t *ret, struct err *err)
{
	size_t bytes = groups->name_count * sizeof(*parts);
	struct group *list = arena_grow(&groups->query->work, groups->list, &groups->cap,
					groups->count + 1, sizeof(*list));
	struct group_part *copy = query_alloc(groups->query, 1, bytes + 1, err);
	if (!list || !copy)
		return query_full(groups->query, groups->cap * 2 * sizeof(*list) + bytes, err);
	groups->list = list;
	memcpy(copy, parts, bytes);
	list[groups->count] = (struct group){.parts = copy, .next = next};
	*ret = (uint32_t)groups->count++;
	return map_put(&groups->by_hash, hash, *ret + 1, err);
}

static int find_group(struct groups *groups, const struct group_part *parts, uint32_t *ret,
		      struct err *err)
{
	size_t bytes = groups->name_count * sizeof(*parts);
	uint64_t hash = str_hash(str_make(parts, bytes));
	uint64_t *found = map_get(&groups->by_hash, hash);
	uint32_t first = found ? (uint32_t)*found : 0;
	for (uint32_t at = first; at; at = groups->list[at - 1].next)
		if (memcmp(groups->list[at - 1].parts, parts, bytes) == 0) {
			*ret = at - 1;
			return 0;
		}
	return add_group(groups, parts, first, hash, ret, err);
}

int groups_find_alike(struct groups *groups, const struct group *other, uint32_t *ret,
		      struct err *err)
{
	return find_group(groups, other->parts, ret, err);
}

/* ---- parts ---- */

static uint64_t big64(const uint8_t *bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

static bool from_hex(struct str text, uint8_t *ret, size_t count)
{
	if (text.len != count * 2)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
						   : -1;
		if (digit < 0)
			return false;
		ret[i / 2] = (uint8_t)(ret[i / 2] << 4 | digit);
	}
	return true;
}

static bool is_plain_number(struct str text, uint64_t *ret)
{
	return str_to_u64(text, ret) && text.ptr[0] != '+' && (text.ptr[0] != '0' || text.len == 1);
}

/* What a label's value is when it stands in for a field. */
static struct group_part part_of_label(enum sample_field field, uint32_t id, struct str text)
{
	struct group_part part = {.kind = PART_STRING, .low = id};
	uint8_t bytes[16] = {0};
	switch (field) {
	case FIELD_PID:
	case FIELD_TID:
	case FIELD_CPU:
		if (is_plain_number(text, &part.low))
			part.kind = PART_NUMBER;
		else
			part.low = id;
		break;
	case FIELD_SPAN:
		if (from_hex(text, bytes, 8))
			part = (struct group_part){PART_SPAN, 0, big64(bytes)};
		break;
	case FIELD_TRACE:
		if (from_hex(text, bytes, 16))
			part = (struct group_part){PART_TRACE, big64(bytes), big64(bytes + 8)};
		break;
	case FIELD_NONE:
	case FIELD_THREAD_NAME:
		break;
	}
	return part;
}

static int enter_series(struct groups *groups, uint32_t series, struct err *err)
{
	int rc = groups->name_count ? query_labels(groups->query, series, &groups->labels, err) : 0;
	for (size_t i = 0; !rc && i < groups->name_count; i++) {
		uint32_t id = wanted_value(&groups->names[i], &groups->labels);
		struct str text;
		groups->base[i] = (struct group_part){0};
		rc = pages_string(&groups->query->pages, id, &text, err);
		if (!rc && id)
			groups->base[i] = part_of_label(groups->names[i].field, id, text);
	}
	if (!rc && groups->field_count == 0)
		rc = find_group(groups, groups->base, &groups->base_group, err);
	return rc;
}

/* A series comes again every day. */
static int find_series(struct groups *groups, uint32_t series, struct err *err)
{
	uint64_t *known = groups->field_count ? NULL : map_get(&groups->by_series, series);
	if (known) {
		groups->base_group = (uint32_t)*known;
		return 0;
	}
	int rc = enter_series(groups, series, err);
	return rc || groups->field_count
		       ? rc
		       : map_put(&groups->by_series, series, groups->base_group, err);
}

int groups_enter(struct groups *groups, struct scan *scan, struct err *err)
{
	if (groups->series == scan->series)
		return 0;
	int rc = find_series(groups, scan->series, err);
	groups->series = rc ? 0 : scan->series;
	return rc;
}

static int part_of_row(struct scan *scan, enum sample_field field, uint32_t row,
		       struct group_part *part, struct err *err)
{
	const int64_t *values;
	const struct store_span *spans;
	int rc = scan_column(scan, column_of_field(field), &values, err);
	if (rc || values[row] == 0)
		return rc;
	uint64_t value = (uint64_t)values[row];
	if (field == FIELD_SPAN || field == FIELD_TRACE) {
		rc = scan_spans(scan, &spans, err);
		if (rc)
			return rc;
		const struct store_span *span = &spans[value - 1];
		*part = field == FIELD_SPAN
				? (struct group_part){PART_SPAN, 0, big64(span->span_id)}
				: (struct group_part){PART_TRACE, big64(span->trace_id),
						      big64(span->trace_id + 8)};
		return 0;
	}
	*part = (struct group_part){
		.kind = field == FIELD_THREAD_NAME ? PART_STRING : PART_NUMBER,
		.low = field == FIELD_CPU ? value - 1 : value,
	};
	return 0;
}

int groups_of_row(struct groups *groups, struct scan *scan, uint32_t row, uint32_t *ret,
		  struct err *err)
{
	int rc = 0;
	if (groups->field_count == 0) {
		*ret = groups->base_group;
		return 0;
	}
	memcpy(groups->parts, groups->base, groups->name_count * sizeof(*groups->parts));
	for (size_t i = 0; !rc && i < groups->name_count; i++)
		if (groups->names[i].field != FIELD_NONE)
			rc = part_of_row(scan, groups->names[i].field, row, &groups->parts[i], err);
	return rc ? rc : find_group(groups, groups->parts, ret, err);
}

/* ---- text ---- */

int group_text(struct groups *groups, const struct group_part *part, struct arena *arena,
	       struct str *ret, struct err *err)
{
	*ret = (struct str){0};
	switch ((enum part_kind)part->kind) {
	case PART_ABSENT:
		return 0;
	case PART_STRING:
		return query_text(groups->query, (uint32_t)part->low, arena, ret, err);
	case PART_NUMBER:
		*ret = arena_printf(arena, "%llu", (unsigned long long)part->low);
		break;
	case PART_SPAN:
		*ret = arena_printf(arena, "%016llx", (unsigned long long)part->low);
		break;
	case PART_TRACE:
		*ret = arena_printf(arena, "%016llx%016llx", (unsigned long long)part->high,
				    (unsigned long long)part->low);
		break;
	}
	return ret->ptr ? 0 : query_no_room(arena, err);
}

int group_labels(struct groups *groups, uint32_t group, struct arena *arena,
		 struct store_label **ret, size_t *ret_count, struct err *err)
{
	struct store_label *labels = arena_zalloc(arena, groups->name_count + 1, sizeof(*labels));
	size_t count = 0;
	if (!labels)
		return query_no_room(arena, err);
	for (size_t i = 0; i < groups->name_count; i++) {
		struct str value;
		int rc = group_text(groups, &groups->list[group].parts[i], arena, &value, err);
		if (rc)
			return rc;
		if (!value.ptr)
			continue;
		labels[count].name = arena_str(arena, groups->names[i].name);
		labels[count].value = value;
		if (!labels[count++].name.ptr)
			return query_no_room(arena, err);
	}
	*ret = labels;
	*ret_count = count;
	return 0;
}
