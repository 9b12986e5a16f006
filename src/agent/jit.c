#include "agent/jit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/files.h"
#include "agent/processes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/map.h"
#include "base/mem.h"
#include "elf/elf.h"
#include "elf/perfmap.h"

enum {
	PROCESSES_KNOWN_MAX = 1024,
	BUDGET_BYTES = 12 << 20,
	STATUS_BYTES_MAX = 64 << 10,
};

static const uint64_t reread_ns = NS_PER_S;
static const uint64_t missing_ns = 5ULL * NS_PER_S; /* a process without such files */
static const uint64_t forget_ns = 120ULL * NS_PER_S;

/* What one process wrote. */
struct jit_code {
	uint32_t pid;
	uint64_t born_ns; /* with the pid: which program */
	uint64_t used_ns, next_ns;
	struct code_map *map;
	struct elf_key perf_file; /* which the state is about; size and time do not count */
	struct perfmap_state perf;
	uint32_t dump_file; /* in struct files; 0: none seen */
	struct jitdump_state dump;
	bool full; /* over its share of the budget: nothing more is read */
};

struct jit {
	struct files *files;
	struct map by_pid;
	size_t budget_bytes;
	struct buf text;
};

int jit_create(struct files *files, size_t budget_bytes, struct jit **ret, struct err *err)
{
	struct jit *jit = mem_zalloc(1, sizeof(*jit));
	if (!jit)
		return err_set(err, ERR_NOMEM, "names of compiled code: no memory");
	jit->files = files;
	jit->budget_bytes = budget_bytes ? budget_bytes : BUDGET_BYTES;
	buf_init(&jit->text, STATUS_BYTES_MAX);
	*ret = jit;
	return 0;
}

static void forget(struct jit *jit, struct jit_code *code)
{
	map_remove(&jit->by_pid, code->pid, NULL);
	code_map_destroy(code->map);
	mem_free(code);
}

void jit_destroy(struct jit *jit)
{
	if (!jit)
		return;
	size_t pos = 0;
	uint64_t pid, *value;
	while (map_next(&jit->by_pid, &pos, &pid, &value))
		forget(jit, (struct jit_code *)(uintptr_t)*value);
	map_deinit(&jit->by_pid);
	buf_deinit(&jit->text);
	mem_free(jit);
}

void jit_expire(struct jit *jit, uint64_t now_ns)
{
	size_t pos = 0;
	uint64_t pid, *value;
	while (map_next(&jit->by_pid, &pos, &pid, &value)) {
		struct jit_code *code = (struct jit_code *)(uintptr_t)*value;
		if (now_ns > code->used_ns && now_ns - code->used_ns > forget_ns)
			forget(jit, code);
	}
}

static size_t code_bytes(const struct jit_code *code)
{
	return sizeof(*code) + (code->map ? code_map_bytes(code->map) : 0);
}

size_t jit_bytes(const struct jit *jit)
{
	size_t pos = 0, sum = 0;
	uint64_t pid, *value;
	while (map_next(&jit->by_pid, &pos, &pid, &value))
		sum += code_bytes((const struct jit_code *)(uintptr_t)*value);
	return sum;
}

static struct jit_code *oldest(const struct jit *jit)
{
	struct jit_code *found = NULL;
	size_t pos = 0;
	uint64_t pid, *value;
	while (map_next(&jit->by_pid, &pos, &pid, &value)) {
		struct jit_code *code = (struct jit_code *)(uintptr_t)*value;
		if (!found || code->used_ns < found->used_ns)
			found = code;
	}
	return found;
}

/* Spares keep, whose own map is limited to a half. */
static void keep_budget(struct jit *jit, const struct jit_code *keep)
{
	while (jit_bytes(jit) > jit->budget_bytes) {
		struct jit_code *code = oldest(jit);
		if (code == keep)
			return;
		forget(jit, code);
	}
}

static struct jit_code *add(struct jit *jit, const struct process *process)
{
	if (jit->by_pid.count >= PROCESSES_KNOWN_MAX)
		forget(jit, oldest(jit));
	struct jit_code *code = mem_zalloc(1, sizeof(*code));
	if (!code || map_put(&jit->by_pid, process->pid, (uintptr_t)code, NULL)) {
		mem_free(code);
		return NULL;
	}
	code->pid = process->pid;
	code->born_ns = process->born_ns;
	return code;
}

static struct jit_code *get(struct jit *jit, const struct process *process)
{
	uint64_t *value = map_get(&jit->by_pid, process->pid);
	struct jit_code *code = value ? (struct jit_code *)(uintptr_t)*value : NULL;
	if (code && code->born_ns != process->born_ns) {
		/* A sample of the program before, whose names are gone. */
		if (code->born_ns > process->born_ns)
			return NULL;
		forget(jit, code);
		code = NULL;
	}
	return code ? code : add(jit, process);
}

/* ---- reading ---- */

/* Its map, made when there is something to put in. */
static bool has_map(const struct jit *jit, struct jit_code *code)
{
	return code->map || code_map_create(jit->budget_bytes / 2, &code->map, NULL) == 0;
}

static void start_anew(struct jit_code *code)
{
	code_map_destroy(code->map);
	code->map = NULL;
	code->perf = (struct perfmap_state){0};
	code->dump = (struct jitdump_state){0};
	code->full = false;
}

/* "NSpid:\t1234\t7\n": the last number is the process's own (proc_pid_status(5)). */
static uint32_t own_pid(struct str status, uint32_t pid)
{
	struct str line, number;
	uint64_t value;
	while (str_next(&status, '\n', &line)) {
		if (!str_starts_with(line, STR("NSpid:")))
			continue;
		while (str_next(&line, '\t', &number))
			if (str_to_u64(number, &value) && value > 0 && value <= UINT32_MAX)
				pid = (uint32_t)value;
	}
	return pid;
}

/* "Uid:\treal\teffective\t...": /tmp is everybody's, so whose file it is matters. Root may have left one for
 * it; what only root may read is something else that the process made this path lead to (a mount of
 * its own), and our names would tell what is in it. */
static bool may_speak_for(struct str status, const struct stat *st)
{
	struct str line, number;
	uint64_t value;
	while (str_next(&status, '\n', &line)) {
		if (!str_starts_with(line, STR("Uid:")))
			continue;
		while (str_next(&line, '\t', &number))
			if (str_to_u64(number, &value) && value == st->st_uid)
				return true;
	}
	return st->st_uid == 0 && (st->st_mode & S_IROTH);
}

static int open_perf_map(struct jit *jit, const struct process *process)
{
	char path[64];
	struct stat st;
	buf_clear(&jit->text);
	if (proc_read(files_proc(jit->files), process->look_pid, "status", STATUS_BYTES_MAX,
		      &jit->text, NULL))
		return -1;
	struct str status = buf_text(&jit->text);
	snprintf(path, sizeof(path), "/tmp/perf-%u.map", own_pid(status, process->pid));
	int fd = files_open_in_root(jit->files, process->look_pid, path);
	if (fd >= 0 && (fstat(fd, &st) || !may_speak_for(status, &st)))
		fd_close(&fd);
	return fd;
}

static bool is_other_file(const struct jit_code *code, const struct elf_key *now)
{
	return code->perf_file.inode != now->inode || code->perf_file.device != now->device ||
	       now->size_bytes < code->perf.offset;
}

/* False: there is none. */
static bool read_perf_map(struct jit *jit, struct jit_code *code, const struct process *process)
{
	struct elf_key now;
	FD_AUTO int fd = open_perf_map(jit, process);
	if (fd < 0 || elf_key_of_fd(fd, &now, NULL))
		return false;
	if (code->perf.offset > 0 && is_other_file(code, &now))
		start_anew(code);
	code->perf_file = now;
	if (has_map(jit, code) && perfmap_read(fd, &code->perf, code->map, NULL) == ERR_LIMIT)
		code->full = true;
	return true;
}

/* "jit-1234.dump", whatever the number. */
static bool is_dump_name(struct str name)
{
	uint64_t number;
	return str_starts_with(name, STR("jit-")) && str_ends_with(name, STR(".dump")) &&
	       name.len > 9 && str_to_u64(str_sub(name, 4, name.len - 9), &number);
}

static bool read_dump_of(struct jit *jit, struct jit_code *code, const struct process *process,
			 const struct mapping *mapping)
{
	struct file_place place = {process->look_pid, mapping->start, mapping->end};
	FD_AUTO int fd = files_open_grown(jit->files, mapping->file, &place);
	if (fd < 0)
		return false;
	if (code->dump_file != mapping->file)
		code->dump = (struct jitdump_state){0};
	code->dump_file = mapping->file;
	if (has_map(jit, code) && jitdump_read(fd, &code->dump, code->map, NULL) == ERR_LIMIT)
		code->full = true;
	return true;
}

/* The file is mapped so that it is seen; the mapping is not of code. */
static bool read_dump(struct jit *jit, struct jit_code *code, const struct process *process)
{
	struct file_info info;
	for (uint32_t i = 0; i < process->maps->count; i++) {
		const struct mapping *mapping = &process->maps->rows[i];
		files_get_info(jit->files, mapping->file, &info);
		if (is_dump_name(info.name))
			return read_dump_of(jit, code, process, mapping);
	}
	return false;
}

static void read_on(struct jit *jit, struct jit_code *code, const struct process *process,
		    uint64_t now_ns)
{
	bool perf = read_perf_map(jit, code, process);
	bool dump = read_dump(jit, code, process);
	code->next_ns = now_ns + (perf || dump ? reread_ns : missing_ns);
	keep_budget(jit, code);
}

/* ---- names ---- */

/* V8 says how a function was compiled, and again whenever it compiles it better: "JS:*name file:1:2" is
 * the same function as "LazyCompile:~name file:1:2" (V8, "Linux perf integration"). */
static struct str display_name(struct str name)
{
	static const struct str kinds[] = {{"JS:", 3},
					   {"LazyCompile:", 12},
					   {"Function:", 9},
					   {"Script:", 7},
					   {"Eval:", 5}};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!str_starts_with(name, kinds[i]))
			continue;
		struct str rest = str_sub(name, kinds[i].len, name.len);
		if (rest.len > 1 && strchr("~^+*-", rest.ptr[0]))
			rest = str_sub(rest, 1, rest.len);
		return rest.len > 0 && rest.ptr[0] != ' ' ? rest : name;
	}
	return name;
}

static bool find(const struct jit_code *code, uint64_t address, struct symbol_found *ret)
{
	struct elf_symbol symbol;
	if (!code->map || !code_map_find(code->map, address, &symbol))
		return false;
	*ret = (struct symbol_found){
		.name = display_name(symbol.name),
		.system_name = symbol.name,
		.start = symbol.start,
		.size = symbol.size,
	};
	return true;
}

bool jit_symbol(struct jit *jit, const struct process *process, uint64_t address,
		struct symbol_found *ret)
{
	uint64_t now_ns = clock_mono_ns();
	struct jit_code *code = get(jit, process);
	if (!code)
		return false;
	code->used_ns = now_ns;
	if (find(code, address, ret))
		return true;
	if (code->full || process->ended || now_ns < code->next_ns)
		return false;
	read_on(jit, code, process, now_ns);
	return find(code, address, ret);
}
