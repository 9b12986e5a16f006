/* Text of folded stacks, one a line. */
#include "wire/folded.h"

#include "wire/intake.h"

/* "a;b;c", root first. */
static int add_folded(struct wire_sink *sink, struct profile *profile, struct intake_path *path,
		      struct str stack, int64_t value, struct err *err)
{
	uint32_t location, index;
	struct str name;
	int rc = 0;

	path->count = 0;
	while (!rc && str_next(&stack, ';', &name)) {
		rc = intake_named(sink, name, STR(""), 0, &location, err);
		rc = rc ? rc : intake_push(sink, path, location, err);
	}
	rc = rc ? rc : intake_stack(sink, path, &index, err);
	return rc ? rc : intake_value(sink, profile, index, value, err);
}

static int parse_group(struct str line, struct str *ret_stack, int64_t *ret_value, struct err *err)
{
	ptrdiff_t space = str_rfind_char(line, ' ');

	if (space < 0)
		return err_set(err, ERR_INVALID, "no number behind the stack");
	*ret_stack = str_sub(line, 0, (size_t)space);
	if (!str_to_i64(str_sub(line, (size_t)space + 1, line.len), ret_value))
		return err_set(err, ERR_INVALID, "\"%.*s\" is no number",
			       STR_ARG(str_sub(line, (size_t)space + 1, 40)));
	return 0;
}

static int read_line(struct wire_sink *sink, struct profile *profile, struct intake_path *path,
		     struct str line, bool grouped, struct err *err)
{
	int64_t value = 1;
	int rc = 0;

	line = str_trim(line);
	if (line.len == 0)
		return 0;
	if (grouped)
		rc = parse_group(line, &line, &value, err);
	return rc ? rc : add_folded(sink, profile, path, line, value, err);
}

static int read_text(struct str text, bool grouped, struct wire_sink *sink,
		     struct profile_scope *scope, struct profile **ret, struct err *err)
{
	struct intake_path path = {0};
	struct profile profile = {0};
	struct str line;
	size_t number = 0;
	int rc = 0;

	while (!rc && str_next(&text, '\n', &line)) {
		number++;
		rc = read_line(sink, &profile, &path, line, grouped, err);
	}
	if (rc) {
		err_wrap(err, "folded stacks, line %zu", number);
		return rc;
	}
	rc = intake_finish(sink, scope, &profile, err);
	if (!rc)
		*ret = &scope->profiles[scope->profile_count - 1];
	return rc;
}

int wire_folded_groups(struct str text, struct wire_sink *sink, struct profile_scope *scope,
		       struct profile **ret, struct err *err)
{
	return read_text(text, true, sink, scope, ret, err);
}

int wire_folded_lines(struct str text, struct wire_sink *sink, struct profile_scope *scope,
		      struct profile **ret, struct err *err)
{
	return read_text(text, false, sink, scope, ret, err);
}
