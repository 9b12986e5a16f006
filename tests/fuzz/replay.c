/* Runs a fuzzer's entry over every file of its corpus, and over each file cut
 * short at a few places, as an ordinary test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_bytes(const uint8_t *bytes, size_t size)
{
	/* An exact copy, so that the sanitizer sees a read one past the end. */
	uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		return -1;
	memcpy(copy, bytes, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	return 0;
}

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return -1;
	static uint8_t bytes[1 << 20];
	size_t size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	int rc = replay_bytes(bytes, size);
	for (size_t part = 1; part < 8 && !rc; part++)
		rc = replay_bytes(bytes, size * part / 8);
	return rc;
}

int main(int argc, char **argv)
{
	size_t files = 0;
	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		if (!dir) {
			fprintf(stderr, "corpus %s: cannot open\n", argv[i]);
			return 1;
		}
		for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
			char path[4096];
			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
			if (replay_file(path))
				return 1;
			files++;
		}
		closedir(dir);
	}
	printf("%zu inputs\n", files);
	return files == 0;
}
