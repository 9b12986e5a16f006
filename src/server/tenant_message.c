#include "server/tenant_message.h"

#include "server/pbjson.h"
#include "server/tenant_files.h"

int tenant_message_read(const struct api_call *call, const char *name, size_t limit_bytes,
			const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret,
			struct err *err)
{
	struct buf bytes;
	buf_init(&bytes, 0);
	int rc = tenant_file_read(call->api->files, call->tenant, name, limit_bytes, &bytes, err);
	if (rc == ERR_NOT_FOUND)
		rc = 0;
	if (rc == 0 && pbmsg_decode(call->arena, type, buf_text(&bytes), ret, NULL))
		rc = err_set(err, ERR_CORRUPT, "the tenant's file %s is damaged", name);
	buf_deinit(&bytes);
	return rc;
}

int tenant_message_write(const struct api_call *call, const char *name, size_t limit_bytes,
			 const ProtobufCMessage *message, struct err *err)
{
	struct buf bytes;
	buf_init(&bytes, limit_bytes);
	pbmsg_encode(message, &bytes);
	int rc = buf_check(&bytes, name, err);
	rc = rc ? rc
		: tenant_file_write(call->api->files, call->tenant, name, buf_text(&bytes), err);
	buf_deinit(&bytes);
	return rc;
}
