/* Symbols of a build id are written whole, in one batch: the old runs' deletion,
 * the new runs, the record. The batch is made beside the writer, which is held up
 * only while it is written. Blocks and frames stay as they are; readers look the
 * names up. */
#include "store/embedded/symbols.h"

#include "base/clock.h"
#include "store/embedded/gauges.h"

enum { RUN_TEXT_BYTES = 64 * 1024 };

struct symbols_place symbols_place(const struct store *store, uint32_t tenant, struct str build_id)
{
	return (struct symbols_place){tenant, dict_hash(store->seed, build_id)};
}

struct key symbols_record_key(const struct symbols_place *place)
{
	return key_hash(place->tenant, KEY_SYMBOLS, place->hash);
}

int symbols_read_record(struct rocks *rocks, const struct rocks_view *view,
			const struct symbols_place *place, struct str build_id,
			struct rocks_value *value, struct store_symbols *ret, bool *ret_found,
			struct err *err)
{
	struct key key = symbols_record_key(place);
	int rc = rocks_get(rocks, view, FAMILY_DICT, key_str(&key), value, err);
	*ret_found = false;
	if (rc || !value->bytes.ptr)
		return rc;
	rc = symbols_record_get(value->bytes, ret, err);
	*ret_found = !rc && str_equal(ret->build_id, build_id);
	return rc;
}

/* ---- checks ---- */

static int check_text(struct str text, const char *what, size_t number, struct err *err)
{
	if (text.len <= STORE_SYMBOL_TEXT_MAX)
		return 0;
	return err_set(err, ERR_INVALID, "symbol %zu: its %s has %zu bytes, %d are allowed", number,
		       what, text.len, STORE_SYMBOL_TEXT_MAX);
}

static int check_symbol(const struct store_symbol *symbol, size_t number, struct err *err)
{
	if (symbol->name.len == 0)
		return err_set(err, ERR_INVALID, "symbol %zu has no name", number);
	int rc = check_text(symbol->name, "name", number, err);
	rc = rc ? rc : check_text(symbol->system_name, "system name", number, err);
	return rc ? rc : check_text(symbol->filename, "file name", number, err);
}

static int check_put(struct str tenant, struct str build_id, struct str source,
		     const struct store_symbol *symbols, size_t count, struct err *err)
{
	int rc = 0;
	if (tenant.len == 0 || tenant.len > TENANT_NAME_MAX)
		return err_set(err, ERR_INVALID, "symbols: a tenant's name has 1 to %d bytes",
			       TENANT_NAME_MAX);
	if (build_id.len == 0 || build_id.len > STORE_BUILD_ID_MAX)
		return err_set(err, ERR_INVALID, "symbols: a build id has 1 to %d characters",
			       STORE_BUILD_ID_MAX);
	if (source.len > STORE_SYMBOLS_SOURCE_MAX)
		return err_set(err, ERR_INVALID, "symbols: the source has more than %d bytes",
			       STORE_SYMBOLS_SOURCE_MAX);
	if (count == 0)
		return err_set(err, ERR_INVALID, "symbols of %.*s: there is no function",
			       STR_ARG(build_id));
	if (count > STORE_SYMBOLS_MAX)
		return err_set(err, ERR_LIMIT, "symbols of %.*s: %zu functions, %d are allowed",
			       STR_ARG(build_id), count, STORE_SYMBOLS_MAX);
	for (size_t i = 0; !rc && i < count; i++)
		rc = check_symbol(&symbols[i], i, err);
	return rc;
}

/* ---- making the batch ---- */

struct runs {
	struct store *store;
	rocksdb_writebatch_t *batch;
	const struct symbols_place *place;
	struct symbol_range rows[SYMBOLS_PER_RUN];
	size_t count, text_bytes;
	struct buf value;
	uint64_t size_bytes;
};

static int end_run(struct runs *runs, struct err *err)
{
	if (runs->count == 0)
		return 0;
	struct key key = key_symbol(runs->place->tenant, runs->place->hash, runs->rows[0].start);
	buf_clear(&runs->value);
	symbols_run_put(&runs->value, runs->rows, runs->count);
	int rc = buf_check(&runs->value, "run of symbols", err);
	if (rc)
		return rc;
	rocks_put(runs->store->rocks, runs->batch, FAMILY_DICT, key_str(&key),
		  buf_text(&runs->value));
	runs->size_bytes += runs->value.len;
	runs->count = runs->text_bytes = 0;
	if (runs->size_bytes > STORE_SYMBOLS_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "the symbols take more than %d MiB",
			       STORE_SYMBOLS_BYTES_MAX >> 20);
	return 0;
}

static int add_range(void *context, uint64_t start, uint64_t end, const struct store_symbol *symbol,
		     struct err *err)
{
	struct runs *runs = context;
	int rc = 0;
	if (runs->count == SYMBOLS_PER_RUN || runs->text_bytes >= RUN_TEXT_BYTES)
		rc = end_run(runs, err);
	if (rc)
		return rc;
	runs->rows[runs->count++] = (struct symbol_range){
		.start = start,
		.end = end,
		.name = symbol->name,
		.system_name = str_equal(symbol->system_name, symbol->name) ? STR("")
									    : symbol->system_name,
		.filename = symbol->filename,
	};
	runs->text_bytes += symbol->name.len + symbol->system_name.len + symbol->filename.len;
	return 0;
}

static void put_record(struct runs *runs, struct store_symbols *record)
{
	struct key key = symbols_record_key(runs->place);
	record->size_bytes = runs->size_bytes;
	buf_clear(&runs->value);
	symbols_record_put(&runs->value, record);
	rocks_put(runs->store->rocks, runs->batch, FAMILY_DICT, key_str(&key),
		  buf_text(&runs->value));
}

static int fill_runs(struct runs *runs, const struct store_symbol *symbols, size_t count,
		     struct store_symbols *record, struct err *err)
{
	int rc = symbols_flatten(symbols, count, add_range, runs, err);
	rc = rc ? rc : end_run(runs, err);
	if (!rc && runs->size_bytes == 0)
		rc = err_set(err, ERR_INVALID, "no function has an address");
	if (!rc)
		put_record(runs, record);
	return rc ? rc : buf_check(&runs->value, "record of symbols", err);
}

static int delete_runs(struct store *store, rocksdb_writebatch_t *batch,
		       const struct symbols_place *place, struct err *err)
{
	struct key from = key_hash(place->tenant, KEY_SYMBOL, place->hash), to = key_after(&from);
	return rocks_delete_range(store->rocks, batch, FAMILY_DICT, &from, &to, err);
}

/* ---- writing, under commit_lock ---- */

static int begin_write(struct store *store, struct err *err)
{
	pthread_mutex_lock(&store->writer.commit_lock);
	int rc = disk_check(store, err);
	return rc ? rc : writer_repair(store, err);
}

static int write_batch(struct store *store, rocksdb_writebatch_t *batch, struct err *err)
{
	int rc = rocks_write_synced(store->rocks, batch, err);
	if (!rc)
		return 0;
	metric_add(&store_commit_failures_total, 1);
	txn_abort(&store->writer.txn);
	store->writer.broken = rc;
	store->writer.retry_at_ns = 0;
	return rc;
}

static void end_write(struct store *store)
{
	pthread_mutex_unlock(&store->writer.commit_lock);
}

/* A tenant that never wrote may upload before its first profile comes. */
static int make_tenant(struct store *store, struct str name, uint32_t *ret, struct err *err)
{
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	struct txn *txn = &store->writer.txn;
	struct tenant *tenant = NULL;
	int rc = begin_write(store, err);
	rc = rc ? rc : tenants_get(&txn->tenants, store->rocks, batch, name, &tenant, err);
	if (!rc && tenant->fresh) {
		rc = tenant_put(tenant, store->rocks, batch, err);
		rc = rc ? rc : write_batch(store, batch, err);
		if (!rc)
			tenant_written(tenant);
		else
			txn_abort(txn);
	}
	if (!rc)
		*ret = tenant->id;
	end_write(store);
	rocksdb_writebatch_destroy(batch);
	return rc;
}

/* With rocks_lock held. */
static int look_in(struct store *store, struct str tenant, struct str build_id,
		   struct symbols_place *ret, bool *ret_found, struct err *err)
{
	struct rocks_value value = {0};
	struct store_symbols record;
	struct rocks_view view;
	uint32_t id = 0;
	rocks_view_open(store->rocks, &view);
	int rc = tenant_find(&view, tenant, &id, err);
	*ret = symbols_place(store, id, build_id);
	if (!rc && id)
		rc = symbols_read_record(store->rocks, &view, ret, build_id, &value, &record,
					 ret_found, err);
	rocks_value_free(&value);
	rocks_view_close(&view);
	return rc;
}

/* Where the build id is in the tenant (0: it never wrote), and whether something is there. */
static int look(struct store *store, struct str tenant, struct str build_id,
		struct symbols_place *ret, bool *ret_found, struct err *err)
{
	*ret = (struct symbols_place){0};
	*ret_found = false;
	pthread_rwlock_rdlock(&store->rocks_lock);
	int rc = store->rocks ? look_in(store, tenant, build_id, ret, ret_found, err)
			      : err_set(err, ERR_IO, "the store's database is not open");
	pthread_rwlock_unlock(&store->rocks_lock);
	return rc;
}

/* Runs go with or without a record: damage may have taken it, and those that stay would name addresses. */
static int make_batch(struct store *store, const struct symbols_place *place,
		      const struct store_symbol *symbols, size_t count,
		      struct store_symbols *record, rocksdb_writebatch_t *batch, struct err *err)
{
	struct runs runs = {.store = store, .batch = batch, .place = place};
	pthread_rwlock_rdlock(&store->rocks_lock);
	int rc = store->rocks ? 0 : err_set(err, ERR_IO, "the store's database is not open");
	if (!rc) {
		rc = delete_runs(store, batch, place, err);
		rc = rc ? rc : fill_runs(&runs, symbols, count, record, err);
	}
	pthread_rwlock_unlock(&store->rocks_lock);
	buf_deinit(&runs.value);
	return rc;
}

static int commit(struct store *store, rocksdb_writebatch_t *batch, struct err *err)
{
	int rc = begin_write(store, err);
	rc = rc ? rc : write_batch(store, batch, err);
	if (!rc)
		answers_forget(store);
	end_write(store);
	return rc;
}

/* What is there goes even when its record cannot be read: what takes its place is whole. */
static int put(struct store *store, struct str tenant, struct store_symbols *record,
	       const struct store_symbol *symbols, size_t count, bool *ret_replaced,
	       struct err *err)
{
	struct symbols_place place;
	int rc = look(store, tenant, record->build_id, &place, ret_replaced, err);
	if (rc == ERR_CORRUPT && place.tenant) {
		*ret_replaced = true;
		rc = 0;
	}
	if (!rc && !place.tenant)
		rc = make_tenant(store, tenant, &place.tenant, err);
	if (rc)
		return rc;
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	rc = make_batch(store, &place, symbols, count, record, batch, err);
	rc = rc ? rc : commit(store, batch, err);
	rocksdb_writebatch_destroy(batch);
	return rc;
}

int store_symbols_put(struct store *store, struct str tenant, struct str build_id,
		      struct str source, const struct store_symbol *symbols, size_t count,
		      bool *ret_replaced, struct err *err)
{
	struct store_symbols record = {.build_id = build_id,
				       .source = source,
				       .time_ns = clock_real_ns(),
				       .functions = count};
	bool replaced = false;
	int rc = check_put(tenant, build_id, source, symbols, count, err);
	if (rc)
		return rc;
	pthread_mutex_lock(&store->symbols_lock);
	rc = put(store, tenant, &record, symbols, count, &replaced, err);
	pthread_mutex_unlock(&store->symbols_lock);
	if (rc)
		return rc;
	metric_add(&store_symbols_total, (int64_t)count);
	if (ret_replaced)
		*ret_replaced = replaced;
	return 0;
}

static int delete (struct store *store, struct str tenant, struct str build_id, struct err *err)
{
	struct symbols_place place;
	bool found = false;
	int rc = look(store, tenant, build_id, &place, &found, err);
	if (rc == ERR_CORRUPT && place.tenant) {
		found = true;
		rc = 0;
	}
	if (!rc && !found)
		rc = err_set(err, ERR_NOT_FOUND, "there are no symbols of build id %.*s",
			     STR_ARG(str_sub(build_id, 0, STORE_BUILD_ID_MAX)));
	if (rc)
		return rc;
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	struct key key = symbols_record_key(&place);
	pthread_rwlock_rdlock(&store->rocks_lock);
	rc = store->rocks ? 0 : err_set(err, ERR_IO, "the store's database is not open");
	if (!rc) {
		rc = delete_runs(store, batch, &place, err);
		rocks_delete(store->rocks, batch, FAMILY_DICT, key_str(&key));
	}
	pthread_rwlock_unlock(&store->rocks_lock);
	rc = rc ? rc : commit(store, batch, err);
	rocksdb_writebatch_destroy(batch);
	return rc;
}

int store_symbols_delete(struct store *store, struct str tenant, struct str build_id,
			 struct err *err)
{
	pthread_mutex_lock(&store->symbols_lock);
	int rc = delete (store, tenant, build_id, err);
	pthread_mutex_unlock(&store->symbols_lock);
	return rc;
}
