#include "images.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/elf.h"
#include "elf/gopcln.h"

enum { PATH_MAX_BYTES = 4096, ENTRY_BYTES_MAX = 64 };

struct image {
	char name[IMAGE_NAME_MAX], path[PATH_MAX_BYTES];
	bool loaded;
	uint64_t entry;
	struct elf_symbols *symbols; /* NULL: none */
	struct go_lines *go;	     /* NULL: not of Go */
};

static struct image *image_named(struct images *images, struct str name)
{
	for (size_t i = 0; i < images->count; i++) {
		if (str_equal(str_of(images->rows[i]->name), name))
			return images->rows[i];
	}
	return NULL;
}

static void note_image(struct images *images, const char *path)
{
	struct str name = str_basename(str_of(path));
	if (path[0] != '/' || name.len >= IMAGE_NAME_MAX || images->count == IMAGES_MAX ||
	    image_named(images, name))
		return;
	struct image *image = calloc(1, sizeof(*image));
	if (!image)
		abort();
	str_copy(image->name, sizeof(image->name), name);
	str_copy(image->path, sizeof(image->path), str_of(path));
	images->rows[images->count++] = image;
}

void images_look_at(struct images *images, pid_t pid)
{
	char maps[64], line[PATH_MAX_BYTES + 128], path[PATH_MAX_BYTES], permissions[8];
	snprintf(maps, sizeof(maps), "/proc/%d/maps", (int)pid);
	FILE *file = fopen(maps, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s %7s %*s %*s %*s %4095[^\n]", permissions, path) == 2 &&
		    permissions[2] == 'x')
			note_image(images, path);
	}
	if (file)
		fclose(file);
}

void images_deinit(struct images *images)
{
	for (size_t i = 0; i < images->count; i++) {
		elf_symbols_free(images->rows[i]->symbols);
		go_lines_free(images->rows[i]->go);
		free(images->rows[i]);
	}
	images->count = 0;
}

/* The debug file by build id, as distributions install it; NULL when there is none. */
static struct elf_file *open_debug(const struct elf_file *file, int *ret_fd)
{
	const char *id = elf_info(file)->build_id;
	char path[PATH_MAX_BYTES];
	struct elf_file *debug = NULL;
	struct err err;
	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug", id,
		 id + strnlen(id, 2));
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret_fd >= 0 && elf_open(*ret_fd, &debug, &err))
		return NULL;
	return debug;
}

static void load_from(struct image *image, int fd)
{
	struct elf_file *file;
	struct err err;
	int debug_fd;
	if (elf_open(fd, &file, &err))
		return;
	image->entry = elf_info(file)->entry;
	if (elf_info(file)->is_go && go_lines_open(file, 0, &image->go, &err))
		image->go = NULL;
	struct elf_file *debug = open_debug(file, &debug_fd);
	if (elf_symbols_load_with(file, debug, 0, &image->symbols, &err))
		image->symbols = NULL;
	elf_close(debug);
	if (debug_fd >= 0)
		close(debug_fd);
	elf_close(file);
}

static void load(struct image *image)
{
	int fd = image->loaded ? -1 : open(image->path, O_RDONLY | O_CLOEXEC);
	image->loaded = true;
	if (fd >= 0) {
		load_from(image, fd);
		close(fd);
	}
}

enum image_says images_find(struct images *images, struct str file, uint64_t vaddr,
			    struct str *ret_name)
{
	struct image *image = image_named(images, file);
	struct elf_symbol symbol;
	struct go_line line;
	size_t count;
	if (!image)
		return file.len == 0 || str_starts_with(file, STR("[")) ||
				       str_starts_with(file, STR("//"))
			       ? IMAGE_IS_NO_FILE
			       : IMAGE_HAS_NONE_THERE;
	load(image);
	if (image->go && go_lines_find(image->go, vaddr, &line, 1, &count)) {
		*ret_name = line.system_name;
		return IMAGE_HAS_FUNCTION;
	}
	if (image->symbols && elf_symbols_find(image->symbols, vaddr, &symbol)) {
		*ret_name = symbol.name;
		return IMAGE_HAS_FUNCTION;
	}
	return IMAGE_HAS_NONE_THERE;
}

bool images_is_entry(struct images *images, struct str file, uint64_t vaddr)
{
	struct image *image = image_named(images, file);
	if (!image)
		return false;
	load(image);
	return image->entry && vaddr >= image->entry && vaddr < image->entry + ENTRY_BYTES_MAX;
}
