/* The file handle: opening, reading, and what follows from the segments. */
#include "elf/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/mem.h"

static int read_fd(int fd, uint64_t offset, uint8_t *dst, size_t len, struct err *err)
{
	while (len > 0) {
		ssize_t n = pread(fd, dst, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "reading %zu bytes at %llu", len,
					     (unsigned long long)offset);
		if (n == 0)
			return err_set(err, ERR_CORRUPT, "the file ends at %llu, %zu bytes early",
				       (unsigned long long)offset, len);
		dst += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int elf_read(const struct elf_file *file, uint64_t offset, void *dst, size_t len, struct err *err)
{
	const struct elf_source *source = &file->source;

	if (offset > source->size || len > source->size - offset)
		return err_set(err, ERR_CORRUPT, "%zu bytes at %llu are past the end at %llu", len,
			       (unsigned long long)offset, (unsigned long long)source->size);
	if (!source->image)
		return read_fd(source->fd, offset, dst, len, err);
	if (len > 0)
		memcpy(dst, source->image + offset, len);
	return 0;
}

int elf_read_alloc(const struct elf_file *file, uint64_t offset, uint64_t len, size_t limit_bytes,
		   void **ret, struct err *err)
{
	/* Before the allocation: a lie about the size costs nothing. */
	if (offset > file->source.size || len > file->source.size - offset)
		return err_set(err, ERR_CORRUPT, "%llu bytes at %llu are past the end at %llu",
			       (unsigned long long)len, (unsigned long long)offset,
			       (unsigned long long)file->source.size);
	if (len > limit_bytes)
		return err_set(err, ERR_LIMIT, "%llu bytes at %llu are more than the limit of %zu",
			       (unsigned long long)len, (unsigned long long)offset, limit_bytes);
	char *bytes = mem_alloc((size_t)len + 1);
	if (!bytes)
		return err_set(err, ERR_NOMEM, "no memory for %llu bytes of the file",
			       (unsigned long long)len);
	int rc = elf_read(file, offset, bytes, (size_t)len, err);
	if (rc) {
		mem_free(bytes);
		return rc;
	}
	bytes[len] = '\0';
	*ret = bytes;
	return 0;
}

static int load_notes_at(struct elf_file *file, uint64_t offset, uint64_t size, uint64_t align,
			 struct err *err)
{
	enum { NOTES_MAX_BYTES = 64 * 1024 };
	void *bytes;
	int rc = elf_read_alloc(file, offset, size, NOTES_MAX_BYTES, &bytes, err);

	if (rc == ERR_LIMIT || rc == ERR_CORRUPT)
		return 0; /* no ids then */
	if (rc)
		return rc;
	notes_fill_info(str_make(bytes, (size_t)size), align, &file->info);
	mem_free(bytes);
	return 0;
}

/* Sections named like build ids, for files whose PT_NOTEs are gone or too large to read. */
static int load_note_sections(struct elf_file *file, struct err *err)
{
	static const char *const names[] = {".note.gnu.build-id", ".note.go.buildid", ".notes"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_section *s = elf_section_named(file, names[i]);
		if (!s || s->type != SHT_NOTE)
			continue;
		int rc = load_notes_at(file, s->offset, s->size, 4, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int load_note_segments(struct elf_file *file, const struct elf_header *header,
			      struct err *err)
{
	uint8_t bytes[ELF64_PHDR_BYTES];
	enum { NOTE_SEGMENTS_MAX = 16 };
	unsigned notes = 0;

	for (uint32_t i = 0; i < header->phnum && notes < NOTE_SEGMENTS_MAX; i++) {
		int rc = elf_read(file, header->phoff + (uint64_t)i * sizeof(bytes), bytes,
				  sizeof(bytes), err);
		if (rc)
			return rc;
		struct cur c = cur_make(bytes, sizeof(bytes));
		uint32_t type = cur_u32le(&c);
		if (type != PT_NOTE)
			continue;
		notes++;
		(void)cur_u32le(&c);
		uint64_t offset = cur_u64le(&c);
		cur_seek(&c, 32);
		uint64_t size = cur_u64le(&c);
		cur_seek(&c, 48);
		rc = load_notes_at(file, offset, size, cur_u64le(&c), err);
		if (rc)
			return rc;
	}
	return 0;
}

static void fill_section_facts(struct elf_file *file)
{
	const struct elf_section *symtab = elf_section_named(file, ".symtab");
	const struct elf_section *eh_frame = elf_section_named(file, ".eh_frame");

	file->info.has_symtab = symtab && symtab->size > 0;
	file->info.has_eh_frame = eh_frame && eh_frame->type != SHT_NOBITS && eh_frame->size > 0;
	file->info.is_go = elf_section_named(file, ".gopclntab") ||
			   elf_section_named(file, ".go.buildinfo") || file->info.go_build_id[0];
}

static int load_all(struct elf_file *file, struct err *err)
{
	uint8_t bytes[ELF64_HEADER_BYTES];
	struct elf_header header;

	if (file->source.size < sizeof(bytes))
		return err_set(err, ERR_INVALID, "not an ELF file: %llu bytes long",
			       (unsigned long long)file->source.size);
	int rc = elf_read(file, 0, bytes, sizeof(bytes), err);
	if (!rc)
		rc = elf_header_parse(bytes, &header, err);
	if (rc)
		return rc;
	file->info.machine = header.machine;
	file->info.type = header.type;
	file->info.entry = header.entry;
	rc = elf_segments_load(file, &header, err);
	if (!rc)
		rc = elf_sections_load(file, &header, err);
	if (!rc)
		rc = load_note_segments(file, &header, err);
	if (!rc)
		rc = load_note_sections(file, err);
	if (!rc)
		fill_section_facts(file);
	return rc;
}

static int open_source(struct elf_source source, struct elf_file **ret, struct err *err)
{
	struct elf_file *file = mem_zalloc(1, sizeof(*file));

	if (!file)
		return err_set(err, ERR_NOMEM, "no memory for an ELF file handle");
	file->source = source;
	int rc = load_all(file, err);
	if (rc) {
		elf_close(file);
		return rc;
	}
	*ret = file;
	return 0;
}

int elf_open(int fd, struct elf_file **ret, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set_errno(err, errno, "asking for the file's size");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "not an ELF file: not a regular file");
	return open_source((struct elf_source){.fd = fd, .size = (uint64_t)st.st_size}, ret, err);
}

int elf_open_memory(const void *image, size_t len, struct elf_file **ret, struct err *err)
{
	const uint8_t *bytes = image ? image : (const uint8_t *)"";

	return open_source((struct elf_source){.fd = -1, .image = bytes, .size = len}, ret, err);
}

void elf_close(struct elf_file *file)
{
	if (!file)
		return;
	mem_free(file->segments);
	mem_free(file->sections);
	mem_free(file->section_names);
	mem_free(file->own_image);
	mem_free(file);
}

void elf_forget_sections(struct elf_file *file)
{
	mem_free(file->sections);
	mem_free(file->section_names);
	file->sections = NULL;
	file->section_names = NULL;
	file->section_count = 0;
}

const struct elf_info *elf_info(const struct elf_file *file)
{
	return &file->info;
}

uint64_t elf_size_bytes(const struct elf_file *file)
{
	return file->source.size;
}

uint32_t elf_segment_count(const struct elf_file *file)
{
	return file->segment_count;
}

const struct elf_segment *elf_segment_at(const struct elf_file *file, uint32_t i)
{
	return i < file->segment_count ? &file->segments[i] : NULL;
}

uint32_t elf_section_count(const struct elf_file *file)
{
	return file->section_count;
}

const struct elf_section *elf_section_at(const struct elf_file *file, uint32_t i)
{
	return i < file->section_count ? &file->sections[i] : NULL;
}

const struct elf_section *elf_section_named(const struct elf_file *file, const char *name)
{
	for (uint32_t i = 0; i < file->section_count; i++)
		if (str_equal(file->sections[i].name, str_of(name)))
			return &file->sections[i];
	return NULL;
}

/* How a segment and an offset of the file may belong together. The loader maps whole pages, so a
 * mapping starts at the segment's offset rounded down, and its first and last page may show bytes
 * of a neighbour. */
enum segment_fit { FIT_START, FIT_INSIDE, FIT_PAGE };

static bool segment_fits(const struct elf_segment *s, uint64_t offset, enum segment_fit fit)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t first = s->offset & ~(page - 1);
	uint64_t last = (s->offset + s->file_size + page - 1) & ~(page - 1);

	switch (fit) {
	case FIT_START:
		return offset == first && s->file_size > 0;
	case FIT_INSIDE:
		return offset >= s->offset && offset - s->offset < s->file_size;
	case FIT_PAGE:
		return offset >= first && offset < last;
	}
	return false;
}

static const struct elf_segment *find_segment(const struct elf_file *file, uint64_t offset,
					      bool exec, enum segment_fit fit)
{
	for (uint32_t i = 0; i < file->segment_count; i++) {
		const struct elf_segment *s = &file->segments[i];
		if (s->exec == exec && segment_fits(s, offset, fit))
			return s;
	}
	return NULL;
}

struct segment_try {
	bool exec;
	enum segment_fit fit;
};

static bool vaddr_by_tries(const struct elf_file *file, uint64_t offset,
			   const struct segment_try *tries, size_t count, uint64_t *ret_vaddr)
{
	for (size_t i = 0; i < count; i++) {
		const struct elf_segment *s =
			find_segment(file, offset, tries[i].exec, tries[i].fit);
		if (s) {
			*ret_vaddr = s->vaddr + (offset - s->offset);
			return true;
		}
	}
	return false;
}

bool elf_bias(const struct elf_file *file, uint64_t map_start, uint64_t map_offset,
	      uint64_t *ret_bias)
{
	/* The mapping is executable, so all of a page is shown for the executable segment's sake. */
	static const struct segment_try tries[] = {
		{true, FIT_START},  {true, FIT_INSIDE},	 {true, FIT_PAGE},
		{false, FIT_START}, {false, FIT_INSIDE}, {false, FIT_PAGE},
	};
	uint64_t vaddr;

	if (!vaddr_by_tries(file, map_offset, tries, sizeof(tries) / sizeof(tries[0]), &vaddr))
		return false;
	*ret_bias = map_start - vaddr;
	return true;
}

bool elf_offset_of_vaddr(const struct elf_file *file, uint64_t vaddr, uint64_t *ret)
{
	for (uint32_t i = 0; i < file->segment_count; i++) {
		const struct elf_segment *s = &file->segments[i];
		if (vaddr < s->vaddr || vaddr - s->vaddr >= s->file_size)
			continue;
		*ret = s->offset + (vaddr - s->vaddr);
		return true;
	}
	return false;
}

bool elf_vaddr_of_offset(const struct elf_file *file, uint64_t offset, uint64_t *ret_vaddr)
{
	static const struct segment_try tries[] = {
		{true, FIT_INSIDE},
		{false, FIT_INSIDE},
		{true, FIT_PAGE},
		{false, FIT_PAGE},
	};

	return vaddr_by_tries(file, offset, tries, sizeof(tries) / sizeof(tries[0]), ret_vaddr);
}
