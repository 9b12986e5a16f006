#include "server/debuginfod.h"

bool fetch_is_build_id(struct str build_id)
{
	if (build_id.len < 16 || build_id.len > 2 * ELF_BUILD_ID_MAX || build_id.len % 2)
		return false;
	for (size_t i = 0; i < build_id.len; i++) {
		char c = build_id.ptr[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
	}
	return true;
}

/* What a file is when it came: one that is not what was asked for is as useless as a broken one. */
static enum fetch_result read_file(struct str bytes, struct str build_id, struct arena *arena,
				   struct symbols_file *ret, struct err *why)
{
	struct buf space = {0};
	struct str file;
	int rc = symbols_unpack(bytes, &space, &file, why);
	rc = rc ? rc : symbols_read(file, build_id, arena, ret, why);
	buf_deinit(&space);
	return rc ? FETCH_UNUSABLE : FETCH_FOUND;
}

static enum fetch_result judge_failure(int rc)
{
	if (rc == ERR_CANCELLED)
		return FETCH_CANCELLED;
	return rc == ERR_LIMIT ? FETCH_UNUSABLE : FETCH_FAILED;
}

static enum fetch_result judge_status(int status, const char *path, struct err *why)
{
	err_set(why, ERR_IO, "%s: the server answered %d", path, status);
	return status == 404 || status == 410 ? FETCH_NOT_FOUND : FETCH_FAILED;
}

static enum fetch_result fetch_kind(struct net_client *client, struct str build_id,
				    const char *kind, struct arena *arena, struct symbols_file *ret,
				    struct err *why)
{
	struct net_reply reply = {0};
	struct str path = arena_printf(arena, "/buildid/%.*s/%s", STR_ARG(build_id), kind);
	if (!path.ptr) {
		err_set(why, ERR_NOMEM, "no memory to ask a debuginfod");
		return FETCH_UNUSABLE;
	}
	enum fetch_result result;
	int rc = net_client_http(client, "GET", path.ptr, NULL, STR(""), &reply, why);
	if (rc)
		result = judge_failure(rc);
	else if (reply.http_status != 200)
		result = judge_status(reply.http_status, path.ptr, why);
	else
		result = read_file(buf_text(&reply.body), build_id, arena, ret, why);
	net_reply_deinit(&reply);
	return result;
}

/* An executable may have a symbol table where the debug file is not there, or too large. */
enum fetch_result fetch_symbols(struct net_client *client, struct str build_id, struct arena *arena,
				struct symbols_file *ret, struct err *why)
{
	struct err second = {0};
	enum fetch_result result = fetch_kind(client, build_id, "debuginfo", arena, ret, why);
	if (result != FETCH_NOT_FOUND && result != FETCH_UNUSABLE)
		return result;
	enum fetch_result other = fetch_kind(client, build_id, "executable", arena, ret, &second);
	if (other == FETCH_NOT_FOUND)
		return result;
	*why = second;
	return other;
}
