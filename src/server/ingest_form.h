/* Private to server: multipart/form-data (RFC 7578 over RFC 2046, section 5.1). */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum { FORM_PARTS_MAX = 32 };

struct form_part {
	struct str name; /* as it stands between the quotes */
	struct str body; /* view of the form's bytes */
};

struct form {
	struct form_part parts[FORM_PARTS_MAX];
	size_t count;
};

/* Is it one? */
bool form_is(struct str content_type);
/* ERR_INVALID when the content type has no boundary, or the bytes are not a form with it; ERR_LIMIT for
 * more than FORM_PARTS_MAX parts. */
MUST_USE int form_parse(struct str content_type, struct str body, struct form *ret,
			struct err *err);
/* A form that must have a part of that name, whose body is *ret_part. Other bytes are that part themselves, and
 * *ret_form is empty. */
MUST_USE int form_or_part(struct str content_type, struct str body, struct str name,
			  struct form *ret_form, struct str *ret_part, struct err *err);
/* The body of the first part of a name; {NULL, 0} if there is none. */
struct str form_get(const struct form *form, struct str name);
