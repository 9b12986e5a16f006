/* Protobuf through protobuf-c, with memory from an arena. */
#include "server/pbjson.h"

/* What a message takes for each of its bytes, at most: an element of two bytes
 * has a struct, a pointer to it and protobuf-c's own note of it. */
enum { ROOM_MIN_BYTES = 64 * 1024, ROOM_A_BYTE = 256 };

struct room {
	struct arena *arena;
	size_t left_bytes;
};

/* A message within a message may come in parts, and protobuf-c copies all that it has of its lists at
 * each part: some bytes would ask for their square. */
static void *take(void *user, size_t size)
{
	struct room *room = user;
	if (size > room->left_bytes)
		return NULL;
	room->left_bytes -= size;
	return arena_alloc(room->arena, size);
}

/* The arena frees it. */
static void leave(void *user, void *ptr)
{
	(void)user;
	(void)ptr;
}

int pbmsg_decode(struct arena *arena, const ProtobufCMessageDescriptor *type, struct str bytes,
		 ProtobufCMessage **ret, struct err *err)
{
	struct room room = {arena, ROOM_MIN_BYTES + ROOM_A_BYTE * bytes.len};
	ProtobufCAllocator allocator = {take, leave, &room};
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
