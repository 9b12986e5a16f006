#include "elf/perfmap.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"

enum { PIECE_BYTES = 64 << 10, PIECES_MAX = 256 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A hex number and one blank behind it. Some writers put 0x in front. */
static bool take_hex(struct str *rest, uint64_t *ret)
{
	struct str s = *rest;
	uint64_t value = 0;
	size_t i = 0;

	if (str_starts_with(s, STR("0x")))
		s = str_sub(s, 2, s.len);
	for (; i < s.len && i < 16 && hex_digit(s.ptr[i]) >= 0; i++)
		value = value << 4 | (uint64_t)hex_digit(s.ptr[i]);
	if (i == 0 || i == s.len || (s.ptr[i] != ' ' && s.ptr[i] != '\t'))
		return false;
	*rest = str_sub(s, i + 1, s.len);
	*ret = value;
	return true;
}

static int take_line(struct code_map *map, struct str line, struct err *err)
{
	uint64_t start, size;

	if (!take_hex(&line, &start) || !take_hex(&line, &size))
		return 0;
	return code_map_add(map, start, size, str_trim(line), err);
}

/* Takes the whole lines; *ret_used says how much that was, if only in part on an error. */
static int take_lines(struct code_map *map, struct perfmap_state *state, struct str piece,
		      size_t *ret_used, struct err *err)
{
	int rc = 0;

	for (*ret_used = 0; !rc;) {
		struct str rest = str_sub(piece, *ret_used, piece.len);
		ptrdiff_t end = str_find_char(rest, '\n');
		if (end < 0)
			break;
		if (!state->skipping)
			rc = take_line(map, str_sub(rest, 0, (size_t)end), err);
		state->skipping = false;
		*ret_used += (size_t)end + 1;
	}
	return rc;
}

static int read_piece(int fd, struct perfmap_state *state, struct code_map *map, char *piece,
		      bool *ret_more, struct err *err)
{
	size_t used;
	ssize_t n;

	do
		n = pread(fd, piece, PIECE_BYTES, (off_t)state->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set_errno(err, errno, "reading a perf map");
	int rc = take_lines(map, state, str_make(piece, (size_t)n), &used, err);
	if (used == 0 && n == PIECE_BYTES) {
		state->skipping = true;
		used = PIECE_BYTES;
	}
	state->offset += used;
	*ret_more = used > 0;
	return rc;
}

int perfmap_read(int fd, struct perfmap_state *state, struct code_map *map, struct err *err)
{
	char *piece = mem_alloc(PIECE_BYTES);
	bool more = true;
	int rc = 0;

	if (!piece)
		return err_set(err, ERR_NOMEM, "no memory to read a perf map");
	for (int i = 0; i < PIECES_MAX && more && !rc; i++)
		rc = read_piece(fd, state, map, piece, &more, err);
	mem_free(piece);
	/* What was taken is good, whatever ended the reading. */
	int settled = code_map_settle(map, rc ? NULL : err);
	return rc ? rc : settled;
}
