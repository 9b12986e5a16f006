/* The dictionary: one interning table a kind of row. What a row points to is
 * copied only when the row is new. */
#include "profile/builder.h"

#include <assert.h>
#include <string.h>
#include <sys/auxv.h>

/* Where the hash of every row starts. Rows may come from a hostile request, whose sender shall not know
 * which of them meet in one slot: the kernel gives each process random bytes. */
static uint64_t hash_seed = UINT64_C(0x2545f4914f6cdd1d);

__attribute__((constructor)) static void draw_hash_seed(void)
{
	const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);

	if (random)
		memcpy(&hash_seed, random, sizeof(hash_seed));
}

static uint64_t hash_indices(uint64_t hash, const uint32_t *indices, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		hash = table_mix(hash, indices[i]);
	return table_mix(hash, count);
}

static bool indices_equal(const uint32_t *a, uint32_t a_count, const uint32_t *b, uint32_t b_count)
{
	return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * sizeof(*a)) == 0);
}

static uint64_t hash_mapping(const void *ptr)
{
	const struct profile_mapping *row = ptr;
	uint64_t hash = table_mix(hash_seed, row->memory_start);

	hash = table_mix(hash, row->memory_limit);
	hash = table_mix(hash, row->file_offset);
	hash = table_mix(hash, row->filename);
	return hash_indices(hash, row->attrs, row->attr_count);
}

static bool mapping_equal(const void *a_ptr, const void *b_ptr)
{
	const struct profile_mapping *a = a_ptr, *b = b_ptr;

	return a->memory_start == b->memory_start && a->memory_limit == b->memory_limit &&
	       a->file_offset == b->file_offset && a->filename == b->filename &&
	       indices_equal(a->attrs, a->attr_count, b->attrs, b->attr_count);
}

static uint64_t hash_function(const void *ptr)
{
	const struct profile_function *row = ptr;
	uint64_t hash = table_mix(hash_seed, (uint64_t)row->name << 32 | row->system_name);

	hash = table_mix(hash, row->filename);
	return table_mix(hash, (uint64_t)row->start_line);
}

static bool function_equal(const void *a_ptr, const void *b_ptr)
{
	const struct profile_function *a = a_ptr, *b = b_ptr;

	return a->name == b->name && a->system_name == b->system_name &&
	       a->filename == b->filename && a->start_line == b->start_line;
}

/* Field by field: the rows have padding, whose bytes mean nothing. */
static uint64_t hash_location(const void *ptr)
{
	const struct profile_location *row = ptr;
	uint64_t hash = table_mix(hash_seed, row->address);

	hash = table_mix(hash, (uint64_t)row->mapping << 32 | row->line_count);
	for (uint32_t i = 0; i < row->line_count; i++) {
		hash = table_mix(hash, row->lines[i].function);
		hash = table_mix(hash, (uint64_t)row->lines[i].line);
		hash = table_mix(hash, (uint64_t)row->lines[i].column);
	}
	return hash_indices(hash, row->attrs, row->attr_count);
}

static bool line_equal(const struct profile_line *a, const struct profile_line *b)
{
	return a->function == b->function && a->line == b->line && a->column == b->column;
}

static bool location_equal(const void *a_ptr, const void *b_ptr)
{
	const struct profile_location *a = a_ptr, *b = b_ptr;

	if (a->mapping != b->mapping || a->address != b->address || a->line_count != b->line_count)
		return false;
	for (uint32_t i = 0; i < a->line_count; i++)
		if (!line_equal(&a->lines[i], &b->lines[i]))
			return false;
	return indices_equal(a->attrs, a->attr_count, b->attrs, b->attr_count);
}

static uint64_t hash_link(const void *ptr)
{
	return str_hash(str_make(ptr, sizeof(struct profile_link)));
}

static bool link_equal(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct profile_link)) == 0;
}

static uint64_t double_bits(double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	return bits;
}

static uint64_t hash_attribute(const void *ptr)
{
	const struct profile_attribute *row = ptr;
	uint64_t hash = table_mix(hash_seed, (uint64_t)row->key << 32 | row->unit);

	hash = table_mix(hash, row->value.kind);
	hash = table_mix(hash, (uint64_t)row->value.number);
	hash = table_mix(hash, double_bits(row->value.real));
	return row->value.text.len ? table_mix(hash, str_hash(row->value.text)) : hash;
}

/* Bits and not ==, so that a NaN finds itself. */
static bool attribute_equal(const void *a_ptr, const void *b_ptr)
{
	const struct profile_attribute *a = a_ptr, *b = b_ptr;

	return a->key == b->key && a->unit == b->unit && a->value.kind == b->value.kind &&
	       a->value.number == b->value.number &&
	       double_bits(a->value.real) == double_bits(b->value.real) &&
	       str_equal(a->value.text, b->value.text);
}

static uint64_t hash_stack(const void *ptr)
{
	const struct profile_stack *row = ptr;

	return row->count ? str_hash(str_make(row->locations, row->count * sizeof(*row->locations)))
			  : hash_seed;
}

static bool stack_equal(const void *a_ptr, const void *b_ptr)
{
	const struct profile_stack *a = a_ptr, *b = b_ptr;

	return indices_equal(a->locations, a->count, b->locations, b->count);
}

static bool copy_indices(struct arena *arena, const uint32_t **indices, uint32_t count)
{
	*indices = count ? arena_copy(arena, *indices, count * sizeof(**indices)) : NULL;
	return count == 0 || *indices;
}

/* Replace what a row points to by copies. False without memory. */
static bool own_nothing(struct arena *arena, void *row)
{
	(void)arena;
	(void)row;
	return true;
}

static bool own_mapping(struct arena *arena, void *ptr)
{
	struct profile_mapping *row = ptr;

	return copy_indices(arena, &row->attrs, row->attr_count);
}

static bool own_location(struct arena *arena, void *ptr)
{
	struct profile_location *row = ptr;

	row->lines = row->line_count
			     ? arena_copy(arena, row->lines, row->line_count * sizeof(*row->lines))
			     : NULL;
	return (row->line_count == 0 || row->lines) &&
	       copy_indices(arena, &row->attrs, row->attr_count);
}

static bool own_attribute(struct arena *arena, void *ptr)
{
	struct profile_attribute *row = ptr;

	row->value.text = arena_str(arena, row->value.text);
	return row->value.text.ptr != NULL;
}

static bool own_stack(struct arena *arena, void *ptr)
{
	struct profile_stack *row = ptr;

	return copy_indices(arena, &row->locations, row->count);
}

struct row_kind {
	const char *name;
	size_t bytes;
	table_hash_fn *hash;
	table_equal_fn *equal;
	bool (*own)(struct arena *arena, void *row);
};

static int add_row(struct arena *arena, struct table *tab, const struct row_kind *kind,
		   const void *row, struct err *err)
{
	char *end = (char *)tab->rows + tab->count * kind->bytes;

	if (tab->count >= TABLE_ROWS_MAX)
		return err_set(err, ERR_LIMIT, "profile: the %s table is full", kind->name);
	memcpy(end, row, kind->bytes);
	if (!kind->own(arena, end))
		return err_set(err, ERR_NOMEM, "profile: no memory for a %s", kind->name);
	tab->count++;
	return 0;
}

static inline __attribute__((always_inline)) int intern(struct arena *arena, struct table *tab,
							const struct row_kind *kind,
							const void *row, uint32_t *ret,
							struct err *err)
{
	uint32_t hash = (uint32_t)kind->hash(row);
	int rc = 0;

	if (!table_reserve(tab, arena, kind->bytes, kind->hash))
		return err_set(err, ERR_NOMEM, "profile: no memory for a %s", kind->name);
	struct table_slot *slot = table_find(tab, row, hash, kind->bytes, kind->equal);
	if (!slot->index_plus1)
		rc = add_row(arena, tab, kind, row, err);
	if (rc)
		return rc;
	if (!slot->index_plus1)
		*slot = (struct table_slot){hash, tab->count};
	*ret = slot->index_plus1 - 1;
	return 0;
}

static const struct row_kind mapping_kind = {"mapping", sizeof(struct profile_mapping),
					     hash_mapping, mapping_equal, own_mapping};
static const struct row_kind function_kind = {"function", sizeof(struct profile_function),
					      hash_function, function_equal, own_nothing};
static const struct row_kind location_kind = {"location", sizeof(struct profile_location),
					      hash_location, location_equal, own_location};
static const struct row_kind link_kind = {"link", sizeof(struct profile_link), hash_link,
					  link_equal, own_nothing};
static const struct row_kind attribute_kind = {"attribute", sizeof(struct profile_attribute),
					       hash_attribute, attribute_equal, own_attribute};
static const struct row_kind stack_kind = {"stack", sizeof(struct profile_stack), hash_stack,
					   stack_equal, own_stack};

int profile_string(struct profile_batch *batch, struct str text, uint32_t *ret, struct err *err)
{
	return strtab_intern(batch->dict.strings, text, ret, err);
}

int profile_mapping(struct profile_batch *batch, const struct profile_mapping *row, uint32_t *ret,
		    struct err *err)
{
	struct table *tab = &batch->builder->mappings;
	int rc = intern(batch->arena, tab, &mapping_kind, row, ret, err);

	batch->dict.mappings = tab->rows;
	batch->dict.mapping_count = tab->count;
	return rc;
}

int profile_function(struct profile_batch *batch, const struct profile_function *row, uint32_t *ret,
		     struct err *err)
{
	struct table *tab = &batch->builder->functions;
	int rc = intern(batch->arena, tab, &function_kind, row, ret, err);

	batch->dict.functions = tab->rows;
	batch->dict.function_count = tab->count;
	return rc;
}

int profile_location(struct profile_batch *batch, const struct profile_location *row, uint32_t *ret,
		     struct err *err)
{
	struct table *tab = &batch->builder->locations;
	int rc = intern(batch->arena, tab, &location_kind, row, ret, err);

	batch->dict.locations = tab->rows;
	batch->dict.location_count = tab->count;
	return rc;
}

/* A row whose content changed is not found by the old one (they differ), nor surely by the new one (it
 * is in the slot of the old hash): interning the new content makes a second row, which does no harm. */
int profile_location_lines(struct profile_batch *batch, uint32_t location,
			   const struct profile_line *lines, uint32_t count, struct err *err)
{
	struct table *tab = &batch->builder->locations;
	struct profile_location *row = (struct profile_location *)tab->rows + location;
	const struct profile_line *copy = NULL;

	assert(location > 0 && location < tab->count);
	if (count > 0)
		copy = arena_copy(batch->arena, lines, count * sizeof(*lines));
	if (count > 0 && !copy)
		return err_set(err, ERR_NOMEM, "profile: no memory for lines");
	row->lines = copy;
	row->line_count = count;
	return 0;
}

int profile_link(struct profile_batch *batch, const struct profile_link *row, uint32_t *ret,
		 struct err *err)
{
	struct table *tab = &batch->builder->links;
	int rc = intern(batch->arena, tab, &link_kind, row, ret, err);

	batch->dict.links = tab->rows;
	batch->dict.link_count = tab->count;
	return rc;
}

int profile_stack(struct profile_batch *batch, const uint32_t *locations, uint32_t count,
		  uint32_t *ret, struct err *err)
{
	struct table *tab = &batch->builder->stacks;
	struct profile_stack row = {count, locations};
	int rc = intern(batch->arena, tab, &stack_kind, &row, ret, err);

	batch->dict.stacks = tab->rows;
	batch->dict.stack_count = tab->count;
	return rc;
}

static int intern_attribute(struct profile_batch *batch, const struct profile_attribute *row,
			    uint32_t *ret, struct err *err)
{
	struct table *tab = &batch->builder->attributes;
	int rc = intern(batch->arena, tab, &attribute_kind, row, ret, err);

	batch->dict.attributes = tab->rows;
	batch->dict.attribute_count = tab->count;
	return rc;
}

int profile_attribute(struct profile_batch *batch, struct str key, const struct value *value,
		      struct str unit, uint32_t *ret, struct err *err)
{
	struct profile_attribute row = {.value = *value};
	int rc = profile_string(batch, key, &row.key, err);

	if (!rc)
		rc = profile_string(batch, unit, &row.unit, err);
	return rc ? rc : intern_attribute(batch, &row, ret, err);
}

/* Row 0 of every table is the zero value (profiles.proto, ProfilesDictionary). */
static int add_zero_rows(struct profile_batch *batch, struct err *err)
{
	uint32_t zero;
	int rc = profile_mapping(batch, &(struct profile_mapping){0}, &zero, err);

	rc = rc ? rc : profile_function(batch, &(struct profile_function){0}, &zero, err);
	rc = rc ? rc : profile_location(batch, &(struct profile_location){0}, &zero, err);
	rc = rc ? rc : profile_link(batch, &(struct profile_link){0}, &zero, err);
	rc = rc ? rc : profile_stack(batch, NULL, 0, &zero, err);
	return rc ? rc : intern_attribute(batch, &(struct profile_attribute){0}, &zero, err);
}

int profile_batch_create(struct arena *arena, struct profile_batch **ret, struct err *err)
{
	struct profile_batch *batch = arena_zalloc(arena, 1, sizeof(*batch));
	int rc;

	if (batch)
		batch->builder = arena_zalloc(arena, 1, sizeof(*batch->builder));
	if (!batch || !batch->builder)
		return err_set(err, ERR_NOMEM, "profile: no memory for a batch");
	batch->arena = arena;
	rc = strtab_create(arena, TABLE_ROWS_MAX, &batch->dict.strings, err);
	rc = rc ? rc : add_zero_rows(batch, err);
	if (!rc)
		*ret = batch;
	return rc;
}

static struct table adopt(const void *rows, uint32_t count)
{
	/* Never written through: table_reserve moves the rows before it adds one. */
	return (struct table){.rows = (void *)(uintptr_t)rows, .cap = count, .count = count};
}

void profile_dict_adopt(struct profile_batch *batch, const struct profile_dict *dict)
{
	assert(dict->stack_count <= TABLE_ROWS_MAX && dict->location_count <= TABLE_ROWS_MAX);
	batch->dict = *dict;
	*batch->builder = (struct profile_builder){
		.mappings = adopt(dict->mappings, dict->mapping_count),
		.locations = adopt(dict->locations, dict->location_count),
		.functions = adopt(dict->functions, dict->function_count),
		.links = adopt(dict->links, dict->link_count),
		.attributes = adopt(dict->attributes, dict->attribute_count),
		.stacks = adopt(dict->stacks, dict->stack_count),
	};
}
