/* Keeps the model: which bytes and names are on disk for certain, which were
 * changed since. disk_cut.c says what may become of those. */
#include "disk_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void *disk_must_have(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static void *grow(void *list, size_t *cap, size_t need, size_t each)
{
	if (need <= *cap)
		return list;
	*cap = need * 2 + 16;
	return disk_must_have(realloc(list, *cap * each));
}

/* ---- bytes ---- */

void bytes_set_size(struct bytes *bytes, size_t len)
{
	if (len > bytes->len) {
		bytes->ptr = grow(bytes->ptr, &bytes->cap, len, 1);
		memset(bytes->ptr + bytes->len, 0, len - bytes->len);
	}
	bytes->len = len;
}

void bytes_change(struct bytes *bytes, const struct change *change)
{
	if (change->resize) {
		bytes_set_size(bytes, change->at);
		return;
	}
	if (change->at + change->len > bytes->len)
		bytes_set_size(bytes, change->at + change->len);
	if (change->len)
		memcpy(bytes->ptr + change->at, change->bytes, change->len);
}

static void add_change(struct disk *disk, const struct shim_record *record, bool resize)
{
	struct inode *inode = &disk->inodes[disk->handles[record->handle]];
	inode->changes =
		grow(inode->changes, &inode->cap, inode->count + 1, sizeof(*inode->changes));
	inode->changes[inode->count] = (struct change){
		.resize = resize,
		.at = record->offset,
		.bytes = (const uint8_t *)(record + 1),
		.len = record->len,
	};
	bytes_change(&inode->live, &inode->changes[inode->count++]);
}

/* ---- names ---- */

static size_t find(const struct names *names, uint32_t directory, const char *text)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->list[i].directory == directory && strcmp(names->list[i].text, text) == 0)
			return i;
	return names->count;
}

static void drop_name(struct names *names, uint32_t directory, const char *text)
{
	size_t at = find(names, directory, text);
	if (at == names->count)
		return;
	free(names->list[at].text);
	names->list[at] = names->list[--names->count];
}

static void add_name(struct names *names, uint32_t directory, const char *text, uint32_t inode)
{
	drop_name(names, directory, text);
	names->list = grow(names->list, &names->cap, names->count + 1, sizeof(*names->list));
	names->list[names->count++] = (struct name){directory, inode, disk_must_have(strdup(text))};
}

void names_copy(const struct names *from, struct names *to)
{
	for (size_t i = 0; i < from->count; i++)
		add_name(to, from->list[i].directory, from->list[i].text, from->list[i].inode);
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i].text);
	free(names->list);
}

void names_apply(struct names *names, const struct naming *naming)
{
	if (naming->gone)
		drop_name(names, naming->directory, naming->gone);
	if (naming->come)
		add_name(names, naming->directory, naming->come, naming->inode);
}

static uint32_t add_inode(struct disk *disk, bool directory)
{
	if (disk->inode_count == INODES_MAX)
		abort();
	disk->inodes[disk->inode_count].directory = directory;
	return disk->inode_count++;
}

/* The directory that path lies in, and its last part; path "" is the root itself. */
static uint32_t walk(const struct disk *disk, const char *path, char last[SHIM_PATH_MAX])
{
	uint32_t directory = 0;
	for (;;) {
		size_t len = strcspn(path, "/");
		snprintf(last, SHIM_PATH_MAX, "%.*s", (int)len, path);
		path += len;
		while (*path == '/')
			path++;
		if (!*path)
			return directory;
		size_t at = find(&disk->live, directory, last);
		if (at == disk->live.count)
			abort();
		directory = disk->live.list[at].inode;
	}
}

static uint32_t look_up(const struct disk *disk, const char *path)
{
	char last[SHIM_PATH_MAX];
	uint32_t directory = walk(disk, path, last);
	if (!*last)
		return directory;
	size_t at = find(&disk->live, directory, last);
	return at == disk->live.count ? NOBODY : disk->live.list[at].inode;
}

static void add_naming(struct disk *disk, uint32_t directory, const char *gone, const char *come,
		       uint32_t inode)
{
	disk->namings = grow(disk->namings, &disk->naming_cap, disk->naming_count + 1,
			     sizeof(*disk->namings));
	struct naming *naming = &disk->namings[disk->naming_count++];
	*naming = (struct naming){
		.directory = directory,
		.gone = gone ? disk_must_have(strdup(gone)) : NULL,
		.come = come ? disk_must_have(strdup(come)) : NULL,
		.inode = inode,
	};
	names_apply(&disk->live, naming);
}

static void come(struct disk *disk, const char *path, uint32_t inode)
{
	char last[SHIM_PATH_MAX];
	uint32_t directory = walk(disk, path, last);
	add_naming(disk, directory, NULL, last, inode);
}

static void go(struct disk *disk, const char *path)
{
	char last[SHIM_PATH_MAX];
	uint32_t directory = walk(disk, path, last);
	add_naming(disk, directory, last, NULL, NOBODY);
}

static void move(struct disk *disk, const char *from, const char *to)
{
	char gone[SHIM_PATH_MAX], new_name[SHIM_PATH_MAX];
	uint32_t directory = walk(disk, from, gone), inode = look_up(disk, from);
	if (walk(disk, to, new_name) != directory)
		abort();
	add_naming(disk, directory, gone, new_name, inode);
}

/* ---- what was recorded ---- */

static void opened(struct disk *disk, const struct shim_record *record)
{
	const char *path = (const char *)(record + 1);
	uint32_t inode = look_up(disk, path);
	if (record->handle >= HANDLES_MAX)
		abort();
	if (inode == NOBODY) {
		inode = add_inode(disk, false);
		come(disk, path, inode);
		disk->handles[record->handle] = inode;
		return;
	}
	disk->handles[record->handle] = inode;
	if (record->offset & O_TRUNC) {
		struct shim_record empty = {.handle = record->handle};
		add_change(disk, &empty, true);
	}
}

static void sync_begins(struct disk *disk, const struct shim_record *record)
{
	const struct inode *inode = &disk->inodes[disk->handles[record->handle]];
	if (record->sync >= SYNCS_MAX)
		abort();
	disk->sync_names[record->sync] = disk->naming_count;
	disk->sync_changes[record->sync] = inode->settled + inode->count;
}

/* The changes before the sync began come to the disk, all or some, and leave the list. */
static void settle_bytes(struct disk *disk, const struct shim_record *record, bool all)
{
	struct inode *inode = &disk->inodes[disk->handles[record->handle]];
	size_t until = disk->sync_changes[record->sync];
	size_t count = until > inode->settled ? until - inode->settled : 0;
	for (size_t i = 0; i < count; i++)
		if (all || random_below(&disk->random, 2))
			bytes_change(&inode->certain, &inode->changes[i]);
	inode->count -= count;
	inode->settled += count;
	if (inode->count)
		memmove(inode->changes, inode->changes + count,
			inode->count * sizeof(*inode->changes));
}

static void synced(struct disk *disk, const struct shim_record *record)
{
	uint32_t at = disk->handles[record->handle];
	size_t names = disk->sync_names[record->sync];
	if (disk->journalled < names)
		disk->journalled = names;
	if (disk->inodes[at].directory && disk->alone[at] < names)
		disk->alone[at] = names;
	settle_bytes(disk, record, true);
}

void disk_apply(struct disk *disk, const struct shim_record *record)
{
	const char *path = (const char *)(record + 1);
	switch ((enum shim_kind)record->kind) {
	case RECORD_OPEN:
		opened(disk, record);
		break;
	case RECORD_WRITE:
		add_change(disk, record, false);
		break;
	case RECORD_RESIZE:
		add_change(disk, record, true);
		break;
	case RECORD_SYNC_BEGIN:
		sync_begins(disk, record);
		break;
	case RECORD_SYNC_END:
		synced(disk, record);
		break;
	case RECORD_SYNC_FAILED:
		settle_bytes(disk, record, false);
		break;
	case RECORD_RENAME:
		move(disk, path, path + strlen(path) + 1);
		break;
	case RECORD_LINK:
		come(disk, path + strlen(path) + 1, look_up(disk, path));
		break;
	case RECORD_UNLINK:
	case RECORD_RMDIR:
		go(disk, path);
		break;
	case RECORD_MKDIR:
		come(disk, path, add_inode(disk, true));
		break;
	case RECORD_NOTE:
		break;
	}
}

/* ---- the beginning ---- */

static void load_file(struct disk *disk, uint32_t at, const char *path)
{
	struct inode *inode = &disk->inodes[at];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		abort();
	bytes_set_size(&inode->certain, (size_t)st.st_size);
	if (st.st_size && read(fd, inode->certain.ptr, (size_t)st.st_size) != st.st_size)
		abort();
	close(fd);
	bytes_set_size(&inode->live, inode->certain.len);
	if (inode->live.len)
		memcpy(inode->live.ptr, inode->certain.ptr, inode->live.len);
}

static void load_directory(struct disk *disk, uint32_t at, const char *path)
{
	DIR *directory = disk_must_have(opendir(path));
	for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
		char below[PATH_MAX];
		bool deeper = entry->d_type == DT_DIR;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		uint32_t inode = add_inode(disk, deeper);
		add_name(&disk->first, at, entry->d_name, inode);
		if (deeper)
			load_directory(disk, inode, below);
		else
			load_file(disk, inode, below);
	}
	closedir(directory);
}

struct disk *disk_load(const char *path, uint64_t seed)
{
	struct disk *disk = disk_must_have(calloc(1, sizeof(*disk)));
	disk->random.state = seed;
	disk->inodes = disk_must_have(calloc(INODES_MAX, sizeof(*disk->inodes)));
	disk->handles = disk_must_have(calloc(HANDLES_MAX, sizeof(*disk->handles)));
	disk->alone = disk_must_have(calloc(INODES_MAX, sizeof(*disk->alone)));
	disk->sync_names = disk_must_have(calloc(SYNCS_MAX, sizeof(*disk->sync_names)));
	disk->sync_changes = disk_must_have(calloc(SYNCS_MAX, sizeof(*disk->sync_changes)));
	load_directory(disk, add_inode(disk, true), path);
	names_copy(&disk->first, &disk->live);
	return disk;
}

void disk_destroy(struct disk *disk)
{
	for (uint32_t i = 0; i < disk->inode_count; i++) {
		free(disk->inodes[i].certain.ptr);
		free(disk->inodes[i].live.ptr);
		free(disk->inodes[i].changes);
	}
	for (size_t i = 0; i < disk->naming_count; i++) {
		free(disk->namings[i].gone);
		free(disk->namings[i].come);
	}
	names_free(&disk->live);
	names_free(&disk->first);
	free(disk->namings);
	free(disk->inodes);
	free(disk->handles);
	free(disk->alone);
	free(disk->sync_names);
	free(disk->sync_changes);
	free(disk);
}
