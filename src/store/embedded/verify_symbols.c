/* Late symbols: each run and each record must decode, and stand where its
 * content says. */
#include "store/embedded/symbols.h"
#include "store/embedded/verify.h"

int verify_symbol_run(void *context, struct str key, struct str value, struct err *err)
{
	struct verify_tenant *tenant = context;
	struct symbol_range ranges[SYMBOLS_PER_RUN];
	uint64_t start = 0;
	size_t count;
	struct err why;
	(void)err;
	if (!key_parse_symbol(key, &start))
		verify_tenant_found(tenant, "late symbols: the key has %zu bytes instead of 29",
				    key.len);
	else if (symbols_run_get(value, start, ranges, &count, &why))
		verify_tenant_found(tenant, "late symbols from address %llx: %s",
				    (unsigned long long)start, why.text);
	return 0;
}

int verify_symbol_record(void *context, struct str key, struct str value, struct err *err)
{
	struct verify_tenant *tenant = context;
	struct store_symbols record;
	struct err why;
	(void)err;
	if (symbols_record_get(value, &record, &why)) {
		verify_tenant_found(tenant, "record of late symbols: %s", why.text);
		return 0;
	}
	struct hash128 hash = dict_hash(tenant->verify->seed, record.build_id);
	struct key expected = key_hash(tenant->id, KEY_SYMBOLS, hash);
	if (!str_equal(key_str(&expected), key))
		verify_tenant_found(tenant,
				    "record of late symbols: it stands under another build id "
				    "than %.*s",
				    STR_ARG(str_sub(record.build_id, 0, STORE_BUILD_ID_MAX)));
	return 0;
}
