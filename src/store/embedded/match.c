#include "store/embedded/match.h"

#include <string.h>

enum {
	/* Enough for any expression that a person writes on a label; each step takes some 10 ns,
	 * so that a value costs at most a few milliseconds. */
	STEPS_MAX = 200 * 1000,
	DEPTH_MAX = 10 * 1000,
	HEAP_MAX_KIB = 8 * 1024,
};

static char fold(char c)
{
	return c == '.' ? '_' : c;
}

bool names_alike(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (fold(a.ptr[i]) != fold(b.ptr[i]))
			return false;
	return true;
}

/* OpenTelemetry semantic conventions (thread.*, process.pid, cpu.logical_number); ids as in OTLP. */
static const struct field_row {
	struct str name;
	enum block_column column;
} fields[] = {
	[FIELD_NONE] = {{"", 0}, BLOCK_COLUMNS},
	[FIELD_PID] = {{"process.pid", 11}, BLOCK_PID},
	[FIELD_TID] = {{"thread.id", 9}, BLOCK_TID},
	[FIELD_THREAD_NAME] = {{"thread.name", 11}, BLOCK_THREAD_NAME},
	[FIELD_CPU] = {{"cpu.logical_number", 18}, BLOCK_CPU},
	[FIELD_SPAN] = {{"span_id", 7}, BLOCK_SPAN},
	[FIELD_TRACE] = {{"trace_id", 8}, BLOCK_SPAN},
};

enum sample_field field_of_name(struct str name)
{
	for (unsigned i = FIELD_PID; i <= FIELD_TRACE; i++)
		if (names_alike(fields[i].name, name))
			return (enum sample_field)i;
	return FIELD_NONE;
}

enum block_column column_of_field(enum sample_field field)
{
	return fields[field].column;
}

struct str name_of_field(enum sample_field field)
{
	return fields[field].name;
}

static int compile(struct matcher *matcher, struct err *err)
{
	int number;
	PCRE2_SIZE at;
	PCRE2_UCHAR said[120];
	uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | PCRE2_UTF |
			   PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
	matcher->regex = pcre2_compile((PCRE2_SPTR)matcher->value.ptr, matcher->value.len, options,
				       &number, &at, NULL);
	if (!matcher->regex) {
		pcre2_get_error_message(number, said, sizeof(said));
		return err_set(err, ERR_INVALID, "regular expression \"%.*s\": %s at character %zu",
			       STR_ARG(str_sub(matcher->value, 0, 200)), (char *)said, at);
	}
	matcher->data = pcre2_match_data_create(1, NULL);
	matcher->limits = pcre2_match_context_create(NULL);
	if (!matcher->data || !matcher->limits)
		return err_set(err, ERR_NOMEM, "regular expression: no memory");
	pcre2_set_match_limit(matcher->limits, STEPS_MAX);
	pcre2_set_depth_limit(matcher->limits, DEPTH_MAX);
	pcre2_set_heap_limit(matcher->limits, HEAP_MAX_KIB);
	return 0;
}

int matcher_init(struct matcher *matcher, const struct store_matcher *source, struct err *err)
{
	*matcher = (struct matcher){.op = source->op, .name = source->name, .value = source->value};
	matcher->field = field_of_name(source->name);
	if (!matcher->value.ptr)
		matcher->value = STR("");
	int rc = 0;
	if (source->op == MATCH_REGEX || source->op == MATCH_NOT_REGEX)
		rc = compile(matcher, err);
	return rc ? rc : matcher_test(matcher, STR(""), &matcher->matches_empty, err);
}

void matcher_deinit(struct matcher *matcher)
{
	pcre2_code_free(matcher->regex);
	pcre2_match_data_free(matcher->data);
	pcre2_match_context_free(matcher->limits);
	memset(matcher, 0, sizeof(*matcher));
}

static int test_regex(const struct matcher *matcher, struct str value, bool *ret, struct err *err)
{
	int rc = pcre2_match(matcher->regex, (PCRE2_SPTR)value.ptr, value.len, 0, 0, matcher->data,
			     matcher->limits);
	*ret = rc >= 0;
	if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "regular expression \"%.*s\" takes too many steps on a value",
		       STR_ARG(str_sub(matcher->value, 0, 200)));
}

int matcher_test(const struct matcher *matcher, struct str value, bool *ret, struct err *err)
{
	int rc = 0;
	switch (matcher->op) {
	case MATCH_EQUAL:
		*ret = str_equal(matcher->value, value);
		break;
	case MATCH_NOT_EQUAL:
		*ret = !str_equal(matcher->value, value);
		break;
	case MATCH_REGEX:
		rc = test_regex(matcher, value, ret, err);
		break;
	case MATCH_NOT_REGEX:
		rc = test_regex(matcher, value, ret, err);
		*ret = !*ret;
		break;
	}
	return rc;
}
