/* Runs of the dictionary, in the order of what refers to what: so whatever an
 * entry refers to was seen before it. An id without an entry (a failed write
 * took it, or the collection removed it) is no finding until something refers
 * to it. */
#include "store/embedded/run.h"
#include "store/embedded/verify.h"

struct runs {
	struct verify_tenant *tenant;
	const struct run_kind *kind;
	uint64_t next;	/* the first id behind the run before */
	uint32_t limit; /* of the counters */
};

struct run_kind {
	enum key_kind key;
	enum verify_kind kind;
	uint32_t per_page;
	/* Entries first ... of at most max; *ret_count of them. ERR_CORRUPT and the like are findings. */
	int (*check)(struct runs *runs, uint32_t first, struct str bytes, size_t max,
		     size_t *ret_count, struct err *err);
};

static int add_entry(struct runs *runs, uint32_t id, const struct verify_key *key, bool known,
		     struct err *err)
{
	runs->tenant->verify->done.entries++;
	return verify_add(runs->tenant, runs->kind->kind, id, key, known, err);
}

/* ---- strings ---- */

static int check_strings(struct runs *runs, uint32_t first, struct str bytes, size_t max,
			 size_t *ret_count, struct err *err)
{
	struct str rows[STRINGS_PER_PAGE];
	int rc = run_get_strings(bytes, rows, max, ret_count, err);
	for (size_t i = 0; !rc && i < *ret_count; i++) {
		if (rows[i].len == 0)
			continue; /* collected */
		struct verify_key key = verify_key_string(runs->tenant, rows[i]);
		rc = add_entry(runs, first + (uint32_t)i, &key, true, err);
	}
	return rc;
}

/* ---- frames ---- */

static bool frame_is_empty(const struct frame_row *row)
{
	uint64_t any = row->address | (uint64_t)row->line | (uint64_t)row->start_line;
	for (size_t i = 0; i < FRAME_STRINGS; i++)
		any |= row->strings[i];
	return any == 0;
}

/* A frame of nothing but zeros is a collected one, or the one that says nothing at all: which is what
 * the family ids has under its hash. */
static int is_collected(struct verify_tenant *tenant, uint32_t id, const struct verify_key *key,
			bool *ret, struct err *err)
{
	struct key at = key_kind(tenant->id, KEY_FRAME);
	struct rocks_value value;
	for (size_t i = 0; i < key->len; i++)
		key_u8(&at, (uint8_t)key->bytes[i]);
	int rc = rocks_get(tenant->verify->rocks, &tenant->verify->view, FAMILY_IDS, key_str(&at),
			   &value, err);
	*ret = !rc && !verify_id_is(value.bytes, id);
	rocks_value_free(&value);
	return rc;
}

/* False: its content cannot be known. */
static bool check_frame(struct verify_tenant *tenant, uint32_t id, const struct frame_row *row)
{
	bool sound = true;
	static const char *const names[FRAME_STRINGS] = {
		[FRAME_NAME] = "name",	     [FRAME_SYSTEM_NAME] = "system name",
		[FRAME_FILENAME] = "file",   [FRAME_KIND] = "kind",
		[FRAME_MAPPING] = "mapping", [FRAME_BUILD_ID] = "build id",
	};
	for (size_t i = 0; i < FRAME_STRINGS; i++) {
		if (verify_has(tenant, VERIFY_STRINGS, row->strings[i]))
			continue;
		sound = false;
		verify_tenant_found(tenant,
				    "frame %u: its %s is string %u, which is not in the dictionary",
				    id, names[i], row->strings[i]);
	}
	if (row->address && row->strings[FRAME_NAME])
		verify_tenant_found(tenant, "frame %u has both a name and an address", id);
	return sound;
}

static int check_frames(struct runs *runs, uint32_t first, struct str bytes, size_t max,
			size_t *ret_count, struct err *err)
{
	struct frame_row rows[FRAMES_PER_PAGE];
	int rc = run_get_frames(bytes, rows, max, ret_count, err);
	for (size_t i = 0; !rc && i < *ret_count; i++) {
		uint32_t id = first + (uint32_t)i;
		struct verify_key key;
		bool known, collected = false, sound = check_frame(runs->tenant, id, &rows[i]);
		rc = verify_key_frame(runs->tenant, &rows[i], &key, &known, err);
		if (!rc && frame_is_empty(&rows[i]))
			rc = is_collected(runs->tenant, id, &key, &collected, err);
		if (!rc && !collected)
			rc = add_entry(runs, id, &key, known && sound, err);
	}
	return rc;
}

/* ---- nodes ---- */

static int check_nodes(struct runs *runs, uint32_t first, struct str bytes, size_t max,
		       size_t *ret_count, struct err *err)
{
	struct verify_tenant *tenant = runs->tenant;
	struct node_row rows[NODES_PER_PAGE];
	int rc = run_get_nodes(bytes, first, rows, max, ret_count, err);
	for (size_t i = 0; !rc && i < *ret_count; i++) {
		uint32_t id = first + (uint32_t)i;
		if (rows[i].frame == 0)
			continue; /* collected */
		if (!verify_has(tenant, VERIFY_FRAMES, rows[i].frame))
			verify_tenant_found(tenant,
					    "node %u: its frame %u is not in the dictionary", id,
					    rows[i].frame);
		if (!verify_has(tenant, VERIFY_NODES, rows[i].parent))
			verify_tenant_found(tenant,
					    "node %u: its parent %u is not in the dictionary", id,
					    rows[i].parent);
		struct verify_key key = verify_key_node(&rows[i]);
		rc = add_entry(runs, id, &key, true, err);
	}
	return rc;
}

/* ---- runs of every kind ---- */

/* One row a kind of run, in the order in which they refer to one another. */
static const struct run_kind kinds[] = {
	{KEY_STRING, VERIFY_STRINGS, STRINGS_PER_PAGE, check_strings},
	{KEY_FRAME, VERIFY_FRAMES, FRAMES_PER_PAGE, check_frames},
	{KEY_NODE, VERIFY_NODES, NODES_PER_PAGE, check_nodes},
};

enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

static void check_place(struct runs *runs, uint32_t first, size_t count)
{
	const char *name = verify_kind_name(runs->kind->kind);
	uint64_t after = (uint64_t)first + count;
	if (first < runs->next)
		verify_tenant_found(runs->tenant, "%s %u stands in two runs of the dictionary",
				    name, first);
	if (after > runs->limit)
		verify_tenant_found(runs->tenant,
				    "%s %llu is in the dictionary, but the next one is to be %u",
				    name, (unsigned long long)after - 1, runs->limit);
	runs->next = after > runs->next ? after : runs->next;
}

static int see_run(void *context, struct str key, struct str value, struct err *err)
{
	struct runs *runs = context;
	const char *name = verify_kind_name(runs->kind->kind);
	uint32_t first = key_part(key, 0), per_page = runs->kind->per_page;
	size_t count = 0;
	struct err why;
	if (key.len != 9 || first == 0) {
		verify_tenant_found(runs->tenant, "a run of %ss has a malformed key", name);
		return 0;
	}
	int rc = runs->kind->check(runs, first, value, per_page - first % per_page, &count, &why);
	if (rc && !verify_blames(rc))
		return err_set(err, rc, "%s", why.text);
	if (rc) {
		verify_tenant_found(runs->tenant, "run of %ss from %u on: %s", name, first,
				    why.text);
		/* How many entries it held is unknown; the next run may tell. */
		verify_add_unsure(runs->tenant, runs->kind->kind, first,
				  (uint64_t)first + per_page - first % per_page);
		return 0;
	}
	check_place(runs, first, count);
	return 0;
}

static int verify_runs(struct verify_tenant *tenant, const struct run_kind *kind, struct err *err)
{
	const uint32_t limits[VERIFY_KINDS] = {
		[VERIFY_STRINGS] = tenant->next.string,
		[VERIFY_FRAMES] = tenant->next.frame,
		[VERIFY_NODES] = tenant->next.node,
	};
	struct runs runs = {.tenant = tenant, .kind = kind, .limit = limits[kind->kind]};
	struct verify_ids *ids = &tenant->kinds[kind->kind];
	int rc = verify_each_kind(tenant, FAMILY_DICT, kind->key, see_run, &runs, &ids->cut, err);
	roaring_bitmap_run_optimize(ids->there);
	return rc;
}

static int see_unknown(void *context, struct str key, struct str value, struct err *err)
{
	(void)value;
	(void)err;
	verify_tenant_found(context,
			    "the dictionary has an entry of a kind that this cresset does not "
			    "know: 0x%02x",
			    key.len > 4 ? (unsigned char)key.ptr[4] : 0);
	return 0;
}

/* Late symbols: verify_symbols.c. */
static bool is_known(unsigned letter)
{
	bool known = letter == KEY_SYMBOL || letter == KEY_SYMBOLS;
	for (size_t i = 0; i < KIND_COUNT; i++)
		known = known || letter == kinds[i].key;
	return known;
}

/* Every letter has its range, so that no entry is missed. */
static int verify_others(struct verify_tenant *tenant, struct err *err)
{
	int rc = 0;
	bool cut = false;
	for (unsigned letter = 0; !rc && letter < 256; letter++)
		if (!is_known(letter))
			rc = verify_each_kind(tenant, FAMILY_DICT, (enum key_kind)letter,
					      see_unknown, tenant, &cut, err);
	return rc;
}

int verify_dict(struct verify_tenant *tenant, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < KIND_COUNT; i++)
		rc = verify_runs(tenant, &kinds[i], err);
	return rc ? rc : verify_others(tenant, err);
}
