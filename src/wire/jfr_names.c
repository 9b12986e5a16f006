/* A JVM makes classes while it runs and numbers them: Foo$$Lambda$42/0x0000000800c3,
 * Foo$$Lambda.0x00007f, GeneratedMethodAccessor17. The number is another one in
 * each run, so it goes, or the same function would be many (as Pyroscope does:
 * grafana/jfr-parser, parser/symbols.go). */
#include "wire/jfr_read.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Length of text without the "/0x..." or ".0x..." of a hidden class. */
static size_t without_address(struct str text)
{
	size_t at = text.len;

	while (at > 0 && is_hex(text.ptr[at - 1]))
		at--;
	if (at == text.len || at < 3 || text.ptr[at - 1] != 'x' || text.ptr[at - 2] != '0')
		return text.len;
	return text.ptr[at - 3] == '/' || text.ptr[at - 3] == '.' ? at - 3 : text.len;
}

static size_t without_digits(struct str text)
{
	size_t at = text.len;

	while (at > 0 && is_digit(text.ptr[at - 1]))
		at--;
	return at;
}

static void put_class(struct buf *out, struct str name)
{
	static const char *const numbered[] = {"GeneratedConstructorAccessor",
					       "GeneratedMethodAccessor",
					       "GeneratedSerializationConstructorAccessor"};
	struct str whole = name, stem;

	name.len = without_address(name);
	ptrdiff_t lambda = str_find(name, STR("$$Lambda"));
	if (lambda >= 0) {
		buf_str(out, str_sub(name, 0, (size_t)lambda));
		buf_cstr(out, "$$Lambda_");
		return;
	}
	stem = str_sub(name, 0, without_digits(name));
	for (size_t i = 0; i < sizeof(numbered) / sizeof(numbered[0]); i++)
		if (stem.len < name.len && str_ends_with(stem, str_of(numbered[i])))
			name = stem;
	buf_str(out, name);
	if (name.len < whole.len)
		buf_char(out, '_');
}

void jfr_put_name(struct buf *out, struct str class, struct str method)
{
	put_class(out, class);
	if (class.len > 0 && method.len > 0)
		buf_char(out, '.');
	buf_str(out, method);
}
