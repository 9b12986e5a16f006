/* Nodes, frames and strings: page by page, the highest ids first. A page whose
 * entries are all gone is deleted; another one is written again as one run, with
 * empty entries for what is gone. */
#include "store/embedded/collection.h"

#include "store/embedded/run.h"

enum { TEXTS_MAX_BYTES = 4 * 1024 * 1024 }; /* of strings held for hashing */

/* One page as it is stored. */
struct entries {
	uint32_t first;		       /* id of its first place */
	bool present[NODES_PER_PAGE];  /* the place has an entry */
	uint32_t runs[NODES_PER_PAGE]; /* first ids */
	size_t run_count;
	struct node_row nodes[NODES_PER_PAGE]; /* of these, the page's kind */
	struct frame_row frames[FRAMES_PER_PAGE];
	struct str strings[STRINGS_PER_PAGE]; /* in the arena */
};

struct sweep {
	struct collection *c;
	const struct page_kind *kind;
	const struct rocks_view *view;
	struct pages pages;
	struct entries *page;
	struct victim *victims;
	size_t victim_count;
};

struct page_kind {
	enum used_kind used;
	enum key_kind key;
	uint32_t places;
	/* A run into the page from that place on. */
	int (*get)(struct sweep *sweep, uint32_t place, struct str bytes, size_t *ret_count,
		   struct err *err);
	void (*put)(struct buf *out, struct entries *page, uint32_t place, uint32_t count);
	/* Marks what the entry refers to; NULL: nothing. */
	void (*keep)(struct sweep *sweep, uint32_t place);
	/* Its keys. */
	int (*find)(struct sweep *sweep, uint32_t place, struct victim *victim, struct err *err);
};

/* ---- nodes ---- */

static int get_nodes(struct sweep *sweep, uint32_t place, struct str bytes, size_t *ret_count,
		     struct err *err)
{
	struct entries *page = sweep->page;
	int rc = run_get_nodes(bytes, page->first + place, page->nodes + place,
			       NODES_PER_PAGE - place, ret_count, err);
	for (size_t i = place; !rc && i < place + *ret_count; i++)
		page->present[i] = page->nodes[i].frame != 0;
	return rc;
}

/* An empty one refers to the node before it, which takes the least space. */
static void put_nodes(struct buf *out, struct entries *page, uint32_t place, uint32_t count)
{
	for (uint32_t i = place; i < place + count; i++)
		if (!page->present[i])
			page->nodes[i] = (struct node_row){page->first + i - 1, 0};
	run_put_nodes(out, page->nodes + place, count, page->first + place);
}

static void keep_node(struct sweep *sweep, uint32_t place)
{
	const struct node_row *node = &sweep->page->nodes[place];
	used_add(&sweep->c->used, USED_NODE, node->parent);
	used_add(&sweep->c->used, USED_FRAME, node->frame);
}

static int find_node(struct sweep *sweep, uint32_t place, struct victim *victim, struct err *err)
{
	const struct node_row *node = &sweep->page->nodes[place];
	uint32_t tenant = sweep->c->tenant;
	(void)err;
	victim->key = key_kind_u32x2(tenant, KEY_NODE, node->parent, node->frame);
	victim->cached = id_key_pair(tenant, KEY_NODE, node->parent, node->frame);
	victim->listed = true;
	return 0;
}

static const struct page_kind nodes = {USED_NODE, KEY_NODE,  NODES_PER_PAGE, get_nodes,
				       put_nodes, keep_node, find_node};

/* ---- frames ---- */

static int get_frames(struct sweep *sweep, uint32_t place, struct str bytes, size_t *ret_count,
		      struct err *err)
{
	struct entries *page = sweep->page;
	int rc = run_get_frames(bytes, page->frames + place, FRAMES_PER_PAGE - place, ret_count,
				err);
	for (size_t i = place; !rc && i < place + *ret_count; i++)
		page->present[i] = true;
	return rc;
}

static void put_frames(struct buf *out, struct entries *page, uint32_t place, uint32_t count)
{
	for (uint32_t i = place; i < place + count; i++)
		if (!page->present[i])
			page->frames[i] = (struct frame_row){0};
	run_put_frames(out, page->frames + place, count);
}

static void keep_frame(struct sweep *sweep, uint32_t place)
{
	for (unsigned i = 0; i < FRAME_STRINGS; i++)
		used_add(&sweep->c->used, USED_STRING, sweep->page->frames[place].strings[i]);
}

static bool says_nothing(const struct frame_row *row)
{
	static const struct frame_row nothing;
	return memcmp(row, &nothing, sizeof(nothing)) == 0;
}

/* A frame of nothing but zeros is an emptied entry, unless it is the one frame that says nothing. */
static int find_frame(struct sweep *sweep, uint32_t place, struct victim *victim, struct err *err)
{
	struct collection *c = sweep->c;
	const struct frame_row *row = &sweep->page->frames[place];
	struct str texts[FRAME_STRINGS];
	struct hash128 hash;
	int rc = 0;
	for (unsigned i = 0; !rc && i < FRAME_STRINGS; i++)
		rc = pages_string(&sweep->pages, row->strings[i], &texts[i], err);
	if (rc)
		return rc;
	struct store_frame frame = {.name = texts[FRAME_NAME],
				    .system_name = texts[FRAME_SYSTEM_NAME],
				    .filename = texts[FRAME_FILENAME],
				    .kind = texts[FRAME_KIND],
				    .mapping = texts[FRAME_MAPPING],
				    .build_id = texts[FRAME_BUILD_ID],
				    .address = row->address,
				    .line = row->line,
				    .start_line = row->start_line};
	rc = dict_frame_hash(c->store->seed, &c->scratch, &frame, &hash, err);
	if (rc)
		return rc;
	victim->key = key_hash(c->tenant, KEY_FRAME, hash);
	victim->cached = id_key_hash(c->tenant, KEY_FRAME, hash);
	rc = collect_look_up(sweep->view, victim, err);
	if (!rc && !victim->listed && says_nothing(row))
		sweep->page->present[place] = false;
	return rc;
}

static const struct page_kind frames = {USED_FRAME, KEY_FRAME,	FRAMES_PER_PAGE, get_frames,
					put_frames, keep_frame, find_frame};

/* ---- strings ---- */

static int get_strings(struct sweep *sweep, uint32_t place, struct str bytes, size_t *ret_count,
		       struct err *err)
{
	struct entries *page = sweep->page;
	int rc = run_get_strings(bytes, page->strings + place, STRINGS_PER_PAGE - place, ret_count,
				 err);
	for (size_t i = place; !rc && i < place + *ret_count; i++) {
		page->present[i] = page->strings[i].len > 0;
		page->strings[i] = arena_str(&sweep->c->arena, page->strings[i]);
		if (!page->strings[i].ptr)
			rc = err_set(err, ERR_NOMEM, "collecting strings: no memory");
	}
	return rc;
}

static void put_strings(struct buf *out, struct entries *page, uint32_t place, uint32_t count)
{
	for (uint32_t i = place; i < place + count; i++)
		if (!page->present[i])
			page->strings[i] = STR("");
	run_put_strings(out, page->strings + place, count);
}

static int find_string(struct sweep *sweep, uint32_t place, struct victim *victim, struct err *err)
{
	struct collection *c = sweep->c;
	struct hash128 hash = dict_hash(c->store->seed, sweep->page->strings[place]);
	victim->key = key_hash(c->tenant, KEY_STRING, hash);
	victim->cached = id_key_hash(c->tenant, KEY_STRING, hash);
	return collect_look_up(sweep->view, victim, err);
}

static const struct page_kind strings = {USED_STRING, KEY_STRING, STRINGS_PER_PAGE, get_strings,
					 put_strings, NULL,	  find_string};

/* ---- reading a page ---- */

static int load(struct sweep *sweep, uint32_t number, struct err *err)
{
	const struct page_kind *kind = sweep->kind;
	struct entries *page = sweep->page;
	page->first = number * kind->places;
	struct key from = key_kind_u32(sweep->c->tenant, kind->key, page->first);
	struct key last = key_kind_u32(sweep->c->tenant, kind->key, page->first + kind->places - 1);
	struct key to = key_after(&last);
	struct rocks_iter iter;
	size_t count;
	int rc = 0;
	rocks_iter_open(sweep->view, FAMILY_DICT, &from, &to, true, &iter);
	for (; !rc && rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		uint32_t id = key_part(rocks_iter_key(&iter), 0);
		page->runs[page->run_count++] = id;
		rc = kind->get(sweep, id - page->first, rocks_iter_value(&iter), &count, err);
	}
	rc = rc ? rc : rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	return rc;
}

static int fresh_pages(struct sweep *sweep, struct err *err)
{
	if (sweep->pages.index && sweep->pages.used_bytes < TEXTS_MAX_BYTES)
		return 0;
	pages_close(&sweep->pages);
	return pages_open(&sweep->pages, sweep->c->store->pages, sweep->view, sweep->c->tenant,
			  err);
}

static int judge(struct sweep *sweep, uint32_t place, struct err *err)
{
	struct collection *c = sweep->c;
	uint32_t id = sweep->page->first + place;
	if (used_has(&c->used, sweep->kind->used, id)) {
		if (sweep->kind->keep)
			sweep->kind->keep(sweep, place);
		return 0;
	}
	struct victim *victim = &sweep->victims[sweep->victim_count];
	victim->id = id;
	int rc = fresh_pages(sweep, err);
	rc = rc ? rc : sweep->kind->find(sweep, place, victim, err);
	sweep->victim_count += sweep->page->present[place];
	return rc;
}

/* Downwards: a node marks its parent, which has the smaller id. */
static int look_at(struct sweep *sweep, uint32_t number, struct err *err)
{
	struct collection *c = sweep->c;
	struct rocks_view view;
	int rc = collect_look(c, &view, err);
	if (rc)
		return rc;
	/* cppcheck-suppress autoVariables ; used only until the view is closed below */
	sweep->view = &view;
	rc = load(sweep, number, err);
	for (uint32_t place = sweep->kind->places; !rc && place-- > 0;)
		if (sweep->page->present[place]) {
			c->seen++;
			rc = judge(sweep, place, err);
		}
	pages_close(&sweep->pages);
	collect_look_end(c, &view);
	return rc;
}

/* ---- removing ---- */

static uint32_t remove_victims(struct sweep *sweep)
{
	struct collection *c = sweep->c;
	uint32_t count = 0;
	for (size_t i = 0; i < sweep->victim_count; i++) {
		const struct victim *victim = &sweep->victims[i];
		uint32_t place = victim->id - sweep->page->first;
		if (!used_has(&c->used, sweep->kind->used, victim->id)) {
			collect_remove(c, victim);
			sweep->page->present[place] = false;
			count++;
		} else if (sweep->kind->keep) {
			sweep->kind->keep(sweep, place);
		}
	}
	return count;
}

/* Runs that came meanwhile have keys of their own, behind all of these. */
static int put_page(struct sweep *sweep, struct err *err)
{
	struct collection *c = sweep->c;
	struct entries *page = sweep->page;
	uint32_t first = 0, end = sweep->kind->places;
	while (first < end && !page->present[first])
		first++;
	while (end > first && !page->present[end - 1])
		end--;
	for (size_t i = 0; i < page->run_count; i++) {
		struct key key = key_kind_u32(c->tenant, sweep->kind->key, page->runs[i]);
		rocks_delete(c->store->rocks, c->batch, FAMILY_DICT, key_str(&key));
	}
	if (first == end)
		return 0;
	struct key key = key_kind_u32(c->tenant, sweep->kind->key, page->first + first);
	buf_clear(&c->scratch);
	sweep->kind->put(&c->scratch, page, first, end - first);
	int rc = buf_check(&c->scratch, "dictionary run", err);
	if (!rc)
		rocks_put(c->store->rocks, c->batch, FAMILY_DICT, key_str(&key),
			  buf_text(&c->scratch));
	return rc;
}

static int remove_dead(struct sweep *sweep, struct err *err)
{
	int rc = sweep->victim_count ? collect_begin(sweep->c, err) : 0;
	if (rc || !sweep->victim_count)
		return rc;
	uint32_t count = remove_victims(sweep);
	rc = count ? put_page(sweep, err) : 0;
	return collect_end(sweep->c, sweep->kind->used, count, rc, err);
}

static int sweep_page(struct collection *c, const struct page_kind *kind, uint32_t number,
		      struct err *err)
{
	struct sweep sweep = {.c = c, .kind = kind};
	arena_reset(&c->arena);
	sweep.page = arena_zalloc(&c->arena, 1, sizeof(*sweep.page));
	sweep.victims = arena_zalloc(&c->arena, kind->places + 1, sizeof(*sweep.victims));
	if (!sweep.page || !sweep.victims)
		return err_set(err, ERR_NOMEM, "collecting dictionary entries: no memory");
	int rc = look_at(&sweep, number, err);
	return rc ? rc : remove_dead(&sweep, err);
}

static int sweep_kind(struct collection *c, const struct page_kind *kind, struct err *err)
{
	uint32_t number = (c->used.count[kind->used] - 1) / kind->places + 1;
	int rc = 0;
	while (!rc && number-- > 0)
		rc = sweep_page(c, kind, number, err);
	return rc;
}

int collect_nodes(struct collection *c, struct err *err)
{
	return sweep_kind(c, &nodes, err);
}

int collect_frames(struct collection *c, struct err *err)
{
	return sweep_kind(c, &frames, err);
}

int collect_strings(struct collection *c, struct err *err)
{
	return sweep_kind(c, &strings, err);
}
