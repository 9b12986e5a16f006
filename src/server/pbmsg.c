/* Protobuf through protobuf-c, with memory from an arena. */
#include "server/pbjson.h"

static void *take(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

/* The arena frees it. */
static void leave(void *arena, void *ptr)
{
	(void)arena;
	(void)ptr;
}

int pbmsg_decode(struct arena *arena, const ProtobufCMessageDescriptor *type, struct str bytes,
		 ProtobufCMessage **ret, struct err *err)
{
	ProtobufCAllocator allocator = {take, leave, arena};
	ProtobufCMessage *message =
		protobuf_c_message_unpack(type, &allocator, bytes.len, (const uint8_t *)bytes.ptr);
	if (!message)
		return err_set(err, ERR_INVALID, "the body is no protobuf message %s", type->name);
	*ret = message;
	return 0;
}

void pbmsg_encode(const ProtobufCMessage *message, struct buf *out)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	if (!buf_reserve(out, size))
		return;
	out->len += protobuf_c_message_pack(message, (uint8_t *)out->ptr + out->len);
}

ProtobufCMessage *pbmsg_new(struct arena *arena, const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *message = arena_alloc(arena, type->sizeof_message);
	if (message)
		protobuf_c_message_init(type, message);
	return message;
}

size_t pbmsg_element_bytes(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return sizeof(int32_t);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return sizeof(int64_t);
	case PROTOBUF_C_TYPE_FLOAT:
		return sizeof(float);
	case PROTOBUF_C_TYPE_DOUBLE:
		return sizeof(double);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_ENUM:
		return sizeof(int);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	}
	return sizeof(void *);
}
