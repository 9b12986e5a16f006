/* Private to server: a message of proto/ in a file of the call's tenant. */
#pragma once

#include "server/api.h"

/* An empty message when there is no file. ERR_CORRUPT: it is none. */
MUST_USE int tenant_message_read(const struct api_call *call, const char *name, size_t limit_bytes,
				 const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret,
				 struct err *err);
/* ERR_LIMIT: larger than could be read again. */
MUST_USE int tenant_message_write(const struct api_call *call, const char *name, size_t limit_bytes,
				  const ProtobufCMessage *message, struct err *err);
