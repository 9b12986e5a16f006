#include <linux/perf_event.h>
#include <string.h>

#include "agent/events.h"
#include "base/cursor.h"

/* The trailer that sample_id_all adds: just the time, since that is all of our sample_type. */
enum { TRAILER_BYTES = 8 };

/* Names are padded with NULs to a multiple of 8. */
static struct str padded_name(struct cur *c)
{
	struct str text = cur_bytes(c, cur_left(c));
	const char *end = text.ptr ? memchr(text.ptr, '\0', text.len) : NULL;
	if (end)
		text.len = (size_t)(end - text.ptr);
	return text;
}

static void decode_file(struct cur *c, bool has_build_id, struct event *ret)
{
	if (!has_build_id) {
		ret->major = cur_u32le(c);
		ret->minor = cur_u32le(c);
		ret->inode = cur_u64le(c);
		ret->inode_generation = cur_u64le(c);
		return;
	}
	uint8_t len = cur_u8(c);
	cur_skip(c, 3);
	struct str id = cur_bytes(c, EVENT_BUILD_ID_BYTES);
	if (id.ptr && len <= EVENT_BUILD_ID_BYTES) {
		memcpy(ret->build_id, id.ptr, len);
		ret->build_id_len = len;
	}
}

static void decode_mmap(struct cur *c, uint16_t misc, struct event *ret)
{
	ret->kind = EVENT_MMAP;
	ret->pid = cur_u32le(c);
	ret->tid = cur_u32le(c);
	ret->start = cur_u64le(c);
	ret->size = cur_u64le(c);
	ret->offset = cur_u64le(c);
	decode_file(c, misc & PERF_RECORD_MISC_MMAP_BUILD_ID, ret);
	cur_skip(c, 8); /* prot, flags */
	ret->name = padded_name(c);
}

static void decode_comm(struct cur *c, uint16_t misc, struct event *ret)
{
	ret->kind = EVENT_COMM;
	ret->pid = cur_u32le(c);
	ret->tid = cur_u32le(c);
	ret->exec = misc & PERF_RECORD_MISC_COMM_EXEC;
	ret->name = padded_name(c);
}

static void decode_task(struct cur *c, enum event_kind kind, struct event *ret)
{
	ret->kind = kind;
	ret->pid = cur_u32le(c);
	ret->parent_pid = cur_u32le(c);
	ret->tid = cur_u32le(c);
	cur_skip(c, 4); /* parent's thread */
	ret->time_ns = cur_u64le(c);
}

bool event_decode(const void *record, size_t len, struct event *ret)
{
	struct cur head = cur_make(record, len);
	uint32_t type = cur_u32le(&head);
	uint16_t misc = cur_u16le(&head);
	if (cur_left(&head) < 2 + TRAILER_BYTES)
		return false;
	cur_skip(&head, 2);
	struct cur body = cur_sub(&head, cur_left(&head) - TRAILER_BYTES);
	*ret = (struct event){.kind = EVENT_OTHER};
	if (type == PERF_RECORD_MMAP2)
		decode_mmap(&body, misc, ret);
	else if (type == PERF_RECORD_COMM)
		decode_comm(&body, misc, ret);
	else if (type == PERF_RECORD_FORK)
		decode_task(&body, EVENT_FORK, ret);
	else if (type == PERF_RECORD_EXIT)
		decode_task(&body, EVENT_EXIT, ret);
	else if (type == PERF_RECORD_LOST) {
		ret->kind = EVENT_LOST;
		(void)cur_u64le(&body); /* id of the event */
		ret->lost = cur_u64le(&body);
	}
	ret->time_ns = cur_u64le(&head);
	return cur_ok(&body) && cur_ok(&head);
}
