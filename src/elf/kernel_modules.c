/* /proc/modules: "name size refcount users state address [taint]", one a line
 * (proc(5)); build ids: /sys/kernel/notes and /sys/module/NAME/notes. */
#include "elf/kernel_modules.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/mem.h"

enum {
	MODULES_FILE_MAX_BYTES = 4 << 20,
	NOTES_MAX_BYTES = 64 << 10,
	TEXTS_MAX_BYTES = 8 << 20,
};

int module_list_init(struct module_list *modules, struct err *err)
{
	uint32_t index;

	*modules = (struct module_list){0};
	arena_init(&modules->texts, TEXTS_MAX_BYTES);
	return module_list_get(modules, STR("vmlinux"), &index, err);
}

void module_list_deinit(struct module_list *modules)
{
	mem_free(modules->list);
	arena_deinit(&modules->texts);
	*modules = (struct module_list){0};
}

static int add_module(struct module_list *modules, struct str name, struct err *err)
{
	if (modules->count == MODULES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d kernel modules", MODULES_MAX);
	struct kernel_module *grown =
		mem_grow(modules->list, &modules->cap, modules->count + 1, sizeof(*grown));
	if (!grown)
		return err_set(err, ERR_NOMEM, "no memory for kernel modules");
	modules->list = grown;
	struct str copy = arena_str(&modules->texts, name);
	if (!copy.ptr)
		return err_set(err, ERR_NOMEM, "no memory for a kernel module's name");
	modules->list[modules->count++] = (struct kernel_module){.name = copy, .build_id = ""};
	return 0;
}

int module_list_get(struct module_list *modules, struct str name, uint32_t *ret, struct err *err)
{
	if (modules->last < modules->count && str_equal(modules->list[modules->last].name, name)) {
		*ret = modules->last;
		return 0;
	}
	uint32_t i = 0;
	while (i < modules->count && !str_equal(modules->list[i].name, name))
		i++;
	int rc = i == modules->count ? add_module(modules, name, err) : 0;
	if (rc)
		return rc;
	modules->last = i;
	*ret = i;
	return 0;
}

struct module_line {
	struct str name;
	uint64_t size, address;
};

static bool parse_line(struct str line, struct module_line *ret)
{
	struct str fields[6] = {{NULL, 0}};
	char address[32];
	size_t n = 0;

	while (n < 6 && str_next(&line, ' ', &fields[n]))
		n++;
	if (n < 6 || fields[0].len == 0 || !str_to_u64(fields[1], &ret->size))
		return false;
	str_copy(address, sizeof(address), fields[5]);
	ret->name = fields[0];
	ret->address = strtoull(address, NULL, 16);
	return true;
}

static int read_modules_file(const char *path, struct buf *ret, struct err *err)
{
	int rc = fd_read_file(path, MODULES_FILE_MAX_BYTES, ret, err);

	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int take_lines(struct module_list *modules, struct str text, struct err *err)
{
	struct module_line m;
	struct str line;
	uint32_t i;

	while (str_next(&text, '\n', &line)) {
		if (!parse_line(line, &m))
			continue;
		int rc = module_list_get(modules, m.name, &i, err);
		if (rc)
			return rc;
		modules->list[i].start = m.address;
		modules->list[i].size = m.size;
	}
	return 0;
}

int module_list_read(struct module_list *modules, const char *path, struct err *err)
{
	struct buf text;

	buf_init(&text, MODULES_FILE_MAX_BYTES);
	int rc = read_modules_file(path, &text, err);
	if (!rc)
		rc = take_lines(modules, buf_text(&text), err);
	buf_deinit(&text);
	return rc;
}

/* Not of whole lines: reference counts change all the time. */
static uint64_t fingerprint_of(struct str text)
{
	struct module_line m;
	uint64_t hash = 0;
	struct str line;

	while (str_next(&text, '\n', &line))
		if (parse_line(line, &m))
			hash = hash * 31 + (str_hash(m.name) ^ m.size ^ m.address);
	return hash;
}

int modules_fingerprint(const char *path, uint64_t *ret, struct err *err)
{
	struct buf file;
	int rc = 0;

	buf_init(&file, MODULES_FILE_MAX_BYTES);
	if (path)
		rc = read_modules_file(path, &file, err);
	if (!rc)
		*ret = fingerprint_of(buf_text(&file));
	buf_deinit(&file);
	return rc;
}

static int read_build_id(struct module_list *modules, const char *path, const char **ret,
			 struct err *err)
{
	char id[2 * ELF_BUILD_ID_MAX + 1];
	struct buf notes;
	int rc;

	buf_init(&notes, NOTES_MAX_BYTES);
	rc = fd_read_file(path, NOTES_MAX_BYTES, &notes, err);
	if (!rc)
		rc = elf_notes_build_id(buf_text(&notes), id, err);
	buf_deinit(&notes);
	if (rc)
		return rc == ERR_NOMEM ? rc : 0;
	struct str copy = arena_str(&modules->texts, str_of(id));
	if (!copy.ptr)
		return err_set(err, ERR_NOMEM, "no memory for a build id");
	*ret = copy.ptr;
	return 0;
}

int module_list_read_build_ids(struct module_list *modules, const char *sys_path, struct err *err)
{
	char path[512];

	for (size_t i = 0; i < modules->count; i++) {
		struct kernel_module *m = &modules->list[i];
		if (i == 0)
			snprintf(path, sizeof(path), "%s/kernel/notes", sys_path);
		else
			snprintf(path, sizeof(path), "%s/module/%.*s/notes/.note.gnu.build-id",
				 sys_path, STR_ARG(m->name));
		int rc = read_build_id(modules, path, &m->build_id, err);
		if (rc)
			return rc;
	}
	return 0;
}
