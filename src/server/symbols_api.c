#include "server/symbols_api.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "server/api.h"
#include "server/pbjson.h"
#include "server/symbols_elf.h"

#define UPLOADS	     "cresset_symbols_uploads_total"
#define UPLOADS_HELP "Files with symbols that were sent, by what became of them"

static struct metric uploads_stored =
	METRIC_COUNTER_INIT(UPLOADS, "result=\"stored\"", UPLOADS_HELP);
static struct metric uploads_refused =
	METRIC_COUNTER_INIT(UPLOADS, "result=\"refused\"", UPLOADS_HELP);
static struct metric uploads_busy = METRIC_COUNTER_INIT(UPLOADS, "result=\"busy\"", UPLOADS_HELP);
static struct metric uploads_failed =
	METRIC_COUNTER_INIT(UPLOADS, "result=\"failed\"", UPLOADS_HELP);

void symbols_api_init(struct symbols_api *api, struct store *store, const struct ingest *ingest)
{
	*api = (struct symbols_api){.store = store, .ingest = ingest};
	pthread_mutex_init(&api->upload, NULL);
}

/* ---- answers ---- */

static void answer_json(const struct net_request *request, struct net_answer *answer, int rc,
			const struct err *err)
{
	struct err failed;
	if (!rc)
		rc = buf_check(&answer->body, "the answer", &failed);
	else
		failed = *err;
	if (rc) {
		api_error(answer, &failed);
		return;
	}
	answer->status = 200;
	net_answer_header(answer, STR("content-type"), STR("application/json"));
	net_answer_gzip(request, answer);
}

/* ---- upload ---- */

static int check_coding(const struct net_request *request, struct err *err)
{
	static const char *const known[] = {"", "identity", "gzip", "x-gzip", "zstd"};
	struct str coding = str_trim(net_header_get(request, STR("content-encoding")));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_equal_nocase(coding, str_of(known[i])))
			return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "Content-Encoding: %.*s is not known here; send gzip, zstd or the file as "
		       "it is",
		       STR_ARG(str_sub(coding, 0, 40)));
}

static int read_upload(const struct net_request *request, struct str build_id,
		       struct symbols_file *ret, struct err *err)
{
	struct buf space = {0};
	struct str bytes;
	int rc = symbols_unpack(request->body, &space, &bytes, err);
	rc = rc ? rc : symbols_read(bytes, build_id, request->arena, ret, err);
	buf_deinit(&space);
	return rc;
}

static int read_and_store(struct symbols_api *api, const struct net_request *request,
			  struct str tenant, struct symbols_take *take, struct err *err)
{
	if (pthread_mutex_trylock(&api->upload)) {
		take->retry = true;
		return err_set(err, ERR_BUSY, "another file with symbols is being read; try again");
	}
	int rc = read_upload(request, take->wanted, &take->file, err);
	if (rc == ERR_LIMIT)
		take->status = 413;
	rc = rc ? rc
		: store_symbols_put(api->store, tenant, take->file.build_id, STR("upload"),
				    take->file.symbols, take->file.count, &take->replaced, err);
	pthread_mutex_unlock(&api->upload);
	return rc;
}

static struct metric *counter_of(int rc)
{
	if (rc == 0)
		return &uploads_stored;
	if (rc == ERR_BUSY)
		return &uploads_busy;
	return rc == ERR_IO || rc == ERR_NOMEM || rc == ERR_CORRUPT ? &uploads_failed
								    : &uploads_refused;
}

int symbols_api_take(struct symbols_api *api, const struct net_request *request, struct str tenant,
		     struct symbols_take *take, struct err *err)
{
	int rc = check_coding(request, err);
	if (rc)
		take->status = 415; /* RFC 9110, section 15.5.16 */
	if (!rc && request->body.len == 0)
		rc = err_set(err, ERR_INVALID, "the body is empty; send an ELF file");
	rc = rc ? rc : read_and_store(api, request, tenant, take, err);
	metric_add(counter_of(rc), 1);
	return rc;
}

static void print_taken(const struct symbols_take *take, struct buf *out)
{
	buf_cstr(out, "{\"buildId\":");
	pbjson_text(take->file.build_id, out);
	buf_printf(out, ",\"functions\":%zu,\"replaced\":%s}\n", take->file.count,
		   take->replaced ? "true" : "false");
}

void symbols_api_upload(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct symbols_api *api = user;
	struct symbols_take take = {.wanted = net_query_get(request, STR("build_id"))};
	struct str tenant;
	struct err err = {0};
	int rc = ingest_tenant(api->ingest, request, &tenant, &err);
	if (rc)
		metric_add(counter_of(rc), 1);
	rc = rc ? rc : symbols_api_take(api, request, tenant, &take, &err);
	if (!rc)
		print_taken(&take, &answer->body);
	if (take.retry)
		net_answer_header(answer, STR("retry-after"), STR("1"));
	answer_json(request, answer, rc, &err);
	if (take.status)
		answer->status = take.status;
}

/* ---- list ---- */

static void print_symbols(const struct store_symbols *symbols, struct buf *out)
{
	buf_cstr(out, "{\"buildId\":");
	pbjson_text(symbols->build_id, out);
	buf_printf(out, ",\"functions\":%" PRIu64 ",\"source\":", symbols->functions);
	pbjson_text(symbols->source, out);
	buf_printf(out, ",\"timeMs\":%" PRIu64 ",\"sizeBytes\":%" PRIu64 "}",
		   symbols->time_ns / NS_PER_MS, symbols->size_bytes);
}

static void print_missing(const struct store_missing *missing, struct buf *out)
{
	buf_cstr(out, "{\"buildId\":");
	pbjson_text(missing->build_id, out);
	buf_cstr(out, ",\"mapping\":");
	pbjson_text(missing->mapping, out);
	buf_printf(out, ",\"frames\":%" PRIu64 "}", missing->frames);
}

static int list(const struct symbols_api *api, const struct net_request *request, struct buf *out,
		struct err *err)
{
	struct store_symbols *symbols = NULL;
	struct store_missing *missing = NULL;
	size_t symbol_count = 0, missing_count = 0;
	struct str tenant;
	int rc = ingest_tenant(api->ingest, request, &tenant, err);
	rc = rc ? rc
		: store_symbols_list(api->store, tenant, request->arena, &symbols, &symbol_count,
				     err);
	rc = rc ? rc
		: store_symbols_missing(api->store, tenant, NULL, request->arena, &missing,
					&missing_count, err);
	if (rc)
		return rc;
	buf_cstr(out, "{\"symbols\":[");
	for (size_t i = 0; i < symbol_count; i++) {
		buf_cstr(out, i ? "," : "");
		print_symbols(&symbols[i], out);
	}
	buf_cstr(out, "],\"missing\":[");
	for (size_t i = 0; i < missing_count; i++) {
		buf_cstr(out, i ? "," : "");
		print_missing(&missing[i], out);
	}
	buf_cstr(out, "]}\n");
	return 0;
}

void symbols_api_list(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct err err = {0};
	int rc = list(user, request, &answer->body, &err);
	answer_json(request, answer, rc, &err);
}

/* ---- delete ---- */

void symbols_api_delete(void *user, const struct net_request *request, struct net_answer *answer)
{
	const struct symbols_api *api = user;
	struct str build_id = str_sub(request->path, sizeof(SYMBOLS_API_PATH), request->path.len);
	struct str tenant;
	struct err err = {0};
	int rc = ingest_tenant(api->ingest, request, &tenant, &err);
	rc = rc ? rc : store_symbols_delete(api->store, tenant, build_id, &err);
	buf_cstr(&answer->body, rc ? "" : "{}\n");
	answer_json(request, answer, rc, &err);
}
