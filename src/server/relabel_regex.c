#define PCRE2_CODE_UNIT_WIDTH 8
#include "server/relabel_regex.h"

#include <ctype.h>
#include <pcre2.h>

#include "base/mem.h"

/* Steps that one match may take; ordinary rules take less than a hundred. */
enum { MATCH_LIMIT = 100000, DEPTH_LIMIT = 10000, HEAP_LIMIT_KIB = 4096 };

struct regex {
	pcre2_general_context *memory;
	pcre2_match_context *limits;
	pcre2_code *code;
};

static void *allocate(size_t size, void *user)
{
	(void)user;
	return mem_alloc(size);
}

static void release(void *ptr, void *user)
{
	(void)user;
	mem_free(ptr);
}

static int compile_failed(struct str pattern, int code, size_t offset, struct err *err)
{
	PCRE2_UCHAR why[256];

	if (code == PCRE2_ERROR_HEAP_FAILED)
		return err_set(err, ERR_NOMEM, "no memory to compile a regular expression");
	if (pcre2_get_error_message(code, why, sizeof(why)) < 0)
		why[0] = '\0';
	return err_set(err, ERR_INVALID, "regex \"%.*s\": %s at character %zu", STR_ARG(pattern),
		       (const char *)why, offset);
}

static bool create_contexts(struct regex *regex)
{
	regex->memory = pcre2_general_context_create(allocate, release, NULL);
	regex->limits = regex->memory ? pcre2_match_context_create(regex->memory) : NULL;
	if (!regex->limits)
		return false;
	pcre2_set_match_limit(regex->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(regex->limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(regex->limits, HEAP_LIMIT_KIB);
	return true;
}

/* What Go's regexp (RE2) means by a pattern: whole text, $ only at its very end, dot matches newlines as
 * in Prometheus' (?s:...). */
static int compile(struct regex *regex, struct str pattern, struct err *err)
{
	const uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
				 PCRE2_DOTALL | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF |
				 PCRE2_NEVER_BACKSLASH_C;
	pcre2_compile_context *context = pcre2_compile_context_create(regex->memory);
	size_t offset;
	int code;

	if (!context)
		return err_set(err, ERR_NOMEM, "no memory to compile a regular expression");
	regex->code = pcre2_compile((PCRE2_SPTR)pattern.ptr, pattern.len, options, &code, &offset,
				    context);
	pcre2_compile_context_free(context);
	if (!regex->code)
		return compile_failed(pattern, code, offset, err);
	/* Where no machine code may be made, the interpreter does. */
	(void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
	return 0;
}

int regex_create(struct str pattern, struct regex **ret, struct err *err)
{
	struct regex *regex = mem_zalloc(1, sizeof(*regex));
	int rc;

	if (!regex || !create_contexts(regex))
		rc = err_set(err, ERR_NOMEM, "no memory to compile a regular expression");
	else
		rc = compile(regex, pattern.ptr ? pattern : STR(""), err);
	if (rc)
		regex_destroy(regex);
	else
		*ret = regex;
	return rc;
}

void regex_destroy(struct regex *regex)
{
	if (!regex)
		return;
	pcre2_code_free(regex->code);
	pcre2_match_context_free(regex->limits);
	pcre2_general_context_free(regex->memory);
	mem_free(regex);
}

int regex_match(const struct regex *regex, struct str text, struct regex_match *ret,
		struct err *err)
{
	pcre2_match_data *data = pcre2_match_data_create_from_pattern(regex->code, regex->memory);
	int code;

	*ret = (struct regex_match){.data = data, .subject = text.ptr ? text : STR("")};
	if (!data)
		return err_set(err, ERR_NOMEM, "no memory to match a regular expression");
	code = pcre2_match(regex->code, (PCRE2_SPTR)ret->subject.ptr, ret->subject.len, 0, 0, data,
			   regex->limits);
	ret->matched = code > 0;
	if (code > 0 || code == PCRE2_ERROR_NOMATCH)
		return 0;
	regex_match_deinit(ret);
	return err_set(err, code == PCRE2_ERROR_NOMEMORY ? ERR_NOMEM : ERR_LIMIT,
		       "a regular expression takes too many steps on \"%.*s\" (PCRE2 error %d)",
		       (int)(text.len < 100 ? text.len : 100), text.ptr, code);
}

void regex_match_deinit(struct regex_match *match)
{
	pcre2_match_data_free(match->data);
	match->data = NULL;
}

static struct str group_text(const struct regex_match *match, int group)
{
	const size_t *offsets = pcre2_get_ovector_pointer(match->data);
	uint32_t count = pcre2_get_ovector_count(match->data);
	size_t from;

	if ((uint32_t)group >= count || offsets[2 * group] == PCRE2_UNSET)
		return STR("");
	from = offsets[2 * group];
	return str_sub(match->subject, from, offsets[2 * group + 1] - from);
}

/* ---- templates ---- */

/* -1: no such group. */
static int group_number(const struct regex *regex, struct str name)
{
	char text[64];
	uint64_t number;
	int group;

	if (str_to_u64(name, &number))
		return number < 65536 ? (int)number : -1;
	str_copy(text, sizeof(text), name);
	group = name.len < sizeof(text)
			? pcre2_substring_number_from_name(regex->code, (PCRE2_SPTR)text)
			: -1;
	return group > 0 ? group : -1;
}

static size_t word_length(struct str text)
{
	size_t len = 0;

	while (len < text.len && (isalnum((unsigned char)text.ptr[len]) || text.ptr[len] == '_'))
		len++;
	return len;
}

/* The name behind a '$' (braces dropped) and how many bytes of text it took; len 0: none. */
static struct str reference_name(struct str text, size_t *ret_taken)
{
	struct str inner;
	size_t len;

	*ret_taken = 0;
	if (text.len > 0 && text.ptr[0] == '{') {
		inner = str_sub(text, 1, text.len);
		len = word_length(inner);
		if (len == 0 || len == inner.len || inner.ptr[len] != '}')
			return STR("");
		*ret_taken = len + 2;
		return str_sub(inner, 0, len);
	}
	*ret_taken = word_length(text);
	return str_sub(text, 0, *ret_taken);
}

static void add_part(struct template *template, struct str text, int group)
{
	if (text.len > 0 || group >= 0)
		template->parts[template->count++] = (struct template_part){text, group};
}

int template_create(struct arena *arena, const struct regex *regex, struct str text,
		    struct template *ret, struct err *err)
{
	size_t from = 0, taken;

	ret->count = 0;
	ret->parts = arena_zalloc(arena, 2 * text.len + 1, sizeof(*ret->parts));
	if (!ret->parts)
		return err_set(err, ERR_NOMEM, "no memory for a relabelling rule");
	for (size_t at = 0; at < text.len; at++) {
		struct str rest = str_sub(text, at + 1, text.len), name;
		if (text.ptr[at] != '$')
			continue;
		name = reference_name(rest, &taken);
		if (name.len == 0 && !(rest.len > 0 && rest.ptr[0] == '$'))
			continue; /* a dollar alone is itself */
		/* "$$" keeps its first dollar as text. */
		add_part(ret, str_sub(text, from, at - from + (name.len == 0)), -1);
		if (name.len > 0 && group_number(regex, name) >= 0)
			add_part(ret, STR(""), group_number(regex, name));
		at += name.len > 0 ? taken : 1;
		from = at + 1;
	}
	add_part(ret, str_sub(text, from, text.len), -1);
	return 0;
}

static struct str part_text(const struct template_part *part, const struct regex_match *match)
{
	return part->group < 0 ? part->text : group_text(match, part->group);
}

struct str template_expand(const struct template *template, const struct regex_match *match,
			   struct arena *arena)
{
	size_t len = 0;
	char *text, *end;

	for (size_t i = 0; i < template->count; i++)
		len += part_text(&template->parts[i], match).len;
	text = arena_alloc(arena, len + 1);
	if (!text)
		return (struct str){NULL, 0};
	end = text;
	for (size_t i = 0; i < template->count; i++) {
		struct str part = part_text(&template->parts[i], match);
		memcpy(end, part.ptr, part.len);
		end += part.len;
	}
	*end = '\0';
	return (struct str){text, len};
}
