#include "store/embedded/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/embedded/control.h"
#include "store/embedded/embedded.h"

enum {
	MIB = 1024 * 1024,
	MEMORY_DEFAULT_BYTES = 64 * MIB,
	MEMORY_MIN_BYTES = 8 * MIB,
	OPEN_FILES_MAX = 256,
	TICKS_PER_LOOK = 256, /* at the clock */
	PROGRESS_NS = NS_PER_S / 5,
};

/* ---- findings ---- */

/* Names come from outside; a finding is one line of text. */
static void clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static bool may_say(struct verify *verify, const char *format)
{
	struct sentence *at = verify->sentences;
	while (at < verify->sentences + VERIFY_SENTENCES_MAX - 1 && at->format &&
	       at->format != format)
		at++;
	at->format = format;
	return ++at->count <= VERIFY_SAID_MAX;
}

PRINTF_LIKE(3, 0)
static void say(struct verify *verify, const char *in_front, const char *format, va_list args)
{
	char text[ERR_TEXT_MAX + 128];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", in_front);
	verify->done.findings++;
	if (!verify->options->found || !may_say(verify, format))
		return;
	vsnprintf(text + len, sizeof(text) - len, format, args);
	clean(text);
	verify->options->found(verify->options->user, text);
	verify->done.findings_said++;
}

void verify_found(struct verify *verify, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say(verify, "", format, args);
	va_end(args);
}

void verify_tenant_found(struct verify_tenant *tenant, const char *format, ...)
{
	char in_front[96];
	va_list args;
	snprintf(in_front, sizeof(in_front), "tenant \"%s\": ", tenant->name);
	va_start(args, format);
	say(tenant->verify, in_front, format, args);
	va_end(args);
}

bool verify_blames(int rc)
{
	return rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED || rc == ERR_IO || rc == ERR_NOT_FOUND;
}

/* ---- reading ---- */

int verify_tick(struct verify *verify, struct err *err)
{
	const struct store_verify *options = verify->options;
	if (++verify->ticks % TICKS_PER_LOOK)
		return 0;
	if (options->cancelled && *options->cancelled)
		return err_set(err, ERR_CANCELLED, "cancelled");
	uint64_t now_ns = options->progress ? clock_mono_ns() : 0;
	if (options->progress && now_ns >= verify->next_progress_ns) {
		verify->next_progress_ns = now_ns + PROGRESS_NS;
		options->progress(options->user, &verify->done);
	}
	return 0;
}

static int walk(struct verify *verify, struct rocks_iter *iter, verify_entry *visit, void *context,
		struct err *err)
{
	int rc = 0;
	for (; !rc && rocks_iter_valid(iter); rocks_iter_next(iter)) {
		struct str key = rocks_iter_key(iter), value = rocks_iter_value(iter);
		verify->done.bytes += key.len + value.len;
		rc = verify_tick(verify, err);
		rc = rc ? rc : visit(context, key, value, err);
	}
	return rc;
}

int verify_each(struct verify *verify, enum rocks_family family, const struct key *from,
		const struct key *to, verify_entry *visit, void *context, bool *ret_cut,
		struct err *err)
{
	struct err why;
	struct rocks_iter iter;
	rocks_iter_open(&verify->view, family, from, to, true, &iter);
	int rc = walk(verify, &iter, visit, context, err);
	int end = rc ? 0 : rocks_iter_check(&iter, &why);
	rocks_iter_close(&iter);
	if (!end)
		return rc;
	if (!verify_blames(end))
		return err_set(err, end, "%s", why.text);
	verify_found(verify, "family %s: %s; what stands behind it there was not checked",
		     rocks_family_name(family), why.text);
	*ret_cut = true;
	return 0;
}

int verify_each_kind(struct verify_tenant *tenant, enum rocks_family family, enum key_kind kind,
		     verify_entry *visit, void *context, bool *ret_cut, struct err *err)
{
	struct key from = key_kind(tenant->id, kind), to = key_after(&from);
	return verify_each(tenant->verify, family, &from, &to, visit, context, ret_cut, err);
}

/* ---- tenants ---- */

bool verify_has(const struct verify_tenant *tenant, enum verify_kind kind, uint32_t id)
{
	const struct verify_ids *ids = &tenant->kinds[kind];
	return id == 0 || ids->cut || roaring_bitmap_contains(ids->there, id);
}

int verify_add(struct verify_tenant *tenant, enum verify_kind kind, uint32_t id,
	       const struct verify_key *key, bool known, struct err *err)
{
	struct verify_ids *ids = &tenant->kinds[kind];
	roaring_bitmap_add(ids->there, id);
	if (!known) {
		roaring_bitmap_add(ids->unsure, id);
		return 0;
	}
	roaring_bitmap_remove(ids->unsure, id);
	return tally_add(&ids->tally, id, verify_key_str(key), err);
}

void verify_add_unsure(struct verify_tenant *tenant, enum verify_kind kind, uint64_t from,
		       uint64_t to)
{
	roaring_bitmap_add_range(tenant->kinds[kind].there, from, to);
	roaring_bitmap_add_range(tenant->kinds[kind].unsure, from, to);
}

const char *verify_kind_name(enum verify_kind kind)
{
	static const char *const names[VERIFY_KINDS] = {"string", "frame", "node", "series"};
	return names[kind];
}

static void tenant_end(struct verify_tenant *tenant)
{
	for (unsigned i = 0; i < VERIFY_KINDS; i++) {
		if (tenant->kinds[i].there)
			roaring_bitmap_free(tenant->kinds[i].there);
		if (tenant->kinds[i].unsure)
			roaring_bitmap_free(tenant->kinds[i].unsure);
		tally_deinit(&tenant->kinds[i].tally);
		tenant->kinds[i] = (struct verify_ids){0};
	}
	tally_deinit(&tenant->postings);
	buf_deinit(&tenant->scratch);
	pages_close(&tenant->pages);
}

static int tenant_begin(struct verify_tenant *tenant, struct err *err)
{
	struct verify *verify = tenant->verify;
	for (unsigned i = 0; i < VERIFY_KINDS; i++) {
		tenant->kinds[i].there = roaring_bitmap_create();
		tenant->kinds[i].unsure = roaring_bitmap_create();
		if (!tenant->kinds[i].there || !tenant->kinds[i].unsure)
			return err_set(err, ERR_NOMEM, "ids of a tenant: no memory");
	}
	return pages_open(&tenant->pages, verify->page_cache, &verify->view, tenant->id, err);
}

/* What belongs to one tenant, each part relying on those before it. */
static int (*const parts[])(struct verify_tenant *tenant, struct err *err) = {
	verify_dict,	  verify_symbols, verify_series,
	verify_id_family, verify_samples, verify_rollups,
};

static int verify_tenant(struct verify_tenant *tenant, struct err *err)
{
	int rc = tenant_begin(tenant, err);
	for (size_t i = 0; !rc && i < sizeof(parts) / sizeof(parts[0]); i++)
		rc = parts[i](tenant, err);
	tenant_end(tenant);
	tenant->verify->done.tenants += !rc;
	return rc;
}

/* ---- keys of nobody ---- */

static bool is_tenant(const struct verify *verify, uint32_t id)
{
	for (size_t i = 0; i < verify->tenant_count; i++)
		if (verify->tenants[i].id == id)
			return true;
	return false;
}

static uint32_t tenant_of(struct str key)
{
	uint32_t id = 0;
	for (size_t i = 0; i < 4; i++)
		id = id << 8 | (i < key.len ? (unsigned char)key.ptr[i] : 0);
	return id;
}

/* Jumps from tenant to tenant. */
static int find_strangers(struct verify *verify, enum rocks_family family, struct err *err)
{
	struct key from = {0}, to = {0};
	struct rocks_iter iter;
	struct err why;
	memset(to.bytes, 0xff, sizeof(to.bytes));
	to.len = sizeof(to.bytes);
	rocks_iter_open(&verify->view, family, &from, &to, true, &iter);
	while (rocks_iter_valid(&iter)) {
		uint32_t id = tenant_of(rocks_iter_key(&iter));
		if (!is_tenant(verify, id))
			verify_found(verify,
				     "family %s: there are entries of tenant %u, which is not "
				     "there",
				     rocks_family_name(family), id);
		if (id == UINT32_MAX)
			break;
		from.len = 0;
		key_u32(&from, id + 1);
		rocks_iter_seek(&iter, &from);
	}
	int rc = rocks_iter_check(&iter, &why);
	rocks_iter_close(&iter);
	/* A part that cannot be read was said where it was read. */
	return rc && !verify_blames(rc) ? err_set(err, rc, "%s", why.text) : 0;
}

/* ---- the whole ---- */

static int verify_all(struct verify *verify, struct err *err)
{
	static const enum rocks_family families[] = {FAMILY_IDS, FAMILY_DICT, FAMILY_SERIES,
						     FAMILY_SAMPLES, FAMILY_ROLLUPS};
	if (verify->rocks->log_damaged)
		verify_found(verify, "the log of the database is damaged: what stands behind the "
				     "damage is lost");
	int rc = verify_meta(verify, err);
	for (size_t i = 0; !rc && i < verify->tenant_count; i++)
		rc = verify_tenant(&verify->tenants[i], err);
	for (size_t i = 0; !rc && i < sizeof(families) / sizeof(families[0]); i++)
		rc = find_strangers(verify, families[i], err);
	return rc;
}

static int open_database(struct verify *verify, const struct lease *lease, struct err *err)
{
	char path[PLACE_MAX + 8];
	size_t memory = verify->options->memory_bytes;
	if (!memory)
		memory = MEMORY_DEFAULT_BYTES;
	if (memory < MEMORY_MIN_BYTES)
		memory = MEMORY_MIN_BYTES;
	const struct rocks_limits limits = {.block_cache_bytes = memory / 4,
					    .write_buffer_bytes = memory / 4,
					    .open_files_max = OPEN_FILES_MAX};
	verify->pages_bytes = memory / 4;
	verify->table_bytes = memory / 4;
	snprintf(path, sizeof(path), "%s/db", lease->path);
	int rc = rocks_open(path, &limits, true, &verify->rocks, err);
	rc = rc ? rc : page_cache_create(memory / 4, NULL, &verify->page_cache, err);
	if (!rc)
		rocks_view_open(verify->rocks, &verify->view);
	return rc;
}

static void close_database(struct verify *verify)
{
	mem_free(verify->tenants);
	rocks_view_close(&verify->view);
	page_cache_destroy(verify->page_cache);
	rocks_close(verify->rocks);
}

int store_verify(const struct store_verify *options, struct store_verified *ret, struct err *err)
{
	struct lease lease = {.lock_fd = -1, .control_fd = -1};
	uint64_t start_ns = clock_mono_ns();
	struct verify *verify = mem_zalloc(1, sizeof(*verify));
	if (!verify)
		return err_set(err, ERR_NOMEM, "verifying a store: no memory");
	verify->options = options;
	verify->next_progress_ns = start_ns + PROGRESS_NS;
	int rc = lease_take(options->path, &lease, err);
	if (!rc) {
		rc = open_database(verify, &lease, err);
		rc = rc ? rc : verify_all(verify, err);
		rc = lease_check(&lease, rc, err);
	}
	verify->done.took_ns = clock_mono_ns() - start_ns;
	if (!rc)
		*ret = verify->done;
	close_database(verify);
	lease_end(&lease);
	mem_free(verify);
	return rc;
}
