#include "server/secret.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/base64.h"
#include "server/server.h"

enum {
	DEFAULT_COST_LOG2 = 14,
	DEFAULT_BLOCK = 8,
	DEFAULT_SALT_BYTES = 16,
	COST_LOG2_MAX = 20,
	PARALLEL_MAX = 16,
	MEMORY_MAX_BYTES = 64 * 1024 * 1024,
};

/* ---- digests ---- */

int secret_digest(struct str text, struct secret_digest *ret, struct err *err)
{
	if (EVP_Digest(text.ptr ? text.ptr : "", text.len, ret->bytes, NULL, EVP_sha256(), NULL) ==
	    1)
		return 0;
	ERR_clear_error();
	return err_set(err, ERR_NOMEM, "SHA-256: OpenSSL has no memory");
}

bool secret_digest_equal(const struct secret_digest *a, const struct secret_digest *b)
{
	return CRYPTO_memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool secret_digest_parse(struct str hex, struct secret_digest *ret)
{
	if (hex.len != 2 * sizeof(ret->bytes))
		return false;
	for (size_t i = 0; i < sizeof(ret->bytes); i++) {
		int high = str_hex_digit(hex.ptr[2 * i]), low = str_hex_digit(hex.ptr[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		ret->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* ---- scrypt ---- */

static bool take_number(struct str *rest, const char *name, char sep, uint64_t *ret)
{
	struct str part;
	if (!str_next(rest, sep, &part) || !str_starts_with(part, str_of(name)))
		return false;
	return str_to_u64(str_sub(part, strlen(name), part.len), ret);
}

static bool take_bytes(struct str text, uint8_t *ret, size_t min, size_t max, size_t *ret_len)
{
	uint8_t bytes[2 * SECRET_SALT_MAX_BYTES];
	if (text.len == 0 || text.len > 2 * SECRET_SALT_MAX_BYTES)
		return false;
	if (!base64_get(text, bytes, ret_len) || *ret_len < min || *ret_len > max)
		return false;
	memcpy(ret, bytes, *ret_len);
	return true;
}

static bool parse(struct str text, struct secret_hash *hash)
{
	struct str rest, part;
	uint64_t cost, block, parallel;
	size_t salt_len, len;

	if (!str_starts_with(text, STR("$scrypt$")))
		return false;
	rest = str_sub(text, strlen("$scrypt$"), text.len);
	if (!str_next(&rest, '$', &part) || !take_number(&part, "ln=", ',', &cost) ||
	    !take_number(&part, "r=", ',', &block) || !take_number(&part, "p=", ',', &parallel) ||
	    part.ptr)
		return false;
	if (cost < 1 || cost > COST_LOG2_MAX || block < 1 || block > 64 || parallel < 1 ||
	    parallel > PARALLEL_MAX || (128 * block) << cost > MEMORY_MAX_BYTES)
		return false;
	*hash = (struct secret_hash){.cost_log2 = (uint8_t)cost,
				     .block = (uint32_t)block,
				     .parallel = (uint32_t)parallel};
	if (!str_next(&rest, '$', &part) ||
	    !take_bytes(part, hash->salt, 8, SECRET_SALT_MAX_BYTES, &salt_len))
		return false;
	hash->salt_len = (uint8_t)salt_len;
	return rest.ptr &&
	       take_bytes(rest, hash->digest.bytes, SECRET_DIGEST_BYTES, SECRET_DIGEST_BYTES, &len);
}

int secret_hash_parse(struct str text, struct secret_hash *ret, struct err *err)
{
	if (parse(text, ret))
		return 0;
	return err_set(err, ERR_INVALID,
		       "password_hash is not of the form $scrypt$ln=14,r=8,p=1$SALT$HASH "
		       "(`cresset server hash-password` makes one) or costs more than 64 MiB");
}

static int derive(const struct secret_hash *hash, struct str password, struct secret_digest *ret,
		  struct err *err)
{
	uint64_t max_bytes = 2 * (uint64_t)MEMORY_MAX_BYTES;
	if (EVP_PBE_scrypt(password.ptr ? password.ptr : "", password.len, hash->salt,
			   hash->salt_len, 1ull << hash->cost_log2, hash->block, hash->parallel,
			   max_bytes, ret->bytes, sizeof(ret->bytes)) == 1)
		return 0;
	ERR_clear_error();
	return err_set(err, ERR_NOMEM, "scrypt: OpenSSL has no memory");
}

int secret_hash_check(const struct secret_hash *hash, struct str password, bool *ret_same,
		      struct err *err)
{
	struct secret_digest digest;
	int rc = derive(hash, password, &digest, err);
	if (rc == 0)
		*ret_same = secret_digest_equal(&digest, &hash->digest);
	return rc;
}

int secret_hash_make(struct str password, struct buf *out, struct err *err)
{
	struct secret_hash hash = {.cost_log2 = DEFAULT_COST_LOG2,
				   .salt_len = DEFAULT_SALT_BYTES,
				   .block = DEFAULT_BLOCK,
				   .parallel = 1};
	if (RAND_bytes(hash.salt, hash.salt_len) != 1)
		return err_set(err, ERR_IO, "no random bytes for a salt");
	int rc = derive(&hash, password, &hash.digest, err);
	if (rc)
		return rc;
	buf_printf(out, "$scrypt$ln=%u,r=%u,p=%u$", hash.cost_log2, hash.block, hash.parallel);
	base64_put(out, str_make(hash.salt, hash.salt_len), false);
	buf_char(out, '$');
	base64_put(out, str_make(hash.digest.bytes, sizeof(hash.digest.bytes)), false);
	return buf_check(out, "the hash of a password", err);
}

int server_hash_password(struct str password, struct buf *out, struct err *err)
{
	return secret_hash_make(password, out, err);
}
