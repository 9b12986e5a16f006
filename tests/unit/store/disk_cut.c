/* The model. A file has bytes that are certainly on disk, and a list of changes
 * (writes, new sizes) made since, in order. A sync that succeeds makes certain
 * what was changed before it began. When one fails, each of those changes is on
 * disk or will never be, whatever a later sync says, though the running system
 * still reads it: Linux marks the pages clean (fsync(2), EIO). At a cut:
 *
 * - Each page of 4,096 bytes, or each sector of 512, holds what it held after
 *   any number of the changes: a kernel writes pages back when it likes, in any
 *   order, and a disk writes sectors whole. A place that was never written back
 *   is 0 (delayed allocation, preallocated extents).
 * - The size is that after any number of the changes.
 * - Files that a sync did not reach may each be whole, lost or between.
 *
 * Directories have a list of names for certain and a list of changes too. Two
 * kinds of file systems are played. With a journal (ext4, xfs, btrfs) the
 * changes of all directories reach the disk in their order, and a sync of any
 * file takes along all that came before it. POSIX promises only that a synced
 * directory has its names, so a file that was synced in a directory that was
 * not may be gone as a whole; changes of one directory still keep their order
 * there, and a rename within one happens or does not. A rename between two
 * directories, which nobody here does, is refused.
 *
 * One file is treated more kindly: what of a MANIFEST was not synced is there up
 * to some byte. RocksDB 7.8 takes a later record behind a torn one for damage
 * and opens such a database no more; at one sync it writes some hundred bytes
 * there, so a disk has to tear them at a page's border, the later page first.
 *
 * Not played: bytes that rot, writes that go elsewhere, disks that lie. */
#include "disk_state.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR_BYTES = 512, PAGE_BYTES = 4096 };

/* ---- bytes ---- */

/* After how many of the changes a place is shown. */
static size_t some_state(struct random *random, size_t count)
{
	uint32_t dice = random ? random_below(random, 4) : 0;
	return dice == 0 ? 0 : dice == 1 ? count : random_below(random, (uint32_t)count + 1);
}

static void cut_prefix(const struct inode *inode, struct random *random, struct bytes *ret)
{
	size_t whole = random_below(random, (uint32_t)inode->count + 1);
	for (size_t i = 0; i < whole; i++)
		bytes_change(ret, &inode->changes[i]);
	if (whole < inode->count && !inode->changes[whole].resize) {
		struct change part = inode->changes[whole];
		part.len = random_below(random, part.len + 1);
		bytes_change(ret, &part);
	}
}

/* The size after so many changes; *most, or NULL: the largest on the way. */
static size_t size_after(const struct inode *inode, size_t count, size_t *most)
{
	size_t size = inode->certain.len, largest = size;
	for (size_t i = 0; i < count; i++) {
		const struct change *change = &inode->changes[i];
		if (change->resize || change->at + change->len > size)
			size = change->at + change->len;
		largest = size > largest ? size : largest;
	}
	if (most)
		*most = largest;
	return size;
}

/* One change, in those units whose state has it. */
static void change_units(struct bytes *bytes, const struct change *change, size_t number,
			 const size_t *states, size_t unit)
{
	uint64_t from = change->at, end = change->at + change->len;
	if (change->resize) {
		end = bytes->len;
		from = from < end ? from : end;
	}
	while (from < end) {
		uint64_t border = (from / unit + 1) * unit, to = border < end ? border : end;
		if (states[from / unit] > number && change->resize)
			memset(bytes->ptr + from, 0, to - from);
		else if (states[from / unit] > number)
			memcpy(bytes->ptr + from, change->bytes + (from - change->at), to - from);
		from = to;
	}
}

static void cut_units(const struct inode *inode, size_t unit, struct random *random,
		      struct bytes *ret)
{
	size_t most;
	(void)size_after(inode, inode->count, &most);
	bytes_set_size(ret, most);
	size_t units = ret->len / unit + 1;
	size_t *states = disk_must_have(malloc(units * sizeof(*states)));
	for (size_t i = 0; i < units; i++)
		states[i] = some_state(random, inode->count);
	for (size_t i = 0; i < inode->count; i++)
		change_units(ret, &inode->changes[i], i, states, unit);
	bytes_set_size(ret, size_after(inode, some_state(random, inode->count), NULL));
	free(states);
}

/* The bytes of a file after the cut. */
static void cut_bytes(const struct inode *inode, enum disk_data data, bool in_order,
		      struct random *random, struct bytes *ret)
{
	bytes_set_size(ret, inode->certain.len);
	if (ret->len)
		memcpy(ret->ptr, inode->certain.ptr, ret->len);
	/* One file of four fares differently from the others. */
	if (random && random_below(random, 4) == 0)
		data = random_below(random, DATA_KINDS);
	if (in_order && data > DATA_PREFIX)
		data = DATA_PREFIX;
	switch (data) {
	case DATA_LOST:
	case DATA_KINDS:
		break;
	case DATA_WHOLE:
		for (size_t i = 0; i < inode->count; i++)
			bytes_change(ret, &inode->changes[i]);
		break;
	case DATA_PREFIX:
		cut_prefix(inode, random, ret);
		break;
	case DATA_PAGES:
		cut_units(inode, PAGE_BYTES, random, ret);
		break;
	case DATA_SECTORS:
		cut_units(inode, SECTOR_BYTES, random, ret);
		break;
	}
}

/* How many namings each directory shows. */
static size_t *cut_directories(const struct disk *disk, enum disk_names names,
			       struct random *random)
{
	size_t *shown = disk_must_have(calloc(disk->inode_count, sizeof(*shown)));
	size_t in_order =
		disk->journalled + some_state(random, disk->naming_count - disk->journalled);
	for (uint32_t i = 0; i < disk->inode_count; i++)
		if (names == NAMES_IN_ORDER)
			shown[i] = in_order;
		else if (disk->inodes[i].directory)
			shown[i] = disk->alone[i] +
				   some_state(random, disk->naming_count - disk->alone[i]);
	return shown;
}

static void write_file(const char *path, const struct bytes *bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		abort();
	for (size_t done = 0; done < bytes->len;) {
		ssize_t put = write(fd, bytes->ptr + done, bytes->len - done);
		if (put <= 0)
			abort();
		done += (size_t)put;
	}
	close(fd);
}

struct picture {
	const struct disk *disk;
	struct names names;
	enum disk_data data;
	struct random *random;
	bool live; /* as the running system sees it */
};

static void write_entry(const struct picture *picture, const struct name *name, const char *path)
{
	const struct inode *inode = &picture->disk->inodes[name->inode];
	struct bytes bytes = {0};
	struct random own = {picture->random ? picture->random->state + name->inode : 0};
	if (picture->live) {
		write_file(path, &inode->live);
		return;
	}
	bool in_order = strncmp(name->text, "MANIFEST-", 9) == 0;
	cut_bytes(inode, picture->data, in_order, picture->random ? &own : NULL, &bytes);
	write_file(path, &bytes);
	free(bytes.ptr);
}

static void write_directory(const struct picture *picture, uint32_t directory, const char *path)
{
	if (mkdir(path, 0700))
		abort();
	for (size_t i = 0; i < picture->names.count; i++) {
		const struct name *name = &picture->names.list[i];
		char below[PATH_MAX];
		if (name->directory != directory)
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, name->text);
		if (picture->disk->inodes[name->inode].directory)
			write_directory(picture, name->inode, below);
		else
			write_entry(picture, name, below);
	}
}

void disk_cut(const struct disk *disk, enum disk_names names, enum disk_data data,
	      struct random *random, const char *path)
{
	struct picture picture = {disk, {0}, random ? data : DATA_LOST, random, false};
	size_t *shown = cut_directories(disk, names, random);
	names_copy(&disk->first, &picture.names);
	for (size_t i = 0; i < disk->naming_count; i++)
		if (i < shown[disk->namings[i].directory])
			names_apply(&picture.names, &disk->namings[i]);
	write_directory(&picture, 0, path);
	names_free(&picture.names);
	free(shown);
}

void disk_write_live(const struct disk *disk, const char *path)
{
	const struct picture picture = {.disk = disk, .names = disk->live, .live = true};
	write_directory(&picture, 0, path);
}
