/* jitdump: a header, then records of {id, size, timestamp} and a body. Code that
 * was loaded brings its name and its bytes; the bytes are skipped unread. */
#include "elf/perfmap.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/mem.h"

enum {
	MAGIC = 0x4a695444, /* "JiTD" as a number of the writer's byte order */
	HEADER_BYTES = 40,
	RECORD_BYTES = 16,
	LOAD_BYTES = 40, /* the fixed part of the body */
	RECORD_LOAD = 0,
	RECORD_MOVE = 1,
	HEAD_BYTES = RECORD_BYTES + LOAD_BYTES + CODE_NAME_MAX + 1,
	RECORDS_MAX = 1 << 16,
	HEADER_SIZE_MAX = 64 << 10,
};

/* As much as there is of len bytes. */
static int read_head(int fd, uint64_t offset, void *dst, size_t len, size_t *ret, struct err *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)dst + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "reading a jitdump file");
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret = done;
	return 0;
}

/* Leaves the offset at 0 when the header is not there in whole yet. */
static int take_header(int fd, struct jitdump_state *state, struct err *err)
{
	uint8_t bytes[HEADER_BYTES];
	size_t len;

	int rc = read_head(fd, 0, bytes, sizeof(bytes), &len, err);
	if (rc || len < sizeof(bytes))
		return rc;
	struct cur c = cur_make(bytes, len);
	uint32_t magic = cur_u32le(&c);
	uint32_t version = cur_u32le(&c);
	uint32_t size = cur_u32le(&c);
	if (magic != MAGIC || version == 0 || size < HEADER_BYTES || size > HEADER_SIZE_MAX)
		return err_set(err, ERR_CORRUPT, "no jitdump file of version 1");
	state->offset = size;
	return 0;
}

static int take_load(struct code_map *map, struct cur *c, struct err *err)
{
	cur_skip(c, 8 + 8); /* pid, tid, vma */
	uint64_t start = cur_u64le(c);
	uint64_t size = cur_u64le(c);
	cur_skip(c, 8); /* code_index */
	const char *name = (const char *)c->pos;
	size_t len = strnlen(name, cur_left(c));

	return cur_ok(c) ? code_map_add(map, start, size, str_make(name, len), err) : 0;
}

static int take_move(struct code_map *map, struct cur *c, struct err *err)
{
	char name[CODE_NAME_MAX + 1];
	struct elf_symbol old;

	cur_skip(c, 8 + 8);
	uint64_t from = cur_u64le(c);
	uint64_t to = cur_u64le(c);
	uint64_t size = cur_u64le(c);
	if (!cur_ok(c) || !code_map_find_new(map, from, &old))
		return 0;
	str_copy(name, sizeof(name), old.name);
	return code_map_add(map, to, size, str_of(name), err);
}

/* One record; *ret_more is false when it is not there in whole. */
static int take_record(int fd, struct jitdump_state *state, uint64_t file_size,
		       struct code_map *map, bool *ret_more, struct err *err)
{
	uint8_t bytes[HEAD_BYTES];
	size_t len;

	*ret_more = false;
	int rc = read_head(fd, state->offset, bytes, sizeof(bytes), &len, err);
	if (rc || len < RECORD_BYTES)
		return rc;
	struct cur c = cur_make(bytes, len);
	uint32_t id = cur_u32le(&c);
	uint32_t size = cur_u32le(&c);
	if (size < RECORD_BYTES)
		return err_set(err, ERR_CORRUPT, "a jitdump record of %u bytes", size);
	if (size > file_size - state->offset)
		return 0;
	if (len > size)
		c = cur_make(bytes, size);
	cur_seek(&c, RECORD_BYTES);
	if (id == RECORD_LOAD)
		rc = take_load(map, &c, err);
	else if (id == RECORD_MOVE)
		rc = take_move(map, &c, err);
	if (!rc) {
		state->offset += size;
		*ret_more = true;
	}
	return rc;
}

static int take_records(int fd, struct jitdump_state *state, struct code_map *map, struct err *err)
{
	off_t end = lseek(fd, 0, SEEK_END);
	bool more = true;
	int rc = 0;

	if (end < 0)
		return err_set_errno(err, errno, "asking for the size of a jitdump file");
	for (int i = 0; i < RECORDS_MAX && more && !rc && (uint64_t)end > state->offset; i++)
		rc = take_record(fd, state, (uint64_t)end, map, &more, err);
	return rc;
}

int jitdump_read(int fd, struct jitdump_state *state, struct code_map *map, struct err *err)
{
	int rc = state->offset == 0 ? take_header(fd, state, err) : 0;

	if (!rc && state->offset > 0)
		rc = take_records(fd, state, map, err);
	int settled = code_map_settle(map, rc ? NULL : err);
	return rc ? rc : settled;
}
