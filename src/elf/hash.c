/* The ids of a file that are made from the outside: htlhash and cache key. */
#include "elf/elf.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PART_BYTES = 4096,
	SHA256_BYTES = 32,
};

/* Up to len bytes; fewer at the end of the file. */
static int read_part(int fd, uint64_t offset, uint8_t *dst, size_t len, size_t *ret_len,
		     struct err *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, dst + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "reading a file to hash it");
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_len = done;
	return 0;
}

static void put_u64be(uint8_t *dst, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		dst[i] = (uint8_t)value;
}

static int hash_hex(const uint8_t *bytes, size_t len, char *ret, struct err *err)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[SHA256_BYTES];

	if (EVP_Digest(bytes, len, digest, NULL, EVP_sha256(), NULL) != 1)
		return err_set(err, ERR_NOMEM, "SHA-256: OpenSSL has no memory");
	for (size_t i = 0; i < ELF_HTLHASH_CHARS / 2; i++) {
		ret[2 * i] = digits[digest[i] >> 4];
		ret[2 * i + 1] = digits[digest[i] & 15];
	}
	ret[ELF_HTLHASH_CHARS] = '\0';
	return 0;
}

/* A file shorter than a part gives the same bytes twice, as the profiler that defined the hash
 * does (its libpf/fileid.go). */
int elf_htlhash(int fd, char ret[ELF_HTLHASH_CHARS + 1], struct err *err)
{
	uint8_t bytes[2 * PART_BYTES + sizeof(uint64_t)];
	struct stat st;
	size_t head, tail;

	if (fstat(fd, &st))
		return err_set_errno(err, errno, "asking for the size of a file to hash");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "not a regular file, so it has no hash");
	uint64_t size = (uint64_t)st.st_size;
	int rc = read_part(fd, 0, bytes, PART_BYTES, &head, err);
	if (!rc)
		rc = read_part(fd, size > PART_BYTES ? size - PART_BYTES : 0, bytes + head,
			       PART_BYTES, &tail, err);
	if (rc)
		return rc;
	put_u64be(bytes + head + tail, size);
	return hash_hex(bytes, head + tail + sizeof(uint64_t), ret, err);
}

int elf_key_of_fd(int fd, struct elf_key *ret, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set_errno(err, errno, "asking for a file's identity");
	*ret = (struct elf_key){
		.device = st.st_dev,
		.inode = st.st_ino,
		.size_bytes = (uint64_t)st.st_size,
		.mtime_ns = (int64_t)((uint64_t)st.st_mtim.tv_sec * 1000000000U +
				      (uint64_t)st.st_mtim.tv_nsec),
	};
	return 0;
}

bool elf_key_equal(const struct elf_key *a, const struct elf_key *b)
{
	return a->device == b->device && a->inode == b->inode && a->size_bytes == b->size_bytes &&
	       a->mtime_ns == b->mtime_ns;
}
