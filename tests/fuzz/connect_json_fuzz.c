/* Bodies of the query API: JSON and protobuf, for every request message. The
 * first byte picks the message. What was read must come out again, and the
 * same once more. */
#include <stdint.h>

#include "server/api.h"
#include "server/pbjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *type_of(uint8_t byte)
{
	size_t count = 0;
	while (api_rpc_at(count))
		count++;
	return api_rpc_at(byte % count)->request;
}

static void must_read_back(struct arena *arena, const ProtobufCMessage *message)
{
	struct buf once, twice;
	struct err err = {0};
	ProtobufCMessage *again;

	buf_init(&once, 0);
	buf_init(&twice, 0);
	pbjson_encode(message, &once);
	int rc = pbjson_decode(arena, message->descriptor, buf_text(&once), &again, &err);
	if (rc && rc != ERR_NOMEM)
		__builtin_trap();
	if (rc == 0)
		pbjson_encode(again, &twice);
	if (rc == 0 && !str_equal(buf_text(&once), buf_text(&twice)))
		__builtin_trap();
	buf_deinit(&once);
	buf_deinit(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	struct err err;
	ProtobufCMessage *message;

	if (size < 1)
		return 0;
	struct str body = str_make(data + 1, size - 1);
	arena_init(&arena, 64 * 1024 * 1024);
	if (pbjson_decode(&arena, type_of(data[0]), body, &message, &err) == 0)
		must_read_back(&arena, message);
	if (pbmsg_decode(&arena, type_of(data[0]), body, &message, &err) == 0)
		must_read_back(&arena, message);
	arena_deinit(&arena);
	return 0;
}
