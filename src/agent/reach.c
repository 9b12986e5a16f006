#include "agent/reach.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/files.h"
#include "base/fd.h"
#include "elf/debugfile.h"
#include "elf/elf.h"

enum { ROOTS = 3 };

/* Opening a device or a FIFO does something to it (a watchdog starts, a tape rewinds). So first
 * without opening: O_PATH, and then, if it is a regular file, that very file. */
static int open_regular(int place)
{
	char again[64];
	struct stat st;
	if (place < 0 || fstat(place, &st) || !S_ISREG(st.st_mode))
		return -1;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", place);
	return open(again, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static int open_path(const char *path)
{
	FD_AUTO int place = open(path, O_PATH | O_CLOEXEC);
	return open_regular(place);
}

/* A root directory: of a process, or (pid 0) ours. */
static int open_root(const char *proc, uint32_t pid)
{
	char path[128] = "/";
	if (pid > 0)
		snprintf(path, sizeof(path), "%s/%u/root", proc, pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Links of all kinds are taken as the process itself would: openat2(2), RESOLVE_IN_ROOT. But it is we who
 * may read what is at their end; flags O_NOFOLLOW: the file itself may be no link. */
static int open_below(int root, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | flags,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	FD_AUTO int place = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	return open_regular(place);
}

/* ---- the file ---- */

/* Is what a path leads to now still the file that was mapped? The kernel's word for it was a build id
 * or an inode number; device numbers differ between maps and stat on overlayfs and btrfs. */
static bool is_same_file(const struct reach_claim *claim, int fd)
{
	struct elf_key key;
	if (elf_key_of_fd(fd, &key, NULL))
		return false;
	if (!claim->build_id[0])
		return !claim->deleted && (claim->inode == 0 || claim->inode == key.inode);
	struct elf_file *elf;
	if (elf_open(fd, &elf, NULL))
		return false;
	bool same = !strcmp(elf_info(elf)->build_id, claim->build_id);
	elf_close(elf);
	return same;
}

/* Through the mapping itself, if it still shows what it did: the pid may run another program by now.
 * Seen from here the path can be longer, when the process lives below another root. */
static int open_mapping(const char *proc, const struct reach_claim *claim,
			const struct file_place *place)
{
	char path[128], target[4096];
	snprintf(path, sizeof(path), "%s/%u/map_files/%lx-%lx", proc, place->pid, place->start,
		 place->end);
	ssize_t len = readlink(path, target, sizeof(target));
	if (len <= 0)
		return -1;
	struct str shown = str_make(target, (size_t)len);
	if (str_ends_with(shown, STR(" (deleted)")))
		shown.len -= 10;
	return str_ends_with(shown, str_of(claim->path)) ? open_path(path) : -1;
}

int reach_content(const char *proc, const struct reach_claim *claim, const struct file_place *place)
{
	const uint32_t pids[ROOTS] = {place->pid, 1, 0};
	int fd = open_mapping(proc, claim, place);
	for (int i = 0; fd < 0 && i < ROOTS; i++) {
		FD_AUTO int root = open_root(proc, pids[i]);
		if (root >= 0)
			fd = open_below(root, claim->path, 0);
		if (fd >= 0 && !is_same_file(claim, fd))
			fd_close(&fd);
	}
	return fd;
}

int reach_path(const char *proc, uint32_t pid, const char *path)
{
	FD_AUTO int root = open_root(proc, pid);
	return root >= 0 ? open_below(root, path, O_NOFOLLOW) : -1;
}

/* ---- its debug file ---- */

struct debug_search {
	const struct reach_claim *claim;
	const struct debugfile_link *link;
	const struct elf_key *file;
	struct elf_key *known;
};

static bool is_debug_file(const struct debug_search *search, int fd)
{
	struct elf_key key;
	/* A file whose link names itself would be looked at twice. */
	if (elf_key_of_fd(fd, &key, NULL) || elf_key_equal(&key, search->file))
		return false;
	if (elf_key_equal(&key, search->known))
		return true;
	if (debugfile_check(search->link, fd, NULL))
		return false;
	*search->known = key;
	return true;
}

static int search_below(const struct debug_search *search, int root)
{
	char path[4096];
	struct str file_path = str_of(search->claim->path);
	for (unsigned i = 0; debugfile_path(search->link, file_path, i, path, sizeof(path)); i++) {
		int fd = path[0] ? open_below(root, path, 0) : -1;
		if (fd >= 0 && is_debug_file(search, fd))
			return fd;
		fd_close(&fd);
	}
	return -1;
}

static bool same_directory(int a, int b)
{
	struct stat x, y;
	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int reach_debug_file(const char *proc, const struct reach_claim *claim,
		     const struct debugfile_link *link, const struct elf_key *file,
		     const struct file_place *place, struct elf_key *known, bool *ret_final)
{
	struct debug_search search = {claim, link, file, known};
	const uint32_t pids[ROOTS] = {place->pid, 1, 0};
	FD_AUTO int first = open_root(proc, pids[0]);
	int fd = first >= 0 ? search_below(&search, first) : -1;
	*ret_final = first >= 0;
	for (int i = 1; fd < 0 && i < ROOTS; i++) {
		FD_AUTO int root = open_root(proc, pids[i]);
		/* Mostly all three are the same. */
		if (root >= 0 && !same_directory(root, first))
			fd = search_below(&search, root);
	}
	return fd;
}
