#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Codes: Connect protocol, "Error codes"; gRPC, statuscodes.md; HTTP, the mapping of the former. */
static const struct err_info infos[] = {
	{ERR_OK, "ok", "ok", 0, 200},
	{ERR_INVALID, "invalid", "invalid_argument", 3, 400},
	{ERR_NOT_FOUND, "not_found", "not_found", 5, 404},
	{ERR_EXISTS, "exists", "already_exists", 6, 409},
	{ERR_LIMIT, "limit", "resource_exhausted", 8, 429},
	{ERR_BUSY, "busy", "unavailable", 14, 503},
	{ERR_TIMEOUT, "timeout", "deadline_exceeded", 4, 504},
	{ERR_CANCELLED, "cancelled", "canceled", 1, 499},
	{ERR_DENIED, "denied", "permission_denied", 7, 403},
	{ERR_UNAUTHENTICATED, "unauthenticated", "unauthenticated", 16, 401},
	{ERR_UNSUPPORTED, "unsupported", "unimplemented", 12, 501},
	{ERR_CORRUPT, "corrupt", "data_loss", 15, 500},
	{ERR_IO, "io", "unavailable", 14, 503},
	{ERR_NOMEM, "nomem", "resource_exhausted", 8, 429},
	{ERR_INTERNAL, "internal", "internal", 13, 500},
	{ERR_PRECONDITION, "state", "failed_precondition", 9, 400},
};

enum { INFO_COUNT = sizeof(infos) / sizeof(infos[0]) };

/* Through a buffer of its own, since the arguments may point into err->text. */
__attribute__((format(printf, 2, 0))) static void set_text(struct err *err, const char *fmt,
							   va_list args)
{
	char text[ERR_TEXT_MAX];

	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	memcpy(err->text, text, strlen(text) + 1);
}

static void append_text(struct err *err, const char *text)
{
	size_t len = strlen(err->text);
	size_t more = strnlen(text, ERR_TEXT_MAX - 1 - len);

	memcpy(err->text + len, text, more);
	err->text[len + more] = '\0';
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	if (err) {
		va_list args;

		va_start(args, fmt);
		set_text(err, fmt, args);
		va_end(args);
		err->code = code;
	}
	return code;
}

static int code_of_errno(int errno_value)
{
	switch (errno_value) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case ENOMEM:
		return ERR_NOMEM;
	case ENOSPC:
	case EDQUOT:
		return ERR_LIMIT;
	case EAGAIN:
	case EBUSY:
		return ERR_BUSY;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	default:
		return ERR_IO;
	}
}

int err_set_errno(struct err *err, int errno_value, const char *fmt, ...)
{
	int code = code_of_errno(errno_value);

	if (err) {
		char reason[128];
		va_list args;

		va_start(args, fmt);
		set_text(err, fmt, args);
		va_end(args);
		append_text(err, ": ");
		append_text(err, strerror_r(errno_value, reason, sizeof(reason)));
		err->code = code;
	}
	return code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char old[ERR_TEXT_MAX];
	va_list args;

	if (!err)
		return ERR_INTERNAL;
	memcpy(old, err->text, strlen(err->text) + 1);
	va_start(args, fmt);
	set_text(err, fmt, args);
	va_end(args);
	append_text(err, ": ");
	append_text(err, old);
	return err->code;
}

const struct err_info *err_info(int code)
{
	for (int i = 0; i < INFO_COUNT; i++)
		if (infos[i].code == code)
			return &infos[i];
	return &infos[-ERR_INTERNAL];
}
