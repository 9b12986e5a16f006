/* Private to server: what a password or token is compared with. Nothing here
 * keeps the secret itself; comparisons take the same time wherever they differ.
 * Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { SECRET_DIGEST_BYTES = 32, SECRET_SALT_MAX_BYTES = 64 };

struct secret_digest {
	uint8_t bytes[SECRET_DIGEST_BYTES];
};

/* SHA-256. ERR_NOMEM. */
MUST_USE int secret_digest(struct str text, struct secret_digest *ret, struct err *err);
bool secret_digest_equal(const struct secret_digest *a, const struct secret_digest *b);
/* 64 hexadecimal digits. */
bool secret_digest_parse(struct str hex, struct secret_digest *ret);

/* A password's hash by scrypt (RFC 7914). As text it is what passlib and others write (PHC string format):
 * $scrypt$ln=14,r=8,p=1$SALT$HASH, salt and hash in base64. */
struct secret_hash {
	uint8_t cost_log2, salt_len; /* N = 2^cost_log2 */
	uint32_t block, parallel;    /* r, p */
	uint8_t salt[SECRET_SALT_MAX_BYTES];
	struct secret_digest digest;
};

/* Costs above what one login may take (64 MiB, p 16) are refused. ERR_INVALID. */
MUST_USE int secret_hash_parse(struct str text, struct secret_hash *ret, struct err *err);
/* Some tens of milliseconds of work. ERR_NOMEM. */
MUST_USE int secret_hash_check(const struct secret_hash *hash, struct str password, bool *ret_same,
			       struct err *err);
/* A new hash with a random salt, as text. */
MUST_USE int secret_hash_make(struct str password, struct buf *out, struct err *err);
