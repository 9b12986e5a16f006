/* SPDX-License-Identifier: Apache-2.0
 * Makes a C file of the built page: every file below DIR, gzip'd, with its
 * path, content type and a tag of its content. The same input gives the same
 * bytes on every machine (gzip -9 -n: no name, no time). Used while building:
 *
 *	embed OUT.c OUT.d DIR
 *
 * OUT.d lists what was read, so that a changed page is embedded again. */
#include <dirent.h>
#include <libdeflate.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES_MAX = 256, PATH_BYTES = 1024 };

struct page {
	FILE *out, *deps;
	const char *dir;
	char *paths[FILES_MAX]; /* below dir: "/assets/x.js" */
	int count;
};

static void die(const char *what, const char *path)
{
	fprintf(stderr, "embed: %s %s\n", what, path);
	exit(1);
}

static void *need(void *ptr, const char *what)
{
	if (!ptr)
		die("cannot open or hold", what);
	return ptr;
}

static void gather(struct page *page, const char *below)
{
	char path[PATH_BYTES];
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s%s", page->dir, below);
	DIR *dir = need(opendir(path), path);
	while ((entry = readdir(dir))) {
		char child[PATH_BYTES], full[2 * PATH_BYTES];
		struct stat st;
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(child, sizeof(child), "%s/%s", below, entry->d_name) >= (int)sizeof(child))
			die("path too long:", entry->d_name);
		snprintf(full, sizeof(full), "%s%s", page->dir, child);
		if (stat(full, &st) != 0)
			die("cannot stat", full);
		if (S_ISDIR(st.st_mode))
			gather(page, child);
		else if (page->count == FILES_MAX)
			die("too many files at", full);
		else
			page->paths[page->count++] = need(strdup(child), child);
	}
	closedir(dir);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *type_of(const char *path)
{
	static const char *const types[][2] = {
		{".html", "text/html; charset=utf-8"},	{".js", "text/javascript; charset=utf-8"},
		{".css", "text/css; charset=utf-8"},	{".svg", "image/svg+xml"},
		{".json", "application/json"},		{".png", "image/png"},
		{".ico", "image/x-icon"},		{".woff2", "font/woff2"},
		{".txt", "text/plain; charset=utf-8"},
	};
	const char *dot = strrchr(path, '.');
	for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(dot, types[i][0]) == 0)
			return types[i][1];
	return "application/octet-stream";
}

static unsigned char *read_whole(const char *path, size_t *ret_len)
{
	FILE *file = need(fopen(path, "rb"), path);
	fseek(file, 0, SEEK_END);
	long len = ftell(file);
	if (len < 0)
		die("cannot read", path);
	rewind(file);
	unsigned char *bytes = need(malloc((size_t)len + 1), path);
	if (fread(bytes, 1, (size_t)len, file) != (size_t)len)
		die("cannot read", path);
	fclose(file);
	*ret_len = (size_t)len;
	return bytes;
}

/* FNV-1a, 64 bits: a tag that differs when the content does. */
static uint64_t tag_of(const unsigned char *bytes, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325U;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3U;
	return hash;
}

static void write_bytes(FILE *out, int index, const unsigned char *bytes, size_t len)
{
	fprintf(out, "static const unsigned char file_%d[] = {", index);
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%s%u,", i % 24 == 0 ? "\n" : "", bytes[i]);
	fprintf(out, "\n};\n");
}

struct packed {
	size_t len;
	uint64_t tag;
};

static struct packed write_file(struct page *page, int index)
{
	char full[2 * PATH_BYTES];
	size_t len;

	snprintf(full, sizeof(full), "%s%s", page->dir, page->paths[index]);
	unsigned char *bytes = read_whole(full, &len);
	struct libdeflate_compressor *gzip = need(libdeflate_alloc_compressor(12), full);
	size_t room = libdeflate_gzip_compress_bound(gzip, len);
	unsigned char *out = need(malloc(room), full);
	struct packed packed = {libdeflate_gzip_compress(gzip, bytes, len, out, room),
				tag_of(bytes, len)};
	write_bytes(page->out, index, out, packed.len);
	fprintf(page->deps, " %s", full);
	libdeflate_free_compressor(gzip);
	free(out);
	free(bytes);
	return packed;
}

int main(int argc, char **argv)
{
	static struct page page;
	static struct packed packed[FILES_MAX];

	if (argc != 4)
		die("usage: embed OUT.c OUT.d DIR, not", argv[0]);
	page.dir = argv[3];
	gather(&page, "");
	qsort(page.paths, (size_t)page.count, sizeof(page.paths[0]), compare);
	page.out = need(fopen(argv[1], "wb"), argv[1]);
	page.deps = need(fopen(argv[2], "wb"), argv[2]);
	fprintf(page.deps, "%s: %s", argv[1], page.dir);
	fprintf(page.out, "#include \"server/assets.h\"\n\n");
	for (int i = 0; i < page.count; i++)
		packed[i] = write_file(&page, i);
	fprintf(page.out, "\nconst struct asset assets[] = {\n");
	for (int i = 0; i < page.count; i++)
		fprintf(page.out, "\t{\"%s\", \"%s\", \"\\\"%016llx\\\"\", file_%d, %zu},\n",
			page.paths[i], type_of(page.paths[i]), (unsigned long long)packed[i].tag, i,
			packed[i].len);
	fprintf(page.out, "};\nconst size_t asset_count = %d;\n", page.count);
	fprintf(page.deps, "\n");
	return fclose(page.out) || fclose(page.deps) ? 1 : 0;
}
