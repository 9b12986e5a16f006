/* A delimiter is CRLF, two hyphens and the boundary; what stands before the first
 * and behind the last means nothing. */
#include "server/ingest_form.h"

#include <stdio.h>

enum { BOUNDARY_MAX = 70 }; /* RFC 2046, section 5.1.1 */

bool form_is(struct str content_type)
{
	struct str type;

	return str_next(&content_type, ';', &type) &&
	       str_equal_nocase(str_trim(type), STR("multipart/form-data"));
}

static struct str unquote(struct str text)
{
	if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
		return str_sub(text, 1, text.len - 2);
	return text;
}

/* The value of "; name=value" in a header; {NULL, 0} if it is not there. */
static struct str parameter(struct str header, struct str name)
{
	struct str part;

	while (str_next(&header, ';', &part)) {
		ptrdiff_t equals = str_find_char(part, '=');
		if (equals < 0)
			continue;
		if (str_equal_nocase(str_trim(str_sub(part, 0, (size_t)equals)), name))
			return unquote(str_trim(str_sub(part, (size_t)equals + 1, part.len)));
	}
	return (struct str){NULL, 0};
}

/* "Content-Disposition: form-data; name=..." among the headers of a part. */
static struct str part_name(struct str headers)
{
	struct str line;

	while (str_next(&headers, '\n', &line)) {
		ptrdiff_t colon = str_find_char(line, ':');
		if (colon < 0)
			continue;
		if (str_equal_nocase(str_trim(str_sub(line, 0, (size_t)colon)),
				     STR("content-disposition")))
			return parameter(str_trim(str_sub(line, (size_t)colon + 1, line.len)),
					 STR("name"));
	}
	return (struct str){NULL, 0};
}

static int add_part(struct form *form, struct str part, struct err *err)
{
	ptrdiff_t end = str_find(part, STR("\r\n\r\n"));
	struct form_part *row = &form->parts[form->count];

	if (form->count == FORM_PARTS_MAX)
		return err_set(err, ERR_LIMIT, "form: more than %d parts", FORM_PARTS_MAX);
	if (end < 0)
		return err_set(err, ERR_INVALID, "form: part %zu has no end of its headers",
			       form->count);
	row->name = part_name(str_sub(part, 0, (size_t)end));
	row->body = str_sub(part, (size_t)end + 4, part.len);
	if (!row->name.ptr)
		return err_set(err, ERR_INVALID, "form: part %zu has no name", form->count);
	form->count++;
	return 0;
}

/* rest starts behind a delimiter: either "--", or the rest of its line and a part. */
static int read_parts(struct form *form, struct str rest, struct str delimiter, struct err *err)
{
	int rc = 0;

	while (!rc && !str_starts_with(rest, STR("--"))) {
		ptrdiff_t line = str_find(rest, STR("\r\n"));
		ptrdiff_t end = str_find(rest, delimiter);
		if (line < 0 || end < line)
			return err_set(err, ERR_INVALID, "form: cut short in part %zu",
				       form->count);
		/* A part without headers starts with an empty line, which is the delimiter's. */
		rc = add_part(form, str_sub(rest, (size_t)line, (size_t)(end - line)), err);
		rest = str_sub(rest, (size_t)end + delimiter.len, rest.len);
	}
	return rc;
}

int form_parse(struct str content_type, struct str body, struct form *ret, struct err *err)
{
	struct str boundary = parameter(content_type, STR("boundary"));
	char text[BOUNDARY_MAX + 8];
	struct str delimiter;
	ptrdiff_t first;

	*ret = (struct form){.count = 0};
	if (boundary.len == 0 || boundary.len > BOUNDARY_MAX)
		return err_set(err, ERR_INVALID,
			       "Content-Type: multipart/form-data needs a boundary of 1 to %d "
			       "bytes",
			       BOUNDARY_MAX);
	snprintf(text, sizeof(text), "\r\n--%.*s", STR_ARG(boundary));
	delimiter = str_of(text);
	if (str_starts_with(body, str_sub(delimiter, 2, delimiter.len)))
		first = -2;
	else
		first = str_find(body, delimiter);
	if (first == -1)
		return err_set(err, ERR_INVALID,
			       "form: the boundary of its Content-Type is not there");
	return read_parts(ret, str_sub(body, (size_t)(first + (ptrdiff_t)delimiter.len), body.len),
			  delimiter, err);
}

struct str form_get(const struct form *form, struct str name)
{
	for (size_t i = 0; i < form->count; i++)
		if (str_equal(form->parts[i].name, name))
			return form->parts[i].body;
	return (struct str){NULL, 0};
}

int form_or_part(struct str content_type, struct str body, struct str name, struct form *ret_form,
		 struct str *ret_part, struct err *err)
{
	ret_form->count = 0;
	*ret_part = body;
	if (!form_is(content_type))
		return 0;
	int rc = form_parse(content_type, body, ret_form, err);
	if (rc)
		return rc;
	*ret_part = form_get(ret_form, name);
	if (!ret_part->ptr)
		return err_set(err, ERR_INVALID, "form: there is no field \"%.*s\"", STR_ARG(name));
	return 0;
}
