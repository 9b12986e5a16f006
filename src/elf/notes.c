/* ELF notes (System V gABI, chapter 5, "Note Section"): owner size, content
 * size, type, owner padded, content padded. The padding is to 4 bytes, and to
 * 8 in segments aligned so (.note.gnu.property). */
#include "elf/elf_file.h"

#include <elf.h>
#include <string.h>

#include "base/cursor.h"

enum { NT_GO_BUILD_ID = 4 }; /* Go's cmd/internal/buildid: note "Go\0\0", type 4 */

static void skip_padding(struct cur *c, uint64_t align)
{
	uint64_t over = cur_offset(c) % align;

	/* The last note's padding may be missing. */
	if (over > 0)
		cur_skip(c, align - over < cur_left(c) ? (size_t)(align - over) : cur_left(c));
}

bool notes_find(struct str notes, uint64_t align, struct str owner, uint32_t type, struct str *ret)
{
	struct cur c = cur_make(notes.ptr, notes.len);

	align = align == 8 ? 8 : 4;
	while (cur_left(&c) > 0) {
		uint32_t owner_len = cur_u32le(&c);
		uint32_t content_len = cur_u32le(&c);
		uint32_t note_type = cur_u32le(&c);
		struct str note_owner = cur_bytes(&c, owner_len);
		skip_padding(&c, align);
		struct str content = cur_bytes(&c, content_len);
		skip_padding(&c, align);
		if (!cur_ok(&c))
			return false;
		if (note_type == type && str_equal(note_owner, owner)) {
			*ret = content;
			return true;
		}
	}
	return false;
}

static bool hex_copy(struct str bytes, char *ret, size_t max_bytes)
{
	static const char digits[] = "0123456789abcdef";

	if (bytes.len == 0 || bytes.len > max_bytes)
		return false;
	for (size_t i = 0; i < bytes.len; i++) {
		uint8_t b = (uint8_t)bytes.ptr[i];
		*ret++ = digits[b >> 4];
		*ret++ = digits[b & 15];
	}
	*ret = '\0';
	return true;
}

static bool is_printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x21 || s.ptr[i] > 0x7e)
			return false;
	return s.len > 0;
}

void notes_fill_info(struct str notes, uint64_t align, struct elf_info *info)
{
	struct str id;

	if (!info->build_id[0] && notes_find(notes, align, STR("GNU\0"), NT_GNU_BUILD_ID, &id))
		(void)hex_copy(id, info->build_id, ELF_BUILD_ID_MAX);
	if (!info->go_build_id[0] && notes_find(notes, align, STR("Go\0\0"), NT_GO_BUILD_ID, &id) &&
	    id.len <= ELF_GO_BUILD_ID_MAX && is_printable(id))
		str_copy(info->go_build_id, sizeof(info->go_build_id), id);
}

int elf_notes_build_id(struct str notes, char ret[2 * ELF_BUILD_ID_MAX + 1], struct err *err)
{
	struct str id;

	if (!notes_find(notes, 4, STR("GNU\0"), NT_GNU_BUILD_ID, &id))
		return err_set(err, ERR_NOT_FOUND, "no GNU build id among %zu bytes of notes",
			       notes.len);
	if (!hex_copy(id, ret, ELF_BUILD_ID_MAX))
		return err_set(err, ERR_CORRUPT, "a GNU build id of %zu bytes", id.len);
	return 0;
}
