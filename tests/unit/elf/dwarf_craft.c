#include "dwarf_craft.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/err.h"

static const char *const names[CRAFT_SECTIONS] = {".debug_abbrev", ".debug_info", ".debug_line",
						  ".debug_ranges"};

void craft_init(struct craft *craft)
{
	*craft = (struct craft){0};
	for (size_t i = 0; i < CRAFT_SECTIONS; i++)
		buf_init(&craft->sections[i], 0);
}

void craft_u8(struct craft *craft, enum craft_section section, unsigned value)
{
	buf_char(&craft->sections[section], (char)value);
}

void craft_u16(struct craft *craft, enum craft_section section, unsigned value)
{
	uint16_t little = (uint16_t)value;

	buf_append(&craft->sections[section], &little, sizeof(little));
}

void craft_u32(struct craft *craft, enum craft_section section, uint32_t value)
{
	buf_append(&craft->sections[section], &value, sizeof(value));
}

void craft_u64(struct craft *craft, enum craft_section section, uint64_t value)
{
	buf_append(&craft->sections[section], &value, sizeof(value));
}

void craft_uleb(struct craft *craft, enum craft_section section, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		craft_u8(craft, section, (unsigned)(value & 0x7f) | 0x80);
	craft_u8(craft, section, (unsigned)value);
}

void craft_text(struct craft *craft, enum craft_section section, const char *text)
{
	buf_append(&craft->sections[section], text, strlen(text) + 1);
}

void craft_fill(struct craft *craft, enum craft_section section, unsigned byte, size_t count)
{
	struct buf *buf = &craft->sections[section];

	if (!buf_reserve(buf, count))
		abort();
	memset(buf->ptr + buf->len, (int)byte, count);
	buf->len += count;
}

void craft_abbrev(struct craft *craft, unsigned code, unsigned tag, bool children,
		  const unsigned *attrs)
{
	craft_uleb(craft, CRAFT_ABBREV, code);
	craft_uleb(craft, CRAFT_ABBREV, tag);
	craft_u8(craft, CRAFT_ABBREV, children);
	for (; *attrs; attrs++)
		craft_uleb(craft, CRAFT_ABBREV, *attrs);
	craft_u16(craft, CRAFT_ABBREV, 0);
}

void craft_unit_begin(struct craft *craft)
{
	craft->unit = craft->sections[CRAFT_INFO].len;
	craft_u32(craft, CRAFT_INFO, 0);
	craft_u16(craft, CRAFT_INFO, 4);
	craft_u32(craft, CRAFT_INFO, 0);
	craft_u8(craft, CRAFT_INFO, 8);
}

void craft_unit_end(struct craft *craft)
{
	struct buf *info = &craft->sections[CRAFT_INFO];
	uint32_t len = (uint32_t)(info->len - craft->unit - 4);

	memcpy(info->ptr + craft->unit, &len, sizeof(len));
}

/* ---- the file ---- */

static void pack(struct buf *section, uint64_t claimed)
{
	uLongf len = compressBound(section->len);
	Elf64_Chdr head = {.ch_type = ELFCOMPRESS_ZLIB, .ch_size = claimed, .ch_addralign = 1};
	char *bytes = malloc(sizeof(head) + len);

	if (!bytes || compress2((Bytef *)bytes + sizeof(head), &len, (const Bytef *)section->ptr,
				section->len, 6) != Z_OK)
		abort();
	memcpy(bytes, &head, sizeof(head));
	buf_clear(section);
	buf_append(section, bytes, sizeof(head) + len);
	free(bytes);
}

static void write_at(int fd, const void *bytes, size_t len, uint64_t *offset)
{
	while (len > 0) {
		ssize_t put = pwrite(fd, bytes, len, (off_t)*offset);
		if (put <= 0)
			abort();
		bytes = (const char *)bytes + put;
		len -= (size_t)put;
		*offset += (uint64_t)put;
	}
}

static uint64_t write_sections(struct craft *craft, int fd, Elf64_Shdr *rows, struct buf *strings)
{
	uint64_t offset = sizeof(Elf64_Ehdr);

	for (size_t i = 0; i < CRAFT_SECTIONS; i++) {
		struct buf *section = &craft->sections[i];
		if (craft->packed[i])
			pack(section, craft->claimed[i] ? craft->claimed[i] : section->len);
		rows[1 + i] = (Elf64_Shdr){.sh_name = (Elf64_Word)strings->len,
					   .sh_type = section->len ? SHT_PROGBITS : SHT_NULL,
					   .sh_flags = craft->packed[i] ? SHF_COMPRESSED : 0,
					   .sh_offset = offset,
					   .sh_size = section->len,
					   .sh_addralign = 1};
		buf_append(strings, names[i], strlen(names[i]) + 1);
		write_at(fd, section->ptr, section->len, &offset);
		buf_deinit(section);
	}
	return offset;
}

int craft_file(struct craft *craft)
{
	enum { ROWS = CRAFT_SECTIONS + 2 };
	char path[] = "/tmp/cresset-dwarf-XXXXXX";
	int fd = mkstemp(path);
	Elf64_Shdr rows[ROWS] = {{0}};
	struct buf strings;
	uint64_t zero = 0;

	if (fd < 0)
		abort();
	unlink(path);
	buf_init(&strings, 0);
	buf_char(&strings, '\0');
	uint64_t offset = write_sections(craft, fd, rows, &strings);
	rows[ROWS - 1] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
				      .sh_offset = offset,
				      .sh_size = strings.len,
				      .sh_addralign = 1};
	write_at(fd, strings.ptr, strings.len, &offset);
	Elf64_Ehdr head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				       EV_CURRENT},
			   .e_type = ET_DYN,
			   .e_machine = EM_X86_64,
			   .e_version = EV_CURRENT,
			   .e_shoff = offset,
			   .e_ehsize = sizeof(head),
			   .e_shentsize = sizeof(rows[0]),
			   .e_shnum = ROWS,
			   .e_shstrndx = ROWS - 1};
	write_at(fd, rows, sizeof(rows), &offset);
	write_at(fd, &head, sizeof(head), &zero);
	buf_deinit(&strings);
	return fd;
}
