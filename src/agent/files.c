#include "agent/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/reach.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/map.h"
#include "base/mem.h"
#include "elf/debugfile.h"
#include "elf/elf.h"

enum {
	OPEN_FDS_MAX = 128,
	RETRY_NS = NS_PER_S,
	DEBUG_RETRY_SECONDS = 600U,
	SYMBOL_BUDGET_BYTES = 14 << 20,
};

/* A descriptor is kept this long after it was opened, for a process that ends meanwhile. */
static const uint64_t fd_keep_ns = 10ULL * NS_PER_S;

enum file_kind { KIND_FREE, KIND_MEMORY, KIND_VDSO, KIND_REGULAR };
enum file_state { STATE_UNOPENED, STATE_OPENED, STATE_UNREADABLE };

struct file {
	enum file_kind kind;
	enum file_state state;
	bool described; /* elf and the ids are filled in */
	bool marked;
	uint32_t same_as; /* the file with this content; itself mostly */
	uint64_t source;  /* key in by_source */
	uint64_t number;  /* never the same again */
	struct reach_claim claim;
	struct elf_key key;
	uint64_t opened_ns, retry_ns;
	int fd; /* -1: not kept */
	struct elf_file *elf;
	char build_id[2 * ELF_BUILD_ID_MAX + 1];
	char htlhash[ELF_HTLHASH_CHARS + 1];
	struct debugfile_link *link; /* NULL: it names no debug file */
	struct elf_key debug_key;    /* the debug file seen last */
	uint64_t debug_retry_ns;     /* there was none: not to be looked for before this */
};

struct files {
	const char *proc;
	struct file *rows;
	size_t cap;
	uint32_t count; /* rows in use or free again */
	uint32_t free_count;
	struct map by_source, by_key;
	uint32_t open_fds;
	uint64_t full, unreadable, numbers;
	struct symbol_cache *symbols;
};

/* ---- sources ---- */

static void hex_text(const uint8_t *bytes, size_t count, char *ret)
{
	for (size_t i = 0; i < count; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	ret[2 * count] = '\0';
}

/* /proc/PID/maps has "" and the kernel's events "//anon"; people read this. */
static struct str shown_path(struct str path)
{
	return path.len == 0 || str_equal(path, STR("//anon")) ? STR("[anon]") : path;
}

static enum file_kind kind_of_path(struct str path)
{
	if (str_equal(path, STR("[vdso]")))
		return KIND_VDSO;
	if (path.len == 0 || path.ptr[0] != '/')
		return KIND_MEMORY;
	return KIND_REGULAR;
}

static uint64_t source_hash(const struct file_source *source)
{
	struct {
		uint64_t path, inode, generation;
		uint32_t major, minor;
		uint8_t build_id[20];
		uint8_t zero[4];
	} key = {.path = str_hash(source->path)};
	if (source->build_id_len > 0 && source->build_id_len <= sizeof(key.build_id)) {
		memcpy(key.build_id, source->build_id, source->build_id_len);
	} else {
		key.inode = source->inode;
		key.generation = source->inode_generation;
		key.major = source->major;
		key.minor = source->minor;
	}
	return str_hash(str_make(&key, sizeof(key)));
}

static struct file *new_row(struct files *files, uint32_t *ret_id)
{
	for (uint32_t i = 0; files->free_count > 0 && i < files->count; i++) {
		if (files->rows[i].kind == KIND_FREE) {
			files->free_count--;
			*ret_id = i;
			return &files->rows[i];
		}
	}
	if (files->count == FILES_MAX)
		return NULL;
	struct file *rows = mem_grow(files->rows, &files->cap, files->count + 1, sizeof(*rows));
	if (!rows)
		return NULL;
	files->rows = rows;
	*ret_id = files->count++;
	return &rows[*ret_id];
}

static void release_row(struct files *files, uint32_t id)
{
	struct file *file = &files->rows[id];
	if (file->fd >= 0)
		files->open_fds--;
	fd_close(&file->fd);
	elf_close(file->elf);
	mem_free(file->claim.path);
	mem_free(file->link);
	*file = (struct file){.kind = KIND_FREE, .fd = -1};
	files->free_count++;
}

static bool fill_row(struct file *file, const struct file_source *source, uint32_t id)
{
	struct str path = source->path;
	*file = (struct file){.kind = kind_of_path(path), .same_as = id, .fd = -1};
	if (file->kind == KIND_REGULAR && str_ends_with(path, STR(" (deleted)"))) {
		path.len -= 10;
		file->claim.deleted = true;
	}
	file->claim.path = mem_strndup(path.ptr, path.len);
	file->claim.inode = source->inode;
	if (source->build_id_len > 0 && source->build_id_len <= 20)
		hex_text(source->build_id, source->build_id_len, file->claim.build_id);
	return file->claim.path != NULL;
}

static int add_source(struct files *files, const struct file_source *source, uint64_t hash,
		      uint32_t *ret_id)
{
	struct file *file = new_row(files, ret_id);
	if (!file)
		return ERR_LIMIT;
	if (!fill_row(file, source, *ret_id) || map_put(&files->by_source, hash, *ret_id, NULL)) {
		release_row(files, *ret_id);
		return ERR_NOMEM;
	}
	file->source = hash;
	file->number = ++files->numbers;
	return 0;
}

uint32_t files_intern(struct files *files, const struct file_source *source, bool *ret_new)
{
	if (ret_new)
		*ret_new = false;
	if (kind_of_path(source->path) == KIND_VDSO)
		return FILE_VDSO;
	struct file_source named = *source;
	named.path = shown_path(source->path);
	/* Memory has no identity but its name; the kernel numbers mappings of shared memory anyway. */
	if (kind_of_path(named.path) == KIND_MEMORY)
		named = (struct file_source){.path = named.path};
	uint64_t hash = source_hash(&named);
	uint64_t *known = map_get(&files->by_source, hash);
	if (known)
		return (uint32_t)*known;
	uint32_t id;
	if (add_source(files, &named, hash, &id)) {
		files->full++;
		return FILE_ANON;
	}
	if (ret_new)
		*ret_new = files->rows[id].kind == KIND_REGULAR;
	return id;
}

uint64_t files_number(const struct files *files, uint32_t id)
{
	return files->rows[id].number;
}

bool files_is_memory(const struct files *files, uint32_t id)
{
	return files->rows[id].kind == KIND_MEMORY;
}

bool files_is_code(const struct files *files, uint32_t id)
{
	const struct file *file = &files->rows[id];
	struct str path = str_of(file->claim.path);
	if (file->kind != KIND_REGULAR)
		return file->kind == KIND_MEMORY;
	return file->described && !file->elf &&
	       (str_starts_with(path, STR("/memfd:")) || str_equal(path, STR("/dev/zero")));
}

/* ---- content ---- */

static uint64_t key_hash(const struct elf_key *key)
{
	return str_hash(str_make(key, sizeof(*key)));
}

/* Finds the file with the same content, or becomes it. */
static void settle_identity(struct files *files, uint32_t id)
{
	struct file *file = &files->rows[id];
	uint64_t hash = key_hash(&file->key);
	uint64_t *known = map_get(&files->by_key, hash);
	if (known && elf_key_equal(&files->rows[*known].key, &file->key) && *known != id) {
		file->same_as = (uint32_t)*known;
		fd_close(&file->fd);
		files->open_fds--;
	} else if (!known && map_put(&files->by_key, hash, id, NULL)) {
		return; /* no memory: the content may be counted twice, no harm */
	}
}

static void close_oldest(struct files *files)
{
	struct file *oldest = NULL;
	for (uint32_t i = 0; i < files->count; i++) {
		struct file *file = &files->rows[i];
		if (file->kind == KIND_REGULAR && file->fd >= 0 &&
		    (!oldest || file->opened_ns < oldest->opened_ns))
			oldest = file;
	}
	if (oldest) {
		fd_close(&oldest->fd);
		files->open_fds--;
	}
}

void files_touch(struct files *files, uint32_t id, const struct file_place *place)
{
	struct file *file = &files->rows[id];
	uint64_t now = clock_mono_ns();
	if (file->kind != KIND_REGULAR || file->state == STATE_OPENED || now < file->retry_ns)
		return;
	int fd = reach_content(files->proc, &file->claim, place);
	if (fd >= 0 && elf_key_of_fd(fd, &file->key, NULL))
		fd_close(&fd);
	if (fd < 0) {
		if (file->state == STATE_UNOPENED)
			files->unreadable++;
		file->state = STATE_UNREADABLE;
		file->retry_ns = now + RETRY_NS;
		return;
	}
	if (file->state == STATE_UNREADABLE)
		files->unreadable--;
	file->state = STATE_OPENED;
	file->fd = fd;
	file->opened_ns = now;
	files->open_fds++;
	settle_identity(files, id);
	if (files->open_fds > OPEN_FDS_MAX)
		close_oldest(files);
}

/* A descriptor of the content that was opened once: the kept one, or the same content again. */
static int reopen(struct files *files, struct file *file, const struct file_place *place)
{
	if (file->fd >= 0)
		return fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	struct elf_key key;
	int fd = reach_content(files->proc, &file->claim, place);
	if (fd >= 0 && (elf_key_of_fd(fd, &key, NULL) || !elf_key_equal(&key, &file->key)))
		fd_close(&fd);
	return fd;
}

int files_open(struct files *files, uint32_t id, const struct file_place *place, int *ret_fd,
	       struct err *err)
{
	struct file *file = &files->rows[id];
	int fd = -1;
	if (file->kind == KIND_REGULAR && file->state == STATE_OPENED)
		fd = reopen(files, file, place);
	if (fd < 0)
		return err_set(err, ERR_NOT_FOUND, "%s: no way to open it any more",
			       file->claim.path);
	*ret_fd = fd;
	return 0;
}

int files_open_grown(struct files *files, uint32_t id, const struct file_place *place)
{
	const struct file *file = &files->rows[id];
	return file->kind == KIND_REGULAR ? reach_content(files->proc, &file->claim, place) : -1;
}

int files_open_in_root(const struct files *files, uint32_t pid, const char *path)
{
	return reach_path(files->proc, pid, path);
}

const char *files_proc(const struct files *files)
{
	return files->proc;
}

/* Debug packages are installed later, and the file may be seen through another process. */
static void remember_none(struct file *file, bool final)
{
	file->debug_retry_ns = clock_mono_ns() + (final ? DEBUG_RETRY_SECONDS : 1U) * NS_PER_S;
}

int files_open_debug(struct files *files, uint32_t id, const struct file_place *place, int *ret_fd,
		     struct err *err)
{
	struct file *file = &files->rows[id];
	bool final = true;
	int fd = -1;
	if (file->link && clock_mono_ns() >= file->debug_retry_ns) {
		fd = reach_debug_file(files->proc, &file->claim, file->link, &file->key, place,
				      &file->debug_key, &final);
		if (fd < 0)
			remember_none(file, final);
	}
	if (fd < 0)
		return err_set(err, ERR_NOT_FOUND, "%s: no debug file of it", file->claim.path);
	*ret_fd = fd;
	return 0;
}

static struct debugfile_link *link_of(const struct elf_file *elf)
{
	struct debugfile_link link;
	if (!debugfile_link_read(elf, &link))
		return NULL;
	struct debugfile_link *copy = mem_alloc(sizeof(*copy));
	if (copy)
		*copy = link;
	return copy;
}

static void describe(struct files *files, struct file *file, const struct file_place *place)
{
	FD_AUTO int fd = reopen(files, file, place);
	if (fd < 0)
		return;
	file->described = true;
	if (elf_htlhash(fd, file->htlhash, NULL))
		file->htlhash[0] = '\0';
	if (elf_open(fd, &file->elf, NULL))
		return;
	str_copy(file->build_id, sizeof(file->build_id), str_of(elf_info(file->elf)->build_id));
	file->link = link_of(file->elf);
	elf_forget_sections(file->elf);
}

uint32_t files_resolve(struct files *files, uint32_t id, const struct file_place *place)
{
	if (files->rows[id].kind != KIND_REGULAR)
		return id;
	files_touch(files, id, place);
	id = files->rows[id].same_as;
	struct file *file = &files->rows[id];
	if (file->state == STATE_OPENED && !file->described)
		describe(files, file, place);
	return id;
}

static void text_range(const struct elf_file *elf, struct file_info *ret)
{
	ret->text_start = UINT64_MAX;
	for (uint32_t i = 0; i < elf_segment_count(elf); i++) {
		const struct elf_segment *segment = elf_segment_at(elf, i);
		uint64_t end = segment->vaddr + segment->mem_size;
		if (!segment->exec || end < segment->vaddr)
			continue;
		if (segment->vaddr < ret->text_start)
			ret->text_start = segment->vaddr;
		if (end > ret->text_limit)
			ret->text_limit = end;
	}
	if (ret->text_start >= ret->text_limit)
		ret->text_start = ret->text_limit = 0;
}

void files_get_info(const struct files *files, uint32_t id, struct file_info *ret)
{
	const struct file *file = &files->rows[id];
	struct str path = str_of(file->claim.path);
	*ret = (struct file_info){
		.name = file->kind == KIND_REGULAR ? str_basename(path) : path,
		.build_id = str_of(file->described ? file->build_id : file->claim.build_id),
		.htlhash = str_of(file->htlhash),
		.is_elf = file->elf != NULL,
	};
	if (file->elf)
		text_range(file->elf, ret);
}

bool files_vaddr(const struct files *files, uint32_t id, uint64_t offset, uint64_t *ret)
{
	const struct elf_file *elf = files->rows[id].elf;
	return elf && elf_vaddr_of_offset(elf, offset, ret);
}

bool files_mapping_vaddr(const struct files *files, uint32_t id, uint64_t start, uint64_t offset,
			 uint64_t *ret)
{
	const struct elf_file *elf = files->rows[id].elf;
	uint64_t bias;
	if (!elf || !elf_bias(elf, start, offset, &bias))
		return false;
	*ret = start - bias;
	return true;
}

/* ---- symbols ---- */

struct opening {
	struct files *files;
	struct file *file;
	const struct file_place *place;
};

static int open_for_symbols(void *arg, int *ret_debug_fd, struct err *err)
{
	struct opening *opening = arg;
	struct file *file = opening->file;
	uint32_t id = (uint32_t)(file - opening->files->rows);
	int fd;
	int rc = files_open(opening->files, id, opening->place, &fd, err);
	if (rc)
		return rc;
	if (!elf_info(file->elf)->has_symtab &&
	    files_open_debug(opening->files, id, opening->place, ret_debug_fd, NULL))
		*ret_debug_fd = -1;
	return fd;
}

bool files_symbol(struct files *files, uint32_t id, const struct file_place *place, uint64_t vaddr,
		  struct symbol_found *ret)
{
	struct file *file = &files->rows[id];
	struct opening opening = {files, file, place};
	if (file->kind == KIND_VDSO)
		return symbol_cache_find_vdso(files->symbols, vaddr, ret, NULL) == 0;
	return file->elf && symbol_cache_find(files->symbols, &file->key, vaddr, open_for_symbols,
					      &opening, ret, NULL) == 0;
}

/* ---- lifetime ---- */

static int create_fixed(struct files *files, struct err *err)
{
	static const struct file_source fixed[] = {
		[FILE_ANON] = {.path = {"[anon]", 6}},
		[FILE_VDSO] = {.path = {"[vdso]", 6}},
	};
	for (uint32_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		uint32_t id;
		if (add_source(files, &fixed[i], source_hash(&fixed[i]), &id))
			return err_set(err, ERR_NOMEM, "table of files: no memory");
	}
	/* Without a vDSO its addresses stay without names. */
	struct file *vdso = &files->rows[FILE_VDSO];
	if (elf_open_vdso(&vdso->elf, NULL) == 0)
		str_copy(vdso->build_id, sizeof(vdso->build_id),
			 str_of(elf_info(vdso->elf)->build_id));
	vdso->described = true;
	return 0;
}

int files_create(const char *proc, size_t symbol_budget_bytes, struct files **ret, struct err *err)
{
	struct files *files = mem_zalloc(1, sizeof(*files));
	if (!files)
		return err_set(err, ERR_NOMEM, "table of files: no memory");
	files->proc = proc;
	size_t budget = symbol_budget_bytes ? symbol_budget_bytes : SYMBOL_BUDGET_BYTES;
	int rc = symbol_cache_create(budget, &files->symbols, err);
	if (rc == 0)
		rc = create_fixed(files, err);
	if (rc) {
		files_destroy(files);
		return rc;
	}
	*ret = files;
	return 0;
}

void files_destroy(struct files *files)
{
	if (!files)
		return;
	for (uint32_t i = 0; i < files->count; i++)
		release_row(files, i);
	mem_free(files->rows);
	map_deinit(&files->by_source);
	map_deinit(&files->by_key);
	symbol_cache_destroy(files->symbols);
	mem_free(files);
}

void files_expire(struct files *files, uint64_t now_ns)
{
	for (uint32_t i = 0; files->open_fds > 0 && i < files->count; i++) {
		struct file *file = &files->rows[i];
		if (file->kind != KIND_REGULAR || file->fd < 0 ||
		    now_ns - file->opened_ns < fd_keep_ns)
			continue;
		fd_close(&file->fd);
		files->open_fds--;
	}
}

bool files_crowded(const struct files *files)
{
	return files->count - files->free_count > FILES_MAX / 4 * 3;
}

void files_unmark(struct files *files)
{
	for (uint32_t i = 0; i < files->count; i++)
		files->rows[i].marked = i <= FILE_VDSO;
}

void files_mark(struct files *files, uint32_t id)
{
	files->rows[id].marked = true;
	files->rows[files->rows[id].same_as].marked = true;
}

void files_sweep(struct files *files)
{
	for (uint32_t i = 0; i < files->count; i++) {
		struct file *file = &files->rows[i];
		if (file->kind == KIND_FREE || file->marked)
			continue;
		uint64_t hash = key_hash(&file->key), *known = map_get(&files->by_key, hash);
		if (file->state == STATE_OPENED && known && *known == i)
			map_remove(&files->by_key, hash, NULL);
		map_remove(&files->by_source, file->source, NULL);
		release_row(files, i);
	}
}

void files_get_stats(const struct files *files, struct files_stats *ret)
{
	*ret = (struct files_stats){
		.count = files->count - files->free_count,
		.open_fds = files->open_fds,
		.full = files->full,
		.unreadable = files->unreadable,
		.symbol_bytes = symbol_cache_bytes(files->symbols),
	};
}
