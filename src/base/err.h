/* The one way in which Cresset says that something failed.
 *
 * A function that can fail returns an int: 0, or a negative enum err_code. Its
 * last parameter is a struct err that the caller owns and that receives the
 * code and one sentence: what failed, on what, why, and what to do about it.
 * On the way up err_wrap() puts in front what the caller was doing:
 *
 *	opening store /var/lib/cresset: block 000123: bad checksum at 4096
 *
 * A NULL struct err is allowed everywhere and drops the sentence. Codes are
 * chosen by what the caller does about them, and map to gRPC and HTTP status
 * by one table (err_info). */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#define MUST_USE	       __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum err_code {
	ERR_OK = 0,
	ERR_INVALID = -1,	  /* the input is wrong; the same again fails again */
	ERR_NOT_FOUND = -2,	  /* what was named does not exist */
	ERR_EXISTS = -3,	  /* what was to be made is there already */
	ERR_LIMIT = -4,		  /* a configured limit or quota is reached */
	ERR_BUSY = -5,		  /* not now; try again later */
	ERR_TIMEOUT = -6,	  /* the deadline passed */
	ERR_CANCELLED = -7,	  /* the caller went away */
	ERR_DENIED = -8,	  /* not allowed for this caller */
	ERR_UNAUTHENTICATED = -9, /* we do not know who is asking */
	ERR_UNSUPPORTED = -10,	  /* not built, or not possible on this host */
	ERR_CORRUPT = -11,	  /* stored bytes are not what was written */
	ERR_IO = -12,		  /* the system refused: disk, network, kernel */
	ERR_NOMEM = -13,	  /* no memory within the limit */
	ERR_INTERNAL = -14,	  /* our own mistake */
	ERR_PRECONDITION = -15,	  /* something else has to be done first */
};

enum { ERR_TEXT_MAX = 1024 };

struct err {
	int code;
	char text[ERR_TEXT_MAX];
};

/* What the outside is told for a code. */
struct err_info {
	int code;
	const char *name;	  /* "invalid", for logs and metrics */
	const char *connect_code; /* "invalid_argument" (Connect protocol, error codes) */
	int grpc_status;	  /* 3 (gRPC statuscodes.md) */
	int http_status;	  /* 400 (Connect protocol, "Error codes" table) */
};

/* Writes code and sentence; returns code, so that `return err_set(...)` reads well. */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same, and adds ": <strerror(errno_value)>". The code is chosen by the errno: ENOENT
 * NOT_FOUND, EEXIST EXISTS, EACCES/EPERM DENIED, ENOMEM NOMEM, ENOSPC/EDQUOT LIMIT,
 * EAGAIN/EBUSY BUSY, ETIMEDOUT TIMEOUT, else IO. */
int err_set_errno(struct err *err, int errno_value, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts "<sentence>: " in front of what err says; returns err->code (code stays). With a
 * NULL err nothing is known but that it failed: ERR_INTERNAL; so code is better kept by hand where
 * the caller looks at it. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Never NULL: an unknown code gets the row of ERR_INTERNAL. */
const struct err_info *err_info(int code);
