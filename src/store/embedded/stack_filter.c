/* Which stacks begin with the call sites. What holds for a node follows from
 * its parent and its own frame, and is remembered; so each node is looked at
 * once, and only those right below the path so far have their names read. */
#include "base/mem.h"
#include "store/embedded/scan.h"
#include "store/embedded/symbols.h"

enum { MEMO_MAX = 1024 * 1024 };

/* A state is how many call sites the stack has taken; one more than there are: it went another way. */
static uint64_t lost(const struct scan *scan)
{
	return scan->query->selection->call_site_count + 1;
}

static int frame_text(struct query *query, uint32_t id, struct store_frame *ret, struct err *err)
{
	const struct frame_row *row;
	int rc = pages_frame(&query->pages, id, &row, err);
	if (rc)
		return rc;
	*ret = (struct store_frame){.address = row->address};
	struct {
		enum frame_string which;
		struct str *to;
	} texts[] = {{FRAME_NAME, &ret->name},
		     {FRAME_SYSTEM_NAME, &ret->system_name},
		     {FRAME_KIND, &ret->kind},
		     {FRAME_MAPPING, &ret->mapping},
		     {FRAME_BUILD_ID, &ret->build_id}};
	for (size_t i = 0; !rc && i < sizeof(texts) / sizeof(texts[0]); i++)
		rc = pages_string(&query->pages, row->strings[texts[i].which], texts[i].to, err);
	return rc ? rc : symbols_name(query, &query->work, ret, 1, err);
}

static int take_step(struct scan *scan, uint64_t above, uint32_t frame, uint64_t *ret,
		     struct err *err)
{
	const struct store_selection *selection = scan->query->selection;
	struct store_frame text;
	*ret = above;
	if (above >= selection->call_site_count)
		return 0;
	int rc = frame_text(scan->query, frame, &text, err);
	if (rc)
		return rc;
	struct str name = store_frame_name(&scan->query->work, &text);
	if (!name.ptr)
		return query_full(scan->query, 64, err);
	*ret = str_equal(name, selection->call_sites[above]) ? above + 1 : lost(scan);
	return 0;
}

/* The node and its ancestors up to one that is known, into the chain. */
static int climb(struct scan *scan, uint32_t node, size_t *ret_count, uint64_t *ret_state,
		 struct err *err)
{
	size_t count = 0;
	for (*ret_state = 0; node; count++) {
		struct node_row row;
		uint64_t *known = map_get(&scan->known_nodes, node);
		if (known) {
			*ret_state = *known;
			break;
		}
		uint32_t *chain = arena_grow(&scan->query->work, scan->chain, &scan->chain_cap,
					     count + 1, sizeof(*chain));
		if (!chain)
			return query_full(scan->query, scan->chain_cap * 8, err);
		scan->chain = chain;
		chain[count] = node;
		int rc = pages_node(&scan->query->pages, node, &row, err);
		if (rc)
			return rc;
		node = row.parent;
	}
	*ret_count = count;
	return 0;
}

static int state_of(struct scan *scan, uint32_t node, uint64_t *ret, struct err *err)
{
	size_t count = 0;
	if (scan->known_nodes.count >= MEMO_MAX)
		map_clear(&scan->known_nodes);
	int rc = climb(scan, node, &count, ret, err);
	while (!rc && count-- > 0) {
		struct node_row row;
		rc = pages_node(&scan->query->pages, scan->chain[count], &row, err);
		rc = rc ? rc : take_step(scan, *ret, row.frame, ret, err);
		rc = rc ? rc : map_put(&scan->known_nodes, scan->chain[count], *ret, err);
	}
	return rc;
}

int stack_filter_apply(struct scan *scan, struct err *err)
{
	const int64_t *nodes;
	uint64_t whole = scan->query->selection->call_site_count, state = 0;
	int64_t last = -1;
	size_t kept = 0;
	int rc = scan_column(scan, BLOCK_NODE, &nodes, err);
	for (size_t i = 0; !rc && i < scan->row_count; i++) {
		uint32_t row = scan->rows[i];
		if (nodes[row] != last) {
			last = nodes[row];
			if (last < 0 || last > UINT32_MAX)
				return err_set(err, ERR_CORRUPT,
					       "sample block: stack out of range");
			rc = state_of(scan, (uint32_t)last, &state, err);
		}
		scan->rows[kept] = row;
		kept += state == whole;
	}
	scan->row_count = kept;
	return rc;
}
