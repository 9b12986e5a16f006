#include "process_tables.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/elf.h"

enum { MAPPINGS_CAP = 512, PATH_CAP = 512 };

struct line {
	uint64_t start, end, offset;
	char path[PATH_CAP];
	bool exec;
};

static bool read_line(FILE *maps, struct line *ret)
{
	char text[PATH_CAP + 128], mode[8];
	unsigned long start, end, offset;
	if (!fgets(text, sizeof(text), maps))
		return false;
	*ret = (struct line){0};
	if (sscanf(text, "%lx-%lx %7s %lx %*s %*s %511[^\n]", &start, &end, mode, &offset,
		   ret->path) < 4)
		return false;
	ret->start = start;
	ret->end = end;
	ret->offset = offset;
	ret->exec = mode[2] == 'x';
	return true;
}

static int open_mapped(pid_t pid, const struct line *line, int *ret_fd, struct elf_file **ret)
{
	char path[96];
	*ret_fd = -1;
	if (strcmp(line->path, "[vdso]") == 0)
		return elf_open_vdso(ret, NULL);
	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", pid, (unsigned long)line->start,
		 (unsigned long)line->end);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret_fd < 0)
		*ret_fd = open(line->path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? -1 : elf_open(*ret_fd, ret, NULL);
}

static void add_table(struct unwind_space *space, const struct elf_file *file,
		      struct unwind_mapping *mapping, struct process_tables *ret)
{
	struct unwind_rows *rows;
	struct unwind_rows_info info;
	struct err err;
	if (unwind_compile(file, NULL, NULL, &rows, &err))
		return;
	unwind_rows_get_info(rows, &info);
	if (unwind_space_add_table(space, rows, &mapping->table, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	mapping->kind = UNWIND_BY_TABLE;
	ret->by_table++;
	ret->rows += info.rows;
	unwind_rows_free(rows);
}

static struct unwind_mapping make_mapping(struct unwind_space *space, pid_t pid,
					  const struct line *line, struct process_tables *ret)
{
	struct unwind_mapping mapping = {.start = line->start,
					 .end = line->end,
					 .kind = UNWIND_BY_FRAME_POINTER};
	struct elf_file *file = NULL;
	uint64_t bias;
	int fd;
	if (open_mapped(pid, line, &fd, &file) == 0) {
		if (elf_bias(file, line->start, line->offset, &bias)) {
			mapping.vaddr = line->start - bias;
			add_table(space, file, &mapping, ret);
		}
		elf_close(file);
	}
	if (fd >= 0)
		close(fd);
	return mapping;
}

void process_tables_make(struct unwind_space *space, pid_t pid, struct process_tables *ret)
{
	static struct unwind_mapping mappings[MAPPINGS_CAP];
	char path[64];
	struct line line;
	struct err err;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "r");
	*ret = (struct process_tables){0};
	while (maps && ret->count < MAPPINGS_CAP && read_line(maps, &line)) {
		if (line.exec)
			mappings[ret->count++] = make_mapping(space, pid, &line, ret);
	}
	if (!maps || ret->count == 0 ||
	    unwind_space_add_mappings(space, mappings, ret->count, &ret->place, &err)) {
		fprintf(stderr, "no mappings of process %d\n", pid);
		exit(1);
	}
	fclose(maps);
}
