/* Rows under construction.
 *
 * `end` is where the last range ended and `rule` what holds up to there, so a
 * new range is compared with one rule only. A page gets its rows when the first
 * of them is known: before it goes the carried rule, at 0. Rule 0 is always
 * UNWIND_CFA_NONE. */
#include "unwind/builder.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "unwind/rows.h"

enum {
	ROWS_DEFAULT_MAX = 8 << 20, /* 32 MiB; the largest file seen has 1.4 million */
	RULE_NONE = 0,
	RULE_SLOTS_FIRST = 1024,
	/* Slots that may be passed by in all, and for each range: far above what chance needs. A
	 * file whose rules are made to collide ends there. */
	DETOURS_MAX = 1 << 22,
	DETOURS_PER_RANGE = 8,
};

struct unwind_builder {
	struct unwind_rows *rows;
	size_t rows_cap, rules_cap, pages_cap, rows_max;
	uint32_t *rule_slots; /* index + 1; open addressing, a power of two, at most half full */
	uint32_t rule_slot_count;
	uint64_t detours; /* slots passed by */
	uint64_t end;
	uint32_t rule;
	bool started;
};

/* ---- rules ------------------------------------------------------------- */

uint32_t unwind_rule_hash(const struct unwind_rule *rule)
{
	uint64_t words[2];

	memcpy(words, rule, sizeof(words));
	uint64_t h = words[0] * 0x9e3779b97f4a7c15u ^ words[1] * 0xc2b2ae3d27d4eb4fu;
	return (uint32_t)(h >> 32 ^ h);
}

static uint32_t *find_slot(struct unwind_builder *builder, const struct unwind_rule *rule)
{
	uint32_t mask = builder->rule_slot_count - 1;
	uint32_t i = unwind_rule_hash(rule) & mask;

	while (builder->rule_slots[i] != 0 &&
	       memcmp(&builder->rows->rules[builder->rule_slots[i] - 1], rule, sizeof(*rule)) !=
		       0) {
		i = (i + 1) & mask;
		builder->detours++;
	}
	return &builder->rule_slots[i];
}

static int grow_rule_slots(struct unwind_builder *builder, struct err *err)
{
	uint32_t count = builder->rule_slot_count ? builder->rule_slot_count * 2 : RULE_SLOTS_FIRST;
	uint32_t *slots = mem_zalloc(count, sizeof(*slots));

	if (!slots)
		return err_set(err, ERR_NOMEM, "unwind rows: no memory for %u rules", count / 2);
	mem_free(builder->rule_slots);
	builder->rule_slots = slots;
	builder->rule_slot_count = count;
	for (uint32_t i = 0; i < builder->rows->info.rules; i++)
		*find_slot(builder, &builder->rows->rules[i]) = i + 1;
	return 0;
}

static int add_rule(struct unwind_builder *builder, const struct unwind_rule *rule, struct err *err)
{
	struct unwind_rows *rows = builder->rows;
	uint32_t count = rows->info.rules;

	if (count == UNWIND_RULES_MAX)
		return err_set(err, ERR_LIMIT, "unwind rows: more than %u different rules", count);
	if (2 * count >= builder->rule_slot_count) {
		int rc = grow_rule_slots(builder, err);
		if (rc)
			return rc;
	}
	struct unwind_rule *rules =
		mem_grow(rows->rules, &builder->rules_cap, count + 1, sizeof(*rules));
	if (!rules)
		return err_set(err, ERR_NOMEM, "unwind rows: no memory for a rule");
	rows->rules = rules;
	rules[count] = *rule;
	*find_slot(builder, rule) = ++rows->info.rules;
	return 0;
}

static int intern_rule(struct unwind_builder *builder, const struct unwind_rule *rule,
		       uint32_t *ret, struct err *err)
{
	uint32_t slot = *find_slot(builder, rule);

	if (builder->detours >
	    DETOURS_MAX + DETOURS_PER_RANGE * (uint64_t)builder->rows->info.ranges)
		return err_set(err, ERR_LIMIT, "unwind rows: rules that are made to collide");
	if (slot == 0) {
		int rc = add_rule(builder, rule, err);
		if (rc)
			return rc;
		slot = builder->rows->info.rules;
	}
	*ret = slot - 1;
	return 0;
}

/* ---- rows -------------------------------------------------------------- */

static int push_row(struct unwind_builder *builder, uint64_t vaddr, uint32_t rule, struct err *err)
{
	struct unwind_rows *rows = builder->rows;
	uint32_t count = rows->info.rows;

	if (count >= builder->rows_max)
		return err_set(err, ERR_LIMIT, "unwind rows: more than the limit of %zu",
			       builder->rows_max);
	if (count >= builder->rows_cap) {
		struct unwind_row *grown =
			mem_grow(rows->rows, &builder->rows_cap, (size_t)count + 1, sizeof(*grown));
		if (!grown)
			return err_set(err, ERR_NOMEM, "unwind rows: no memory for %u rows", count);
		rows->rows = grown;
	}
	rows->rows[count] = (struct unwind_row){(uint16_t)vaddr, (uint16_t)rule};
	rows->info.rows++;
	rows->pages[rows->info.pages - 1].count++;
	return 0;
}

static int open_page(struct unwind_builder *builder, struct err *err)
{
	struct unwind_rows *rows = builder->rows;
	struct unwind_page *grown = mem_grow(rows->pages, &builder->pages_cap,
					     (size_t)rows->info.pages + 1, sizeof(*grown));

	if (!grown)
		return err_set(err, ERR_NOMEM, "unwind rows: no memory for a page");
	rows->pages = grown;
	grown[rows->info.pages++] = (struct unwind_page){.rows = rows->info.rows};
	return 0;
}

/* Opens the pages up to that of vaddr. Those on the way have the carried rule and nothing else; none
 * at all when it is no rule. */
static int reach_page(struct unwind_builder *builder, uint64_t vaddr, struct err *err)
{
	struct unwind_rows *rows = builder->rows;
	uint64_t page = (vaddr - rows->vaddr) >> UNWIND_PAGE_BITS;
	int rc = 0;

	if (page >= UNWIND_PAGES_MAX)
		return err_set(err, ERR_LIMIT, "unwind rows: text of more than 4 GiB");
	while (!rc && rows->info.pages <= page) {
		bool last = rows->info.pages == page;
		bool carry = last ? (uint16_t)vaddr != 0 : builder->rule != RULE_NONE;
		rc = open_page(builder, err);
		if (!rc && carry)
			rc = push_row(builder, 0, builder->rule, err);
	}
	return rc;
}

/* From vaddr on this rule holds. */
static int change_rule(struct unwind_builder *builder, uint64_t vaddr, uint32_t rule,
		       struct err *err)
{
	if (rule == builder->rule)
		return 0;
	int rc = reach_page(builder, vaddr, err);
	if (!rc)
		rc = push_row(builder, vaddr, rule, err);
	if (!rc)
		builder->rule = rule;
	return rc;
}

static void start_at(struct unwind_builder *builder, uint64_t vaddr)
{
	const uint64_t page_bytes = 1U << UNWIND_PAGE_BITS;

	builder->started = true;
	builder->rows->vaddr = vaddr & ~(page_bytes - 1);
	builder->end = vaddr;
}

int unwind_builder_add(struct unwind_builder *builder, uint64_t start, uint64_t end,
		       const struct unwind_rule *rule, struct err *err)
{
	uint32_t id = RULE_NONE;
	int rc = 0;

	if (start < builder->end)
		start = builder->end;
	if (start >= end)
		return 0;
	if (!builder->started)
		start_at(builder, start);
	builder->rows->info.ranges++;
	if (start - builder->end >= UNWIND_PADDING_BYTES)
		rc = change_rule(builder, builder->end, RULE_NONE, err);
	if (!rc)
		rc = intern_rule(builder, rule, &id, err);
	if (!rc)
		rc = change_rule(builder, start, id, err);
	builder->end = end;
	return rc;
}

void unwind_builder_count_function(struct unwind_builder *builder)
{
	builder->rows->info.functions++;
}

void unwind_builder_count_odd(struct unwind_builder *builder)
{
	builder->rows->info.odd++;
}

void unwind_builder_count_skipped(struct unwind_builder *builder)
{
	builder->rows->info.skipped++;
}

uint64_t unwind_builder_end(const struct unwind_builder *builder)
{
	return builder->end;
}

/* ---- life -------------------------------------------------------------- */

int unwind_builder_create(const struct unwind_limits *limits, struct unwind_builder **ret,
			  struct err *err)
{
	const struct unwind_rule none = {.cfa = UNWIND_CFA_NONE};
	struct unwind_builder *builder = mem_zalloc(1, sizeof(*builder));

	if (!builder)
		return err_set(err, ERR_NOMEM, "unwind rows: no memory");
	builder->rows_max = limits && limits->rows ? limits->rows : ROWS_DEFAULT_MAX;
	if (builder->rows_max > UINT32_MAX)
		builder->rows_max = UINT32_MAX;
	builder->rows = mem_zalloc(1, sizeof(*builder->rows));
	int rc = builder->rows ? add_rule(builder, &none, err)
			       : err_set(err, ERR_NOMEM, "unwind rows: no memory");
	if (rc) {
		unwind_builder_destroy(builder);
		return rc;
	}
	*ret = builder;
	return 0;
}

void unwind_builder_destroy(struct unwind_builder *builder)
{
	if (!builder)
		return;
	unwind_rows_free(builder->rows);
	mem_free(builder->rule_slots);
	mem_free(builder);
}

static size_t table_bytes(const struct unwind_rows *rows)
{
	size_t units = unwind_units_of(unwind_rows_head_bytes(rows));

	for (uint32_t i = 0; i < rows->info.pages; i++)
		units += unwind_units_of(rows->pages[i].count * sizeof(struct unwind_row));
	return units * UNWIND_UNIT_BYTES;
}

int unwind_builder_finish(struct unwind_builder *builder, struct unwind_rows **ret, struct err *err)
{
	struct unwind_rows *rows = builder->rows;

	if (!builder->started)
		return err_set(err, ERR_NOT_FOUND, "no unwind information");
	/* The last page has its carried rule, even when only its first byte is text. */
	int rc = reach_page(builder, (builder->end - 1) | 1, err);
	/* At the start of a page there is nothing to end: that page is not there. */
	if (!rc && (uint16_t)builder->end != 0)
		rc = change_rule(builder, builder->end, RULE_NONE, err);
	if (rc)
		return rc;
	rows->info.bytes = table_bytes(rows);
	builder->rows = NULL;
	*ret = rows;
	return 0;
}
